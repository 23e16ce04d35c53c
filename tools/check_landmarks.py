"""Compare mien's face landmarks with those of mediapipe's own pipeline, and try them on hard pictures.

    python tools/check_landmarks.py --model face_landmarker.task

Needs mediapipe (the `train` extra). Differences are mean distances between landmarks in per cent of the
distance between the irises. Mediapipe is asked twice: for a still picture, where it reads the landmarks once
in the detector's coarse box, and as a video of the same picture shown three times, where it follows its own
landmarks as mien does. How far it lies from itself shows what difference means nothing.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, radians, sin
from pathlib import Path

import cv2
import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from numpy.typing import NDArray

from mien.engine.landmarks import FaceLandmarker, FaceLandmarks
from mien.engine.photo import open_photo
from mien.web.model_store import FACE_FINDER, model_path

Picture = NDArray[np.uint8]
Reading = tuple[NDArray[np.float64], dict[str, float]]

REPOSITORY = Path(__file__).resolve().parents[1]
CLIP_STEP = 40
"""Every so many clips of GRID give one frame."""


@dataclass
class Peer:
    """Mediapipe's face landmarker."""

    model: Path

    def read(self, picture: Picture, *, as_video: bool) -> Reading | None:
        """Return its landmarks in pixels, float64[478, 2], and its scores; None where it sees no face."""
        mode = vision.RunningMode.VIDEO if as_video else vision.RunningMode.IMAGE
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(self.model)),
            output_face_blendshapes=True,
            running_mode=mode,
        )
        image = mediapipe.Image(mediapipe.ImageFormat.SRGB, np.ascontiguousarray(picture))
        with vision.FaceLandmarker.create_from_options(options) as landmarker:
            if as_video:
                result = [landmarker.detect_for_video(image, 40 * index) for index in range(3)][-1]
            else:
                result = landmarker.detect(image)
        if not result.face_landmarks:
            return None
        size = np.array([picture.shape[1], picture.shape[0]])
        points = np.array([[point.x, point.y] for point in result.face_landmarks[0]]) * size
        return points, {shape.category_name: shape.score for shape in result.face_blendshapes[0]}


def pictures(data: Path) -> Iterator[tuple[str, Picture]]:
    for path in sorted((REPOSITORY / "tools/portraits").iterdir()):
        yield path.stem, open_photo(path)
    for path in sorted((data / "portraits").glob("*.jpg")):
        yield f"painting {path.stem}", open_photo(path)
    for path in sorted((data / "grid/video").glob("*.mp4"))[::CLIP_STEP]:
        video = cv2.VideoCapture(str(path))
        video.set(cv2.CAP_PROP_POS_FRAMES, 30)
        read, frame = video.read()
        if read:
            yield f"grid {path.stem}", np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)


def apart(face: FaceLandmarks, points: NDArray[np.float64]) -> float:
    """Return the mean distance of landmarks in per cent of the interocular distance."""
    return 100 * float(np.linalg.norm(face.points[:, :2] - points, axis=1).mean()) / face.interocular


def compare(landmarker: FaceLandmarker, peer: Peer, data: Path) -> list[tuple[str, Picture, FaceLandmarks]]:
    """Print the table, and return the pictures with the face that mien found in each."""
    print(f"{'':20} {'still':>7} {'video':>7} {'itself':>7} {'shapes':>7} {'worst shape':>24} {'ms':>5}")
    rows, found = [], []
    for name, picture in pictures(data):
        started = time.thread_time()
        faces = landmarker.detect(picture)
        milliseconds = 1000 * (time.thread_time() - started)
        still, video = peer.read(picture, as_video=False), peer.read(picture, as_video=True)
        if not faces or still is None or video is None:
            seen = [bool(faces), still is not None, video is not None]
            print(f"{name:20} found by mien, mediapipe still, mediapipe video: {seen}")
            continue
        face = faces[0]
        found.append((name, picture, face))
        itself = 100 * float(np.linalg.norm(still[0] - video[0], axis=1).mean()) / face.interocular
        gaps = {shape: abs(score - video[1][shape]) for shape, score in face.shapes.items()}
        worst = max(gaps, key=lambda shape: gaps[shape])
        row = [apart(face, still[0]), apart(face, video[0]), itself, float(np.mean(list(gaps.values())))]
        rows.append([*row, milliseconds])
        print(
            f"{name:20} {row[0]:6.2f}% {row[1]:6.2f}% {row[2]:6.2f}% {row[3]:7.4f} "
            f"{worst:>18} {gaps[worst]:.3f} {milliseconds:5.0f}"
        )
    mean = np.mean(rows, axis=0)
    print(f"{'mean of ' + str(len(rows)):20} {mean[0]:6.2f}% {mean[1]:6.2f}% {mean[2]:6.2f}% {mean[3]:7.4f}")
    return found


