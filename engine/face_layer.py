"""The skin of a portrait: where each face vertex lies, how shapes move it, what the photo shows there.

Some movements are authored in the picture instead of taken from the head model, because a photo shows up
what a model gets away with: a blink ends on this person's lower lid, and lips that touch show no hole.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.eye_frame import EYE_POINTS, LOWER_LID, EyeFrame
from mien.engine.face_points import (
    EYES,
    FACE_OVAL,
    INNER_LIPS_BOTTOM,
    INNER_LIPS_TOP,
    NOSTRILS,
    OUTER_LIPS,
)
from mien.engine.head import HeadModel
from mien.engine.head_fit import Floats, HeadFit, distances, smoothstep, snap
from mien.engine.motion import INDEX, SHAPES
from mien.kernels.raster import raster_attributes, raster_coverage

_PLACES: Final = 3
"""Places along and down a pixel at which triangles are looked for: odd, so that its centre is one."""

PARTED_GAP: Final = 0.02
"""Lips further apart than this share of the face's height are parted."""

_SEAL_OVERLAP: Final = 0.7
"""Pixels by which closed lips overlap, so that no hairline opens between them."""

_WIDEST: Final = 0.6
"""How much of the head model's widening an eye takes: all of it bares the ball all round the iris."""

_BELOW_BROW: Final = 0.8
"""The skin between lid and brow that stretches: brows grow a little below the edge that landmarks see."""

BROW_SHAPES: Final = ("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight")

_LIP_EDGE: Final = 1.0
"""What lips hide within so many pixels of a picture of 512 keeps the photo's colours at its own place: the
first of it to come forth as they stir must look like what it comes before."""

_DEEPEST_FOLD: Final = 0.13
"""Lips, lids and nostrils reach no further behind the skin before them, as a share of the face's height."""

KEPT_SMILE: Final = 0.3
"""How much of the photo's own smile stays while speaking. Its folds are softened only, so all of it
going would look wrong; so would a mouth that never closes."""

_KEPT_SQUINT: Final = 0.5
"""The same of narrowed eyes: what more they would show is made up."""

_OPENS: Final = ("jaw", "mouthLowerDown", "mouthUpperUp", "mouthFunnel", "mouthShrugUpper")
"""Shapes that part the photo's lips: nothing of them stays."""

_SMILES: Final = ("mouthSmile", "mouthDimple")
_SQUINTS: Final = ("eyeSquint", "cheekSquint", "eyeBlink")

_DOUBTFUL: Final = 0.15
"""Below this weight a smile of closed lips, or a narrowed eye, may as well be how the face is made."""


@dataclass(frozen=True, slots=True)
class FaceLayer:
    """Face vertices in pixels, before they are tied to the background."""

    positions: Floats
    """float64[n, 3] at rest."""

    deltas: Floats
    """float64[53, n, 3]: the 52 shapes, then the neutraliser."""

    triangles: NDArray[np.int32]
    texture: Floats
    """float64[n, 2]."""

    inside: Floats
    """float64[n]: how far inside the face's outline each vertex lies, in pixels, negative outside."""

    height: float
    """The face's height in pixels, from the landmarks."""

    lips_parted: bool


