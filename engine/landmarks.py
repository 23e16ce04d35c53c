"""Finds faces in a picture: 478 landmarks and the scores of ARKit's shapes for each.

The nets are those of MediaPipe's face landmarker (Google, Apache-2.0): a detector, a landmark net that sees
an upright 256x256 crop of the face (Attention Mesh, Grishchenko et al. 2020), and a net that reads the shapes
off 146 of the landmarks. The file that holds them is found by mien.web.model_store.
"""

from dataclasses import dataclass, replace
from math import atan2
from pathlib import Path
from threading import Lock
from typing import Final
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from mien.engine.errors import AssetError
from mien.engine.face_detector import SAME_FACE, FaceDetector, overlap
from mien.engine.motion import SHAPES
from mien.engine.region import Region
from mien.engine.tflite import TfliteNet

POINTS: Final = 478
"""Landmarks a face: 468 on the skin, then 5 for each iris."""

MINIMUM_PRESENCE: Final = 0.5
"""Below this probability the landmark net saw no face in its crop."""

_CROP_SIZE: Final = 256
_CROP_SCALE: Final = 1.5
"""Side of the crop against the face in it: the margin that the net was trained with."""

_SMALL: Final = 4
"""Where even the largest face fills less than this part of the picture, a closer look may show more."""

_BYSTANDER: Final = 4
"""Whoever is this many times smaller than the largest face did not sit for the photo."""

_PASSES: Final = 4
"""At most so many crops of one face. The second follows the landmarks of the first, and so does not inherit
the detector's coarse box; on most faces it is the last."""

_SETTLED: Final = 0.03
"""Landmarks that move less than this from one crop to the next, in interocular distances, have found their
place. Those of faces move by 0.002 to 0.02, while on what was mistaken for a face they wander or are lost."""

_OUTER_CORNERS: Final = (33, 263)
"""Outer corners of the person's right and left eye; the line through them gives the head's roll."""

# The landmarks that the shapes net was trained on, as its model card lists them.
# fmt: off
_SHAPE_POINTS: Final = np.array([
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67,
    70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148,
    149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185,
    191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295,
    296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324, 332, 334, 336, 338, 356, 361, 362,
    365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386, 387, 388, 389, 390, 397, 398, 400,
    402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
], np.intp)
# fmt: on

SCORED_SHAPES: Final[tuple[str, ...]] = ("_neutral", *sorted(set(SHAPES) - {"tongueOut"}))
"""What the shapes net scores: neutrality, then every ARKit shape but the tongue, in alphabetical order."""


@dataclass(frozen=True, slots=True)
class FaceLandmarks:
    """One face in a picture."""

    points: NDArray[np.float32]
    """float32[478, 3] in pixels: x right and y down from the picture's corner (the first pixel's centre lies
    at 0.5, 0.5), z in the same scale, positive away from the viewer, about zero at the head's centre."""

    shapes: dict[str, float]
    """Scores 0..1 of SCORED_SHAPES; "Left" is the person's own left."""

    box: tuple[int, int, int, int]
    """Left, top, right, bottom of the landmarks in whole pixels, clipped to the picture."""

    presence: float
    """Probability that this is a face, 0..1."""

    @property
    def interocular(self) -> float:
        """Distance between the centres of the irises, in pixels."""
        return float(np.linalg.norm(self.points[468, :2] - self.points[473, :2]))

    @property
    def roll(self) -> float:
        """How far the head is tipped, in radians, positive with its top towards the picture's right."""
        right, left = self.points[_OUTER_CORNERS, :2]
        return atan2(float(left[1] - right[1]), float(left[0] - right[0]))


