"""Draw an eye: where the lids part, the ball behind them, and the upper lid as it closes.

picture: uint8[H, W, 3], drawn on in place; `left` and `top` are where in it a layer's first pixel lies, and
all of the layer lies inside. Layers of an eye are read between pixels, bilinearly; past their edges they go
on as they end.

opened: float32[h, w]           how much of each pixel the lids leave open, 0..1
light: float32[h, w]            how open it is about each pixel: the ball is dark beside lids
pictures: uint8[6, h, w, 3]     the ball, it without iris, the iris, its reflections, those of them that leave
                                as it turns (both as shares of the way to white), the ball with all of them
lid: float32[h, w, 6]           the lid, as raster_attributes draws it: where in `closed` it shows, where in
                                `carried`, pixels above its margin, x along the eye; OUTSIDE beside it
closed, carried: uint8[h, w, 4] the lid painted anew, and the photo's own; each with how much it covers
rim: uint8[h, w]                what stands before the lid
lashes: uint8[2, h, w]          how dark the margin's line is, and how dark the lashes are; 0 at all edges
"""

from typing import Any, Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from mien.kernels import device
from mien.kernels.native import COUNT, array_of, native

OUTSIDE: Final = -1e4
"""What a lid's attributes are where there is no lid."""

_NEVER: Final = np.float32(0.5 * OUTSIDE)

_BALL: Final = 0
_WHITE: Final = 1
_IRIS: Final = 2
_GLINT: Final = 3
_LESSER: Final = 4
_SHOWN: Final = 5

_FLOATS = array_of(np.float32)
_PICTURE = array_of(np.uint8)

_cut_opening = native("cut_opening", _PICTURE, _PICTURE, COUNT, _FLOATS, COUNT, COUNT, *[COUNT] * 4, _FLOATS)
_draw_ball = native(
    "draw_ball",
    *(_PICTURE, COUNT, COUNT, COUNT, _FLOATS, _FLOATS, COUNT, COUNT),
    *(_PICTURE, COUNT, COUNT, _FLOATS, COUNT, COUNT, COUNT, COUNT, _FLOATS),
)
_draw_lid = native(
    "draw_lid",
    *(_PICTURE, COUNT, COUNT, COUNT, _FLOATS, COUNT, COUNT),
    *(_PICTURE, _PICTURE, _PICTURE, COUNT, COUNT, _PICTURE, COUNT, COUNT, _FLOATS),
)


class BallLook(NamedTuple):
    """How the ball is turned and lit in one frame. Lengths are in pixels of its pictures."""

    u_along: float
    """A layer's pixel (column, row) shows (u_along column + u_down row + u, v_along ...) of the pictures."""
    u_down: float
    u: float
    v_along: float
    v_down: float
    v: float
    iris_x: float
    """Where the iris is at rest."""
    iris_y: float
    iris_radius: float
    turned_x: float
    """How far the gaze has moved it."""
    turned_y: float
    follows: float
    """How much of that way reflections go."""
    leaving: float
    """How far the ball is from showing what the photo shows of it, 0..1."""
    shade_red: float
    """How light it is right under a lid, in each colour."""
    shade_green: float
    shade_blue: float
    shadow: float
    """How dark the closing lid makes what lies right below its margin, 0..1."""
    shadow_reach: float
    """How far that shadow falls."""


class LidLook(NamedTuple):
    """How far the lid has closed in one frame."""

    painted: float
    """How much it is the painted lid, 0..1, and not the photo's own."""
    shown: float
    """How much of it shows, 0..1."""
    overhang: float
    """How far it covers what lies below its margin, in pixels."""
    line: float
    """How much of the margin's line shows, and of the lashes."""
    hair: float
    lash_x: float
    """The place in `lashes` is (lash_x + lash_along x, lash_y - lash_up height)."""
    lash_along: float
    lash_y: float
    lash_up: float
    red: float
    """How much of each colour the line and lashes take."""
    green: float
    blue: float


