"""Find the face's landmarks in every frame of the GRID clips.

Writes one npz: `indices` int32[points], the landmarks kept of MediaPipe's 478, and for each clip, under its
name, float32[frames, points, 3]: x right, y down, z away from the camera, in pixels of the video; NaN where
no face was found. About 10 ms a frame on one core. The landmarks of a run that was cut off are kept.
"""

import argparse
from pathlib import Path

import cv2
import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from numpy.typing import NDArray

from mien.engine.timebase import MILLISECONDS_PER_FRAME

OUTER_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409)
INNER_LIPS = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415)
EYE_CORNERS = (33, 133, 362, 263)
FACE = (1, 4, 2, 10, 152, 168, 199, 234, 454)
KEPT = OUTER_LIPS + INNER_LIPS + EYE_CORNERS + FACE
SAVE_EVERY = 40


def label_clip(video: Path, model: Path) -> NDArray[np.float32]:
    """Track one clip's face, float32[frames, points, 3] in pixels, NaN where it was lost."""
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(model)),
        running_mode=vision.RunningMode.VIDEO,
        num_faces=1,
    )
    capture = cv2.VideoCapture(str(video))
    frames: list[NDArray[np.float32]] = []
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        while True:
            more, picture = capture.read()
            if not more:
                break
            image = mediapipe.Image(
                image_format=mediapipe.ImageFormat.SRGB,
                data=np.ascontiguousarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)),
            )
            found = landmarker.detect_for_video(image, len(frames) * MILLISECONDS_PER_FRAME).face_landmarks
            height, width = picture.shape[:2]
            points = np.full((len(KEPT), 3), np.nan, np.float32)
            if found:
                points[:] = [
                    (found[0][k].x * width, found[0][k].y * height, found[0][k].z * width) for k in KEPT
                ]
            frames.append(points)
    capture.release()
    return np.stack(frames)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the shared data folder")
    parser.add_argument("--out", type=Path, required=True, help="npz to write, or to complete")
    parser.add_argument("--every", type=int, default=1, help="take one clip in so many (default: all)")
    arguments = parser.parse_args()

    cv2.setNumThreads(1)
    model = arguments.data / "models/face_landmarker/public/face_landmarker.task"
    labelled: dict[str, NDArray[np.float32]] = {}
    if arguments.out.exists():
        with np.load(arguments.out) as earlier:
            labelled = {name: earlier[name] for name in earlier.files if name != "indices"}

    videos = sorted((arguments.data / "grid/video").glob("*.mp4"))[:: arguments.every]
    for count, video in enumerate(videos, start=1):
        if video.stem in labelled:
            continue
        labelled[video.stem] = label_clip(video, model)
        if count % SAVE_EVERY == 0 or count == len(videos):
            np.savez(arguments.out, indices=np.array(KEPT, np.int32), **labelled)
            print(f"{count} of {len(videos)} clips", flush=True)


if __name__ == "__main__":
    main()
