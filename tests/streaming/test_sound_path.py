"""The small stages between jitter buffer, face and peer."""

import numpy as np
import pytest
from stand_ins import syllables

from mien.streaming.decimation import DELAY_SAMPLES, DecimationState, decimate
from mien.streaming.voice import VoiceLine
from mien.streaming.voice_activity import VoiceActivity


def test_decimation_gives_the_same_however_sound_is_cut() -> None:
    sound = syllables(1.0, 48_000)
    whole, _ = decimate(sound, DecimationState())
    state, parts = DecimationState(), []
    for start in range(0, len(sound), 1920):
        part, state = decimate(sound[start : start + 1920], state)
        parts.append(part)
    np.testing.assert_allclose(whole, np.concatenate(parts), atol=1e-6)
    assert len(whole) == 16_000


@pytest.mark.parametrize(
    ("frequency", "low", "high"), [(100, 0.99, 1.01), (6500, 0.9, 1.1), (11_000, 0, 0.003)]
)
def test_decimation_keeps_speech_and_stops_what_would_fold_over(
    frequency: float, low: float, high: float
) -> None:
    time = np.arange(48_000) / 48_000
    out, _ = decimate(np.sin(2 * np.pi * frequency * time).astype(np.float32), DecimationState())
    assert low <= np.sqrt(2 * np.mean(np.square(out[200:]))) <= high


def test_decimation_delays_by_what_it_says() -> None:
    impulse = np.zeros(480, np.float32)
    impulse[120] = 1
    out, _ = decimate(impulse, DecimationState())
    assert np.argmax(out) == (120 + DELAY_SAMPLES) // 3


def test_decimation_refuses_a_ragged_length() -> None:
    with pytest.raises(ValueError, match="multiple"):
        decimate(np.zeros(100, np.float32), DecimationState())


def test_the_voice_leaves_with_its_own_frame_early_by_the_decoders_delay() -> None:
    line = VoiceLine()
    sound = np.arange(4 * 1920, dtype=np.float32)
    for start in range(0, len(sound), 1920):
        line.push(sound[start : start + 1920])
    for frame in range(3):
        first = frame * 1920 + VoiceLine.LEAD
        np.testing.assert_array_equal(line.take(frame), sound[first : first + 1920])


def test_a_voice_that_is_short_ends_in_silence() -> None:
    line = VoiceLine()
    line.push(np.ones(1920, np.float32))
    taken = line.take(0)
    assert taken[: 1920 - VoiceLine.LEAD].min() == 1
    assert taken[1920 - VoiceLine.LEAD :].max() == 0


def test_a_hushed_voice_is_silent_within_two_and_a_half_milliseconds_and_later_sound_is_whole() -> None:
    line = VoiceLine()
    line.push(np.ones(3840, np.float32))
    line.hush()
    line.push(np.full(1920, 0.5, np.float32))
    assert np.abs(line.take(0)).max() <= 1
    assert np.abs(line.take(1)[: 1920 - VoiceLine.LEAD]).max() == 0
    assert line.take(2)[: 1920 - VoiceLine.LEAD].min() == 0.5


def test_the_voice_line_never_grows() -> None:
    line = VoiceLine()
    for _ in range(200):
        line.push(np.zeros(1920, np.float32))
    assert len(line._samples) == VoiceLine.CAPACITY


def speech_blocks(seconds: float) -> list[np.ndarray]:
    sound = syllables(seconds, 16_000) * 2
    return [sound[start : start + 640] for start in range(0, len(sound), 640)]


def test_voice_activity_tells_speech_from_silence() -> None:
    activity = VoiceActivity()
    silence = [activity.push(np.zeros(640, np.float32)) for _ in range(25)]
    speech = [activity.push(block) for block in speech_blocks(3.0)]
    after = [activity.push(np.zeros(640, np.float32)) for _ in range(25)]
    assert not any(silence)
    assert np.mean(speech[10:]) > 0.9
    assert not after[-1]


def test_voice_activity_does_not_depend_on_the_cutting() -> None:
    sound = np.concatenate(speech_blocks(2.0))
    whole, cut = VoiceActivity(), VoiceActivity()
    last = whole.push(sound)
    for start in range(0, len(sound), 333):
        now = cut.push(sound[start : start + 333])
    assert now == last
