"""What lies around the face: a grid over the whole picture, which follows the head less the further off."""

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

_STEEPEST: Final = 1.6
"""Depth may change by so many pixels a pixel: steeper, and the grid folds over itself when the head turns."""
_SKIN: Final = 0.01
"""How thick the outer skin is taken to be, as a share of the face's height."""
_BORDER: Final = 45.0
"""The grid comes to rest within so many such pixels of the picture's border, which must not tear loose."""


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
    width: int,
    height: int,
) -> BackgroundLayer:
    """Lay the grid over a picture of width x height pixels, and blend the face's rim into it."""
    unit = face.height / REFERENCE_HEIGHT
    x_places, y_places = _places(width, CELL * unit), _places(height, CELL * unit)
    grid = np.stack([np.tile(x_places, len(y_places)), np.repeat(y_places, len(x_places))], axis=1)
    depth, head_mask, covered = _head_depth(head, fit, face, points, width, height)
    smooth = _limit_slope(depth, covered, unit)
    share = _share(head_mask, face.height, unit)
    columns, rows = grid[:, 0].astype(np.intp), grid[:, 1].astype(np.intp)
    grid_depth = smooth[rows, columns].astype(np.float64)
    grid_share = share[rows, columns].astype(np.float64)
    deltas = _spread_deltas(face, grid, width, height, unit)

    rim = 1 - smoothstep(face.inside / (0.10 * face.height))
    face_deltas = face.deltas.copy()
    face_positions = face.positions.copy()
    x, y = face.positions[:, 0], face.positions[:, 1]
    pixel = np.clip(np.round(face.positions[:, :2]), 0, [width - 1, height - 1]).astype(np.intp)
    lift = _lift(smooth, depth, covered, unit)[pixel[:, 1], pixel[:, 0]]
    outer = smoothstep(1 - (face.inside - 0.12 * face.height) / (0.1 * face.height))
    outer *= _away_from_features(face, points)
    # Vertices hidden behind the outer skin (under the jaw, before the ear) would swing out from behind it
    # when the head turns: they are raised to just under it.
    deepest = _fill_nearest(depth, covered)[pixel[:, 1], pixel[:, 0]] + _SKIN * face.height
    face_positions[:, 2] += outer * (np.minimum(face_positions[:, 2], deepest) - face_positions[:, 2] - lift)
    tied = np.flatnonzero(rim > 0)
    amount = rim[tied]
    sampled = _bilinear(deltas, x[tied], y[tied], x_places, y_places)
    face_deltas[:, tied] += amount[None, :, None] * (sampled - face_deltas[:, tied])
    sampled_depth = _bilinear(grid_depth[None, :, None], x[tied], y[tied], x_places, y_places)[0, :, 0]
    face_positions[tied, 2] += amount * (sampled_depth - face_positions[tied, 2])
    face_share = np.ones(len(face_positions))
    sampled_share = _bilinear(grid_share[None, :, None], x[tied], y[tied], x_places, y_places)[0, :, 0]
    face_share[tied] += amount * (sampled_share - 1)
    return BackgroundLayer(
        np.column_stack([grid, grid_depth]),
        deltas,
        grid_share,
        _cells(len(x_places), len(y_places)),
        face_positions,
        face_deltas,
        face_share,
    )


def _places(length: int, cell: float) -> Floats:
    """Where the grid's lines cross an edge of so many pixels: a whole number of cells from end to end."""
    return np.linspace(0, length - 1, max(2, round((length - 1) / cell) + 1))


def _cells(columns: int, rows: int) -> NDArray[np.int32]:
    index = np.arange(columns * rows, dtype=np.int32).reshape(rows, columns)
    a, b, c, d = (q.ravel() for q in (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]))
    return np.concatenate([np.stack([a, b, c], axis=1), np.stack([b, d, c], axis=1)])


def _head_depth(
    head: HeadModel,
    fit: HeadFit,
    face: FaceLayer,
    points: NDArray[np.float32],
    width: int,
    height: int,
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the depth of head and neck a pixel, which pixels are the head, and which have a depth."""
    model = head.vertices + np.tensordot(fit.identity, head.identities, 1)
    model = model + np.tensordot(fit.expression, head.shapes, 1)
    vertices = fit.project(model)
    vertices[head.part("face")] = face.positions
    triangles = np.concatenate([head.triangles[0], head.triangles[1]])
    below = np.zeros((height, width, 1), np.float32)
    depth = np.full((height, width), np.inf, np.float32)
    down = np.ascontiguousarray(model[:, 1:2], np.float32)
    raster_attributes(vertices.astype(np.float32), triangles, down, below, depth)
    covered = np.isfinite(depth)
    # The neck is the body's: only what lies above the jaw's plane turns as the head does.
    mask = (covered & (below[..., 0] < 0.5)).astype(np.uint8)
    cv2.fillPoly(mask, [np.round(points[FACE_OVAL, :2]).astype(np.int32)], 1)
    return depth, mask, covered


def _limit_slope(depth: NDArray[np.float32], covered: NDArray[np.bool_], unit: float) -> NDArray[np.float32]:
    """Carry the depth beyond the head, blurred, and pull it nearer wherever it would fall too steeply."""
    filled = _fill_nearest(depth, covered)
    blurred = cv2.GaussianBlur(filled, (0, 0), 14 * unit)
    height, width = depth.shape
    step = 4 * unit
    rows, columns = round(height / step), round(width / step)
    small = cv2.resize(
        np.where(covered, filled, blurred), (columns, rows), interpolation=cv2.INTER_AREA
    ).astype(np.float32)
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


def _share(mask: NDArray[np.uint8], face_height: float, unit: float) -> NDArray[np.float32]:
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


def _spread_deltas(face: FaceLayer, grid: Floats, width: int, height: int, unit: float) -> Floats:
    """Carry the skin's movements a little beyond the face's outline: hair, ears and neck go along."""
    near = np.flatnonzero((face.inside > -0.1 * face.height) & _used(face))
    distance = distances(grid, face.positions[near, :2])
    nearest = np.argsort(distance, axis=1)[:, :10]
    picked = np.take_along_axis(distance, nearest, axis=1)
    weight = 1 / (picked + 3.0 * unit) ** 2
    weight /= weight.sum(axis=1, keepdims=True)
    border = np.minimum(np.minimum(grid[:, 0], width - 1 - grid[:, 0]), grid[:, 1])
    border = np.minimum(border, height - 1 - grid[:, 1])
    fade = np.exp(-((picked[:, 0] / (0.16 * face.height)) ** 2)) * smoothstep(border / (_BORDER * unit))
    spread = np.zeros((len(face.deltas), len(grid), 3))
    for k, delta in enumerate(face.deltas[:, near]):
        spread[k] = (delta[nearest] * weight[..., None]).sum(axis=1) * fade[:, None]
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


def _bilinear(values: Floats, x: Floats, y: Floats, x_places: Floats, y_places: Floats) -> Floats:
    """Read grid values [k, rows * columns, c] at places, [k, n, c]."""
    columns, rows = len(x_places), len(y_places)
    table = values.reshape(len(values), rows, columns, -1)
    u = np.clip(x / x_places[1], 0, columns - 1.001)
    v = np.clip(y / y_places[1], 0, rows - 1.001)
    column, row = u.astype(np.intp), v.astype(np.intp)
    s, t = (u - column)[None, :, None], (v - row)[None, :, None]
    top = table[:, row, column] * (1 - s) + table[:, row, column + 1] * s
    bottom = table[:, row + 1, column] * (1 - s) + table[:, row + 1, column + 1] * s
    result: Floats = top * (1 - t) + bottom * t
    return result
