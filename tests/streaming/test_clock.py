"""The media clock against packets as networks deliver them, in virtual time."""

import asyncio
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from mien.streaming.clock import MILLISECOND, TICK, MediaClock, SystemTime, VirtualTime
from mien.streaming.jitter import JitterBuffer

PACKET = np.zeros(960, np.float32)


def run_clock(arrivals: Iterator[int], ticks: int) -> tuple[list[int], list[int], JitterBuffer]:
    """Play arrivals (ns of every 20 ms packet) into buffer and clock, as the pipeline does.

    Returns each tick's moment and how long its sound had been complete, both in ns; and the buffer.
    """
    clock, buffer = MediaClock(0), JitterBuffer()
    moments: list[int] = []
    waits: list[int] = []
    upcoming = next(arrivals)
    for _ in range(ticks):
        now = clock.due
        limit = now + JitterBuffer.PATIENCE
        while upcoming <= (limit if buffer.available < 1920 and buffer.flows(now) else clock.due):
            buffer.put(PACKET, upcoming)
            now = max(now, upcoming)
            upcoming = next(arrivals)
        if buffer.available < 1920 and buffer.flows(now):
            now = max(now, limit)
        block = buffer.take(now)
        moments.append(now)
        waits.append(now - block.last_arrival if block.last_arrival is not None else -1)
        clock.advance(block.last_arrival)
    return moments, waits, buffer


def packets(offset: Callable[[int], float], *, rate: float = 1.0) -> Iterator[int]:
    """Yield arrivals in ns: every 20 ms of a sender's clock, each late by offset(n) ms."""
    number = 0
    while True:
        yield round((7.3 + number * 20 / rate + offset(number)) * MILLISECOND)
        number += 1


def test_sound_waits_a_few_milliseconds_once_the_clock_has_settled() -> None:
    _, waits, buffer = run_clock(packets(lambda n: 0.0), ticks=200)
    assert max(waits[60:]) <= 4 * MILLISECOND
    assert min(waits[60:]) >= 0
    assert buffer.stats.underruns <= 1  # at the very start, before the phase is known


def test_the_depth_follows_the_jitter_that_is_seen() -> None:
    rng = np.random.default_rng(0)
    jitter = rng.uniform(0, 12, 100_000)
    _, waits, buffer = run_clock(packets(lambda n: float(jitter[n])), ticks=1000)
    settled = np.array(waits[100:]) / MILLISECOND
    assert np.percentile(settled, 95) < 14
    assert np.median(settled) > 2
    assert buffer.stats.underruns <= 1


def test_a_stall_is_caught_up_with() -> None:
    def offset(number: int) -> float:
        return max(0.0, 120 - 20.0 * (number - 200)) if number >= 200 else 0.0  # 6 packets come in one burst

    _, waits, _ = run_clock(packets(offset), ticks=500)
    assert max(waits[95:130]) > 30 * MILLISECOND  # the burst made sound wait
    assert max(waits[350:]) <= 4 * MILLISECOND  # and it no longer does


@pytest.mark.parametrize("rate", [1 - 200e-6, 1 + 200e-6])
def test_a_peer_whose_clock_is_off_is_followed_without_losing_a_sample(rate: float) -> None:
    moments, waits, buffer = run_clock(packets(lambda n: 0.0, rate=rate), ticks=25 * 600)
    assert max(waits[100:]) <= 5 * MILLISECOND
    assert buffer.stats.dropped == 0
    assert buffer.stats.underruns <= 1
    elapsed = (moments[-1] - moments[100]) / (len(moments) - 101)
    assert elapsed == pytest.approx(TICK / rate, rel=2e-5)


def test_without_sound_the_ticks_stand_on_their_grid() -> None:
    clock = MediaClock(500)
    dues = []
    for _ in range(50):
        dues.append(clock.due)
        clock.advance(None)
    assert dues == [500 + n * TICK for n in range(50)]


def test_no_tick_moves_by_more_than_a_viewer_can_bear() -> None:
    rng = np.random.default_rng(1)
    clock = MediaClock(0)
    previous = clock.due
    for _ in range(500):
        clock.advance(clock.due + int(rng.integers(-60, 30)) * MILLISECOND)
        assert TICK - 2 * MILLISECOND <= clock.due - previous <= TICK + 4 * MILLISECOND
        previous = clock.due


def test_skipped_ticks_pass_in_media_time() -> None:
    clock = MediaClock(0)
    clock.skip(7)
    assert clock.index == 7
    assert clock.due == 7 * TICK


async def test_virtual_time_wakes_sleepers_in_order_at_their_own_moment() -> None:
    time, woken = VirtualTime(), []

    async def sleeper(moment: int) -> None:
        await time.sleep_until(moment)
        woken.append((moment, time.now()))

    tasks = [asyncio.create_task(sleeper(moment)) for moment in (30, 10, 20, 99)]
    await time.run_until(50)
    assert woken == [(10, 10), (20, 20), (30, 30)]
    assert time.now() == 50
    await time.run_until(99)
    await asyncio.gather(*tasks)


@pytest.mark.parametrize("time", [SystemTime(), VirtualTime()])
async def test_waiting_ends_with_the_event_or_the_moment(time: SystemTime | VirtualTime) -> None:
    event = asyncio.Event()
    waiting = asyncio.create_task(time.wait(event, time.now() + 5 * MILLISECOND))
    if isinstance(time, VirtualTime):
        await time.run_until(5 * MILLISECOND)
    assert await waiting is False
    event.set()
    assert await time.wait(event, time.now() + TICK) is True
