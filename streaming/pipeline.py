"""Listen, animate, present: the heart of a session, one tick every 40 ms.

`listen` takes packets as they arrive and lays their sound into the jitter buffer. `animate` takes a tick's
sound out of it (or the words being spoken), has the engine's thread turn it into a picture and packets, and
releases both on the same tick. aiortc's senders present them.

Nothing here queues what is late: if the engine falls behind, motion and sound still advance, but pictures
are not drawn, and are counted; after a longer absence the clock moves on without making up for it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Protocol, TypeVar

import av
import numpy as np
from numpy.typing import NDArray

from mien.engine.animator import VideoFrame
from mien.engine.emotion import Style, StyleVector
from mien.engine.motion import MotionWindow, neutral_motion
from mien.engine.timebase import FRAME_RATE
from mien.streaming.channel import Channel, ChannelClosed, WhenFull
from mien.streaming.clock import MILLISECOND, TICK, MediaClock, TimeSource
from mien.streaming.decimation import DecimationState, decimate
from mien.streaming.encoders import VIDEO_CLOCK, MediaPacket, VideoCodec, VideoEncoder, VoiceEncoder
from mien.streaming.intake import AudioPacket, DecodedSound, Intake
from mien.streaming.jitter import SAMPLES_PER_TICK, SILENCE, JitterBuffer, SoundBlock
from mien.streaming.speech import Mark, SpeechLine
from mien.streaming.trace import FrameTrace, Pair, Trace
from mien.streaming.tracks import Outlet, frame_of_voice
from mien.streaming.voice import VoiceLine
from mien.streaming.voice_activity import VoiceActivity

R = TypeVar("R")


class Mode(StrEnum):
    """What the face says."""

    MIRROR = "mirror"
    """What the peer's microphone hears."""

    SAY = "say"
    """Text, through a speech synthesizer. The microphone is ignored."""


class Face(Protocol):
    """What a session drives: mien.engine.animator.Animator, or a stand-in."""

    mouth_gain: float
    voice_leads: bool

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the pictures, in pixels."""

    def perform(self, pcm: NDArray[np.float32]) -> MotionWindow:
        """Turn sound into the motion that became due, float32[frames, CHANNELS]."""

    def draw(self, index: int, motion: NDArray[np.float32]) -> VideoFrame:
        """Draw one frame of motion."""

    def interrupt(self) -> None:
        """Forget the sound that was not shown yet."""

    def set_style(self, style: Style | StyleVector) -> None:
        """Move towards another emotion, mixture or intensity."""

    def close(self) -> None:
        """Give everything back."""


class Engine(Protocol):
    """Runs work on the one thread that owns a session's face."""

    async def run(self, work: Callable[[], R]) -> R:
        """Return what `work` returns; raise what it raises."""


Command = Callable[[Face], None]


@dataclass(slots=True)
class PipelineStats:
    """Counts since the pipeline began."""

    frames_sent: int = 0
    frames_dropped: int = 0
    """Frames that became due and were not shown: drawn too late, or no room on the way out."""

    ticks_skipped: int = 0
    """Frames that never became due because the machine was away; they count as dropped too."""

    sound_trimmed: int = 0
    """Ticks of waiting silence that were left out to catch up."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """A tick whose sound went into the animator and whose frame has not come out yet."""

    index: int
    """Its media frame."""

    first_arrival: int | None
    last_arrival: int | None
    moment: int
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class _Task:
    """What the engine's thread is to do on one tick."""

    voice: NDArray[np.float32]
    """float32[1920] at 48 kHz: what is heard."""

    heard: NDArray[np.float32]
    """float32[640] at 16 kHz: what the face hears."""

    indexes: tuple[int, ...]
    """Media frames of the ticks that are inside the animator, oldest first, this tick's last."""

    commands: tuple[Command, ...]
    hush: bool
    draw: bool
    key: bool
    bitrate: int | None


@dataclass(frozen=True, slots=True)
class _Shown:
    """What one due frame became."""

    picture: MediaPacket | None
    voice: list[MediaPacket]
    moments: tuple[int, int, int, int, int]
    """Started, performed, drawn, converted, encoded."""


