"""Draws an eye: the ball where the lids part, its iris moved by the gaze."""

from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.face_points import LEFT_EYE_BOTTOM, LEFT_EYE_TOP, RIGHT_EYE_BOTTOM, RIGHT_EYE_TOP
from mien.engine.head import load_head
from mien.engine.motion import GAZE_SLICE, INDEX
from mien.engine.opening import Opening
from mien.engine.placement import Box, Frame, Pixels, Placement, ease, mix, sample
from mien.engine.portrait import Portrait

_SQUARE: Final[Pixels] = np.ones((7, 7), np.uint8)


class EyeDrawing:
    """One eye of a portrait."""

    def __init__(self, portrait: Portrait, side: Literal["left", "right"]) -> None:
        left = side == "left"
        top, bottom = (LEFT_EYE_TOP, LEFT_EYE_BOTTOM) if left else (RIGHT_EYE_TOP, RIGHT_EYE_BOTTOM)
        numbers = portrait.left_eye if left else portrait.right_eye
        rings = load_head().rings[1 if left else 2]
        self.opening = Opening.within(portrait, rings[:6].ravel(), top + bottom[-2:0:-1], _SQUARE)
        self._picture = (portrait.left_eye_picture if left else portrait.right_eye_picture).copy()
        self._white = portrait.left_eye_white if left else portrait.right_eye_white
        self._corner = numbers[:2]
        self._iris = numbers[[2, 3, 5]]
        self._iris_radius = float(numbers[4])
        self._ball_radius = float(numbers[6])
        self._blink = INDEX["eyeBlinkLeft" if left else "eyeBlinkRight"]

    def complete(self, photo: Frame, placement: Placement) -> None:
        """Let the ball's picture equal the photo wherever the lids, placed at rest, show it."""
        box = self.opening.box(placement)
        left, top, right, bottom = box
        opened = self.opening.mask(placement, box)
        alpha = cv2.resize(opened, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
        rows, columns = np.nonzero(alpha)
        u = columns + left - int(self._corner[0])
        v = rows + top - int(self._corner[1])
        own = (u >= 0) & (v >= 0) & (u < self._picture.shape[1]) & (v < self._picture.shape[0])
        self._picture[v[own], u[own]] = photo[rows[own] + top, columns[own] + left]

    def draw(self, picture: Frame, placement: Placement, box: Box, motion: NDArray[np.float32]) -> None:
        """Draw the eyeball where the lids part, its iris moved by the gaze."""
        opened = self.opening.mask(placement, box)
        left, top, right, bottom = box
        alpha = cv2.resize(opened, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
        if not alpha.any():
            return
        rows, columns = np.mgrid[top:bottom, left:right].astype(np.float32)
        u, v = placement.unturned(columns, rows, float(self._iris[2]))
        u -= self._corner[0]
        v -= self._corner[1]
        yaw, pitch = (float(angle) for angle in motion[GAZE_SLICE])
        dx, dy = float(np.sin(yaw)) * self._ball_radius, -float(np.sin(pitch)) * self._ball_radius
        layer = sample(self._picture, u - np.float32(dx), v - np.float32(dy))
        if dx or dy:
            # The iris moves as a disc over a white that stays. What the photo shows round its iris (its
            # shadow and its soft rim) moves along at first, so that the smallest gaze changes little.
            away = np.hypot(
                u - (self._iris[0] - self._corner[0] + dx), v - (self._iris[1] - self._corner[1] + dy)
            )
            disc = np.clip((1.2 * self._iris_radius - away) / (0.2 * self._iris_radius), 0, 1)
            moved = ease(float(np.hypot(dx, dy)) / (0.3 * self._iris_radius))
            share = (1 - moved * (1 - disc))[..., None].astype(np.float32)
            layer = share * layer + (1 - share) * sample(self._white, u, v)
        # A closing lid shades the ball.
        layer *= np.float32(1 - 0.8 * float(motion[self._blink]) ** 2)
        mix(picture[top:bottom, left:right], layer, alpha)
