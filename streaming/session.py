"""One conversation with one peer, from its offer to its end."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.engine.emotion import Style, StyleVector
from mien.engine.errors import BackendUnavailable, ConfigError, MienError
from mien.engine.framing import Size, check_size
from mien.engine.performer import WIDEST_MOUTH_GAIN
from mien.streaming.channel import Channel, ChannelClosed, WhenFull
from mien.streaming.clock import NANOSECONDS, SystemTime, TimeSource
from mien.streaming.intake import AudioPacket, PlaybackResampler
from mien.streaming.peer import Peer
from mien.streaming.pipeline import Face, Mode, Pipeline
from mien.streaming.speech import Mark, SpeechLine
from mien.streaming.synthesis import SpeechSynthesizer, check_text
from mien.streaming.trace import DelaySummary, Trace
from mien.streaming.tracks import Outlet

logger = logging.getLogger(__name__)
R = TypeVar("R")

Event = dict[str, Any]
"""Something to tell the page, ready for JSON; `type` says what."""

_BEGIN: Final = "begin"
_END: Final = "end"


class SpeechBacklog(MienError):
    """More texts were sent than are spoken."""


class WrongMode(MienError):
    """Text was sent to a session that shows a microphone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """What a session shows and how. Everything but the portrait and the size can be changed later."""

    portrait: str
    """The portrait's id, as the renderers' factory knows it."""

    mode: Mode = Mode.MIRROR
    size: Size | None = None
    """Width and height of the picture, in pixels; None takes what the server shows by default."""

    style: Style = field(default_factory=Style)
    mouth_gain: float = 1.0
    """How far the mouth opens, 0..WIDEST_MOUTH_GAIN; 1 is as spoken."""

    def __post_init__(self) -> None:
        if self.size is not None:
            check_size(self.size)
        check_mouth_gain(self.mouth_gain)


@dataclass(frozen=True, slots=True)
class SessionStats:
    """A session's figures, as told to the page each second. Delays in ms."""

    state: str
    """The peer connection's: new, connecting, connected, failed, closed."""

    uptime_s: float
    fps: float
    """Pictures handed to the network per second, over the last 2 s."""

    frames_sent: int
    frames_dropped: int
    audio_underruns: int
    sound_to_picture_ms: dict[str, Any]
    """p50, p95, p99 over the last 10 s, `parts` (p50 each), `parts_p95`; None where nothing was heard."""

    av_offset_ms: float | None
    """How much later than its sound a picture leaves (median of 10 s), measured at sending."""

    speaking: bool
    """Whether speech is heard (mirror) or said (say) right now."""


def check_mouth_gain(gain: float) -> None:
    """Raise ConfigError unless 0 <= gain <= WIDEST_MOUTH_GAIN."""
    if not 0.0 <= gain <= WIDEST_MOUTH_GAIN:
        raise ConfigError(
            f"The mouth gain is {gain}, outside 0..{WIDEST_MOUTH_GAIN:g}.",
            remedy="Use 1 to open the mouth as spoken.",
        )


class EngineThread:
    """The one thread that owns a session's face."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(self, work: Callable[[], R]) -> R:
        """Return what `work` returns; raise what it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def finish(self, work: Callable[[], object]) -> None:
        """Do one last thing after all the others, and let the thread end; wait for neither."""
        self._executor.submit(work)
        self._executor.shutdown(wait=False)


class _SessionOverError(Exception):
    """Ends the task group: the session was closed, or its peer has gone."""