def cut_opening(
    covered: NDArray[np.uint8],
    within: NDArray[np.uint8],
    depth: NDArray[np.float32],
    left: int,
    top: int,
    opened: NDArray[np.float32],
) -> None:
    """Find how much of each pixel lies within the lids' outline and is not covered by skin.

    covered, within: uint8[fine h, fine w], 0 or 255, at `fine` times the resolution of opened. Skin drawn in
    the picture itself, where depth, float32[H, W], is finite for a pixel and all about it, stays.
    """
    rows, columns = device.sides("opened", opened)
    fine = covered.shape[0] // max(rows, 1)
    height, width = device.sides("depth", depth)
    device.require("depth", depth, np.float32, height, width)
    device.require("opened", opened, np.float32, rows, columns)
    device.require("covered", covered, np.uint8, rows * fine, columns * fine)
    device.require("within", within, np.uint8, rows * fine, columns * fine)
    device.require_inside("a layer", (rows, columns), "a picture", (height, width), left, top)
    arguments = (covered, within, fine, depth, height, width, left, top, rows, columns, opened)
    if device.on_device(covered, within, depth, opened):
        device.launch("eye", "cut_opening", (columns, rows, 1), *arguments)
        return
    _cut_opening(*arguments)


def draw_ball(
    picture: NDArray[np.uint8],
    left: int,
    top: int,
    opened: NDArray[np.float32],
    light: NDArray[np.float32],
    pictures: NDArray[np.uint8],
    lid: NDArray[np.float32],
    lid_left: int,
    lid_top: int,
    look: BallLook,
) -> None:
    """Draw the ball where the lids are open. lid_left, lid_top: where in the layer the lid begins."""
    height, width = picture.shape[:2]
    rows, columns = device.sides("opened", opened)
    device.require("picture", picture, np.uint8, height, width, 3)
    device.require("opened", opened, np.float32, rows, columns)
    device.require("light", light, np.float32, rows, columns)
    _, tall, wide, _ = pictures.shape
    device.require("pictures", pictures, np.uint8, 6, tall, wide, 3)
    lid_rows, lid_columns, _ = lid.shape
    device.require("lid", lid, np.float32, lid_rows, lid_columns, 6)
    device.require_inside("a layer", (rows, columns), "a picture", (height, width), left, top)
    _check_sides(tall, wide)
    place = (picture, width, left, top, opened, light, rows, columns, pictures, tall, wide)
    shadow = (lid, lid_rows, lid_columns, lid_left, lid_top)
    if device.on_device(picture, opened, light, pictures, lid):
        device.launch("eye", "draw_ball", (columns, rows, 1), *place, *shadow, *look)
        return
    _draw_ball(*place, *shadow, np.array(look, np.float32))


def draw_lid(
    picture: NDArray[np.uint8],
    left: int,
    top: int,
    lid: NDArray[np.float32],
    closed: NDArray[np.uint8],
    carried: NDArray[np.uint8],
    rim: NDArray[np.uint8],
    lashes: NDArray[np.uint8],
    look: LidLook,
) -> None:
    """Draw the upper lid, with its lashes, over what is there."""
    height, width = picture.shape[:2]
    rows, columns, _ = lid.shape
    tall, wide = device.sides("rim", rim)
    _, lash_rows, lash_columns = lashes.shape
    device.require("picture", picture, np.uint8, height, width, 3)
    device.require("lid", lid, np.float32, rows, columns, 6)
    device.require("closed", closed, np.uint8, tall, wide, 4)
    device.require("carried", carried, np.uint8, tall, wide, 4)
    device.require("rim", rim, np.uint8, tall, wide)
    device.require("lashes", lashes, np.uint8, 2, lash_rows, lash_columns)
    device.require_inside("a layer", (rows, columns), "a picture", (height, width), left, top)
    _check_sides(tall, wide, lash_rows, lash_columns)
    place = (picture, width, left, top, lid, rows, columns, closed, carried, rim, tall, wide)
    lash = (lashes, lash_rows, lash_columns)
    if device.on_device(picture, lid, closed, carried, rim, lashes):
        device.launch("eye", "draw_lid", (columns, rows, 1), *place, *lash, *look)
        return
    _draw_lid(*place, *lash, np.array(look, np.float32))


