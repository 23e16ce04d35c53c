"""Draws a portrait on the CPU: the fitted head moves, the photo follows; mouth and eyes are layers."""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.errors import ConfigError
from mien.engine.face_points import (
    INNER_LIPS_BOTTOM,
    INNER_LIPS_TOP,
    LEFT_EYE_BOTTOM,
    LEFT_EYE_TOP,
    RIGHT_EYE_BOTTOM,
    RIGHT_EYE_TOP,
)
from mien.engine.head import load_head, mouth_gap_weights
from mien.engine.motion import (
    CHANNELS,
    GAZE_SLICE,
    INDEX,
    MOUTH_SLICE,
    ROTATION_SLICE,
    SHAPE_SLICE,
    TRANSLATION_SLICE,
)
from mien.engine.portrait import NEUTRALISER, Portrait
from mien.kernels.blend import blend, turn
from mien.kernels.edges import soften_jumps, spread_map
from mien.kernels.raster import raster_attributes, raster_coverage, raster_texture

Frame = NDArray[np.uint8]
Pixels = NDArray[Any]
"""What OpenCV returns: it does not say of what type."""

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
_DIM: Final = 0.55
"""How light the mouth's inside is behind the narrowest opening."""
_SLIT: Final = 2.0
"""Openings narrower than so many pixels, on average, are shown in part."""
_TOUCHING: Final = 0.8
"""Lips closer than so many pixels touch."""
_FINE: Final = 2
"""Mouth and eyes are cut out at twice the picture's resolution."""
_CROSS: Final = np.ones((3, 3), np.uint8)
_ROUND: Final[Pixels] = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
_SQUARE: Final[Pixels] = np.ones((7, 7), np.uint8)

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Opening:
    """A hole in the face that shows a layer: which triangles and vertices lie round it, and its outline."""

    triangles: NDArray[np.int32]
    vertices: NDArray[np.intp]
    corners: NDArray[np.int32]
    """int32[n, 3]: the triangles on which its outline's landmarks lie."""
    weights: NDArray[np.float32]
    grow: Pixels


@dataclass(frozen=True, slots=True)
class _Eye:
    opening: _Opening
    picture: NDArray[np.uint8]
    white: NDArray[np.uint8]
    corner: NDArray[np.float32]
    """Left and top of its picture."""
    iris: NDArray[np.float32]
    """x, y and z of the iris."""
    iris_radius: float
    ball_radius: float
    width: float
    blink: int
    """The channel that closes it."""