def turned(picture: Picture, degrees: float) -> tuple[Picture, NDArray[np.float64], NDArray[np.float64]]:
    """Turn a picture, and return it with the matrix and the shift that carry its points along."""
    height, width = picture.shape[:2]
    side = int(np.hypot(width, height))
    angle = radians(degrees)
    turn = np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])
    shift = np.full(2, side / 2) - turn @ [width / 2, height / 2]
    matrix = np.column_stack([turn, shift + turn @ [0.5, 0.5] - 0.5])
    moved = cv2.warpAffine(picture, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8), turn, shift


def lost_in(
    picture: Picture, face: FaceLandmarks, *, width: int, canvas: int
) -> tuple[Picture, NDArray[np.float64]]:
    """Put a face of some width into a large, blotchy picture; return it and where the face lies."""
    scale = width / (face.box[2] - face.box[0])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    blotches = np.random.default_rng(0).integers(60, 180, (canvas // 40, canvas // 40, 3)).astype(np.uint8)
    large = cv2.resize(blotches, (canvas, canvas), interpolation=cv2.INTER_CUBIC)
    left, top = canvas // 3, canvas // 4
    part = small[: canvas - top, : canvas - left]
    large[top : top + part.shape[0], left : left + part.shape[1]] = part
    return np.asarray(large, np.uint8), face.points[:, :2] * scale + np.array([left, top])


def stress(landmarker: FaceLandmarker, found: list[tuple[str, Picture, FaceLandmarks]]) -> None:
    """Print how many faces are found again, and how far off, when turned, mirrored, enlarged or lost."""
    print(f"\n{'':20} {'found':>9} {'mean':>7} {'worst':>7}")

    def report(name: str, trials: list[tuple[Picture, NDArray[np.float64]]]) -> None:
        errors = []
        for picture, expected in trials:
            faces = landmarker.detect(picture)
            if faces:
                errors.append(min(apart(face, expected) for face in faces))
        good = [error for error in errors if error < 10]  # else it is another face, or none
        print(f"{name:20} {len(good):4}/{len(trials):4} {np.mean(good):6.2f}% {max(good):6.2f}%")

    for degrees in (-90, -60, -45, -30, -15, 15, 30, 45, 60, 90, 180):
        trials = []
        for _, picture, face in found:
            moved, turn, shift = turned(picture, degrees)
            trials.append((moved, face.points[:, :2] @ turn.T + shift))
        report(f"turned by {degrees}", trials)
    for width, canvas in ((60, 1000), (80, 3000), (100, 2000)):
        lost = [lost_in(picture, face, width=width, canvas=canvas) for _, picture, face in found]
        report(f"{width} px in {canvas}", lost)
    enlarged = []
    for _, picture, face in found:
        scale = 3000 / max(picture.shape[:2])
        large = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        enlarged.append((np.asarray(large, np.uint8), face.points[:, :2] * np.float64(scale)))
    report("enlarged to 3000", enlarged)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared/data")
    parser.add_argument("--model", type=Path, help="the landmark model; by default mien finds or fetches it")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    model = arguments.model or model_path(FACE_FINDER)
    landmarker = FaceLandmarker(model)
    stress(landmarker, compare(landmarker, Peer(model), arguments.data))


if __name__ == "__main__":
    main()
