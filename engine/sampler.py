"""Motion from speech by diffusion over a sliding window: brows, eyes, cheeks and head.

Each window holds frames already shown (given clean), then the frames to be made: `hop` to show and
`look_ahead` that are thrown away. K steps of DDIM (Song et al. 2021) lead from noise to motion; the net
predicts the clean motion, not the noise (Ramesh et al. 2022, section 2.2; Ma et al. 2023, DreamTalk). The
style is strengthened by classifier-free guidance (Ho and Salimans 2022).

The start noise belongs to the absolute frame, so that a frame seen by several windows starts from the same
noise in each, and it changes smoothly from frame to frame. Fresh noise for every window, or for every frame,
makes few-step motion tremble; smooth noise goes where chance belongs, into what the head does next.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.engine.chance import Purpose, smooth_noise
from mien.engine.config import MotionConfig
from mien.engine.emotion import EMOTION_SLICE, HIGHEST_INTENSITY, StyleVector
from mien.engine.features import AudioFeatures
from mien.engine.graph import ASSETS, GraphCard, open_graph
from mien.engine.motion import CHANNELS, MotionWindow

Tensor = NDArray[np.float32]

SHOWN, SAMPLED, ABSENT = 1.0, 0.0, -1.0
"""What a frame of the window is to the net: already shown and given, to be made, or not there."""

NOISE_PERIOD: Final = 10.0
"""Frames from knot to knot of the start noise: 400 ms, about a beat of speech."""

BRIDGE_FRAMES: Final = 10
"""Frames over which a break in the sound is eased: 400 ms, for brows and head only."""

_RUN_OUT: Final = 0.8
"""Share of its speed that a movement keeps from frame to frame when the sound breaks off."""


class Denoiser(Protocol):
    """Predicts clean motion from noisy motion and speech. Motion is normalised: (motion - mean) / std."""

    @property
    def card(self) -> GraphCard:
        """Length of the window, mean and std."""

    def encode(self, features: AudioFeatures) -> Tensor:
        """Read the speech of one window: float32[4 * W, BINS] -> tokens float32[W, D]."""

    def denoise(
        self,
        *,
        noisy: Tensor,
        known: Tensor,
        tokens: Tensor,
        style: Tensor,
        style_known: Tensor,
        alpha: Tensor,
    ) -> Tensor:
        """Predict the clean motion of B windows, float32[B, W, CHANNELS].

        noisy: float32[B, W, CHANNELS], shown frames clean, absent ones zero; known: float32[B, W] of
        SHOWN, SAMPLED, ABSENT; tokens: float32[B, W, D]; style: float32[B, STYLE_SIZE]; style_known:
        float32[B], 0 to predict for no emotion in particular; alpha: float32[B], the share of signal in
        `noisy`.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Bridge:
    """Leads from the motion before a break in the sound to the motion after it."""

    start: Tensor
    """The last frame before the break, normalised: float32[CHANNELS]."""

    velocity: Tensor
    """Its change in one frame, float32[CHANNELS]."""

    crossed: int = 0
    """Frames already made on it, up to BRIDGE_FRAMES."""

    def cross(self, motion: Tensor) -> tuple[Tensor, "Bridge | None"]:
        """Lead over to the next frames of motion, float32[frames, CHANNELS]; None comes back at the end.

        The old motion runs on and comes to rest, and the new one takes over from it.
        """
        frames = np.arange(self.crossed, self.crossed + len(motion))[:, None]
        travelled = (1.0 - _RUN_OUT ** (frames + 1)) * _RUN_OUT / (1.0 - _RUN_OUT)
        left = np.maximum(1.0 - frames / BRIDGE_FRAMES, 0.0)
        share = (left**2 * (3.0 - 2.0 * left)).astype(np.float32)
        running_on = self.start + travelled.astype(np.float32) * self.velocity
        crossed = self.crossed + len(motion)
        following = replace(self, crossed=crossed) if crossed < BRIDGE_FRAMES else None
        remainder: Tensor = running_on - motion
        return motion + share * remainder, following


