"""Spoil clean speech as rooms, microphones and connections do, so that any of them works.

Sound is float32[samples] at 16 kHz; features are a window's, float32[rows, 64] (mien.engine.features), and
what is done to them is cheap enough for every draw. All randomness comes from the generator passed in.
"""

from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, resample_poly, sosfilt

from mien.engine.features import BINS, HIGHEST_HZ, LOWEST_HZ
from mien.engine.timebase import SAMPLE_RATE

Sound = NDArray[np.float32]
Features = NDArray[np.float32]

SPEEDS: Final = (0.84, 0.88, 0.92, 0.96, 1.04, 1.08, 1.13, 1.18)


def read_sound(path: Path) -> Sound:
    """Read a recording as mono at 16 kHz."""
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = sound.mean(axis=1)
    return (mono if rate == SAMPLE_RATE else resample_poly(mono, SAMPLE_RATE, rate)).astype(np.float32)


def change_speed(sound: Sound, speed: float) -> Sound:
    """Play faster or slower, as a tape: pitch and formants move too, which makes another speaker."""
    return resample_poly(sound, 100, round(100 * speed)).astype(np.float32)


def set_level(sound: Sound, decibels: float) -> Sound:
    """Scale so that the louder half of the 40 ms frames has this RMS, in dB of full scale."""
    return sound * np.float32(10 ** (decibels / 20) / max(speech_rms(sound), 1e-5))


