"""Speech in, pictures out: the one object a session talks to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.emotion import Style
from mien.engine.motion import MotionWindow
from mien.engine.style_predictor import VoiceState, follow_voice, load_style_predictor, with_manner_of
from mien.engine.waking import awake_at

if TYPE_CHECKING:
    from mien.engine.emotion import StyleVector
    from mien.engine.performer import Performer
    from mien.engine.renderer import Renderer


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """One picture of the session's video."""

    index: int
    """Frames since the session began: frame k shows the 640 samples from 640 k on."""

    i420: NDArray[np.uint8]
    """uint8[height * 3 / 2, width]: the Y plane, then U and V at half size (BT.601, limited range)."""

    motion: NDArray[np.float32]
    """float32[CHANNELS]: what the picture shows."""


class Animator:
    """Turns an open-ended stream of speech into video, one object a session.

    It is synchronous and belongs to one thread at a time. `push` does both halves at once; a caller that
    must keep a deadline calls `perform` for every piece of sound, so that motion and time always advance,
    and `draw` only for the frames it still has time to show.
    """

    def __init__(self, renderer: Renderer, performer: Performer) -> None:
        self._renderer = renderer
        self._performer = performer
        self._next_index = 0
        self._closed = False
        self._style: Style | StyleVector = Style()
        self._voice: VoiceState | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the pictures, in pixels."""
        return self._renderer.size

    @property
    def delay_frames(self) -> int:
        """How many frames of sound must follow a frame before it comes out."""
        return self._performer.delay_frames

    @property
    def mouth_gain(self) -> float:
        """How far the mouth opens: 0 keeps it closed, 1 is as spoken."""
        return self._performer.mouth_gain

    @mouth_gain.setter
    def mouth_gain(self, gain: float) -> None:
        self._performer.mouth_gain = gain

    def set_style(self, style: Style | StyleVector) -> None:
        """Move towards another emotion, mixture or intensity, smoothly, from the next frame on.

        While the voice leads, a style's emotions wait until it does no longer; its manner counts at once.
        """
        self._style = style
        self._show_style()

    @property
    def voice_leads(self) -> bool:
        """Whether the emotion is what the voice seems to say (style_predictor), not what was set."""
        return self._voice is not None

    @voice_leads.setter
    def voice_leads(self, leads: bool) -> None:
        if leads != self.voice_leads:
            self._voice = VoiceState() if leads else None
            self._show_style()

    def perform(self, pcm: NDArray[np.float32]) -> MotionWindow:
        """Turn sound into motion: float32[samples] at 16 kHz in, float32[frames, CHANNELS] out.

        Any number of samples may come, none too. The frames returned are those that became due, in order.
        """
        self._check_open()
        if self._voice is not None:
            before, self._voice = self._voice, follow_voice(load_style_predictor(), pcm, self._voice)
            if self._voice.shown is not before.shown:
                self._show_style()
        return self._performer.push(pcm)

    def draw(self, index: int, motion: NDArray[np.float32]) -> VideoFrame:
        """Draw one frame of motion, float32[CHANNELS]: at index 0 of a face that is only waking."""
        self._check_open()
        i420: Any = cv2.cvtColor(self._renderer.render(motion, awake_at(index)), cv2.COLOR_RGB2YUV_I420)
        return VideoFrame(index, i420, motion)

    def push(self, pcm: NDArray[np.float32]) -> list[VideoFrame]:
        """Turn sound into the pictures that became due: `perform` and `draw` in one."""
        return self._draw_all(self.perform(pcm))

    def flush(self) -> list[VideoFrame]:
        """Return the frames still waiting for the sound after them, as if silence followed."""
        self._check_open()
        return self._draw_all(self._performer.flush())

    def interrupt(self) -> None:
        """Forget the sound that was not shown yet; the frames due for it close the mouth."""
        self._check_open()
        self._performer.interrupt()

    def close(self) -> None:
        """Give everything back. Closing twice is harmless."""
        if not self._closed:
            self._closed = True
            self._renderer.close()

    def _show_style(self) -> None:
        style = self._style
        if self._voice is not None:
            usual = style.vector() if isinstance(style, Style) else style
            style = with_manner_of(self._voice.shown, usual)
        self._performer.set_style(style)

    def _draw_all(self, window: MotionWindow) -> list[VideoFrame]:
        frames = [self.draw(self._next_index + offset, motion) for offset, motion in enumerate(window)]
        self._next_index += len(frames)
        return frames

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("the animator is closed")
