"""A turned square of a picture, as a net that was trained on upright crops wants to see it."""

from dataclasses import dataclass
from math import cos, sin

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Region:
    """A square of a picture, possibly turned and possibly reaching past the picture's edge.

    Positions are in pixels, x right, y down, with the outer corner of the first pixel at (0, 0), so that its
    centre lies at (0.5, 0.5).
    """

    x: float
    """Centre."""

    y: float
    """Centre."""

    side: float
    """Length of a side, in pixels of the picture."""

    angle: float = 0.0
    """Radians that the square's own x axis is turned from the picture's, clockwise as seen."""

    def crop(self, picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
        """Sample the square as uint8[size, size, 3]; what lies outside the picture is black.

        A region much larger than `size` is sampled densely and averaged, so that fine detail does not alias.
        """
        density = max(1, int(self.side / size))
        fine = size * density
        step = self.side / fine
        column = np.array([cos(self.angle), sin(self.angle)]) * step
        row = np.array([-sin(self.angle), cos(self.angle)]) * step
        # OpenCV counts from the centre of the first pixel, hence the halves on both sides.
        first = np.array([self.x, self.y]) + (0.5 - fine / 2) * (column + row) - 0.5
        matrix = np.column_stack([column, row, first])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        sampled = cv2.warpAffine(picture, matrix, (fine, fine), flags=flags, borderMode=cv2.BORDER_CONSTANT)
        if density > 1:
            sampled = cv2.resize(sampled, (size, size), interpolation=cv2.INTER_AREA)
        return np.asarray(sampled, np.uint8)

    def to_picture(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Carry points from the square, whose sides run 0..1, to pixels of the picture.

        points: float32[n, 2], or float32[n, 3] with a depth that is scaled alike. Returns the same shape.
        """
        placed = np.array(points, np.float32) * np.float32(self.side)
        along, down = placed[:, 0] - self.side / 2, placed[:, 1] - self.side / 2
        placed[:, 0] = self.x + along * cos(self.angle) - down * sin(self.angle)
        placed[:, 1] = self.y + along * sin(self.angle) + down * cos(self.angle)
        return placed

    @classmethod
    def around(cls, points: NDArray[np.float32], *, angle: float, scale: float) -> "Region":
        """Return the turned square about points float32[n, 2 or more], with `scale` times the needed side."""
        x, y = points[:, 0], points[:, 1]
        along, down = x * cos(angle) + y * sin(angle), y * cos(angle) - x * sin(angle)
        middle_along, middle_down = (along.max() + along.min()) / 2, (down.max() + down.min()) / 2
        return cls(
            x=float(middle_along * cos(angle) - middle_down * sin(angle)),
            y=float(middle_along * sin(angle) + middle_down * cos(angle)),
            side=float(max(np.ptp(along), np.ptp(down))) * scale,
            angle=angle,
        )
