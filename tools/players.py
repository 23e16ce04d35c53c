"""Everything that can move a mouth from a recording, all answering with a Mouth.

Ours runs the exported nets through mien.engine.performer as a live stream, 20 ms of sound at a time. Where
many settings are compared, the performer's mouth alone runs, checked to be the same; what it lacks is the
sampler's sneer, which parts a neutral face's lips by a few hundredths of their gap. Our lips are a plain
regressor's; the sampler makes no mouth. Baselines: a jaw that follows the sound's envelope, and a viseme
player that is told every phoneme and its time. Open packages are in open_packages.py.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np
from articulation import (
    ALIASES,
    CLOSURES,
    DIPHTHONGS,
    LIP_TEETH,
    LIP_TEETH_GAP,
    PLACE,
    STEP_S,
    VISEMES,
    Phone,
)
from augmentation import Sound, set_level
from build_motion_data import to_mouth
from lip_gap import FULL_GAP, close_lips
from lip_measures import Track
from numpy.typing import NDArray
from recordings import Recording
from scipy.ndimage import uniform_filter1d

from mien.engine.config import MotionConfig
from mien.engine.emotion import Style, StyleVector
from mien.engine.features import ROWS_PER_FRAME, AudioFeatures, log_mel_whole, silent_features
from mien.engine.graph import GraphCard
from mien.engine.head import mouth_opening
from mien.engine.idle import idle_motion, start_idle
from mien.engine.lips import MOUTH_INDEX, OnnxLipRefiner, refine_lips, start_lips
from mien.engine.motion import CHANNELS, INDEX, neutral_motion
from mien.engine.performer import Performer
from mien.engine.sampler import OnnxDenoiser
from mien.engine.timebase import FRAME_RATE, SAMPLE_RATE, SAMPLES_PER_FRAME

CHUNK: Final = 320
"""Samples in a push: 20 ms, as WebRTC delivers."""

CHECKED_S: Final = 3
LARGEST_DIFFERENCE: Final = 1e-3
"""Between the performer's mouth and the mouth alone, in ARKit's weights."""

CROSSFADE_S: Final = 0.08
"""How long the viseme player takes from pose to pose."""

Motion = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Mouth:
    """What is measured of a mouth, each float64[frames], in any unit."""

    jaw: Track
    gap: Track
    rounding: Track
    lip_teeth: Track
    motion: Motion | None = None
    """float32[frames, CHANNELS], where the mouth has ARKit's shapes."""


def mouth_of(motion: Motion) -> Mouth:
    """Read a mouth off ARKit's shapes; the gap is the head model's, in the unit of the truth's."""

    def total(*names: str) -> Track:
        return motion[:, [INDEX[name] for name in names]].sum(axis=1).astype(np.float64)

    return Mouth(
        jaw=total("jawOpen"),
        gap=mouth_opening(motion).astype(np.float64) / FULL_GAP,
        rounding=total("mouthPucker", "mouthFunnel"),
        lip_teeth=total("mouthRollLower", "mouthShrugLower"),
        motion=motion,
    )


