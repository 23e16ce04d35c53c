"""The channels of motion: ARKit's 52 blendshapes, then the head and the gaze.

One frame of motion is float32[CHANNELS]; a MotionWindow is float32[frames, CHANNELS]. Directions are
those of the picture, as a viewer sees it, not those of the person in it:

- shapes, 0..1: Apple's names in Apple's order. "Left" is the person's own left, as in ARKit.
- head rotation in radians, relative to the photo: pitch > 0 looks up, yaw > 0 turns the face towards the
  picture's right, roll > 0 tips the top of the head towards the picture's right.
- head translation in face widths, relative to the photo: x right, y down, z away from the viewer.
- gaze in radians, relative to the head: yaw > 0 towards the picture's right, pitch > 0 up.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

SHAPES: Final[tuple[str, ...]] = (
    "eyeBlinkLeft",
    "eyeLookDownLeft",
    "eyeLookInLeft",
    "eyeLookOutLeft",
    "eyeLookUpLeft",
    "eyeSquintLeft",
    "eyeWideLeft",
    "eyeBlinkRight",
    "eyeLookDownRight",
    "eyeLookInRight",
    "eyeLookOutRight",
    "eyeLookUpRight",
    "eyeSquintRight",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawRight",
    "jawOpen",
    "mouthClose",
    "mouthFunnel",
    "mouthPucker",
    "mouthLeft",
    "mouthRight",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
)
"""ARKit's 52 blendshapes, in the order of Apple's ARFaceAnchor.BlendShapeLocation."""

POSE: Final[tuple[str, ...]] = (
    "headPitch",
    "headYaw",
    "headRoll",
    "headX",
    "headY",
    "headZ",
    "gazeYaw",
    "gazePitch",
)

CHANNEL_NAMES: Final[tuple[str, ...]] = SHAPES + POSE
CHANNELS: Final = len(CHANNEL_NAMES)
INDEX: Final[dict[str, int]] = {name: index for index, name in enumerate(CHANNEL_NAMES)}

SHAPE_SLICE: Final = slice(0, 52)
ROTATION_SLICE: Final = slice(52, 55)
TRANSLATION_SLICE: Final = slice(55, 58)
GAZE_SLICE: Final = slice(58, 60)

MOUTH_SLICE: Final = slice(INDEX["jawForward"], INDEX["mouthUpperUpRight"] + 1)
"""The channels that the lip refiner owns: jaw and mouth, one run in Apple's order (tongueOut apart)."""

MotionWindow = NDArray[np.float32]
"""float32[frames, CHANNELS]."""


def neutral_motion(frames: int) -> MotionWindow:
    """Return motion that leaves the photo as it is, float32[frames, CHANNELS]."""
    return np.zeros((frames, CHANNELS), np.float32)