def speech_rms(sound: Sound) -> float:
    """Return the RMS of the louder half of a recording's 40 ms frames: pauses do not count."""
    frames = sound[: len(sound) // 640 * 640].reshape(-1, 640)
    if not len(frames):
        return 0.0
    power = np.sort((frames.astype(np.float64) ** 2).mean(axis=1))
    return float(np.sqrt(power[len(power) // 2 :].mean()))


def quiet_stretches(
    sound: Sound, *, below_db: float = 38.0, longest_stop_s: float = 0.16
) -> list[tuple[float, float]]:
    """Return where a clean recording is silent for longer than a stop consonant, (start, end) in seconds."""
    step = SAMPLE_RATE // 100
    blocks = sound[: len(sound) // step * step].reshape(-1, step).astype(np.float64)
    level = np.convolve((blocks**2).mean(axis=1), np.ones(3) / 3, "same")
    quiet = level < speech_rms(sound) ** 2 * 10 ** (-below_db / 10)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(int), [0]])))
    return [
        (begin / 100, finish / 100)
        for begin, finish in edges.reshape(-1, 2)
        if finish - begin > 100 * longest_stop_s
    ]


def coloured_noise(rng: np.random.Generator, samples: int, slope: float) -> Sound:
    """Return noise of RMS 1 whose power falls as frequency ** -slope: 0 white, 1 pink, 2 brown."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    hertz = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE)
    noise = np.fft.irfft(spectrum * np.maximum(hertz, 40.0) ** (-slope / 2), samples)
    return (noise / max(noise.std(), 1e-9)).astype(np.float32)


def background(rng: np.random.Generator, samples: int, others: list[Sound]) -> Sound:
    """Return what else is heard, RMS 1: noise, sometimes with mains hum, or several people talking."""
    if others and rng.random() < 0.2:
        babble = np.zeros(samples, np.float32)
        for _ in range(rng.integers(4, 8)):
            voice = others[rng.integers(len(others))]
            babble += np.resize(np.roll(voice, rng.integers(len(voice))), samples) / max(
                speech_rms(voice), 1e-4
            )
        return babble / np.float32(max(babble.std(), 1e-6))
    noise = coloured_noise(rng, samples, rng.uniform(0, 2))
    if rng.random() < 0.2:
        mains = rng.choice([50.0, 60.0]) * np.arange(samples) / SAMPLE_RATE
        noise += np.float32(rng.uniform(0.3, 1.5)) * sum(
            np.sin(2 * np.pi * harmonic * mains) / harmonic for harmonic in (1, 2, 3, 5)
        ).astype(np.float32)
    return noise / np.float32(noise.std())


def add_background(rng: np.random.Generator, sound: Sound, ratio_db: float, others: list[Sound]) -> Sound:
    """Add what else is heard, this far below the speech."""
    loudness = max(speech_rms(sound), 1e-4) * 10 ** (-ratio_db / 20)
    return sound + np.float32(loudness) * background(rng, len(sound), others)


def add_room(rng: np.random.Generator, sound: Sound) -> Sound:
    """Add a room: decaying noise after the direct sound, which keeps its time."""
    decay_s = rng.uniform(0.1, 0.6)
    length = int(decay_s * SAMPLE_RATE)
    seconds = np.arange(length) / SAMPLE_RATE
    tail = rng.standard_normal(length) * 10 ** (-3 * seconds / decay_s)
    tail[: int(rng.uniform(0.002, 0.012) * SAMPLE_RATE)] = 0
    tail *= 10 ** (-rng.uniform(2, 15) / 20) / np.sqrt((tail**2).sum())
    return sound + fftconvolve(sound, tail)[: len(sound)].astype(np.float32)


def equalise(rng: np.random.Generator, sound: Sound) -> Sound:
    """Tilt and ripple the spectrum smoothly, +-8 dB: another microphone."""
    spectrum = np.fft.rfft(sound)
    octave = np.log2(np.maximum(np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE), 50) / 50)
    ripple = np.interp(octave, np.linspace(0, 7.33, 7), rng.normal(0, 3.5, 7).clip(-8, 8))
    return np.fft.irfft(spectrum * 10 ** (ripple / 20), len(sound)).astype(np.float32)


def narrow(rng: np.random.Generator, sound: Sound) -> Sound:
    """Cut the band as a telephone, a cheap microphone or a low Opus rate does."""
    low, high = rng.choice([(300, 3400), (150, 3800), (100, 5500), (200, 6500)])
    return sosfilt(butter(3, (low, high), "bandpass", fs=SAMPLE_RATE, output="sos"), sound).astype(np.float32)


def spoil(rng: np.random.Generator, sound: Sound, others: list[Sound]) -> Sound:
    """Apply a random choice of the above; the time of things in the sound stays."""
    if rng.random() < 0.6:
        sound = equalise(rng, sound)
    if rng.random() < 0.4:
        sound = add_room(rng, sound)
    if rng.random() < 0.65:
        sound = add_background(rng, sound, rng.uniform(5, 35), others)
    if rng.random() < 0.2:
        sound = narrow(rng, sound)
    sound = set_level(sound, rng.uniform(-38, -12))
    return np.clip(sound, -1, 1).astype(np.float32)


def noise_alone(rng: np.random.Generator, samples: int) -> Sound:
    """Return sound without speech: silence, hiss, hum, knocks, breath, from inaudible to loud."""
    level = np.float32(10 ** (rng.uniform(-95, -28) / 20))
    sound = level * background(rng, samples, [])
    for _ in range(rng.poisson(samples / SAMPLE_RATE * 0.7)):
        length = int(rng.uniform(0.005, 0.05) * SAMPLE_RATE)
        start = rng.integers(0, max(1, samples - length))
        knock = coloured_noise(rng, length, rng.uniform(0, 2)) * np.exp(-np.linspace(0, 6, length))
        sound[start : start + length] += (10 ** (rng.uniform(-50, -18) / 20) * knock).astype(np.float32)
    if rng.random() < 0.3:
        length = min(samples, int(rng.uniform(0.4, 1.2) * SAMPLE_RATE))
        start = rng.integers(0, samples - length + 1)
        breath = coloured_noise(rng, length, 0.6) * np.sin(np.linspace(0, np.pi, length)) ** 2
        sound[start : start + length] += (10 ** (rng.uniform(-55, -35) / 20) * breath).astype(np.float32)
    return np.clip(sound, -1, 1)


def _mel_edges() -> tuple[Features, Features]:
    """Return the bins' centres in mel and in Hz."""
    low, high = (2595.0 * np.log10(1.0 + hz / 700.0) for hz in (LOWEST_HZ, HIGHEST_HZ))
    mel = np.linspace(low, high, BINS + 2)[1:-1]
    return mel, 700.0 * (10.0 ** (mel / 2595.0) - 1.0)


def warp_tract(rng: np.random.Generator, features: Features) -> Features:
    """Stretch the frequency axis, as a longer or shorter vocal tract does: formants and pitch move.

    Vocal tract length perturbation (Jaitly and Hinton 2013).
    """
    mel, hertz = _mel_edges()
    from_mel = 2595.0 * np.log10(1.0 + hertz * rng.uniform(0.86, 1.16) / 700.0)
    at = ((from_mel - mel[0]) / (mel[1] - mel[0])).clip(0, BINS - 1)
    low = np.minimum(at.astype(int), BINS - 2)
    share = (at - low).astype(np.float32)
    return (1 - share) * features[:, low] + share * features[:, low + 1]


def add_hiss(rng: np.random.Generator, features: Features) -> Features:
    """Add steady noise of some colour, 3 to 30 dB under the window's louder rows, in the domain of power.

    Noise fluctuates in each bin as the few spectral lines in it do: a chi-square of as many degrees.
    """
    mel, hertz = _mel_edges()
    width = 700.0 * (10.0 ** ((mel + 0.5 * (mel[1] - mel[0])) / 2595.0) - 1.0) - hertz
    power = 10.0 ** (2.5 * features)
    loud = np.quantile(power.sum(axis=1), 0.8)
    colour = width * np.maximum(hertz, 40.0) ** -rng.uniform(0, 2)
    degrees = np.maximum(2 * width / 31.25, 1.5)
    noise = colour / colour.sum() * rng.chisquare(degrees, features.shape) / degrees
    level = loud * 10.0 ** (-rng.uniform(3, 30) / 10)
    return (np.log10(power + level * noise) / 2.5).astype(np.float32)


def hide_parts(rng: np.random.Generator, features: Features) -> Features:
    """Take out a band or two, and sometimes up to 60 ms (SpecAugment, Park et al. 2019)."""
    hidden = features.copy()
    quiet = features.min(axis=0)
    for _ in range(rng.integers(1, 3)):
        width = int(rng.integers(2, 12))
        first = int(rng.integers(0, BINS - width))
        hidden[:, first : first + width] = quiet[first : first + width]
    if rng.random() < 0.4:
        rows = int(rng.integers(1, 7))
        first = int(rng.integers(0, len(features) - rows)) if len(features) > rows else 0
        hidden[first : first + rows] = quiet
    return hidden


def vary(rng: np.random.Generator, features: Features) -> Features:
    """Apply a random choice of the above to a window's features."""
    if rng.random() < 0.5:
        features = warp_tract(rng, features)
    if rng.random() < 0.3:
        features = add_hiss(rng, features)
    if rng.random() < 0.25:
        features = hide_parts(rng, features)
    return features