class StillDenoiser:
    """Predicts a face that does nothing."""

    def __init__(self, card: GraphCard) -> None:
        self.card = card

    def encode(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Hear nothing."""
        return np.zeros((self.card.window_frames, 1), np.float32)

    def denoise(self, *, noisy: NDArray[np.float32], **_: NDArray[np.float32]) -> NDArray[np.float32]:
        """Predict motion of zero."""
        return np.broadcast_to(-self.card.mean / self.card.std, noisy.shape).astype(np.float32)


class RememberingRefiner:
    """The lip refiner, run once on each window: settings that differ in delay ask for the same windows."""

    def __init__(self, refiner: OnnxLipRefiner) -> None:
        self._refiner = refiner
        self._known: dict[bytes, NDArray[np.float32]] = {}

    @property
    def window_frames(self) -> int:
        """Frames in one window."""
        return self._refiner.window_frames

    def articulate(self, features: AudioFeatures, style: StyleVector) -> NDArray[np.float32]:
        """Return the mouth of a window, float32[W, 28]."""
        key = blake2b(features.tobytes() + style.tobytes(), digest_size=16).digest()
        if key not in self._known:
            self._known[key] = self._refiner.articulate(features, style)
        return self._known[key]


class Player:
    """Runs recordings through the nets of a folder as live streams."""

    def __init__(self, nets: Path) -> None:
        self.lips, self.denoiser = OnnxLipRefiner(nets), OnnxDenoiser(nets)
        self._refiner = RememberingRefiner(self.lips)
        self._checked = False

    def play(self, sound: Sound, *, config: MotionConfig | None = None, style: Style | None = None) -> Motion:
        """Return a recording's whole motion, float32[frames, CHANNELS]."""
        return self._stream(
            sound, Performer(config, denoiser=self.denoiser, lip_refiner=self._refiner), style
        )

    def cost_ms(self, sound: Sound, config: MotionConfig) -> float:
        """Return the milliseconds of one core that a frame of the whole engine takes."""
        performer = Performer(config, denoiser=self.denoiser, lip_refiner=self.lips)
        began = time.thread_time()
        motion = self._stream(sound, performer, None)
        return 1000 * (time.thread_time() - began) / len(motion)

    @staticmethod
    def _stream(sound: Sound, performer: Performer, style: Style | None) -> Motion:
        if style:
            performer.set_style(style)
        made = [performer.push(sound[start : start + CHUNK]) for start in range(0, len(sound), CHUNK)]
        return np.concatenate([*made, performer.flush()])

    def speak(self, sound: Sound, config: MotionConfig) -> Motion:
        """Return the performer's mouth in a neutral style, with idle life, without the sampler.

        The same windows, the same refiner, the same gate of silence, hop by hop.
        """
        window, ahead = self.lips.window_frames, config.look_ahead_frames
        frames = -(-len(sound) // SAMPLES_PER_FRAME)
        after = np.zeros(frames * SAMPLES_PER_FRAME - len(sound) + ahead * SAMPLES_PER_FRAME, np.float32)
        heard = np.concatenate([silent_features(window), log_mel_whole(np.concatenate([sound, after]))])
        state, idle, made = start_lips(), start_idle(0), [neutral_motion(0)]
        for first in range(0, frames, config.hop_frames):
            count = min(config.hop_frames, frames - first)
            end = (window + first + count + ahead) * ROWS_PER_FRAME
            face, idle = idle_motion(count, idle)
            part, state = refine_lips(
                self._refiner,
                heard[end - window * ROWS_PER_FRAME : end],
                Style().vector(),
                state,
                face=face,
                look_ahead=ahead,
                mouth_gain=1.0,
            )
            made.append(part)
        return np.concatenate(made)

    def mouths(self, sounds: Sequence[Sound], config: MotionConfig | None = None) -> list[Mouth]:
        """Return the mouths of many recordings, once it is sure that they are the performer's."""
        config = config or MotionConfig()
        if not self._checked:
            self._check(sounds[0][: CHECKED_S * SAMPLE_RATE])
        return [mouth_of(self.speak(sound, config)) for sound in sounds]

    def _check(self, sound: Sound) -> None:
        """Raise ValueError unless `speak` makes the mouth that a live stream makes of a still face."""
        still = StillDenoiser(self.denoiser.card)
        for config in (MotionConfig(), MotionConfig(hop_frames=3, look_ahead_frames=1)):
            performer = Performer(config, denoiser=still, lip_refiner=self._refiner)
            apart = self._stream(sound, performer, None) - self.speak(sound, config)
            if np.abs(apart[:, MOUTH_INDEX]).max() > LARGEST_DIFFERENCE:
                raise ValueError("the mouth alone is not the performer's")
        self._checked = True


# Baselines


def envelope(sound: Sound, frames: int) -> Track:
    """Return the RMS of each video frame's sound at a common level of speech, smoothed over three frames."""
    sound = set_level(sound, -24)
    padded = np.zeros(frames * SAMPLES_PER_FRAME)
    padded[: min(len(sound), len(padded))] = sound[: len(padded)]
    rms = np.sqrt((padded.reshape(frames, -1) ** 2).mean(axis=1))
    return np.convolve(rms, np.ones(3) / 3, "same")


def loudness_jaw(recording: Recording) -> Mouth:
    """Return a jaw as open as the sound is loud: the envelope to the power of 0.6, after Stevens' law."""
    jaw = envelope(recording.sound, recording.frames) ** 0.6
    return Mouth(jaw, jaw, np.zeros_like(jaw), np.zeros_like(jaw))


def viseme_player(recording: Recording, targets: Track) -> Mouth:
    """Return the mouth of a viseme table: each phoneme's pose while it lasts, and a crossfade between.

    It is told the true phonemes and times, as no live system is. The poses are those fitted to GRID.
    """
    steps = int(recording.frames / FRAME_RATE / STEP_S)
    curves = np.zeros((steps, targets.shape[1]))
    for phone in recording.phones:
        for symbol, start, end in _poses(phone):
            pose = targets[list(VISEMES).index(ALIASES.get(symbol, symbol))].copy()
            if symbol in CLOSURES:
                pose[PLACE["gap"]] = 0.0
            elif symbol in LIP_TEETH:
                pose[PLACE["gap"]] = LIP_TEETH_GAP
            curves[round(start / STEP_S) : round(end / STEP_S)] = pose
    smooth = uniform_filter1d(curves, round(CROSSFADE_S / STEP_S), axis=0)
    at = ((np.arange(recording.frames) + 0.5) / FRAME_RATE / STEP_S).astype(int)
    return rigged_mouth(smooth[at.clip(0, steps - 1)])


def rigged_mouth(curves: Track) -> Mouth:
    """Return articulators, float64[frames, ARTICULATORS], as the head model shows them."""
    mouth = to_mouth(curves)
    motion = np.zeros((len(mouth), CHANNELS), np.float32)
    motion[:, MOUTH_INDEX] = close_lips(mouth, np.zeros(len(mouth), np.float32))
    return mouth_of(motion)


def filmed_mouth(recording: Recording) -> Mouth:
    """Return the filmed jaw, gap and narrowing played on the head model: as good as its few curves can be."""
    if recording.jaw is None or recording.gap is None or recording.rounding is None:
        raise ValueError(f"nobody filmed {recording.name}")
    curves = np.zeros((len(recording.jaw), len(PLACE)))
    for name, track in (("jaw", recording.jaw), ("gap", recording.gap), ("pucker", recording.rounding)):
        curves[:, PLACE[name]] = track
    return rigged_mouth(curves)


def _poses(phone: Phone) -> list[tuple[str, float, float]]:
    """Return the poses of a phoneme: two for a diphthong."""
    if phone.symbol not in DIPHTHONGS:
        return [(phone.symbol, phone.start, phone.end)]
    first, second = DIPHTHONGS[phone.symbol]
    half = (phone.start + phone.end) / 2
    return [(first, phone.start, half), (second, half, phone.end)]