class Session:
    """Made by `Lobby.open`. Every method is called on the event loop."""

    CONNECT_WITHIN: Final = 20.0
    """Seconds from the answer to the connection."""

    MAX_TEXTS: Final = 16
    """Texts that may wait to be spoken."""

    def __init__(
        self,
        settings: SessionSettings,
        face: Face,
        engine: EngineThread,
        *,
        synthesizer: SpeechSynthesizer | None,
        synthesis: Executor,
        time: TimeSource | None = None,
    ) -> None:
        self.id = secrets.token_urlsafe(16)
        self.settings = settings
        self.trace = Trace()
        self._time = time or SystemTime()
        self._face = face
        self._engine = engine
        self._synthesizer = synthesizer
        self._synthesis = synthesis
        self._mode = settings.mode
        self._began = self._time.now()
        self._events: Channel[Event] = Channel(
            "events",
            capacity=64,  # a minute of figures: a page that does not read them loses the oldest
            when_full=WhenFull.DROP_OLDEST,
        )
        self._texts: Channel[tuple[str, int]] = Channel(
            "texts", capacity=self.MAX_TEXTS, when_full=WhenFull.WAIT
        )
        self._speech = SpeechLine()
        self._speaking = False
        self._outlet = Outlet(self._time, on_key_frame=self._want_key_frame)
        self._peer = Peer(
            self._outlet,
            on_packet=self._hear,
            on_picture_sent=lambda pts, moment: self._with_pipeline(lambda p: p.picture_sent(pts, moment)),
            on_voice_sent=lambda pts, moment: self._with_pipeline(lambda p: p.voice_sent(pts, moment)),
            on_key_frame=self._want_key_frame,
            on_bitrate=lambda bitrate: self._with_pipeline(lambda p: p.want_bitrate(bitrate)),
        )
        self._pipeline: Pipeline | None = None
        self._runner: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._closed = asyncio.Event()

    async def start(self, offer: str) -> str:
        """Accept the peer's offer and begin; return the answer. Raises OfferRefused."""
        answer, codec = await self._peer.answer(offer)
        self._pipeline = Pipeline(
            face=self._face,
            codec=codec,
            engine=self._engine,
            time=self._time,
            outlet=self._outlet,
            trace=self.trace,
            speech=self._speech,
            on_mark=self._reach,
            on_activity=self._tell_speech,
            mode=self._mode,
        )
        self.set_style(self.settings.style)
        self.set_mouth_gain(self.settings.mouth_gain)
        self._runner = asyncio.create_task(self._run(), name=f"session {self.id}")
        return answer

    async def renegotiate(self, offer: str) -> str:
        """Accept a later offer of the same peer; return the answer. Raises OfferRefused."""
        answer, _ = await self._peer.answer(offer)
        return answer

    @property
    def mode(self) -> Mode:
        """What the face says at present."""
        return self._mode

    async def say(self, text: str) -> None:
        """Have the text spoken after those that wait. Returns at once.

        Raises TextRefused, SpeechBacklog, WrongMode, or BackendUnavailable without a synthesizer.
        """
        text = check_text(text)
        if self._mode is not Mode.SAY:
            raise WrongMode(
                "This session mirrors a microphone.", remedy='Change its mode to "say" before sending text.'
            )
        if self._synthesizer is None:
            raise BackendUnavailable(
                "This server has no speech synthesizer.",
                remedy="Install one with: pip install 'mien[tts]', and start the server again.",
            )
        if self._texts.closed:
            return
        if not self._texts.offer((text, self._speech.generation)):
            raise SpeechBacklog(
                f"{self.MAX_TEXTS} texts wait to be spoken already.",
                remedy="Wait until speech has finished, or interrupt it first.",
            )

    def interrupt(self) -> None:
        """Fall silent now: nothing said or heard before is heard or shown later."""
        self._texts.clear()
        self._with_pipeline(Pipeline.interrupt)
        self._tell_speech(False, interrupted=True)

    def set_style(self, style: Style | StyleVector) -> None:
        """Move to another emotion, mixture or intensity."""
        self._with_pipeline(lambda p: p.command("style", lambda face: face.set_style(style)))

    def set_voice_leads(self, leads: bool) -> None:
        """Take the emotion from the voice, or from what was set."""
        self._with_pipeline(lambda p: p.command("voice_leads", lambda face: _set_lead(face, leads)))

    def set_mouth_gain(self, gain: float) -> None:
        """Open the mouth more or less: 0 not at all, 1 as spoken. May raise ConfigError."""
        check_mouth_gain(gain)
        self._with_pipeline(lambda p: p.command("mouth_gain", lambda face: _set_gain(face, gain)))

    def set_mode(self, mode: Mode) -> None:
        """Change over between microphone and text; what was on its way of the old one is forgotten."""
        if mode is not self._mode:
            self.interrupt()
            self._mode = mode
            self._with_pipeline(lambda p: p.set_mode(mode))

    async def events(self) -> AsyncIterator[Event]:
        """Yield what happens, until the session has ended. For one reader."""
        while True:
            try:
                yield await self._events.receive()
            except ChannelClosed:
                return

    def stats(self) -> SessionStats:
        """Return the figures of this moment."""
        now = self._time.now()
        summary = self.trace.summary(now)
        counts, pipeline = _Counts(), self._pipeline
        if pipeline is not None:
            counts = _Counts(
                pipeline.stats.frames_sent, pipeline.stats.frames_dropped, pipeline.jitter.stats.underruns
            )
        return SessionStats(
            state=self._peer.state,
            uptime_s=round((now - self._began) / NANOSECONDS, 1),
            fps=round(self.trace.frame_rate(now), 1),
            frames_sent=counts.sent,
            frames_dropped=counts.dropped,
            audio_underruns=counts.underruns,
            sound_to_picture_ms=_delays(summary),
            av_offset_ms=_rounded(summary.av_offset_p50),
            speaking=self._speaking,
        )

    async def close(self) -> None:
        """End the session and give everything back. Closing twice is harmless."""
        self._closing.set()
        if self._runner is None:
            await self._give_back()
        await self._closed.wait()

    async def wait_closed(self) -> None:
        """Return once the session has ended, whoever ended it, and everything is given back."""
        await self._closed.wait()

    async def _run(self) -> None:
        try:
            await self._run_tasks()
        except* _SessionOverError:
            pass
        except* MienError as group:
            self._tell_error(group.exceptions[0])
        except* Exception:
            logger.exception("session %s failed", self.id)
            self._tell("error", code="internal", problem="The session failed.", remedy="Start it again.")
        finally:
            await self._give_back()

    async def _run_tasks(self) -> None:
        pipeline = self._pipeline
        assert pipeline is not None
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_close(), name="watch close")
            tasks.create_task(self._watch_peer(), name="watch peer")
            await pipeline.warm_up()
            if not await self._connected():
                return
            tasks.create_task(pipeline.listen(), name="listen")
            tasks.create_task(pipeline.animate(), name="animate")
            tasks.create_task(self._speak(), name="speak")
            tasks.create_task(self._report(), name="report")

    async def _connected(self) -> bool:
        try:
            async with asyncio.timeout(self.CONNECT_WITHIN):
                await self._peer.connected.wait()
        except TimeoutError:
            self._closing.set()
            self._tell(
                "error",
                code="connection_blocked",
                problem="No media connection came about.",
                remedy="Check that no firewall or VPN blocks UDP between this machine and the server.",
            )
            return False
        return True

    async def _watch_close(self) -> None:
        await self._closing.wait()
        raise _SessionOverError

    async def _watch_peer(self) -> None:
        await self._peer.ended.wait()
        # Whether the network failed or the peer hung up, aiortc cannot say; who hung up no longer listens.
        self._tell(
            "error",
            code="connection_lost",
            problem="The media connection has ended.",
            remedy="Check the network, then start again.",
        )
        raise _SessionOverError

    async def _report(self) -> None:
        while True:
            await self._time.sleep_until(self._time.now() + NANOSECONDS)
            self._tell("stats", **asdict(self.stats()))

    async def _speak(self) -> None:
        """Have one text after the other synthesized, as far ahead as the speech line holds."""
        while True:
            text, generation = await self._texts.receive()
            if generation != self._speech.generation:
                continue
            try:
                await self._synthesize(text, generation)
            except MienError as error:
                self._tell_error(error)

    async def _synthesize(self, text: str, generation: int) -> None:
        assert self._synthesizer is not None
        loop, resampler = asyncio.get_running_loop(), PlaybackResampler()
        blocks, rate = self._synthesizer.stream(text), self._synthesizer.sample_rate
        await self._speech.put(Mark(_BEGIN), generation)
        while generation == self._speech.generation:
            block = await loop.run_in_executor(self._synthesis, _next_block, blocks)
            if block is None:
                break
            await self._speech.put(resampler.push_samples(block, rate), generation)
        await self._speech.put(resampler.flush(), generation)
        await self._speech.put(Mark(_END), generation)

    def _reach(self, mark: Mark) -> None:
        if mark.name in (_BEGIN, _END):
            self._tell_speech(mark.name == _BEGIN)
        else:
            self._tell("mark", name=mark.name)

    def _hear(self, packet: AudioPacket) -> None:
        self._with_pipeline(lambda p: p.hear(packet))

    def _tell_speech(self, speaking: bool, **more: bool) -> None:
        if speaking != self._speaking:
            self._speaking = speaking
            self._tell("speech", state="started" if speaking else "finished", **more)

    def _tell_error(self, error: BaseException) -> None:
        assert isinstance(error, MienError)
        self._tell("error", code=type(error).__name__, problem=error.problem, remedy=error.remedy)

    def _tell(self, kind: str, **content: Any) -> None:
        if not self._events.closed:
            self._events.offer({"type": kind, **content})

    def _want_key_frame(self) -> None:
        self._with_pipeline(Pipeline.want_key_frame)

    def _with_pipeline(self, act: Callable[[Pipeline], None]) -> None:
        if self._pipeline is not None:
            act(self._pipeline)

    async def _give_back(self) -> None:
        if self._closed.is_set():
            return
        try:
            await self._peer.close()
            await self._engine.run(self._face.close)
        finally:
            self._engine.finish(self._face.close)  # harmless if it was closed; needed if this was cancelled
            self._events.close()
            self._texts.close()
            self._speech.close()
            self._closed.set()


@dataclass(frozen=True, slots=True)
class _Counts:
    sent: int = 0
    dropped: int = 0
    underruns: int = 0


def _set_lead(face: Face, leads: bool) -> None:
    face.voice_leads = leads


def _set_gain(face: Face, gain: float) -> None:
    face.mouth_gain = gain


def _next_block(blocks: Iterator[NDArray[np.float32]]) -> NDArray[np.float32] | None:
    return next(blocks, None)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _delays(summary: DelaySummary) -> dict[str, Any]:
    return {
        "p50": _rounded(summary.p50),
        "p95": _rounded(summary.p95),
        "p99": _rounded(summary.p99),
        "parts": {name: _rounded(value) for name, value in summary.parts_p50.items()},
        "parts_p95": {name: _rounded(value) for name, value in summary.parts_p95.items()},
    }
