"""A hole in a portrait's skin, between the lips or the lids, that shows the layer beneath."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.head import load_head
from mien.engine.placement import Box, Pixels, Placement, bounds
from mien.engine.portrait import Portrait
from mien.kernels.raster import raster_coverage

FINE: Final = 2
"""Openings are cut out at so many times the picture's resolution."""

_GROWN: Final = 3
"""Pixels by which outlines grow, at most."""

CROSS: Final = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Opening:
    """Which triangles and vertices lie round a hole, and its outline."""

    vertices: NDArray[np.intp]
    near: NDArray[np.intp]
    """The vertices of the triangles below."""
    triangles: NDArray[np.int32]
    """int32[n, 3], into `near`."""
    corners: NDArray[np.int32]
    """int32[n, 3]: the triangles on which its outline's landmarks lie, into `near`."""
    weights: NDArray[np.float32]
    grow: Pixels
    """By how much the hole may reach past the outline: a structuring element at FINE resolution."""

    @classmethod
    def within(
        cls, portrait: Portrait, vertices: NDArray[np.int32], landmarks: tuple[int, ...], grow: Pixels = CROSS
    ) -> "Opening":
        """Find the hole among these vertices of the skin, with an outline through these landmarks."""
        head, triangles, face = load_head(), portrait.face_triangles, int(portrait.runs[1])
        around = np.zeros(face, bool)
        around[vertices] = True
        near = triangles[around[triangles].any(axis=1)]
        # One more ring of triangles: what a hole's neighbours cover when they move.
        around[near] = True
        chosen = list(landmarks)
        drawn, corners = triangles[around[triangles].any(axis=1)], head.landmark_corners[chosen]
        near, indices = np.unique(np.concatenate([drawn, corners]), return_inverse=True)
        indices = indices.reshape(-1, 3).astype(np.int32)
        return cls(
            vertices.astype(np.intp),
            near.astype(np.intp),
            np.ascontiguousarray(indices[: len(drawn)]),
            np.ascontiguousarray(indices[len(drawn) :], np.int32),
            head.landmark_weights[chosen],
            grow,
        )

    def box(self, placement: Placement) -> Box:
        """Return what part of the picture the hole can lie in."""
        return bounds(placement.positions[self.vertices, :2], placement.depth.shape, 2)

    def mask(self, placement: Placement, box: Box) -> NDArray[np.uint8]:
        """Mark, at FINE times the box's resolution, what lies inside the outline and is uncovered by skin."""
        left, top, right, bottom = box
        whole = np.zeros(((bottom - top) * FINE, (right - left) * FINE), np.uint8)
        # Skin drawn in the picture itself must stay: nothing shows through it.
        bare: Pixels = (placement.depth[top:bottom, left:right] == np.inf).view(np.uint8) * np.uint8(255)
        bare = cv2.dilate(bare, CROSS)
        x, y, width, height = _widened(cv2.boundingRect(bare), bare.shape)
        if width * height == 0:
            return whole
        fine = placement.positions[self.near]
        fine[:, 0] = (fine[:, 0] - (left + x)) * FINE + 0.5
        fine[:, 1] = (fine[:, 1] - (top + y)) * FINE + 0.5
        covered = np.zeros((height * FINE, width * FINE), np.uint8)
        raster_coverage(fine, self.triangles, covered)
        outline = (fine[self.corners, :2] * self.weights[..., None]).sum(axis=1)
        inside = np.zeros_like(covered)
        cv2.fillPoly(inside, [np.round(outline * 8).astype(np.int32)], 255, shift=3)
        cv2.dilate(inside, self.grow, dst=inside)
        bare = cv2.resize(bare[y : y + height, x : x + width], None, fx=FINE, fy=FINE, interpolation=0)
        own = whole[y * FINE : (y + height) * FINE, x * FINE : (x + width) * FINE]
        own[:] = inside & np.asarray(bare, np.uint8) & ~covered
        return whole


def _widened(rectangle: Sequence[int], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Let a rectangle, left, top, width and height, reach further by what an outline may grow."""
    x, y, width, height = rectangle
    if width * height == 0:
        return 0, 0, 0, 0
    left, top = max(x - _GROWN, 0), max(y - _GROWN, 0)
    right, bottom = min(x + width + _GROWN, shape[1]), min(y + height + _GROWN, shape[0])
    return left, top, right - left, bottom - top
