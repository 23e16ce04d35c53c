"""Tells a person from what is behind them: a soft matte, and the background as if nobody stood before it.

A net sees where the person is, roughly; the photo's own colours draw the outline of the hair.
"""

from pathlib import Path
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.errors import AssetError
from mien.engine.face_points import FACE_OVAL
from mien.engine.tflite import TfliteNet

Planes = NDArray[np.float32]

_SIDE: Final = 256
"""Side of the picture that the net sees."""
_SURE: Final = 0.9
"""The net is sure of what it gives a probability above this, or below 1 minus this."""
_DOUBT: Final = 0.012
"""The outline that the net sees may be off by this share of the picture's height: three of its own pixels."""
_NEIGHBOURHOOD: Final = 0.022
"""Colours of person and background are averaged over this share of the picture's height."""
_COARSE: Final = 4
"""Those averages are taken at this part of the picture's resolution."""
_CONTRAST: Final = 26.0
"""Colours closer together than this, in grey levels, hardly tell a person from what is behind them."""
_EDGE_RADIUS: Final = 0.006
"""Window of the filter that makes the matte follow edges, as a share of the picture's height."""
_EDGE_VARIANCE: Final = 4e-4
"""Variance (of luminance 0..1) below which that filter sees no edge."""
_SLACK: Final = 0.04
"""Alphas closer than this to 0 or 1 are 0 or 1: a still background must not be touched by a trace."""
_FACE_SEEN: Final = 0.8
"""A matte that misses more than the rest of the face is none."""


class Segmenter(Protocol):
    """Tells where people are. PersonSegmenter is one."""

    def segment(self, picture: NDArray[np.uint8]) -> Planes:
        """Return the probability that each pixel of RGB uint8[H, W, 3] shows a person, float32[H, W]."""


class PersonSegmenter:
    """MediaPipe's selfie segmentation (Google, Apache-2.0). Not for use by two threads at once."""

    def __init__(self, model: Path) -> None:
        """Load the net from its tflite file. Raises AssetError if it is missing or damaged."""
        try:
            content = model.read_bytes()
        except OSError as error:
            raise AssetError(
                f"The person finder {model} cannot be read: {error.strerror or error}.",
                remedy="Fetch it again with: mien fetch",
            ) from error
        self._net = TfliteNet(content, name="selfie_segmentation", input_shape=(1, _SIDE, _SIDE, 3))

    def segment(self, picture: NDArray[np.uint8]) -> Planes:
        """Return the probability that each pixel of RGB uint8[H, W, 3] shows a person, float32[H, W]."""
        small = cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
        (answer,) = self._net.run(small[None] * np.float32(1 / 255)).values()
        height, width = picture.shape[:2]
        wide = cv2.resize(answer.reshape(_SIDE, _SIDE), (width, height), interpolation=cv2.INTER_CUBIC)
        return np.asarray(np.clip(wide, 0, 1), np.float32)


def refine_matte(
    picture: NDArray[np.uint8], probability: Planes, points: NDArray[np.float32]
) -> NDArray[np.uint8] | None:
    """Return the person's alpha, uint8[H, W], or None where the net has not seen this person.

    picture: RGB uint8[H, W, 3]. probability: float32[H, W], where a person is. points: float32[478, 3], the
    landmarks of their face. Others in the picture belong to the background.
    """
    face = np.zeros(probability.shape, np.uint8)
    cv2.fillPoly(face, [np.round(points[FACE_OVAL, :2]).astype(np.int32)], 1)
    inside = face > 0
    if not inside.any() or float(probability[inside].mean()) < _FACE_SEEN:
        return None
    person = _connected(probability, inside)
    alpha = _by_colour(picture, person)
    alpha = _along_edges(picture, alpha)
    alpha = np.clip((alpha - _SLACK) / (1 - 2 * _SLACK), 0, 1)
    alpha[inside] = 1
    return np.asarray(np.round(255 * alpha), np.uint8)


