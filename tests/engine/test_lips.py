import numpy as np
import pytest
from stand_in_nets import LoudnessLips

from mien.engine.emotion import STYLE_SIZE
from mien.engine.features import log_mel_whole, silent_features
from mien.engine.head import mouth_opening
from mien.engine.lips import (
    MOUTH_INDEX,
    MOUTH_NAMES,
    OPENING_NAMES,
    LipState,
    close_lips,
    refine_lips,
    scale_opening,
    start_lips,
)
from mien.engine.motion import CHANNEL_NAMES, CHANNELS, INDEX, neutral_motion

W = 12
OPENING = [INDEX[name] for name in OPENING_NAMES]
SHAPING = [index for index in MOUTH_INDEX if index not in {*OPENING, INDEX["mouthClose"]}]
ELSEWHERE = [index for index in range(CHANNELS) if index not in set(MOUTH_INDEX)]
NEUTRAL = np.zeros(STYLE_SIZE, np.float32)


def loud_features(level: float = 0.1) -> np.ndarray:
    return log_mel_whole(np.random.default_rng(0).normal(0, level, W * 640).astype(np.float32))


def refine(features: np.ndarray, state: LipState | None = None, *, gain: float = 1.0, face=None):
    lips = LoudnessLips(W)
    state = state or start_lips()
    face = neutral_motion(1) if face is None else face
    return refine_lips(lips, features, NEUTRAL, state, face=face, look_ahead=2, mouth_gain=gain)


def random_frame(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    frame = rng.uniform(0, 0.3, CHANNELS).astype(np.float32)
    frame[INDEX["jawOpen"]] = rng.uniform(0.3, 0.5)
    return frame


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


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("gain", [0.25, 0.5, 1.0, 1.4])
def test_gain_makes_the_gap_so_many_times_as_wide(seed: int, gain: float) -> None:
    frame = random_frame(seed)
    scaled = scale_opening(frame, gain)
    assert mouth_opening(frame) > 0.0
    if scaled[INDEX["mouthClose"]] > 0.0:
        assert mouth_opening(scaled) == pytest.approx(gain * mouth_opening(frame), abs=1.1e-4)
    else:
        assert 0.0 < mouth_opening(scaled) <= gain * mouth_opening(frame)
    np.testing.assert_allclose(scaled[OPENING], gain * frame[OPENING], rtol=1e-6)
    np.testing.assert_array_equal(scaled[SHAPING + ELSEWHERE], frame[SHAPING + ELSEWHERE])


@pytest.mark.parametrize("seed", range(20))
def test_gain_zero_leaves_no_gap_whatever_the_face_does(seed: int) -> None:
    shut = scale_opening(random_frame(seed), 0.0)
    assert not shut[OPENING].any()
    assert mouth_opening(shut) == 0.0


@pytest.mark.parametrize("gain", [0.3, 1.5, 2.0])
def test_closures_stay_closed_at_every_gain(gain: float) -> None:
    frame = np.zeros(CHANNELS, np.float32)
    frame[INDEX["jawOpen"]] = 0.6
    frame[INDEX["mouthClose"]] = 0.6 * 0.2135 / 0.2609 + 0.02
    assert mouth_opening(frame) == 0.0
    scaled = scale_opening(frame, gain)
    assert mouth_opening(scaled) == 0.0
    assert scaled.max() <= 1.0


def test_gain_zero_keeps_the_lips_closed_in_the_stream() -> None:
    made, _ = refine(loud_features(0.5), talking(), gain=0.0)
    assert mouth_opening(made)[0] == 0.0
    assert made[:, SHAPING].any()


def test_silence_is_closed_however_the_net_leaks() -> None:
    state = talking()
    for _ in range(4):
        made, state = refine(silent_features(W), state)
    assert mouth_opening(made)[0] == 0.0
    assert not made[:, OPENING].any()
    assert state.gate == 0.0


def test_speech_is_let_through_whole() -> None:
    made, _ = refine(loud_features(), talking())
    spoken = LoudnessLips(W).articulate(loud_features(), NEUTRAL)[-3]
    np.testing.assert_allclose(made[0, MOUTH_INDEX], spoken, rtol=1e-6)


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
    jaw = INDEX["jawOpen"]
    assert first[0, jaw] == pytest.approx(0.5 * before[list(MOUTH_INDEX).index(jaw)], rel=1e-5)
    assert not second[0, OPENING].any()
    assert mouth_opening(second)[0] == 0.0
    assert state.closing == 0


def test_the_face_beside_the_mouth_is_kept() -> None:
    face = random_frame(3)[None] * 0.2
    made, _ = refine(loud_features(), talking(), face=face)
    np.testing.assert_array_equal(made[:, ELSEWHERE], face[:, ELSEWHERE])
    assert (made[:, SHAPING] > face[:, SHAPING]).all()


def test_several_frames_at_once_equal_one_by_one() -> None:
    features = log_mel_whole(np.random.default_rng(5).normal(0, 0.05, 15 * 640).astype(np.float32))
    state = start_lips()
    single = []
    for shift in range(3):
        made, state = refine(features[shift * 4 : (W + shift) * 4], state)
        single.append(made[0])
    together, _ = refine(features[2 * 4 : (W + 2) * 4], start_lips(), face=neutral_motion(3))
    np.testing.assert_allclose(together, single, rtol=1e-5)


def run_gate(pcm: np.ndarray) -> np.ndarray:
    """The gate, frame by frame, over a stream of sound."""
    features = np.concatenate([silent_features(W), log_mel_whole(pcm)])
    state, gates = start_lips(), []
    for end in range(W + 3, len(features) // 4 + 1):
        _, state = refine(features[(end - W) * 4 : end * 4], state)
        gates.append(state.gate)
    return np.array(gates)


@pytest.mark.parametrize("level_db", [-65, -55, -45])
def test_the_gate_learns_a_noisy_room_and_opens_for_a_voice_in_it(level_db: float) -> None:
    rng = np.random.default_rng(1)
    pcm = rng.normal(0, 10 ** (level_db / 20), 12 * 16000)
    voice = slice(10 * 16000, 11 * 16000)
    time = np.arange(16000) / 16000
    formants = sum(np.sin(2 * np.pi * hz * time) for hz in range(120, 1200, 120))
    pcm[voice] += 10 ** ((level_db + 15) / 20) * formants / formants.std()
    gates = run_gate(pcm.astype(np.float32))
    assert not gates[8 * 25 : 10 * 25 - 3].any()
    assert (gates[10 * 25 : 11 * 25] == 1.0).all()
    assert not gates[11 * 25 + 8 :].any()


def test_a_mute_microphone_teaches_the_gate_nothing() -> None:
    noise = np.random.default_rng(1).normal(0, 0.003, 8 * 16000).astype(np.float32)
    mute = np.zeros(3 * 16000, np.float32)
    gates = run_gate(np.concatenate([noise, mute, noise]))
    assert not gates[8 * 25 :].any()


def test_a_long_vowel_is_not_taken_for_noise() -> None:
    time = np.arange(5 * 16000) / 16000
    vowel = sum(np.sin(2 * np.pi * hz * time) / hz for hz in range(120, 3000, 120))
    gates = run_gate((0.1 * vowel / vowel.std()).astype(np.float32))
    assert (gates[3:] == 1.0).all()
