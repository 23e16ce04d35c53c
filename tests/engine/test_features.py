from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.engine.features import (
    BINS,
    ROWS_PER_FRAME,
    SILENCE,
    LogMelState,
    log_mel,
    log_mel_whole,
    silent_features,
)
from mien.engine.timebase import SAMPLE_RATE, SAMPLES_PER_FRAME


def sine(hz: float, seconds: float, level: float = 1.0) -> np.ndarray:
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (level * np.sin(2 * np.pi * hz * time)).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.integers(0, 9000), max_size=12), seed=st.integers(0, 99))
def test_any_cutting_gives_the_same_bits(cuts: list[int], seed: int) -> None:
    pcm = np.random.default_rng(seed).normal(0, 0.1, 9000).astype(np.float32)
    whole, last = log_mel(pcm, LogMelState())
    state = LogMelState()
    parts = []
    edges = [0, *sorted(cuts), len(pcm)]
    for start, stop in pairwise(edges):
        rows, state = log_mel(pcm[start:stop], state)
        parts.append(rows)
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(state.samples, last.samples)


def test_a_frame_comes_with_its_last_sample() -> None:
    rows, state = log_mel(np.zeros(SAMPLES_PER_FRAME - 1, np.float32), LogMelState())
    assert rows.shape == (0, BINS)
    rows, _ = log_mel(np.zeros(1, np.float32), state)
    assert rows.shape == (ROWS_PER_FRAME, BINS)


def test_features_look_only_back() -> None:
    pcm = np.random.default_rng(1).normal(0, 0.1, 10 * SAMPLES_PER_FRAME).astype(np.float32)
    changed = pcm.copy()
    changed[5 * SAMPLES_PER_FRAME :] = 0.5
    before, after = log_mel_whole(pcm), log_mel_whole(changed)
    np.testing.assert_array_equal(before[: 5 * ROWS_PER_FRAME], after[: 5 * ROWS_PER_FRAME])
    assert np.abs(before[5 * ROWS_PER_FRAME] - after[5 * ROWS_PER_FRAME]).max() > 0.1


def test_silence_reads_its_documented_value() -> None:
    np.testing.assert_allclose(log_mel_whole(np.zeros(4000, np.float32)), SILENCE, atol=1e-6)
    np.testing.assert_array_equal(silent_features(3), np.full((12, BINS), SILENCE, np.float32))


def test_scale_runs_from_silence_to_a_full_sine() -> None:
    loud = log_mel_whole(sine(1000, 0.5))[8:]
    assert 2.5 < loud.max() < 2.7
    quiet = log_mel_whole(sine(1000, 0.5, level=0.1))[8:]
    np.testing.assert_allclose(loud.max() - quiet.max(), 20 / 25, atol=1e-3)


def test_every_bin_hears_its_own_pitch_best() -> None:
    peaks = [int(log_mel_whole(sine(hz, 0.1))[8].argmax()) for hz in np.geomspace(100, 7500, 25)]
    assert peaks == sorted(peaks)
    assert peaks[0] <= 2
    assert peaks[-1] >= 61


def test_state_never_grows() -> None:
    state = LogMelState()
    sizes = set()
    for _ in range(500):
        _, state = log_mel(np.zeros(333, np.float32), state)
        sizes.add(len(state.samples))
    assert max(sizes) < 880


@pytest.mark.parametrize(
    "pcm", [np.zeros((4, 2), np.float32), np.zeros(8, np.float64), np.zeros(8, np.int16)]
)
def test_other_sound_is_refused(pcm: np.ndarray) -> None:
    with pytest.raises(ValueError, match="float32"):
        log_mel(pcm, LogMelState())


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        log_mel(np.array([0.0, np.nan], np.float32), LogMelState())


def test_sound_past_full_scale_is_clipped() -> None:
    loud = sine(300, 0.2, level=50.0)
    np.testing.assert_array_equal(log_mel_whole(loud), log_mel_whole(loud.clip(-1, 1)))


@pytest.mark.shared
def test_speech_lies_about_zero(shared_data: Path) -> None:
    av = pytest.importorskip("av")
    path = sorted((shared_data / "grid" / "audio").glob("*.flac"))[0]
    with av.open(str(path)) as container:
        blocks = [frame.to_ndarray() for frame in container.decode(audio=0)]
    pcm = np.concatenate(blocks, axis=1)[0]
    rows = log_mel_whole((pcm / np.iinfo(pcm.dtype).max).astype(np.float32))
    assert abs(rows.mean()) < 0.4
    assert 0.3 < rows.std() < 1.2
