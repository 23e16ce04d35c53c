"""The seam between motion and pictures: every backend that draws a face fits this protocol."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Renderer(Protocol):
    """Draws one portrait."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture, in pixels, both even."""

    def render(self, motion: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Draw one frame of motion, float32[CHANNELS], as RGB uint8[height, width, 3].

        Motion of all zeros gives the photo itself. Values outside a channel's range are clamped. The
        picture belongs to the caller: no later call overwrites it.
        """

    def close(self) -> None:
        """Give back the memory. Closing twice is harmless."""
