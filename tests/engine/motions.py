"""Frames of motion by the names of their channels."""

import numpy as np
from numpy.typing import NDArray

from mien.engine.motion import INDEX, neutral_motion


def motion_of(**values: float) -> NDArray[np.float32]:
    """Return one frame, float32[CHANNELS], at rest but for these channels; a pair may leave out its sides."""
    motion = neutral_motion(1)[0]
    for name, value in values.items():
        for channel in (name,) if name in INDEX else (f"{name}Left", f"{name}Right"):
            motion[INDEX[channel]] = value
    return motion
