"""Draws a portrait on the CPU: the fitted head moves, the photo follows; mouth and eyes are layers."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.eye_drawing import EyeDrawing
from mien.engine.framing import Size, check_size, shown_window
from mien.engine.head import mouth_gap_weights
from mien.engine.motion import (
    CHANNELS,
    GAZE_SLICE,
    MOUTH_SLICE,
    ROTATION_SLICE,
    SHAPE_SLICE,
    TRANSLATION_SLICE,
)
from mien.engine.mouth_drawing import MouthDrawing
from mien.engine.placement import Frame, Placement, bounds, ease
from mien.engine.portrait import NEUTRALISER, Portrait
from mien.kernels.blend import blend, turn
from mien.kernels.edges import soften_jumps, spread_map
from mien.kernels.raster import raster_texture

ROTATION_LIMITS: Final = np.deg2rad(np.array([11.0, 16.0, 14.0], np.float32))
"""Pitch, yaw and roll go no further than this either way, in radians: past it one photo does not suffice."""

TRANSLATION_LIMITS: Final = np.array([0.12, 0.12, 0.25], np.float32)
"""In face widths: the picture's border stays where it is, so the head must stay within it."""

GAZE_LIMITS: Final = np.deg2rad(np.array([22.0, 16.0], np.float32))

ROTATION_GAIN: Final = np.array([1.35, 1.35, 1.0], np.float32)
"""Pitch, yaw, roll. A face fitted to the frames drawn turns by 0.65 of pitch, 0.68 of yaw and all of roll:
the rim that is tied to the background takes the rest. This gives most of it back."""

CAMERA_DISTANCE: Final = 4.0
"""Of the viewer, in face widths: how much nearer a head looks when it comes towards the viewer."""

NEUTRAL_AT: Final = 0.25
"""Sum of mouth weights from which on the photo's own smile or parted lips have given way to speech.

The neutraliser's weight is smoothstep(sum / NEUTRAL_AT): 0 with zero slope at rest, so that a photo with
parted lips is shown as it is while nothing moves, and the faintest noise does not shut it."""

_JUMP: Final = 3.2


