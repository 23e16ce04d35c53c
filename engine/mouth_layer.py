"""The mouth's inside: teeth, gums and tongue behind the lips, and what the photo itself shows of them."""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.face_points import CHEEKS, EYES, INNER_LIPS_BOTTOM, INNER_LIPS_TOP, OUTER_LIPS
from mien.engine.head import MOUTH_PARTS, PARTS, HeadModel
from mien.engine.head_fit import Floats, HeadFit
from mien.engine.motion import INDEX, SHAPES

_TEETH: Final = np.array([226.0, 219.0, 204.0])
_GUM: Final = np.array([182.0, 102.0, 98.0])
_TONGUE: Final = np.array([168.0, 92.0, 90.0])
_CAVITY: Final = np.array([46.0, 17.0, 18.0])
_TEETH_LOWERED: Final = 0.012
"""Upper teeth sit so much lower than the head model's, in face widths: speaking mouths show their edge."""
_LOWER_LOWERED: Final = 0.008
"""Lower teeth sit so much lower too: of them a speaking mouth shows the tips."""
_LOWER_TEETH: Final = 0.86
"""Lower teeth lie in the shadow of the upper ones."""
_TONGUE_SIDES: Final = 0.4
"""How much of its light the tongue loses towards its sides."""
_TONGUE_WIDER: Final = ((-0.43, -0.36, -0.2), (1.0, 1.15, 1.38))
"""At these depths of the head model its tongue is made so many times as wide: it fills the lower row's arch,
so that a mouth seen from the side shows no gap beside it."""
_DEEP: Final = 1.3
"""What lies deep is so much lighter than the throat."""
_DEPTHS: Final = {"teeth": (0.28, 1.2), "gum": (0.32, 1.2), "tongue": (0.33, 0.9)}
"""How deep behind its own front each part lies in the dark, in face widths, and how suddenly."""
_WIDE_OPEN: Final = 0.07
"""A mouth open so far, as a share of the face's height, shows lower teeth too."""
_DIMPLE: Final = 0.012
"""Radius of the dimple at the corners of closed lips, as a share of the face's height."""
_CORNER_REACH: Final = 0.05
_CORNER_DARK: Final = 0.86
"""How far past an open mouth's corners its dark may run, as a share of the face's height, and how dark that
is against what lies around it."""
_TINT: Final = 0.7
"""How much of the tint of the whites of the eyes the light has; the rest is their own."""
_TONGUE_TINT: Final = 0.6
"""Power of that tint on a tongue, which is red of itself: under an old varnish it glowed orange."""
_TONGUE_LIGHT: Final = 0.78
"""How light a tongue is at most, as a share of the lighter of skin and whites of the eyes."""
_WHITE_HUE: Final = 0.85
"""How colourful the whites of eyes are at most, as a share of the skin's own colourfulness."""
_LIT_WHITE: Final = 235.0
_PARTED_RIM: Final = 0.03
_CLOSED_RIM: Final = 0.021
"""How far the line between the lips reaches onto them, in all, as a share of the face's height."""
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
    """uint8[H, W]: where the photo shows the mouth's inside."""

    teeth: NDArray[np.uint8]
    """uint8[H, W]: where it shows upper teeth."""

    lips: NDArray[np.uint8]
    """uint8[height, width, 3]: the lips without what lies between them."""

    lips_corner: NDArray[np.int64]
    """int64[2]: left and top of that picture."""


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
    run = head.mouth_inside()
    expression = fit.expression.copy()
    if not parted:
        # Behind closed lips the jaw is at rest, whatever combination of shapes the fit found for the lips.
        mouth = [name.startswith(("jaw", "mouth")) for name in SHAPES]
        expression[mouth] = 0.0
    model = head.vertices[run] + np.tensordot(fit.identity, head.identities[:, run], 1)
    model = model + np.tensordot(expression, head.shapes[:, run], 1)
    tongue = head.part("tongue")
    own = slice(tongue.start - run.start, tongue.stop - run.start)
    model[own, 0] *= np.interp(head.vertices[tongue, 2], *_TONGUE_WIDER)
    positions = fit.project(model)
    deltas = fit.project_deltas(head.shapes[:, run])
    jaw = np.array([name.startswith("jaw") for name in SHAPES])
    neutraliser = -np.tensordot(expression * jaw, deltas, 1)
    lower = head.shapes[INDEX["jawOpen"], run, 1] > 0.02
    positions[:, :2] += np.where(lower[:, None], lower_moved, upper_moved)
    teeth = _photo_teeth(picture, points) if parted else np.zeros(picture.shape[:2], np.uint8)
    edge = float(positions[: head.part("upper_teeth").stop - run.start, 1].max())
    shown = _teeth_edge(teeth, points)
    positions[~lower, 1] += _TEETH_LOWERED * fit.scale if shown is None else shown - edge
    positions[lower, 1] += _LOWER_LOWERED * fit.scale
    first = PARTS.index(MOUTH_PARTS[0])
    triangles = np.concatenate(head.triangles[first : first + len(MOUTH_PARTS)]) - run.start
    photo = _between_lips(points, picture.shape[:2], 7, 1.2) if parted else np.zeros_like(teeth)
    paint, cavity = _paint(head, picture, points, model, teeth)
    lips, corner = bare_lips(picture, points, parted)
    return MouthLayer(
        positions,
        np.concatenate([deltas, neutraliser[None]]),
        triangles.astype(np.int32),
        paint,
        cavity,
        photo,
        np.asarray(cv2.GaussianBlur(teeth, (0, 0), 0.7), np.uint8),
        lips,
        corner,
    )


