"""Where everything of a portrait lies in the frame being drawn: what the layers share."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.engine.portrait import Portrait

Frame = NDArray[np.uint8]
Pixels = NDArray[Any]
"""What OpenCV returns: it does not say of what type."""

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, in pixels; right and bottom lie outside."""


@dataclass(slots=True)
class Placement:
    """One frame's geometry. A renderer owns one and fills it anew for every frame."""

    positions: NDArray[np.float32]
    """float32[vertices, 3], in pixels of the picture."""

    depth: NDArray[np.float32]
    """float32[height, width]: of the skin drawn at each pixel; infinite where no skin is."""

    rotation: NDArray[np.float32]
    """float32[3, 3]: the head's turn, with the scale that its distance gives."""

    shift: NDArray[np.float32]
    """float32[3]: the head's shift in pixels."""

    pivot: NDArray[np.float32]
    """float32[3]: the point that the head turns about."""

    neutral: float = 0.0
    """How far the photo's own smile or parted lips have been taken away, 0..1."""

    @classmethod
    def at_rest(cls, portrait: Portrait) -> "Placement":
        """Return the geometry of the photo itself."""
        return cls(
            positions=portrait.vertices.copy(),
            depth=np.full(portrait.picture.shape[:2], np.inf, np.float32),
            rotation=np.eye(3, dtype=np.float32),
            shift=np.zeros(3, np.float32),
            pivot=portrait.pivot,
        )

    def unturning(self, depth: float) -> tuple[float, float, float, float, float, float]:
        """Say where points (x, y) of the picture lay before the head turned, if they lie at one depth.

        Returns the numbers a, b, u, c, d, v of that place: (a x + b y + u, c x + d y + v).
        """
        ((p, q, r), (s, t, w)) = self.rotation[:2].tolist()
        pivot_x, pivot_y, pivot_z = self.pivot.tolist()
        area = p * t - q * s
        a, b, c, d = t / area, -q / area, -s / area, p / area
        left = r * (depth - pivot_z) + pivot_x + float(self.shift[0])
        top = w * (depth - pivot_z) + pivot_y + float(self.shift[1])
        return a, b, pivot_x - a * left - b * top, c, d, pivot_y - c * left - d * top


def bounds(places: NDArray[np.float32], shape: tuple[int, ...], margin: int) -> Box:
    """Return the box of places float32[n, 2], `margin` pixels wider, within a picture of shape (H, W)."""
    x, y = np.ascontiguousarray(places[:, 0]), np.ascontiguousarray(places[:, 1])
    left, right = int(np.floor(x.min())) - margin, int(np.ceil(x.max())) + margin + 1
    top, bottom = int(np.floor(y.min())) - margin, int(np.ceil(y.max())) + margin + 1
    height, width = shape[:2]
    left, top = min(max(left, 0), width - 2), min(max(top, 0), height - 2)
    return left, top, max(min(right, width), left + 2), max(min(bottom, height), top + 2)


def mix(target: Frame, colour: Pixels, alpha: Pixels) -> None:
    """Lay colour over target in place, alpha 0..255."""
    share = alpha.astype(np.float32)[..., None] * np.float32(1 / 255)
    target[:] = np.clip(target + share * (colour - target) + 0.5, 0, 255).astype(np.uint8)


def ease(x: float) -> float:
    """Return smoothstep: 0 below 0, 1 above 1, and 3 x^2 - 2 x^3 between."""
    x = min(max(x, 0.0), 1.0)
    return x * x * (3 - 2 * x)
