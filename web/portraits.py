"""The portraits a server can show: the built-in ones, one from the command line, and uploaded photos."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.engine.errors import MienError
from mien.engine.framing import DEFAULT_SIZE, Size, shown_window
from mien.engine.gallery import builtin_portraits, open_builtin
from mien.engine.portrait import Portrait
from mien.engine.renderer import Subject

UPLOADS: Final = 32
"""Uploaded portraits kept in memory, about 5 MB each. When full, the one unused longest goes."""

LIFETIME_S: Final = 3600.0
"""An uploaded portrait that nobody used for this long is forgotten."""


STILL_SIDE: Final = 1024
"""The longer side of the still that a page shows, in pixels, at most."""


class UnknownPortrait(MienError):
    """No portrait goes by this name, or it was an upload that is no longer kept."""

    def __init__(self) -> None:
        super().__init__(
            "There is no such portrait here (any more).",
            remedy="Choose another one, or upload the photo again.",
        )


@dataclass(frozen=True, slots=True)
class PortraitCard:
    """What a page shows of a portrait before it is opened."""

    id: str
    name: str
    credit: str
    builtin: bool


@dataclass(slots=True)
class _Upload:
    portrait: Portrait
    used: float


class PortraitShelf:
    """Finds a portrait by its id. Uploads live in memory only, under ids nobody can guess.

    Any thread may call.
    """

    def __init__(
        self,
        *,
        size: Size = DEFAULT_SIZE,
        uploads: int = UPLOADS,
        lifetime_s: float = LIFETIME_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Get ready. size: width and height of the pictures that sessions show."""
        self.size = size
        self._capacity = uploads
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._lock = threading.Lock()
        self._first: str | None = None
        self._opened: dict[str, Subject] = {}
        self._uploads: OrderedDict[str, _Upload] = OrderedDict()
        self._cards = {card.id: card for card in _builtin_cards()}

    def cards(self) -> Sequence[PortraitCard]:
        """List the portraits anyone may choose, the one to begin with first. Uploads are not among them."""
        return sorted(self._cards.values(), key=lambda card: card.id != self._first)

    def put_first(self, portrait_id: str, portrait: Subject) -> None:
        """Offer this portrait to everybody, first in the list."""
        if portrait_id not in self._cards:
            portrait_id = "own"
            self._cards[portrait_id] = PortraitCard(portrait_id, portrait.name, "", builtin=False)
        self._opened[portrait_id] = portrait
        self._first = portrait_id

    def add_upload(self, portrait: Portrait) -> str:
        """Keep an uploaded portrait and return the id that only its uploader learns."""
        portrait_id = f"upload-{secrets.token_urlsafe(16)}"
        with self._lock:
            self._forget_old()
            while len(self._uploads) >= self._capacity:
                self._uploads.popitem(last=False)
            self._uploads[portrait_id] = _Upload(portrait, self._clock())
        return portrait_id

    def remove_upload(self, portrait_id: str) -> None:
        """Forget an uploaded portrait. Raises UnknownPortrait; sessions that show it go on."""
        with self._lock:
            if self._uploads.pop(portrait_id, None) is None:
                raise UnknownPortrait

    def open(self, portrait_id: str) -> Subject:
        """Return the portrait. Raises UnknownPortrait; the first opening of a built-in one reads its file."""
        with self._lock:
            self._forget_old()
            upload = self._uploads.get(portrait_id)
            if upload is not None:
                upload.used = self._clock()
                self._uploads.move_to_end(portrait_id)
                return upload.portrait
            if portrait_id not in self._cards:
                raise UnknownPortrait
            if portrait_id not in self._opened:
                self._opened[portrait_id] = open_builtin(portrait_id)
            return self._opened[portrait_id]

    def picture(self, portrait_id: str) -> bytes:
        """Return the portrait at rest, as a session's first picture shows it, as a JPEG.

        Raises UnknownPortrait.
        """
        portrait = self.open(portrait_id)
        left, top, width, height = shown_window(portrait.landmarks, portrait.size, self.size)
        return encode_jpeg(portrait.picture[top : top + height, left : left + width], size=self.size)

    def _forget_old(self) -> None:
        oldest_allowed = self._clock() - self._lifetime_s
        for portrait_id, upload in list(self._uploads.items()):
            if upload.used < oldest_allowed:
                del self._uploads[portrait_id]


def encode_jpeg(picture: NDArray[np.uint8], *, size: Size) -> bytes:
    """Return RGB uint8[H, W, 3] as a JPEG of at most this width and height, and of STILL_SIDE."""
    image = Image.fromarray(picture)
    image.thumbnail((min(size[0], STILL_SIDE), min(size[1], STILL_SIDE)), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def _builtin_cards() -> list[PortraitCard]:
    return [
        PortraitCard(portrait.id, portrait.title, f"{portrait.credit}. {portrait.licence}.", builtin=True)
        for portrait in builtin_portraits()
    ]
