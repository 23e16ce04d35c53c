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
"""Side of a cell of the grid, in pixels."""

_STEEPEST: Final = 1.6
"""Depth may change by so many pixels a pixel: steeper, and the grid folds over itself when the head turns."""
_SKIN: Final = 0.01
"""How thick the outer skin is taken to be, as a share of the face's height."""
_BORDER: Final = 45.0
"""The grid comes to rest within so many pixels of the picture's border, which must not tear loose."""


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
    head: HeadModel, fit: HeadFit, face: FaceLayer, points: NDArray[np.float32], size: int
) -> BackgroundLayer:
    """Lay the grid over a picture of size x size, and blend the face's rim into it."""
    places = np.arange(0, size + 1, CELL).clip(0, size - 1).astype(np.float64)
    side = len(places)
    grid = np.stack([np.tile(places, side), np.repeat(places, side)], axis=1)
    depth, head_mask, covered = _head_depth(head, fit, face, points, size)
    smooth = _limit_slope(depth, covered)
    share = _share(head_mask, face.height, size)
    columns, rows = grid[:, 0].astype(np.intp), grid[:, 1].astype(np.intp)
    grid_depth = smooth[rows, columns].astype(np.float64)
    grid_share = share[rows, columns].astype(np.float64)
    deltas = _spread_deltas(face, grid, size)

    rim = 1 - smoothstep(face.inside / (0.10 * face.height))
    face_deltas = face.deltas.copy()
    face_positions = face.positions.copy()
    x, y = face.positions[:, 0], face.positions[:, 1]
    pixel = np.clip(np.round(face.positions[:, :2]), 0, size - 1).astype(np.intp)
    lift = _lift(smooth, depth, covered)[pixel[:, 1], pixel[:, 0]]
    outer = smoothstep(1 - (face.inside - 0.12 * face.height) / (0.1 * face.height))
    outer *= _away_from_features(face, points)
    # Vertices hidden behind the outer skin (under the jaw, before the ear) would swing out from behind it
    # when the head turns: they are raised to just under it.
    deepest = _fill_nearest(depth, covered)[pixel[:, 1], pixel[:, 0]] + _SKIN * face.height
    face_positions[:, 2] += outer * (np.minimum(face_positions[:, 2], deepest) - face_positions[:, 2] - lift)
    tied = np.flatnonzero(rim > 0)
    amount = rim[tied]
    sampled = _bilinear(deltas, x[tied], y[tied], side)
    face_deltas[:, tied] += amount[None, :, None] * (sampled - face_deltas[:, tied])
    sampled_depth = _bilinear(grid_depth[None, :, None], x[tied], y[tied], side)[0, :, 0]
    face_positions[tied, 2] += amount * (sampled_depth - face_positions[tied, 2])
    face_share = np.ones(len(face_positions))
    sampled_share = _bilinear(grid_share[None, :, None], x[tied], y[tied], side)[0, :, 0]
    face_share[tied] += amount * (sampled_share - 1)
    return BackgroundLayer(
        np.column_stack([grid, grid_depth]),
        deltas,
        grid_share,
        _cells(side),
        face_positions,
        face_deltas,
        face_share,
    )


def _cells(side: int) -> NDArray[np.int32]:
    index = np.arange(side * side, dtype=np.int32).reshape(side, side)
    a, b, c, d = (q.ravel() for q in (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]))
    return np.concatenate([np.stack([a, b, c], axis=1), np.stack([b, d, c], axis=1)])


