"""What to show behind a person in place of the photo's own background: a colour, a blur, or a picture."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.errors import ConfigError
from mien.engine.photo import open_photo

Picture = NDArray[np.uint8]

BLUR: Final = 0.035
"""Deviation of the blur, as a share of the picture's shorter side."""


class Scenery(Protocol):
    """Stands behind a person."""

    def draw(self, own: Picture) -> Picture:
        """Return what to show, uint8[H, W, 3], in place of the photo's own background of that size."""


@dataclass(frozen=True, slots=True)
class PlainColour:
    """The same colour everywhere."""

    red: int
    green: int
    blue: int
    """0..255 each."""

    def draw(self, own: Picture) -> Picture:
        """Return what to show."""
        return np.full_like(own, (self.red, self.green, self.blue))


@dataclass(frozen=True, slots=True)
class Blurred:
    """The photo's own background, out of focus."""

    def draw(self, own: Picture) -> Picture:
        """Return what to show."""
        spread = BLUR * min(own.shape[:2])
        return np.asarray(cv2.GaussianBlur(own, (0, 0), spread, borderType=cv2.BORDER_REFLECT_101), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Another picture: as much of its middle as has the shape that is asked for."""

    picture: Picture

    def draw(self, own: Picture) -> Picture:
        """Return what to show."""
        height, width = own.shape[:2]
        rows, columns = self.picture.shape[:2]
        factor = max(height / rows, width / columns)
        across, down = min(columns, round(width / factor)), min(rows, round(height / factor))
        left, top = (columns - across) // 2, (rows - down) // 2
        cut = self.picture[top : top + down, left : left + across]
        method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(cut, (width, height), interpolation=method), np.uint8)


def parse_scenery(text: str) -> Scenery | None:
    """Read "photo" (None: the photo's own), "blur", a colour such as "#2a6f4e", or a picture's path.

    Raises ConfigError for anything else, and PhotoError for a file that is no picture.
    """
    if text == "photo":
        return None
    if text == "blur":
        return Blurred()
    if re.fullmatch("#[0-9a-fA-F]{6}", text):
        return PlainColour(*bytes.fromhex(text[1:]))
    if not Path(text).is_file():
        raise ConfigError(
            f"{text!r} is no background, and no file.",
            remedy='Use "photo", "blur", a colour such as "#2a6f4e", or the path of a picture.',
        )
    return Scene(open_photo(Path(text)))
