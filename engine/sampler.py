"""Motion from speech by diffusion over a sliding window: brows, eyes, cheeks and head.

Each window holds frames already shown (given clean; by default none), then the frames to be made: `hop` to
show and `look_ahead` that only say where the motion is going. K steps of DDIM (Song et al. 2021) lead from
noise to motion; the net predicts the clean motion, not the noise (Ramesh et al. 2022, section 2.2; Ma et al.
2023, DreamTalk). The style is strengthened by classifier-free guidance (Ho and Salimans 2022).

The start noise belongs to the absolute frame, so that a frame seen by several windows starts from the same
noise in each, and it changes smoothly from frame to frame. Fresh noise for every window, or for every frame,
makes few-step motion tremble; smooth noise goes where chance belongs, into what the head does next.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import pairwise
from math import exp, sqrt
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.engine.chance import Purpose, smooth_noise
from mien.engine.config import MotionConfig
from mien.engine.emotion import EMOTION_SLICE, HIGHEST_INTENSITY, StyleVector
from mien.engine.features import AudioFeatures
from mien.engine.graph import ASSETS, GraphCard, open_graph
from mien.engine.motion import CHANNEL_NAMES, CHANNELS, MotionWindow

Tensor = NDArray[np.float32]

SAMPLED_NAMES: Final = ("brow", "cheek", "noseSneer", "eyeSquint", "eyeWide", "head")
SAMPLED_INDEX: Final = np.array(
    [index for index, name in enumerate(CHANNEL_NAMES) if name.startswith(SAMPLED_NAMES)]
)
"""The sampler's own channels. Lids and gaze are the idle life's, the mouth is the lip refiner's."""

NOISE_KNOTS: Final = ((8.0, 0.6), (3.0, 0.4))
"""Frames from knot to knot of the start noise's two parts, and each one's share of its variance.

320 ms and 120 ms: together about the spectrum of a seated talker's head (GRID), three quarters below 1 Hz.
"""

BROW_NOISE: Final = 1.6
"""How much more noise the brows start from than the rest.

Few steps keep what moves all the time and lose what happens now and then. In four steps from equal noise the
inner brows' deviation was .013 where their training had .051; from this much it is .038.
"""

_CHANNEL_NOISE: Final = np.array([BROW_NOISE if name.startswith("brow") else 1.0 for name in CHANNEL_NAMES])

SEAM_RATE: Final = 0.25
"""How fast a seam is closed, a frame: nine tenths of the difference are gone after 15 frames."""

_RUN_OUT: Final = 0.8
"""Share of its speed that a movement keeps from frame to frame when the sound breaks off."""


class Denoiser(Protocol):
    """Predicts clean motion from noisy motion and speech. Motion is normalised: (motion - mean) / std."""

    @property
    def card(self) -> GraphCard:
        """Length of the window, mean and std."""

    def encode(self, features: AudioFeatures) -> Tensor:
        """Read the speech of B windows: float32[B, 4 * W, BINS] -> tokens float32[B, W, D]."""

    def denoise(
        self,
        *,
        noisy: Tensor,
        shown: Tensor,
        tokens: Tensor,
        style: Tensor,
        style_known: Tensor,
        alpha: Tensor,
    ) -> Tensor:
        """Predict the clean motion of the last F <= W frames of B windows, float32[B, F, CHANNELS].

        noisy: float32[B, F, CHANNELS], shown frames clean; shown: float32[B, F], 1 for a frame already
        shown, 0 for one to be made; tokens: float32[B, F, D]; style: float32[B, STYLE_SIZE]; style_known:
        float32[B], 0 to predict for no emotion in particular; alpha: float32[B], the share of signal in
        `noisy`.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Seam:
    """Leads from the motion of one window to that of the next, which hears more and so differs a little.

    What is left of the difference is a critically damped spring on its way to rest: neither the motion nor
    its speed jumps.
    """

    offset: Tensor
    """What is added to the next frame, float32[CHANNELS]."""

    velocity: Tensor
    """Its change in a frame, float32[CHANNELS]."""

    @classmethod
    def closed(cls) -> "Seam":
        """Return a seam of which nothing is left."""
        return cls(np.zeros(CHANNELS, np.float32), np.zeros(CHANNELS, np.float32))

    @classmethod
    def between(cls, ahead: Tensor, window: Tensor) -> "Seam":
        """Join two frames that were to come, float32[2, CHANNELS], with those that come, [F, CHANNELS]."""
        second = min(1, len(window) - 1)
        first_off, second_off = ahead[0] - window[0], ahead[1] - window[second]
        rate = np.float32(SEAM_RATE)
        return cls(first_off, np.exp(rate) * second_off - (1 + rate) * first_off)

    def after(self, frames: int) -> "Seam":
        """Return the seam as it stands so many frames later."""
        rate, fading = np.float32(SEAM_RATE), np.float32(exp(-SEAM_RATE * frames))
        push = self.velocity + rate * self.offset
        offset: Tensor = (self.offset + push * frames).astype(np.float32)
        return Seam(offset * fading, (push - rate * offset) * fading)

    def offsets(self, frames: int) -> Tensor:
        """Return what is added to the next frames, float32[frames, CHANNELS]."""
        return np.stack([self.after(frame).offset for frame in range(frames)])


@dataclass(frozen=True, slots=True, eq=False)
class SamplerState:
    """All that one window hands to the next. Nothing else is remembered anywhere."""

    history: Tensor
    """The frames before the window, oldest first: float32[history_frames or 2, CHANNELS]."""

    frame: int
    """Index of the next frame to make, and the number of frames made."""

    seed: int
    """Noise depends on (seed, absolute frame) alone, so a replay is exact."""

    seam: Seam
    """What is left of the last seam."""

    ahead: Tensor | None = None
    """Where the motion was going: the next two frames as they stood, float32[2, CHANNELS].

    None with a hop of one frame, whose windows hardly differ.
    """


@dataclass(frozen=True, slots=True, eq=False)
class WindowRequest:
    """What the next frames of one stream are made from."""

    features: AudioFeatures
    """float32[4 * W, BINS]: the window's speech, to `look_ahead_frames` after the frames to make."""

    style: StyleVector
    state: SamplerState


