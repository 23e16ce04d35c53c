"""Tells whether mouth and eyes can be seen in a photo, or something lies before them.

The landmark net never says that it guesses: behind a hand or a mask it still draws a mouth, just as sure of
a face. But what it guesses does not stay when the same face is looked at again a little turned or shifted,
and what it sees does, with beards, in drawings and in the dark alike. Dark glasses hide eyes whose place can
well be told: they are known by their darkness.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.errors import PhotoError
from mien.engine.face_points import CHEEKS, EYES, INNER_LIPS_BOTTOM, INNER_LIPS_TOP, OUTER_LIPS
from mien.engine.landmarks import FaceLandmarks

LIPS_WANDER: Final = 0.010
LIPS_AGAINST_LIDS: Final = 1.5
"""Lips that wander further than this, in heights of the face, and so many times further than the lids do, are
guessed. Seen lips wander by 0.003 to 0.010, covered ones by 0.010 to 0.035. Everything wanders in a face that
is turned far."""

LIDS_WANDER: Final = 0.020
"""The same for the lids: seen, they wander by 0.003 to 0.015, under a hand by 0.023 to 0.056."""

EYE_CONTRAST: Final = 0.08
EYE_LIGHT: Final = 0.30
"""Between the lids, the span from dark to light is a share of the cheeks' lightness, and so is the light end.
In eyes in sight the span is 0.1 at least; behind dark glasses both are below these."""

NARROWEST_EYE: Final = 0.18
"""Eyes of which neither opens further than this share of its width are closed: laughing eyes open by 0.22."""

_LIPS: Final = [*OUTER_LIPS, *INNER_LIPS_TOP, *INNER_LIPS_BOTTOM]
_LIDS: Final = [index for _, top, bottom, _, _ in EYES for index in (*top, *bottom)]


class FaceCovered(PhotoError):
    """Something lies before the mouth or an eye."""


class EyesClosed(PhotoError):
    """The eyes are closed: what they look like cannot be known."""


def check_visible(picture: NDArray[np.uint8], face: FaceLandmarks, wander: NDArray[np.float32]) -> None:
    """Raise FaceCovered or EyesClosed unless mouth and eyes can be seen.

    picture: RGB uint8[H, W, 3]; wander: float32[478] of FaceLandmarker.wander.
    """
    lips, lids = lips_and_lids(wander)
    if lips > LIPS_WANDER and lips > LIPS_AGAINST_LIDS * lids:
        raise FaceCovered(
            "The mouth cannot be seen well: something seems to lie before it.",
            remedy="Use a photo without a hand, mask, cup or microphone before the mouth.",
        )
    if max(_openings(face.points)) < NARROWEST_EYE:
        raise EyesClosed("The eyes are closed.", remedy="Use a photo with open eyes.")
    if lids > LIDS_WANDER or any(
        _is_dark(picture, face.points, top + bottom) for _, top, bottom, _, _ in EYES
    ):
        raise FaceCovered(
            "An eye cannot be seen: something seems to lie before it.",
            remedy="Use a photo without dark glasses, and without hand or hair before the eyes.",
        )


def lips_and_lids(wander: NDArray[np.float32]) -> tuple[float, float]:
    """Return how far lips and lids wander, in heights of the face: means of FaceLandmarker.wander."""
    return float(wander[_LIPS].mean()), float(wander[_LIDS].mean())


def _openings(points: NDArray[np.float32]) -> list[float]:
    """Return how far each eye is open, as a share of its width."""
    return [
        float(np.linalg.norm(points[list(top[2:-2]), :2] - points[list(bottom[2:-2]), :2], axis=1).max())
        / max(float(np.linalg.norm(points[top[0], :2] - points[top[-1], :2])), 1e-6)
        for _, top, bottom, _, _ in EYES
    ]


def _is_dark(picture: NDArray[np.uint8], points: NDArray[np.float32], lids: tuple[int, ...]) -> bool:
    """Tell whether all that lies between an eye's lids is dark, against the cheeks."""
    outline = cv2.convexHull(points[list(lids), :2])[:, 0]
    left, top = np.floor(outline.min(axis=0)).astype(int).clip(0)
    right, bottom = np.ceil(outline.max(axis=0)).astype(int) + 1
    light = picture[top:bottom, left:right].max(axis=2, initial=0)
    inside = np.zeros(light.shape, np.uint8)
    cv2.fillPoly(inside, [np.round((outline - [left, top] - 0.5) * 8).astype(np.int32)], 255, cv2.LINE_8, 3)
    seen = light[inside > 0]
    if len(seen) < 6:  # reaches beyond the photo's edge, which is found elsewhere
        return False
    height, width = picture.shape[:2]
    columns, rows = np.floor(points[list(CHEEKS), :2]).astype(int).clip(0, [width - 1, height - 1]).T
    cheeks = float(picture[rows, columns].max())
    low, high = np.percentile(seen, [10, 90])
    return bool(high - low < EYE_CONTRAST * (cheeks + 10) and high < EYE_LIGHT * (cheeks + 10))
