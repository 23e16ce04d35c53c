"""The performer with the nets that ship, on real speech."""

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from mien.engine.config import MotionConfig
from mien.engine.emotion import Emotion, Style
from mien.engine.head import mouth_opening
from mien.engine.motion import INDEX, ROTATION_SLICE
from mien.engine.performer import Performer
from mien.engine.timebase import SAMPLE_RATE, SAMPLES_PER_FRAME

JAW = INDEX["jawOpen"]


@pytest.fixture(scope="module")
def speech(shared_data: Path) -> np.ndarray:
    """Six seconds of a reader the nets were not trained on, float32 at 16 kHz."""
    path = sorted((shared_data / "speech" / "a2f_samples").rglob("*.flac"))[0]
    resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE)
    with av.open(str(path)) as container:
        blocks = [
            piece.to_ndarray()[0]
            for frame in container.decode(audio=0)
            for piece in resampler.resample(frame)
        ]
    return np.concatenate(blocks)[: 6 * SAMPLE_RATE].astype(np.float32)


@pytest.fixture(scope="module")
def motion(speech: np.ndarray) -> np.ndarray:
    performer = Performer(seed=1)
    return np.concatenate([performer.push(speech), performer.flush()])


@pytest.mark.shared
def test_the_mouth_opens_with_the_voice(speech: np.ndarray, motion: np.ndarray) -> None:
    blocks = speech[: len(speech) // SAMPLES_PER_FRAME * SAMPLES_PER_FRAME].reshape(-1, SAMPLES_PER_FRAME)
    loudness = np.log10(blocks.std(axis=1) + 1e-3)
    opening = mouth_opening(motion)[: len(loudness)]
    assert np.corrcoef(opening, loudness)[0, 1] > 0.4
    assert np.percentile(opening, 95) > 0.05
    assert (opening < 0.05 * np.percentile(opening, 95)).mean() > 0.03


@pytest.mark.shared
def test_cutting_the_sound_changes_no_bit(speech: np.ndarray, motion: np.ndarray) -> None:
    performer = Performer(seed=1)
    cuts = [0, *sorted(np.random.default_rng(2).integers(0, 2 * SAMPLE_RATE, 40)), 2 * SAMPLE_RATE]
    made = np.concatenate([performer.push(speech[start:stop]) for start, stop in pairwise(cuts)])
    np.testing.assert_array_equal(made, motion[: len(made)])


@pytest.mark.shared
def test_an_interruption_shuts_the_mouth_in_two_frames(speech: np.ndarray) -> None:
    open_frames = 0
    for moment in range(20_000, 60_000, 8_000):
        performer = Performer(MotionConfig(steps=1), seed=1)
        before = performer.push(speech[:moment])
        performer.interrupt()
        after = performer.push(np.zeros(10 * SAMPLES_PER_FRAME, np.float32))
        open_frames += int(mouth_opening(before[-1]) > 0.01)
        assert not mouth_opening(after[1:]).any()
        assert np.abs(np.diff(np.stack([before[-1], after[0]])[:, ROTATION_SLICE], axis=0)).max() < 0.02
    assert open_frames >= 2


@pytest.mark.shared
def test_gain_zero_says_nothing(speech: np.ndarray) -> None:
    performer = Performer(MotionConfig(steps=1), seed=1)
    performer.mouth_gain = 0.0
    assert not mouth_opening(performer.push(speech[: 2 * SAMPLE_RATE])).any()


def test_silence_is_closed_and_alive() -> None:
    performer = Performer(seed=1)
    motion = performer.push(np.zeros(8 * SAMPLE_RATE, np.float32))[50:]
    assert not mouth_opening(motion).any()
    assert motion[:, ROTATION_SLICE].std(axis=0).max() > np.radians(0.2)
    assert np.abs(np.diff(motion[:, ROTATION_SLICE], axis=0)).max() < np.radians(0.4)


def test_emotions_show_and_grow() -> None:
    brows = []
    for intensity in (0.0, 1.0, 3.0):
        performer = Performer(seed=1)
        performer.set_style(Style(Emotion.SURPRISED, intensity))
        motion = performer.push(np.zeros(3 * SAMPLE_RATE, np.float32))[40:]
        brows.append(float(motion[:, INDEX["browInnerUp"]].mean()))
    assert brows == sorted(brows)
    assert brows[2] > brows[0] + 0.3
