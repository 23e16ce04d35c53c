import asyncio

import numpy as np
import pytest

from mien.streaming.channel import ChannelClosed
from mien.streaming.speech import Mark, SpeechLine


async def test_speech_comes_out_tick_by_tick_with_its_marks() -> None:
    line = SpeechLine()
    await line.put(Mark("begin"), 0)
    await line.put(np.ones(3000, np.float32), 0)
    await line.put(Mark("middle"), 0)
    await line.put(np.full(500, 0.5, np.float32), 0)
    await line.put(Mark("end"), 0)
    first, marks = line.take()
    assert first is not None
    assert first.min() == 1
    assert marks == (Mark("begin"),)
    second, marks = line.take()
    assert second is not None
    np.testing.assert_array_equal(np.unique(second), [0, 0.5, 1])
    assert (second[:1080].min(), second[1080:1580].max(), second[1580:].max()) == (1, 0.5, 0)
    assert marks == (Mark("middle"), Mark("end"))
    assert line.take() == (None, ())


async def test_a_full_line_holds_the_synthesizer_back() -> None:
    line = SpeechLine()
    minute = np.zeros(60 * 48_000, np.float32)
    putting = asyncio.create_task(line.put(minute, 0))
    await asyncio.sleep(0)
    assert not putting.done()
    ticks = 0
    while line.take()[0] is not None:
        ticks += 1
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await putting
    assert ticks == 60 * 25


async def test_an_interruption_forgets_what_waits_and_what_is_still_being_made() -> None:
    line = SpeechLine()
    generation = line.generation
    putting = asyncio.create_task(line.put(np.ones(60 * 48_000, np.float32), generation))
    await asyncio.sleep(0)
    assert line.take()[0] is not None
    line.clear()
    await putting
    await line.put(np.ones(4000, np.float32), generation)
    assert line.take() == (None, ())
    await line.put(np.full(1920, 0.5, np.float32), line.generation)
    fresh, _ = line.take()
    assert fresh is not None
    assert fresh.max() == 0.5


async def test_a_closed_line_takes_no_more() -> None:
    line = SpeechLine()
    line.close()
    with pytest.raises(ChannelClosed):
        await line.put(np.ones(10, np.float32), line.generation)
