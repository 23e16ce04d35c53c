"""Find the face's landmarks and MediaPipe's scores in every frame of the GRID clips.

Writes one npz: `indices` int32[points], the landmarks kept of MediaPipe's 478, and for each clip, under its
name, float32[frames, points, 3]: x right, y down, z away from the camera, in pixels of the video. Beside it,
NAME_scores.npz holds each clip's float32[frames, 52], in the order of SCORES. NaN where no face was found.
About 16 ms a frame on one core. The labels of a run that was cut off are kept.

Each frame is looked at by itself. MediaPipe's tracking mode passes landmarks through a causal filter: on
these clips it came 16 ms late (the lag of the best correlation) and took a third off the acceleration.
"""

import argparse
from pathlib import Path

import cv2
import mediapipe
import numpy as np
from grid_mouth import SCORES, scores_path
from mediapipe.tasks.python import BaseOptions, vision
from numpy.typing import NDArray

OUTER_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409)
INNER_LIPS = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415)
EYE_CORNERS = (33, 133, 362, 263)
FACE = (1, 4, 2, 10, 152, 168, 199, 234, 454)
KEPT = OUTER_LIPS + INNER_LIPS + EYE_CORNERS + FACE
SAVE_EVERY = 40

Labels = NDArray[np.float32]


def label_clip(video: Path, landmarker: vision.FaceLandmarker) -> tuple[Labels, Labels]:
    """Return the face in each frame: float32[frames, points, 3] in pixels and float32[frames, 52] scores."""
    capture = cv2.VideoCapture(str(video))
    frames: list[Labels] = []
    scores: list[Labels] = []
    while True:
        more, picture = capture.read()
        if not more:
            break
        image = mediapipe.Image(
            image_format=mediapipe.ImageFormat.SRGB,
            data=np.ascontiguousarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)),
        )
        found = landmarker.detect(image)
        height, width = picture.shape[:2]
        points = np.full((len(KEPT), 3), np.nan, np.float32)
        score = np.full(len(SCORES), np.nan, np.float32)
        if found.face_landmarks:
            face = found.face_landmarks[0]
            points[:] = [(face[k].x * width, face[k].y * height, face[k].z * width) for k in KEPT]
            by_name = {shape.category_name: shape.score for shape in found.face_blendshapes[0]}
            score[:] = [by_name[name] for name in SCORES]
        frames.append(points)
        scores.append(score)
    capture.release()
    return np.stack(frames), np.stack(scores)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the shared data folder")
    parser.add_argument("--out", type=Path, required=True, help="npz to write, or to complete")
    parser.add_argument("--every", type=int, default=1, help="take one clip in so many (default: all)")
    arguments = parser.parse_args()

    cv2.setNumThreads(1)
    model = arguments.data / "models/face_landmarker/public/face_landmarker.task"
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(model)), output_face_blendshapes=True
    )
    points, scores = read_labels(arguments.out), read_labels(scores_path(arguments.out))

    videos = sorted((arguments.data / "grid/video").glob("*.mp4"))[:: arguments.every]
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        for count, video in enumerate(videos, start=1):
            if video.stem in points and video.stem in scores:
                continue
            points[video.stem], scores[video.stem] = label_clip(video, landmarker)
            if count % SAVE_EVERY == 0 or count == len(videos):
                np.savez(arguments.out, indices=np.array(KEPT, np.int32), **points)
                np.savez(scores_path(arguments.out), **scores)
                print(f"{count} of {len(videos)} clips", flush=True)


def read_labels(path: Path) -> dict[str, Labels]:
    """Return what an earlier run has labelled, by clip."""
    if not path.exists():
        return {}
    with np.load(path) as earlier:
        return {name: earlier[name] for name in earlier.files if name != "indices"}


if __name__ == "__main__":
    main()
