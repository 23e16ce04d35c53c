"""A door with stand-ins behind it: a lobby that only notes what it is told, and two small portraits."""

import asyncio
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mien.engine.emotion import Style
from mien.engine.gallery import BuiltinPortrait
from mien.engine.landmarks import FaceLandmarks
from mien.streaming.lobby import ServerFull
from mien.streaming.pipeline import Mode
from mien.streaming.session import SessionSettings
from mien.streaming.synthesis import check_text
from mien.web import portraits, studio
from mien.web.portraits import PortraitShelf
from mien.web.server import DoorConfig, build_app
from mien.web.studio import Studio

sys.path.insert(0, str(Path(__file__).parent))
# The synthetic talker of the engine's tests is dubbed here too.
sys.path.append(str(Path(__file__).parents[1] / "engine"))

with warnings.catch_warnings():
    # Newer Starlettes ask for httpx2 where older ones know httpx alone: both work.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient


@dataclass(frozen=True)
class SmallPortrait:
    """As much of a portrait as the door looks at."""

    name: str = "Anna"
    picture: NDArray[np.uint8] = field(default_factory=lambda: np.full((64, 64, 3), 90, np.uint8))
    landmarks: NDArray[np.float32] = field(
        default_factory=lambda: np.linspace(10, 50, 478 * 3, dtype=np.float32).reshape(478, 3)
    )

    has_backdrop: bool = True

    @property
    def size(self) -> tuple[int, int]:
        return self.picture.shape[1], self.picture.shape[0]


PORTRAITS = {name.lower(): SmallPortrait(name) for name in ("Anna", "Ben")}
GALLERY = tuple(
    BuiltinPortrait(portrait_id, portrait.name, "Drawn for the tests", "Public domain", "the tests", Path())
    for portrait_id, portrait in PORTRAITS.items()
)


class NotingSession:
    """Notes what it is told. Its test can send events, and end it."""

    id = "session-1"

    def __init__(self, settings: SessionSettings) -> None:
        self.settings = settings
        self.told: list[Any] = []
        self.closed = asyncio.Event()
        self._events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    async def say(self, text: str) -> None:
        check_text(text)
        self.told.append(("say", text))
        if text == "break":
            raise RuntimeError("a bug")
        self._events.put_nowait({"type": "speech", "state": "started"})
        if text == "end":
            self._events.put_nowait(
                {"type": "error", "code": "ConnectionBlocked", "problem": "P.", "remedy": "R."}
            )
            await self.close()

    def interrupt(self) -> None:
        self.told.append("interrupt")

    def set_style(self, style: Style) -> None:
        self.told.append(style)

    def set_voice_leads(self, leads: bool) -> None:
        self.told.append(("voice leads", leads))

    def set_mouth_gain(self, gain: float) -> None:
        self.told.append(gain)

    def set_mode(self, mode: Mode) -> None:
        self.told.append(mode)

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        while (event := await self._events.get()) is not None:
            yield event

    async def close(self) -> None:
        self.closed.set()
        self._events.put_nowait(None)

    async def wait_closed(self) -> None:
        await self.closed.wait()


class NotingLobby:
    """Keeps every session it made."""

    capacity = 2
    can_say = True

    def __init__(self) -> None:
        self.made: list[NotingSession] = []
        self.closed = False

    @property
    def sessions(self) -> dict[str, NotingSession]:
        return {str(index): one for index, one in enumerate(self.made) if not one.closed.is_set()}

    async def open(self, settings: SessionSettings, offer_sdp: str) -> tuple[NotingSession, str]:
        if len(self.sessions) >= self.capacity:
            raise ServerFull(self.capacity, retry_after_s=7)
        if settings.portrait not in PORTRAITS:
            raise portraits.UnknownPortrait
        session = NotingSession(settings)
        self.made.append(session)
        return session, f"answer to {offer_sdp}"

    async def close(self) -> None:
        self.closed = True


class CountingLandmarker:
    """Finds as many faces as the photo is red, in tens: a photo tells the test's wish."""

    def detect(self, picture: NDArray[np.uint8]) -> list[FaceLandmarks]:
        count = round(float(picture[..., 0].mean()) / 10)
        boxes = [(10, 10, 30 + 10 * index, 30 + 10 * index) for index in reversed(range(count))]
        points = np.zeros((478, 3), np.float32)
        return [FaceLandmarks(points=points, shapes={}, box=box, presence=1.0) for box in boxes]

    def wander(self, picture: NDArray[np.uint8], face: FaceLandmarks) -> NDArray[np.float32]:
        return np.zeros(478, np.float32)

    def close(self) -> None:
        pass


@pytest.fixture
def counting_landmarker() -> type[CountingLandmarker]:
    return CountingLandmarker


@pytest.fixture
def preparing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let photos become small portraits at once."""
    monkeypatch.setattr(
        studio, "prepare_portrait", lambda picture, face, name, **_: SmallPortrait(name, picture)
    )
    monkeypatch.setattr(studio, "check_visible", lambda picture, face, wander: None)


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> PortraitShelf:
    monkeypatch.setattr(portraits, "builtin_portraits", lambda: GALLERY)
    monkeypatch.setattr(portraits, "open_builtin", PORTRAITS.__getitem__)
    return PortraitShelf()


@pytest.fixture
def lobby() -> NotingLobby:
    return NotingLobby()


@pytest.fixture
def client(shelf: PortraitShelf, lobby: NotingLobby, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(
        studio, "prepare_portrait", lambda picture, face, name, **_: SmallPortrait(name, picture)
    )
    monkeypatch.setattr(studio, "check_visible", lambda picture, face, wander: None)
    config = DoorConfig(
        upload_bytes=200_000, hosts={"localhost", "testserver"}, origins=("https://friend.example",)
    )
    app = build_app(lobby, shelf, Studio(CountingLandmarker), config=config)  # type: ignore[arg-type]
    with TestClient(app, base_url="http://localhost:8420", raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def photo() -> Callable[..., bytes]:
    """Encode a photo in which the landmarker will find so many faces."""

    def encode(faces: int, *, size: tuple[int, int] = (320, 240), form: str = "PNG") -> bytes:
        buffer = BytesIO()
        Image.new("RGB", size, (10 * faces, 120, 60)).save(buffer, form)
        return buffer.getvalue()

    return encode
