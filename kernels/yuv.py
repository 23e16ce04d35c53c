"""Turn RGB pictures into what video encoders take: YUV 4:2:0 by ITU-R BT.601, limited range (Y 16..235).

picture: uint8[batch, H, W, 3]          RGB, H and W even
frame: uint8[batch, H + H / 2, W]       filled

The batch axis may be left out of both. Both layouts begin with Y, a byte a pixel. I420 goes on with all of
U and then all of V, NV12 with U and V in turns. One U and one V stand for four pixels and are those of the
upper left one. So it is in OpenCV's `COLOR_RGB2YUV_I420`, whose frames these are, bit for bit.
"""

from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from mien.kernels import device

Layout = Literal["i420", "nv12"]

SHIFT: Final = 20
"""Coefficients are fractions of 2**20."""

LUMA: Final = (269484, 528482, 102760)
BLUE_DIFFERENCE: Final = (-155188, -305135, 460324)
RED_DIFFERENCE: Final = (460324, -385875, -74448)
"""What red, green and blue give to Y, U and V: BT.601's matrix to three decimals (.257, .504, .098, ...)."""

_LAYOUTS: Final[tuple[Layout, ...]] = ("i420", "nv12")


def rgb_to_yuv(picture: NDArray[np.uint8], frame: NDArray[np.uint8], *, layout: Layout = "i420") -> None:
    """Fill frame with the picture. NumPy arrays go through the reference: OpenCV is the quick way there."""
    _check(picture, frame, layout)
    if not device.on_device(picture, frame):
        rgb_to_yuv_reference(picture, frame, layout=layout)
        return
    height, width = picture.shape[-3:-1]
    batch = picture.shape[0] if picture.ndim == 4 else 1
    device.launch(
        "yuv", f"rgb_to_{layout}", (width // 2, height // 2, batch), *(picture, frame, height, width)
    )


def rgb_to_yuv_reference(
    picture: NDArray[np.uint8], frame: NDArray[np.uint8], *, layout: Layout = "i420"
) -> None:
    """Say what rgb_to_yuv means."""
    height = picture.shape[-3]
    upper_left = picture[..., ::2, ::2, :]
    u, v = _weigh(upper_left, BLUE_DIFFERENCE, 128), _weigh(upper_left, RED_DIFFERENCE, 128)
    chroma = frame[..., height:, :]
    frame[..., :height, :] = _weigh(picture, LUMA, 16)
    if layout == "i420":
        chroma[:] = np.stack([u, v], axis=-3).reshape(chroma.shape)
    else:
        chroma[:] = np.stack([u, v], axis=-1).reshape(chroma.shape)


def _check(picture: NDArray[Any], frame: NDArray[Any], layout: Layout) -> None:
    if layout not in _LAYOUTS:
        raise ValueError(f"layout is {layout!r}, not one of {list(_LAYOUTS)}")
    if picture.ndim not in (3, 4):
        raise ValueError(f"picture has {picture.ndim} axes, not 3 or 4")
    height, width = picture.shape[-3:-1]
    if height % 2 or width % 2:
        raise ValueError(
            f"picture has {height} x {width} pixels: four share one colour, so both must be even"
        )
    batch = picture.shape[:-3]
    device.require("picture", picture, np.uint8, *batch, height, width, 3)
    device.require("frame", frame, np.uint8, *batch, height + height // 2, width)


def _weigh(picture: NDArray[np.uint8], weights: tuple[int, int, int], base: int) -> NDArray[np.uint8]:
    red, green, blue = (picture[..., channel].astype(np.int32) for channel in range(3))
    total = weights[0] * red + weights[1] * green + weights[2] * blue
    rounded = (total + (1 << (SHIFT - 1)) + (base << SHIFT)) >> SHIFT
    return rounded.astype(np.uint8)