@dataclass(frozen=True, slots=True, eq=False)
class SamplerState:
    """All that one window hands to the next. Nothing else is remembered anywhere."""

    history: Tensor
    """The frames before the window, oldest first, normalised: float32[history_frames, CHANNELS]."""

    frame: int
    """Index of the next frame to make, and the number of frames made."""

    seed: int
    """Noise depends on (seed, absolute frame) alone, so a replay is exact."""

    bridge: Bridge | None = None
    """The way over the last break in the sound, while it lasts."""


def start_sampler(config: MotionConfig, seed: int) -> SamplerState:
    """Return the state before the first frame."""
    return SamplerState(np.zeros((config.history_frames, CHANNELS), np.float32), 0, seed)


def bridge_break(state: SamplerState) -> SamplerState:
    """Return the state for sound that does not go on from what was heard.

    The motion first continues as it was going, and eases over to what the new sound asks for.
    """
    if not state.frame:
        return state
    recent = state.history[-min(state.frame, 2) :]
    return replace(state, bridge=Bridge(recent[-1], recent[-1] - recent[0]))


def signal_shares(steps: int) -> tuple[float, ...]:
    """Return the alphas of K steps, K + 1 shares of signal from exactly 0 to exactly 1.

    The cosine schedule of Nichol and Dhariwal 2021 (equation 17, without the offset), at even times.
    """
    times = np.linspace(1.0, 0.0, steps + 1)
    return (0.0, *(float(share) for share in np.cos(times[1:-1] * np.pi / 2) ** 2), 1.0)


def ddim_step(noisy: Tensor, clean: Tensor, alpha: float, alpha_next: float) -> Tensor:
    """Move one step along the deterministic path: Song et al. 2021, equation 12 with sigma = 0."""
    remainder: Tensor = noisy - _root(alpha) * clean
    noise = remainder / _root(1.0 - alpha)
    return _root(alpha_next) * clean + _root(1.0 - alpha_next) * noise


def sample_window(
    denoiser: Denoiser,
    features: AudioFeatures,
    style: StyleVector,
    state: SamplerState,
    *,
    config: MotionConfig,
    frames: int,
) -> tuple[MotionWindow, SamplerState]:
    """Make the next frames of motion.

    features: float32[4 * W, BINS], the speech of the window, which ends `config.look_ahead_frames` after
    the frames to make; style: float32[STYLE_SIZE]; frames: how many to make, at most what the window has
    room for.
    Returns motion float32[frames, CHANNELS] in its own units, not clipped, and the state for the next
    call; `state` is untouched.
    """
    card = denoiser.card
    unknown = frames + config.look_ahead_frames
    given = min(state.frame, len(state.history), card.window_frames - unknown)
    known = np.full(card.window_frames, ABSENT, np.float32)
    known[-unknown - given :] = SHOWN
    known[-unknown:] = SAMPLED
    window = np.zeros((card.window_frames, CHANNELS), np.float32)
    window[-unknown - given : -unknown] = state.history[len(state.history) - given :]

    scale = guidance_for(style, config.guidance_scale)
    predict = _guide(denoiser, denoiser.encode(features), known, style, scale)
    motion = np.float32(config.start_noise) * start_noise(state.seed, state.frame, unknown)
    for alpha, alpha_next in pairwise(signal_shares(config.steps)):
        window[-unknown:] = motion
        motion = ddim_step(motion, predict(window, alpha)[-unknown:], alpha, alpha_next)

    made, bridge = motion[:frames], None
    if state.bridge:
        made, bridge = state.bridge.cross(made)
    history = np.concatenate([state.history, made])[frames:]
    return made * card.std + card.mean, SamplerState(history, state.frame + frames, state.seed, bridge)