def start_sampler(config: MotionConfig, seed: int) -> SamplerState:
    """Return the state before the first frame: the photo's own pose, for as long as one looks back."""
    history = np.zeros((max(config.history_frames, 2), CHANNELS), np.float32)
    return SamplerState(history, 0, seed, Seam.closed())


def bridge_break(state: SamplerState) -> SamplerState:
    """Return the state for sound that does not go on from what was heard.

    The motion first continues as it was going, and eases over to what the new sound asks for.
    """
    return replace(state, ahead=_run_on(state.history)) if state.frame else state


def _run_on(history: Tensor) -> Tensor:
    """Return the two frames that motion runs on to by itself, float32[2, CHANNELS]."""
    velocity = history[-1] - history[-2]
    travelled = np.array([[_RUN_OUT], [_RUN_OUT + _RUN_OUT**2]], np.float32)
    onward: Tensor = history[-1] + travelled * velocity
    return onward


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
    """Make the next frames of one stream: `sample_windows` of a single request."""
    (made,) = sample_windows(denoiser, [WindowRequest(features, style, state)], config=config, frames=frames)
    return made


def sample_windows(
    denoiser: Denoiser, requests: Sequence[WindowRequest], *, config: MotionConfig, frames: int
) -> list[tuple[MotionWindow, SamplerState]]:
    """Make the next frames of several streams in one run of the net.

    frames: how many to make, at most what the window has room for. Returns for each stream its motion,
    float32[frames, CHANNELS] in its own units, not clipped and zero beside SAMPLED_INDEX, and the state for
    its next call; the requests' states are untouched.
    """
    card = denoiser.card
    unknown = frames + config.look_ahead_frames
    given = min(config.history_frames, card.window_frames - unknown)
    window = np.zeros((len(requests), given + unknown, CHANNELS), np.float32)
    motion = np.zeros((len(requests), unknown, CHANNELS), np.float32)
    for row, request in enumerate(requests):
        history = request.state.history
        window[row, :given] = (history[len(history) - given :] - card.mean) / card.std
        noise = start_noise(request.state.seed, request.state.frame, unknown)
        motion[row] = config.start_noise * _CHANNEL_NOISE * noise
    predict = _guide(denoiser, requests, given, unknown, config.guidance_scale)
    for alpha, alpha_next in pairwise(signal_shares(config.steps)):
        window[:, given:] = motion
        motion = ddim_step(motion, predict(window, alpha)[:, given:], alpha, alpha_next)
    windows = np.zeros_like(motion)
    windows[..., SAMPLED_INDEX] = (motion * card.std + card.mean)[..., SAMPLED_INDEX]
    return [_hand_over(request.state, made, frames) for request, made in zip(requests, windows, strict=True)]


def _hand_over(state: SamplerState, window: Tensor, frames: int) -> tuple[MotionWindow, SamplerState]:
    """Join a window to what was shown before it; return the frames to show and the state after them."""
    seam = state.seam if state.ahead is None else Seam.between(state.ahead, window)
    window = window + seam.offsets(len(window))
    shown, ahead = window[:frames], window[frames : frames + 2]
    history = np.concatenate([state.history, shown])[frames:]
    following = SamplerState(history, state.frame + frames, state.seed, seam.after(frames))
    if frames > 1:
        return shown, replace(following, ahead=ahead if len(ahead) == 2 else _run_on(history))
    return shown, following


