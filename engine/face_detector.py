"""Finds faces of any size in a picture with a small single-shot detector.

Method: BlazeFace, Bazarevsky et al. 2019. The net sees 128x128 pixels and finds faces that fill at least
about a sixth of what it sees, so small faces are looked for in overlapping tiles.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import atan2, pi
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.region import Region
from mien.engine.tflite import TfliteNet

INPUT_SIZE: Final = 128
"""Pixels a side of the square that the net sees."""

MINIMUM_SCORE: Final = 0.5
"""Detections below this probability are noise."""

SAME_FACE: Final = 0.3
"""Boxes whose intersection over union exceeds this belong to one face."""

_GRIDS: Final = ((16, 2), (8, 6))
"""Cells a side and anchors a cell: stride 8 once, then three layers of stride 16, two anchors each."""

_TILINGS: Final = (2, 4, 7)
"""Tiles along the longer side, tried in turn. A seventh of 3000 pixels is 430, where a
face of 80 pixels fills a fifth."""

_TURNS: Final = (pi / 4, -pi / 4, pi)
"""Further angles at which the whole picture is looked at, for tilted heads and photos upside down."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One face. Positions in pixels of the picture, corner-based as in Region."""

    box: tuple[float, float, float, float]
    """Left, top, right, bottom; from the brows to the chin."""

    score: float
    """Probability that it is a face, 0..1."""

    right_eye: tuple[float, float]
    """The person's own right eye, which lies on the picture's left in an upright, frontal face."""

    left_eye: tuple[float, float]

    @property
    def side(self) -> float:
        """The longer side of the box, in pixels."""
        left, top, right, bottom = self.box
        return max(right - left, bottom - top)

    def region(self, scale: float) -> Region:
        """Return the square about the face, turned so that the eyes lie level, `scale` times the box."""
        left, top, right, bottom = self.box
        angle = atan2(self.left_eye[1] - self.right_eye[1], self.left_eye[0] - self.right_eye[0])
        return Region((left + right) / 2, (top + bottom) / 2, self.side * scale, angle)


class FaceDetector:
    """The detector net and its anchors. Not for use by two threads at once."""

    def __init__(self, model: bytes) -> None:
        """Load the net from the bytes of its TensorFlow Lite file. Raises AssetError when it cannot."""
        self._net = TfliteNet(model, name="face_detector", input_shape=(1, INPUT_SIZE, INPUT_SIZE, 3))
        self._anchors = anchor_centres()

    def search(self, picture: NDArray[np.uint8]) -> Iterator[list[Detection]]:
        """Look for faces in RGB uint8[H, W, 3] again and again, each time more closely.

        First in the whole picture, then in halves and the whole tilted, then in ever smaller tiles. Yields
        what each look finds, largest first, maybe nothing; a caller that has enough may stop there, and no
        more is computed.
        """
        for regions in _looks(picture.shape[0], picture.shape[1]):
            # One reduction for all regions of a look: their overlaps would pay for it again and again.
            shrink = max(1, int(min(region.side for region in regions) / INPUT_SIZE))
            reduced = _shrunk(picture, shrink)
            found = [found for region in regions for found in self._look(reduced, shrink, region)]
            yield sorted(merge(found), key=lambda detection: detection.side, reverse=True)

    def _look(self, reduced: NDArray[np.uint8], shrink: int, region: Region) -> list[Detection]:
        """Find the faces in one region of a picture that was shrunk before."""
        seen = Region(region.x / shrink, region.y / shrink, region.side / shrink, region.angle)
        pixels = seen.crop(reduced, INPUT_SIZE).astype(np.float32) / 127.5 - 1.0
        outputs = self._net.run(pixels[None])
        # The clip keeps exp() finite; beyond 80 the probability is 0 or 1 to float32's last digit.
        logits = np.clip(outputs["classificators"][0, :, 0], -80.0, 80.0)
        scores = 1.0 / (1.0 + np.exp(-logits))
        return [
            self._decode(outputs["regressors"][0, index], self._anchors[index], float(scores[index]), region)
            for index in np.flatnonzero(scores >= MINIMUM_SCORE)
        ]

    def _decode(
        self, values: NDArray[np.float32], anchor: NDArray[np.float32], score: float, region: Region
    ) -> Detection:
        """Turn the net's 16 numbers for one anchor, in input pixels off its centre, into a detection."""
        places = anchor + values.reshape(8, 2) / np.float32(INPUT_SIZE)
        centre, right_eye, left_eye = region.to_picture(places[[0, 2, 3]])
        half = values[2:4] / INPUT_SIZE * region.side / 2
        return Detection(
            box=(
                float(centre[0] - half[0]),
                float(centre[1] - half[1]),
                float(centre[0] + half[0]),
                float(centre[1] + half[1]),
            ),
            score=score,
            right_eye=(float(right_eye[0]), float(right_eye[1])),
            left_eye=(float(left_eye[0]), float(left_eye[1])),
        )


