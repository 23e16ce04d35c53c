"""What lies around the face: a grid that carries hair, neck and shoulders, each by its share of a turn.

Where a matte tells the person from the background, hair goes with the head, shoulders follow a little, and
the background stays. Without one, the whole picture follows less the further off it is.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.face_layer import FaceLayer
from mien.engine.face_points import EYES, FACE_OVAL, OUTER_LIPS
from mien.engine.head import HeadModel
from mien.engine.head_fit import Floats, HeadFit, distances, smoothstep
from mien.kernels.raster import raster_attributes

CELL: Final = 16
"""Side of a cell of the grid, in pixels of a picture whose face is REFERENCE_HEIGHT high."""

REFERENCE_HEIGHT: Final = 235.0
"""In pixels. Lengths in this file hold for a face this high (a crop of 512 x 512) and scale with it."""

PIVOT: Final = np.array([0.0, 0.46, 0.24])
"""Where the neck turns and tilts, in the head model."""

NOD_PIVOT: Final = np.array([0.0, 0.05, 0.05])
"""Where the head nods on the neck, in the head model: between the ears.

About the neck's base a nod would duck. While the talker of the GRID corpus nods by over 1.5 degrees within
half a second, what stays at its height lies 2.9 to 3.5 cm behind the middle of MediaPipe's canonical face:
0.03 to 0.07 here."""

_MARGIN: Final = 0.25
"""The grid goes on past the picture's border for this share of the picture: a head that turns away from the
border bares what the photo does not show."""
_NECK: Final = (0.42, 0.92)
_BESIDE: Final = (0.22, 0.68)
"""Above the first height the person is all head, below the second all shoulders; in the head model, y down.
On the neck's own axis, and beside it, where collars and shoulders come up."""
_HANGING: Final = (0.75, 1.20)
"""Those heights beside the neck where hair hangs down from the head."""
_NECK_WIDTH: Final = (0.40, 0.75)
"""Distances from that axis, in the head model, between which the one passes into the other."""
_EARS: Final = 0.0
"""Hair hangs where the person goes on without a gap, straight down from this height."""
_SHOULDERS: Final = 0.10
"""How much of the head's turn shoulders follow."""
_CHEST: Final = (1.0, 2.2)
"""Below the first height the body follows less than shoulders do, below the second not at all."""
_STEEPEST: Final = 1.15
"""Depth may change by so many pixels a pixel: steeper, and the grid folds over itself when the head turns."""
_SMOOTHER: Final = (8.0, 15.0, 30.0)
"""Depth beyond the head is blurred by so many such pixels, the wider the further off."""
_SKIN: Final = 0.01
"""How thick the outer skin is taken to be, as a share of the face's height."""
_BORDER: Final = 45.0
"""Without a matte, the grid comes to rest within so many such pixels of the picture's border."""


@dataclass(frozen=True, slots=True)
class BackgroundLayer:
    """The grid, and the face's rim tied to it."""

    positions: Floats
    """float64[grid, 3]: x, y at rest, and a depth."""

    deltas: Floats
    """float64[53, grid, 3]."""

    share: Floats
    """float64[grid]: how much of the head's turn it follows."""

    triangles: NDArray[np.int32]
    """Into the grid."""

    face_positions: Floats
    face_deltas: Floats
    face_share: Floats
    """The face's own, blended into the grid's towards the outline."""


