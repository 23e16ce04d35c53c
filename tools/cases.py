"""What a portrait is asked to do when it is shown or judged: named motions of one frame each."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.engine.motion import CHANNELS, INDEX, SHAPES

Motion = NDArray[np.float32]
Case = dict[str, float]
"""Weights by channel. A name without its side means both sides; angles are in degrees."""

_ANGLES: Final = ("headPitch", "headYaw", "headRoll", "gazeYaw", "gazePitch")

REST: Final[dict[str, Case]] = {"photo": {}}

EVERY_SHAPE: Final[dict[str, Case]] = {shape: {shape: 1.0} for shape in SHAPES}

VISEMES: Final[dict[str, Case]] = {
    "hint": {"jawOpen": 0.03},
    "jaw .15": {"jawOpen": 0.15},
    "jaw .3": {"jawOpen": 0.3},
    "jaw .5": {"jawOpen": 0.5},
    "jaw .8": {"jawOpen": 0.8},
    "jaw 1": {"jawOpen": 1.0},
    "aa": {"jawOpen": 0.35, "mouthLowerDown": 0.3, "mouthUpperUp": 0.2, "mouthStretch": 0.1},
    "ee": {
        "jawOpen": 0.12,
        "mouthSmile": 0.35,
        "mouthLowerDown": 0.35,
        "mouthUpperUp": 0.25,
        "mouthStretch": 0.3,
    },
    "oo": {"jawOpen": 0.1, "mouthPucker": 0.6, "mouthFunnel": 0.3},
    "oh": {"jawOpen": 0.25, "mouthFunnel": 0.6},
    "f v": {"jawOpen": 0.08, "mouthRollLower": 0.45, "mouthUpperUp": 0.25, "mouthShrugUpper": 0.1},
    "m b p": {"mouthPress": 0.4, "mouthRollLower": 0.25, "mouthRollUpper": 0.25},
    "closed jaw .3": {"jawOpen": 0.3, "mouthClose": 0.3},
    "s z": {"jawOpen": 0.05, "mouthStretch": 0.3, "mouthLowerDown": 0.25, "mouthUpperUp": 0.15},
    "sh": {"jawOpen": 0.1, "mouthFunnel": 0.5, "mouthPucker": 0.2, "mouthLowerDown": 0.2},
    "th": {"jawOpen": 0.15, "mouthLowerDown": 0.2, "tongueOut": 0.35},
    "l": {"jawOpen": 0.22, "mouthLowerDown": 0.15, "tongueOut": 0.15},
    "tongue": {"jawOpen": 0.3, "tongueOut": 1.0},
}

EXPRESSIONS: Final[dict[str, Case]] = {
    "smile": {"mouthSmile": 0.8, "cheekSquint": 0.3},
    "pucker": {"mouthPucker": 0.8},
    "happy": {"mouthSmile": 0.6, "cheekSquint": 0.4, "eyeSquint": 0.3, "jawOpen": 0.1},
    "sad": {"mouthFrown": 0.5, "browInnerUp": 0.6, "mouthShrugLower": 0.3},
    "angry": {"browDown": 0.7, "noseSneer": 0.3, "mouthPress": 0.3, "eyeSquint": 0.3},
    "surprised": {"browInnerUp": 0.7, "browOuterUp": 0.7, "eyeWide": 0.6, "jawOpen": 0.2},
    "disgusted": {"noseSneer": 0.6, "mouthUpperUp": 0.3, "browDown": 0.4, "mouthFrown": 0.3},
    "afraid": {"browInnerUp": 0.8, "eyeWide": 0.7, "mouthStretch": 0.4, "jawOpen": 0.1},
    "contempt": {"mouthSmileLeft": 0.5, "mouthDimpleLeft": 0.4, "eyeSquint": 0.2},
}

BLINKS: Final[dict[str, Case]] = {
    f"blink {phase:g}": {"eyeBlink": phase} for phase in (0.15, 0.3, 0.45, 0.6, 0.75, 0.85, 0.95, 1.0)
}

LIDS: Final[dict[str, Case]] = {
    "wink": {"eyeBlinkLeft": 1.0},
    "squint": {"eyeSquint": 0.8, "cheekSquint": 0.4},
    "wide": {"eyeWide": 0.8},
    "look down, shut": {"gazePitch": -14, "eyeLookDown": 0.6, "eyeBlink": 0.5},
}

GAZES: Final[dict[str, Case]] = {
    f"{yaw:+d} {pitch:+d}": {
        "gazeYaw": yaw,
        "gazePitch": pitch,
        "eyeLookOutLeft": max(yaw, 0) / 40,
        "eyeLookInRight": max(yaw, 0) / 40,
        "eyeLookInLeft": max(-yaw, 0) / 40,
        "eyeLookOutRight": max(-yaw, 0) / 40,
        "eyeLookUp": max(pitch, 0) / 25,
        "eyeLookDown": max(-pitch, 0) / 25,
    }
    for pitch in (14, 0, -14)
    for yaw in (-20, -10, 0, 10, 20)
}

POSES: Final[dict[str, Case]] = {
    "yaw -20": {"headYaw": -20},
    "yaw -10": {"headYaw": -10},
    "yaw 10": {"headYaw": 10},
    "yaw 20": {"headYaw": 20},
    "pitch -15": {"headPitch": -15},
    "pitch 15": {"headPitch": 15},
    "roll -15": {"headRoll": -15},
    "roll 15": {"headRoll": 15},
    "yaw 20 pitch 15": {"headYaw": 20, "headPitch": 15},
    "yaw -20 pitch -15": {"headYaw": -20, "headPitch": -15},
    "nearer": {"headZ": -0.15, "headX": 0.05},
    "talking, turned": {"jawOpen": 0.3, "mouthLowerDown": 0.2, "headYaw": 15, "headPitch": 6, "headRoll": 5},
}


def motion_of(case: Case) -> Motion:
    """Return one frame of motion, float32[CHANNELS]."""
    motion = np.zeros(CHANNELS, np.float32)
    for name, value in case.items():
        for channel in (name,) if name in INDEX else (f"{name}Left", f"{name}Right"):
            motion[INDEX[channel]] = np.deg2rad(value) if name in _ANGLES else value
    return motion
