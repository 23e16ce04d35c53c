"""The voice on its way out: it waits until its own picture leaves."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.streaming.jitter import SAMPLES_PER_TICK

_RAMP: Final = 120
"""2.5 ms: a voice that is cut off at once clicks."""


class VoiceLine:
    """Delays the voice by as many frames as the picture needs; frame k leaves with samples 1920 k and on.

    It never holds more than what was pushed and not yet taken: the animator's look-ahead, 80 ms.
    """

    LEAD: Final = 312
    """Samples (6.5 ms) by which the voice is sent early, because an Opus decoder plays it that much late."""

    CAPACITY: Final = 25 * SAMPLES_PER_TICK
    """1 s: more than any look-ahead. When full, the oldest is forgotten."""

    def __init__(self) -> None:
        self._samples = np.zeros(0, np.float32)
        self._start = 0

    def push(self, samples: NDArray[np.float32]) -> None:
        """Append the sound of a tick, float32[1920], 48 kHz."""
        self._samples = np.concatenate([self._samples, samples])
        self._drop(len(self._samples) - self.CAPACITY)

    def take(self, frame: int) -> NDArray[np.float32]:
        """Return the sound that leaves with frame `frame`, float32[1920], and forget all before its end."""
        first = frame * SAMPLES_PER_TICK + self.LEAD - self._start
        taken = np.zeros(SAMPLES_PER_TICK, np.float32)
        known = self._samples[max(first, 0) : max(first + SAMPLES_PER_TICK, 0)]
        skipped = max(-first, 0)
        taken[skipped : skipped + len(known)] = known
        self._drop(first + SAMPLES_PER_TICK)
        return taken

    def hush(self) -> None:
        """Turn everything that waits into silence, over the first 2.5 ms."""
        ramp = min(_RAMP, len(self._samples))
        self._samples[:ramp] *= np.linspace(1, 0, ramp, dtype=np.float32)
        self._samples[ramp:] = 0

    def _drop(self, count: int) -> None:
        count = min(max(count, 0), len(self._samples))
        self._samples = self._samples[count:]
        self._start += count