class FrameMaker:
    """All that the engine's thread owns: the face, the voice on its way, and both encoders."""

    def __init__(self, face: Face, codec: VideoCodec, time: TimeSource) -> None:
        self._face = face
        self._time = time
        self._voice = VoiceLine()
        self._video_encoder = VideoEncoder(codec, *face.size)
        self._voice_encoder = VoiceEncoder()
        self._next_frame = 0

    def warm_up(self) -> None:
        """Draw and encode one picture that nobody sees, so that the first one shown is not late."""
        drawing = self._face.draw(0, neutral_motion(1)[0])
        picture = av.VideoFrame.from_numpy_buffer(drawing.i420, format="yuv420p")
        self._video_encoder.encode(picture, 0, key=True)

    def work(self, task: _Task) -> list[_Shown]:
        """Advance by one tick of sound; return the frames that became due, of which the last may be drawn."""
        started = self._time.now()
        if task.hush:
            self._voice.hush()
        for command in task.commands:
            command(self._face)
        if task.bitrate is not None:
            self._video_encoder.aim_at(task.bitrate)
        self._voice.push(task.voice)
        motion = self._face.perform(task.heard)
        performed = self._time.now()
        last = len(motion) - 1
        return [
            self._show(row, task.indexes[order], task.draw and order == last, task.key, started, performed)
            for order, row in enumerate(motion)
        ]

    def _show(
        self, motion: NDArray[np.float32], index: int, draw: bool, key: bool, started: int, performed: int
    ) -> _Shown:
        frame, self._next_frame = self._next_frame, self._next_frame + 1
        picture = None
        drawn = converted = performed
        if draw:
            drawing = self._face.draw(frame, motion)
            drawn = self._time.now()
            converted_frame = av.VideoFrame.from_numpy_buffer(drawing.i420, format="yuv420p")
            converted = self._time.now()
            picture = self._video_encoder.encode(converted_frame, index, key=key)
        voice = self._voice_encoder.encode(self._voice.take(frame), index)
        return _Shown(picture, voice, (started, performed, drawn, converted, self._time.now()))


