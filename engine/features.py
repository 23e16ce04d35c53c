"""What the motion nets hear: log-mel energies of the speech, computed as it streams in.

Every row looks only back in time. Row i is the 25 ms that end at (i + 1) * 10 ms, so the four rows of video
frame k end at the very samples that frame k shows, and need nothing after them. Before the first sample
there was silence.

The scale is logarithmic and fixed, 25 dB a unit: -1 is digital silence (at or under -90 dB), 0 about the
mean of recorded speech (-65 dB in a bin), 2.6 a sine at full scale. Nothing adapts to the level of a
microphone: the nets are trained on many levels instead, because an adapting gain would need memory that a
window of features cannot show them.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.engine.timebase import SAMPLE_RATE, SAMPLES_PER_FRAME

BINS: Final = 64
"""Mel bins a row."""

ROWS_PER_FRAME: Final = 4
"""Rows of features for each frame of video: one each 10 ms."""

SILENCE: Final = -1.0
"""What every bin reads under digital silence."""

LOWEST_HZ: Final = 60.0
HIGHEST_HZ: Final = 7800.0

_FLOOR: Final = np.float32(10.0 ** (-90.0 / 10.0))
_CENTRE_DB: Final = np.float32(-65.0)
_UNIT_DB: Final = np.float32(25.0)
_HOP: Final = SAMPLES_PER_FRAME // ROWS_PER_FRAME
_WINDOW: Final = 400
_TRANSFORM: Final = 512
_HISTORY: Final = _WINDOW - _HOP

Pcm = NDArray[np.float32]
"""Speech at 16 kHz, mono, float32[samples], within -1..1."""

AudioFeatures = NDArray[np.float32]
"""float32[ROWS_PER_FRAME * frames, BINS], oldest row first."""


@dataclass(frozen=True, slots=True, eq=False)
class LogMelState:
    """The sound that features still to come will need: under 880 samples, however long the stream."""

    samples: Pcm = field(default_factory=lambda: np.zeros(_HISTORY, np.float32))
    """The 240 samples before the next frame, then those of it that have come: float32[240..879]."""


def log_mel(pcm: Pcm, state: LogMelState) -> tuple[AudioFeatures, LogMelState]:
    """Turn the speech that came into the features of the video frames it completes.

    pcm: float32[n] at 16 kHz, any n, 0 too. Returns float32[4 * frames, 64], where frames counts the whole
    video frames (640 samples) now heard and not yet returned, and the state for the next call; `state` is
    untouched. However a stream is cut, the rows are the same bit for bit. Samples past full scale are
    clipped. Raises ValueError for anything but one channel of float32, and for what is not a number.
    """
    if pcm.ndim != 1 or pcm.dtype != np.float32:
        raise ValueError(f"speech must be float32[samples], not {pcm.dtype}{list(pcm.shape)}")
    if not np.isfinite(pcm).all():
        raise ValueError("speech must be finite float32: one lost sample would stay in the motion for good")
    samples = np.concatenate([state.samples, pcm.clip(-1.0, 1.0)])
    frames = (len(samples) - _HISTORY) // SAMPLES_PER_FRAME
    features = np.empty((frames * ROWS_PER_FRAME, BINS), np.float32)
    for frame in range(frames):
        start = frame * SAMPLES_PER_FRAME
        features[frame * ROWS_PER_FRAME : (frame + 1) * ROWS_PER_FRAME] = _frame_rows(
            samples[start : start + _HISTORY + SAMPLES_PER_FRAME]
        )
    return features, LogMelState(samples[frames * SAMPLES_PER_FRAME :].copy())


def log_mel_whole(pcm: Pcm) -> AudioFeatures:
    """Return the features of a whole recording, float32[4 * frames, 64].

    The last frame, if the recording ends inside it, is filled up with silence, so frames is
    ceil(samples / 640). Equal to what `log_mel` gives as a stream.
    """
    missing = -len(pcm) % SAMPLES_PER_FRAME
    features, _ = log_mel(np.concatenate([pcm, np.zeros(missing, np.float32)]), LogMelState())
    return features


def silent_features(frames: int) -> AudioFeatures:
    """Return the features of digital silence, float32[4 * frames, 64]."""
    return np.full((frames * ROWS_PER_FRAME, BINS), SILENCE, np.float32)


def _frame_rows(samples: Pcm) -> AudioFeatures:
    """Return the four rows of one video frame from its samples and the 240 before: float32[880] -> [4, 64].

    Always these shapes: vector units and BLAS may round differently for others, and the stream's cuts
    would then show in the last bits.
    """
    windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP] * _window()
    spectrum = np.fft.rfft(windows, _TRANSFORM, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    energy = power.astype(np.float32) @ _filters()
    level = np.float32(10.0) * np.log10(energy + _FLOOR)
    features: AudioFeatures = (level - _CENTRE_DB) / _UNIT_DB
    return features


@cache
def _window() -> NDArray[np.float32]:
    """Return a periodic Hann window, scaled so that a full-scale sine on a bin has power 1 there."""
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(_WINDOW) / _WINDOW)
    return np.asarray(2.0 * window / window.sum(), np.float32)


@cache
def _filters() -> NDArray[np.float32]:
    """Return overlapping triangles, equal on the mel scale, float32[257, 64].

    Each weight is a triangle's mean over its FFT bin, not its value at the bin's centre: the lowest
    triangles are narrower than two bins, and would else hear little or nothing.
    """
    mel_edges = np.linspace(_mel(LOWEST_HZ), _mel(HIGHEST_HZ), BINS + 2)
    edges = 700.0 * (10.0 ** (mel_edges / 2595.0) - 1.0)
    left, peak, right = edges[:-2], edges[1:-1], edges[2:]
    bin_hz = SAMPLE_RATE / _TRANSFORM
    within = (np.arange(32) + 0.5) / 32.0 - 0.5
    hz = ((np.arange(_TRANSFORM // 2 + 1)[:, None] + within) * bin_hz)[..., None]
    triangles = np.minimum((hz - left) / (peak - left), (right - hz) / (right - peak)).clip(0.0)
    return np.ascontiguousarray(triangles.mean(axis=1), np.float32)


def _mel(hz: float) -> float:
    """Return the pitch in mel of a frequency in Hz: O'Shaughnessy 1987."""
    return float(2595.0 * np.log10(1.0 + hz / 700.0))