class FaceLandmarker:
    """The three nets of one landmark model. Threads may share it: they take turns."""

    def __init__(self, model_path: Path) -> None:
        """Load the nets from a face_landmarker.task. Raises AssetError if it is missing or damaged."""
        members = _read_members(model_path)
        crop_shape = (1, _CROP_SIZE, _CROP_SIZE, 3)
        self._detector = FaceDetector(members["face_detector"])
        self._mesh = TfliteNet(
            members["face_landmarks_detector"], name="face_landmarks_detector", input_shape=crop_shape
        )
        self._shapes = TfliteNet(
            members["face_blendshapes"], name="face_blendshapes", input_shape=(1, len(_SHAPE_POINTS), 2)
        )
        self._turn = Lock()
        self._closed = False

    def detect(self, picture: NDArray[np.uint8]) -> list[FaceLandmarks]:
        """Find the faces in an upright picture, RGB uint8[H, W, 3], largest first; maybe none.

        Faces much smaller than the largest are bystanders and posters, and are left out.
        """
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0:
            raise ValueError(f"picture must be uint8[H, W, 3], not {picture.dtype}{list(picture.shape)}")
        with self._turn:
            if self._closed:
                raise RuntimeError("this FaceLandmarker is closed")
            faces: list[FaceLandmarks] = []
            for look in self._detector.search(picture):
                one_more_look = not faces
                found = [self._follow(picture, detection.region(_CROP_SCALE)) for detection in look]
                faces = _distinct(faces + [face for face in found if face is not None])
                if faces and not (one_more_look and _is_small(faces[0], picture)):
                    break
            return [face for face in faces if _BYSTANDER * _longer_side(face) >= _longer_side(faces[0])]

    def track(self, picture: NDArray[np.uint8], last: FaceLandmarks) -> FaceLandmarks | None:
        """Follow a face from one picture of a video to the next without the detector; None if it is lost."""
        with self._turn:
            if self._closed:
                raise RuntimeError("this FaceLandmarker is closed")
            return self._read(picture, _region_of(last.points))

    def wander(self, picture: NDArray[np.uint8], face: FaceLandmarks) -> NDArray[np.float32]:
        """Return how far each landmark moves when the face is looked at again, float32[478].

        The mean over six looks, turned, nearer, from further off and shifted, in heights of the face. What
        the net sees stays; what it guesses wanders. Costs seven runs of the landmark net.
        """
        region = _region_of(face.points)
        with self._turn:
            if self._closed:
                raise RuntimeError("this FaceLandmarker is closed")
            first = self._place(picture, region)
            apart = [np.linalg.norm(self._place(picture, look) - first, axis=1) for look in _looks(region)]
        height = max(float(np.ptp(first[:, 1])), 1.0)
        return np.asarray(np.mean(apart, axis=0) / height, np.float32)

    def close(self) -> None:
        """Give back the nets. Closing twice is harmless."""
        with self._turn:
            if not self._closed:
                self._closed = True
                del self._detector, self._mesh, self._shapes

    def _follow(self, picture: NDArray[np.uint8], region: Region) -> FaceLandmarks | None:
        """Read the landmarks in a region, and again about those, until they stay; None if they never do."""
        last = self._read(picture, region)
        for _ in range(_PASSES - 1):
            if last is None:
                return None
            face = self._read(picture, _region_of(last.points))
            if face is not None and _distance(face, last) < _SETTLED:
                return face
            last = face
        return None

    def _read(self, picture: NDArray[np.uint8], region: Region) -> FaceLandmarks | None:
        """Read the landmarks in one region; None when the net sees no face there."""
        pixels = region.crop(picture, _CROP_SIZE).astype(np.float32) / 255.0
        outputs = self._mesh.run(pixels[None])
        presence = 1.0 / (1.0 + float(np.exp(-np.clip(outputs["Identity_1"].item(), -80.0, 80.0))))
        if presence < MINIMUM_PRESENCE:
            return None
        points = region.to_picture(outputs["Identity"].reshape(POINTS, 3) / np.float32(_CROP_SIZE))
        return FaceLandmarks(points, self._score(points), _box(points, picture), presence)

    def _place(self, picture: NDArray[np.uint8], region: Region) -> NDArray[np.float32]:
        """Read where the landmarks lie, float32[478, 2], whether or not the net sees a face."""
        pixels = region.crop(picture, _CROP_SIZE).astype(np.float32) / 255.0
        read = self._mesh.run(pixels[None])["Identity"].reshape(POINTS, 3)[:, :2]
        return region.to_picture(read / np.float32(_CROP_SIZE))

    def _score(self, points: NDArray[np.float32]) -> dict[str, float]:
        """Read the shapes off the landmarks."""
        (scores,) = self._shapes.run(points[None, _SHAPE_POINTS, :2]).values()
        return {name: float(score) for name, score in zip(SCORED_SHAPES, scores.ravel(), strict=True)}


