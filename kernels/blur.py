"""Blur a plane: each pixel becomes a weighted sum of those about it, first along its row, then its column.

plane, blurred: float32[H, W], two arrays; what lies outside of the plane is 0
across, down: float32[odd]       the weights, from left to right and from top to bottom
"""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.kernels import device
from mien.kernels.native import COUNT, array_of, native

_FLOATS = array_of(np.float32)

_blur = native("blur", _FLOATS, COUNT, COUNT, _FLOATS, COUNT, _FLOATS, COUNT, _FLOATS, _FLOATS)

_REACH: Final = 3.0
"""Gaussians end at so many standard deviations."""


_NARROWEST: Final = 0.3
"""A narrower Gaussian would fall between pixels."""


@cache
def gaussian(sigma: float, shift: float = 0.0) -> NDArray[np.float32]:
    """Return the weights of a Gaussian, sum 1; shift: how far it moves the plane along or down, in pixels."""
    sigma = max(sigma, _NARROWEST)
    radius = int(np.ceil(_REACH * sigma + abs(shift)))
    away = np.arange(-radius, radius + 1) + shift
    weights = np.exp(-0.5 * (away / sigma) ** 2)
    return np.asarray(weights / weights.sum(), np.float32)


def blur(
    plane: NDArray[np.float32],
    across: NDArray[np.float32],
    down: NDArray[np.float32],
    blurred: NDArray[np.float32],
) -> None:
    """Fill blurred."""
    height, width = device.sides("plane", plane)
    device.require("plane", plane, np.float32, height, width)
    device.require("blurred", blurred, np.float32, height, width)
    for name, weights in (("across", across), ("down", down)):
        if weights.ndim != 1 or len(weights) % 2 == 0:
            raise ValueError(f"{name} has the shape {list(weights.shape)}, not one odd length")
        device.require(name, weights, np.float32, len(weights))
    if device.on_device(plane, blurred):
        rows = device.allocate((height, width), np.float32)
        for axis, (weights, source, target) in enumerate(((across, plane, rows), (down, rows, blurred))):
            arguments = (source, height, width, device.resident(weights), len(weights), axis, target)
            device.launch("blur", "blur_along", (width, height, 1), *arguments)
        return
    _blur(plane, height, width, across, len(across), down, len(down), np.empty_like(plane), blurred)


def blur_reference(
    plane: NDArray[np.float32],
    across: NDArray[np.float32],
    down: NDArray[np.float32],
    blurred: NDArray[np.float32],
) -> None:
    """Say what blur means."""
    height, width = plane.shape
    radius = len(across) // 2
    padded = np.pad(plane, ((0, 0), (radius, radius)))
    rows = np.zeros_like(plane)
    for k, weight in enumerate(across):
        rows = rows + weight * padded[:, k : k + width]
    radius = len(down) // 2
    padded = np.pad(rows, ((radius, radius), (0, 0)))
    total = np.zeros_like(plane)
    for k, weight in enumerate(down):
        total = total + weight * padded[k : k + height]
    blurred[:] = total
