"""The frame below and beside a clip's face: it follows the jaw's line and comes to rest a little away."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.face_points import CHIN, FACE_OVAL, SUBNASALE
from mien.engine.head_fit import Floats, distances, smoothstep
from mien.engine.portrait import Portrait

_CELL: Final = 0.035
"""Side of a cell, in face widths."""
_REACH: Final = 0.42
"""How far beyond the jaw the picture follows it, in face widths: a dropped jaw must not fold the neck."""
_NECK: Final = 0.7
"""Half the neck's width as a share of half the face's: from there on sideways the picture comes to rest."""
_RIM: Final = 0.10
"""Width of the face's rim that is tied to the grid, in face widths."""
_NEIGHBOURS: Final = 8
_STILL: Final = 0.02
"""Pixels of the portrait: what moves less does not show."""


class Skirt:
    """A grid in portrait pixels from the mouth downwards, which carries the face's movement on."""

    def __init__(self, portrait: Portrait) -> None:
        scale = portrait.scale
        face = int(portrait.runs[1])
        used = np.unique(portrait.face_triangles)
        outline = portrait.landmarks[list(FACE_OVAL), :2]
        low, high = outline.min(axis=0) - _REACH * scale, outline.max(axis=0) + _REACH * scale
        low[1] = portrait.landmarks[SUBNASALE, 1]
        high[1] = portrait.landmarks[CHIN, 1] + 1.05 * _REACH * scale
        self._low, self._cell = low.astype(np.float64), _CELL * scale
        self._columns, rows = (int(count) + 2 for count in (high - low) / self._cell)
        x = low[0] + self._cell * np.arange(self._columns)
        y = low[1] + self._cell * np.arange(rows)
        places = np.stack([np.tile(x, rows), np.repeat(y, self._columns)], axis=1).astype(np.float64)
        away = distances(places, portrait.vertices[used, :2].astype(np.float64))
        nearest = np.argpartition(away, _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS]
        picked = np.take_along_axis(away, nearest, axis=1)
        weight = 1 / (picked + 0.015 * scale) ** 2
        weight /= weight.sum(axis=1, keepdims=True)
        outside = np.maximum(-_inside(outline, places), 0)
        # Beside the face lies what does not move with it: only the neck below gives way.
        half = np.ptp(outline[:, 0]) / 2
        aside = np.abs(places[:, 0] - outline[:, 0].min() - half) / half
        fade = (1 - smoothstep(outside / (_REACH * scale))) * (1 - smoothstep((aside - _NECK) / (1 - _NECK)))
        self._fade = fade.astype(np.float32)
        self._near = used[nearest]
        self._weight = weight.astype(np.float32)
        depth = (portrait.vertices[self._near, 2] * self._weight).sum(axis=1)
        self._places = np.column_stack([places, depth]).astype(np.float32)
        index = np.arange(rows * self._columns, dtype=np.int32).reshape(rows, self._columns)
        a, b, c, d = (q.ravel() for q in (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]))
        self._triangles: NDArray[np.int32] = np.concatenate(
            [np.stack([a, b, c], axis=1), np.stack([b, d, c], axis=1)]
        )
        self._rest = portrait.vertices[:face, :2]
        vertices = self._rest.astype(np.float64)
        self._rim = (1 - smoothstep(_inside(outline, vertices) / (_RIM * scale))).astype(np.float32)
        self._rim *= smoothstep((vertices[:, 1] - low[1]) / (0.1 * scale)).astype(np.float32)
        self._tied = np.flatnonzero(self._rim > 0)
        self._corners, self._shares = self._bilinear(vertices[self._tied], rows)
        depth = (self._places[self._corners, 2] * self._shares).sum(axis=1)
        self._on_grid = np.column_stack([self._rest[self._tied], depth])

    def tie(self, face: NDArray[np.float32]) -> None:
        """Lay the rim of the face, float32[face vertices, 3], on the grid beside it, in place; depth too."""
        rim = self._tied
        grid = self._spread(face[:, :2] - self._rest)
        carried = self._on_grid.copy()
        carried[:, :2] += (grid[self._corners] * self._shares[..., None]).sum(axis=1)
        face[rim] += self._rim[rim, None] * (carried - face[rim])

    def move(
        self, own: NDArray[np.float32], new: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
        """Carry the face's movements on: return the grid as the video has it, as it is to be, and what moves.

        The first two are float32[grid, 3], the last those triangles that differ, int32[triangles, 3].
        """
        places, moved = self._places.copy(), self._places.copy()
        places[:, :2] += self._spread(own[:, :2] - self._rest)
        moved[:, :2] += self._spread(new[:, :2] - self._rest)
        stirred = np.abs(moved - places).max(axis=1) > _STILL
        return places, moved, self._triangles[stirred[self._triangles].any(axis=1)]

    def _spread(self, moved: NDArray[np.float32]) -> NDArray[np.float32]:
        spread = (moved[self._near] * self._weight[..., None]).sum(axis=1)
        result: NDArray[np.float32] = spread * self._fade[:, None]
        return result

    def _bilinear(self, places: Floats, rows: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Return the grid's four corners round each place, [n, 4], and their shares."""
        u = np.clip((places - self._low) / self._cell, 0, [self._columns - 1.001, rows - 1.001])
        column, row = u.astype(np.intp).T
        s, t = (u - np.floor(u)).T
        first = row * self._columns + column
        corners = np.stack([first, first + 1, first + self._columns, first + self._columns + 1], axis=1)
        shares = np.stack([(1 - s) * (1 - t), s * (1 - t), (1 - s) * t, s * t], axis=1)
        return corners, shares.astype(np.float32)


def _inside(outline: NDArray[np.float32], places: Floats) -> Floats:
    """Signed distance of places [n, 2] to a closed outline, positive inside."""
    polygon = outline.astype(np.float32).reshape(-1, 1, 2)
    return np.array([cv2.pointPolygonTest(polygon, (float(x), float(y)), True) for x, y in places])
