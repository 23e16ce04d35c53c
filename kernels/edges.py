"""Tidy the edges of what raster_texture drew.

map_x, map_y: float32[H, W]     where in the photo each pixel takes its colour
depth: float32[H, W]            +inf where no triangle was drawn
box: left, top, right, bottom in pixels, the last two not included

The outermost pixels of the picture are left alone.
"""

import numpy as np
from numpy.typing import NDArray

from mien.kernels import device
from mien.kernels.native import COUNT, SINGLE, array_of, native

_PLANE = array_of(np.float32)
_PICTURE = array_of(np.uint8)
_BOX = array_of(np.int64)

_spread_map = native("spread_map", _PLANE, _PLANE, _PLANE, COUNT, COUNT, _BOX)
_soften_jumps = native("soften_jumps", _PICTURE, _PICTURE, _PLANE, _PLANE, COUNT, COUNT, _BOX, SINGLE)


def spread_map(
    map_x: NDArray[np.float32],
    map_y: NDArray[np.float32],
    depth: NDArray[np.float32],
    box: tuple[int, int, int, int],
) -> None:
    """Carry the map one pixel beyond what was drawn, in place: soft edges then mix skin with skin."""
    height, width = _check_planes(depth=depth, map_x=map_x, map_y=map_y)
    if device.on_device(map_x, map_y, depth):
        left, top, columns, rows = _sizes((height, width), box)
        arguments = (map_x, map_y, depth, width, left, top, columns, rows)
        device.launch("edges", "spread_map", (columns, rows, 1), *arguments)
        return
    _spread_map(map_x, map_y, depth, height, width, np.array(box, np.int64))


def soften_jumps(
    picture: NDArray[np.uint8],
    source: NDArray[np.uint8],
    map_x: NDArray[np.float32],
    map_y: NDArray[np.float32],
    box: tuple[int, int, int, int],
    jump: float,
) -> None:
    """Blur picture, uint8[H, W, 3], by a 3x3 binomial of source where the map jumps by more than `jump` px.

    That is where one piece of skin passes before another: lids, lips, nose and jaw.
    """
    height, width = _check_planes(map_x=map_x, map_y=map_y)
    device.require("picture", picture, np.uint8, height, width, 3)
    device.require("source", source, np.uint8, height, width, 3)
    if device.on_device(picture, source, map_x, map_y):
        left, top, columns, rows = _sizes((height, width), box)
        arguments = (picture, source, map_x, map_y, width, left, top, columns, rows, float(jump))
        device.launch("edges", "soften_jumps", (columns, rows, 1), *arguments)
        return
    _soften_jumps(picture, source, map_x, map_y, height, width, np.array(box, np.int64), jump)


def spread_map_reference(
    map_x: NDArray[np.float32],
    map_y: NDArray[np.float32],
    depth: NDArray[np.float32],
    box: tuple[int, int, int, int],
) -> None:
    """Say what spread_map means."""
    rows, columns = _within(depth.shape, box)
    drawn = np.isfinite(depth)
    shifts = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    count = sum(np.roll(drawn, (-dy, -dx), (0, 1)).astype(np.int64) for dy, dx in shifts)
    chosen = np.zeros_like(drawn)
    chosen[rows, columns] = True
    chosen &= ~drawn & (count > 0)
    for plane, axis in ((map_x, 1), (map_y, 0)):
        total = np.zeros(depth.shape)
        for shift in shifts:
            value = np.where(drawn, plane.astype(np.float64), 0.0)
            value = np.where(
                np.roll(drawn, (-shift[0], -shift[1]), (0, 1)),
                np.roll(value, (-shift[0], -shift[1]), (0, 1)) - shift[axis],
                0.0,
            )
            total = total + value
        plane[chosen] = (total[chosen] / np.asarray(count)[chosen]).astype(np.float32)


def soften_jumps_reference(
    picture: NDArray[np.uint8],
    source: NDArray[np.uint8],
    map_x: NDArray[np.float32],
    map_y: NDArray[np.float32],
    box: tuple[int, int, int, int],
    jump: float,
) -> None:
    """Say what soften_jumps means."""
    rows, columns = _within(map_x.shape, box)
    steps = [
        np.abs(np.roll(map_x, shift, axis) - map_x) + np.abs(np.roll(map_y, shift, axis) - map_y)
        for axis in (0, 1)
        for shift in (-1, 1)
    ]
    chosen = np.zeros(map_x.shape, bool)
    chosen[rows, columns] = True
    chosen &= np.max(steps, axis=0) > jump
    weights = {(dy, dx): (2 - abs(dy)) * (2 - abs(dx)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)}
    total = 8 + sum(
        weight * np.roll(source, shift, (0, 1)).astype(np.int64) for shift, weight in weights.items()
    )
    picture[chosen] = (np.asarray(total) // 16).astype(np.uint8)[chosen]


def _check_planes(**planes: NDArray[np.float32]) -> tuple[int, int]:
    """Return the height and width that all of them have."""
    first, plane = next(iter(planes.items()))
    height, width = device.sides(first, plane)
    for name, other in planes.items():
        device.require(name, other, np.float32, height, width)
    return height, width


def _sizes(shape: tuple[int, ...], box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Return left, top, width and height of the box within the outermost pixels."""
    rows, columns = _within(shape, box)
    return columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start


def _within(shape: tuple[int, ...], box: tuple[int, int, int, int]) -> tuple[slice, slice]:
    left, top, right, bottom = box
    rows = slice(max(top, 1), max(min(bottom, shape[0] - 1), max(top, 1)))
    columns = slice(max(left, 1), max(min(right, shape[1] - 1), max(left, 1)))
    return rows, columns
