"""The tick, in virtual time: a stand-in network, a face that reads levels, and no thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError
from stand_ins import LOOK_AHEAD, BarFace, bar_level

from mien.streaming.clock import MILLISECOND, NANOSECONDS, TICK, VirtualTime
from mien.streaming.pipeline import Mode, Pipeline
from mien.streaming.speech import Mark, SpeechLine
from mien.streaming.trace import Trace
from mien.streaming.tracks import EncodedTrack, Outlet

R = TypeVar("R")


class InlineEngine:
    """Works on the event loop, and takes as long as it is told to."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self.takes = 10 * MILLISECOND
        self.drawing_takes = 0

    async def run(self, work: Callable[[], R]) -> R:
        result = work()
        drawn = isinstance(result, list) and any(frame.picture for frame in result)
        await self._time.sleep_until(self._time.now() + self.takes + drawn * self.drawing_takes)
        return result


@dataclass
class Stage:
    """A pipeline in virtual time, with all it sent."""

    time: VirtualTime
    engine: InlineEngine
    face: BarFace
    pipeline: Pipeline
    speech: SpeechLine
    trace: Trace
    outlet: Outlet
    marks: list[str]
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    pictures: list[tuple[int, int, float]] = field(default_factory=list)
    """Media frame, moment in ns, bar level."""

    voice: list[tuple[int, int, float]] = field(default_factory=list)
    """pts, moment in ns, root mean square as decoded."""

    async def run(self, seconds: float) -> None:
        await self.time.run_until(self.time.now() + round(seconds * NANOSECONDS))

    def frames(self) -> list[int]:
        return [index for index, _, _ in self.pictures]

    def keep_sending(self, seconds: float, level: float = 0.2) -> None:
        """Send in a task that ends with the stage."""
        self.tasks.append(asyncio.create_task(self.send(seconds, level)))

    async def send(self, seconds: float, level: float = 0.2) -> None:
        """Let sound of a level arrive in packets of 20 ms, from now on, in a task of its own."""
        began = self.time.now()
        for number in range(round(seconds * 1000 / 20)):
            await self.time.sleep_until(began + number * 20 * MILLISECOND)
            if self.pipeline.mode is Mode.MIRROR:
                sound = level * np.sign(np.sin(np.arange(960) * 0.05)).astype(np.float32)
                self.pipeline.jitter.put(sound, self.time.now())


@asynccontextmanager
async def stage(mode: Mode = Mode.MIRROR) -> AsyncIterator[Stage]:
    time, face, speech, trace = VirtualTime(), BarFace(), SpeechLine(), Trace()
    engine, marks = InlineEngine(time), list[str]()
    outlet = Outlet(time, on_key_frame=lambda: pipeline.want_key_frame())
    pipeline = Pipeline(
        face=face,
        codec="VP8",
        engine=engine,
        time=time,
        outlet=outlet,
        trace=trace,
        speech=speech,
        on_mark=lambda mark: marks.append(mark.name),
        on_activity=lambda active: None,
        mode=mode,
    )
    built = Stage(time, engine, face, pipeline, speech, trace, outlet, marks)
    built.tasks += [
        asyncio.create_task(pipeline.animate()),
        asyncio.create_task(_watch(built, outlet.video)),
        asyncio.create_task(_watch(built, outlet.voice)),
    ]
    try:
        yield built
        assert not built.tasks[0].done(), built.tasks[0].exception()
    finally:
        outlet.close()
        for task in built.tasks:
            task.cancel()
        await asyncio.gather(*built.tasks, return_exceptions=True)


