"""Where the lids part: how much of each pixel shows the ball behind them."""

from math import hypot
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.eye_frame import EYE_POINTS, Side
from mien.engine.head import load_head
from mien.engine.opening import Opening
from mien.engine.placement import Box, Placement
from mien.engine.portrait import Portrait
from mien.kernels.eye import cut_opening
from mien.kernels.raster import raster_coverage

_FINE: Final = 4
"""Lids are cut out at so many times the picture's resolution."""

_PAST: Final = 1.5
"""The opening may reach so many pixels past the lids' outline."""


class EyeOpening:
    """The hole in the skin of one eye. Between skin and what its landmarks outline, skin decides."""

    def __init__(self, portrait: Portrait, side: Side) -> None:
        eye, rings = EYE_POINTS[side], load_head().rings[1 if side == "left" else 2]
        self._skin = Opening.within(portrait, rings[:6].ravel(), (*eye.top, *eye.bottom))
        count = len(eye.top)
        column = np.arange(count - 1)
        above = np.stack([column, column + 1, column + count], axis=1)
        below = np.stack([column + 1, column + count + 1, column + count], axis=1)
        self._between = np.concatenate([above, below]).astype(np.int32)
        """Triangles between both lids' landmarks."""

    def box(self, placement: Placement) -> Box:
        """Return what part of the picture the opening can lie in."""
        return self._skin.box(placement)

    def cut(self, placement: Placement, box: Box) -> tuple[Box, NDArray[np.float32]]:
        """Return the part of a box that can be open, and how much of each of its pixels is.

        That is float32[height, width], 0..1, and empty where skin covers all of the box.
        """
        left, top, right, bottom = box
        bare = (placement.depth[top:bottom, left:right] == np.inf).view(np.uint8)
        x, y, width, height = cv2.boundingRect(bare)
        if width * height == 0:
            return (left, top, left, top), np.empty((0, 0), np.float32)
        # The opening's edge is as far as a pixel inside the skin.
        box = (max(left + x - 1, left), max(top + y - 1, top), left + x + width + 1, top + y + height + 1)
        left, top, right, bottom = (*box[:2], min(box[2], right), min(box[3], bottom))
        opened = np.empty((bottom - top, right - left), np.float32)
        near = placement.positions[self._skin.near]
        near[:, 0] = (near[:, 0] - left) * _FINE + (_FINE - 1) / 2
        near[:, 1] = (near[:, 1] - top) * _FINE + (_FINE - 1) / 2
        covered, within = np.zeros((2, opened.shape[0] * _FINE, opened.shape[1] * _FINE), np.uint8)
        raster_coverage(near, self._skin.triangles, covered)
        outline = (near[self._skin.corners, :2] * self._skin.weights[..., None]).sum(axis=1)
        raster_coverage(self._widened(outline), self._between, within)
        cut_opening(covered, within, placement.depth, left, top, opened)
        return (left, top, right, bottom), opened

    def _widened(self, outline: NDArray[np.float32]) -> NDArray[np.float32]:
        """Move the lids' landmarks apart, and their corners outwards: float32[landmarks, 3]."""
        count = len(outline) // 2
        x, y = (outline[count - 1] - outline[0]).tolist()
        share = _PAST * _FINE / max(hypot(x, y), 1e-3)
        x, y = share * x, share * y
        shift = np.array([[y, -x, 0], [-y, x, 0], [-x, -y, 0], [x, y, 0]], np.float32)
        widened = np.zeros((len(outline), 3), np.float32)
        widened[:, :2] = outline
        widened[:count] += shift[0]
        widened[count:] += shift[1]
        widened[::count] += shift[2]
        widened[count - 1 :: count] += shift[3]
        return widened