def _paint(
    head: HeadModel,
    picture: NDArray[np.uint8],
    points: NDArray[np.float32],
    model: NDArray[np.floating],
    photo_teeth: NDArray[np.uint8],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Colours under the photo's light, its brightness and its tint; grey photos stay grey."""
    skin = _skin(picture, points)
    # Dark skin is not dim light, nor is a warm one warm light: the whites of the eyes tell the two apart.
    white = _eye_white(picture, points)
    light = float(np.clip(max(skin.max() / _LIT, white.max() / _LIT_WHITE), 0.35, 1.05))
    tint = 1 + _TINT * _hue_of_light(white, skin)
    saturation = float(np.clip((skin.max() - skin.min()) / max(skin.max(), 1.0) / 0.22, 0, 1))
    tongue = _TONGUE * tint**_TONGUE_TINT * light
    base = {
        "teeth": _teeth_colour(picture, photo_teeth, _no_lighter(_TEETH * tint * light, skin, white)),
        "gum": _GUM * tint * light,
        "tongue": _no_lighter(tongue, _TONGUE_LIGHT * skin, _TONGUE_LIGHT * white),
    }
    cavity = _CAVITY * light
    run = head.mouth_inside()
    paint = np.zeros((run.stop - run.start, 3))
    for name in MOUTH_PARTS:
        part = head.part(name)
        own = slice(part.start - run.start, part.stop - run.start)
        kind = next(kind for kind in base if name.endswith(kind))
        depth = model[own, 2] - model[own, 2].min()
        reach, power = _DEPTHS[kind]
        lit = np.clip(1 - depth / reach, 0, 1)[:, None] ** power
        if name == "tongue":
            # Its sides turn down into the dark: a head in half profile shows one of them.
            aside = np.abs(head.vertices[part, 0])
            lit = lit * (1 - _TONGUE_SIDES * (aside / aside.max()) ** 3)[:, None]
        shade = head.shade[part] * (_LOWER_TEETH if name == "lower_teeth" else 1.0)
        # Shadow inside a mouth is warm: blue falls off faster than red.
        own_colour = base[kind] * shade[:, None] ** np.array([0.92, 1.08, 1.16])
        paint[own] = _DEEP * cavity + lit * (own_colour - _DEEP * cavity)
    paint = paint.mean(axis=1, keepdims=True) * (1 - saturation) + paint * saturation
    cavity = cavity.mean() * (1 - saturation) + cavity * saturation
    return paint.astype(np.float32), cavity.astype(np.float32)


def _hue_of_light(white: Floats, skin: Floats) -> Floats:
    """By how much the light is redder, greener and bluer than grey, as shares, from the whites of the eyes.

    In a small face lids and lashes stain what is found of them, so they count as no more colourful than
    a share of the skin.
    """
    hue: Floats = white / max(white.mean(), 1.0) - 1
    colourful = float(np.linalg.norm(skin / max(skin.mean(), 1.0) - 1))
    return hue * min(1.0, _WHITE_HUE * colourful / max(float(np.linalg.norm(hue)), 1e-6))


def _no_lighter(colour: Floats, skin: Floats, white: Floats) -> Floats:
    """Darken teeth or tongue to the lightest of skin and eyes: what outshines both looks lit from within."""
    return colour * min(1.0, float(max(skin.max(), white.max(), 60.0) / colour.max()))


def _skin(picture: NDArray[np.uint8], points: NDArray[np.float32]) -> Floats:
    patches = []
    furthest = np.array(picture.shape[1::-1]) - 3
    for x, y in np.round(points[CHEEKS, :2]).astype(int).clip(2, furthest):
        patches.append(picture[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3))
    result: Floats = np.median(np.concatenate(patches), axis=0).astype(np.float64)
    return result


def _eye_white(picture: NDArray[np.uint8], points: NDArray[np.float32]) -> Floats:
    """Measure the colour of the whites of the eyes, float64[3]; a neutral black if there is none in sight."""
    mask: NDArray[Any] = np.zeros(picture.shape[:2], np.uint8)
    for _, top, bottom, _, _ in EYES:
        loop = points[list(top + bottom[-2:0:-1]), :2]
        cv2.fillPoly(mask, [np.round(loop * 8).astype(np.int32)], 255, cv2.LINE_8, 3)
    for _, _, _, _, iris in EYES:
        centre = points[iris[0], :2]
        radius = float(np.linalg.norm(points[list(iris[1:]), :2] - centre, axis=1).mean())
        place = (round(float(centre[0])), round(float(centre[1])))
        cv2.circle(mask, place, round(1.2 * radius) + 1, 0, -1)
    pixels = picture[mask > 0].reshape(-1, 3)
    if len(pixels) < 10:
        return np.ones(3)
    value = pixels.max(axis=1)
    result: Floats = np.median(pixels[value >= np.percentile(value, 65)], axis=0).astype(np.float64)
    return result


def _inner_polygon(points: NDArray[np.float32]) -> NDArray[np.int32]:
    """Outline of the opening between the lips, in eighths of a pixel."""
    loop = INNER_LIPS_TOP + INNER_LIPS_BOTTOM[-2:0:-1]
    return np.round(points[loop, :2] * 8).astype(np.int32)


def _between_lips(
    points: NDArray[np.float32], shape: tuple[int, ...], grow: int, soft: float
) -> NDArray[np.uint8]:
    """Mark what lies between the lips, grown by `grow` / 2 pixels and softened."""
    mask: NDArray[Any] = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [_inner_polygon(points)], 255, cv2.LINE_8, 3)
    if grow > 1:
        mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (grow, grow)))
    if soft > 0:
        mask = cv2.GaussianBlur(mask, (0, 0), soft)
    return np.asarray(mask, np.uint8)


