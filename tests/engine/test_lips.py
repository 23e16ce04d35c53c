import numpy as np
import pytest
from stand_in_nets import LoudnessLips

from mien.engine.features import log_mel_whole, silent_features
from mien.engine.lips import (
    MOUTH_INDEX,
    MOUTH_NAMES,
    OPENING_NAMES,
    LipState,
    close_lips,
    frame_loudness,
    refine_lips,
    scale_opening,
    start_lips,
)
from mien.engine.motion import CHANNEL_NAMES

W = 12
OPENING = [MOUTH_NAMES.index(name) for name in OPENING_NAMES]
SHAPING = [index for index in range(28) if index not in OPENING]
NEUTRAL = np.zeros(8, np.float32)


def loud_features(level: float = 0.1) -> np.ndarray:
    return log_mel_whole(np.random.default_rng(0).normal(0, level, W * 640).astype(np.float32))


def refine(features: np.ndarray, state: LipState | None = None, *, gain: float = 1.0, frames: int = 1):
    return refine_lips(
        LoudnessLips(W),
        features,
        NEUTRAL,
        state or start_lips(),
        look_ahead=2,
        frames=frames,
        mouth_gain=gain,
    )


def talking() -> LipState:
    state = start_lips()
    for _ in range(5):
        _, state = refine(loud_features(), state)
    return state


def test_the_mouth_has_its_28_channels() -> None:
    assert len(MOUTH_NAMES) == len(MOUTH_INDEX) == 28
    assert [CHANNEL_NAMES[index] for index in MOUTH_INDEX] == list(MOUTH_NAMES)
    assert "tongueOut" in MOUTH_NAMES
    assert "cheekPuff" not in MOUTH_NAMES


def test_gain_scales_all_opening_alike_and_nothing_else() -> None:
    mouth = np.random.default_rng(1).uniform(0, 0.4, 28).astype(np.float32)
    half = scale_opening(mouth, 0.5)
    np.testing.assert_allclose(half[OPENING], 0.5 * mouth[OPENING], rtol=1e-6)
    np.testing.assert_array_equal(half[SHAPING], mouth[SHAPING])
    np.testing.assert_array_equal(scale_opening(mouth, 1.0), mouth)
    assert not scale_opening(mouth, 0.0)[OPENING].any()


def test_a_gain_past_full_keeps_closures_closed() -> None:
    mouth = np.zeros(28, np.float32)
    mouth[MOUTH_NAMES.index("jawOpen")] = mouth[MOUTH_NAMES.index("mouthClose")] = 0.7
    wide = scale_opening(mouth, 2.0)
    assert wide.max() == pytest.approx(1.0)
    assert wide[MOUTH_NAMES.index("jawOpen")] == wide[MOUTH_NAMES.index("mouthClose")]


def test_gain_zero_keeps_the_lips_closed_whatever_is_said() -> None:
    made, _ = refine(loud_features(0.5), talking(), gain=0.0)
    assert not made[:, OPENING].any()
    assert made[:, SHAPING].any()


def test_silence_is_closed_however_the_net_leaks() -> None:
    state = talking()
    for _ in range(4):
        made, state = refine(silent_features(W), state)
    assert not made[:, OPENING].any()
    assert state.gate == 0.0


def test_speech_is_let_through_whole() -> None:
    made, _ = refine(loud_features(), talking())
    spoken = LoudnessLips(W).articulate(loud_features(), NEUTRAL)[-3]
    np.testing.assert_allclose(made[0], spoken, rtol=1e-6)


def test_the_gate_is_open_by_the_time_speech_begins() -> None:
    sound = np.zeros(40 * 640, np.float32)
    sound[20 * 640 :] = np.random.default_rng(0).normal(0, 0.1, 20 * 640)
    features = log_mel_whole(sound)
    state = start_lips()
    gates = []
    for frame in range(W, 30):
        _, state = refine(features[(frame + 3 - W) * 4 : (frame + 3) * 4], state)
        gates.append(state.gate)
    assert gates[17 - W] == 0.0
    assert gates[20 - W] == 1.0


def test_an_interruption_shuts_in_two_frames_even_under_new_speech() -> None:
    state = close_lips(talking())
    before = state.mouth
    first, state = refine(loud_features(), state)
    second, state = refine(loud_features(), state)
    np.testing.assert_allclose(first[0, OPENING], 0.5 * before[OPENING], rtol=1e-5)
    assert not second[0, OPENING].any()
    assert state.closing == 0


def test_several_frames_at_once_equal_one_by_one() -> None:
    features = log_mel_whole(np.random.default_rng(5).normal(0, 0.05, 15 * 640).astype(np.float32))
    state = start_lips()
    single = []
    for shift in range(3):
        made, state = refine(features[shift * 4 : (W + shift) * 4], state)
        single.append(made[0])
    together, _ = refine(features[2 * 4 : (W + 2) * 4], start_lips(), frames=3)
    np.testing.assert_allclose(together, single, rtol=1e-5)


def test_loudness_tells_speech_from_silence() -> None:
    assert (frame_loudness(silent_features(3)) == -1.0).all()
    assert (frame_loudness(loud_features())[1:] > 0.5).all()