class RigRenderer:
    """Draws one portrait. Not for two threads at once."""

    def __init__(self, portrait: Portrait, *, size: int = 512) -> None:
        """Get ready to draw pictures of size x size pixels, even, 64 to the portrait's own size."""
        if size % 2 or not 64 <= size <= portrait.size:
            raise ConfigError(
                f"The size {size} is odd or outside 64..{portrait.size}.",
                remedy=f"Choose an even size from 64 to {portrait.size}.",
            )
        self._portrait = portrait
        self._size = size
        inner = portrait.size
        self._positions = np.empty_like(portrait.vertices)
        self._weights = np.zeros(NEUTRALISER + 1, np.float32)
        rows, columns = np.mgrid[:inner, :inner].astype(np.float32)
        self._rest_x, self._rest_y = np.ascontiguousarray(columns), np.ascontiguousarray(rows)
        self._map_x, self._map_y = np.empty_like(columns), np.empty_like(rows)
        self._depth = np.empty((inner, inner), np.float32)
        self._fine = np.empty(_FINE * inner * _FINE * inner, np.uint8)
        self._photo = portrait.picture.copy()
        self._lips = portrait.lips_picture.astype(np.float32)
        self._lip_columns = _lip_columns()
        self._gap_weights = mouth_gap_weights()
        self._face = int(portrait.runs[1])
        self._drawn = np.unique(portrait.face_triangles)
        self._mouth = self._find_mouth()
        self._eyes = (self._find_eye("left"), self._find_eye("right"))
        self._complete_eyes()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture, in pixels."""
        return self._size, self._size

    def close(self) -> None:
        """Nothing is held outside of memory."""

    def render(self, motion: NDArray[np.float32]) -> Frame:
        """Draw one frame of motion, float32[CHANNELS], as RGB uint8[size, size, 3]."""
        if motion.shape != (CHANNELS,):
            raise ValueError(f"motion must be float32[{CHANNELS}], not {list(motion.shape)}")
        picture = self._draw(_clamp(motion))
        if self._size != self._portrait.size:
            side = (self._size, self._size)
            picture = np.asarray(cv2.resize(picture, side, interpolation=cv2.INTER_AREA), np.uint8)
        return picture

    def _draw(self, motion: NDArray[np.float32]) -> Frame:
        portrait = self._portrait
        parted = self._move(motion)
        np.copyto(self._map_x, self._rest_x)
        np.copyto(self._map_y, self._rest_y)
        self._depth.fill(np.inf)
        self._draw_map(portrait.grid_triangles, portrait.texture)
        self._depth.fill(np.inf)
        self._draw_map(portrait.face_triangles, portrait.texture)
        boxes = [self._box(opening) for opening in self._openings()]
        for box in boxes:
            spread_map(self._map_x, self._map_y, self._depth, box)
        picture: Frame = np.asarray(
            cv2.remap(
                self._without_lip_line(parted),
                self._map_x,
                self._map_y,
                cv2.INTER_CUBIC,
                borderMode=cv2.BORDER_REPLICATE,
            )
        )
        around = _bounds(self._positions[self._drawn, :2], portrait.size, 2)
        soften_jumps(picture, picture.copy(), self._map_x, self._map_y, around, _JUMP)
        self._shade_lip_line(picture)
        self._draw_mouth(picture, boxes[0])
        for eye, box in zip(self._eyes, boxes[1:], strict=True):
            self._draw_eye(picture, eye, box, motion)
        return picture

    # ---- geometry

    def _move(self, motion: NDArray[np.float32]) -> float:
        """Place all vertices; return how far the lips are parted from the photo's own line, 0..1."""
        portrait = self._portrait
        shapes = motion[SHAPE_SLICE]
        self._weights[:NEUTRALISER] = shapes
        neutral = _smoothstep(float(motion[MOUTH_SLICE].sum()) / NEUTRAL_AT) if portrait.lips_parted else 0.0
        self._weights[NEUTRALISER] = neutral
        blend(
            portrait.vertices,
            portrait.delta_starts,
            portrait.delta_rows,
            portrait.delta_values,
            self._weights,
            self._positions,
        )
        self._rotation, self._shift = _pose(motion, portrait.scale)
        if motion[ROTATION_SLICE].any() or motion[TRANSLATION_SLICE].any():
            turn(self._positions, portrait.share, self._rotation, portrait.pivot, self._shift)
        gap = float(self._gap_weights @ shapes) * portrait.scale
        return max(neutral, _smoothstep(gap / (0.04 * portrait.scale)))

    def _without_lip_line(self, parted: float) -> Frame:
        """Return the photo, with the lips' own colours over what lies between them as far as they part.

        Opened lips must not carry the dark line between them along, nor closing ones the teeth.
        """
        left, top = (int(edge) for edge in self._portrait.lips_corner)
        height, width = self._lips.shape[:2]
        box = (slice(top, top + height), slice(left, left + width))
        own = self._portrait.picture[box]
        self._photo[box] = np.round(own + np.float32(parted) * (self._lips - own)).astype(np.uint8)
        return self._photo

    def _draw_map(self, triangles: NDArray[np.int32], texture: NDArray[np.float32]) -> None:
        raster_texture(self._positions, triangles, texture, self._map_x, self._map_y, self._depth)

    def _openings(self) -> tuple[_Opening, ...]:
        return self._mouth, self._eyes[0].opening, self._eyes[1].opening

    def _box(self, opening: _Opening) -> Box:
        return _bounds(self._positions[opening.vertices, :2], self._portrait.size, 2)

    # ---- openings

    def _opened(self, opening: _Opening, box: Box) -> NDArray[np.uint8]:
        """Mark, at twice the resolution, what lies inside the outline and is uncovered by skin."""
        left, top, right, bottom = box
        height, width = (bottom - top) * _FINE, (right - left) * _FINE
        covered = self._fine[: height * width].reshape(height, width)
        covered[:] = 0
        near = self._positions[: self._face]
        fine = np.empty_like(near)
        fine[:, 0] = (near[:, 0] - left) * _FINE + 0.5
        fine[:, 1] = (near[:, 1] - top) * _FINE + 0.5
        fine[:, 2] = near[:, 2]
        raster_coverage(fine, opening.triangles, covered)
        outline = (fine[opening.corners, :2] * opening.weights[..., None]).sum(axis=1)
        inside = np.zeros((height, width), np.uint8)
        cv2.fillPoly(inside, [np.round(outline * 8).astype(np.int32)], 255, shift=3)
        cv2.dilate(inside, opening.grow, dst=inside)
        # Skin drawn in the picture itself must stay: nothing shows through it.
        bare: Pixels = (~np.isfinite(self._depth[top:bottom, left:right])).astype(np.uint8)
        bare = cv2.dilate(bare * 255, _CROSS)
        bare = cv2.resize(bare, (width, height), interpolation=cv2.INTER_NEAREST)
        return inside & np.asarray(bare, np.uint8) & ~covered

    def _draw_mouth(self, picture: Frame, box: Box) -> None:
        """Draw teeth, gums and tongue where the lips part."""
        opened = cv2.morphologyEx(self._opened(self._mouth, box), cv2.MORPH_OPEN, _CROSS)
        left, top, width, height = cv2.boundingRect(opened)
        if width * height == 0 or cv2.countNonZero(opened) < 6:
            return
        margin = 6
        left, top = max(left - margin, 0) & ~1, max(top - margin, 0) & ~1
        right = min(left + width + 2 * margin + 2, opened.shape[1]) & ~1
        bottom = min(top + height + 2 * margin + 2, opened.shape[0]) & ~1
        opened = np.ascontiguousarray(opened[top:bottom, left:right])
        x, y = box[0] + left // _FINE, box[1] + top // _FINE
        inside = self._paint_mouth(opened.shape, x, y)
        # The smaller the opening, the less light falls in.
        light = cv2.GaussianBlur(opened, (0, 0), 0.055 * self._portrait.scale).astype(np.float32)
        light = np.clip(light * (1.5 / 255), 0, 1)
        inside *= (_DIM + (1 - _DIM) * light)[..., None]
        inside = np.asarray(cv2.GaussianBlur(inside, (0, 0), 1.0), np.float32)
        small = ((right - left) // _FINE, (bottom - top) // _FINE)
        alpha = cv2.resize(cv2.GaussianBlur(opened, (0, 0), 0.9), small, interpolation=cv2.INTER_AREA)
        # A slit shows little of what lies behind it, and must not flash up whole.
        alpha = alpha * _smoothstep(cv2.countNonZero(opened) / (_SLIT * _FINE * width))
        colour = np.asarray(cv2.resize(inside, small, interpolation=cv2.INTER_AREA), np.float32)
        colour = self._with_photo(colour, x, y)
        _mix(picture[y : y + small[1], x : x + small[0]], colour, alpha)

    def _paint_mouth(self, shape: tuple[int, ...], x: int, y: int) -> NDArray[np.float32]:
        portrait = self._portrait
        first, last = int(portrait.runs[1]), int(portrait.runs[2])
        positions = self._positions[first:last].copy()
        positions[:, 0] = (positions[:, 0] - x) * _FINE + 0.5
        positions[:, 1] = (positions[:, 1] - y) * _FINE + 0.5
        colour = np.empty((*shape, 3), np.float32)
        colour[:] = portrait.mouth_cavity
        depth = np.full(shape, np.inf, np.float32)
        raster_attributes(positions, self._inside_triangles, portrait.mouth_paint, colour, depth)
        return colour

    def _with_photo(self, inside: NDArray[np.float32], x: int, y: int) -> NDArray[np.float32]:
        """Lay what the photo itself shows of the mouth over the painted one, moved with the head.

        At rest that is all of it; while speaking, the upper teeth, which do not move with the lips.
        """
        portrait = self._portrait
        if not portrait.lips_parted:
            return inside
        height, width = inside.shape[:2]
        rows, columns = np.mgrid[y : y + height, x : x + width].astype(np.float32)
        depth = float(portrait.vertices[portrait.runs[1] : portrait.runs[2], 2].min())
        u, v = self._unturned(columns, rows, depth)
        photo = cv2.remap(portrait.picture, u, v, cv2.INTER_LINEAR).astype(np.float32)
        whole = cv2.remap(portrait.mouth_photo, u, v, cv2.INTER_LINEAR).astype(np.float32)
        teeth = cv2.remap(portrait.teeth_photo, u, v, cv2.INTER_LINEAR).astype(np.float32)
        share = np.float32(1 - self._weights[NEUTRALISER])
        mask = np.maximum(share * whole, teeth)[..., None] * np.float32(1 / 255)
        return np.asarray(inside + mask * (photo - inside), np.float32)

    def _shade_lip_line(self, picture: Frame) -> None:
        """Draw the shadow between closed lips that the photo, its lips parted, does not have."""
        weight = float(self._weights[NEUTRALISER])
        if weight <= 0:
            return
        upper, lower = (self._positions[columns, :2] for columns in self._lip_columns)
        across = np.arange(upper.shape[1])
        top = upper[upper[..., 1].argmax(axis=0), across]
        bottom = lower[lower[..., 1].argmin(axis=0), across]
        line = np.float32(0.5) * (top + bottom)
        left, up, right, down = _bounds(line, self._portrait.size, 5)
        mask = np.zeros((down - up, right - left), np.uint8)
        closed = bottom[:, 1] - top[:, 1] < _TOUCHING
        shifted = np.round((line - [left, up]) * 8).astype(np.int32)
        for start in np.flatnonzero(closed[:-1] & closed[1:]):
            cv2.line(mask, shifted[start], shifted[start + 1], 255, 1, cv2.LINE_AA, 3)
        shadow = cv2.GaussianBlur(mask, (0, 0), 1.1).astype(np.float32)[..., None] / 255
        area = picture[up:down, left:right]
        dark = 1 - weight * shadow * np.array([0.55, 0.72, 0.72], np.float32)
        area[:] = np.round(area * dark).astype(np.uint8)

    def _unturned(
        self, x: NDArray[np.float32], y: NDArray[np.float32], depth: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Where points of the picture lay before the head turned, if they lie at one depth."""
        pivot = self._portrait.pivot
        back = np.linalg.inv(self._rotation[:2, :2]).astype(np.float32)
        offset = self._rotation[:2, 2] * np.float32(depth - pivot[2]) + pivot[:2] + self._shift[:2]
        dx, dy = x - offset[0], y - offset[1]
        return (
            back[0, 0] * dx + back[0, 1] * dy + pivot[0],
            back[1, 0] * dx + back[1, 1] * dy + pivot[1],
        )

    def _draw_eye(self, picture: Frame, eye: _Eye, box: Box, motion: NDArray[np.float32]) -> None:
        """Draw the eyeball where the lids part, its iris moved by the gaze."""
        opened = self._opened(eye.opening, box)
        left, top, right, bottom = box
        alpha = cv2.resize(opened, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
        if not alpha.any():
            return
        rows, columns = np.mgrid[top:bottom, left:right].astype(np.float32)
        u, v = self._unturned(columns, rows, float(eye.iris[2]))
        u -= eye.corner[0]
        v -= eye.corner[1]
        yaw, pitch = (float(angle) for angle in motion[GAZE_SLICE])
        dx, dy = float(np.sin(yaw)) * eye.ball_radius, -float(np.sin(pitch)) * eye.ball_radius
        layer = _sample(eye.picture, u - np.float32(dx), v - np.float32(dy))
        if dx or dy:
            # The iris moves as a disc over a white that stays. What the photo shows round its iris (its
            # shadow and its soft rim) moves along at first, so that the smallest gaze changes little.
            away = np.hypot(u - (eye.iris[0] - eye.corner[0] + dx), v - (eye.iris[1] - eye.corner[1] + dy))
            disc = np.clip((1.2 * eye.iris_radius - away) / (0.2 * eye.iris_radius), 0, 1)
            moved = _smoothstep(float(np.hypot(dx, dy)) / (0.3 * eye.iris_radius))
            share = (1 - moved * (1 - disc))[..., None].astype(np.float32)
            layer = share * layer + (1 - share) * _sample(eye.white, u, v)
        # A closing lid shades the ball.
        layer *= np.float32(1 - 0.8 * float(motion[eye.blink]) ** 2)
        _mix(picture[top:bottom, left:right], layer, alpha)

    # ---- set-up

    def _find_mouth(self) -> _Opening:
        portrait = self._portrait
        rings = load_head().rings[0]
        loop = INNER_LIPS_TOP + INNER_LIPS_BOTTOM[-2:0:-1]
        self._inside_triangles = portrait.mouth_triangles - np.int32(portrait.runs[1])
        return self._opening(rings[:10].ravel(), loop, _ROUND)

    def _find_eye(self, side: str) -> _Eye:
        portrait = self._portrait
        left = side == "left"
        top, bottom = (LEFT_EYE_TOP, LEFT_EYE_BOTTOM) if left else (RIGHT_EYE_TOP, RIGHT_EYE_BOTTOM)
        numbers = portrait.left_eye if left else portrait.right_eye
        rings = load_head().rings[1 if left else 2]
        lids = portrait.landmarks[list(top), 0]
        return _Eye(
            opening=self._opening(rings[:6].ravel(), top + bottom[-2:0:-1], _SQUARE),
            picture=(portrait.left_eye_picture if left else portrait.right_eye_picture).copy(),
            white=portrait.left_eye_white if left else portrait.right_eye_white,
            corner=numbers[:2],
            iris=numbers[[2, 3, 5]],
            iris_radius=float(numbers[4]),
            ball_radius=float(numbers[6]),
            width=float(np.ptp(lids)),
            blink=INDEX["eyeBlinkLeft" if left else "eyeBlinkRight"],
        )

    def _opening(self, vertices: NDArray[np.int32], landmarks: tuple[int, ...], grow: Pixels) -> _Opening:
        head, triangles = load_head(), self._portrait.face_triangles
        around = np.zeros(self._face, bool)
        around[vertices] = True
        near = triangles[around[triangles].any(axis=1)]
        # One more ring of triangles: what a hole's neighbours cover when they move.
        around[near] = True
        near = np.ascontiguousarray(triangles[around[triangles].any(axis=1)])
        chosen = list(landmarks)
        return _Opening(
            near,
            vertices.astype(np.intp),
            head.landmark_corners[chosen],
            head.landmark_weights[chosen],
            grow,
        )

    def _complete_eyes(self) -> None:
        """Let the eyeballs' pictures equal the photo wherever the lids show them at rest."""
        self._draw(np.zeros(CHANNELS, np.float32))
        for eye in self._eyes:
            box = self._box(eye.opening)
            left, top, right, bottom = box
            alpha = cv2.resize(
                self._opened(eye.opening, box), (right - left, bottom - top), interpolation=cv2.INTER_AREA
            )
            rows, columns = np.nonzero(alpha)
            u = columns + left - int(eye.corner[0])
            v = rows + top - int(eye.corner[1])
            own = (u >= 0) & (v >= 0) & (u < eye.picture.shape[1]) & (v < eye.picture.shape[0])
            eye.picture[v[own], u[own]] = self._portrait.picture[rows[own] + top, columns[own] + left]


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


def _bounds(places: NDArray[np.float32], size: int, margin: int) -> Box:
    x, y = np.ascontiguousarray(places[:, 0]), np.ascontiguousarray(places[:, 1])
    left, right = int(np.floor(x.min())) - margin, int(np.ceil(x.max())) + margin + 1
    top, bottom = int(np.floor(y.min())) - margin, int(np.ceil(y.max())) + margin + 1
    left, top = min(max(left, 0), size - 2), min(max(top, 0), size - 2)
    return left, top, max(min(right, size), left + 2), max(min(bottom, size), top + 2)


def _sample(picture: Frame, u: Pixels, v: Pixels) -> NDArray[np.float32]:
    """Read a picture at places between its pixels."""
    x, y = np.asarray(u, np.float32), np.asarray(v, np.float32)
    read = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(read, np.float32)


def _mix(target: Frame, colour: Pixels, alpha: Pixels) -> None:
    """Lay colour over target in place, alpha 0..255."""
    share = alpha.astype(np.float32)[..., None] * np.float32(1 / 255)
    target[:] = np.clip(target + share * (colour - target) + 0.5, 0, 255).astype(np.uint8)


def _lip_columns() -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Vertices of the inner lips, [rings, columns], upper and lower, from the picture's left to its right."""
    rings = load_head().rings[0][:8]
    half = rings.shape[1] // 2
    return rings[:, half - 1 : 0 : -1], rings[:, half + 1 :]


def _smoothstep(x: float) -> float:
    x = min(max(x, 0.0), 1.0)
    return x * x * (3 - 2 * x)
