"""The real face in a real call: what the caller sees is what the engine makes of what the caller hears."""

from __future__ import annotations

import asyncio
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from stand_ins import Caller, Microphone, call

from mien.engine.animator import Animator
from mien.engine.gallery import open_builtin
from mien.engine.motion import INDEX, neutral_motion
from mien.engine.performer import Performer
from mien.engine.renderer import Renderer, open_renderer
from mien.streaming.decimation import DecimationState, decimate
from mien.streaming.intake import PlaybackResampler
from mien.streaming.lobby import Lobby
from mien.streaming.session import SessionSettings

PORTRAIT, SIDE = "iris", 256
SILENT_S, SPEECH_S = 1.5, 4.0

Luma = NDArray[np.float32]


class Mouth:
    """Reads from a picture how far the mouth is open: 0 as at rest, 1 as at jawOpen 0.5."""

    def __init__(self, renderer: Renderer) -> None:
        rest, wide = neutral_motion(1)[0], neutral_motion(1)[0]
        wide[INDEX["jawOpen"]] = 0.5
        self._rest = self._luma(renderer.render(rest))
        change = self._luma(renderer.render(wide)) - self._rest
        self._weight = np.where(change < -25, change, 0)  # what an opening mouth darkens
        self._scale = float(np.sum(self._weight * change))

    def opening(self, luma: Luma) -> float:
        return float(np.sum(self._weight * (luma - self._rest))) / self._scale

    @staticmethod
    def _luma(rgb: NDArray[np.uint8]) -> Luma:
        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")
        return frame.to_ndarray()[: rgb.shape[0]].astype(np.float32)


def speech() -> NDArray[np.float32]:
    """Silence, then real speech from the synthesizer, 48 kHz mono."""
    hibari = pytest.importorskip("hibari")
    text = "Maybe Bob bought a big apple pie. We all saw the father walk by the water."
    words = PlaybackResampler().push_samples(hibari.Hibari()(text, seed=0), 24_000)
    return np.concatenate([np.zeros(round(SILENT_S * 48_000), np.float32), words])


def play(sound: NDArray[np.float32], mouth: Mouth, animator: Animator) -> NDArray[np.float64]:
    """Return the mouth's opening in every frame that the engine makes of the sound, without any network."""
    whole = sound[: len(sound) // 1920 * 1920]
    heard, _ = decimate(whole, DecimationState())
    return np.array([mouth.opening(f.i420[:SIDE].astype(np.float32)) for f in animator.push(heard)])


class Watcher(Caller):
    """Notes the mouth's opening in every picture received."""

    def __init__(self, microphone: Microphone, mouth: Mouth) -> None:
        super().__init__(microphone)
        self.mouth = mouth

    def read(self, frame: av.VideoFrame) -> float:
        return self.mouth.opening(frame.to_ndarray()[:SIDE].astype(np.float32))


@pytest.mark.slow
async def test_the_mouth_moves_with_the_words_and_rests_in_silence() -> None:
    def renderer() -> Renderer:
        return open_renderer(open_builtin(PORTRAIT), size=(SIDE, SIDE))

    def make(settings: SessionSettings) -> Animator:
        return Animator(renderer(), Performer(seed=1))

    lobby, mouth = Lobby(make, 1), Mouth(renderer())
    settings = SessionSettings(portrait=PORTRAIT, size=(SIDE, SIDE))
    caller = Watcher(Microphone(speech()), mouth)
    async with call(lobby, settings, caller) as (_, seen_by):
        async with asyncio.timeout(60):
            while not _media_seconds(seen_by) > SILENT_S + SPEECH_S:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    await lobby.close()

    sound, begin = caller.seen.sound()
    expected = play(sound, mouth, Animator(renderer(), Performer(seed=1)))
    frames = [(round((media - begin) * 25), opening) for media, _, opening in caller.seen.pictures]
    frames = [(index, opening) for index, opening in frames if 25 <= index < len(expected) - 3]
    indexes, seen = (np.array(column) for column in zip(*frames, strict=True))
    fits = {lag: float(np.corrcoef(seen, expected[indexes - lag])[0, 1]) for lag in range(-3, 4)}
    best = max(fits, key=lambda lag: fits[lag])
    assert abs(best) <= 1, fits
    assert fits[best] > 0.8, fits

    levels = np.array([np.sqrt(np.mean(np.square(sound[i * 1920 : (i + 1) * 1920]))) for i in indexes])
    start = int(indexes[np.argmax(levels > 0.02)])
    resting, talking = seen[indexes < start - 3], seen[indexes >= start]
    assert len(resting) > 5
    assert np.std(resting) < 0.15 * np.std(talking)
    assert np.percentile(talking, 95) > 0.15
    assert np.max(np.abs(resting)) < 0.1


def _media_seconds(caller: Any) -> float:
    return caller.seen.pictures[-1][0] if caller.seen.pictures else 0.0