class RigRenderer:
    """Draws one portrait. Not for two threads at once."""

    def __init__(self, portrait: Portrait, *, size: Size | None = None) -> None:
        """Get ready to draw pictures of this width and height; by default the portrait's own.

        A picture of another shape than the portrait's shows what `shown_window` chooses of it.
        """
        self._size = portrait.size if size is None else size
        check_size(self._size)
        self._portrait = portrait
        width, height = portrait.size
        self._window = shown_window(portrait.landmarks, portrait.size, self._size)
        self._placement = Placement.at_rest(portrait)
        self._weights = np.zeros(NEUTRALISER + 1, np.float32)
        rows, columns = np.mgrid[:height, :width].astype(np.float32)
        self._rest_x, self._rest_y = np.ascontiguousarray(columns), np.ascontiguousarray(rows)
        self._map_x, self._map_y = np.empty_like(columns), np.empty_like(rows)
        self._gap_weights = mouth_gap_weights()
        self._drawn = np.unique(portrait.face_triangles)
        self._mouth = MouthDrawing(portrait)
        self._eyes = (EyeDrawing(portrait, "left"), EyeDrawing(portrait, "right"))
        self._draw(np.zeros(CHANNELS, np.float32))
        for eye in self._eyes:
            eye.complete(portrait.picture, self._placement)

    @property
    def size(self) -> Size:
        """Width and height of the picture, in pixels."""
        return self._size

    def close(self) -> None:
        """Nothing is held outside of memory."""

    def render(self, motion: NDArray[np.float32]) -> Frame:
        """Draw one frame of motion, float32[CHANNELS], as RGB uint8[height, width, 3]."""
        if motion.shape != (CHANNELS,):
            raise ValueError(f"motion must be float32[{CHANNELS}], not {list(motion.shape)}")
        picture = self._draw(_clamp(motion))
        if self._size != self._portrait.size:
            left, top, width, height = self._window
            shown = picture[top : top + height, left : left + width]
            method = cv2.INTER_AREA if self._size[0] < width else cv2.INTER_CUBIC
            picture = np.asarray(cv2.resize(shown, self._size, interpolation=method), np.uint8)
        return picture

    def _draw(self, motion: NDArray[np.float32]) -> Frame:
        portrait, placement = self._portrait, self._placement
        parted = self._move(motion)
        np.copyto(self._map_x, self._rest_x)
        np.copyto(self._map_y, self._rest_y)
        placement.depth.fill(np.inf)
        self._draw_map(portrait.grid_triangles)
        placement.depth.fill(np.inf)
        self._draw_map(portrait.face_triangles)
        openings = (self._mouth.opening, *(eye.opening for eye in self._eyes))
        boxes = [opening.box(placement) for opening in openings]
        for box in boxes:
            spread_map(self._map_x, self._map_y, placement.depth, box)
        photo = self._mouth.without_lip_line(parted)
        method, border = cv2.INTER_CUBIC, cv2.BORDER_REPLICATE
        picture: Frame = np.asarray(cv2.remap(photo, self._map_x, self._map_y, method, borderMode=border))
        around = bounds(placement.positions[self._drawn, :2], placement.depth.shape, 2)
        soften_jumps(picture, picture.copy(), self._map_x, self._map_y, around, _JUMP)
        self._mouth.shade_lip_line(picture, placement)
        self._mouth.draw(picture, placement, boxes[0], motion)
        for eye, box in zip(self._eyes, boxes[1:], strict=True):
            eye.draw(picture, placement, box, motion)
        return picture

    def _move(self, motion: NDArray[np.float32]) -> float:
        """Place all vertices; return how far the lips are parted from the photo's own line, 0..1."""
        portrait, placement = self._portrait, self._placement
        shapes = motion[SHAPE_SLICE]
        neutral = ease(float(motion[MOUTH_SLICE].sum()) / NEUTRAL_AT) if portrait.lips_parted else 0.0
        self._weights[:NEUTRALISER] = shapes
        self._weights[NEUTRALISER] = placement.neutral = neutral
        blend(
            portrait.vertices,
            portrait.delta_starts,
            portrait.delta_rows,
            portrait.delta_values,
            self._weights,
            placement.positions,
        )
        placement.rotation, placement.shift = _pose(motion, portrait.scale)
        if motion[ROTATION_SLICE].any() or motion[TRANSLATION_SLICE].any():
            turn(placement.positions, portrait.share, placement.rotation, portrait.pivot, placement.shift)
        gap = float(self._gap_weights @ shapes) * portrait.scale
        return max(neutral, ease(gap / (0.04 * portrait.scale)))

    def _draw_map(self, triangles: NDArray[np.int32]) -> None:
        placement, texture = self._placement, self._portrait.texture
        raster_texture(placement.positions, triangles, texture, self._map_x, self._map_y, placement.depth)


def _clamp(motion: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return motion within its ranges; what is not a number counts as zero."""
    kept = np.nan_to_num(motion.astype(np.float32), nan=0.0, posinf=1.0, neginf=-1.0)
    kept[SHAPE_SLICE] = np.clip(kept[SHAPE_SLICE], 0, 1)
    kept[ROTATION_SLICE] = np.clip(kept[ROTATION_SLICE], -ROTATION_LIMITS, ROTATION_LIMITS)
    kept[TRANSLATION_SLICE] = np.clip(kept[TRANSLATION_SLICE], -TRANSLATION_LIMITS, TRANSLATION_LIMITS)
    kept[GAZE_SLICE] = np.clip(kept[GAZE_SLICE], -GAZE_LIMITS, GAZE_LIMITS)
    return kept


def _pose(motion: NDArray[np.float32], scale: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the head's turn, float32[3, 3], with the scale its distance gives, and its shift in pixels."""
    pitch, yaw, roll = (float(angle) for angle in motion[ROTATION_SLICE] * ROTATION_GAIN)
    x, y, z = (float(value) for value in motion[TRANSLATION_SLICE])
    cosine, sine = np.cos([pitch, yaw, roll]), np.sin([pitch, yaw, roll])
    nod = np.array([[1, 0, 0], [0, cosine[0], sine[0]], [0, -sine[0], cosine[0]]])
    shake = np.array([[cosine[1], 0, -sine[1]], [0, 1, 0], [sine[1], 0, cosine[1]]])
    tilt = np.array([[cosine[2], -sine[2], 0], [sine[2], cosine[2], 0], [0, 0, 1]])
    nearer = CAMERA_DISTANCE / (CAMERA_DISTANCE + z)
    turned = (nearer * (tilt @ shake @ nod)).astype(np.float32)
    return turned, np.array([x * scale, y * scale, 0], np.float32)
