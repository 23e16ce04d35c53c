"""A clip with its frames, cropped to the face and kept small: the idle body of a live session."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.clip import Clip, prepare_clip
from mien.engine.clip_track import FaceTrack
from mien.engine.framing import DEFAULT_SIZE, FACE_SHARE, Size, Window, check_size, frame_head
from mien.engine.head_fit import FITTED

Picture = NDArray[np.uint8]

_ROOM: Final = 0.5
"""Where the video has room, all that the face ever covers fills no more than this share of the height."""
_QUALITY: Final = 95


@dataclass(frozen=True, slots=True, eq=False)
class StoredPictures:
    """Pictures in memory as JPEGs, about 70 KB each."""

    jpegs: tuple[NDArray[np.uint8], ...]
    size: Size
    """Width and height."""

    def picture(self, frame: int) -> Picture:
        """Return one picture as RGB uint8[height, width, 3]."""
        return np.asarray(cv2.imdecode(self.jpegs[frame], cv2.IMREAD_COLOR_RGB), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """A prepared clip and its frames."""

    clip: Clip
    pictures: StoredPictures

    @property
    def name(self) -> str:
        """What it is called."""
        return self.clip.name

    @property
    def size(self) -> Size:
        """Width and height of its pictures, in pixels."""
        return self.pictures.size

    @property
    def landmarks(self) -> NDArray[np.float32]:
        """Where the head is at the beginning, float32[478, 3] in pixels."""
        return self.clip.landmarks

    @property
    def picture(self) -> Picture:
        """The first frame, RGB uint8[height, width, 3]."""
        return self.pictures.picture(0)


def prepare_footage(
    track: FaceTrack, pictures: Callable[[], Iterable[Picture]], *, name: str, size: Size = DEFAULT_SIZE
) -> Footage:
    """Crop a tracked clip to its face, scale it to `size`, and prepare it.

    pictures: gives all the pictures that were followed, from the first. The crop stands still, so the video's
    own background does. Raises PhotoError as prepare_clip does, and ConfigError for an impossible size.
    """
    check_size(size)
    cropped: FaceTrack | None = None
    stored: list[NDArray[np.uint8]] = []
    for picture in pictures():
        if cropped is None:
            left, top, width, height = _frame_all(track, (picture.shape[1], picture.shape[0]), size)
            cropped = _moved(track, left, top, size[1] / height)
        cut = picture[top : top + height, left : left + width]
        method = cv2.INTER_AREA if height > size[1] else cv2.INTER_CUBIC
        scaled = cv2.resize(cut, size, interpolation=method)
        # OpenCV writes blue first.
        encoded = cv2.imencode(".jpg", scaled[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
        stored.append(np.asarray(encoded, np.uint8))
    if cropped is None or len(stored) != len(track):
        raise ValueError(f"{len(track)} frames were followed, and {len(stored)} came")
    kept = StoredPictures(tuple(stored), size)
    return Footage(prepare_clip(cropped, kept.picture, name=name), kept)


def _frame_all(track: FaceTrack, available: Size, size: Size) -> Window:
    """Choose the part of the pictures that shows the face in every frame, as a photo's would be chosen."""
    points = track.points[track.runs >= 0][:, FITTED, :2]
    low, high = points.min(axis=1), points.max(axis=1)
    usual = np.median(high - low, axis=0)
    ever = high.max(axis=0) - low.min(axis=0)
    extent = usual * max(1.0, float(ever[1] / usual[1]) * FACE_SHARE / _ROOM)
    middle = (low.min(axis=0) + high.max(axis=0)) / 2
    return frame_head(np.stack([middle - extent / 2, middle + extent / 2]), available, size)


def _moved(track: FaceTrack, left: int, top: int, scale: float) -> FaceTrack:
    points = (track.points - np.array([left, top, 0], np.float32)) * np.float32(scale)
    return replace(track, points=points)
