from dataclasses import fields, is_dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stand_in_nets import LoudnessLips, SmearedDenoiser

from mien.engine.config import MotionConfig
from mien.engine.emotion import Emotion, Style, mix_styles
from mien.engine.errors import AssetError, ConfigError
from mien.engine.head import mouth_opening
from mien.engine.lips import MOUTH_INDEX, OPENING_NAMES
from mien.engine.motion import CHANNELS, GAZE_SLICE, INDEX, ROTATION_SLICE, SHAPE_SLICE, TRANSLATION_SLICE
from mien.engine.performer import WIDEST_ROTATION, WIDEST_TRANSLATION, Performer
from mien.engine.sampler import load_denoiser
from mien.engine.timebase import SAMPLES_PER_FRAME

FRAME = SAMPLES_PER_FRAME
OPENING = [INDEX[name] for name in OPENING_NAMES]
SPOKEN = [index for index in MOUTH_INDEX if index != INDEX["mouthClose"]]  # which answers to the whole face
ELSEWHERE = [index for index in range(CHANNELS) if index not in set(MOUTH_INDEX)]


def performer(*, seed: int = 1, window: int = 12, **settings: float) -> Performer:
    return Performer(
        MotionConfig(**settings),
        seed=seed,
        denoiser=SmearedDenoiser(window),
        lip_refiner=LoudnessLips(window),
    )


def speech(frames: float, seed: int = 0, level: float = 0.2) -> np.ndarray:
    """Bursts of noise with pauses of true silence between."""
    samples = int(frames * FRAME)
    pcm = level * np.random.default_rng(seed).normal(0, 0.3, samples)
    syllables = np.clip(np.sin(np.arange(samples) * 2 * np.pi / 9000), 0, 1)
    return (pcm * syllables).astype(np.float32)


def silence(frames: int) -> np.ndarray:
    return np.zeros(frames * FRAME, np.float32)


@pytest.mark.parametrize(("hop", "ahead"), [(1, 2), (1, 0), (3, 2), (4, 1)])
def test_a_frame_comes_out_when_its_look_ahead_is_in(hop: int, ahead: int) -> None:
    stream = performer(hop_frames=hop, look_ahead_frames=ahead)
    assert stream.delay_frames == hop + ahead - 1
    assert len(stream.push(speech(hop + ahead)[:-1])) == 0
    assert stream.push(np.zeros(1, np.float32)).shape == (hop, CHANNELS)
    assert len(stream.push(speech(2 * hop))) == 2 * hop


@settings(max_examples=20, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 14 * FRAME + 77), max_size=10),
    hop=st.integers(1, 4),
    ahead=st.integers(0, 3),
)
def test_any_cutting_gives_the_same_bits(cuts: list[int], hop: int, ahead: int) -> None:
    pcm = speech(14 + 77 / FRAME)
    whole = performer(hop_frames=hop, look_ahead_frames=ahead)
    expected = np.concatenate([whole.push(pcm), whole.flush()])
    stream = performer(hop_frames=hop, look_ahead_frames=ahead)
    made = [stream.push(pcm[start:stop]) for start, stop in pairwise([0, *sorted(cuts), len(pcm)])]
    np.testing.assert_array_equal(np.concatenate([*made, stream.flush()]), expected)
    assert len(expected) == 15


def test_flush_gives_the_frames_that_silence_would() -> None:
    pcm = speech(8)
    flushed = performer()
    pushed = performer()
    made = np.concatenate([flushed.push(pcm), flushed.flush()])
    expected = pushed.push(np.concatenate([pcm, silence(6)]))
    np.testing.assert_array_equal(made, expected[:8])
    np.testing.assert_array_equal(flushed.push(silence(4)), expected[8:])


def test_the_first_frame_of_silence_is_the_photo() -> None:
    stream = performer()
    stream.set_style(Style(Emotion.ANGRY, 3.0))
    first, second = stream.push(silence(4))
    assert not first[ELSEWHERE].any()
    assert np.abs(second[ELSEWHERE]).max() < 0.05
    assert not mouth_opening(first)


def test_flush_of_nothing_is_nothing() -> None:
    stream = performer()
    assert stream.flush().shape == (0, CHANNELS)
    stream.push(speech(1.5))
    assert len(stream.flush()) == 2


def test_seeds_replay_and_differ() -> None:
    pcm = speech(20)
    one, again, other = (performer(seed=seed).push(pcm) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other)[:, ROTATION_SLICE].max() > 1e-3


def test_motion_stays_finite_and_in_range() -> None:
    stream = performer(start_noise=1.0, guidance_scale=4.0)
    stream.set_style(Style(Emotion.ANGRY, 3.0))
    stream.mouth_gain = 2.0
    motion = stream.push(speech(60, level=5.0))
    assert motion.dtype == np.float32
    assert np.isfinite(motion).all()
    assert motion[:, SHAPE_SLICE].min() >= 0.0
    assert motion[:, SHAPE_SLICE].max() <= 1.0
    assert np.abs(motion[:, ROTATION_SLICE]).max() <= WIDEST_ROTATION
    assert np.abs(motion[:, TRANSLATION_SLICE]).max() <= WIDEST_TRANSLATION
    assert np.abs(motion[:, GAZE_SLICE]).max() < 0.27


