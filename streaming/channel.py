"""A queue that says what it does when it is full."""

import asyncio
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

T = TypeVar("T")


class WhenFull(Enum):
    """What a sender does to a full channel."""

    WAIT = "wait"
    """Hold the sender back: for what must all arrive, such as words to be spoken."""

    DROP_OLDEST = "drop oldest"
    """Forget the stalest: for what loses its worth, such as live sound and video."""


class ChannelClosed(Exception):
    """The channel was closed, and nothing is left in it."""


@dataclass(slots=True)
class ChannelStats:
    """What went through a channel since it was made."""

    sent: int = 0
    dropped: int = 0


class Channel(Generic[T]):
    """Carries items between tasks of one event loop, at most `capacity` at a time, in order."""

    def __init__(self, name: str, *, capacity: int, when_full: WhenFull) -> None:
        if capacity < 1:
            raise ValueError(f"channel {name!r} needs a capacity of at least 1, not {capacity}")
        self.name = name
        self.capacity = capacity
        self.when_full = when_full
        self.stats = ChannelStats()
        self._items: deque[T] = deque()
        self._closed = False
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def full(self) -> bool:
        """Whether the next item would wait, or push the oldest out."""
        return len(self._items) >= self.capacity

    @property
    def closed(self) -> bool:
        """Whether nothing more can be sent."""
        return self._closed

    async def send(self, item: T) -> None:
        """Put one item in, by the policy. Raises ChannelClosed once closed."""
        while self.when_full is WhenFull.WAIT and self.full and not self._closed:
            self._emptied.clear()
            await self._emptied.wait()
        self.offer(item)

    def offer(self, item: T) -> bool:
        """Put one item in without waiting, and return False where the policy would wait.

        Raises ChannelClosed once closed.
        """
        if self._closed:
            raise ChannelClosed(self.name)
        if self.full:
            if self.when_full is WhenFull.WAIT:
                return False
            self._items.popleft()
            self.stats.dropped += 1  # counted, never logged line by line
        self._items.append(item)
        self.stats.sent += 1
        self._filled.set()
        return True

    async def receive(self) -> T:
        """Take the oldest item, waiting for one. Raises ChannelClosed once closed and empty."""
        while not self._items:
            if self._closed:
                raise ChannelClosed(self.name)
            self._filled.clear()
            await self._filled.wait()
        return self.take_now()

    def take_now(self) -> T:
        """Take the oldest item without waiting. Raises IndexError if there is none."""
        item = self._items.popleft()
        self._emptied.set()
        return item

    def clear(self) -> int:
        """Forget what is inside; return how many items that was."""
        count = len(self._items)
        self._items.clear()
        self._emptied.set()
        return count

    def close(self) -> None:
        """Let nothing more in; what is inside can still be taken. Closing twice is harmless."""
        self._closed = True
        self._filled.set()
        self._emptied.set()
