"""The faces that the gallery shows and the scores are taken on, and the one way for tools to open them.

Built-in portraits are always there. Our own drawings and the paintings of ../shared/data need the landmark
model, and the paintings their files: a sitter that cannot be opened here is left out, and its name printed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import cv2
import numpy as np
from draw_portrait import draw
from looks import LOOKS
from numpy.typing import NDArray

from mien.engine.errors import AssetError, MienError
from mien.engine.framing import DEFAULT_SIZE
from mien.engine.gallery import builtin_portraits
from mien.engine.landmarks import FaceLandmarker
from mien.engine.portrait import Portrait
from mien.engine.renderer import Renderer, open_renderer
from mien.engine.scaling import scale_portrait
from mien.web.casting import find_portrait
from mien.web.model_store import FACE_FINDER, model_path

Picture = NDArray[np.uint8]

REPOSITORY: Final = Path(__file__).resolve().parents[1]
DATA: Final = REPOSITORY.parent / "shared" / "data"

VIEW: Final = 512
"""Pixels: what a session shows unless asked for more."""

FILM: Final = ".mp4"


@dataclass(frozen=True, slots=True)
class Sitter:
    """One person, and what is known of the picture."""

    id: str
    title: str
    credit: str
    kind: str
    """photo, painting, drawing or statue. The landmarker was trained on photos."""

    traits: str
    """What makes the picture worth trying."""

    file: str | None = None
    """Its path under ../shared/data, for what is neither built in nor drawn by us."""

    shown: bool = True
    """Whether the gallery may show it."""


SITTERS: Final = (
    Sitter("astronaut", "Eileen Collins", "NASA, 1993", "photo", "a broad smile that shows teeth"),
    Sitter("mona_lisa", "Mona Lisa", "Leonardo da Vinci, about 1503", "painting", "cracks, no brows"),
    Sitter("iris", "Iris", "mien", "drawing", "long hair"),
    Sitter("bram", "Bram", "mien", "drawing", "dark skin"),
    Sitter("tomas", "Tomas", "mien", "drawing", "a beard"),
    Sitter("amara", "Amara", "mien", "drawing", "dark skin, glasses, hair that stands out"),
    Sitter("mei", "Mei", "mien", "drawing", "a fringe over the forehead, long hair"),
    Sitter("marble", "A marble head", "mien", "statue", "no colour, no pupils to speak of"),
    Sitter(
        "pearl",
        "Girl with a Pearl Earring",
        "Johannes Vermeer, about 1665",
        "painting",
        "turned by 37 degrees, parted lips, a headscarf",
        file="portraits/s10.jpg",
    ),
    Sitter(
        "velata",
        "La Velata",
        "Raphael, about 1514-1515",
        "painting",
        "turned, a veil",
        file="portraits/s8.jpg",
    ),
    Sitter(
        "reader",
        "A child with a book",
        "a painter of the 19th century",
        "painting",
        "a small face, a fringe over the forehead",
        file="portraits/s5.jpg",
        shown=False,
    ),
    Sitter(
        "brooch",
        "A lady in black",
        "a painter of the 19th century",
        "painting",
        "a small face",
        file="portraits/s4.jpg",
        shown=False,
    ),
    Sitter(
        "red_chair",
        "A lady in a red chair",
        "a painter of the 19th century",
        "painting",
        "a small face",
        file="portraits/s3.jpg",
        shown=False,
    ),
    Sitter(
        "talker",
        "GRID's talker s1",
        "GRID corpus, Cooke et al. 2006, CC BY 4.0",
        "photo",
        "one frame of a film, 130 pixels of face",
        file="grid/video/bbaf2n.mp4",
        shown=False,
    ),
)


def choose_sitters(names: str) -> list[Sitter]:
    """Return those of a comma-separated list of ids, portrait files and photos; all where it is empty."""
    known = {sitter.id: sitter for sitter in SITTERS}
    if not names:
        return list(SITTERS)
    chosen = []
    for name in names.split(","):
        if name not in known and not Path(name).is_file():
            sys.exit(f"{name} is neither a file nor one of: {', '.join(known)}.")
        chosen.append(known.get(name) or Sitter(Path(name).stem, name, "", "photo", "", file=name))
    return chosen


def open_sitters(sitters: Sequence[Sitter]) -> Iterator[tuple[Sitter, Portrait]]:
    """Open each that can be opened, and say of the others why they are left out."""
    for sitter in sitters:
        try:
            portrait = _open(sitter)
        except MienError as error:
            print(f"{sitter.id} left out: {error.problem}", file=sys.stderr)
        else:
            yield sitter, portrait


@cache
def open_landmarker() -> FaceLandmarker:
    """Open the landmark model. Raises AssetError where it is not to be had."""
    return FaceLandmarker(model_path(FACE_FINDER))


def open_view(portrait: Portrait) -> Renderer:
    """Open a renderer of pictures with VIEW pixels on their longer side, where the portrait has as many."""
    height, width = portrait.picture.shape[:2]
    scale = min(VIEW / max(height, width), 1.0)
    return open_renderer(portrait, size=(round(width * scale / 2) * 2, round(height * scale / 2) * 2))


def _open(sitter: Sitter) -> Portrait:
    if sitter.id in {portrait.id for portrait in builtin_portraits()}:
        return scale_portrait(find_portrait(sitter.id), DEFAULT_SIZE)
    if sitter.file and not sitter.file.endswith(FILM):
        given = Path(sitter.file)
        return find_portrait(str(given if given.is_file() else DATA / given))
    picture = _still(DATA / sitter.file) if sitter.file else draw(LOOKS[sitter.id])
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{sitter.id}.png"
        cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        return find_portrait(str(path))


def _still(film: Path) -> Picture:
    """Return a frame of a film from its beginning, before much is said."""
    video = cv2.VideoCapture(str(film))
    video.set(cv2.CAP_PROP_POS_FRAMES, 30)
    read, frame = video.read()
    if not read:
        raise AssetError(f"There is no film {film}.", remedy="Put the data folder beside the checkout.")
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
