"""The seam between motion and pictures: every backend that draws a face fits this protocol."""

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.engine.errors import BackendUnavailable, ConfigError
from mien.engine.footage import Footage
from mien.engine.framing import Size
from mien.engine.portrait import Portrait
from mien.engine.scenery import Scenery

Subject = Portrait | Footage
"""Who is drawn: a photo that moves, or a clip that gets new lips."""


class Renderer(Protocol):
    """Draws one portrait or clip."""

    @property
    def size(self) -> Size:
        """Width and height of the picture, in pixels, both even."""

    def render(self, motion: NDArray[np.float32], awake: float | None = None) -> NDArray[np.uint8]:
        """Draw one frame of motion, float32[CHANNELS], as RGB uint8[height, width, 3].

        awake: how far the photo's own expression and pose have given way, 0..1; a clip has none. Without it
        the expression does as far as the mouth is asked to move, and the pose stays.

        Motion of all zeros gives the photo itself; a clip takes the mouth alone from it, and shows its next
        frame at every call. Values outside a channel's range are clamped. The picture belongs to the
        caller: no later call overwrites it.
        """

    def close(self) -> None:
        """Give back the memory. Closing twice is harmless."""


def open_renderer(
    portrait: Subject,
    backend: Literal["rig"] = "rig",
    size: Size | None = None,
    *,
    scenery: Scenery | None = None,
) -> Renderer:
    """Choose a backend by name, drawing pictures of this width and height; by default the portrait's own.

    A clip is drawn by the rig's own means, from its frames in place of a photo. scenery: stands behind the
    person in place of the photo's own background. Nothing falls back in silence. Raises ConfigError for an
    impossible size, and for scenery behind someone who was not told from the background.
    """
    if isinstance(portrait, Footage):
        if scenery is not None:
            raise ConfigError(
                "The background of a video cannot be replaced.", remedy='Leave the background at "photo".'
            )
        from mien.engine.clip_renderer import ClipRenderer

        return ClipRenderer(portrait.clip, portrait.pictures, size=size)
    if backend == "rig":
        from mien.engine.rig_renderer import RigRenderer

        return RigRenderer(portrait, size=size, scenery=scenery)
    raise BackendUnavailable(
        f"There is no renderer {backend!r}.", remedy='Choose the renderer "rig", which runs everywhere.'
    )
