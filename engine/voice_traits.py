"""What can be heard of a feeling in a stretch of speech: pitch, loudness, pace and colour of the voice.

All of it is relative to the stretch's own level, so that the gain of a microphone does not count.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.engine.features import BINS, Pcm, log_mel_whole
from mien.engine.timebase import SAMPLE_RATE

ROW_RATE: Final = 100
"""Rows a second."""

LOWEST_PITCH: Final = 65.0
HIGHEST_PITCH: Final = 520.0
"""Hz."""

LEAST_SPEECH_S: Final = 0.6
"""Shorter stretches of speech tell nothing."""

TRAITS: Final[tuple[str, ...]] = (
    *(f"band {band} mean" for band in range(16)),
    *(f"band {band} spread" for band in range(16)),
    *(f"band {band} movement" for band in range(0, 16, 4)),
    *(f"level {name}" for name in ("spread", "range", "movement", "peaks a second")),
    "share of speech",
    *(f"spectral centre {name}" for name in ("mean", "spread")),
    "share voiced",
    *(f"periodicity {name}" for name in ("mean", "spread")),
    *(f"pitch {name}" for name in ("median", "low", "high", "spread", "movement", "rise")),
)
"""The names of the traits, in order."""

Traits = NDArray[np.float32]
"""float32[len(TRAITS)]."""

_AUDIBLE: Final = -0.35
"""Level of the loudest rows under which there is no speech: about -74 dB a bin."""

_BELOW_PEAK: Final = 1.2
"""Rows more than this under the loudest, 30 dB, are pauses."""

_WINDOW: Final = 640
_HOP: Final = SAMPLE_RATE // ROW_RATE
_TRANSFORM: Final = 1024
"""Long enough that the lags of the lowest pitch do not wrap round."""

_VOICED: Final = 0.45
"""Normalised autocorrelation from which a row has a pitch."""


def hear_traits(pcm: Pcm) -> Traits | None:
    """Return the traits of a stretch of speech, float32[n] at 16 kHz, some 1 to 3 s; None if nobody spoke."""
    rows = log_mel_whole(pcm)[: len(pcm) // _HOP]
    if len(rows) < LEAST_SPEECH_S * ROW_RATE:
        return None
    level = rows.mean(axis=1)
    peak = float(np.percentile(level, 95))
    speech = level > peak - _BELOW_PEAK
    if peak < _AUDIBLE or speech.sum() < LEAST_SPEECH_S * ROW_RATE:
        return None
    traits = np.concatenate([_colour(rows, level, speech), _loudness(level, speech), _centre(rows, speech)])
    return np.concatenate([traits, _pitch(pcm, speech)]).astype(np.float32)


def _colour(rows: NDArray[np.float32], level: NDArray[np.float32], speech: NDArray[np.bool_]) -> Traits:
    bands = (rows - level[:, None]).reshape(len(rows), 16, BINS // 16).mean(axis=2)
    spoken = bands[speech]
    movement = np.abs(np.diff(bands, axis=0))[speech[1:]].mean(axis=0)
    return np.concatenate([spoken.mean(axis=0), spoken.std(axis=0), movement[::4]])


def _loudness(level: NDArray[np.float32], speech: NDArray[np.bool_]) -> Traits:
    smooth = np.convolve(np.pad(level, 3, mode="edge"), np.ones(7) / 7, "valid")
    peaks = (smooth[1:-1] > smooth[:-2]) & (smooth[1:-1] >= smooth[2:]) & speech[1:-1]
    low, high = np.percentile(level[speech], (10, 90))
    return np.array(
        [
            level[speech].std(),
            high - low,
            np.abs(np.diff(level))[speech[1:]].mean(),
            peaks.sum() * ROW_RATE / speech.sum() / 10.0,
            speech.mean(),
        ],
        np.float32,
    )


def _centre(rows: NDArray[np.float32], speech: NDArray[np.bool_]) -> Traits:
    weight = np.exp(2.0 * rows[speech])
    centre = (weight * np.linspace(0.0, 1.0, BINS)).sum(axis=1) / weight.sum(axis=1)
    return np.array([centre.mean(), centre.std()], np.float32)


def _pitch(pcm: Pcm, speech: NDArray[np.bool_]) -> Traits:
    """Return how much is voiced, how clearly, and in which octaves over 100 Hz."""
    octaves, clarity = follow_pitch(pcm)
    count = min(len(octaves), len(speech))
    octaves, clarity, speech = octaves[:count], clarity[:count], speech[:count]
    voiced = speech & (clarity > _VOICED)
    if voiced.sum() < 8:
        return np.array([voiced.sum() / max(speech.sum(), 1), 0, 0, 1, 1, 1, 0, 0, 0], np.float32)
    heard = octaves[voiced]
    low, middle, high = np.percentile(heard, (10, 50, 90))
    both = voiced[1:] & voiced[:-1]
    steps = np.diff(octaves)[both]
    steps = steps[np.abs(steps) < 0.3]  # a longer step is a mistaken octave
    half = len(heard) // 2
    return np.array(
        [
            voiced.sum() / speech.sum(),
            clarity[voiced].mean(),
            clarity[voiced].std(),
            middle,
            low,
            high,
            heard.std(),
            10.0 * np.abs(steps).mean() if len(steps) else 0.0,
            heard[half:].mean() - heard[:half].mean(),
        ],
        np.float32,
    )


def follow_pitch(pcm: Pcm) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return pitch and how clear it is, a row each 10 ms: octaves over 100 Hz, and 0..1.

    The highest peak of the autocorrelation of 40 ms, made fair to long lags by the window's own
    autocorrelation (Boersma 1993, equation 9), short lags slightly preferred.
    """
    padded = np.concatenate([np.zeros(_WINDOW - _HOP, np.float32), pcm])
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    window = np.hanning(_WINDOW).astype(np.float32)
    frames = (frames - frames.mean(axis=1, keepdims=True)) * window
    shortest, longest = int(SAMPLE_RATE / HIGHEST_PITCH), int(SAMPLE_RATE / LOWEST_PITCH)
    own = _autocorrelation(window[None])[0]
    correlation = _autocorrelation(frames)
    energy = np.maximum(correlation[:, :1], 1e-9)
    lags = np.arange(shortest, longest + 1)
    fair = correlation[:, lags] / energy / (own[lags] / own[0])
    best = (fair - 0.02 * np.log2(lags / shortest)).argmax(axis=1)
    clarity = fair[np.arange(len(best)), best].clip(0.0, 1.0)
    return np.log2(SAMPLE_RATE / lags[best] / 100.0).astype(np.float32), clarity.astype(np.float32)


def _autocorrelation(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    spectrum = np.fft.rfft(frames, _TRANSFORM, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    return np.fft.irfft(power, axis=1)[:, : _TRANSFORM - _WINDOW].astype(np.float32)