def anchor_centres() -> NDArray[np.float32]:
    """Return where the net's 896 guesses are centred, float32[896, 2] in 0..1 of the input, x then y."""
    layers = []
    for cells, per_cell in _GRIDS:
        middles = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        x, y = np.meshgrid(middles, middles)
        layers.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), per_cell, axis=0))
    return np.concatenate(layers)


def overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """Return intersection over union of two boxes given as left, top, right, bottom."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    areas = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1])
    return both / (areas - both)


def merge(detections: list[Detection]) -> list[Detection]:
    """Join the detections of the same face, each weighted by its score: BlazeFace, section 4."""
    waiting = sorted(detections, key=lambda detection: detection.score, reverse=True)
    merged = []
    while waiting:
        best = waiting[0]
        same = [other for other in waiting if _same_face(best, other)]
        waiting = [other for other in waiting if not any(other is member for member in same)]
        merged.append(_blend(same))
    return merged


def _same_face(one: Detection, other: Detection) -> bool:
    """Tell whether two boxes cover each other and their eyes lie the same way round."""
    across = np.subtract(one.left_eye, one.right_eye)
    aligned = float(across @ np.subtract(other.left_eye, other.right_eye)) > 0
    return one is other or (aligned and overlap(one.box, other.box) > SAME_FACE)


def _blend(same: list[Detection]) -> Detection:
    """Average detections by score; the best score stands for all."""
    weights = np.array([detection.score for detection in same])
    rows = np.array([(*detection.box, *detection.right_eye, *detection.left_eye) for detection in same])
    left, top, right, bottom, *eyes = (float(value) for value in np.average(rows, axis=0, weights=weights))
    return Detection((left, top, right, bottom), float(weights.max()), (eyes[0], eyes[1]), (eyes[2], eyes[3]))


def _looks(height: int, width: int) -> Iterator[list[Region]]:
    """Yield the groups of regions to look at, in the order in which they are worth looking at."""
    longer = max(height, width)
    yield [Region(width / 2, height / 2, longer)]
    turned = [Region(width / 2, height / 2, longer, angle) for angle in _TURNS]
    for tiles in _TILINGS:
        side = longer / tiles
        if side < INPUT_SIZE / 2:  # enlarging more than twofold shows the net nothing new
            tiled = []
        else:
            rows, columns = _tile_centres(height, side), _tile_centres(width, side)
            tiled = [Region(x, y, side) for y in rows for x in columns]
        if tiled or turned:
            yield tiled + turned
        turned = []


def _shrunk(picture: NDArray[np.uint8], shrink: int) -> NDArray[np.uint8]:
    """Average blocks of shrink x shrink pixels; a last, incomplete row or column of them is left out."""
    if shrink == 1:
        return picture
    height, width = picture.shape[0] // shrink, picture.shape[1] // shrink
    if not height or not width:  # a strip narrower than one block
        return picture[:0, :0]
    whole = picture[: height * shrink, : width * shrink]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _tile_centres(length: float, side: float) -> NDArray[np.float64]:
    """Return centres of tiles that cover `length` and overlap by about half; one if a tile is longer."""
    count = max(1, round(2 * length / side) - 1)
    if count == 1:
        return np.array([length / 2])
    return np.linspace(side / 2, length - side / 2, count)
