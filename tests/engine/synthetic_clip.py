"""A talker who never was: the head model drawn frame by frame, turning and speaking, with exact landmarks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from synthetic_face import draw_photo

from mien.engine.clip_track import FaceTrack
from mien.engine.landmarks import FaceLandmarks
from mien.engine.motion import SHAPES

FRAMES = 24
SCALE, SIDE = 150.0, 400


@dataclass(frozen=True)
class SyntheticClip:
    pictures: list[NDArray[np.uint8]]
    faces: list[FaceLandmarks]
    yaw: NDArray[np.float64]
    jaw: NDArray[np.float64]
    lost: tuple[int, ...] = ()
    covered: tuple[int, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        return SIDE, SIDE

    def picture(self, frame: int) -> NDArray[np.uint8]:
        return self.pictures[frame].copy()

    def track(self) -> FaceTrack:
        points = np.stack([face.points for face in self.faces])
        shapes = np.array(
            [[face.shapes.get(name, 0.0) for name in SHAPES] for face in self.faces], np.float32
        )
        runs = np.zeros(len(points), np.int64)
        for frame in self.lost:
            runs[frame] = -1
            runs[frame + 1 :] += 1
        return FaceTrack(points, shapes, runs, np.isin(np.arange(len(runs)), self.covered))


def draw_clip(*, turn: float = 0.12, jaw: float = 0.4, lost: tuple[int, ...] = ()) -> SyntheticClip:
    """Draw a head that sways by `turn` radians and opens its jaw by up to `jaw`, at first and last shut."""
    time = np.arange(FRAMES) / FRAMES
    yaw = turn * np.sin(2 * np.pi * time)
    jaws = (
        jaw * np.clip(np.sin(3 * np.pi * (time - 0.125) / 0.75), 0, None) * ((time > 0.125) & (time < 0.875))
    )
    photos = [
        draw_photo(yaw=float(y), scale=SCALE, side=SIDE, **({"jawOpen": float(j)} if j > 0 else {}))
        for y, j in zip(yaw, jaws, strict=True)
    ]
    return SyntheticClip([p.picture for p in photos], [p.face for p in photos], yaw, jaws, lost)