class Pipeline:
    """Runs one session's sound and pictures. Everything but `FrameMaker.work` happens on the event loop."""

    EAGERNESS: Final = 3 * MILLISECOND
    """A tick may begin this much early if its sound is there: on a calm network it begins with the packet."""

    TOO_LATE_TO_DRAW: Final = TICK * 3 // 4
    """A tick that begins 30 ms late does not draw: its picture would leave on the next one's time."""

    LONGEST_FREEZE: Final = 5
    """After this many frames undrawn (200 ms) one is drawn however late it is: a frozen face is worse."""

    TOO_LATE_TO_MAKE_UP: Final = 3 * TICK
    """After 120 ms the missed ticks are skipped, sound and all, instead of being performed in a rush."""

    QUIET: Final = 0.003
    """Root mean square (-50 dB) below which waiting sound may be left out to catch up."""

    def __init__(
        self,
        *,
        face: Face,
        codec: VideoCodec,
        engine: Engine,
        time: TimeSource,
        outlet: Outlet,
        trace: Trace,
        speech: SpeechLine,
        on_mark: Callable[[Mark], None],
        on_activity: Callable[[bool], None],
        mode: Mode = Mode.MIRROR,
    ) -> None:
        """Prepare; `listen` and `animate` run it.

        on_mark: called when the picture reaches a mark of the speech. on_activity: called each tick of a
        microphone's session with whether somebody speaks.
        """
        self.stats = PipelineStats()
        self.mode = mode
        self.jitter = JitterBuffer()
        self.intake = Intake()
        self.activity = VoiceActivity()
        self.packets: Channel[AudioPacket] = Channel(
            "packets",
            capacity=16,  # 320 ms at 20 ms each; `listen` empties it within a millisecond
            when_full=WhenFull.DROP_OLDEST,
        )
        self._maker = FrameMaker(face, codec, time)
        self._engine = engine
        self._time = time
        self._outlet = outlet
        self._trace = trace
        self._speech = speech
        self._on_mark = on_mark
        self._on_activity = on_activity
        self._inside: deque[_Taken] = deque()  # as many as the animator looks ahead: 2 frames, 80 ms
        self._commands: OrderedDict[str, Command] = OrderedDict()  # one of a kind: the latest counts
        self._hush = False
        self._generation = 0
        self._key_wanted = True
        self._bitrate: int | None = None
        self._undrawn = 0
        self._ear = DecimationState()
        self._on_their_way: OrderedDict[int, FrameTrace] = OrderedDict()
        self._picture_sent: OrderedDict[int, int] = OrderedDict()
        self._voice_sent: OrderedDict[int, int] = OrderedDict()

    def hear(self, packet: AudioPacket) -> None:
        """Take in a packet of the peer's sound; called on the event loop as it arrives."""
        if not self.packets.closed:
            self.packets.offer(packet)

    def command(self, kind: str, command: Command) -> None:
        """Have `command` called with the face, on its thread, before the next tick; one of a kind waits."""
        self._commands.pop(kind, None)
        self._commands[kind] = command

    def interrupt(self) -> None:
        """Forget all sound that has not left: it is neither heard nor shown later, and the mouth closes."""
        self._generation += 1
        self._hush = True
        self._ear = DecimationState()  # its memory holds 2 ms of the old sound
        self.jitter.clear()
        self._speech.clear()
        self._outlet.hush()
        self.command("interrupt", lambda face: face.interrupt())

    def set_mode(self, mode: Mode) -> None:
        """Listen to the microphone, or to the words being spoken, from the next tick on."""
        self.mode = mode

    def want_key_frame(self) -> None:
        """Make the next picture one that needs no other."""
        self._key_wanted = True

    def want_bitrate(self, bitrate: int) -> None:
        """Follow the receiver's estimate, in bits a second."""
        self._bitrate = bitrate

    def picture_sent(self, pts: int, moment: int) -> None:
        """Hear that the first packet of a picture was handed to the network."""
        frame = self._on_their_way.pop(pts * FRAME_RATE // VIDEO_CLOCK, None)
        if frame is not None:
            self.stats.frames_sent += 1
            self._trace.add(replace(frame, sent=moment))
            self._note_sent(self._picture_sent, frame.index, moment)

    def voice_sent(self, pts: int, moment: int) -> None:
        """Hear that a packet of sound was handed to the network."""
        index = frame_of_voice(pts)
        if index is not None:
            self._note_sent(self._voice_sent, index, moment)

    async def warm_up(self) -> None:
        """Make ready for the first tick, while the connection is still being made."""
        await self._engine.run(self._maker.warm_up)

    async def listen(self) -> None:
        """Turn packets into waiting sound, until the channel is closed."""
        while True:
            try:
                packet = await self.packets.receive()
            except ChannelClosed:
                return
            if self.mode is Mode.MIRROR:
                self._lay_in(self.intake.receive(packet))

    async def animate(self) -> None:
        """Tick for ever."""
        clock = MediaClock(self._time.now())
        self.jitter.clear()
        while True:
            await self._wait_for_tick(clock)
            late = self._time.now() - clock.due
            if late > self.TOO_LATE_TO_MAKE_UP:
                late -= self._skip(clock, late // TICK)
            await self._wait_for_sound(clock)
            in_time = late <= self.TOO_LATE_TO_DRAW
            await self._tick(clock, draw=in_time or self._undrawn >= self.LONGEST_FREEZE)

    def _skip(self, clock: MediaClock, ticks: int) -> int:
        """Let missed ticks go, with the sound that came for them; return how long they were, in ns."""
        clock.skip(ticks)
        self.stats.ticks_skipped += ticks
        self.stats.frames_dropped += ticks
        while self.jitter.discard_tick():
            pass
        return ticks * TICK

    async def _wait_for_tick(self, clock: MediaClock) -> None:
        await self._time.sleep_until(clock.due - self.EAGERNESS)
        if self.mode is Mode.MIRROR and self.jitter.flows(self._time.now()):
            await self._time.wait(self.jitter.ready, clock.due)
        else:
            await self._time.sleep_until(clock.due)

    async def _wait_for_sound(self, clock: MediaClock) -> None:
        if self.mode is not Mode.MIRROR or self.jitter.available >= SAMPLES_PER_TICK:
            return
        if self.jitter.flows(self._time.now()):
            await self._time.wait(self.jitter.ready, clock.due + JitterBuffer.PATIENCE)
        if self.jitter.available < SAMPLES_PER_TICK:
            self._lay_in(self.intake.flush())

    async def _tick(self, clock: MediaClock, *, draw: bool) -> None:
        tick, moment = clock.due, self._time.now()
        block, marks = self._take_sound(clock)
        heard, self._ear = decimate(block.samples, self._ear)
        if self.mode is Mode.MIRROR:
            self._on_activity(self.activity.push(heard))
        self._inside.append(_Taken(clock.index, block.first_arrival, block.last_arrival, moment, marks))
        clock.advance(block.last_arrival)
        task = self._next_task(block.samples, heard, draw=draw and not self._outlet.video.full)
        generation = self._generation
        shown = await self._engine.run(lambda: self._maker.work(task))
        if task.key and not any(frame.picture for frame in shown):
            self._key_wanted = True
        for order, frame in enumerate(shown):
            # A voice that was interrupted while its frame was being made is not heard any more.
            voice = frame.voice if generation == self._generation else []
            self._release(frame, voice, tick - (len(shown) - 1 - order) * TICK, moment)

    def _take_sound(self, clock: MediaClock) -> tuple[SoundBlock, tuple[Mark, ...]]:
        if self.mode is Mode.SAY:
            spoken, marks = self._speech.take()
            return SILENCE if spoken is None else SoundBlock(spoken), marks
        if self.jitter.available >= 2 * SAMPLES_PER_TICK and self.jitter.level < self.QUIET:
            self.jitter.discard_tick()
            clock.forget(1)
            self.stats.sound_trimmed += 1
        return self.jitter.take(self._time.now()), ()

    def _next_task(self, voice: NDArray[np.float32], heard: NDArray[np.float32], *, draw: bool) -> _Task:
        indexes = tuple(taken.index for taken in self._inside)
        commands = tuple(self._commands.values())
        key = draw and self._key_wanted
        task = _Task(voice, heard, indexes, commands, self._hush, draw, key, self._bitrate)
        self._commands.clear()
        self._hush = False
        self._bitrate = None
        self._key_wanted = self._key_wanted and not key
        return task

    def _release(self, shown: _Shown, voice: list[MediaPacket], tick: int, moment: int) -> None:
        taken = self._inside.popleft()
        if shown.picture is None:
            self.stats.frames_dropped += 1
            self._undrawn += 1
        else:
            self._undrawn = 0
            _remember(self._on_their_way, taken.index, _story(taken, shown, moment))
        self._outlet.release(taken.index, tick, shown.picture, voice)
        for mark in taken.marks:
            self._on_mark(mark)

    def _note_sent(self, which: OrderedDict[int, int], index: int, moment: int) -> None:
        _remember(which, index, moment)
        if index in self._picture_sent and index in self._voice_sent:
            self._trace.add_pair(Pair(index, self._picture_sent.pop(index), self._voice_sent.pop(index)))

    def _lay_in(self, sounds: list[DecodedSound]) -> None:
        for sound in sounds:
            self.jitter.put(sound.samples, sound.arrival, lost=sound.lost)


def _remember(ring: OrderedDict[int, R], key: int, value: R, capacity: int = 64) -> None:
    """Keep the last `capacity` values: 2.5 s of frames, by when a packet has left or never will."""
    ring[key] = value
    if len(ring) > capacity:
        ring.popitem(last=False)


def _story(taken: _Taken, shown: _Shown, due: int) -> FrameTrace:
    started, performed, drawn, converted, encoded = shown.moments
    return FrameTrace(
        index=taken.index,
        first_arrival=taken.first_arrival,
        last_arrival=taken.last_arrival,
        taken=taken.moment,
        due=due,
        started=started,
        performed=performed,
        drawn=drawn,
        converted=converted,
        encoded=encoded,
        sent=encoded,  # replaced by the real moment once the network has the first packet
    )
