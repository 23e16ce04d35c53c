"""Move a picture by a coarse grid, and sample it.

A grid's vertices lie `cell` pixels apart and are moved; a lattice says, every `step` pixels of the picture
drawn, how far from there the photo's place lies: the grid's movement turned round. Between lattice points
it runs bilinearly.

moved: float32[rows, columns, 2]    how far each of the grid's vertices has moved, x and y, in pixels
layout: float32[4]                  x and y of the grid's first vertex at rest, width and height of a cell
lattice: float32[H // step + 2, W // step + 2, 2]     pixel (x, y) shows the photo at (x, y) + lattice there
map_x, map_y: float32[H, W]         places in the photo, as raster_texture draws them
source: uint8[H + 2 margin, W + 2 margin, 4]    the photo: red, green, blue multiplied by alpha, and alpha.
        Its inner H x W pixels are the picture's own.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.kernels import device
from mien.kernels.native import COUNT, array_of, native

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels, the last two not included."""

STEPS: Final = 64
"""Places between pixels are told apart to 1 / STEPS of a pixel."""

ROUNDS: Final = 5
"""Steps of Newton's method that turn a grid's movement round: errors under a hundredth of a pixel."""

FLATTEST: Final = 0.25
"""Where the grid shrinks areas by more than this it may fold over: plain steps are taken there instead."""

SMALLEST_MARGIN: Final = 4
"""Pixels by which the source goes on past the picture, at least. Places further out show its outermost."""

_SHARPNESS: Final = -0.75
"""Of the cubic convolution (Keys 1981, equation 4: a); OpenCV's value."""

_FLOATS = array_of(np.float32)
_PICTURE = array_of(np.uint8)
_BOX = array_of(np.int64)

_set_weights = native("set_weights", array_of(np.int16))
_invert_grid = native("invert_grid", _FLOATS, COUNT, COUNT, _FLOATS, _FLOATS, COUNT, COUNT, COUNT)
_fill_map = native("fill_map", _FLOATS, COUNT, COUNT, _BOX, _FLOATS, _FLOATS, COUNT)
_sample_moved = native(
    "sample_moved",
    *(_PICTURE, COUNT, COUNT, COUNT, _FLOATS, COUNT, COUNT, _FLOATS, _FLOATS, _BOX),
    *(_PICTURE, _PICTURE, _BOX, _PICTURE, COUNT),
)


def cubic_weights() -> NDArray[np.int16]:
    """Return the four taps' weights at each of STEPS places between two pixels, int16[STEPS, 4], sum 2048."""
    at = np.arange(STEPS) / STEPS
    away = np.stack([1 + at, at, 1 - at, 2 - at], axis=1)
    a = _SHARPNESS
    near = ((a + 2) * away - (a + 3)) * away**2 + 1
    far = ((a * away - 5 * a) * away + 8 * a) * away - 4 * a
    weights = np.round(2048 * np.where(away <= 1, near, far)).astype(np.int64)
    weights[np.arange(STEPS), weights.argmax(axis=1)] += 2048 - weights.sum(axis=1)
    return weights.astype(np.int16)


_WEIGHTS: Final = cubic_weights()
_set_weights(_WEIGHTS)