def cut_opening_reference(
    covered: NDArray[np.uint8],
    within: NDArray[np.uint8],
    depth: NDArray[np.float32],
    left: int,
    top: int,
    opened: NDArray[np.float32],
) -> None:
    """Say what cut_opening means."""
    rows, columns = opened.shape
    fine = covered.shape[0] // rows
    free = (within > 0) & (covered == 0)
    count = free.reshape(rows, fine, columns, fine).sum(axis=(1, 3)).astype(np.float32)
    padded = np.pad(~np.isfinite(depth), 1)
    bare = np.zeros((rows, columns), bool)
    for dy in range(3):
        for dx in range(3):
            bare |= padded[top + dy : top + dy + rows, left + dx : left + dx + columns]
    opened[:] = np.where(bare, count * np.float32(1 / fine**2), np.float32(0))


def draw_ball_reference(
    picture: NDArray[np.uint8],
    left: int,
    top: int,
    opened: NDArray[np.float32],
    light: NDArray[np.float32],
    pictures: NDArray[np.uint8],
    lid: NDArray[np.float32],
    lid_left: int,
    lid_top: int,
    look: BallLook,
) -> None:
    """Say what draw_ball means."""
    rows, columns = opened.shape
    row, column = np.mgrid[:rows, :columns].astype(np.float32)
    k: Any = BallLook(*(cast(Any, np.float32(value)) for value in look))
    u = k.u_along * column + k.u_down * row + k.u
    v = k.v_along * column + k.v_down * row + k.v
    if k.leaving == 0 and k.turned_x == 0 and k.turned_y == 0:
        colour = _read(pictures[_SHOWN], u, v)
    else:
        colour = _turned(pictures, u, v, light, k)
    colour = colour * _shadowed(lid, lid_left, lid_top, opened.shape, k)[..., None]
    target = picture[top : top + rows, left : left + columns]
    _lay(target, colour, opened)


def _turned(
    pictures: NDArray[np.uint8],
    u: NDArray[np.float32],
    v: NDArray[np.float32],
    light: NDArray[np.float32],
    k: Any,
) -> NDArray[np.float32]:
    """Return the ball's colours. At first the iris drags what is about it along, then it moves as a disc."""
    one = np.float32(1)
    x, y = u - (k.iris_x + k.turned_x), v - (k.iris_y + k.turned_y)
    away = np.sqrt(x * x + y * y) / k.iris_radius
    drag = _smooth((np.float32(1.9) - away) * np.float32(1 / 0.75))
    dragged = _read(pictures[_BALL], u - k.turned_x * drag, v - k.turned_y * drag)
    disc = _smooth((np.float32(1.10) - away) * np.float32(5))[..., None]
    free = _read(pictures[_WHITE], u, v)
    free = free + disc * (_read(pictures[_IRIS], u - k.turned_x, v - k.turned_y) - free)
    open_to_light = _smooth((light - np.float32(0.3)) * np.float32(1 / 0.6))[..., None]
    shade = np.array([k.shade_red, k.shade_green, k.shade_blue], np.float32)
    free = free * (shade + (one - shade) * open_to_light)
    colour = dragged + k.leaving * (free - dragged)
    # Reflections stay with the light, but the white, which is dull, shows none.
    at = (u - k.follows * k.turned_x, v - k.follows * k.turned_y)
    glint = _read(pictures[_GLINT], *at) + (one - k.leaving) * _read(pictures[_LESSER], *at)
    dull = np.fmin(np.fmax((away - np.float32(0.75)) * np.float32(1 / 0.3), 0), one)
    glint = glint * ((one - k.leaving * dull) * np.float32(1 / 255))[..., None]
    return np.asarray(colour + glint * (np.float32(255) - colour), np.float32)


