"""Draws the mouth: teeth, gums and tongue where the lips part, and the line where they meet."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.face_points import INNER_LIPS_BOTTOM, INNER_LIPS_TOP
from mien.engine.head import load_head
from mien.engine.opening import CROSS, FINE, Opening
from mien.engine.placement import Box, Frame, Pixels, Placement, bounds, ease, mix
from mien.engine.portrait import Portrait
from mien.kernels.raster import raster_attributes

_DIM: Final = 0.55
"""How light the mouth's inside is behind the narrowest opening."""
_SLIT: Final = 2.0
"""Openings narrower than so many pixels, on average, are shown in part."""
_TOUCHING: Final = 0.8
"""Lips closer than so many pixels touch."""
_ROUND: Final[Pixels] = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))


class MouthDrawing:
    """One portrait's mouth."""

    def __init__(self, portrait: Portrait) -> None:
        rings = load_head().rings[0]
        loop = INNER_LIPS_TOP + INNER_LIPS_BOTTOM[-2:0:-1]
        self.opening = Opening.within(portrait, rings[:10].ravel(), loop, _ROUND)
        self._portrait = portrait
        self._photo = portrait.picture.copy()
        self._lips = portrait.lips_picture.astype(np.float32)
        self._lip_columns = _lip_columns()
        self._inside_triangles = portrait.mouth_triangles - np.int32(portrait.runs[1])

    def without_lip_line(self, parted: float) -> Frame:
        """Return the photo, with the lips' own colours over what lies between them as far as they part.

        Opened lips must not carry the dark line between them along, nor closing ones the teeth.
        """
        left, top = (int(edge) for edge in self._portrait.lips_corner)
        height, width = self._lips.shape[:2]
        box = (slice(top, top + height), slice(left, left + width))
        own = self._portrait.picture[box]
        self._photo[box] = np.round(own + np.float32(parted) * (self._lips - own)).astype(np.uint8)
        return self._photo

    def draw(self, picture: Frame, placement: Placement, box: Box) -> None:
        """Draw teeth, gums and tongue where the lips part."""
        opened = cv2.morphologyEx(self.opening.mask(placement, box), cv2.MORPH_OPEN, CROSS)
        left, top, width, height = cv2.boundingRect(opened)
        if width * height == 0 or cv2.countNonZero(opened) < 6:
            return
        margin = 6
        left, top = max(left - margin, 0) & ~1, max(top - margin, 0) & ~1
        right = min(left + width + 2 * margin + 2, opened.shape[1]) & ~1
        bottom = min(top + height + 2 * margin + 2, opened.shape[0]) & ~1
        opened = np.ascontiguousarray(opened[top:bottom, left:right])
        x, y = box[0] + left // FINE, box[1] + top // FINE
        inside = self._paint(placement, opened.shape, x, y)
        # The smaller the opening, the less light falls in.
        light = cv2.GaussianBlur(opened, (0, 0), 0.055 * self._portrait.scale).astype(np.float32)
        light = np.clip(light * (1.5 / 255), 0, 1)
        inside *= (_DIM + (1 - _DIM) * light)[..., None]
        inside = np.asarray(cv2.GaussianBlur(inside, (0, 0), 1.0), np.float32)
        small = ((right - left) // FINE, (bottom - top) // FINE)
        alpha = cv2.resize(cv2.GaussianBlur(opened, (0, 0), 0.9), small, interpolation=cv2.INTER_AREA)
        # A slit shows little of what lies behind it, and must not flash up whole.
        alpha = alpha * ease(cv2.countNonZero(opened) / (_SLIT * FINE * width))
        colour = np.asarray(cv2.resize(inside, small, interpolation=cv2.INTER_AREA), np.float32)
        colour = self._with_photo(placement, colour, x, y)
        mix(picture[y : y + small[1], x : x + small[0]], colour, alpha)

    def _paint(self, placement: Placement, shape: tuple[int, ...], x: int, y: int) -> NDArray[np.float32]:
        portrait = self._portrait
        first, last = int(portrait.runs[1]), int(portrait.runs[2])
        positions = placement.positions[first:last].copy()
        positions[:, 0] = (positions[:, 0] - x) * FINE + 0.5
        positions[:, 1] = (positions[:, 1] - y) * FINE + 0.5
        colour = np.empty((*shape, 3), np.float32)
        colour[:] = portrait.mouth_cavity
        depth = np.full(shape, np.inf, np.float32)
        raster_attributes(positions, self._inside_triangles, portrait.mouth_paint, colour, depth)
        return colour

    def _with_photo(
        self, placement: Placement, inside: NDArray[np.float32], x: int, y: int
    ) -> NDArray[np.float32]:
        """Lay what the photo itself shows of the mouth over the painted one, moved with the head.

        At rest that is all of it; while speaking, the upper teeth, which do not move with the lips.
        """
        portrait = self._portrait
        if not portrait.lips_parted:
            return inside
        height, width = inside.shape[:2]
        rows, columns = np.mgrid[y : y + height, x : x + width].astype(np.float32)
        depth = float(portrait.vertices[portrait.runs[1] : portrait.runs[2], 2].min())
        u, v = placement.unturned(columns, rows, depth)
        photo = cv2.remap(portrait.picture, u, v, cv2.INTER_LINEAR).astype(np.float32)
        whole = cv2.remap(portrait.mouth_photo, u, v, cv2.INTER_LINEAR).astype(np.float32)
        teeth = cv2.remap(portrait.teeth_photo, u, v, cv2.INTER_LINEAR).astype(np.float32)
        share = np.float32(1 - placement.neutral)
        mask = np.maximum(share * whole, teeth)[..., None] * np.float32(1 / 255)
        return np.asarray(inside + mask * (photo - inside), np.float32)

    def shade_lip_line(self, picture: Frame, placement: Placement) -> None:
        """Draw the shadow between closed lips that the photo, its lips parted, does not have."""
        weight = placement.neutral
        if weight <= 0:
            return
        upper, lower = (placement.positions[columns, :2] for columns in self._lip_columns)
        across = np.arange(upper.shape[1])
        top = upper[upper[..., 1].argmax(axis=0), across]
        bottom = lower[lower[..., 1].argmin(axis=0), across]
        line = np.float32(0.5) * (top + bottom)
        left, up, right, down = bounds(line, placement.depth.shape, 5)
        mask = np.zeros((down - up, right - left), np.uint8)
        closed = bottom[:, 1] - top[:, 1] < _TOUCHING
        shifted = np.round((line - [left, up]) * 8).astype(np.int32)
        for start in np.flatnonzero(closed[:-1] & closed[1:]):
            cv2.line(mask, shifted[start], shifted[start + 1], 255, 1, cv2.LINE_AA, 3)
        shadow = cv2.GaussianBlur(mask, (0, 0), 1.1).astype(np.float32)[..., None] / 255
        area = picture[up:down, left:right]
        dark = 1 - weight * shadow * np.array([0.55, 0.72, 0.72], np.float32)
        area[:] = np.round(area * dark).astype(np.uint8)


def _lip_columns() -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Vertices of the inner lips, [rings, columns], upper and lower, from the picture's left to its right."""
    rings = load_head().rings[0][:8]
    half = rings.shape[1] // 2
    return rings[:, half - 1 : 0 : -1], rings[:, half + 1 :]