def guidance_for(style: StyleVector, scale: float) -> float:
    """Return the guidance scale for a style, float32[STYLE_SIZE]: 1 for none, `scale` from intensity 1 on.

    A neutral face has no style to strengthen; leaving the guidance off there halves the denoiser's work.
    Between, the scale follows the intensity, so that a live change of style has no step in it.
    """
    intensity = HIGHEST_INTENSITY * float(np.max(style[EMOTION_SLICE]))
    return 1.0 + (scale - 1.0) * min(intensity, 1.0)


def start_noise(seed: int, first: int, frames: int) -> Tensor:
    """Return noise of variance 1 for frames first, first + 1, ...: float32[frames, CHANNELS]."""
    rows = (
        smooth_noise(seed, Purpose.START_NOISE, frame=frame, period=NOISE_PERIOD, channels=CHANNELS)
        for frame in range(first, first + frames)
    )
    return np.stack(list(rows)).astype(np.float32)


def _root(share: float) -> np.float32:
    return np.float32(sqrt(share))


def _guide(
    denoiser: Denoiser, tokens: Tensor, known: Tensor, style: StyleVector, scale: float
) -> Callable[[Tensor, float], Tensor]:
    """Return the prediction (window, alpha) -> clean under guidance: Ho and Salimans 2022, equation 6.

    Written as without + scale * (with - without), so a scale of 1 is the styled prediction alone, which
    then runs alone; other scales run both in one batch.
    """
    style_known = np.array([1.0] if scale == 1.0 else [1.0, 0.0], np.float32)
    batch = len(style_known)
    tokens, styles = _repeat(tokens, batch), _repeat(style, batch)
    flags = _repeat(known, batch)

    def predict(window: Tensor, alpha: float) -> Tensor:
        clean = denoiser.denoise(
            noisy=_repeat(window, batch),
            known=flags,
            tokens=tokens,
            style=styles,
            style_known=style_known,
            alpha=np.full(batch, alpha, np.float32),
        )
        if batch == 1:
            alone: Tensor = clean[0]
            return alone
        styled, plain = clean
        guided: Tensor = plain + np.float32(scale) * (styled - plain)
        return guided

    return predict


def _repeat(array: Tensor, batch: int) -> Tensor:
    return np.repeat(array[None], batch, axis=0)


class OnnxDenoiser:
    """The trained net: `motion_encoder.onnx` and `motion_denoiser.onnx` of one folder."""

    def __init__(self, folder: Path) -> None:
        """Open both files. Raises AssetError where one is missing, damaged or foreign."""
        self._encoder = open_graph(folder / "motion_encoder.onnx")
        self._encoder.check_names({"features"}, {"tokens"})
        self._denoiser = open_graph(folder / "motion_denoiser.onnx")
        self._denoiser.check_names({"noisy", "known", "tokens", "style", "style_known", "alpha"}, {"clean"})
        self._style_size = self._denoiser.width_of("style")

    @property
    def card(self) -> GraphCard:
        """Length of the window, mean and std."""
        return self._denoiser.card

    def encode(self, features: AudioFeatures) -> Tensor:
        """Read the speech of one window: float32[4 * W, BINS] -> tokens float32[W, D]."""
        tokens: Tensor = self._encoder.run("tokens", {"features": features[None]})[0]
        return tokens

    def denoise(
        self,
        *,
        noisy: Tensor,
        known: Tensor,
        tokens: Tensor,
        style: Tensor,
        style_known: Tensor,
        alpha: Tensor,
    ) -> Tensor:
        """Predict the clean motion of B windows: see Denoiser."""
        return self._denoiser.run(
            "clean",
            {
                "noisy": noisy,
                "known": known,
                "tokens": tokens,
                # A net trained before the manner was part of a style takes the emotions alone.
                "style": style[:, : self._style_size],
                "style_known": style_known,
                "alpha": alpha,
            },
        )


@cache
def load_denoiser(folder: Path = ASSETS) -> OnnxDenoiser:
    """Open the trained net once a process. Raises AssetError where it is missing or damaged."""
    return OnnxDenoiser(folder)
