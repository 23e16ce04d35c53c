"""Mix a part of the photo that skin is drawn from with another picture of it.

source: uint8[H, W, 4], changed in place; its fourth channel stays
rest, goal: uint8[h, w, 3]      what that part shows as share goes from 0 to 1
left, top                       where in the source that part begins; all of it lies inside
"""

import numpy as np
from numpy.typing import NDArray

from mien.kernels import device
from mien.kernels.native import COUNT, SINGLE, array_of, native

_PICTURE = array_of(np.uint8)

_fade = native("fade", _PICTURE, COUNT, _PICTURE, _PICTURE, COUNT, COUNT, COUNT, COUNT, SINGLE)


def fade(
    source: NDArray[np.uint8],
    rest: NDArray[np.uint8],
    goal: NDArray[np.uint8],
    share: float,
    *,
    left: int,
    top: int,
) -> None:
    """Set that part of the source to rest + share * (goal - rest), rounded half up; share: 0..1."""
    height, width = source.shape[:2]
    rows, columns = rest.shape[:2]
    device.require("source", source, np.uint8, height, width, 4)
    device.require("rest", rest, np.uint8, rows, columns, 3)
    device.require("goal", goal, np.uint8, rows, columns, 3)
    device.require_inside("a part", (rows, columns), "a source", (height, width), left, top)
    arguments = (source, width, rest, goal, rows, columns, left, top, float(share))
    if device.on_device(source, rest, goal):
        device.launch("fade", "fade", (columns, rows, 1), *arguments)
        return
    _fade(*arguments)


def fade_reference(
    source: NDArray[np.uint8],
    rest: NDArray[np.uint8],
    goal: NDArray[np.uint8],
    share: float,
    *,
    left: int,
    top: int,
) -> None:
    """Say what fade means."""
    rows, columns = rest.shape[:2]
    first = rest.astype(np.float32)
    mixed = first + np.float32(share) * (goal.astype(np.float32) - first) + np.float32(0.5)
    source[top : top + rows, left : left + columns, :3] = mixed.astype(np.uint8)
