"""Draw a contact sheet of a portrait: shapes, visemes, blinks, gaze and poses, labelled.

python tools/sheet_portrait.py PORTRAIT.npz --out sheet.png [--zoom face|mouth|eyes] [--only jaw,blink]
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.face_points import OUTER_LIPS
from mien.engine.motion import CHANNELS, INDEX
from mien.engine.portrait import Portrait
from mien.engine.rig_renderer import RigRenderer

BOTH = ("Left", "Right")
DEGREE = np.pi / 180

CASES: dict[str, dict[str, float]] = {
    "photo": {},
    "hint": {"jawOpen": 0.03},
    "jaw .15": {"jawOpen": 0.15},
    "jaw .3": {"jawOpen": 0.3},
    "jaw .5": {"jawOpen": 0.5},
    "jaw .8": {"jawOpen": 0.8},
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
    "th": {"jawOpen": 0.15, "mouthLowerDown": 0.2, "tongueOut": 0.35},
    "tongue": {"jawOpen": 0.3, "tongueOut": 1.0},
    "smile": {"mouthSmile": 0.8, "cheekSquint": 0.3},
    "frown": {"mouthFrown": 0.8, "browDown": 0.5},
    "pucker": {"mouthPucker": 0.8},
    "left jaw": {"jawLeft": 0.6, "jawOpen": 0.15},
    "mouth left": {"mouthLeft": 0.7},
    "blink .3": {"eyeBlink": 0.3},
    "blink .6": {"eyeBlink": 0.6},
    "blink .85": {"eyeBlink": 0.85},
    "blink 1": {"eyeBlink": 1.0},
    "squint": {"eyeSquint": 0.8, "cheekSquint": 0.4},
    "wide": {"eyeWide": 0.8},
    "brow inner": {"browInnerUp": 0.8},
    "brow up": {"browInnerUp": 0.7, "browOuterUp": 0.8},
    "brow down": {"browDown": 0.8},
    "sneer": {"noseSneer": 0.7},
    "happy": {"mouthSmile": 0.6, "cheekSquint": 0.4, "eyeSquint": 0.3, "jawOpen": 0.1},
    "sad": {"mouthFrown": 0.5, "browInnerUp": 0.6, "mouthShrugLower": 0.3},
    "angry": {"browDown": 0.7, "noseSneer": 0.3, "mouthPress": 0.3, "eyeSquint": 0.3},
    "surprised": {"browInnerUp": 0.7, "browOuterUp": 0.7, "eyeWide": 0.6, "jawOpen": 0.2},
    "disgusted": {"noseSneer": 0.6, "mouthUpperUp": 0.3, "browDown": 0.4, "mouthFrown": 0.3},
    "afraid": {"browInnerUp": 0.8, "eyeWide": 0.7, "mouthStretch": 0.4, "jawOpen": 0.1},
    "contempt": {"mouthSmileLeft": 0.5, "mouthDimpleLeft": 0.4, "eyeSquint": 0.2},
    "gaze left": {"gazeYaw": -15 * DEGREE, "eyeLookOutRight": 0.4, "eyeLookInLeft": 0.4},
    "gaze right": {"gazeYaw": 15 * DEGREE, "eyeLookOutLeft": 0.4, "eyeLookInRight": 0.4},
    "gaze up": {"gazePitch": 12 * DEGREE, "eyeLookUp": 0.5},
    "gaze down": {"gazePitch": -12 * DEGREE, "eyeLookDown": 0.5},
    "yaw -15": {"headYaw": -15 * DEGREE},
    "yaw -7": {"headYaw": -7 * DEGREE},
    "yaw 7": {"headYaw": 7 * DEGREE},
    "yaw 15": {"headYaw": 15 * DEGREE},
    "pitch -10": {"headPitch": -10 * DEGREE},
    "pitch 10": {"headPitch": 10 * DEGREE},
    "roll 12": {"headRoll": 12 * DEGREE},
    "talk": {"jawOpen": 0.25, "mouthLowerDown": 0.2, "headYaw": 5 * DEGREE, "headPitch": 3 * DEGREE},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("portrait", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--zoom", choices=("picture", "face", "mouth", "eyes"), default="face")
    parser.add_argument("--only", help="comma-separated beginnings of case names")
    parser.add_argument("--columns", type=int, default=7)
    parser.add_argument("--width", type=int, default=270, help="of a panel, in pixels")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    portrait = Portrait.load(options.portrait)
    renderer = RigRenderer(portrait)
    window = crop_window(portrait, options.zoom)
    panels = []
    starts = tuple(options.only.split(",")) if options.only else ("",)
    for label, values in CASES.items():
        if label.startswith(starts):
            panels.append(panel(renderer.render(motion_of(values)), window, options.width, label))
    sheet = tile(panels, options.columns)
    cv2.imwrite(str(options.out), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    print(f"{portrait.name}: {frame_milliseconds(renderer):.1f} ms of CPU a frame, {options.out}")


def motion_of(values: dict[str, float]) -> NDArray[np.float32]:
    """Names without a side set both sides."""
    motion = np.zeros(CHANNELS, np.float32)
    for name, value in values.items():
        for channel in (name,) if name in INDEX else tuple(name + side for side in BOTH):
            motion[INDEX[channel]] = value
    return motion


def crop_window(portrait: Portrait, zoom: str) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what to show."""
    points, size = portrait.landmarks[:468, :2], portrait.size
    if zoom == "picture":
        return 0, 0, size, size
    if zoom == "mouth":
        points = points[list(OUTER_LIPS)]
    if zoom == "eyes":
        points = points[[33, 263, 70, 300, 145, 374]]
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.35 * np.ptp(points, axis=0).max() if zoom == "mouth" else 25
    low, high = (low - margin).clip(0), (high + margin).clip(None, size - 1)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def panel(
    picture: NDArray[np.uint8], window: tuple[int, int, int, int], width: int, label: str
) -> NDArray[np.uint8]:
    left, top, right, bottom = window
    cut = picture[top:bottom, left:right]
    height = round(width * cut.shape[0] / cut.shape[1])
    scaled = cv2.resize(cut, (width, height), interpolation=cv2.INTER_CUBIC)
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 120), 1)):
        cv2.putText(scaled, label, (5, 16), 0, 0.5, colour, thickness, cv2.LINE_AA)
    return np.asarray(scaled, np.uint8)


def tile(panels: list[NDArray[np.uint8]], columns: int) -> NDArray[np.uint8]:
    blank = np.zeros_like(panels[0])
    padded = panels + [blank] * (-len(panels) % columns)
    return np.vstack([np.hstack(padded[i : i + columns]) for i in range(0, len(padded), columns)])


def frame_milliseconds(renderer: RigRenderer, frames: int = 60) -> float:
    """CPU time of this thread a frame, over a made-up second of speech and small head movement."""
    phase = np.linspace(0, 6, frames)
    spent = 0.0
    for turn in phase:
        values = {"jawOpen": 0.2 + 0.2 * np.sin(3 * turn), "headYaw": 0.06 * np.sin(turn), "mouthFunnel": 0.2}
        motion = motion_of({**values, "headPitch": 0.03, "gazeYaw": 0.05, "mouthLowerDown": 0.2})
        started = time.thread_time()
        renderer.render(motion)
        spent += time.thread_time() - started
    return 1000 * spent / frames


if __name__ == "__main__":
    main()