def lattice_for(height: int, width: int, step: int) -> NDArray[np.float32]:
    """Return a lattice at rest for a picture of height x width pixels."""
    return np.zeros((height // step + 2, width // step + 2, 2), np.float32)


def invert_grid(
    moved: NDArray[np.float32], layout: NDArray[np.float32], lattice: NDArray[np.float32], step: int
) -> None:
    """Fill the lattice: where each of its points lay before the grid moved it there."""
    rows, columns = moved.shape[:2]
    if min(rows, columns) < 2 or layout.shape != (4,):
        raise ValueError("a grid has at least two rows and columns, and a layout of four numbers")
    device.require("moved", moved, np.float32, rows, columns, 2)
    device.require("layout", layout, np.float32, 4)
    device.require("lattice", lattice, np.float32, *lattice.shape[:2], 2)
    if device.on_device(moved, layout, lattice):
        arguments = (moved, rows, columns, layout, lattice, *lattice.shape[:2], step)
        device.launch("lattice", "invert_grid", (lattice.shape[1], lattice.shape[0], 1), *arguments)
        return
    _invert_grid(moved, rows, columns, layout, lattice, *lattice.shape[:2], step)


def fill_map(
    lattice: NDArray[np.float32], step: int, box: Box, map_x: NDArray[np.float32], map_y: NDArray[np.float32]
) -> None:
    """Write the places that the lattice tells into a box of the map."""
    _check_lattice(lattice, map_x.shape, step)
    _check_box(box, map_x.shape)
    device.require("map_x", map_x, np.float32, *map_x.shape)
    device.require("map_y", map_y, np.float32, *map_x.shape)
    if device.on_device(lattice, map_x, map_y):
        left, top, columns, rows = _extent(box)
        arguments = (lattice, lattice.shape[1], step, left, top, columns, rows, map_x, map_y, map_x.shape[1])
        device.launch("lattice", "fill_map", (columns, rows, 1), *arguments)
        return
    _fill_map(lattice, lattice.shape[1], step, np.array(box, np.int64), map_x, map_y, map_x.shape[1])


def sample_moved(
    source: NDArray[np.uint8],
    lattice: NDArray[np.float32],
    step: int,
    map_x: NDArray[np.float32],
    map_y: NDArray[np.float32],
    mapped: Box,
    ground: NDArray[np.uint8],
    rest: NDArray[np.uint8],
    window: Box,
    picture: NDArray[np.uint8],
) -> None:
    """Draw the window of a picture, uint8[H, W, 3]: the photo moved, laid over what is behind it.

    Places are the map's within the box `mapped`, and the lattice's elsewhere; cells of the lattice that are
    at rest show `rest`, uint8[H, W, 3]. Between pixels the photo is read by cubic convolution (Keys 1981).
    ground: uint8[H, W, 3], shows as far as the photo's alpha is not full.
    """
    height, width = map_x.shape
    margin = (source.shape[0] - height) // 2
    _check_lattice(lattice, map_x.shape, step)
    for box in (mapped, window):
        _check_box(box, map_x.shape)
    if source.shape != (height + 2 * margin, width + 2 * margin, 4) or margin < SMALLEST_MARGIN:
        raise ValueError(f"the source has the shape {source.shape}, which does not fit {height} x {width}")
    device.require("source", source, np.uint8, *source.shape)
    device.require("map_x", map_x, np.float32, height, width)
    device.require("map_y", map_y, np.float32, height, width)
    for name, array in (("ground", ground), ("rest", rest), ("picture", picture)):
        device.require(name, array, np.uint8, height, width, 3)
    if device.on_device(source, lattice, map_x, map_y, ground, rest, picture):
        left, top, columns, rows = _extent(window)
        arguments = (
            *(source, *source.shape[:2], margin, device.resident(_WEIGHTS), lattice, lattice.shape[1], step),
            *(map_x, map_y, *mapped, ground, rest, left, top, columns, rows, picture, width),
        )
        device.launch("lattice", "sample_moved", (columns, rows, 1), *arguments)
        return
    _sample_moved(
        *(source, *source.shape[:2], margin, lattice, lattice.shape[1], step, map_x, map_y),
        *(np.array(mapped, np.int64), ground, rest, np.array(window, np.int64), picture, width),
    )


def invert_grid_reference(
    moved: NDArray[np.float32], layout: NDArray[np.float32], lattice: NDArray[np.float32], step: int
) -> None:
    """Say what invert_grid means."""
    rows, columns, _ = lattice.shape
    y, x = (axis.astype(np.float32) for axis in np.mgrid[: rows * step : step, : columns * step : step])
    u, v = x.copy(), y.copy()
    one = np.float32(1)
    for _ in range(ROUNDS):
        (dx, dy), (along_x, along_y), (down_x, down_y) = _displacement(moved, layout, u, v)
        off_x, off_y = x - (u + dx), y - (v + dy)
        a, e = one + along_x, one + down_y
        determinant = a * e - along_y * down_x
        steep = determinant > np.float32(FLATTEST)
        safe = np.where(steep, determinant, one)
        u = u + np.where(steep, (off_x * e - off_y * down_x) / safe, off_x)
        v = v + np.where(steep, (off_y * a - off_x * along_y) / safe, off_y)
    lattice[..., 0], lattice[..., 1] = u - x, v - y


def fill_map_reference(
    lattice: NDArray[np.float32], step: int, box: Box, map_x: NDArray[np.float32], map_y: NDArray[np.float32]
) -> None:
    """Say what fill_map means."""
    left, top, right, bottom = box
    x, y = np.arange(left, right), np.arange(top, bottom)
    t = ((y % step).astype(np.float32) / np.float32(step))[:, None, None]
    upper, lower = lattice[y // step], lattice[y // step + 1]
    row = upper + t * (lower - upper)
    s = ((x - x // step * step).astype(np.float32) * (np.float32(1) / np.float32(step)))[:, None]
    first = row[:, x // step]
    moved = first + s * (row[:, x // step + 1] - first)
    map_x[top:bottom, left:right] = x.astype(np.float32) + moved[..., 0]
    map_y[top:bottom, left:right] = y.astype(np.float32)[:, None] + moved[..., 1]


def sample_moved_reference(
    source: NDArray[np.uint8],
    lattice: NDArray[np.float32],
    step: int,
    map_x: NDArray[np.float32],
    map_y: NDArray[np.float32],
    mapped: Box,
    ground: NDArray[np.uint8],
    rest: NDArray[np.uint8],
    window: Box,
    picture: NDArray[np.uint8],
) -> None:
    """Say what sample_moved means."""
    height, width = map_x.shape
    whole_x, whole_y = np.empty_like(map_x), np.empty_like(map_y)
    fill_map_reference(lattice, step, (0, 0, width, height), whole_x, whole_y)
    inner = (slice(mapped[1], mapped[3]), slice(mapped[0], mapped[2]))
    whole_x[inner], whole_y[inner] = map_x[inner], map_y[inner]
    drawn = _over(_sample(source, whole_x, whole_y), ground)
    still = _still_pixels(lattice, step, height, width)
    still[inner] = False
    drawn[still] = rest[still]
    shown = (slice(window[1], window[3]), slice(window[0], window[2]))
    picture[shown] = drawn[shown]


def _sample(
    source: NDArray[np.uint8], map_x: NDArray[np.float32], map_y: NDArray[np.float32]
) -> NDArray[np.int64]:
    margin = (source.shape[0] - map_x.shape[0]) // 2
    fractions, firsts = [], []
    for places, side in ((map_x, source.shape[1]), (map_y, source.shape[0])):
        within = np.clip(places + np.float32(margin), np.float32(1), np.float32(side - 4))
        fixed = (within * np.float32(STEPS) + np.float32(0.5)).astype(np.int64)
        firsts.append(fixed // STEPS - 1)
        fractions.append(_WEIGHTS[fixed % STEPS].astype(np.int64))
    total = np.full((*map_x.shape, 4), 1 << 15, np.int64)
    for row in range(4):
        value = np.full((*map_x.shape, 4), 1 << 5, np.int64)
        for k in range(4):
            value += fractions[0][..., k, None] * source[firsts[1] + row, firsts[0] + k]
        total += fractions[1][..., row, None] * (value >> 6)
    result: NDArray[np.int64] = np.clip(total >> 16, 0, 255)
    return result


def _over(drawn: NDArray[np.int64], ground: NDArray[np.uint8]) -> NDArray[np.uint8]:
    through = 255 - drawn[..., 3:]
    return np.minimum(drawn[..., :3] + (through * ground + 127) // 255, 255).astype(np.uint8)


def _still_pixels(lattice: NDArray[np.float32], step: int, height: int, width: int) -> NDArray[np.bool_]:
    calm = (lattice == 0).all(axis=2)
    cells = calm[:-1, :-1] & calm[:-1, 1:] & calm[1:, :-1] & calm[1:, 1:]
    rows, columns = np.arange(height) // step, np.arange(width) // step
    return np.array(cells[rows[:, None], columns])


def _displacement(
    moved: NDArray[np.float32],
    layout: NDArray[np.float32],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Read the grid's movement at places, and its change a pixel along and down, float32[2, ...] each."""
    rows, columns, _ = moved.shape
    left, top, cell_x, cell_y = layout
    u = np.clip((x - left) / cell_x, np.float32(0), np.float32(columns - 1))
    v = np.clip((y - top) / cell_y, np.float32(0), np.float32(rows - 1))
    column, row = np.minimum(u.astype(np.int64), columns - 2), np.minimum(v.astype(np.int64), rows - 2)
    s, t = u - column.astype(np.float32), v - row.astype(np.float32)
    corners = np.moveaxis(moved, 2, 0)
    a, b = corners[:, row, column], corners[:, row + 1, column]
    upper = corners[:, row, column + 1] - a
    lower = corners[:, row + 1, column + 1] - b
    first, second = a + s * upper, b + s * lower
    return (
        first + t * (second - first),
        (upper + t * (lower - upper)) / cell_x,
        (second - first) / cell_y,
    )


def _check_lattice(lattice: NDArray[np.float32], shape: tuple[int, ...], step: int) -> None:
    device.require("lattice", lattice, np.float32, shape[0] // step + 2, shape[1] // step + 2, 2)


def _extent(box: Box) -> tuple[int, int, int, int]:
    """Return left, top, width and height of a box."""
    left, top, right, bottom = box
    return left, top, right - left, bottom - top


def _check_box(box: Box, shape: tuple[int, ...]) -> None:
    left, top, right, bottom = box
    if not (0 <= left <= right <= shape[1] and 0 <= top <= bottom <= shape[0]):
        raise ValueError(f"the box {box} does not lie within a picture of {shape[1]} x {shape[0]}")
