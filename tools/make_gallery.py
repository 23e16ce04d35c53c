"""Draw the gallery: what each portrait looks like in every shape, viseme, blink, gaze and pose.

python tools/make_gallery.py                    # all, into docs/gallery/
python tools/make_gallery.py --only iris,me.mien,photo.jpg --sheets eyes --width 300 --out build/sheets
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from cases import BLINKS, EVERY_SHAPE, EXPRESSIONS, GAZES, LIDS, POSES, REST, VISEMES, Case, motion_of
from numpy.typing import NDArray
from sitters import REPOSITORY, Sitter, choose_sitters, open_sitters, open_view

from mien.engine.face_points import EYES, OUTER_LIPS
from mien.engine.portrait import Portrait
from mien.engine.renderer import Renderer

Picture = NDArray[np.uint8]
Window = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the picture drawn."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One picture of the gallery."""

    name: str
    title: str
    cases: dict[str, Case]
    window: str
    """What is cut out: picture, face, mouth or eyes."""

    columns: int
    width: int
    """Of a panel, in pixels."""


SHEETS: Final = (
    Sheet("shapes", "every ARKit shape at weight 1", REST | EVERY_SHAPE, "face", 9, 150),
    Sheet("mouth", "visemes and the opening jaw", REST | VISEMES, "mouth", 5, 220),
    Sheet("eyes", "a blink in phases, lids and gaze", REST | BLINKS | LIDS | GAZES, "eyes", 5, 260),
    Sheet("poses", "turns, expressions", REST | POSES | EXPRESSIONS, "picture", 6, 220),
)
QUALITY: Final = 76


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="", help="comma-separated: ids, portrait files, photos")
    parser.add_argument("--sheets", default="", help="comma-separated names of sheets")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "gallery")
    parser.add_argument("--width", type=int, help="of a panel, in pixels, in place of each sheet's own")
    parser.add_argument("--kind", choices=("jpg", "png"), default="jpg")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    wanted = tuple(filter(None, options.sheets.split(","))) or tuple(sheet.name for sheet in SHEETS)
    drawn = []
    sitters = [sitter for sitter in choose_sitters(options.only) if sitter.shown or options.only]
    for sitter, portrait in open_sitters(sitters):
        renderer = open_view(portrait)
        for sheet in SHEETS:
            if sheet.name in wanted:
                path = options.out / f"{sitter.id}-{sheet.name}.{options.kind}"
                write(path, draw_sheet(sheet, portrait, renderer, options.width or sheet.width))
        renderer.close()
        drawn.append(sitter)
        print(sitter.id)
    if not (options.only or options.sheets):
        (options.out / "README.md").write_text(readme(drawn), encoding="utf-8")


def draw_sheet(sheet: Sheet, portrait: Portrait, renderer: Renderer, width: int) -> Picture:
    window = crop_window(portrait, renderer.size, sheet.window)
    panels = [
        panel(renderer.render(motion_of(case)), window, width, label) for label, case in sheet.cases.items()
    ]
    return tile(panels, sheet.columns)


def crop_window(portrait: Portrait, size: tuple[int, int], part: str) -> Window:
    """Return what to cut out of a picture of `size`, width and height, to show a part of the portrait."""
    width, height = size
    if part == "picture":
        return 0, 0, width, height
    places = portrait.landmarks[:, :2] * (width / portrait.picture.shape[1])
    if part == "mouth":
        places = places[list(OUTER_LIPS)]
        margin = 0.35 * float(np.ptp(places[:, 0])) * np.array([1.0, 1.6])
    elif part == "eyes":
        places = places[[index for _, top, bottom, brow, _ in EYES for index in (*top, *bottom, *brow)]]
        margin = 0.12 * float(np.ptp(places[:, 0])) * np.array([1.0, 1.2])
    else:
        places = places[:468]
        margin = 0.14 * float(np.ptp(places[:, 1])) * np.ones(2)
    low = (places.min(axis=0) - margin).clip(0)
    high = (places.max(axis=0) + margin).clip(None, [width, height])
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def panel(picture: Picture, window: Window, width: int, label: str) -> Picture:
    left, top, right, bottom = window
    cut = picture[top:bottom, left:right]
    height = round(width * cut.shape[0] / cut.shape[1])
    method = cv2.INTER_AREA if width < cut.shape[1] else cv2.INTER_CUBIC
    scaled = cv2.resize(cut, (width, height), interpolation=method)
    (length, _), _ = cv2.getTextSize(label, 0, 0.4, 1)
    scaled[:16, : length + 8] //= 3
    cv2.putText(scaled, label, (4, 12), 0, 0.4, (255, 255, 190), 1, cv2.LINE_AA)
    return np.asarray(scaled, np.uint8)


def tile(panels: Sequence[Picture], columns: int) -> Picture:
    padded = [*panels, *[np.zeros_like(panels[0])] * (-len(panels) % columns)]
    return np.vstack([np.hstack(padded[first : first + columns]) for first in range(0, len(padded), columns)])


def write(path: Path, picture: Picture) -> None:
    settings = [cv2.IMWRITE_JPEG_QUALITY, QUALITY] if path.suffix == ".jpg" else []
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), settings)


def readme(sitters: Sequence[Sitter]) -> str:
    lines = [
        "# Gallery",
        "",
        "What the rig renderer makes of each portrait at 512x512, drawn by `python tools/make_gallery.py`.",
        "Nothing is retouched: [weaknesses.md](weaknesses.md) says what is wrong, [scores.md](scores.md)",
        "what was measured. Paintings are in the public domain; those that are not built in need",
        "`../shared/data` to be drawn again.",
        "",
        "| portrait | what it tries | sheets |",
        "|---|---|---|",
    ]
    for sitter in sitters:
        sheets = ", ".join(f"[{sheet.name}]({sitter.id}-{sheet.name}.jpg)" for sheet in SHEETS)
        lines.append(f"| {sitter.title} ({sitter.credit}) | {sitter.kind}: {sitter.traits} | {sheets} |")
    lines += ["", *(f"- **{sheet.name}**: {sheet.title}" for sheet in SHEETS), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
