import numpy as np
import pytest

from mien.streaming.clock import MILLISECOND
from mien.streaming.jitter import CAPACITY, SAMPLES_PER_TICK, SILENCE, JitterBuffer


def tone(samples: int, level: float = 0.5) -> np.ndarray:
    return np.full(samples, level, np.float32)


def ms(value: float) -> int:
    return round(value * MILLISECOND)


def test_a_tick_takes_what_arrived_first_and_knows_when() -> None:
    buffer = JitterBuffer()
    for number, arrival in enumerate((3, 23, 43)):
        buffer.put(tone(960, 0.1 * (number + 1)), ms(arrival))
    block = buffer.take(ms(44))
    assert (block.first_arrival, block.last_arrival, block.concealed) == (ms(3), ms(23), 0)
    np.testing.assert_allclose(block.samples[[500, 1500]], [0.1, 0.2], atol=1e-6)
    assert buffer.available == 960


def test_readiness_follows_a_whole_tick() -> None:
    buffer = JitterBuffer()
    buffer.put(tone(960), 0)
    assert not buffer.ready.is_set()
    buffer.put(tone(960), 0)
    assert buffer.ready.is_set()
    buffer.take(1)
    assert not buffer.ready.is_set()


def test_silence_stands_in_for_what_did_not_come_and_does_not_click() -> None:
    buffer = JitterBuffer()
    buffer.put(tone(2880), ms(0))
    buffer.take(ms(1))
    block = buffer.take(ms(41))
    assert block.concealed == 960
    assert block.last_arrival is None
    assert np.abs(block.samples[960:]).max() == 0
    assert np.abs(np.diff(block.samples)).max() < 0.01
    buffer.put(tone(1920), ms(50))
    assert np.abs(np.diff(np.concatenate([block.samples, buffer.take(ms(81)).samples]))).max() < 0.01


def test_cut_sound_is_an_underrun_but_a_muted_peer_is_none() -> None:
    buffer = JitterBuffer()
    assert buffer.take(ms(1)) is SILENCE
    buffer.put(tone(2880), ms(10))
    buffer.take(ms(40))
    buffer.take(ms(79))
    assert buffer.stats.underruns == 1
    for tick in range(100):
        assert buffer.take(ms(120 + 40 * tick)) is SILENCE
    assert buffer.stats.underruns == 1


def test_lost_sound_keeps_its_place() -> None:
    buffer = JitterBuffer()
    buffer.put(tone(960, 0.1), 0)
    buffer.put(tone(960, 0.3), 0, lost=960)
    block = buffer.take(1)
    assert np.abs(block.samples[960:]).max() == 0
    assert buffer.take(2).samples[500] == pytest.approx(0.3)


def test_sound_already_replaced_by_silence_is_not_replaced_again() -> None:
    buffer = JitterBuffer()
    buffer.put(tone(960), ms(0))
    buffer.take(ms(30))  # plays 960 samples of silence in place of a packet that is lost
    buffer.put(tone(960), ms(31), lost=960)
    assert buffer.available == 960


def test_a_flood_is_bounded_and_the_freshest_is_kept() -> None:
    buffer = JitterBuffer()
    for number in range(200):
        buffer.put(tone(960, number / 200), ms(number))
    assert buffer.available == CAPACITY
    assert buffer.stats.dropped == 200 * 960 - CAPACITY
    assert buffer.take(ms(201)).first_arrival == ms(200 - CAPACITY // 960)


def test_catching_up_never_leaves_less_than_a_tick() -> None:
    buffer = JitterBuffer()
    buffer.put(tone(2 * SAMPLES_PER_TICK), 0)
    assert buffer.discard_tick()
    assert not buffer.discard_tick()
    assert buffer.available == SAMPLES_PER_TICK


def test_level_is_that_of_all_that_waits() -> None:
    buffer = JitterBuffer()
    assert buffer.level == 0
    buffer.put(tone(960, 0.5), 0)
    buffer.put(tone(960, 0.0), 0)
    assert buffer.level == pytest.approx(0.5 / 2**0.5)


def test_clearing_forgets_everything() -> None:
    buffer = JitterBuffer()
    buffer.put(tone(4000), 0)
    buffer.clear()
    assert buffer.available == 0
    assert not buffer.ready.is_set()
    assert buffer.take(1) is SILENCE


def test_nothing_changes_by_how_sound_is_cut() -> None:
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 0.1, 5 * SAMPLES_PER_TICK).astype(np.float32)
    whole, cut = JitterBuffer(), JitterBuffer()
    whole.put(sound, 0)
    for piece in np.split(sound, np.sort(rng.integers(0, len(sound), 30))):
        cut.put(piece, 0)
    for tick in range(5):
        np.testing.assert_array_equal(whole.take(tick).samples, cut.take(tick).samples)