def build_face(
    head: HeadModel, fit: HeadFit, points: NDArray[np.float32], size: tuple[int, int]
) -> FaceLayer:
    """Lay the face over landmarks, float32[478, 3] in pixels of a picture; size: its width and height."""
    face = head.part("face")
    height = float(np.ptp(points[:468, 1]))
    model = head.vertices + np.tensordot(fit.identity, head.identities, 1)
    model = model + np.tensordot(fit.expression, head.shapes, 1)
    positions = fit.project(model[face])
    positions[:, :2] += snap(head, fit, points, model)
    deltas = fit.project_deltas(head.shapes[:, face])
    parted = lips_parted(points)

    inside = _distance_inside(_outline(head, model[face], positions, points, size), positions[:, :2])
    triangles = head.triangles[0]
    triangles = triangles[(inside > -1.0)[triangles].all(axis=1)]
    lower = lower_side(head)
    if not parted:
        positions = seal_lips(head, positions, height)
    modelled = deltas.copy()
    for side in EYE_POINTS:
        frame = EyeFrame.of(points, side)
        deltas[INDEX[f"eyeBlink{side.capitalize()}"]] = _raise_lower_lid(frame, positions)
        deltas[INDEX[f"eyeLookDown{side.capitalize()}"]] *= _lower_lid(frame, positions)[:, None]
        taken = _below_brow(frame, positions)[:, None]
        deltas[INDEX[f"eyeWide{side.capitalize()}"]] *= _WIDEST
        for name in BROW_SHAPES:
            deltas[INDEX[name]] *= taken
    neutraliser = -np.tensordot(fit.expression * taken_away(fit.expression, parted=parted), modelled, 1)
    if parted:
        neutraliser = _close_lips(head, positions, neutraliser, lower, height)

    triangles = _facing(triangles, positions, points, inside, height)
    triangles = _near_surface(triangles, positions, points, height, size)
    texture = _texture(head, positions, triangles, points, height, size)
    return FaceLayer(
        positions,
        np.concatenate([deltas, neutraliser[None]]),
        triangles,
        texture,
        inside,
        height,
        parted,
    )


def lips_parted(points: NDArray[np.float32]) -> bool:
    """Whether the photo's lips are apart, from its landmarks."""
    gap = points[INNER_LIPS_BOTTOM, 1] - points[INNER_LIPS_TOP, 1]
    return bool(gap.max() > PARTED_GAP * np.ptp(points[:468, 1]))


def lower_side(head: HeadModel) -> Floats:
    """How much each face vertex belongs to the lower jaw, 0..1."""
    jaw = head.shapes[INDEX["jawOpen"], head.part("face"), 1].astype(np.float64)
    lower = smoothstep((jaw / jaw.max() - 0.12) / 0.3)
    rings = head.rings[0]
    half = rings.shape[1] // 2
    lower[rings[:, 1:half]] = 0.0
    lower[rings[:, half + 1 :]] = 1.0
    lower[rings[:, [0, half]]] = 0.5
    return lower


def lip_curves(head: HeadModel, positions: Floats) -> tuple[Floats, Floats]:
    """Return the lower edge of the upper lip and the upper edge of the lower lip, [n, 2], left to right."""
    rings = head.rings[0]
    half = rings.shape[1] // 2
    deep = rings[:8]
    upper = positions[deep[:, half - 1 : 0 : -1], :2]
    lower = positions[deep[:, half + 1 :], :2]
    columns = np.arange(half - 1)
    return (
        upper[upper[..., 1].argmax(axis=0), columns],
        lower[lower[..., 1].argmin(axis=0), columns],
    )


def seal_lips(head: HeadModel, positions: Floats, height: float) -> Floats:
    """Bring lips together that touch in the photo but gape in the model, each by half of the gap."""
    sealed = positions.copy()
    lower = lower_side(head)
    for _ in range(3):
        top, bottom = lip_curves(head, sealed)
        gap, line = _gap_along(top, bottom, sealed[:, 0])
        push = np.maximum(gap + _SEAL_OVERLAP, 0) / 2
        near = np.exp(-(((sealed[:, 1] - line) / (0.02 * height)) ** 2))
        near *= sealed[:, 2] < sealed[head.rings[0][0], 2].max() + 0.05 * height
        sealed[:, 1] += push * near * (1 - 2 * lower)
    return sealed


