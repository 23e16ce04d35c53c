"""The HTTP door: the page, the portraits, the session socket, and a description of them all."""

from __future__ import annotations

import logging
import zlib
from base64 import b64encode
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from mien.engine.emotion import HIGHEST_INTENSITY
from mien.engine.errors import MienError, NotAPicture, PhotoError, PictureTooLarge
from mien.engine.performer import WIDEST_MOUTH_GAIN
from mien.engine.photo import MAXIMUM_BYTES
from mien.streaming.lobby import Lobby
from mien.streaming.synthesis import MAX_TEXT
from mien.web.failures import BUG, Failure, describe_failure
from mien.web.messages import SIZES
from mien.web.openapi import describe
from mien.web.portraits import PortraitShelf
from mien.web.security import SecurityMiddleware
from mien.web.signalling import run_session
from mien.web.studio import ChooseFace, Studio

log = logging.getLogger(__name__)

_PAGE_FOLDER: Final = Path(__file__).parent / "page"

PAGE_FILES: Final[Mapping[str, str]] = {
    "app.js": "text/javascript",
    "controls.js": "text/javascript",
    "dom.js": "text/javascript",
    "figures.js": "text/javascript",
    "microphone.js": "text/javascript",
    "picker.js": "text/javascript",
    "problems.js": "text/javascript",
    "session.js": "text/javascript",
    "style.css": "text/css",
    "icon.svg": "image/svg+xml",
}
"""What the page is made of beside index.html. Nothing else is ever served from disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorConfig:
    """How the door treats its visitors."""

    upload_bytes: int = MAXIMUM_BYTES
    """The largest photo that is read, in bytes."""

    hosts: Collection[str] | None = None
    """Host names that are answered, or None for any. A server on loopback answers only to loopback's."""

    origins: Collection[str] = field(default_factory=tuple)
    """Origins of other sites that may use this server, such as https://example.org."""


@dataclass(frozen=True, slots=True)
class Door:
    """The routes of one server, over what they stand on."""

    lobby: Lobby
    shelf: PortraitShelf
    studio: Studio
    config: DoorConfig

    def routes(self) -> list[BaseRoute]:
        """List every route. A test holds the description in mien.web.openapi to them."""
        return [
            Route("/", self.page, methods=["GET"]),
            Route("/page/{name}", self.page_file, methods=["GET"]),
            Route("/v1/health", self.health, methods=["GET"]),
            Route("/v1/openapi.json", self.openapi, methods=["GET"]),
            Route("/v1/portraits", self.list_portraits, methods=["GET"]),
            Route("/v1/portraits", self.upload_portrait, methods=["POST"]),
            Route("/v1/portraits/{id}", self.forget_portrait, methods=["DELETE"]),
            Route("/v1/portraits/{id}/picture", self.portrait_picture, methods=["GET"]),
            WebSocketRoute("/v1/session", self.session),
        ]

    async def page(self, request: Request) -> Response:
        """Serve the page."""
        return _file_answer(request, "index.html", "text/html")

    async def page_file(self, request: Request) -> Response:
        """Serve a part of the page."""
        name = request.path_params["name"]
        if name not in PAGE_FILES:
            raise HTTPException(404)
        return _file_answer(request, name, PAGE_FILES[name])

    async def health(self, _: Request) -> Response:
        """Say how the server is and what it allows."""
        return JSONResponse(
            {
                "status": "ok",
                "version": version("mien"),
                "sessions": {"open": len(self.lobby.sessions), "capacity": self.lobby.capacity},
                "speech": self.lobby.can_say,
                "limits": {
                    "upload_bytes": self.config.upload_bytes,
                    "text_characters": MAX_TEXT,
                    "intensity": HIGHEST_INTENSITY,
                    "mouth_gain": WIDEST_MOUTH_GAIN,
                    "sizes": list(SIZES),
                    "size": list(self.shelf.size),
                },
            },
            headers={"Cache-Control": "no-store"},
        )

    async def openapi(self, _: Request) -> Response:
        """Serve the OpenAPI description."""
        return JSONResponse(describe())

    async def list_portraits(self, _: Request) -> Response:
        """List the portraits anyone may choose."""
        return JSONResponse(
            {
                "portraits": [
                    asdict(card) | {"picture": _picture_path(card.id)} for card in self.shelf.cards()
                ]
            },
            headers={"Cache-Control": "no-store"},
        )

    async def upload_portrait(self, request: Request) -> Response:
        """Make a portrait of the photo in the body."""
        face = _face_index(request.query_params.get("face"))
        anyway = request.query_params.get("anyway") == "true"
        photo = await _read_body(request, self.config.upload_bytes)
        portrait = await self.studio.prepare(photo, face=face, anyway=anyway)
        portrait_id = self.shelf.add_upload(portrait)
        return JSONResponse(
            {
                "portrait": {
                    "id": portrait_id,
                    "name": portrait.name,
                    "credit": "",
                    "builtin": False,
                    "picture": _picture_path(portrait_id),
                }
            },
            status_code=201,
            headers={"Cache-Control": "no-store"},
        )

    async def forget_portrait(self, request: Request) -> Response:
        """Forget an uploaded photo."""
        self.shelf.remove_upload(request.path_params["id"])
        return Response(status_code=204)

    async def portrait_picture(self, request: Request) -> Response:
        """Serve the portrait at rest, as its first frame shows it."""
        portrait_id = request.path_params["id"]
        picture = await run_in_threadpool(self.shelf.picture, portrait_id)
        builtin = any(card.id == portrait_id and card.builtin for card in self.shelf.cards())
        return Response(
            picture,
            media_type="image/jpeg",
            headers={"Cache-Control": "max-age=600" if builtin else "no-store"},
        )

    async def session(self, websocket: WebSocket) -> None:
        """Carry one session's signalling and control."""
        await run_session(websocket, self.lobby)


