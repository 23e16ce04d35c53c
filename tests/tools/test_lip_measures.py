"""The measures of lips on signals whose answers are known."""

from dataclasses import dataclass

import lip_measures as measures
import numpy as np
import pytest


@dataclass(frozen=True)
class Sound:
    symbol: str
    start: float
    end: float


def speech(clips: int = 12, frames: int = 120, seed: int = 0) -> list[np.ndarray]:
    """Return smooth random tracks."""
    rng = np.random.default_rng(seed)
    kernel = np.hanning(9) / np.hanning(9).sum()
    return [np.convolve(rng.standard_normal(frames + 8), kernel, "valid") for _ in range(clips)]


def test_correlation_is_pearsons_over_all_frames() -> None:
    made, wanted = speech(seed=1), speech(seed=1)
    made = [track + 0.3 * noise for track, noise in zip(made, speech(seed=2), strict=True)]
    found = measures.correlation(made, wanted)
    assert found.value == pytest.approx(np.corrcoef(np.concatenate(made), np.concatenate(wanted))[0, 1])
    assert found.low < found.value < found.high


def test_more_clips_make_an_interval_narrower() -> None:
    def width(clips: int) -> float:
        noise = speech(clips, seed=4)
        wanted = speech(clips, seed=3)
        found = measures.correlation([a + b for a, b in zip(noise, wanted, strict=True)], wanted)
        return found.high - found.low

    assert width(64) < 0.7 * width(8)


def test_interval_holds_the_truth_about_nineteen_times_in_twenty() -> None:
    held = 0
    for trial in range(60):
        wanted, noise = speech(20, 60, seed=100 + trial), speech(20, 60, seed=900 + trial)
        found = measures.correlation([a + b for a, b in zip(wanted, noise, strict=True)], wanted)
        held += found.low <= np.sqrt(0.5) <= found.high
    assert 50 <= held <= 60


@pytest.mark.parametrize("late", [-2, 0, 1, 3])
def test_lag_finds_a_shift_of_whole_frames(late: int) -> None:
    wanted = speech(frames=200)
    made = [np.roll(track, late) for track in wanted]
    assert measures.lag_ms(made, wanted).value == pytest.approx(40 * late, abs=2)


def test_lag_finds_a_part_of_a_frame() -> None:
    wanted = speech(frames=400)
    made = [np.interp(np.arange(400) - 0.25, np.arange(400), track) for track in wanted]
    assert measures.lag_ms(made, wanted).value == pytest.approx(10, abs=3)


def test_acceleration_ratio_does_not_ask_for_the_unit() -> None:
    wanted = speech()
    assert measures.acceleration_ratio([5 * t + 2 for t in wanted], wanted).value == pytest.approx(1)
    trembling = [t + 0.1 * (-1.0) ** np.arange(len(t)) for t in wanted]
    assert measures.acceleration_ratio(trembling, wanted).value > 1.5
    lazy = [np.convolve(t, np.ones(5) / 5, "same") for t in wanted]
    assert measures.acceleration_ratio(lazy, wanted).value < 0.8


def test_amplitude_ratio() -> None:
    wanted = speech()
    assert measures.amplitude_ratio([0.4 * t - 1 for t in wanted], wanted).value == pytest.approx(0.4)


def test_change_is_measured_on_the_same_clips() -> None:
    wanted = speech()
    noisy = [track + 0.5 * noise for track, noise in zip(wanted, speech(seed=5), strict=True)]
    change = measures.correlation_change(noisy, wanted, wanted)
    assert change.value == pytest.approx(measures.correlation(noisy, wanted).value - 1)
    assert change.high < 0
    share = measures.correlation_share(noisy, wanted, wanted)
    assert share.value == pytest.approx(1 + change.value)


PHONES = [
    Sound("_", 0, 0.4),
    Sound("a", 0.4, 0.8),
    Sound("b", 0.8, 0.92),
    Sound("i", 0.92, 1.6),
    Sound("_", 1.6, 2),
]


def gap_that_closes(*closed: slice) -> np.ndarray:
    gap = np.full(50, 0.8)
    gap[:10] = gap[40:] = 0.0
    for frames in closed:
        gap[frames] = 0.0
    return gap


def test_closures_right_missed_and_wrong() -> None:
    right, never = gap_that_closes(slice(20, 22)), gap_that_closes()
    wrong = gap_that_closes(slice(20, 22), slice(32, 34))
    spoken = [PHONES] * 2
    assert measures.closure_recall(spoken, [right, right]).value == 1
    assert measures.closure_recall(spoken, [right, never]).value == 0.5
    assert measures.closure_precision(spoken, [right, right]).value == 1
    assert measures.closure_precision(spoken, [right, wrong]).value == pytest.approx(2 / 3)


def test_speaking_frames_reach_a_little_beyond_the_sounds() -> None:
    near = measures.speaking(PHONES, 50)
    assert not near[:6].any()
    assert near[8:42].all()
    assert not near[44:].any()


def test_a_mouth_at_rest_in_a_pause_is_no_wrong_closure() -> None:
    assert np.isnan(measures.closure_precision([PHONES], [gap_that_closes()]).value)


def test_a_mouth_always_shut_gains_nothing_but_recall() -> None:
    shut = [np.zeros(50)]
    assert measures.closure_recall([PHONES], shut).value == 1
    assert np.isnan(measures.closure_precision([PHONES], shut).value)
    assert measures.open_vowels_shut([PHONES], shut).value == 1
    assert measures.open_vowels_shut([PHONES], [gap_that_closes()]).value == 0


def test_recall_of_a_shape_at_a_tenth_of_false_alarms() -> None:
    rng = np.random.default_rng(0)
    symbols = ["u", "s", "i", "t", "a"] * 40
    phones = [Sound(symbol, 0.2 * k, 0.2 * k + 0.08) for k, symbol in enumerate(symbols)]
    frames = int(0.2 * len(phones) * 25)
    knows, guesses = np.zeros(frames), rng.standard_normal(frames)
    for phone in phones:
        knows[measures.middle(phone, frames)] = float(phone.symbol == "u") + 0.1 * rng.random()

    def recall(cue: np.ndarray) -> float:
        found = measures.recall_at([phones], [cue], measures.ROUNDED, measures.UNROUNDED)
        assert (
            found.value
            == measures.recall_at([phones], [7 * cue - 3], measures.ROUNDED, measures.UNROUNDED).value
        )
        return found.value

    assert recall(knows) == 1
    assert recall(guesses) < 0.35
    assert recall(np.zeros(frames)) == 0