def test_the_mouth_follows_the_sound_and_shuts_in_silence() -> None:
    stream = performer()
    talking = stream.push(speech(25))
    stream.push(silence(8))
    waiting = stream.push(silence(100))
    assert talking[:, INDEX["jawOpen"]].max() > 0.3
    assert not waiting[:, OPENING].any()
    assert not mouth_opening(waiting).any()
    lips = waiting[:, MOUTH_INDEX]
    assert np.abs(np.diff(lips, axis=0)).max() > 0.0


def test_mouth_gain_zero_keeps_it_closed_live() -> None:
    stream = performer()
    stream.push(speech(20))
    stream.mouth_gain = 0.0
    assert not mouth_opening(stream.push(speech(20, seed=2))).any()
    stream.mouth_gain = 1.0
    assert stream.push(speech(20, seed=2))[:, OPENING].max() > 0.2
    with pytest.raises(ConfigError, match="mouth gain"):
        stream.mouth_gain = -0.5


@pytest.mark.parametrize("ahead", [0, 2, 5])
@pytest.mark.parametrize("hop", [1, 2])
def test_interrupt_shuts_the_mouth_within_two_frames(ahead: int, hop: int) -> None:
    stream = performer(look_ahead_frames=ahead, hop_frames=hop)
    loud = np.random.default_rng(0).normal(0, 0.3, 20 * FRAME + 300).astype(np.float32)
    before = stream.push(loud)
    assert before[-1, INDEX["jawOpen"]] > 0.3
    stream.interrupt()
    after = stream.push(silence(12))
    assert after[0, INDEX["jawOpen"]] < 0.6 * before[-1, INDEX["jawOpen"]]
    assert not after[1:, OPENING].any()
    assert not mouth_opening(after[1:]).any()


def test_interrupt_keeps_time_and_moves_nothing_else_by_a_jump() -> None:
    pcm = speech(30)
    plain, cut = performer(), performer()
    before = cut.push(pcm)
    plain.push(pcm)
    cut.interrupt()
    after, expected = cut.push(silence(20)), plain.push(silence(20))
    assert len(after) == len(expected)
    jump = np.abs(after[0] - before[-1])[ELSEWHERE]
    assert jump.max() <= 1.5 * np.abs(np.diff(before, axis=0))[:, ELSEWHERE].max() + 0.05


def test_old_speech_never_shows_after_an_interrupt() -> None:
    new = speech(12, seed=9)
    mouths = []
    for old in (speech(15, seed=3), speech(15, seed=4, level=1.0)):
        stream = performer()
        stream.push(np.concatenate([old, old[:300]]))
        stream.interrupt()
        mouths.append(stream.push(new)[1:, SPOKEN])
    np.testing.assert_array_equal(mouths[0], mouths[1])


def test_sound_that_was_not_shown_leaves_no_trace_anywhere() -> None:
    motions = []
    for unseen in (speech(3.5, seed=3), speech(3.5, seed=4, level=1.0)):
        stream = performer(hop_frames=4, look_ahead_frames=0)
        assert len(stream.push(np.concatenate([speech(12), unseen]))) == 12
        stream.interrupt()
        motions.append(stream.push(silence(12)))
    np.testing.assert_array_equal(motions[0], motions[1])


def test_interrupting_at_rest_changes_nothing_of_the_mouth() -> None:
    stream = performer()
    stream.interrupt()
    assert not stream.push(silence(10))[:, OPENING].any()


def test_a_change_of_style_glides() -> None:
    pcm = speech(1) * 0 + np.random.default_rng(0).normal(0, 0.1, FRAME).astype(np.float32)
    stream = performer(start_noise=0.0)
    steady = stream.push(np.tile(pcm, 30))
    stream.set_style(Style(Emotion.SAD, 3.0))
    gliding = stream.push(np.tile(pcm, 20))
    brows = np.concatenate([steady, gliding])[:, INDEX["cheekPuff"]]
    steps = np.abs(np.diff(brows))
    total = abs(gliding[-1] - steady[-1])[INDEX["cheekPuff"]]
    assert total > 0.02
    assert steps[len(steady) - 1 :].max() < 0.4 * total


def test_a_mixture_is_a_style_too() -> None:
    mixed, sad = performer(), performer()
    mixed.set_style(mix_styles([Style(Emotion.SAD, 2.0)], [1.0]))
    sad.set_style(Style(Emotion.SAD, 2.0))
    np.testing.assert_array_equal(mixed.push(speech(12)), sad.push(speech(12)))


def sizes(value: object) -> list[int]:
    if isinstance(value, np.ndarray):
        return [value.size]
    if is_dataclass(value):
        return [size for field in fields(value) for size in sizes(getattr(value, field.name))]
    return []


def test_memory_does_not_grow() -> None:
    stream = performer(steps=1)
    stream.push(speech(5))
    before = sizes(stream.state)
    for seed in range(20):
        stream.interrupt()
        stream.push(speech(20, seed=seed))
    assert sizes(stream.state) == before
    assert stream.state.shown == 403
    assert isinstance(stream.state.shown, int)


def test_a_window_too_short_for_the_settings_is_refused() -> None:
    with pytest.raises(ConfigError, match="window"):
        performer(window=5, hop_frames=4, look_ahead_frames=2)


def test_missing_nets_are_named(tmp_path) -> None:
    with pytest.raises(AssetError, match=r"motion_encoder.onnx is missing"):
        load_denoiser(tmp_path)
