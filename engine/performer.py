"""Speech in, motion out: features, sampler, lips and idle life as one stream."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.engine.config import MotionConfig
from mien.engine.emotion import Style, StyleGlide, StyleVector
from mien.engine.errors import ConfigError
from mien.engine.features import (
    ROWS_PER_FRAME,
    SILENCE,
    AudioFeatures,
    LogMelState,
    Pcm,
    log_mel,
    silent_features,
)
from mien.engine.idle import IdleState, aim_eyes, idle_motion, start_idle
from mien.engine.lips import (
    LipRefiner,
    LipState,
    close_lips,
    load_lip_refiner,
    refine_lips,
    start_lips,
)
from mien.engine.motion import (
    ROTATION_SLICE,
    SHAPE_SLICE,
    TRANSLATION_SLICE,
    MotionWindow,
    neutral_motion,
)
from mien.engine.sampler import (
    SAMPLED_INDEX,
    Denoiser,
    SamplerState,
    bridge_break,
    load_denoiser,
    sample_window,
    start_sampler,
)
from mien.engine.timebase import FRAME_RATE, SAMPLES_PER_FRAME

WIDEST_ROTATION: Final = 0.35
"""Radians the head may turn from the photo, about any axis."""

WIDEST_TRANSLATION: Final = 0.15
"""Face widths the head may move from the photo, along any axis."""

WIDEST_MOUTH_GAIN: Final = 2.0

_WAKING_FRAMES: Final = FRAME_RATE

_RANGES: Final = (
    (SHAPE_SLICE, 0.0, 1.0),
    (ROTATION_SLICE, -WIDEST_ROTATION, WIDEST_ROTATION),
    (TRANSLATION_SLICE, -WIDEST_TRANSLATION, WIDEST_TRANSLATION),
)


@dataclass(frozen=True, slots=True, eq=False)
class PerformerState:
    """All that a stream remembers. Its size does not depend on how long the stream has run."""

    ears: LogMelState
    features: AudioFeatures
    """The latest frames of sound, float32[4 * window, BINS]."""

    heard: int
    """Frames of sound heard, all told."""

    forgotten: int
    """Frames of sound before this one were interrupted: the lips no longer know of them."""

    style: StyleGlide
    sampler: SamplerState
    lips: LipState
    idle: IdleState

    @property
    def shown(self) -> int:
        """Frames of motion given out, all told."""
        return self.sampler.frame


class Performer:
    """Turns an open-ended stream of speech into motion, one object a stream.

    Frame k shows samples 640 k to 640 k + 639, and comes out once the sound of `delay_frames` more frames
    is in. However the sound is cut, the frames are the same bit for bit.
    """

    def __init__(
        self,
        config: MotionConfig | None = None,
        *,
        seed: int = 0,
        denoiser: Denoiser | None = None,
        lip_refiner: LipRefiner | None = None,
    ) -> None:
        """Begin a stream at rest.

        Everything left to chance follows from `seed`. The nets are those that ship with mien unless others
        are given. Raises AssetError where one cannot be opened, ConfigError where its window is too short.
        """
        self._config = config or MotionConfig()
        self._denoiser = denoiser or load_denoiser()
        self._lip_refiner = lip_refiner or load_lip_refiner()
        self._config.check_window(self._denoiser.card.window_frames)
        self._config.check_window(self._lip_refiner.window_frames)
        self._mouth_gain = 1.0
        window_frames = max(self._denoiser.card.window_frames, self._lip_refiner.window_frames)
        self._state = PerformerState(
            ears=LogMelState(),
            features=silent_features(window_frames),
            heard=0,
            forgotten=0,
            style=StyleGlide.resting_at(Style().vector()),
            sampler=start_sampler(self._config, seed),
            lips=start_lips(),
            idle=start_idle(seed),
        )

    @property
    def config(self) -> MotionConfig:
        """How motion is made."""
        return self._config

    @property
    def delay_frames(self) -> int:
        """How many frames of sound must follow a frame before it comes out, at most."""
        return self._config.delay_frames

    @property
    def state(self) -> PerformerState:
        """Where the stream stands."""
        return self._state

    @property
    def mouth_gain(self) -> float:
        """How far the mouth opens, 0..2: 0 keeps it closed whatever is said, 1 is as spoken."""
        return self._mouth_gain

    @mouth_gain.setter
    def mouth_gain(self, gain: float) -> None:
        if not 0.0 <= gain <= WIDEST_MOUTH_GAIN:
            raise ConfigError(
                f"The mouth gain is {gain}, outside 0..{WIDEST_MOUTH_GAIN:g}.",
                remedy="Take 0 for a closed mouth, 1 for as spoken, or up to 2 for more.",
            )
        self._mouth_gain = gain

    def set_style(self, style: Style | StyleVector) -> None:
        """Move to another style, there within a second: an emotion, or a mixture as float32[STYLE_SIZE]."""
        target = style.vector() if isinstance(style, Style) else style
        self._state = replace(self._state, style=self._state.style.towards(target))

    def push(self, pcm: Pcm) -> MotionWindow:
        """Take in sound, float32[n], n any number; return the frames due now, float32[frames, CHANNELS]."""
        features, ears = log_mel(pcm, self._state.ears)
        self._state = replace(self._state, ears=ears)
        made = [neutral_motion(0)]
        for start in range(0, len(features), ROWS_PER_FRAME):
            self._hear(features[start : start + ROWS_PER_FRAME])
            if self._state.heard - self._state.shown > self.delay_frames:
                made.append(self._make(self._config.hop_frames))
        return np.concatenate(made)

    def flush(self) -> MotionWindow:
        """Return the frames of all sound pushed so far, as if silence followed: float32[frames, CHANNELS].

        A frame begun is filled up with silence. That silence counts as heard: the stream may go on after it.
        """
        waiting = len(self._state.ears.samples) - len(LogMelState().samples)
        made = [self.push(np.zeros(-waiting % SAMPLES_PER_FRAME, np.float32))]
        due = self._state.heard - self._state.shown
        for _ in range(self._config.look_ahead_frames if due else 0):
            made.append(self.push(np.zeros(SAMPLES_PER_FRAME, np.float32)))
            due -= len(made[-1])
        if due > 0:  # only where the hop is longer than what is left
            made.append(self._make(due))
        return np.concatenate(made)

    def interrupt(self) -> None:
        """Forget the sound whose frames did not come out yet, as if it had been silence.

        Time does not jump: as many frames come out as before. The first has the mouth half-way shut, the
        second has it shut; brows, eyes and head go on from where they are.
        """
        state = self._state
        unseen = (state.heard - state.shown) * ROWS_PER_FRAME
        features = state.features.copy()
        features[len(features) - unseen :] = SILENCE
        self._state = replace(
            state,
            ears=LogMelState(np.zeros_like(state.ears.samples)),
            features=features,
            forgotten=state.heard,
            sampler=bridge_break(state.sampler),
            lips=close_lips(state.lips),
        )

    def _hear(self, rows: AudioFeatures) -> None:
        features = np.concatenate([self._state.features[len(rows) :], rows])
        self._state = replace(self._state, features=features, heard=self._state.heard + 1)

    def _make(self, frames: int) -> MotionWindow:
        """Make the next frames, whose look-ahead has just been heard."""
        config, state = self._config, self._state
        style = state.style.after(frames)
        sampled, sampler = sample_window(
            self._denoiser,
            _latest(state.features, self._denoiser.card.window_frames),
            style.now,
            state.sampler,
            config=config,
            frames=frames,
        )
        face, idle = idle_motion(frames, state.idle)
        face[:, SAMPLED_INDEX] += _waking(state.shown, frames) * sampled[:, SAMPLED_INDEX]
        motion, lips = refine_lips(
            self._lip_refiner,
            _latest(_forget(state), self._lip_refiner.window_frames),
            style.now,
            state.lips,
            face=_limit(face),
            look_ahead=config.look_ahead_frames,
            mouth_gain=self._mouth_gain,
        )
        self._state = replace(state, style=style, sampler=sampler, lips=lips, idle=idle)
        return np.stack([aim_eyes(frame) for frame in motion])


def _waking(first: int, frames: int) -> NDArray[np.float32]:
    """Return the share of the sampler in each frame, float32[frames, 1]: a stream starts from the photo."""
    return np.minimum(np.arange(first, first + frames) / _WAKING_FRAMES, 1.0, dtype=np.float32)[:, None]


def _latest(features: AudioFeatures, frames: int) -> AudioFeatures:
    return features[len(features) - frames * ROWS_PER_FRAME :]


def _forget(state: PerformerState) -> AudioFeatures:
    """Return the features with silence in place of all that came before the last interruption."""
    window_frames = len(state.features) // ROWS_PER_FRAME
    oldest = state.heard - window_frames
    rows = min(max(state.forgotten - oldest, 0), window_frames) * ROWS_PER_FRAME
    return np.concatenate([np.full_like(state.features[:rows], SILENCE), state.features[rows:]])


def _limit(motion: MotionWindow) -> MotionWindow:
    """Keep frames inside their channels' ranges, float32[frames, CHANNELS]."""
    limited = motion.copy()
    for channels, lowest, highest in _RANGES:
        limited[:, channels] = motion[:, channels].clip(lowest, highest)
    return limited
