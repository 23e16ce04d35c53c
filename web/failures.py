"""What a client learns of a failure: a stable code, the problem, the remedy; never a path or a trace."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Any, Final

from mien.engine.errors import (
    AssetError,
    MienError,
    NoFace,
    NotAPicture,
    PhotoError,
    PictureTooLarge,
    PictureTooSmall,
)
from mien.streaming.lobby import ServerClosing, ServerFull
from mien.web.messages import BadMessage
from mien.web.portraits import UnknownPortrait
from mien.web.studio import ChooseFace, StudioBusy

log = logging.getLogger(__name__)

STUDIO_RETRY_S: Final = 3
"""When to come again with a photo."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure in words for the client."""

    code: str
    problem: str
    remedy: str
    status: int = 400
    """As HTTP says it."""

    retry_after_s: int | None = None

    def fields(self) -> dict[str, Any]:
        """Return what goes into JSON."""
        return {"code": self.code, "problem": self.problem, "remedy": self.remedy}


BUG: Final = Failure(
    "internal", "Something went wrong in the server.", "Try again; the server's log says more.", 500
)

_LACKING: Final = Failure(
    "server_lacks_file",
    "The server lacks a file that it needs for this.",
    "Whoever runs it finds out which, and what to do, in its log and with: mien doctor",
    500,
)

_STATUS: Final[dict[type[MienError], int]] = {
    NoFace: 422,
    ChooseFace: 422,
    PictureTooSmall: 422,
    PictureTooLarge: 413,
    NotAPicture: 415,
    PhotoError: 422,
    UnknownPortrait: 404,
    StudioBusy: 503,
    ServerFull: 503,
    ServerClosing: 503,
}


def describe_failure(error: MienError) -> Failure:
    """Put a foreseen failure in words for the client.

    What concerns the server's own files is told to its log alone: such messages name paths.
    """
    if isinstance(error, AssetError):
        log.error("%s", error)
        return _LACKING
    status = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 400)
    return Failure(_code(error), error.problem, error.remedy, status, _retry_after_s(error))


def code_of(class_name: str) -> str:
    """Name a kind of failure to programs: the class, in small letters."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", class_name).lower()


def _code(error: MienError) -> str:
    if isinstance(error, BadMessage):
        return error.code
    if isinstance(error, ChooseFace):
        return "several_faces"
    return code_of(type(error).__name__)


def _retry_after_s(error: MienError) -> int | None:
    if isinstance(error, ServerFull):
        return error.retry_after_s
    return STUDIO_RETRY_S if isinstance(error, StudioBusy) else None
