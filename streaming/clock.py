"""The session's time: one media clock, counted in whole frames, on one monotonic clock in nanoseconds."""

import asyncio
import heapq
import itertools
import time
from collections import deque
from typing import Final, Protocol

from mien.engine.timebase import FRAME_RATE

NANOSECONDS: Final = 1_000_000_000
MILLISECOND: Final = NANOSECONDS // 1000
TICK: Final = NANOSECONDS // FRAME_RATE
"""40 ms: one frame of video and the sound that belongs to it."""


class TimeSource(Protocol):
    """Where a session reads the time and waits."""

    def now(self) -> int:
        """Return the moment in nanoseconds on a clock that never steps back."""

    async def sleep_until(self, moment: int) -> None:
        """Return once `moment` has come; at once if it has passed."""

    async def wait(self, event: asyncio.Event, until: int) -> bool:
        """Return True once the event is set, or False if `until` comes first."""


class SystemTime:
    """The machine's monotonic clock."""

    def now(self) -> int:
        """Return time.monotonic_ns()."""
        return time.monotonic_ns()

    async def sleep_until(self, moment: int) -> None:
        """Sleep; wakes up to about a millisecond late, as event loops do."""
        await asyncio.sleep(max(moment - self.now(), 0) / NANOSECONDS)

    async def wait(self, event: asyncio.Event, until: int) -> bool:
        """Wait for the event, at most until the moment."""
        if event.is_set():
            return True
        try:
            async with asyncio.timeout(max(until - self.now(), 0) / NANOSECONDS):
                await event.wait()
        except TimeoutError:
            return event.is_set()
        return True


class VirtualTime:
    """A clock that moves only when told to: hours of sessions pass in seconds, and tests are exact."""

    def __init__(self) -> None:
        self._now = 0
        self._sleepers: list[tuple[int, int, asyncio.Event]] = []
        self._order = itertools.count()

    def now(self) -> int:
        """Return the virtual moment, in nanoseconds since the clock was made."""
        return self._now

    async def sleep_until(self, moment: int) -> None:
        """Sleep until `run_until` passes the moment."""
        await self._sleep(moment, asyncio.Event())

    async def wait(self, event: asyncio.Event, until: int) -> bool:
        """Wait for the event, at most until the virtual moment."""
        alarm = asyncio.Event()
        waiters = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self._sleep(until, alarm))]
        try:
            await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in waiters:
                waiter.cancel()
            await asyncio.gather(*waiters, return_exceptions=True)
        return event.is_set()

    async def run_until(self, moment: int) -> None:
        """Move on to `moment`, waking every sleeper at its own time, in order."""
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= moment:
            due, _, alarm = heapq.heappop(self._sleepers)
            self._now = max(self._now, due)
            alarm.set()
            await self._settle()
        self._now = max(self._now, moment)

    async def _sleep(self, moment: int, alarm: asyncio.Event) -> None:
        if moment > self._now:
            heapq.heappush(self._sleepers, (moment, next(self._order), alarm))
            await alarm.wait()

    @staticmethod
    async def _settle() -> None:
        # Tasks hand work on through a few callbacks each; nothing here waits on real time.
        for _ in range(30):
            await asyncio.sleep(0)


class MediaClock:
    """Decides when the ticks of a session fall.

    Tick n falls at `start + n * 40 ms + phase`. The phase follows the sound that comes in: a frame's last
    packet should have arrived just before its tick, so that sound waits as little as it can. A peer whose
    clock runs fast or slow is followed the same way, without ever dropping or stretching a sample.
    While no sound comes, the phase stands still.
    """

    MARGIN: Final = 2 * MILLISECOND
    """How long before its tick a frame's sound should be complete."""

    QUANTILE: Final = 0.95
    """The share of frames whose sound is meant to be complete at the tick; later ones are waited for."""

    MEMORY: Final = 2 * FRAME_RATE
    """Ticks that the phase is judged by: 2 s."""

    LATER: Final = 4 * MILLISECOND
    """The most by which one tick may move back: a stall ahead is met fast."""

    EARLIER: Final = 2 * MILLISECOND
    """The most by which one tick may move forward: to play 5 % fast for a while is neither seen nor heard."""

    EASE: Final = 8
    """Moving forward takes an eighth of the way at a time."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._phase = 0
        self._index = 0
        self._lateness: deque[int] = deque(maxlen=self.MEMORY)

    @property
    def index(self) -> int:
        """The tick to come: how many frames of media time have passed."""
        return self._index

    @property
    def due(self) -> int:
        """When the tick to come falls, in nanoseconds."""
        return self._start + self._index * TICK + self._phase

    def advance(self, complete: int | None) -> None:
        """Pass the tick. `complete` is when the last packet of its sound arrived; None if it had none."""
        grid = self.due - self._phase
        self._index += 1
        if complete is None:
            self._lateness.clear()
            return
        self._lateness.append(complete - grid)
        ranked = sorted(self._lateness)
        wanted = ranked[round(self.QUANTILE * (len(ranked) - 1))] + self.MARGIN
        way = wanted - self._phase
        self._phase += min(way, self.LATER) if way > 0 else max(way // self.EASE, -self.EARLIER)

    def skip(self, ticks: int) -> None:
        """Let ticks pass without media: the machine was away for too long to make up for it."""
        self._index += ticks

    def forget(self, ticks: int) -> None:
        """Account for whole ticks of waiting sound that were thrown away: what follows is fresher."""
        self._lateness = deque((late + ticks * TICK for late in self._lateness), maxlen=self.MEMORY)
