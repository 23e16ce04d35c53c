import numpy as np
import pytest

from mien.streaming.clock import MILLISECOND
from mien.streaming.trace import PARTS, FrameTrace, Pair, Trace


def story(index: int, *, live: bool = True, encode_ms: float = 2.0) -> FrameTrace:
    start = index * 40
    moments = [0, 20, 23, 103, 104, 107, 115, 115.5, 115.5 + encode_ms, 118 + encode_ms]
    stamps = [round((start + moment) * MILLISECOND) for moment in moments]
    first, last, *rest = stamps
    return FrameTrace(index, first if live else None, last if live else None, *rest)


def test_the_parts_add_up_to_the_whole() -> None:
    frame = story(3)
    assert len(frame.parts_ms()) == len(PARTS)
    assert sum(frame.parts_ms()) == pytest.approx(frame.delay_ms) == pytest.approx(120)


def test_the_ring_forgets_the_oldest() -> None:
    trace = Trace(capacity=10)
    for index in range(50):
        trace.add(story(index))
    assert len(trace) == 10
    assert [frame.index for frame in trace.since(0)] == list(range(40, 50))


def test_percentiles_are_those_of_the_last_seconds() -> None:
    trace = Trace()
    for index in range(500):
        trace.add(story(index, encode_ms=2.0 if index < 400 else 12.0 if index % 10 == 0 else 4.0))
    now = trace.since(0)[-1].sent
    recent = trace.summary(now, seconds=2.0)
    assert recent.frames == pytest.approx(50, abs=1)
    assert recent.parts_p50["encode"] == pytest.approx(4.0)
    assert recent.p50 == pytest.approx(122.0)
    assert recent.p99 == pytest.approx(130.0, abs=0.5)
    assert trace.frame_rate(now) == pytest.approx(25, abs=0.6)


def test_silence_has_no_delay_but_counts_as_a_frame() -> None:
    trace = Trace()
    trace.add(story(0, live=False))
    summary = trace.summary(trace.since(0)[0].sent)
    assert (summary.frames, summary.p50, summary.parts_p50) == (0, None, {})
    assert np.isnan(story(0, live=False).delay_ms)


def test_offsets_keep_their_sign_in_the_middle_and_lose_it_in_the_worst() -> None:
    trace = Trace()
    for index in range(100):
        trace.add_pair(Pair(index, index * MILLISECOND, (index + (30 if index < 20 else 2)) * MILLISECOND))
    summary = trace.summary(100 * MILLISECOND)
    assert summary.av_offset_p50 == pytest.approx(-2)
    assert summary.av_offset_p95 == pytest.approx(30)
