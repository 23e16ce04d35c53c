"""Draw a picture through a flow field: every pixel drawn names the place in the picture that it shows.

picture: uint8 or float32 [batch, H, W, channels]
map_x, map_y: float32[batch, h, w]   in pixels of the picture; a pixel's centre lies at whole numbers
warped: [batch, h, w, channels]      of the picture's type, filled

The batch axis may be left out of all of them. Places further than FAR from the picture's corner count as
FAR from it, and what is not a number lies far to the left or above.

The bicubic filter is Keys' cubic convolution (1981) with a = -0.75, where the paper prefers -0.5: it is the
filter of OpenCV's `remap`, and of `lattice` in fixed point. The arithmetic is plain float32, and uint8 is
rounded to nearest, half to even. OpenCV 5 computes likewise, and results differ by one level at most, in the
summation's last bit. OpenCV 4 first rounds places to 1/32 pixel and weights to 1/32768, so its pictures are
those of a flow field moved by up to 1/64 pixel.
"""

from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from mien.kernels import device

Filter = Literal["bilinear", "bicubic"]

Border = Literal["zero", "replicate", "mirror"]
"""What lies beyond the picture: 0; its outermost pixels; or its mirror image about their centres."""

FAR: Final = 2**20
"""In pixels; pictures may not be larger."""

SHARPNESS: Final = -0.75
"""Keys' a: the slope of the filter one pixel from its centre."""

_BORDERS: Final[tuple[Border, ...]] = ("zero", "replicate", "mirror")
_TAPS: Final[dict[Filter, int]] = {"bilinear": 2, "bicubic": 4}


def warp(
    picture: NDArray[Any],
    map_x: NDArray[np.float32],
    map_y: NDArray[np.float32],
    warped: NDArray[Any],
    *,
    filter: Filter = "bicubic",  # noqa: A002  (the field's own word)
    border: Border = "replicate",
) -> None:
    """Fill warped with the picture read at (map_x, map_y).

    NumPy arrays go through the reference, which is slow: OpenCV's `remap` is the quick way there.
    """
    _check(picture, map_x, map_y, warped, filter, border)
    if not device.on_device(picture, map_x, map_y, warped):
        warp_reference(picture, map_x, map_y, warped, filter=filter, border=border)
        return
    height, width, channels = picture.shape[-3:]
    rows, columns = map_x.shape[-2:]
    batch = map_x.shape[0] if map_x.ndim == 3 else 1
    device.launch(
        "warp",
        f"warp_{filter}_{picture.dtype.name}",
        (columns, rows, batch),
        *(picture, height, width, channels, map_x, map_y, warped, rows, columns, _BORDERS.index(border)),
    )


def warp_reference(
    picture: NDArray[Any],
    map_x: NDArray[np.float32],
    map_y: NDArray[np.float32],
    warped: NDArray[Any],
    *,
    filter: Filter = "bicubic",  # noqa: A002
    border: Border = "replicate",
) -> None:
    """Say what warp means."""
    height, width = picture.shape[-3:-1]
    left, weights_x = _footprint(map_x, _TAPS[filter])
    top, weights_y = _footprint(map_y, _TAPS[filter])
    image = np.arange(map_x.shape[0])[:, None, None] if map_x.ndim == 3 else ...
    total = np.zeros(warped.shape, np.float32)
    for j, weight_y in enumerate(weights_y):
        y, y_within = _fold(top + j, height, border)
        row = np.zeros(warped.shape, np.float32)
        for i, weight_x in enumerate(weights_x):
            x, x_within = _fold(left + i, width, border)
            read = picture[image, y, x] if map_x.ndim == 3 else picture[y, x]
            value = np.where((x_within & y_within)[..., None], read, 0).astype(np.float32)
            row += weight_x[..., None] * value
        total += weight_y[..., None] * row
    if warped.dtype == np.uint8:
        total = np.clip(np.rint(total), 0, 255)
    warped[:] = total.astype(warped.dtype)


def _check(
    picture: NDArray[Any],
    map_x: NDArray[np.float32],
    map_y: NDArray[np.float32],
    warped: NDArray[Any],
    filter: Filter,  # noqa: A002
    border: Border,
) -> None:
    if filter not in _TAPS:
        raise ValueError(f"filter is {filter!r}, not one of {list(_TAPS)}")
    if border not in _BORDERS:
        raise ValueError(f"border is {border!r}, not one of {list(_BORDERS)}")
    if picture.dtype not in (np.uint8, np.float32) or picture.ndim not in (3, 4):
        raise ValueError(
            f"picture is {picture.dtype}{list(picture.shape)}, not uint8 or float32 [batch, H, W, channels]"
        )
    height, width, channels = picture.shape[-3:]
    if not (1 <= height <= FAR and 1 <= width <= FAR):
        raise ValueError(f"picture has {height} x {width} pixels; each side must have 1 to {FAR}")
    if map_x.ndim != picture.ndim - 1:
        raise ValueError(
            f"map_x has {map_x.ndim} axes, not {picture.ndim - 1}: a batch is one of all or none"
        )
    batch = picture.shape[:-3]
    rows, columns = map_x.shape[-2:]
    device.require("picture", picture, picture.dtype.type, *batch, height, width, channels)
    device.require("map_x", map_x, np.float32, *batch, rows, columns)
    device.require("map_y", map_y, np.float32, *batch, rows, columns)
    device.require("warped", warped, picture.dtype.type, *batch, rows, columns, channels)


def _footprint(places: NDArray[np.float32], taps: int) -> tuple[NDArray[np.int64], list[NDArray[np.float32]]]:
    """Return the first pixel that each place reads along one axis, and the weights of all of them."""
    places = np.fmin(np.fmax(places, np.float32(-FAR)), np.float32(FAR))
    first = np.floor(places)
    offset = places - first
    if taps == 2:
        return first.astype(np.int64), [1 - offset, offset]
    a = np.float32(SHARPNESS)
    before, after = offset + 1, 1 - offset
    weights = [
        ((a * before - 5 * a) * before + 8 * a) * before - 4 * a,
        ((a + 2) * offset - (a + 3)) * offset * offset + 1,
        ((a + 2) * after - (a + 3)) * after * after + 1,
    ]
    return first.astype(np.int64) - 1, [*weights, 1 - weights[0] - weights[1] - weights[2]]


def _fold(
    index: NDArray[np.int64], count: int, border: Border
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the pixel, 0 to count - 1, that stands for each index, and where there is one."""
    if border == "mirror" and count > 1:
        turn = 2 * (count - 1)
        index = (count - 1) - np.abs(index % turn - (count - 1))
    within = (index >= 0) & (index < count) if border == "zero" else np.ones(index.shape, bool)
    return np.clip(index, 0, count - 1), within
