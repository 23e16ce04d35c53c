"""The folds that a photo's smile draws from nose to mouth, softened as the smile is taken away."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.face_layer import KEPT_SMILE
from mien.engine.face_points import OUTER_LIPS
from mien.engine.head_fit import smoothstep
from mien.engine.motion import INDEX
from mien.engine.placement import Frame
from mien.engine.portrait import Portrait

_FOLDS: Final = {"mouthSmileRight": (129, 203, 206, 216, 212), "mouthSmileLeft": (358, 423, 426, 436, 432)}
"""Landmarks along the fold from the wing of the nose to beside the mouth, and the smile that deepens it."""

_REACH: Final = 0.09
"""How far from the fold its shading is softened, in face widths."""

_FINEST: Final = 0.008
_WIDEST: Final = 0.06
"""Shading between these sizes, in face widths, is the fold's. Finer is the skin's grain, wider the light."""

_SOFTENED: Final = 0.9
"""How much of that shading goes with a full smile."""

_FAINT: Final = 0.3
"""Smiles below this score draw no fold."""


class SmileFolds:
    """One portrait's folds. At rest they are the photo's."""

    def __init__(self, portrait: Portrait, photo: Frame) -> None:
        """Get ready. photo: uint8[H, W, 3], what skin is drawn from, is changed in place as a smile goes."""
        weight = _weight(portrait)
        left, top, width, height = cv2.boundingRect(np.asarray(weight > 1 / 255, np.uint8))
        area = (slice(top, top + height), slice(left, left + width))
        self._skin = photo[area]
        self._at_rest = self._skin.copy()
        self._change = _flattening(self._at_rest, weight[area], portrait.scale)
        self._lips = _within(portrait, area)

    def soften(self, gone: float) -> None:
        """Soften the folds as far as the smile has been taken away, 0..1.

        Where the lips have a picture of their own, their colours must have been laid anew just before.
        """
        if not self._change.size:
            return
        skin = self._at_rest.astype(np.float32)
        skin[self._lips] = self._skin[self._lips]
        self._skin[:] = np.clip(np.round(skin + np.float32(gone) * self._change), 0, 255)


def _within(portrait: Portrait, area: tuple[slice, slice]) -> tuple[slice, slice]:
    """Return where the lips' own picture lies in an area of the photo, as rows and columns of that area."""
    left, top = (int(edge) for edge in portrait.lips_corner)
    height, width = portrait.lips_picture.shape[:2]
    rows, columns = (
        slice(max(first - own.start, 0), max(first + length - own.start, 0))
        for own, first, length in zip(area, (top, left), (height, width), strict=True)
    )
    return rows, columns


def _weight(portrait: Portrait) -> NDArray[np.float32]:
    """Say how much of each pixel's fold is to go, float32[height, width], 0..1."""
    width, height = portrait.size
    points, scale = portrait.landmarks[:, :2], portrait.scale
    weight = np.zeros((height, width), np.float32)
    lips = np.zeros((height, width), np.uint8)
    cv2.fillPoly(lips, [np.round(points[list(OUTER_LIPS)]).astype(np.int32)], 1)
    off_lips = np.asarray(cv2.distanceTransform(1 - lips, cv2.DIST_L2, 5), np.float32) / scale
    for name, run in _FOLDS.items():
        smile = float(smoothstep(np.array((portrait.scores[INDEX[name]] - _FAINT) / 0.4)))
        line = np.ones((height, width), np.uint8)
        cv2.polylines(line, [np.round(points[list(run)]).astype(np.int32)], isClosed=False, color=0)
        away = np.asarray(cv2.distanceTransform(line, cv2.DIST_L2, 5), np.float32) / scale
        weight = np.maximum(weight, smile * smoothstep(1 - away / _REACH).astype(np.float32))
    own = portrait.matte.astype(np.float32) * np.float32(1 / 255)
    beside = smoothstep((off_lips - 0.01) / 0.04).astype(np.float32)
    return np.asarray((1 - KEPT_SMILE) * _SOFTENED * weight * beside * own, np.float32)


def _flattening(skin: NDArray[np.uint8], weight: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """Return what takes the shading of a fold's size off the skin, float32[height, width, 3]."""
    known = skin.astype(np.float32)
    if not known.size:
        return known
    fine, wide = (cv2.GaussianBlur(known, (0, 0), size * scale) for size in (_FINEST, _WIDEST))
    return np.asarray(weight[..., None] * (wide - fine), np.float32)
