"""An eye's own coordinates: x along the line from corner to corner, y down from it, in pixels."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from mien.engine.face_points import (
    LEFT_BROW,
    LEFT_CREASE,
    LEFT_EYE_BOTTOM,
    LEFT_EYE_TOP,
    LEFT_IRIS,
    RIGHT_BROW,
    RIGHT_CREASE,
    RIGHT_EYE_BOTTOM,
    RIGHT_EYE_TOP,
    RIGHT_IRIS,
)

Floats = NDArray[np.float64]
Side = Literal["left", "right"]

LOWER_LID: Final = 0.17
"""How much of a blink's way the lower lid comes up."""

_LOWEST_FOLD: Final = 0.10
"""The lid's fold lies at least so many eye widths above its margin."""


@dataclass(frozen=True, slots=True)
class EyePoints:
    """An eye's landmarks, each run from the picture's left to its right."""

    top: tuple[int, ...]
    bottom: tuple[int, ...]
    crease: tuple[int, ...]
    brow: tuple[int, ...]
    iris: tuple[int, ...]

    @property
    def lids(self) -> tuple[int, ...]:
        """The lid margins, all the way round."""
        return self.top + self.bottom[-2:0:-1]


EYE_POINTS: Final[dict[Side, EyePoints]] = {
    "left": EyePoints(LEFT_EYE_TOP, LEFT_EYE_BOTTOM, LEFT_CREASE, LEFT_BROW, LEFT_IRIS),
    "right": EyePoints(RIGHT_EYE_TOP, RIGHT_EYE_BOTTOM, RIGHT_CREASE, RIGHT_BROW, RIGHT_IRIS),
}


@dataclass(frozen=True, slots=True)
class EyeFrame:
    """Where an eye lies in the photo, and the curves of its lids."""

    start: Floats
    """float64[2]: the corner towards the picture's left."""

    along: Floats
    """float64[2], of length 1."""

    down: Floats
    """float64[2], of length 1."""

    width: float
    """Pixels from corner to corner."""

    outer: float
    """x of the outer corner: 0 or the width."""

    _upper: Floats
    _lower: Floats
    _fold: Floats
    _brow: Floats

    @classmethod
    def of(cls, points: NDArray[np.float32], side: Side) -> "EyeFrame":
        """Measure an eye by landmarks, float32[478, 3]."""
        eye = EYE_POINTS[side]
        start, end = points[eye.top[0], :2].astype(np.float64), points[eye.top[-1], :2].astype(np.float64)
        width = float(np.linalg.norm(end - start))
        along = (end - start) / width
        down = np.array([-along[1], along[0]])

        def curve(run: tuple[int, ...], degree: int, ends: float) -> Floats:
            offset = points[list(run), :2] - start
            weights = np.ones(len(run))
            weights[[0, -1]] = ends
            fitted: Floats = np.polyfit(offset @ along / width, offset @ down, degree, w=weights)
            return fitted

        return cls(
            start=start,
            along=along,
            down=down,
            width=width,
            outer=width if side == "left" else 0.0,
            _upper=curve(eye.top, 4, 4.0),
            _lower=curve(eye.bottom, 4, 4.0),
            _fold=curve(eye.crease, 3, 1.0),
            _brow=curve(eye.brow, 2, 1.0),
        )

    def framed(self, places: NDArray[np.floating]) -> tuple[Floats, Floats]:
        """Carry places in the picture, [..., 2], to x and y."""
        offset = places - self.start
        return offset @ self.along, offset @ self.down

    def place(self, x: Floats, y: Floats) -> Floats:
        """Carry x and y to places in the picture, float64[..., 2]."""
        result: Floats = self.start + x[..., None] * self.along + y[..., None] * self.down
        return result

    def upper(self, x: Floats) -> Floats:
        """Return the height of the upper lid's margin at x; past the corners, that of the corner."""
        return self._at(self._upper, x)

    def lower(self, x: Floats) -> Floats:
        """Return the height of the lower lid's margin."""
        return np.maximum(self._at(self._lower, x), self.upper(x))

    def fold(self, x: Floats) -> Floats:
        """Return the height of the fold that the upper lid slips under when the eye opens."""
        return np.minimum(self._at(self._fold, x), self.upper(x) - _LOWEST_FOLD * self.width)

    def brow(self, x: Floats) -> Floats:
        """Return the height of the brow's lower edge."""
        return self._at(self._brow, x)

    def _at(self, curve: Floats, x: Floats) -> Floats:
        return np.asarray(np.polyval(curve, np.clip(x / self.width, 0, 1)), np.float64)