def _shadowed(
    lid: NDArray[np.float32], left: int, top: int, shape: tuple[int, ...], k: Any
) -> NDArray[np.float32]:
    """Return how light the ball is under the lid's margin, float32[rows, columns]."""
    height = np.full(shape, OUTSIDE, np.float32)
    first_row, first_column = max(top, 0), max(left, 0)
    last_row, last_column = min(top + lid.shape[0], shape[0]), min(left + lid.shape[1], shape[1])
    if first_row < last_row and first_column < last_column:
        rows, columns = slice(first_row - top, last_row - top), slice(first_column - left, last_column - left)
        height[first_row:last_row, first_column:last_column] = lid[rows, columns, 4]
    # Falls like exp(height / reach), and ends.
    near = np.fmax(np.float32(1) + np.fmin(height, 0) / k.shadow_reach * np.float32(0.125), 0)
    near = near * near
    near = near * near
    return np.asarray(np.float32(1) - k.shadow * (near * near), np.float32)


def draw_lid_reference(
    picture: NDArray[np.uint8],
    left: int,
    top: int,
    lid: NDArray[np.float32],
    closed: NDArray[np.uint8],
    carried: NDArray[np.uint8],
    rim: NDArray[np.uint8],
    lashes: NDArray[np.uint8],
    look: LidLook,
) -> None:
    """Say what draw_lid means."""
    rows, columns, _ = lid.shape
    k: Any = LidLook(*(cast(Any, np.float32(value)) for value in look))
    one, level = np.float32(1), np.float32(1 / 255)
    height = lid[..., 4]
    painted = _read(closed, lid[..., 0], lid[..., 1])
    own = _read(carried, lid[..., 2], lid[..., 3])
    before = _read(rim[..., None], lid[..., 0], lid[..., 1])[..., 0]
    share = (one - k.painted) * (own[..., 3] * level) * (one - before * level)
    colour = painted[..., :3] + share[..., None] * (own[..., :3] - painted[..., :3])
    edge = np.fmin(np.fmax(height + k.overhang, 0), one)
    cover = k.shown * edge * (painted[..., 3] * level)
    target = picture[top : top + rows, left : left + columns]
    below = target.astype(np.float32)
    drawn = below + cover[..., None] * (colour - below)
    at = (k.lash_x + k.lash_along * lid[..., 5], k.lash_y - k.lash_up * height)
    line, hair = (_read(sheet[..., None], *at)[..., 0] * level for sheet in lashes)
    dark = np.fmax(k.line * line, k.hair * hair)
    drawn = drawn * (one - dark[..., None] * np.array([k.red, k.green, k.blue], np.float32))
    drawn = np.fmin(np.fmax(drawn + np.float32(0.5), 0), np.float32(255)).astype(np.uint8)
    there = height > _NEVER
    target[there] = drawn[there]


def _lay(target: NDArray[np.uint8], colour: NDArray[np.float32], share: NDArray[np.float32]) -> None:
    below = target.astype(np.float32)
    mixed = below + share[..., None] * (colour - below) + np.float32(0.5)
    target[:] = np.fmin(np.fmax(mixed, 0), np.float32(255)).astype(np.uint8)


def _read(picture: NDArray[np.uint8], x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    """Read a picture, uint8[h, w, channels], between its pixels; what is not a number counts as 0."""
    height, width = picture.shape[:2]
    x = np.fmin(np.fmax(x, np.float32(0)), np.float32(width - 1))
    y = np.fmin(np.fmax(y, np.float32(0)), np.float32(height - 1))
    column, row = np.minimum(x.astype(np.int64), width - 2), np.minimum(y.astype(np.int64), height - 2)
    s, t = (x - column.astype(np.float32))[..., None], (y - row.astype(np.float32))[..., None]
    values = picture.astype(np.float32)
    a, b = values[row, column], values[row + 1, column]
    upper = a + s * (values[row, column + 1] - a)
    lower = b + s * (values[row + 1, column + 1] - b)
    return np.asarray(upper + t * (lower - upper), np.float32)


def _smooth(x: NDArray[np.float32]) -> NDArray[np.float32]:
    x = np.fmin(np.fmax(x, np.float32(0)), np.float32(1))
    return np.asarray(x * x * (np.float32(3) - np.float32(2) * x), np.float32)


def _check_sides(*sides: int) -> None:
    if min(sides) < 2:
        raise ValueError(f"a picture to be read between pixels has at least two rows and columns: {sides}")