def build_background(
    head: HeadModel,
    fit: HeadFit,
    face: FaceLayer,
    points: NDArray[np.float32],
    shape: tuple[int, int],
    *,
    matte: NDArray[np.uint8] | None,
) -> BackgroundLayer:
    """Lay the grid over a picture of `shape` (height, width), and blend the face's rim into it.

    matte: uint8[H, W], the person, whom alone the grid then carries; None where it carries all the picture.
    """
    unit = face.height / REFERENCE_HEIGHT
    grid = _Grid.over(shape, CELL * unit)
    depth, head_mask, covered = _head_depth(head, fit, face, points, shape)
    smooth = _limit_slope(depth, covered, unit)
    if matte is not None:
        share = _share_of_parts(fit, head_mask, matte, face.height)
    else:
        share = _fading_share(head_mask, face.height, unit)
    # What is finer than a cell would come out as scallops along the hair.
    grid_depth = grid.read(np.asarray(cv2.GaussianBlur(smooth, (0, 0), 0.6 * CELL * unit), np.float32))
    grid_share = grid.read(share)
    deltas = _spread_deltas(face, grid.places(), shape, unit, at_rest_at_border=matte is None)

    rim = 1 - smoothstep(face.inside / (0.10 * face.height))
    face_deltas = face.deltas.copy()
    face_positions = face.positions.copy()
    x, y = face.positions[:, 0], face.positions[:, 1]
    column = np.clip(np.round(x), 0, shape[1] - 1).astype(np.intp)
    row = np.clip(np.round(y), 0, shape[0] - 1).astype(np.intp)
    lift = _lift(smooth, depth, covered, unit)[row, column]
    outer = smoothstep(1 - (face.inside - 0.12 * face.height) / (0.1 * face.height))
    outer *= _away_from_features(face, points)
    # Vertices hidden behind the outer skin (under the jaw, before the ear) would swing out from behind it
    # when the head turns: they are raised to just under it.
    deepest = _fill_nearest(depth, covered)[row, column] + _SKIN * face.height
    face_positions[:, 2] += outer * (np.minimum(face_positions[:, 2], deepest) - face_positions[:, 2] - lift)
    tied = np.flatnonzero(rim > 0)
    amount = rim[tied]
    sampled = grid.sample(deltas, x[tied], y[tied])
    face_deltas[:, tied] += amount[None, :, None] * (sampled - face_deltas[:, tied])
    sampled_depth = grid.sample(grid_depth[None, :, None], x[tied], y[tied])[0, :, 0]
    face_positions[tied, 2] += amount * (sampled_depth - face_positions[tied, 2])
    face_share = np.ones(len(face_positions))
    sampled_share = grid.sample(grid_share[None, :, None], x[tied], y[tied])[0, :, 0]
    face_share[tied] += amount * (sampled_share - 1)
    return BackgroundLayer(
        np.column_stack([grid.places(), grid_depth]),
        deltas,
        grid_share,
        grid.cells(),
        face_positions,
        face_deltas,
        face_share,
    )


@dataclass(frozen=True, slots=True)
class _Grid:
    """Vertices over a picture and past its border, row by row; a whole number of cells from end to end."""

    shape: tuple[int, int]
    """Height and width of the picture."""
    before: int
    """Cells between the first vertex of a row or column and the picture's border."""
    x: Floats
    """float64[columns], in pixels."""
    y: Floats
    """float64[rows]."""

    @classmethod
    def over(cls, shape: tuple[int, int], cell: float) -> "_Grid":
        """Lay vertices about `cell` pixels apart over a picture of `shape`, height and width."""
        before = int(np.ceil(_MARGIN * max(shape) / cell))
        y, x = (_lines(side, cell, before) for side in shape)
        return cls(shape, before, x, y)

    def places(self) -> Floats:
        """Return x and y of the vertices, float64[rows * columns, 2]."""
        return np.stack([np.tile(self.x, len(self.y)), np.repeat(self.y, len(self.x))], axis=1)

    def read(self, values: NDArray[np.float32]) -> Floats:
        """Read a value [H, W] at the pixel nearest to each vertex."""
        rows = np.clip(np.round(self.y), 0, self.shape[0] - 1).astype(np.intp)
        columns = np.clip(np.round(self.x), 0, self.shape[1] - 1).astype(np.intp)
        return values[np.ix_(rows, columns)].astype(np.float64).ravel()

    def cells(self) -> NDArray[np.int32]:
        """Return the triangles, int32[n, 3]."""
        index = np.arange(len(self.y) * len(self.x), dtype=np.int32).reshape(len(self.y), len(self.x))
        a, b, c, d = (q.ravel() for q in (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]))
        return np.concatenate([np.stack([a, b, c], axis=1), np.stack([b, d, c], axis=1)])

    def sample(self, values: Floats, x: Floats, y: Floats) -> Floats:
        """Read values [k, rows * columns, c] of the vertices at places between them, [k, n, c]."""
        table = values.reshape(len(values), len(self.y), len(self.x), -1)
        u = np.clip((x - self.x[0]) / (self.x[1] - self.x[0]), 0, len(self.x) - 1.001)
        v = np.clip((y - self.y[0]) / (self.y[1] - self.y[0]), 0, len(self.y) - 1.001)
        column, row = u.astype(np.intp), v.astype(np.intp)
        s, t = (u - column)[None, :, None], (v - row)[None, :, None]
        top = table[:, row, column] * (1 - s) + table[:, row, column + 1] * s
        bottom = table[:, row + 1, column] * (1 - s) + table[:, row + 1, column + 1] * s
        result: Floats = top * (1 - t) + bottom * t
        return result