def _connected(probability: Planes, face: NDArray[np.bool_]) -> Planes:
    """Keep the person whose face it is, and nobody and nothing apart from them."""
    _, labels = cv2.connectedComponents((probability > 1 - _SURE).astype(np.uint8) | face)
    own = labels == labels[face][0]
    return np.asarray(np.where(own, probability, 0), np.float32)


def _by_colour(picture: NDArray[np.uint8], person: Planes) -> Planes:
    """Decide the pixels about the outline by whether their colour is the person's nearby, or the ground's.

    Alpha is where a colour lies on the line from one to the other: the linear mixing model of matting
    (Porter and Duff 1984), believed as far as the two colours differ.
    """
    height, width = person.shape
    reach = max(round(_DOUBT * height), 1)
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    likely = (person > 0.5).astype(np.uint8)
    front_sure = np.asarray(cv2.erode(likely, brush), np.uint8)
    back_sure = np.asarray(cv2.erode(1 - likely, brush), np.uint8)
    small = (max(width // _COARSE, 1), max(height // _COARSE, 1))
    colour = cv2.resize(picture, small, interpolation=cv2.INTER_AREA).astype(np.float32)
    spread = _NEIGHBOURHOOD * height / _COARSE
    means, variances = [], []
    for sure in (front_sure, back_sure):
        weight = cv2.resize(sure.astype(np.float32), small, interpolation=cv2.INTER_AREA)
        mean, variance = _local_colour(colour, np.asarray(weight, np.float32), spread)
        means.append(cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR))
        variances.append(cv2.resize(variance, (width, height), interpolation=cv2.INTER_LINEAR))
    doubtful = (front_sure | back_sure) == 0
    front, back = (mean[doubtful] for mean in means)
    line = front - back
    length = (line * line).sum(axis=1)
    placed = np.clip(((picture[doubtful] - back) * line).sum(axis=1) / np.maximum(length, 1), 0, 1)
    trust = length / (length + sum(variance[doubtful] for variance in variances) + _CONTRAST**2)
    alpha = person.copy()
    alpha[doubtful] += trust * (placed - person[doubtful])
    return alpha


def _local_colour(colour: Planes, weight: Planes, spread: float) -> tuple[Planes, Planes]:
    """Return the mean colour of weighted pixels about each pixel, [H, W, 3], and their variance, [H, W]."""
    square = (colour * colour).sum(axis=2)
    marked = np.dstack([colour, square, np.ones_like(square)]) * weight[..., None]
    # Where nothing is near, what is further off must do.
    summed = cv2.GaussianBlur(marked, (0, 0), spread) + 1e-3 * cv2.GaussianBlur(marked, (0, 0), 4 * spread)
    averages = summed[..., :4] / np.maximum(summed[..., 4:], 1e-9)
    mean = np.asarray(averages[..., :3], np.float32)
    variance = np.maximum(averages[..., 3] - (mean * mean).sum(axis=2), 0)
    return mean, np.asarray(variance, np.float32)


def _along_edges(picture: NDArray[np.uint8], alpha: Planes) -> Planes:
    """Let the matte follow the picture's edges: the guided filter (He, Sun and Tang 2010, equations 5, 6)."""
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32)
    guide = grey * np.float32(1 / 255)
    reach = max(round(_EDGE_RADIUS * len(picture)), 1)
    window = (2 * reach + 1, 2 * reach + 1)

    def mean(values: Planes) -> Planes:
        return np.asarray(cv2.blur(values, window), np.float32)

    guide_mean, alpha_mean = mean(guide), mean(alpha)
    variance = mean(guide * guide) - guide_mean * guide_mean
    covariance = mean(guide * alpha) - guide_mean * alpha_mean
    slope: Planes = (covariance / (variance + _EDGE_VARIANCE)).astype(np.float32)
    offset: Planes = (alpha_mean - slope * guide_mean).astype(np.float32)
    return np.asarray(np.clip(mean(slope) * guide + mean(offset), 0, 1), np.float32)