def _gap_along(top: Floats, bottom: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Gap between two curves, and the height of their middle, at places x; no gap beyond their ends."""
    top, bottom = top[np.argsort(top[:, 0])], bottom[np.argsort(bottom[:, 0])]
    upper = np.interp(x, top[:, 0], top[:, 1])
    lower = np.interp(x, bottom[:, 0], bottom[:, 1])
    left, right = max(top[0, 0], bottom[0, 0]), min(top[-1, 0], bottom[-1, 0])
    within = smoothstep(np.minimum(x - left, right - x) / 2.0 + 1.0)
    return (lower - upper) * within, (upper + lower) / 2


def _below_brow(eye: EyeFrame, positions: Floats) -> Floats:
    """How much of the brow's movement each vertex takes: the lid's margin and its lashes take none."""
    x, y = eye.framed(positions[:, :2])
    upper, width = eye.upper(x), eye.width
    reach = np.maximum(_BELOW_BROW * (upper - eye.brow(x)), 0.18 * width)
    # Nearly linear: any faster anywhere, and the skin between would show its stretch.
    share = np.clip((upper - y - 0.07 * width) / (reach - 0.07 * width), 0, 1)
    share = 0.7 * share + 0.3 * smoothstep(share)
    beside = np.maximum(np.maximum(-x, x - width), 0) / (0.5 * width)
    return np.maximum(share, smoothstep(beside))


def _raise_lower_lid(eye: EyeFrame, positions: Floats) -> Floats:
    """Let the lower lid come up a little in a blink. The upper one is a layer of its own."""
    x, y = eye.framed(positions[:, :2])
    upper, lower, width = eye.upper(x), eye.lower(x), eye.width
    below = 1 - smoothstep((y - lower - 0.04 * width) / (0.20 * width))
    beside = smoothstep(1 - np.maximum(np.maximum(-x, x - width), 0) / (0.22 * width))
    near = (y > (upper + lower) / 2) & (y < 0.8 * width)
    moved = np.zeros((len(x), 3))
    moved[:, :2] = (-LOWER_LID * (lower - upper) * below * beside * near)[:, None] * eye.down
    return moved


def _lower_lid(eye: EyeFrame, positions: Floats) -> Floats:
    """How much each vertex belongs to the lower lid, 0..1: not at the corners, where it ends."""
    x, y = eye.framed(positions[:, :2])
    middle = (eye.upper(x) + eye.lower(x)) / 2
    return smoothstep(np.minimum(x, eye.width - x) / (0.3 * eye.width)) * (y > middle)


def taken_away(expression: Floats, *, parted: bool) -> Floats:
    """Return which share of each shape of the photo's own expression goes while it speaks, float64[52].

    Of parted lips what parts them, wholly; smiles and narrowed eyes in part. Closed lips that do not smile
    are left alone: shapes that the fit found there tell how the mouth is made, not what it does.
    """
    share = np.zeros(len(SHAPES))
    for index, name in enumerate(SHAPES):
        if parted and name.startswith(("mouth", "jaw")):
            share[index] = 1.0 if name.startswith(_OPENS) else 1 - KEPT_SMILE
        elif name.startswith(_SMILES + _SQUINTS):
            certain = smoothstep((expression[index] - _DOUBTFUL) / _DOUBTFUL)
            share[index] = certain * (1 - (KEPT_SMILE if name.startswith(_SMILES) else _KEPT_SQUINT))
    return share


def _close_lips(head: HeadModel, positions: Floats, moved: Floats, lower: Floats, height: float) -> Floats:
    """Add to a movement what brings the lips together at its end."""
    moved = moved.copy()
    for _ in range(4):
        now = positions + moved
        top, bottom = lip_curves(head, now)
        gap, line = _gap_along(top, bottom, now[:, 0])
        gap = np.where(np.abs(gap) > 0, gap + _SEAL_OVERLAP, 0)
        # The lower lip has further to go than the upper: a jaw closes, an upper lip only rests.
        under = -0.7 * gap * np.exp(-((np.maximum(now[:, 1] - line, 0) / (0.09 * height)) ** 2))
        over = 0.3 * gap * np.exp(-((np.maximum(line - now[:, 1], 0) / (0.07 * height)) ** 2))
        near = np.abs(now[:, 1] - line) < 0.2 * height
        moved[:, 1] += (lower * under + (1 - lower) * over) * near
    return moved


def _outline(
    head: HeadModel, model: Floats, positions: Floats, points: NDArray[np.float32], size: tuple[int, int]
) -> NDArray[np.float32]:
    """Return the outline of the face in a picture, float32[n, 2]; size: the picture's width and height.

    It is the oval of the landmarks, and what of the far cheek of a turned face bulges out past that.
    model: the face's vertices in the head model, where no cheek hides anything.
    """
    oval = head.landmarks(model.astype(np.float32))[list(FACE_OVAL), :2]
    within = _distance_inside(oval, model[:, :2]) > 0
    triangles = head.triangles[0]
    mask = np.zeros(size[::-1], np.uint8)
    cv2.fillPoly(mask, [np.round(points[FACE_OVAL, :2] * 16).astype(np.int32)], 255, shift=4)
    skin = np.ascontiguousarray(triangles[within[triangles].all(axis=1)])
    raster_coverage(positions.astype(np.float32), skin, mask)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(max(contours, key=len)[:, 0], np.float32)


def _facing(
    triangles: NDArray[np.int32],
    positions: Floats,
    points: NDArray[np.float32],
    inside: Floats,
    height: float,
) -> NDArray[np.int32]:
    """Drop triangles that face away, except near lips, nostrils and lids, where movement turns them over."""
    corners = positions[triangles]
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]
    front = area * np.sign(np.median(area)) > 0
    lips = distances(positions[:, :2], points[OUTER_LIPS, :2]).min(axis=1) < 0.13 * height
    nose = distances(positions[:, :2], points[NOSTRILS, :2]).min(axis=1) < 0.09 * height
    kept = lips | nose | (inside > 0.07 * height)
    result: NDArray[np.int32] = triangles[front | kept[triangles].any(axis=1)]
    return result


def _near_surface(
    triangles: NDArray[np.int32],
    positions: Floats,
    points: NDArray[np.float32],
    height: float,
    size: tuple[int, int],
) -> NDArray[np.int32]:
    """Drop triangles far behind the skin: neck and ear behind a turned cheek or parted lips."""
    depth = np.full(size[::-1], np.inf, np.float32)
    nothing = np.zeros((len(positions), 1), np.float32)
    unused = np.zeros((*depth.shape, 1), np.float32)
    raster_attributes(positions.astype(np.float32), triangles, nothing, unused, depth)
    for rim in (OUTER_LIPS, *(top + bottom[-2:0:-1] for _, top, bottom, _, _ in EYES)):
        _close_opening(depth, positions, points[list(rim), :2].astype(np.float64))
    # The nearest skin within a few pixels: a vertex of the silhouette itself is not behind it.
    deepest = cv2.dilate(np.where(np.isfinite(depth), depth, -np.inf).astype(np.float32), np.ones((5, 5)))
    pixel = np.clip(np.round(positions[:, :2]), 0, [size[0] - 1, size[1] - 1]).astype(np.intp)
    behind = positions[:, 2] - deepest[pixel[:, 1], pixel[:, 0]] > _DEEPEST_FOLD * height
    kept: NDArray[np.int32] = triangles[~behind[triangles].any(axis=1)]
    return kept


def _close_opening(depth: NDArray[np.float32], positions: Floats, rim: Floats) -> None:
    """Lay a plane into the depth, in place, where an open eye or mouth would show what is behind the face."""
    beside = positions[distances(rim, positions[:, :2]).argmin(axis=1), 2]
    plane = np.linalg.lstsq(np.column_stack([rim, np.ones(len(rim))]), beside, rcond=None)[0]
    hole = np.zeros(depth.shape, np.uint8)
    cv2.fillPoly(hole, [np.round(rim).astype(np.int32)], 1)
    rows, columns = np.nonzero(hole)
    closed = np.column_stack([columns, rows, np.ones(len(rows))]) @ plane
    depth[rows, columns] = np.minimum(depth[rows, columns], closed)


def _texture(
    head: HeadModel,
    positions: Floats,
    triangles: NDArray[np.int32],
    points: NDArray[np.float32],
    height: float,
    size: tuple[int, int],
) -> Floats:
    """Where in the photo each vertex takes its colour: its own place where it is seen.

    A vertex hidden at rest (inside the lips, behind the lids, in the nostrils) takes the colours of its
    seen neighbours: on the rings by mirroring about the innermost seen ring, elsewhere by spreading.
    """
    texture = positions[:, :2].copy()
    seen = seen_vertices(positions, triangles, size)
    used = np.zeros(len(positions), bool)
    used[triangles] = True
    known = seen.copy()
    near = np.zeros(len(positions), bool)
    for run, reach in (
        (OUTER_LIPS, 0.06),
        (NOSTRILS, 0.035),
        (EYES[0][1] + EYES[0][2], 0.035),
        (EYES[1][1] + EYES[1][2], 0.035),
    ):
        near |= distances(positions[:, :2], points[run, :2]).min(axis=1) < reach * height
    known |= used & ~near
    for rings, kept in zip(head.rings, (_LIP_EDGE * max(size) / 512, 0.0, 0.0), strict=True):
        for column in rings.T:
            hidden = int(np.argmax(seen[column])) if seen[column].any() else 0
            away = np.linalg.norm(texture[column] - texture[column[hidden]], axis=1)
            for depth in range(hidden - 1, -1, -1):
                if away[depth] < kept:
                    continue
                outer = hidden + 0.6 * (hidden - depth)
                low = min(int(outer), len(column) - 2)
                share = min(outer - low, 1.0)
                texture[column[depth]] = (1 - share) * texture[column[low]] + share * texture[column[low + 1]]
            known[column] = True
    links = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    links = np.concatenate([links, links[:, ::-1]])
    for _ in range(40):
        edge = links[known[links[:, 1]] & ~known[links[:, 0]]]
        if not len(edge):
            break
        total, count = np.zeros((len(positions), 2)), np.zeros(len(positions))
        np.add.at(total, edge[:, 0], texture[edge[:, 1]])
        np.add.at(count, edge[:, 0], 1)
        new = count > 0
        texture[new] = total[new] / count[new, None]
        known |= new
    return texture


def seen_vertices(
    positions: NDArray[np.floating], triangles: NDArray[np.int32], size: tuple[int, int]
) -> NDArray[np.bool_]:
    """Find the vertices of every triangle that shows in a picture at rest; size: its width and height.

    With their own place as texture, the picture at rest is the photo, exactly. A triangle shows that owns any
    of so many places a pixel that the slightest movement does not let others own the pixel itself.
    """
    corners = positions[triangles].reshape(-1, 3).astype(np.float32)
    corners[:, :2] = corners[:, :2] * _PLACES + (_PLACES - 1) / 2
    alone = np.arange(len(corners), dtype=np.int32).reshape(-1, 3)
    depth = np.full((size[1] * _PLACES, size[0] * _PLACES), np.inf, np.float32)
    owner = np.full((*depth.shape, 1), -1, np.float32)
    numbers = np.repeat(np.arange(len(triangles), dtype=np.float32), 3)[:, None]
    raster_attributes(corners, alone, numbers, owner, depth)
    found = np.unique(np.round(owner[owner >= 0]).astype(np.int64))
    seen = np.zeros(len(positions), bool)
    seen[triangles[found]] = True
    return seen


def _distance_inside(outline: NDArray[np.float32], places: Floats) -> Floats:
    """Signed distance of places [n, 2] to a closed outline, positive inside."""
    polygon = outline.astype(np.float32).reshape(-1, 1, 2)
    return np.array([cv2.pointPolygonTest(polygon, (float(x), float(y)), True) for x, y in places])
