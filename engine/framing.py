"""Picture sizes, and which part of a photo a picture of some shape shows: a head and as much bust as fits."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.engine.errors import ConfigError

Size = tuple[int, int]
"""Width and height of a picture, in pixels."""

Window = tuple[int, int, int, int]
"""Left, top, width and height of a part of a picture, in pixels."""

DEFAULT_SIZE: Final[Size] = (512, 512)

SHORTEST_SIDE: Final = 64
LONGEST_SIDE: Final = 1920
"""Sides of a picture lie within these, and are even: video halves its colours."""

LARGEST_ENLARGEMENT: Final = 4.0
"""A pixel of the photo covers at most so many pixels of the picture along each side: past it faces blur."""

FACE_SHARE: Final = 0.46
"""The face's height as a share of a square picture's side."""

_BELOW_CENTRE: Final = 0.12
"""How far below the face's centre a square picture's centre lies, in heights of the face."""

_MORE_BELOW: Final = 0.2
"""Of what a tall picture is higher than a square one, so much more is shown below the head than above it,
counted from the middle."""


def check_size(size: Size) -> None:
    """Raise ConfigError unless both sides are even and within SHORTEST_SIDE..LONGEST_SIDE."""
    if any(side % 2 or not SHORTEST_SIDE <= side <= LONGEST_SIDE for side in size):
        raise ConfigError(
            f"The picture size {size[0]}x{size[1]} has a side that is odd or outside "
            f"{SHORTEST_SIDE}..{LONGEST_SIDE}.",
            remedy="Choose an even width and height, such as 512x512, 720x1280 or 1920x1080.",
        )


def parse_size(text: str) -> Size:
    """Read "1080x1920" (width x height), or "512" for a square. Raises ConfigError."""
    sides = text.lower().replace("×", "x").split("x")
    if len(sides) > 2 or not all(side.isascii() and side.isdigit() and len(side) < 6 for side in sides):
        raise ConfigError(
            f"{text!r} is not a picture size.", remedy="Write width x height, such as 512x512 or 1080x1920."
        )
    size = (int(sides[0]), int(sides[-1]))
    check_size(size)
    return size


def frame_head(points: NDArray[np.float32], available: Size, size: Size) -> Window:
    """Choose which part of a photo a picture of `size` shows, in the picture's shape.

    points: float32[468 or more, 2 or more], the head's landmarks in pixels of the photo; available: the
    photo's width and height. A square or wide picture shows the head with the face over 0.46 of its height;
    a tall one shows more of the bust, with the head in its upper part. Where the photo has not so much, the
    part is the largest that fits: nothing is ever made up beyond a photo's edge.
    """
    low, high = points[:468, :2].min(axis=0), points[:468, :2].max(axis=0)
    tall = max(float(high[1] - low[1]), 1.1 * float(high[0] - low[0]))
    aspect = size[0] / size[1]
    usual = tall / FACE_SHARE
    height = usual / min(aspect, 1.0) ** 0.5
    height = min(round(height), available[1], int(available[0] / aspect))
    width = min(round(height * aspect), available[0])
    below = _BELOW_CENTRE * tall + _MORE_BELOW * max(height - usual, 0.0)
    centre = (low + high) / 2 + [0, below]
    left = int(np.clip(round(float(centre[0]) - width / 2), 0, available[0] - width))
    top = int(np.clip(round(float(centre[1]) - height / 2), 0, available[1] - height))
    return left, top, width, height


def shown_window(points: NDArray[np.float32], available: Size, size: Size) -> Window:
    """Choose what a picture of `size` shows of a portrait: all, or `frame_head`'s part in another shape."""
    # Two sizes have the same shape when they differ by no more than the rounding to even pixels.
    if abs(available[0] * size[1] - available[1] * size[0]) <= 2 * max(*available, *size):
        return 0, 0, *available
    return frame_head(points, available, size)
