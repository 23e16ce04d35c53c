"""Sound that waits for its tick: a bounded line of 48 kHz mono samples that remembers when they arrived."""

import asyncio
import math
from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.engine.timebase import FRAME_RATE

PLAYBACK_RATE: Final = 48_000
"""Samples a second of all sound that is played, mono: WebRTC's own rate."""

SAMPLES_PER_TICK: Final = PLAYBACK_RATE // FRAME_RATE
"""1920 samples of playback belong to each frame."""

CAPACITY: Final = 6 * SAMPLES_PER_TICK
"""240 ms: what a stalled network may deliver at once. When full, the oldest sound is dropped and counted."""

_RAMP: Final = 120
"""2.5 ms: sound is not cut off or let in at once, because that clicks."""


@dataclass(frozen=True, slots=True)
class SoundBlock:
    """The sound of one tick."""

    samples: NDArray[np.float32]
    """float32[1920], 48 kHz mono, -1..1."""

    first_arrival: int | None = None
    """When the packet that holds the block's first sample arrived, in nanoseconds; None for no packet."""

    last_arrival: int | None = None
    """When the packet that holds the block's last sample arrived; None if the end was concealed."""

    concealed: int = 0
    """How many samples are silence in place of sound that did not come."""


SILENCE: Final = SoundBlock(np.zeros(SAMPLES_PER_TICK, np.float32), concealed=SAMPLES_PER_TICK)
SILENCE.samples.flags.writeable = False


@dataclass(slots=True)
class JitterStats:
    """What became of the sound since the buffer was made, in 48 kHz samples."""

    received: int = 0
    dropped: int = 0
    concealed: int = 0
    underruns: int = 0
    """Ticks that cut into flowing sound because it came too late."""


@dataclass(slots=True)
class _Piece:
    samples: NDArray[np.float32]
    arrival: int


class JitterBuffer:
    """Holds decoded sound between its packets' arrival and its tick.

    It adds no wait of its own: how deep it runs is set by the media clock's phase. A tick may wait
    `PATIENCE` for a packet that is on its way; after that, silence stands in.
    """

    PATIENCE: Final = 25_000_000
    """25 ms: a packet (20 ms) and a little."""

    DRY_AFTER: Final = 100_000_000
    """100 ms without a packet: the sound does not flow, and nobody waits for it."""

    def __init__(self) -> None:
        self.stats = JitterStats()
        self.ready = asyncio.Event()
        """Set while a whole tick of sound is here."""
        self._pieces: deque[_Piece] = deque()
        self._available = 0
        self._last_arrival: int | None = None
        self._owed = 0
        self._was_silent = True

    @property
    def available(self) -> int:
        """Samples that wait."""
        return self._available

    def flows(self, now: int) -> bool:
        """Whether packets keep coming."""
        return self._last_arrival is not None and now - self._last_arrival < self.DRY_AFTER

    def put(self, samples: NDArray[np.float32], arrival: int, *, lost: int = 0) -> None:
        """Append sound that arrived at `arrival`, after `lost` samples that will not come.

        Silence stands in for lost samples, less what a starved tick has already played in their place.
        """
        gap = max(lost - self._owed, 0)
        self._owed = 0
        if gap:
            self.stats.concealed += gap
            self._append(np.zeros(gap, np.float32), arrival)
        self._append(samples, arrival)
        self._last_arrival = arrival
        self.stats.received += len(samples)

    def take(self, now: int) -> SoundBlock:
        """Remove the next 1920 samples, with silence for what has not come by `now`."""
        wanted = min(SAMPLES_PER_TICK, self._available)
        missing = SAMPLES_PER_TICK - wanted
        if missing and self.flows(now):
            self.stats.underruns += 1
            self.stats.concealed += missing
            self._owed += missing
        if not wanted:
            self._was_silent = True
            return SILENCE
        taken, first, last = self._remove(wanted)
        samples = np.concatenate([*taken, np.zeros(missing, np.float32)])
        if self._was_silent:
            _fade_in(samples[:_RAMP])
        if missing:
            _fade_out(samples[:wanted][-_RAMP:])
        self._was_silent = missing > 0
        return SoundBlock(samples, first, None if missing else last, missing)

    def discard_tick(self) -> bool:
        """Throw the oldest 1920 samples away to catch up; False if fewer than two ticks wait."""
        if self._available < 2 * SAMPLES_PER_TICK:
            return False
        self._remove(SAMPLES_PER_TICK)
        self.stats.dropped += SAMPLES_PER_TICK
        return True

    @property
    def level(self) -> float:
        """The root mean square of all sound that waits, 0..1."""
        if not self._available:
            return 0.0
        energy = sum(float(np.dot(piece.samples, piece.samples)) for piece in self._pieces)
        return math.sqrt(energy / self._available)

    def clear(self) -> None:
        """Forget all sound that waits."""
        self._pieces.clear()
        self._available = 0
        self._owed = 0
        self._was_silent = True
        self.ready.clear()

    def _append(self, samples: NDArray[np.float32], arrival: int) -> None:
        if not len(samples):
            return
        self._pieces.append(_Piece(samples, arrival))
        self._available += len(samples)
        if self._available > CAPACITY:
            excess = self._available - CAPACITY
            self._remove(excess)
            self.stats.dropped += excess
        if self._available >= SAMPLES_PER_TICK:
            self.ready.set()

    def _remove(self, count: int) -> tuple[list[NDArray[np.float32]], int, int]:
        """Take `count` samples, 1 <= count <= available, and when the first and the last arrived."""
        taken: list[NDArray[np.float32]] = []
        first = last = self._pieces[0].arrival
        self._available -= count
        while count:
            piece = self._pieces[0]
            last = piece.arrival
            taken.append(piece.samples[:count])
            if len(piece.samples) <= count:
                self._pieces.popleft()
            else:
                piece.samples = piece.samples[count:]
            count -= len(taken[-1])
        if self._available < SAMPLES_PER_TICK:
            self.ready.clear()
        return taken, first, last


def _fade_in(samples: NDArray[np.float32]) -> None:
    samples *= np.linspace(0, 1, len(samples), dtype=np.float32)


def _fade_out(samples: NDArray[np.float32]) -> None:
    samples *= np.linspace(1, 0, len(samples), dtype=np.float32)
