from __future__ import annotations

import asyncio
import gc
import random
import threading
import time

import psutil
import pytest
from stand_ins import BarFace, Caller, Microphone, call, syllables

from mien.engine.errors import AssetError
from mien.streaming.lobby import Lobby, ServerClosing, ServerFull
from mien.streaming.peer import OfferRefused
from mien.streaming.session import SessionSettings

SETTINGS = SessionSettings(portrait="bar", size=(128, 128))


async def test_a_full_lobby_says_when_to_come_back() -> None:
    lobby = Lobby(lambda settings: BarFace(settings.size), 1)
    second = Caller(None)
    async with call(lobby, SETTINGS, None) as (session, _):
        assert lobby.free_places == 0
        assert lobby.sessions == {session.id: session}
        with pytest.raises(ServerFull) as refusal:
            await lobby.open(SETTINGS, await second.offer())
        assert refusal.value.retry_after_s > 0
    assert lobby.free_places == 1
    await second.close()
    await lobby.close()


@pytest.mark.parametrize(
    "offer",
    [
        "",
        "hello",
        "v=0\r\n",
        "x" * 100_000,
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nm=audio 9 X\r\n",
    ],
)
async def test_a_malformed_offer_is_refused_and_takes_no_place(offer: str) -> None:
    faces: list[BarFace] = []
    lobby = Lobby(lambda settings: faces.append(BarFace()) or faces[-1], 1)
    with pytest.raises(OfferRefused):
        await lobby.open(SETTINGS, offer)
    await asyncio.sleep(0.05)
    assert lobby.free_places == 1
    assert faces[0].closed
    await lobby.close()


async def test_an_offer_with_sound_alone_is_refused() -> None:
    lobby = Lobby(lambda settings: BarFace(), 1)
    caller = Caller(None)
    [video] = [t for t in caller.connection.getTransceivers() if t.kind == "video"]
    offer = await caller.offer()
    assert video.mid is not None
    with pytest.raises(OfferRefused, match="lacks"):
        await lobby.open(SETTINGS, offer[: offer.index("m=video")].replace("BUNDLE 0 1", "BUNDLE 0"))
    await caller.close()
    await lobby.close()


def mutate(offer: str, rng: random.Random) -> str:
    """Delete, double, damage or shuffle some lines."""
    lines = offer.split("\r\n")
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(lines))
        what = rng.choice(["delete", "double", "damage", "damage", "shuffle"])
        if what == "delete":
            del lines[place]
        elif what == "double":
            lines.insert(place, rng.choice(lines))
        elif what == "shuffle":
            rng.shuffle(lines)
        else:
            cut = rng.randint(0, len(lines[place]))
            junk = rng.choice(["x", "0", "999999", " ", "\x00", "m=", "-1"])
            lines[place] = lines[place][:cut] + junk + lines[place][cut + rng.randint(0, 3) :]
    return "\r\n".join(lines)


async def test_damaged_offers_are_refused_or_answered_and_leave_nothing() -> None:
    lobby = Lobby(lambda settings: BarFace(), 1)
    caller, rng = Caller(Microphone(syllables(1, 48_000))), random.Random(4)
    offer = await caller.offer()
    await asyncio.sleep(0.1)
    before = census()
    outcomes = {"refused": 0, "answered": 0}
    for _ in range(80):
        try:
            session, _ = await lobby.open(SETTINGS, mutate(offer, rng))
        except OfferRefused:
            outcomes["refused"] += 1
        else:
            outcomes["answered"] += 1
            await session.close()
            await asyncio.sleep(0)
    await asyncio.sleep(0.1)
    assert min(outcomes.values()) > 10
    assert census() == before
    await caller.close()
    await lobby.close()


async def test_a_face_that_cannot_be_made_takes_no_place() -> None:
    def fail(settings: SessionSettings) -> BarFace:
        raise AssetError("No such portrait.", remedy="Choose another.")

    lobby = Lobby(fail, 1)
    with pytest.raises(AssetError):
        await lobby.open(SETTINGS, "")
    assert lobby.free_places == 1
    await lobby.close()


async def test_a_peer_that_leaves_while_its_face_is_made_leaves_nothing() -> None:
    faces: list[BarFace] = []
    begun = threading.Event()

    def make(settings: SessionSettings) -> BarFace:
        begun.set()
        time.sleep(0.2)
        faces.append(BarFace())
        return faces[-1]

    lobby = Lobby(make, 1)
    opening = asyncio.create_task(lobby.open(SETTINGS, ""))
    await asyncio.to_thread(begun.wait)
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)
    await asyncio.sleep(0.4)
    assert lobby.free_places == 1
    assert faces[0].closed
    await lobby.close()


async def test_closing_ends_every_session_and_admits_nobody() -> None:
    lobby = Lobby(lambda settings: BarFace(settings.size), 2)
    async with call(lobby, SETTINGS, None) as (first, _), call(lobby, SETTINGS, None) as (second, _):
        await lobby.close()
        await asyncio.gather(first.wait_closed(), second.wait_closed())
        assert lobby.sessions == {}
        with pytest.raises(ServerClosing):
            await lobby.open(SETTINGS, "")
    await lobby.close()


def census() -> tuple[int, int, int]:
    """Tasks, threads (of ours and of aiortc) and sockets."""
    ours = [thread for thread in threading.enumerate() if not thread.name.startswith("asyncio")]
    sockets = len(psutil.Process().net_connections(kind="inet"))
    return len(asyncio.all_tasks()), len(ours), sockets


@pytest.mark.slow
async def test_a_hundred_connects_and_disconnects_leave_nothing_behind() -> None:
    faces: list[BarFace] = []
    lobby = Lobby(lambda settings: faces.append(BarFace(settings.size)) or faces[-1], 1)
    process = psutil.Process()

    async def once(number: int) -> None:
        microphone = Microphone(syllables(1, 48_000)) if number % 2 else None
        async with call(lobby, SETTINGS, microphone) as (_, caller):
            async with asyncio.timeout(10):
                while not caller.seen.pictures:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

    async def settle() -> None:
        await asyncio.sleep(0.3)
        gc.collect()

    for number in range(10):
        await once(number)
    await settle()
    before, memory = census(), process.memory_info().rss
    for number in range(100):
        await once(number)
    await settle()
    assert census() == before
    assert process.memory_info().rss - memory < 30e6
    assert all(face.closed for face in faces)
    await lobby.close()
