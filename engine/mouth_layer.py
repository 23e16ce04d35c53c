"""The mouth's inside: teeth, gums and tongue behind the lips, and what the photo itself shows of them."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.face_points import CHEEKS, INNER_LIPS_BOTTOM, INNER_LIPS_TOP
from mien.engine.head import PARTS, HeadModel
from mien.engine.head_fit import Floats, HeadFit
from mien.engine.motion import INDEX, SHAPES

INSIDE: Final = ("upper_teeth", "lower_teeth", "upper_gum", "lower_gum", "tongue")
"""The parts of the head model that make it, one run of vertices."""

_TEETH: Final = np.array([226.0, 219.0, 204.0])
_GUM: Final = np.array([168.0, 84.0, 84.0])
_TONGUE: Final = np.array([172.0, 88.0, 88.0])
_CAVITY: Final = np.array([44.0, 17.0, 19.0])
_TEETH_LOWERED: Final = 0.008
"""Upper teeth sit so much lower than the head model's, in face widths: speaking mouths show their edge."""
_LIT: Final = 215.0
"""Skin this bright shows the colours above as they are."""


@dataclass(frozen=True, slots=True)
class MouthLayer:
    """Vertices in pixels, and their paint."""

    positions: Floats
    deltas: Floats
    triangles: NDArray[np.int32]
    """Into the layer's own vertices."""

    paint: NDArray[np.float32]
    cavity: NDArray[np.float32]
    photo: NDArray[np.uint8]


def inside_run(head: HeadModel) -> slice:
    """Return the run of the head model's vertices that lie inside the mouth."""
    return slice(head.part(INSIDE[0]).start, head.part(INSIDE[-1]).stop)


def build_mouth(
    head: HeadModel,
    fit: HeadFit,
    picture: NDArray[np.uint8],
    points: NDArray[np.float32],
    *,
    upper_moved: Floats,
    lower_moved: Floats,
    parted: bool,
) -> MouthLayer:
    """Place and paint the mouth's inside.

    upper_moved, lower_moved: how far the warp onto the landmarks moved the lips, float64[2] in pixels.
    """
    run = inside_run(head)
    expression = fit.expression.copy()
    if not parted:
        # Behind closed lips the jaw is at rest, whatever combination of shapes the fit found for the lips.
        mouth = [name.startswith(("jaw", "mouth")) for name in SHAPES]
        expression[mouth] = 0.0
    model = head.vertices[run] + np.tensordot(fit.identity, head.identities[:, run], 1)
    model = model + np.tensordot(expression, head.shapes[:, run], 1)
    positions = fit.project(model)
    lower = head.shapes[INDEX["jawOpen"], run, 1] > 0.02
    positions[:, :2] += np.where(lower[:, None], lower_moved, upper_moved)
    positions[~lower, 1] += _TEETH_LOWERED * fit.scale
    first = PARTS.index(INSIDE[0])
    triangles = np.concatenate(head.triangles[first : first + len(INSIDE)]) - run.start
    photo = _photo_mask(points, len(picture)) if parted else np.zeros(picture.shape[:2], np.uint8)
    paint, cavity = _paint(head, picture, points, model, parted)
    return MouthLayer(
        positions,
        np.concatenate([fit.project_deltas(head.shapes[:, run]), np.zeros((1, len(positions), 3))]),
        triangles.astype(np.int32),
        paint,
        cavity,
        photo,
    )


def _paint(
    head: HeadModel,
    picture: NDArray[np.uint8],
    points: NDArray[np.float32],
    model: NDArray[np.floating],
    parted: bool,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Colours under the photo's light: its brightness and a third of its tint; grey photos stay grey."""
    skin = _skin(picture, points)
    light = float(np.clip(skin.max() / _LIT, 0.35, 1.05))
    tint = 1 + 0.3 * (skin / max(skin.mean(), 1.0) - 1)
    saturation = float(np.clip((skin.max() - skin.min()) / max(skin.max(), 1.0) / 0.22, 0, 1))
    teeth = _photo_teeth(picture, points) if parted else None
    base = {
        "teeth": _TEETH * tint * light if teeth is None else teeth,
        "gum": _GUM * tint * light,
        "tongue": _TONGUE * tint * light,
    }
    run = inside_run(head)
    paint = np.zeros((run.stop - run.start, 3))
    for name in INSIDE:
        part = head.part(name)
        own = slice(part.start - run.start, part.stop - run.start)
        kind = next(kind for kind in base if name.endswith(kind))
        depth = model[own, 2] - model[own, 2].min()
        reach = 0.20 if kind == "teeth" else 0.30
        dark = np.clip(1 - depth / reach, 0, 1) ** (1.25 if kind == "teeth" else 1.6)
        shade = head.shade[part] * (0.10 + 0.90 * dark)
        # Shadow inside a mouth is warm: blue falls off faster than red.
        paint[own] = base[kind] * shade[:, None] ** np.array([0.92, 1.08, 1.16])
    paint = paint.mean(axis=1, keepdims=True) * (1 - saturation) + paint * saturation
    cavity = _CAVITY * light
    cavity = cavity.mean() * (1 - saturation) + cavity * saturation
    return paint.astype(np.float32), cavity.astype(np.float32)


def _skin(picture: NDArray[np.uint8], points: NDArray[np.float32]) -> Floats:
    size = len(picture)
    patches = []
    for x, y in np.round(points[CHEEKS, :2]).astype(int).clip(2, size - 3):
        patches.append(picture[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3))
    result: Floats = np.median(np.concatenate(patches), axis=0).astype(np.float64)
    return result


def _inner_polygon(points: NDArray[np.float32]) -> NDArray[np.int32]:
    """Outline of the opening between the lips, in eighths of a pixel."""
    loop = INNER_LIPS_TOP + INNER_LIPS_BOTTOM[-2:0:-1]
    return np.round(points[loop, :2] * 8).astype(np.int32)


def _photo_mask(points: NDArray[np.float32], size: int) -> NDArray[np.uint8]:
    """Where the photo shows the mouth's inside, a little grown and softened."""
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [_inner_polygon(points)], 255, shift=3)
    grown = cv2.dilate(mask, np.ones((3, 3), np.uint8))
    return np.asarray(cv2.GaussianBlur(grown, (0, 0), 1.2), np.uint8)


def _photo_teeth(picture: NDArray[np.uint8], points: NDArray[np.float32]) -> Floats | None:
    """Read the colour of the teeth that the photo shows, if it shows any."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(mask, [_inner_polygon(points)], 255, shift=3)
    pixels = picture[cv2.erode(mask, np.ones((3, 3), np.uint8)) > 0].reshape(-1, 3)
    if len(pixels) < 30:
        return None
    value = pixels.max(axis=1)
    bright = np.median(pixels[value >= np.percentile(value, 75)], axis=0).astype(np.float64)
    # Red and dark is tongue or lip, not tooth.
    if bright.max() < 90 or bright.min() < 0.55 * bright.max():
        return None
    result: Floats = np.clip(bright * 1.08, 60, 235)
    return result
