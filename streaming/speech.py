"""Words on their way to be spoken: synthesized sound that waits for its tick."""

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.streaming.channel import Channel, WhenFull
from mien.streaming.jitter import PLAYBACK_RATE, SAMPLES_PER_TICK

PIECE_SAMPLES: Final = PLAYBACK_RATE
"""Speech is handed on in pieces of at most 1 s."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the speech; it comes back when the picture reaches it."""

    name: str


@dataclass(frozen=True, slots=True)
class _Item:
    content: NDArray[np.float32] | Mark
    generation: int


class SpeechLine:
    """Holds at most 20 s of speech that was synthesized ahead of time, and marks between its samples."""

    CAPACITY: Final = 20
    """Pieces of up to 1 s. When full, the synthesizer waits: every word must be said."""

    def __init__(self) -> None:
        self.generation = 0
        """Speech that was begun under an earlier generation has been interrupted."""
        self._items: Channel[_Item] = Channel("speech", capacity=self.CAPACITY, when_full=WhenFull.WAIT)
        self._next: deque[_Item] = deque()  # at most the item being said

    async def put(self, content: NDArray[np.float32] | Mark, generation: int) -> None:
        """Append 48 kHz mono sound, float32[n], or a mark; wait while the line is full.

        What belongs to an earlier generation is forgotten. Raises ChannelClosed once closed.
        """
        if isinstance(content, Mark):
            await self._put(content, generation)
            return
        for start in range(0, len(content), PIECE_SAMPLES):
            await self._put(content[start : start + PIECE_SAMPLES], generation)

    def take(self) -> tuple[NDArray[np.float32] | None, tuple[Mark, ...]]:
        """Return the next tick's speech, float32[1920], padded with silence, or None; and the marks in it."""
        parts: list[NDArray[np.float32]] = []
        marks: list[Mark] = []
        wanted = SAMPLES_PER_TICK
        while wanted and (item := self._head()) is not None:
            if isinstance(item.content, Mark):
                marks.append(item.content)
                continue
            parts.append(item.content[:wanted])
            wanted -= len(parts[-1])
            if len(parts[-1]) < len(item.content):
                self._next.append(_Item(item.content[len(parts[-1]) :], item.generation))
        if not parts:
            return None, tuple(marks)
        return np.concatenate([*parts, np.zeros(wanted, np.float32)]), tuple(marks)

    def clear(self) -> None:
        """Forget all speech that waits, and all that is still being made for it."""
        self.generation += 1
        self._next.clear()
        self._items.clear()

    def close(self) -> None:
        """Take no more. Closing twice is harmless."""
        self._items.close()

    async def _put(self, content: NDArray[np.float32] | Mark, generation: int) -> None:
        if generation == self.generation:
            await self._items.send(_Item(content, generation))

    def _head(self) -> _Item | None:
        while self._next or len(self._items):
            item = self._next.popleft() if self._next else self._items.take_now()
            if item.generation == self.generation:
                return item
        return None
