import asyncio

import pytest

from mien.streaming.channel import Channel, ChannelClosed, WhenFull


async def test_items_come_out_in_order() -> None:
    channel: Channel[int] = Channel("numbers", capacity=3, when_full=WhenFull.WAIT)
    for number in range(3):
        await channel.send(number)
    assert [await channel.receive() for _ in range(3)] == [0, 1, 2]


async def test_a_full_channel_that_waits_holds_the_sender_back() -> None:
    channel: Channel[int] = Channel("numbers", capacity=1, when_full=WhenFull.WAIT)
    await channel.send(1)
    assert not channel.offer(9)
    sender = asyncio.create_task(channel.send(2))
    await asyncio.sleep(0)
    assert not sender.done()
    assert await channel.receive() == 1
    await sender
    assert await channel.receive() == 2
    assert channel.stats.dropped == 0


async def test_a_full_channel_that_drops_forgets_the_oldest_and_counts() -> None:
    channel: Channel[int] = Channel("numbers", capacity=2, when_full=WhenFull.DROP_OLDEST)
    for number in range(5):
        assert channel.offer(number)
    assert [await channel.receive(), await channel.receive()] == [3, 4]
    assert (channel.stats.sent, channel.stats.dropped) == (5, 3)


async def test_a_receiver_waits_for_the_next_item() -> None:
    channel: Channel[int] = Channel("numbers", capacity=1, when_full=WhenFull.WAIT)
    receiver = asyncio.create_task(channel.receive())
    await asyncio.sleep(0)
    await channel.send(7)
    assert await receiver == 7


async def test_a_closed_channel_can_be_emptied_but_not_filled() -> None:
    channel: Channel[int] = Channel("numbers", capacity=2, when_full=WhenFull.WAIT)
    await channel.send(1)
    channel.close()
    channel.close()
    with pytest.raises(ChannelClosed):
        await channel.send(2)
    assert await channel.receive() == 1
    with pytest.raises(ChannelClosed):
        await channel.receive()


async def test_closing_frees_whoever_waits() -> None:
    full: Channel[int] = Channel("full", capacity=1, when_full=WhenFull.WAIT)
    empty: Channel[int] = Channel("empty", capacity=1, when_full=WhenFull.WAIT)
    await full.send(1)
    waiting = [asyncio.create_task(full.send(2)), asyncio.create_task(empty.receive())]
    await asyncio.sleep(0)
    full.close()
    empty.close()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [ChannelClosed, ChannelClosed]


async def test_clearing_frees_a_waiting_sender() -> None:
    channel: Channel[int] = Channel("numbers", capacity=1, when_full=WhenFull.WAIT)
    await channel.send(1)
    sender = asyncio.create_task(channel.send(2))
    await asyncio.sleep(0)
    assert channel.clear() == 1
    await sender
    assert await channel.receive() == 2


def test_a_channel_needs_room() -> None:
    with pytest.raises(ValueError, match="capacity"):
        Channel("none", capacity=0, when_full=WhenFull.WAIT)