def _lines(side: int, cell: float, before: int) -> Floats:
    count = max(1, round((side - 1) / cell))
    return np.arange(-before, count + before + 1, dtype=np.float64) * ((side - 1) / count)


def _head_depth(
    head: HeadModel, fit: HeadFit, face: FaceLayer, points: NDArray[np.float32], shape: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the depth of head and neck a pixel, which pixels are the head, and which have a depth."""
    model = head.vertices + np.tensordot(fit.identity, head.identities, 1)
    model = model + np.tensordot(fit.expression, head.shapes, 1)
    vertices = fit.project(model)
    vertices[head.part("face")] = face.positions
    triangles = np.concatenate([head.triangles[0], head.triangles[1]])
    below = np.zeros((*shape, 1), np.float32)
    depth = np.full(shape, np.inf, np.float32)
    down = np.ascontiguousarray(model[:, 1:2], np.float32)
    raster_attributes(vertices.astype(np.float32), triangles, down, below, depth)
    covered = np.isfinite(depth)
    # The neck is the body's: only what lies above the jaw's plane turns as the head does.
    mask = (covered & (below[..., 0] < 0.5)).astype(np.uint8)
    cv2.fillPoly(mask, [np.round(points[FACE_OVAL, :2]).astype(np.int32)], 1)
    return depth, mask, covered


def _limit_slope(depth: NDArray[np.float32], covered: NDArray[np.bool_], unit: float) -> NDArray[np.float32]:
    """Carry the depth beyond the head, blurred, and pull it nearer wherever it would fall too steeply."""
    height, width = depth.shape
    step = 4 * unit
    rows, columns = round(height / step), round(width / step)
    # The further from the head, the smoother: hair must not carry the notches of the head's outline on.
    off = np.asarray(cv2.distanceTransform((~covered).astype(np.uint8), cv2.DIST_L2, 5), np.float32)
    off, filled = (
        np.asarray(cv2.resize(each, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)
        for each in (off, _fill_nearest(depth, covered))
    )
    small = filled
    for spread in _SMOOTHER:
        wider = cv2.GaussianBlur(filled, (0, 0), spread * unit / step)
        small = (small + smoothstep(off / (2 * spread * unit)) * (wider - small)).astype(np.float32)
    fall = np.float32(_STEEPEST * step)
    for _ in range(max(rows, columns) // 2):
        before = small.copy()
        padded = np.pad(small, 1, mode="edge")
        for dy in range(3):
            for dx in range(3):
                if (dx, dy) != (1, 1):
                    other = padded[dy : dy + rows, dx : dx + columns]
                    small = np.minimum(small, other + fall * np.float32(np.hypot(dx - 1, dy - 1)))
        if np.array_equal(before, small):
            break
    wide = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.GaussianBlur(wide, (0, 0), 3 * unit), np.float32)


def _fill_nearest(depth: NDArray[np.float32], covered: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Give pixels without a depth that of the nearest pixel with one."""
    _, labels = cv2.distanceTransformWithLabels(
        (~covered).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    value = np.zeros(int(labels.max()) + 1, np.float32)
    value[labels[covered]] = depth[covered]
    result: NDArray[np.float32] = value[labels]
    return result


def _lift(
    smooth: NDArray[np.float32], depth: NDArray[np.float32], covered: NDArray[np.bool_], unit: float
) -> NDArray[np.float32]:
    """How much nearer than the head itself the slope limit has pulled the surface."""
    side = 2 * round(4 * unit) + 1
    own = cv2.morphologyEx(_fill_nearest(depth, covered), cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    return np.asarray(cv2.GaussianBlur(np.maximum(own - smooth, 0), (0, 0), 2 * unit), np.float32)


def _fading_share(mask: NDArray[np.uint8], face_height: float, unit: float) -> NDArray[np.float32]:
    """1 on the head, fading with distance from it, and to 0 at the border."""
    off = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 5)
    share = smoothstep(1 - (off - 0.08 * face_height) / (0.62 * face_height))
    share = np.asarray(cv2.GaussianBlur(share, (0, 0), 8 * unit), np.float64)
    height, width = mask.shape
    y, x = np.arange(height)[:, None], np.arange(width)
    side = np.minimum(np.minimum(x, width - 1 - x), y)
    border = _BORDER * unit
    share = share * smoothstep(side / border) * smoothstep((height - 1 - y) / (1.3 * border))
    return np.asarray(share, np.float32)


def _share_of_parts(
    fit: HeadFit, mask: NDArray[np.uint8], matte: NDArray[np.uint8], face_height: float
) -> NDArray[np.float32]:
    """1 on head and hair, falling along the neck to what shoulders follow."""
    rows, columns = mask.shape
    y, x = np.mgrid[:rows, :columns].astype(np.float64)
    pivot = fit.project(PIVOT)
    down = fit.rotation[:2, 1] / np.linalg.norm(fit.rotation[:2, 1])
    height = PIVOT[1] + ((x - pivot[0]) * down[0] + (y - pivot[1]) * down[1]) / fit.scale
    across = np.abs((x - pivot[0]) * down[1] - (y - pivot[1]) * down[0]) / fit.scale
    beside = smoothstep((across - _NECK_WIDTH[0]) / (_NECK_WIDTH[1] - _NECK_WIDTH[0]))
    hanging = np.logical_and.accumulate((matte > 127) | (height < _EARS), axis=0) & (height < _HANGING[1])
    hair = cv2.GaussianBlur(hanging.astype(np.float64), (0, 0), 0.06 * face_height)
    off_axis = (short + hair * (long - short) for short, long in zip(_BESIDE, _HANGING, strict=True))
    top, bottom = (on + beside * (off - on) for on, off in zip(_NECK, off_axis, strict=True))
    above = 1 - smoothstep((height - top) / (bottom - top))
    off = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 5)
    head = smoothstep(1 - np.asarray(off, np.float32) / (0.35 * face_height))
    body = _SHOULDERS * (1 - smoothstep((height - _CHEST[0]) / (_CHEST[1] - _CHEST[0])))
    share = body + (1 - body) * np.maximum(above, head)
    return np.asarray(cv2.GaussianBlur(share, (0, 0), 0.02 * face_height), np.float32)


def _spread_deltas(
    face: FaceLayer, grid: Floats, shape: tuple[int, int], unit: float, *, at_rest_at_border: bool
) -> Floats:
    """Carry the skin's movements a little beyond the face's outline: hair, ears and neck go along."""
    near = np.flatnonzero((face.inside > -0.1 * face.height) & _used(face))
    skin = face.positions[near, :2]
    # Further off, less than a thousandth is left of any movement.
    reach = 0.45 * face.height
    low, high = skin.min(axis=0) - reach, skin.max(axis=0) + reach
    reached = np.flatnonzero(((grid > low) & (grid < high)).all(axis=1))
    distance = distances(grid[reached], skin)
    nearest = np.argpartition(distance, 10, axis=1)[:, :10]
    picked = np.take_along_axis(distance, nearest, axis=1)
    weight = 1 / (picked + 3.0 * unit) ** 2
    weight /= weight.sum(axis=1, keepdims=True)
    fade = np.exp(-((picked.min(axis=1) / (0.16 * face.height)) ** 2))
    if at_rest_at_border:
        border = np.minimum(grid, np.array([shape[1] - 1, shape[0] - 1]) - grid).min(axis=1)
        fade *= smoothstep(border[reached] / (_BORDER * unit))
    spread = np.zeros((len(face.deltas), len(grid), 3))
    for k, delta in enumerate(face.deltas[:, near]):
        spread[k, reached] = (delta[nearest] * weight[..., None]).sum(axis=1) * fade[:, None]
    return spread


def _used(face: FaceLayer) -> NDArray[np.bool_]:
    used = np.zeros(len(face.positions), bool)
    used[face.triangles] = True
    return used


def _away_from_features(face: FaceLayer, points: NDArray[np.float32]) -> Floats:
    """0 at lips and eyes, whose depth must stay as it is, 1 a little away from them."""
    places = face.positions[:, :2]
    lips = distances(places, points[OUTER_LIPS, :2]).min(axis=1) / (0.10 * face.height)
    lids = [index for eye in EYES for index in (*eye[1], *eye[2])]
    eyes = distances(places, points[lids, :2]).min(axis=1) / (0.05 * face.height)
    return smoothstep(np.minimum(lips, eyes) - 1.0)
