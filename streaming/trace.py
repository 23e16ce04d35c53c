"""Every frame's story, on one monotonic clock, in a bounded ring."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from mien.engine.timebase import FRAME_RATE
from mien.streaming.clock import MILLISECOND, NANOSECONDS

PARTS: Final = (
    "frame_wait",
    "jitter_buffer",
    "look_ahead",
    "hand_over",
    "perform",
    "draw",
    "convert",
    "encode",
    "send",
)
"""The parts of the sound-to-picture delay, in the order of time; they add up to the whole."""


@dataclass(frozen=True, slots=True)
class FrameTrace:
    """The moments of one frame, in nanoseconds of the session's time source."""

    index: int
    first_arrival: int | None
    """The packet with the first sample that the frame shows reached this process; None without a packet."""

    last_arrival: int | None
    """The packet with the frame's last sample did."""

    taken: int
    """The sound was taken out of the jitter buffer, on the frame's own tick."""

    due: int
    """The tick began in which the frame came out of the animator: the look-ahead is over."""

    started: int
    """The engine's thread began."""

    performed: int
    drawn: int
    converted: int
    encoded: int
    sent: int
    """The first packet of the frame was handed to the network."""

    @property
    def live(self) -> bool:
        """Whether the frame shows sound that came in over the network, so that its delay has a meaning."""
        return self.first_arrival is not None and self.last_arrival is not None

    @property
    def delay_ms(self) -> float:
        """Sound-to-picture delay of the frame's first sample, which waited longest; nan if not live."""
        return self._span(self.first_arrival, self.sent)

    def parts_ms(self) -> tuple[float, ...]:
        """Return the delay's parts, as in PARTS."""
        moments = (
            self.first_arrival,
            self.last_arrival,
            self.taken,
            self.due,
            self.started,
            self.performed,
            self.drawn,
            self.converted,
            self.encoded,
            self.sent,
        )
        return tuple(self._span(earlier, later) for earlier, later in pairwise(moments))

    @staticmethod
    def _span(earlier: int | None, later: int | None) -> float:
        if earlier is None or later is None:
            return float("nan")
        return (later - earlier) / MILLISECOND


@dataclass(frozen=True, slots=True)
class DelaySummary:
    """The sound-to-picture delay over a while, in ms; None where no live frame was shown."""

    frames: int
    p50: float | None
    p95: float | None
    p99: float | None
    parts_p50: dict[str, float]
    parts_p95: dict[str, float]
    av_offset_p50: float | None
    av_offset_p95: float | None
    """95 % of the frames' offsets are no larger, either way."""


@dataclass(frozen=True, slots=True)
class Pair:
    """When a frame and the first packet of its own sound were handed to the network, in nanoseconds."""

    index: int
    picture: int
    voice: int

    @property
    def offset_ms(self) -> float:
        """How much later than its sound the picture left."""
        return (self.picture - self.voice) / MILLISECOND


class Trace:
    """Keeps the last frames' stories: the oldest is forgotten when the ring is full."""

    def __init__(self, capacity: int = 60 * FRAME_RATE) -> None:
        self._frames: deque[FrameTrace] = deque(maxlen=capacity)
        self._pairs: deque[Pair] = deque(maxlen=capacity)

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, frame: FrameTrace) -> None:
        """Keep one frame's story."""
        self._frames.append(frame)

    def add_pair(self, pair: Pair) -> None:
        """Keep when a picture and its sound left."""
        self._pairs.append(pair)

    def pairs_since(self, moment: int) -> list[Pair]:
        """Return the pairs whose picture was sent at `moment` or after it, oldest first."""
        return [pair for pair in self._pairs if pair.picture >= moment]

    def since(self, moment: int) -> list[FrameTrace]:
        """Return the frames sent at `moment` or after it, oldest first."""
        recent: list[FrameTrace] = []
        for frame in reversed(self._frames):
            if frame.sent < moment:
                break
            recent.append(frame)
        return recent[::-1]

    def frame_rate(self, now: int, seconds: float = 2.0) -> float:
        """Return the frames sent per second, over the last `seconds`."""
        return len(self.since(now - round(seconds * NANOSECONDS))) / seconds

    def summary(self, now: int, seconds: float = 10.0) -> DelaySummary:
        """Sum the last `seconds` up."""
        moment = now - round(seconds * NANOSECONDS)
        return summarise(self.since(moment), self.pairs_since(moment))


def summarise(frames: Sequence[FrameTrace], pairs: Sequence[Pair]) -> DelaySummary:
    """Return percentiles of the frames' delays and parts, and of the pairs' offsets."""
    live = [frame for frame in frames if frame.live]
    offsets = np.array([pair.offset_ms for pair in pairs])
    middle, worst = (
        (float(np.median(offsets)), float(np.percentile(np.abs(offsets), 95)))
        if len(offsets)
        else (None, None)
    )
    if not live:
        return DelaySummary(0, None, None, None, {}, {}, middle, worst)
    p50, p95, p99 = np.percentile([frame.delay_ms for frame in live], [50, 95, 99])
    parts = np.percentile(np.array([frame.parts_ms() for frame in live]), [50, 95], axis=0)
    return DelaySummary(
        len(live),
        float(p50),
        float(p95),
        float(p99),
        dict(zip(PARTS, map(float, parts[0]), strict=True)),
        dict(zip(PARTS, map(float, parts[1]), strict=True)),
        middle,
        worst,
    )
