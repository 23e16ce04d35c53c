"""How a face leaves its photo as it wakes: its expression gives way, and its head turns to the viewer."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.engine.head import load_head
from mien.engine.head_fit import FITTED, fit_pose
from mien.engine.motion import INDEX
from mien.engine.portrait import Portrait

WAKING_FRAMES: Final = 32
"""A face is awake after so many frames: 1.3 s."""

_LEFT_ALONE: Final = np.deg2rad(5.0)
_SHARE: Final = 0.6
"""Of what a photo's head is turned by beyond the first angle, so much is turned back. At 30 degrees that is
half of it. More of it bares a far cheek of which the photo shows too little."""


def awake_at(frame: int) -> float:
    """Say how far a face has left its photo at a frame of its life, 0..1.

    Without a jerk at either end: the minimum-jerk path of Flash and Hogan 1985.
    """
    share = min(max(frame / WAKING_FRAMES, 0.0), 1.0)
    return share**3 * (10.0 - 15.0 * share + 6.0 * share**2)


def turn_to_viewer(portrait: Portrait) -> float:
    """Return by how much a portrait's head turns as it wakes, in radians, positive to the picture's right."""
    yaw = _photo_yaw(portrait)
    return float(-_SHARE * np.sign(yaw) * max(abs(yaw) - _LEFT_ALONE, 0.0))


def turned(motion: NDArray[np.float32], angle: float, gain: float) -> NDArray[np.float32]:
    """Turn the head of motion, float32[CHANNELS], by an angle, while the eyes stay on what they look at.

    gain: how far the head is drawn turned for each radian asked for.
    """
    moved = motion.copy()
    moved[INDEX["headYaw"]] += np.float32(angle / gain)
    moved[INDEX["gazeYaw"]] -= np.float32(angle)
    return moved


def _photo_yaw(portrait: Portrait) -> float:
    """Measure how far the photo's head is turned towards the picture's right, in radians."""
    head = load_head()
    face = head.part("face")
    places = head.landmarks(portrait.vertices[: face.stop])[FITTED].astype(np.float64)
    model = head.landmarks(head.vertices)[FITTED].astype(np.float64)
    _, rotation, _ = fit_pose(model, places)
    return float(np.arctan2(-rotation[0, 2], rotation[2, 2]))