def _head_depth(
    head: HeadModel, fit: HeadFit, face: FaceLayer, points: NDArray[np.float32], size: int
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the depth of head and neck a pixel, which pixels are the head, and which have a depth."""
    model = head.vertices + np.tensordot(fit.identity, head.identities, 1)
    model = model + np.tensordot(fit.expression, head.shapes, 1)
    vertices = fit.project(model)
    vertices[head.part("face")] = face.positions
    triangles = np.concatenate([head.triangles[0], head.triangles[1]])
    below = np.zeros((size, size, 1), np.float32)
    depth = np.full((size, size), np.inf, np.float32)
    down = np.ascontiguousarray(model[:, 1:2], np.float32)
    raster_attributes(vertices.astype(np.float32), triangles, down, below, depth)
    covered = np.isfinite(depth)
    # The neck is the body's: only what lies above the jaw's plane turns as the head does.
    mask = (covered & (below[..., 0] < 0.5)).astype(np.uint8)
    cv2.fillPoly(mask, [np.round(points[FACE_OVAL, :2]).astype(np.int32)], 1)
    return depth, mask, covered


def _limit_slope(depth: NDArray[np.float32], covered: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Carry the depth beyond the head, blurred, and pull it nearer wherever it would fall too steeply."""
    filled = _fill_nearest(depth, covered)
    blurred = cv2.GaussianBlur(filled, (0, 0), 14)
    size = depth.shape[0]
    small = cv2.resize(
        np.where(covered, filled, blurred), (size // 4, size // 4), interpolation=cv2.INTER_AREA
    )
    reach = len(small)
    step = _STEEPEST * 4
    for _ in range(reach // 2):
        before = small.copy()
        padded = np.pad(small, 1, mode="edge")
        for dy in range(3):
            for dx in range(3):
                if (dx, dy) != (1, 1):
                    other = padded[dy : dy + reach, dx : dx + reach]
                    small = np.minimum(small, other + step * float(np.hypot(dx - 1, dy - 1)))
        if np.array_equal(before, small):
            break
    wide = cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.GaussianBlur(wide, (0, 0), 3), np.float32)


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
    smooth: NDArray[np.float32], depth: NDArray[np.float32], covered: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """How much nearer than the head itself the slope limit has pulled the surface."""
    own = cv2.morphologyEx(_fill_nearest(depth, covered), cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    return np.asarray(cv2.GaussianBlur(np.maximum(own - smooth, 0), (0, 0), 2), np.float32)


def _share(mask: NDArray[np.uint8], height: float, size: int) -> NDArray[np.float32]:
    """1 on the head, fading with distance from it, and to 0 at the border."""
    off = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 5)
    share = cv2.GaussianBlur(smoothstep(1 - (off - 0.08 * height) / (0.62 * height)), (0, 0), 8)
    y, x = np.mgrid[:size, :size]
    side = np.minimum(np.minimum(x, size - 1 - x), y)
    share = share * smoothstep(side / _BORDER) * smoothstep((size - 1 - y) / (1.3 * _BORDER))
    return np.asarray(share, np.float32)


def _spread_deltas(face: FaceLayer, grid: Floats, size: int) -> Floats:
    """Carry the skin's movements a little beyond the face's outline: hair, ears and neck go along."""
    near = np.flatnonzero((face.inside > -0.1 * face.height) & _used(face))
    distance = distances(grid, face.positions[near, :2])
    nearest = np.argsort(distance, axis=1)[:, :10]
    picked = np.take_along_axis(distance, nearest, axis=1)
    weight = 1 / (picked + 3.0) ** 2
    weight /= weight.sum(axis=1, keepdims=True)
    border = np.minimum(np.minimum(grid[:, 0], size - 1 - grid[:, 0]), grid[:, 1])
    border = np.minimum(border, size - 1 - grid[:, 1])
    fade = np.exp(-((picked[:, 0] / (0.16 * face.height)) ** 2)) * smoothstep(border / _BORDER)
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


def _bilinear(values: Floats, x: Floats, y: Floats, side: int) -> Floats:
    """Read grid values [k, side * side, c] at places, [k, n, c]."""
    table = values.reshape(len(values), side, side, -1)
    u, v = np.clip(x / CELL, 0, side - 1.001), np.clip(y / CELL, 0, side - 1.001)
    column, row = u.astype(np.intp), v.astype(np.intp)
    s, t = (u - column)[None, :, None], (v - row)[None, :, None]
    top = table[:, row, column] * (1 - s) + table[:, row, column + 1] * s
    bottom = table[:, row + 1, column] * (1 - s) + table[:, row + 1, column + 1] * s
    result: Floats = top * (1 - t) + bottom * t
    return result
