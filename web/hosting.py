"""mien serve: warms everything up, opens the door, and ends cleanly."""

from __future__ import annotations

import logging
import secrets
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import uvicorn
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from mien.engine.animator import Animator
from mien.engine.emotion import Style
from mien.engine.errors import BackendUnavailable
from mien.engine.framing import DEFAULT_SIZE, Size
from mien.engine.landmarks import FaceLandmarker
from mien.engine.portrait import Portrait
from mien.engine.scenery import Scenery, parse_scenery
from mien.engine.timebase import SAMPLE_RATE
from mien.streaming.lobby import Lobby
from mien.streaming.session import SessionSettings
from mien.streaming.synthesis import HibariSynthesizer
from mien.web.casting import find_portrait, open_animator, open_segmenter
from mien.web.doctor import available_cores, bind
from mien.web.messages import MESSAGE_BYTES
from mien.web.model_store import FACE_FINDER, model_path
from mien.web.portraits import PortraitShelf
from mien.web.security import LOOPBACK_NAMES
from mien.web.server import DoorConfig, build_app
from mien.web.studio import Studio

log = logging.getLogger(__name__)

CONNECTIONS: Final = 256
"""Connections at a time, pages and sockets together. More are answered 503."""

GOODBYE_S: Final = 5
"""How long connections may take to end when the server stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeConfig:
    """How the page is served."""

    host: str = "127.0.0.1"
    port: int = 8420
    portrait: str | None = None
    """The portrait to begin with, as find_portrait knows it; None takes the first built-in one."""

    size: Size = DEFAULT_SIZE
    """Width and height of the pictures, in pixels."""

    background: str = "photo"
    """What stands behind people, as parse_scenery knows it. Clips keep their own."""

    sessions: int | None = None
    """Sessions at a time; None takes what the cores hold."""

    origins: tuple[str, ...] = ()
    open_page: bool = False


def host_page(config: ServeConfig, console: Console) -> None:
    """Serve until SIGINT or SIGTERM comes. Raises CannotListen, and AssetError where something is missing."""
    cv2.setNumThreads(1)  # sessions share the cores among them; one picture is not split over several
    scenery = parse_scenery(config.background)
    with bind(config.host, config.port) as listener:
        shelf, studio, synthesizer = _prepare(config, console)
        lobby = Lobby(
            lambda settings: _face(shelf, settings, scenery),
            config.sessions or sessions_for_cores(),
            synthesizer,
        )
        door = DoorConfig(hosts=_hosts(config.host), origins=config.origins)
        server = uvicorn.Server(
            uvicorn.Config(
                build_app(lobby, shelf, studio, config=door),
                log_level="warning",
                access_log=False,
                server_header=False,
                limit_concurrency=CONNECTIONS,
                timeout_graceful_shutdown=GOODBYE_S,
                ws_max_size=4 * MESSAGE_BYTES,  # what is a little too long gets an answer, not a cut line
                ws_max_queue=8,  # messages; the socket's rate limit lets no more through in a moment anyway
                ws_per_message_deflate=False,
            )
        )
        listener.listen()  # from here on nobody is refused, though answers come once the server runs
        _announce(config, listener, lobby, console)
        with _quiet_signals():
            server.run(sockets=[listener])
    console.print("Stopped.")


def sessions_for_cores() -> int:
    """Return how many 512-pixel sessions this machine is trusted with: one for every two cores."""
    return max(1, available_cores() // 2)


def _face(shelf: PortraitShelf, settings: SessionSettings, scenery: Scenery | None) -> Animator:
    subject = shelf.open(settings.portrait)
    return open_animator(
        subject,
        size=settings.size or shelf.size,
        style=settings.style,
        mouth_gain=settings.mouth_gain,
        seed=secrets.randbits(32),
        scenery=scenery if isinstance(subject, Portrait) else None,
    )


def _prepare(config: ServeConfig, console: Console) -> tuple[PortraitShelf, Studio, HibariSynthesizer | None]:
    """Open everything a session needs, so that the first one starts as quickly as the next."""
    columns = (TextColumn("{task.description}"), BarColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Opening the portraits", total=3)
        shelf = PortraitShelf(size=config.size)
        if config.portrait is not None:
            tell = _teller(progress, task)
            shelf.put_first(config.portrait, find_portrait(config.portrait, size=config.size, progress=tell))
        progress.update(task, description="Warming up the face", completed=1)
        _warm_up(shelf)
        progress.update(task, description="Opening the voice", completed=2)
        synthesizer = _open_voice(console)
    studio = Studio(
        lambda: FaceLandmarker(model_path(FACE_FINDER)), open_segmenter=open_segmenter, size=config.size
    )
    return shelf, studio, synthesizer


def _teller(progress: Progress, task: TaskID) -> Callable[[str, float | None], None]:
    """Return what a portrait's preparation is told to say how far it has come."""

    def tell(words: str, share: float | None) -> None:
        progress.update(task, description=words, completed=share or 0.0)

    return tell


def _warm_up(shelf: PortraitShelf) -> None:
    """Draw a second of noise: nets are opened and memory is touched before anybody waits."""
    portrait = shelf.open(shelf.cards()[0].id)
    animator = open_animator(portrait, size=shelf.size, style=Style(), seed=0)
    noise = np.random.default_rng(0).normal(0, 0.05, SAMPLE_RATE).astype(np.float32)
    animator.push(noise)
    animator.close()


def _open_voice(console: Console) -> HibariSynthesizer | None:
    try:
        return HibariSynthesizer()
    except BackendUnavailable as error:
        console.print(f"[yellow]{error.problem}[/] {error.remedy}", highlight=False, soft_wrap=True)
        return None


def _hosts(host: str) -> frozenset[str] | None:
    """Return the names a loopback server answers to; None, for any, where others are meant to come."""
    return LOOPBACK_NAMES if host in LOOPBACK_NAMES else None


def _announce(config: ServeConfig, listener: socket.socket, lobby: Lobby, console: Console) -> None:
    port = listener.getsockname()[1]
    anywhere = config.host in ("0.0.0.0", "::")
    name = "localhost" if anywhere or config.host in LOOPBACK_NAMES else config.host
    url = f"http://{f'[{name}]' if ':' in name else name}:{port}/"
    places = f"{lobby.capacity} session{'s' if lobby.capacity > 1 else ''} at a time"
    console.print(
        f"mien is at [bold cyan]{url}[/] ({places}). Ctrl+C stops it.", highlight=False, soft_wrap=True
    )
    if config.host not in LOOPBACK_NAMES:
        console.print(
            "[yellow]Everyone who reaches this address can use it,[/] and browsers give the microphone "
            "to https:// pages only: put it behind HTTPS.",
            highlight=False,
            soft_wrap=True,
        )
    if config.open_page:
        threading.Timer(0.5, webbrowser.open, (url,)).start()


@contextmanager
def _quiet_signals() -> Iterator[None]:
    """Let the server end the process, not the signal: uvicorn raises what it caught once more at its end."""
    caught = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in caught.items():
            signal.signal(number, handler)