def guidance_for(style: StyleVector, scale: float) -> float:
    """Return the guidance scale for a style, float32[STYLE_SIZE]: 1 for none, `scale` from intensity 1 on.

    A neutral face has no style to strengthen; leaving the guidance off there halves the denoiser's work.
    Between, the scale follows the intensity, so that a live change of style has no step in it.
    """
    intensity = HIGHEST_INTENSITY * float(np.max(style[EMOTION_SLICE]))
    return 1.0 + (scale - 1.0) * min(intensity, 1.0)


def start_noise(seed: int, first: int, frames: int) -> Tensor:
    """Return noise of variance 1 for frames first, first + 1, ...: float32[frames, CHANNELS]."""
    return np.stack([_noise_of(seed, frame) for frame in range(first, first + frames)])


@lru_cache(maxsize=256)
def _noise_of(seed: int, frame: int) -> Tensor:
    """Return one frame's noise; several windows in a row ask for it."""
    parts = [
        sqrt(share) * smooth_noise(seed, purpose, frame=frame, period=period, channels=CHANNELS)
        for purpose, (period, share) in zip(_NOISE_PURPOSES, NOISE_KNOTS, strict=True)
    ]
    noise: Tensor = np.sum(parts, axis=0).astype(np.float32)
    return noise


_NOISE_PURPOSES: Final = (Purpose.START_NOISE, Purpose.QUICK_START_NOISE)


def _root(share: float) -> np.float32:
    return np.float32(sqrt(share))


def _guide(
    denoiser: Denoiser, requests: Sequence[WindowRequest], given: int, unknown: int, scale: float
) -> Callable[[Tensor, float], Tensor]:
    """Return the prediction (windows, alpha) -> clean under guidance: Ho and Salimans 2022, equation 6.

    Written as without + scale * (with - without), so a scale of 1 is the styled prediction alone; only the
    windows under another scale are run a second time, in the same batch.
    """
    scales = np.array([guidance_for(request.style, scale) for request in requests], np.float32)
    guided = np.flatnonzero(scales != 1.0)
    rows = np.concatenate([np.arange(len(requests)), guided])
    style_known = np.repeat(np.array([1.0, 0.0], np.float32), [len(requests), len(guided)])
    tokens = denoiser.encode(np.stack([request.features for request in requests]))
    heard = tokens[:, tokens.shape[1] - given - unknown :][rows]
    styles = np.stack([request.style for request in requests])[rows]
    shown = np.zeros((len(rows), given + unknown), np.float32)
    shown[:, :given] = 1.0

    def predict(windows: Tensor, alpha: float) -> Tensor:
        clean = denoiser.denoise(
            noisy=windows[rows],
            shown=shown,
            tokens=heard,
            style=styles,
            style_known=style_known,
            alpha=np.full(len(rows), alpha, np.float32),
        )
        styled, plain = clean[: len(requests)], clean[len(requests) :]
        styled[guided] = plain + scales[guided, None, None] * (styled[guided] - plain)
        return styled

    return predict


class OnnxDenoiser:
    """The trained net: `motion_encoder.onnx` and `motion_denoiser.onnx` of one folder."""

    def __init__(self, folder: Path) -> None:
        """Open both files. Raises AssetError where one is missing, damaged or foreign."""
        self._encoder = open_graph(folder / "motion_encoder.onnx")
        self._encoder.check_names({"features"}, {"tokens"})
        self._denoiser = open_graph(folder / "motion_denoiser.onnx")
        self._denoiser.check_names({"noisy", "shown", "tokens", "style", "style_known", "alpha"}, {"clean"})

    @property
    def card(self) -> GraphCard:
        """Length of the window, mean and std."""
        return self._denoiser.card

    def encode(self, features: AudioFeatures) -> Tensor:
        """Read the speech of B windows: float32[B, 4 * W, BINS] -> tokens float32[B, W, D]."""
        return self._encoder.run("tokens", {"features": features})

    def denoise(
        self,
        *,
        noisy: Tensor,
        shown: Tensor,
        tokens: Tensor,
        style: Tensor,
        style_known: Tensor,
        alpha: Tensor,
    ) -> Tensor:
        """Predict the clean motion of B windows' last frames: see Denoiser."""
        return self._denoiser.run(
            "clean",
            {
                "noisy": noisy,
                "shown": shown,
                "tokens": tokens,
                "style": style,
                "style_known": style_known,
                "alpha": alpha,
            },
        )


@cache
def load_denoiser(folder: Path = ASSETS) -> OnnxDenoiser:
    """Open the trained net once a process. Raises AssetError where it is missing or damaged."""
    return OnnxDenoiser(folder)