def build_app(
    lobby: Lobby,
    shelf: PortraitShelf,
    studio: Studio,
    *,
    config: DoorConfig | None = None,
) -> Starlette:
    """Build the application. It closes the lobby and the studio when it ends."""
    config = config or DoorConfig()
    door = Door(lobby, shelf, studio, config)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await lobby.close()
            studio.close()

    return Starlette(
        routes=door.routes(),
        lifespan=lifespan,
        middleware=[
            Middleware(SecurityMiddleware, hosts=config.hosts, origins=config.origins),
            Middleware(
                CORSMiddleware,  # with no origins, which is the default, it allows none
                allow_origins=config.origins,
                allow_methods=("GET", "POST", "DELETE"),
                allow_headers=("Content-Type",),
            ),
        ],
        exception_handlers={
            MienError: _answer_mien_error,
            HTTPException: _answer_http_error,
            ClientDisconnect: _answer_gone,
            Exception: _answer_bug,
        },
    )


async def _answer_mien_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, MienError)
    extra: dict[str, Any] = {}
    if isinstance(error, ChooseFace):
        extra = {
            "boxes": [list(map(int, box)) for box in error.boxes],
            "picture": list(error.picture),
            "preview": f"data:image/jpeg;base64,{b64encode(error.preview).decode()}",
        }
    return _error(describe_failure(error), extra)


async def _answer_http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _error(
        _HTTP_FAILURES.get(error.status_code, Failure("bad_request", "The request is wrong.", _SEE))
    )


async def _answer_gone(_: Request, __: Exception) -> Response:
    return Response(status_code=400)  # nobody is there to read it


async def _answer_bug(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _error(BUG)


_SEE: Final = "See /v1/openapi.json for what there is."

_HTTP_FAILURES: Final = {
    404: Failure("not_found", "There is nothing at this address.", _SEE, 404),
    405: Failure("wrong_method", "This address does not take that method.", _SEE, 405),
}


def _error(failure: Failure, extra: Mapping[str, Any] | None = None) -> JSONResponse:
    wait = failure.retry_after_s
    return JSONResponse(
        {"error": {**failure.fields(), **(extra or {})}},
        status_code=failure.status,
        headers=None if wait is None else {"Retry-After": str(wait)},
    )


async def _read_body(request: Request, limit: int) -> bytes:
    """Read at most `limit` bytes, never more into memory. Raises PictureTooLarge past that."""
    too_large = PictureTooLarge(
        f"The photo has more than {limit / 1e6:g} MB.", remedy="Save it smaller, as a JPEG, and try again."
    )
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise too_large
    if request.headers.get("content-type", "").startswith("multipart/"):
        raise NotAPicture(
            "The body is a form, not a picture.",
            remedy="Send the picture's bytes as the body, as curl does with --data-binary @photo.jpg and "
            "-H 'Content-Type: image/jpeg'.",
        )
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large
    return bytes(body)


def _face_index(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 3):
        raise PhotoError(
            "face is not the number of a face.", remedy="Send face=0 for the first, 1 for the next."
        )
    return int(text)


def _picture_path(portrait_id: str) -> str:
    """Relative to the page, so that a server behind a path prefix works too."""
    return f"v1/portraits/{portrait_id}/picture"


def _file_answer(request: Request, name: str, media_type: str) -> Response:
    body, tag = _page_file(name)
    headers = {"Cache-Control": "no-cache", "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def _page_file(name: str) -> tuple[bytes, str]:
    body = (_PAGE_FOLDER / name).read_bytes()
    return body, f'"{len(body):x}-{zlib.crc32(body):08x}"'
