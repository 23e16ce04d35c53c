"""Who may come in: sessions are admitted up to what the machine can hold, and refused past that."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from mien.engine.errors import MienError
from mien.streaming.pipeline import Face
from mien.streaming.session import EngineThread, Session, SessionSettings
from mien.streaming.synthesis import SpeechSynthesizer

logger = logging.getLogger(__name__)


class ServerFull(MienError):
    """Every place is taken."""

    def __init__(self, capacity: int, *, retry_after_s: int) -> None:
        super().__init__(
            f"All {capacity} places of this server are taken.",
            remedy=f"Try again in {retry_after_s} seconds.",
        )
        self.retry_after_s = retry_after_s


class ServerClosing(MienError):
    """The server takes nobody in any more."""

    def __init__(self) -> None:
        super().__init__("The server is shutting down.", remedy="Try again once it is back.")


class Lobby:
    """Admits sessions, keeps count of them, and ends them at shutdown.

    renderers: makes the face of a session; called on the session's own engine thread, may take a while.
    """

    RETRY_AFTER_S: Final = 10

    def __init__(
        self,
        renderers: Callable[[SessionSettings], Face],
        capacity: int,
        tts: SpeechSynthesizer | None = None,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"a lobby needs room for at least one session, not {capacity}")
        self.capacity = capacity
        self._renderers = renderers
        self._synthesizer = tts
        # One thread speaks for all sessions: it is some 25 times faster than speech.
        self._synthesis = ThreadPoolExecutor(max_workers=1, thread_name_prefix="synthesis")
        self._places = 0
        self._sessions: dict[str, Session] = {}
        self._watchers: set[asyncio.Task[None]] = set()
        self._closing = False
        self._warm = False

    @property
    def sessions(self) -> dict[str, Session]:
        """The sessions that are open, by id."""
        return dict(self._sessions)

    @property
    def free_places(self) -> int:
        """How many more sessions would be admitted now."""
        return 0 if self._closing else self.capacity - self._places

    @property
    def can_say(self) -> bool:
        """Whether text can be spoken here."""
        return self._synthesizer is not None

    async def open(self, settings: SessionSettings, offer_sdp: str) -> tuple[Session, str]:
        """Admit a peer: return its session and the answer to its offer.

        Raises ServerFull, ServerClosing, OfferRefused, and whatever the factory of faces raises.
        """
        if self._closing:
            raise ServerClosing
        if self._places >= self.capacity:
            raise ServerFull(self.capacity, retry_after_s=self.RETRY_AFTER_S)
        self._places += 1
        self._warm_up_voice()
        try:
            session = await self._make(settings)
        except BaseException:
            self._places -= 1
            raise
        watcher = asyncio.create_task(self._watch(session), name=f"lobby {session.id}")
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)
        self._sessions[session.id] = session
        try:
            return session, await session.start(offer_sdp)
        except BaseException:
            await session.close()
            await watcher
            raise

    async def close(self) -> None:
        """Admit nobody any more, end every session, and wait until all is given back."""
        self._closing = True
        await asyncio.gather(*(session.close() for session in self._sessions.values()))
        await asyncio.gather(*self._watchers)
        self._synthesis.shutdown(wait=False, cancel_futures=True)

    def _warm_up_voice(self) -> None:
        """Have one word said in the background, once: a model takes some 0.8 s to open."""
        if self._synthesizer is not None and not self._warm:
            self._warm = True
            self._synthesis.submit(_say_one_word, self._synthesizer)

    async def _make(self, settings: SessionSettings) -> Session:
        engine = EngineThread("engine")
        made: list[Face] = []
        try:
            await engine.run(lambda: made.append(self._renderers(settings)))
        except BaseException:  # the peer may have left while the face was still being made
            engine.finish(lambda: _close_all(made))
            raise
        return Session(settings, made[0], engine, synthesizer=self._synthesizer, synthesis=self._synthesis)

    async def _watch(self, session: Session) -> None:
        await session.wait_closed()
        del self._sessions[session.id]
        self._places -= 1


def _say_one_word(synthesizer: SpeechSynthesizer) -> None:
    for _ in synthesizer.stream("Hello."):
        pass


def _close_all(faces: list[Face]) -> None:
    for face in faces:
        face.close()
