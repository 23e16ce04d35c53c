"""Sessions between real aiortc peers over the machine's own network; what the caller receives is judged."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from stand_ins import FULL_LEVEL, BarFace, Caller, Microphone, Seen, call, syllables

from mien.engine.emotion import Emotion, Style
from mien.engine.errors import BackendUnavailable, ConfigError
from mien.streaming.lobby import Lobby
from mien.streaming.peer import OfferRefused
from mien.streaming.pipeline import Mode
from mien.streaming.session import Event, Session, SessionSettings, SpeechBacklog, WrongMode
from mien.streaming.synthesis import TextRefused

SETTINGS = SessionSettings(portrait="bar", size=(128, 128))


class ToneSynthesizer:
    """Says each word as a tone of 0.4 s."""

    sample_rate = 24_000

    def stream(self, text: str) -> Iterator[NDArray[np.float32]]:
        for _ in text.split():
            yield (0.2 * np.sin(np.arange(9600) * 0.06)).astype(np.float32)


class ShapeReader(Caller):
    """Notes the width and height of every picture received."""

    def __init__(self, microphone: Microphone) -> None:
        super().__init__(microphone)
        self.shapes: list[tuple[int, int]] = []

    def read(self, frame: av.VideoFrame) -> float:
        self.shapes.append((frame.width, frame.height))
        return super().read(frame)


@pytest.fixture
def faces() -> list[BarFace]:
    return []


@pytest.fixture
async def lobby(faces: list[BarFace]) -> AsyncIterator[Lobby]:
    def make(settings: SessionSettings) -> BarFace:
        faces.append(BarFace(settings.size))
        return faces[-1]

    opened = Lobby(make, 2, ToneSynthesizer())
    yield opened
    await opened.close()
    assert [face.closed >= 1 for face in faces] == [True] * len(faces)


def bar_against_sound(seen: Seen) -> tuple[float, int]:
    """Compare each picture's bar with the sound received for the same 40 ms.

    Returns their correlation, and by how many frames the pictures are late where they fit best.
    """
    sound, begin = seen.sound()
    levels = seen.levels()
    rows = [(media, level) for media, level in levels if 0 <= media - begin < len(sound) / 48_000 - 0.04]
    bars = np.array([level for _, level in rows])
    heard = np.array([_rms(sound, media - begin) for media, _ in rows])
    fits = {lag: float(np.corrcoef(bars, np.roll(heard, lag))[0, 1]) for lag in range(-3, 4)}
    best = max(fits, key=lambda lag: fits[lag])
    return fits[best], best


def _rms(sound: NDArray[np.float32], start: float) -> float:
    first = round(start * 48_000)
    return float(np.sqrt(np.mean(np.square(sound[first : first + 1920])))) / FULL_LEVEL


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition is the network's, nobody sets an event
            await asyncio.sleep(0.01)


async def stillness(caller: Caller) -> int:
    """Wait until pictures show no sound for longer than between two syllables; return how many have come."""
    await until(lambda: max((level for _, _, level in caller.seen.pictures[-8:]), default=1) == 0)
    return len(caller.seen.pictures)


async def gather_events(session: Session, into: list[Event]) -> None:
    async for event in session.events():
        into.append(event)  # noqa: PERF401 - others look while it grows


def states(events: list[Event]) -> list[str]:
    return [event["state"] for event in events if event["type"] == "speech"]


@pytest.mark.parametrize(("channels", "rate"), [(1, 48_000), (2, 48_000), (1, 16_000), (2, 44_100)])
async def test_the_picture_follows_the_voice_and_leaves_with_it(
    lobby: Lobby, channels: int, rate: int
) -> None:
    microphone = Microphone(syllables(10, rate), rate, channels=channels)
    async with call(lobby, SETTINGS, microphone) as (session, caller):
        await until(lambda: len(caller.seen.pictures) > 70)
        fit, late = bar_against_sound(caller.seen)
        assert fit > 0.97
        assert late == 0
        stats = session.stats()
        assert stats.state == "connected"
        assert stats.sound_to_picture_ms["p50"] is not None
        assert set(stats.sound_to_picture_ms["parts"]) >= {"jitter_buffer", "look_ahead", "encode", "send"}
        assert stats.av_offset_ms is not None
        assert abs(stats.av_offset_ms) < 20


async def test_h264_is_sent_to_a_peer_that_wants_it(lobby: Lobby) -> None:
    caller = Caller(Microphone(syllables(5, 48_000)))
    caller.prefer("video/H264")
    session, answer = await lobby.open(SETTINGS, await caller.offer())
    await caller.accept(answer)
    await until(lambda: len(caller.seen.pictures) > 25)
    await session.close()
    await caller.close()


async def test_a_browser_that_hides_its_addresses_is_connected_by_its_own_checks(lobby: Lobby) -> None:
    caller = Caller(Microphone(syllables(5, 48_000)))
    offer = re.sub(
        r"^(a=candidate:\S+ \d \S+ \d+) \S+", r"\1 nobody-answers-to.local", await caller.offer(), flags=re.M
    )
    assert "nobody-answers-to.local" in offer
    assert "a=end-of-candidates" in offer
    session, answer = await lobby.open(SETTINGS, offer)
    await caller.accept(answer)
    await until(lambda: len(caller.seen.pictures) > 10)
    await session.close()
    await caller.close()


async def test_a_malformed_named_candidate_is_refused(lobby: Lobby) -> None:
    caller = Caller(None)
    offer = await caller.offer() + "a=candidate:1 1 UDP many hidden.local 5000 typ host\r\n"
    with pytest.raises(OfferRefused, match="could not be understood"):
        await lobby.open(SETTINGS, offer)
    await caller.close()


async def test_a_muted_and_a_vanished_microphone_leave_a_living_face(lobby: Lobby) -> None:
    microphone = Microphone(syllables(10, 48_000))
    async with call(lobby, SETTINGS, microphone) as (session, caller):
        await until(lambda: len(caller.seen.pictures) > 25)
        microphone.hold_still(True)
        seen = await stillness(caller)
        await until(lambda: len(caller.seen.pictures) > seen + 25)
        assert max(level for _, _, level in caller.seen.pictures[seen:]) == 0
        microphone.hold_still(False)
        await until(lambda: max(level for _, _, level in caller.seen.pictures[-10:]) > 0.1)
        assert session.stats().state == "connected"


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_pictures_of_any_shape_arrive_whole(lobby: Lobby, codec: str) -> None:
    """Neither side a multiple of 16, as in 1080x1920."""
    settings = SessionSettings(portrait="bar", size=(154, 282))
    caller = ShapeReader(Microphone(syllables(20, 48_000)))
    caller.prefer(f"video/{codec}")
    async with call(lobby, settings, caller):
        await until(lambda: len(caller.shapes) > 30)
    assert set(caller.shapes) == {(154, 282)}
    assert max(level for _, _, level in caller.seen.pictures) > 0.2


async def test_a_peer_without_a_microphone_sees_the_face(lobby: Lobby) -> None:
    async with call(lobby, SETTINGS, None) as (session, caller):
        await until(lambda: len(caller.seen.pictures) > 20)
        assert session.stats().sound_to_picture_ms["p50"] is None


async def test_another_microphone_is_taken_over(lobby: Lobby) -> None:
    first, second = Microphone(np.zeros(0, np.float32)), Microphone(syllables(10, 48_000))
    async with call(lobby, SETTINGS, first) as (_, caller):
        await until(lambda: len(caller.seen.pictures) > 10)
        [sender] = [s for s in caller.connection.getSenders() if s.kind == "audio"]
        sender.replaceTrack(second)
        await until(lambda: max(level for _, _, level in caller.seen.pictures[-10:]) > 0.1)


async def test_a_second_offer_of_the_same_peer_goes_on_with_the_session(lobby: Lobby) -> None:
    async with call(lobby, SETTINGS, Microphone(syllables(10, 48_000))) as (session, caller):
        await until(lambda: len(caller.seen.pictures) > 10)
        await caller.accept(await session.renegotiate(await caller.offer()))
        seen = len(caller.seen.pictures)
        await until(lambda: len(caller.seen.pictures) > seen + 20)


async def test_text_is_said_and_events_tell_when(lobby: Lobby) -> None:
    settings = SessionSettings(portrait="bar", size=(128, 128), mode=Mode.SAY)
    async with call(lobby, settings, Microphone(syllables(10, 48_000))) as (session, caller):
        events: list[Event] = []
        reader = asyncio.create_task(gather_events(session, events))
        await until(lambda: len(caller.seen.pictures) > 5)
        assert max(level for _, _, level in caller.seen.pictures) == 0  # the microphone is not shown
        await session.say("one two three")
        await until(lambda: states(events) == ["started", "finished"])
        await stillness(caller)
        loud = [media for media, _, level in caller.seen.pictures if level > 0.3]
        assert loud[-1] - loud[0] == pytest.approx(1.2, abs=0.13)
        fit, late = bar_against_sound(caller.seen)
        assert (fit > 0.97, late) == (True, 0)
    await reader


async def test_an_interruption_ends_speech_on_the_wire(lobby: Lobby) -> None:
    settings = SessionSettings(portrait="bar", size=(128, 128), mode=Mode.SAY)
    async with call(lobby, settings, None) as (session, caller):
        events: list[Event] = []
        reader = asyncio.create_task(gather_events(session, events))
        for _ in range(3):
            await session.say("word " * 20)
        await until(lambda: max((level for _, _, level in caller.seen.pictures[-3:]), default=0) > 0.3)
        session.interrupt()
        pictures = await stillness(caller)
        await asyncio.sleep(0.1)  # the receiver holds sound for 80 ms
        sounds = len(caller.seen.sounds)
        await until(lambda: len(caller.seen.pictures) > pictures + 15)
        assert max(level for _, _, level in caller.seen.pictures[pictures:]) == 0
        assert max(float(np.abs(s).max()) for _, _, s in caller.seen.sounds[sounds:]) < 0.01
        assert {"type": "speech", "state": "finished", "interrupted": True} in events
        await session.say("again")
        await until(lambda: caller.seen.pictures[-1][2] > 0.3)
    await reader


async def test_modes_and_controls_change_while_it_runs(lobby: Lobby, faces: list[BarFace]) -> None:
    async with call(lobby, SETTINGS, Microphone(syllables(20, 48_000))) as (session, caller):
        await until(lambda: len(caller.seen.pictures) > 5)
        style = Style(Emotion.HAPPY, 2.0)
        session.set_style(style)
        session.set_mouth_gain(0.0)
        await until(lambda: faces[0].style == style and faces[0].mouth_gain == 0.0)
        session.set_mouth_gain(1.0)
        session.set_mode(Mode.SAY)
        assert session.mode is Mode.SAY
        seen = await stillness(caller)
        await until(lambda: len(caller.seen.pictures) > seen + 10)
        assert max(level for _, _, level in caller.seen.pictures[seen:]) == 0
        session.set_mode(Mode.MIRROR)
        await until(lambda: caller.seen.pictures[-1][2] > 0.1)


async def test_what_cannot_be_done_is_refused_with_its_remedy(lobby: Lobby) -> None:
    with pytest.raises(ConfigError, match="size"):
        SessionSettings(portrait="bar", size=(500, 501))
    with pytest.raises(ConfigError, match="gain"):
        SessionSettings(portrait="bar", mouth_gain=-1)
    async with call(lobby, SETTINGS, None) as (session, _):
        with pytest.raises(WrongMode):
            await session.say("word")
        session.set_mode(Mode.SAY)
        with pytest.raises(TextRefused):
            await session.say("  ")
        with pytest.raises(ConfigError):
            session.set_mouth_gain(7)
        for _ in range(Session.MAX_TEXTS):
            await session.say("word")
        with pytest.raises(SpeechBacklog):
            await session.say("word")


async def test_without_a_synthesizer_text_is_refused() -> None:
    lobby = Lobby(lambda settings: BarFace(settings.size), 1)
    async with call(lobby, SETTINGS, None) as (session, _):
        session.set_mode(Mode.SAY)
        with pytest.raises(BackendUnavailable, match="synthesizer"):
            await session.say("word")
    assert not lobby.can_say
    await lobby.close()


async def test_the_peer_that_hangs_up_ends_the_session(lobby: Lobby) -> None:
    caller = Caller(Microphone(syllables(5, 48_000)))
    session, answer = await lobby.open(SETTINGS, await caller.offer())
    await caller.accept(answer)
    await until(lambda: len(caller.seen.pictures) > 3)
    await caller.close()
    async with asyncio.timeout(5):
        await session.wait_closed()
    await asyncio.sleep(0)
    assert lobby.free_places == 2


async def test_a_lossy_network_that_swaps_packets_leaves_picture_and_voice_in_step(lobby: Lobby) -> None:
    async with call(lobby, SETTINGS, Microphone(syllables(10, 48_000))) as (session, caller):
        await until(lambda: len(caller.seen.pictures) > 3)
        [sender] = [s for s in caller.connection.getSenders() if s.kind == "audio"]
        send, sent, kept = sender.transport._send_rtp, 0, list[bytes]()

        async def send_badly(data: bytes) -> None:
            nonlocal sent
            sent += 1
            if sent % 15 == 0:
                return  # 7 % are lost
            if sent % 11 == 0:
                kept.append(data)
                return  # and 9 % come after the next
            await send(data)
            while kept:
                await send(kept.pop())

        setattr(sender.transport, "_send_rtp", send_badly)  # noqa: B010
        await until(lambda: len(caller.seen.pictures) > 90)
        fit, late = bar_against_sound(caller.seen)
        assert fit > 0.95
        assert late == 0
        order = session._pipeline.intake.order.stats if session._pipeline else None
        assert order is not None
        assert order.lost > 3
        assert order.reordered > 3


async def test_a_peer_that_vanishes_without_a_word_is_noticed(
    lobby: Lobby, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aioice.ice.CONSENT_INTERVAL", 0.2)
    caller = Caller(Microphone(syllables(5, 48_000)))
    session, answer = await lobby.open(SETTINGS, await caller.offer())
    await caller.accept(answer)
    events: list[Event] = []
    reader = asyncio.create_task(gather_events(session, events))
    await until(lambda: len(caller.seen.pictures) > 10)
    [sender] = [s for s in caller.connection.getSenders() if s.kind == "audio"]
    for protocol in sender.transport.transport._connection._protocols:
        protocol.transport.abort()  # as if the machine had been switched off
    async with asyncio.timeout(15):
        await session.wait_closed()
    await reader
    assert [event["code"] for event in events if event["type"] == "error"] == ["connection_lost"]
    assert lobby.free_places == 2
    await caller.close()


async def test_a_peer_that_never_connects_is_told_and_let_go(
    lobby: Lobby, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "CONNECT_WITHIN", 0.2)
    caller = Caller(None)
    session, _ = await lobby.open(SETTINGS, await caller.offer())
    events: list[Event] = []
    async with asyncio.timeout(5):
        await gather_events(session, events)
        await session.wait_closed()
    assert [event["code"] for event in events] == ["connection_blocked"]
    await caller.close()


async def test_a_face_that_fails_ends_its_session_alone_and_says_so(
    lobby: Lobby, faces: list[BarFace], caplog: pytest.LogCaptureFixture
) -> None:
    async with call(lobby, SETTINGS, None) as (broken, _), call(lobby, SETTINGS, None) as (_, other):
        events: list[Event] = []
        reader = asyncio.create_task(gather_events(broken, events))
        await until(lambda: len(other.seen.pictures) > 5)

        def fail(pcm: NDArray[np.float32]) -> NDArray[np.float32]:
            raise RuntimeError("secret path")

        faces[0].perform = fail  # type: ignore[method-assign]
        async with asyncio.timeout(5):
            await broken.wait_closed()
        await reader
        assert events[-1]["code"] == "internal"
        assert "secret" not in str(events)
        seen = len(other.seen.pictures)
        await until(lambda: len(other.seen.pictures) > seen + 10)
    assert "failed" in caplog.text