def _read_members(path: Path) -> dict[str, bytes]:
    """Return the nets in a task file by name, without their suffix."""
    remedy = (
        "Let mien fetch it with `mien doctor`, or set MIEN_LANDMARK_MODEL to a good face_landmarker.task."
    )
    names = ("face_detector", "face_landmarks_detector", "face_blendshapes")
    try:
        with ZipFile(path) as archive:
            return {name: archive.read(f"{name}.tflite") for name in names}
    except FileNotFoundError as error:
        raise AssetError(f"There is no landmark model at {path}.", remedy=remedy) from error
    except (BadZipFile, KeyError, OSError) as error:
        raise AssetError(f"{path} is not a face landmark model, or is damaged.", remedy=remedy) from error


def _region_of(points: NDArray[np.float32]) -> Region:
    """Return the square to read a face from whose landmarks are roughly known."""
    right, left = points[_OUTER_CORNERS, :2]
    angle = atan2(float(left[1] - right[1]), float(left[0] - right[0]))
    return Region.around(points[:, :2], angle=angle, scale=_CROP_SCALE)


def _looks(region: Region) -> list[Region]:
    """Return six regions that differ a little from this one, all within what the net was trained on."""
    shift = 0.06 * region.side
    return [
        replace(region, angle=region.angle - 0.2),
        replace(region, angle=region.angle + 0.2),
        replace(region, side=0.9 * region.side),
        replace(region, side=1.2 * region.side),
        replace(region, y=region.y - shift),
        replace(region, y=region.y + shift),
    ]


def _box(points: NDArray[np.float32], picture: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    height, width = picture.shape[:2]
    left, top = np.floor(points[:, :2].min(axis=0)).astype(int)
    right, bottom = np.ceil(points[:, :2].max(axis=0)).astype(int)
    return (
        int(np.clip(left, 0, width)),
        int(np.clip(top, 0, height)),
        int(np.clip(right, 0, width)),
        int(np.clip(bottom, 0, height)),
    )


def _distance(face: FaceLandmarks, other: FaceLandmarks) -> float:
    """Return the mean distance between the landmarks of two faces, in interocular distances of the first."""
    apart = np.linalg.norm(face.points[:, :2] - other.points[:, :2], axis=1)
    return float(apart.mean()) / max(face.interocular, 1e-6)


def _is_small(face: FaceLandmarks, picture: NDArray[np.uint8]) -> bool:
    """Tell whether a face is so small that others of its size may have been missed at the same look."""
    return bool(_SMALL * _longer_side(face) < max(picture.shape[:2]))


def _longer_side(face: FaceLandmarks) -> int:
    left, top, right, bottom = face.box
    return max(right - left, bottom - top)


def _distinct(faces: list[FaceLandmarks]) -> list[FaceLandmarks]:
    """Drop faces that lie over a more certain one, and put the largest first."""
    kept: list[FaceLandmarks] = []
    for face in sorted(faces, key=lambda each: each.presence, reverse=True):
        if all(overlap(face.box, other.box) <= SAME_FACE for other in kept):
            kept.append(face)
    return sorted(kept, key=_longer_side, reverse=True)
