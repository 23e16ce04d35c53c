"""Lay one picture over another, through a feathered mask.

frame: uint8[batch, H, W, 3]        what lies below, changed in place
layer: float32[batch, h, w, 3]      0..255
mask: float32[batch, h, w]          0 keeps the frame, 1 takes the layer, and between them both mix
left, top                           where in the frame the layer's first pixel lies; all of it lies inside

The batch axis may be left out of all of them. This is how the rig renderer lays the mouth.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.kernels import device


def compose(
    frame: NDArray[np.uint8],
    layer: NDArray[np.float32],
    mask: NDArray[np.float32],
    *,
    left: int = 0,
    top: int = 0,
) -> None:
    """Set frame to round(frame + mask * (layer - frame)), half up, within 0..255, under the layer."""
    _check(frame, layer, mask, left, top)
    if not device.on_device(frame, layer, mask):
        compose_reference(frame, layer, mask, left=left, top=top)
        return
    height, width = frame.shape[-3:-1]
    rows, columns = mask.shape[-2:]
    batch = mask.shape[0] if mask.ndim == 3 else 1
    sizes = (height, width, rows, columns, left, top)
    device.launch("compose", "compose", (columns, rows, batch), *(frame, layer, mask, *sizes))


def compose_reference(
    frame: NDArray[np.uint8],
    layer: NDArray[np.float32],
    mask: NDArray[np.float32],
    *,
    left: int = 0,
    top: int = 0,
) -> None:
    """Say what compose means."""
    rows, columns = mask.shape[-2:]
    below = frame[..., top : top + rows, left : left + columns, :]
    mixed = below + mask[..., None] * (layer - below) + np.float32(0.5)
    below[:] = np.fmin(np.fmax(mixed, 0), 255).astype(np.uint8)


def _check(frame: NDArray[Any], layer: NDArray[Any], mask: NDArray[Any], left: int, top: int) -> None:
    if frame.ndim not in (3, 4) or mask.ndim != frame.ndim - 1:
        raise ValueError(f"frame and mask have {frame.ndim} and {mask.ndim} axes, not 4 and 3 or 3 and 2")
    batch = frame.shape[:-3]
    height, width = frame.shape[-3:-1]
    rows, columns = mask.shape[-2:]
    device.require("frame", frame, np.uint8, *batch, height, width, 3)
    device.require("layer", layer, np.float32, *batch, rows, columns, 3)
    device.require("mask", mask, np.float32, *batch, rows, columns)
    device.require_inside("a layer", (rows, columns), "a frame", (height, width), left, top)