def _photo_teeth(picture: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Mark the upper teeth that the photo shows: bright, pale, and high in the mouth."""
    inside = _between_lips(points, picture.shape[:2], 1, 0) > 0
    if inside.sum() < 30:
        return np.zeros(picture.shape[:2], np.uint8)
    value = picture.max(axis=2).astype(np.float64)
    bright = float(np.percentile(value[inside], 85))
    pale = picture.min(axis=2) > 0.55 * value
    tooth = inside & pale & (value > max(0.6 * bright, 70.0))
    tooth &= _first_run(tooth, points)
    mask = cv2.morphologyEx(tooth.astype(np.uint8) * 255, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    if cv2.countNonZero(mask) < 40:
        return np.zeros(picture.shape[:2], np.uint8)
    return np.asarray(mask, np.uint8)


def _first_run(tooth: NDArray[np.bool_], points: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Keep what hangs from the upper lip, without a gap: lower teeth, which move with the jaw, come later.

    bool[H, W] in and out. Teeth begin in the upper third of the opening and end at the first two dark pixels,
    and in a mouth open wide in its upper part.
    """
    kept = np.zeros_like(tooth)
    wide = _WIDE_OPEN * float(np.ptp(points[:468, 1]))
    top, bottom = points[list(INNER_LIPS_TOP), :2], points[list(INNER_LIPS_BOTTOM), :2]
    for x in np.flatnonzero(tooth.any(axis=0)):
        rows = np.flatnonzero(tooth[:, x])
        above, below = np.interp(x, top[:, 0], top[:, 1]), np.interp(x, bottom[:, 0], bottom[:, 1])
        if rows[0] > 0.7 * above + 0.3 * below + 2:
            continue
        if below - above > wide:
            rows = rows[rows <= 0.4 * above + 0.6 * below]
        gaps = np.flatnonzero(np.diff(rows) > 2)
        kept[rows[: gaps[0] + 1] if len(gaps) else rows, x] = True
    return kept


def _teeth_edge(teeth: NDArray[np.uint8], points: NDArray[np.float32]) -> float | None:
    """Find how low the photo's upper teeth reach in the middle of the mouth, in pixels, if it shows any."""
    left, right = points[INNER_LIPS_TOP[0], 0], points[INNER_LIPS_TOP[-1], 0]
    third = (right - left) / 3
    middle = teeth[:, round(float(left + third)) : round(float(right - third))] > 0
    columns = middle.any(axis=0)
    if columns.sum() < 3:
        return None
    lowest = len(teeth) - 1 - middle[::-1].argmax(axis=0)
    return float(np.median(lowest[columns]))


def _teeth_colour(picture: NDArray[np.uint8], teeth: NDArray[np.uint8], otherwise: Floats) -> Floats:
    """Take the teeth's colour from the photo where it shows them."""
    pixels = picture[teeth > 0].astype(np.float64)
    if len(pixels) < 40:
        return otherwise
    value = pixels.max(axis=1)
    result: Floats = np.clip(np.median(pixels[value >= np.percentile(value, 60)], axis=0), 60, 240)
    return result


def bare_lips(
    picture: NDArray[np.uint8], points: NDArray[np.float32], parted: bool
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Paint the lips over what lies between them, from their own colours.

    Returns the box round the mouth, uint8[height, width, 3], and its left and top.
    """
    height = float(np.ptp(points[:468, 1]))
    grow = max(round((_PARTED_RIM if parted else _CLOSED_RIM) * height), 1)
    mask = _between_lips(points, picture.shape[:2], grow, 0)
    line = points[INNER_LIPS_TOP + INNER_LIPS_BOTTOM[-2:0:-1], :2]
    if not parted:
        # The line between closed lips runs on past their inner corners, to a dimple at the outer ones.
        ends = points[[OUTER_LIPS[0], OUTER_LIPS[10]], :2]
        middle = (points[INNER_LIPS_TOP, :2] + points[INNER_LIPS_BOTTOM, :2]) / 2
        middle = np.concatenate([ends[:1], middle, ends[1:]])
        for x, y in np.round(ends).astype(int):
            cv2.circle(mask, (int(x), int(y)), max(2, round(_DIMPLE * height)), 255, -1)
        cv2.polylines(mask, [np.round(middle * 8).astype(np.int32)], False, 255, grow, cv2.LINE_8, 3)
    else:
        # The dark of the cheek's inside reaches beyond the corners that landmarks see.
        for corner in (points[INNER_LIPS_TOP[0], :2], points[INNER_LIPS_TOP[-1], :2]):
            centre = (round(float(corner[0])), round(float(corner[1])))
            cv2.circle(mask, centre, max(2, round(0.018 * height)), 255, -1)
        mask |= _dark_corners(picture, points, mask, height)
    margin = 0.06 * height
    low = np.floor(line.min(axis=0) - margin).astype(int).clip(0)
    high = np.ceil(line.max(axis=0) + margin).astype(int).clip(None, picture.shape[1::-1])
    box = picture[low[1] : high[1], low[0] : high[0]]
    hole = mask[low[1] : high[1], low[0] : high[0]]
    return _fill(box, hole), low.astype(np.int64)


def _fill(picture: NDArray[np.uint8], hole: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Spread what lies round a hole into it, and wipe out the speckled seam that inpainting leaves."""
    filled = cv2.inpaint(picture, hole, 3, cv2.INPAINT_TELEA)
    seam = cv2.morphologyEx(hole, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    smooth = cv2.medianBlur(filled, 5)
    filled[seam] = smooth[seam]
    soft = cv2.GaussianBlur(filled, (0, 0), 1.0)
    inside = cv2.erode(hole, np.ones((3, 3), np.uint8)) > 0
    filled[inside] = soft[inside]
    return np.asarray(filled, np.uint8)


def _dark_corners(
    picture: NDArray[np.uint8], points: NDArray[np.float32], mouth: NDArray[np.uint8], height: float
) -> NDArray[np.uint8]:
    """Mark the dark that runs on from an open mouth past its corners, into the creases of a smile."""
    near: NDArray[Any] = np.zeros_like(mouth)
    for corner in (points[OUTER_LIPS[0], :2], points[OUTER_LIPS[10], :2]):
        centre = (round(float(corner[0])), round(float(corner[1])))
        cv2.circle(near, centre, max(3, round(_CORNER_REACH * height)), 255, -1)
    value = picture.max(axis=2).astype(np.float32)
    # Against the skin round about: a face half in the shade has a dark and a light corner.
    around = cv2.blur(value, (2 * round(0.05 * height) + 1,) * 2)
    dark = ((value < _CORNER_DARK * around) & (near > 0)).astype(np.uint8) * 255
    joined = cv2.morphologyEx(dark | mouth, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, label = cv2.connectedComponents(joined)
    own = np.isin(label, np.unique(label[mouth > 0])) & (dark > 0)
    return np.asarray(cv2.dilate(own.astype(np.uint8) * 255, np.ones((3, 3), np.uint8)), np.uint8)