async def _watch(built: Stage, track: EncodedTrack) -> None:
    decoder = av.CodecContext.create("libvpx" if track.kind == "video" else "libopus", "r")
    while True:
        try:
            packet = await track.recv()
        except MediaStreamError:
            return
        now = built.time.now()
        [decoded] = decoder.decode(av.Packet(bytes(packet)))
        if track.kind == "video":
            built.pipeline.picture_sent(packet.pts, now)
            built.pictures.append((packet.pts // 3600, now, bar_level(decoded)))
        else:
            built.pipeline.voice_sent(packet.pts, now)
            level = float(np.sqrt(np.mean(np.square(decoded.to_ndarray().astype(float))))) / 32768
            built.voice.append((packet.pts, now, level))


async def test_without_any_sound_there_are_25_pictures_a_second() -> None:
    async with stage() as s:
        await s.run(4)
        assert s.frames() == list(range(len(s.pictures)))
        assert len(s.pictures) == pytest.approx(100 - LOOK_AHEAD, abs=1)
        assert s.pipeline.stats.frames_dropped == 0
        assert s.pipeline.jitter.stats.underruns == 0
        assert s.trace.summary(s.time.now()).p50 is None


async def test_the_delay_is_packet_frame_and_look_ahead_and_the_work() -> None:
    async with stage() as s:
        s.keep_sending(8)
        await s.run(8)
        summary = s.trace.summary(s.time.now(), seconds=4)
        assert summary.parts_p50["look_ahead"] == pytest.approx(80, abs=1)
        assert summary.parts_p50["frame_wait"] == pytest.approx(20, abs=1)
        assert summary.parts_p95["jitter_buffer"] < 4
        assert summary.p95 is not None
        assert summary.p95 < 20 + 4 + 80 + 10 + 2


async def test_picture_and_voice_of_a_moment_leave_together() -> None:
    async with stage() as s:
        s.keep_sending(3)
        await s.run(3)
        picture_left = {index: moment for index, moment, _ in s.pictures}
        voice_left = {pts // 1920: moment for pts, moment, _ in s.voice if pts % 1920 == 0}
        assert picture_left == voice_left
        halves = [moment - voice_left[pts // 1920] for pts, moment, _ in s.voice if pts % 1920 == 960]
        assert set(halves) == {20 * MILLISECOND}
        assert s.trace.summary(s.time.now()).av_offset_p95 == 0


async def test_picture_and_voice_show_the_same_sound() -> None:
    async with stage() as s:
        await s.run(1)
        for level in (0.05, 0.2):
            await asyncio.gather(s.send(0.5, level), s.run(1))
        loud = {index for index, _, level in s.pictures if level > 0.02}
        voiced = {pts // 1920 for pts, _, level in s.voice if level > 0.01}
        assert loud
        assert len(loud ^ voiced) <= 4  # Opus smears a little over the four ends


async def test_an_engine_that_falls_behind_drops_pictures_but_neither_motion_nor_voice() -> None:
    async with stage() as s:
        s.keep_sending(9)
        await s.run(1)
        s.engine.takes = 55 * MILLISECOND  # whatever it does: pictures cannot all be made in time
        await s.run(2)
        s.engine.takes = 10 * MILLISECOND
        await s.run(4)
        before = len(s.pictures)
        await s.run(1)
        assert len(s.pictures) - before == 25
        assert s.pipeline.stats.frames_dropped > 10
        assert s.frames() == sorted(set(s.frames()))
        delay = s.trace.summary(s.time.now(), seconds=1)
        assert delay.p95 is not None
        assert delay.p95 < 120  # nothing of the bad time is left


async def test_a_machine_that_is_always_late_still_shows_a_living_face() -> None:
    async with stage() as s:
        s.engine.takes, s.engine.drawing_takes = 39 * MILLISECOND, 60 * MILLISECOND
        s.keep_sending(12)
        await s.run(12)
        gaps = np.diff([moment for _, moment, _ in s.pictures]) / MILLISECOND
        assert max(gaps) < 450
        index, moment, _ = s.pictures[-1]
        assert moment / TICK - index < LOOK_AHEAD + 8  # late, but not ever later


async def test_time_goes_on_after_a_long_absence() -> None:
    async with stage() as s:
        s.keep_sending(6)
        await s.run(1)
        s.engine.takes = 2000 * MILLISECOND
        await s.run(0.05)
        s.engine.takes = 10 * MILLISECOND
        await s.run(4)
        assert s.pipeline.stats.ticks_skipped == pytest.approx(49, abs=2)
        index, moment, _ = s.pictures[-1]
        assert moment / TICK - index < LOOK_AHEAD + 1.5  # media time kept pace with real time
        assert s.face.performed < 5.1 * 25 - 45  # and was not performed in a rush


async def test_nothing_is_drawn_that_cannot_leave() -> None:
    async with stage() as s:
        await s.run(0.5)
        for task in asyncio.all_tasks():
            if task.get_coro().__qualname__ == "_watch":
                task.cancel()
        drawn = s.face.drawn
        await s.run(2)
        assert s.face.drawn - drawn <= 2
        assert s.pipeline.stats.frames_dropped >= 45
        assert s.face.performed == pytest.approx(2.5 * 25 - LOOK_AHEAD, abs=2)


async def test_an_interruption_is_silent_and_shut_within_two_frames_and_nothing_old_comes_later() -> None:
    async with stage(Mode.SAY) as s:
        await s.speech.put(0.2 * np.sign(np.sin(np.arange(48_000 * 9) * 0.05)).astype(np.float32), 0)
        await s.run(2)
        assert s.pictures[-1][2] > 0.5
        moment = s.time.now()
        s.pipeline.interrupt()
        await s.run(3)
        after = [(index, level) for index, at, level in s.pictures if at > moment + TICK]
        assert max(level for _, level in after[1:]) < 0.02
        heard = [level for _, at, level in s.voice if at > moment]
        assert max(heard[3:]) < 0.003
        assert s.face.interruptions == 1
        assert len(after) >= 73


async def test_an_interruption_while_a_frame_is_made_lets_its_voice_not_leave() -> None:
    async with stage(Mode.SAY) as s:
        await s.speech.put(np.full(48_000 * 5, 0.2, np.float32), 0)
        await s.run(1)
        next_tick = (s.time.now() // TICK + 1) * TICK
        await s.time.run_until(next_tick + 5 * MILLISECOND)  # the engine works for 10 ms
        packets = len(s.voice)
        s.pipeline.interrupt()
        await s.time.run_until(next_tick + 35 * MILLISECOND)
        assert len(s.voice) == packets


async def test_words_are_said_in_full_and_marks_come_back_with_their_picture() -> None:
    async with stage(Mode.SAY) as s:
        await s.run(0.5)
        await s.speech.put(Mark("begin"), 0)
        await s.speech.put(0.2 * np.sign(np.sin(np.arange(48_000) * 0.05)).astype(np.float32), 0)
        await s.speech.put(Mark("end"), 0)
        assert s.marks == []
        await s.run(0.2)
        assert s.marks == ["begin"]
        await s.run(1.5)
        assert s.marks == ["begin", "end"]
        assert sum(level > 0.5 for _, _, level in s.pictures) == pytest.approx(25, abs=1)


async def test_in_say_mode_the_microphone_is_not_shown() -> None:
    async with stage() as s:
        s.pipeline.set_mode(Mode.SAY)
        await asyncio.gather(s.send(1), s.run(1))
        assert max(level for _, _, level in s.pictures) == 0


async def test_silence_that_waits_is_left_out_to_catch_up() -> None:
    async with stage() as s:
        s.keep_sending(2, 0.0)
        await s.run(2)
        for _ in range(6):
            s.pipeline.jitter.put(np.zeros(960, np.float32), s.time.now())
        s.keep_sending(2, 0.0)
        await s.run(1.5)
        assert s.pipeline.stats.sound_trimmed >= 2
        assert s.pipeline.jitter.available < 2 * 1920
        await s.run(1)


async def test_commands_reach_the_face_and_only_the_latest_of_a_kind_waits() -> None:
    async with stage() as s:
        for gain in (0.1, 0.2, 0.3):
            s.pipeline.command("gain", lambda face, gain=gain: setattr(face, "mouth_gain", gain))
        await s.run(0.1)
        assert s.face.mouth_gain == 0.3


async def test_a_long_time_leaves_nothing_behind() -> None:
    async with stage() as s:
        s.engine.takes = 0
        s.face.draw = lambda index, motion: pytest.fail("drawn")  # type: ignore[method-assign]
        s.pipeline.TOO_LATE_TO_DRAW = -1  # type: ignore[misc]  # motion and voice only, for speed
        s.pipeline.LONGEST_FREEZE = 10**9  # type: ignore[misc]
        await s.run(60)
        assert len(s.pipeline._inside) == LOOK_AHEAD
        assert len(s.pipeline._on_their_way) + len(s.pipeline._voice_sent) <= 128
        assert s.pipeline.stats.frames_dropped == pytest.approx(1500 - LOOK_AHEAD, abs=1)
