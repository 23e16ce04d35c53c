"""Draws an eye: the ball where the lids part, its iris moved by the gaze, and the upper lid as it closes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.eye_frame import EYE_POINTS, LOWER_LID, EyeFrame, Floats, Side
from mien.engine.eye_layer import (
    LASH_ABOVE,
    LASH_BELOW,
    LASH_SIDE,
    OVERLAP,
    PICTURES,
    without_glint,
)
from mien.engine.head import load_head
from mien.engine.motion import GAZE_SLICE, INDEX
from mien.engine.opening import Opening
from mien.engine.placement import Box, Frame, Pixels, Placement, bounds, ease, mix, sample
from mien.engine.portrait import Portrait
from mien.kernels.raster import raster_attributes

_SQUARE: Final[Pixels] = np.ones((7, 7), np.uint8)

_GLINT_FOLLOWS: Final = np.float32(0.3)
"""How much of the iris' way its reflections go: less than the half that a cornea's curvature would give."""

_TINT_DOUBT: Final = 0.1

_FAINTER: Final = 0.7
_SMALLER: Final = 0.5
"""Reflections at most so bright, and with so much light in all, as shares of the brightest one's, leave as
the ball turns: over the pupil they would look like dust."""

_FURTHEST_DOWN: Final = np.deg2rad(25.0)
"""The gaze that eyeLookDown = 1 goes with. The upper lid follows it over the ball."""

_STILL_DOWN: Final = 0.06
"""Up to so much of eyeLookDown the upper lid stays: small wanderings of the gaze leave the photo's lid."""

_LEAST_OPEN: Final = 0.25
"""Looking down, lids leave so much of their gap."""

_STILL: Final = 1.03
_WIDER: Final = 0.1
"""Lids further apart than at rest by this factor start to show what is made up; so much more, and all is."""

_SOFT: Final = 0.015
"""How soft the edge between lid and ball is, in eye widths."""

_SHADE: Final = 0.6
"""How light the ball is right under a lid."""

_COLUMNS: Final = 25
_SIDE: Final = 0.18
"""The lid is drawn so many eye widths past the corners."""


@dataclass(slots=True)
class _Lid:
    """The upper lid in one frame, over a box of the picture."""

    box: Box
    height: NDArray[np.float32]
    """float32[height, width]: pixels above the lid's margin."""

    x: NDArray[np.float32]
    """Along the eye, in its frame."""

    closed: NDArray[np.float32]
    """float32[height, width, 2]: where in the eye's pictures the closed lid shows."""

    carried: NDArray[np.float32]
    """Where the photo's own lid does, carried down."""


class EyeDrawing:
    """One eye of a portrait."""

    def __init__(self, portrait: Portrait, side: Side, photo: Frame) -> None:
        """Get ready. photo: a copy of the picture from which skin is drawn, to be changed in place."""
        eye = EYE_POINTS[side]
        rings = load_head().rings[1 if side == "left" else 2]
        self.opening = Opening.within(portrait, rings[:6].ravel(), eye.lids, _SQUARE)
        numbers = portrait.left_eye if side == "left" else portrait.right_eye
        sheet = portrait.left_eye_sheet if side == "left" else portrait.right_eye_sheet
        pictures = dict(zip(PICTURES, np.split(sheet, len(PICTURES)), strict=True))
        self._corner = numbers[:2]
        height, width = pictures["iris"].shape[:2]
        left, top = (int(edge) for edge in self._corner)
        area = (slice(top, top + height), slice(left, left + width))
        own = portrait.picture[area]
        bared = pictures["skin"] - own.astype(np.float32)
        first, highest, wide, tall = cv2.boundingRect(np.asarray(np.abs(bared).max(axis=2) > 0, np.uint8))
        changed = (slice(highest, highest + tall), slice(first, first + wide))
        self._skin, self._bared = photo[area][changed], bared[changed]
        self._skin_at_rest = self._skin.astype(np.float32)
        self._bared_before = False
        self._iris_picture = pictures["iris"]
        self._white = pictures["white"]
        self._glint = pictures["glint"]
        self._iris = numbers[2:4] - numbers[:2]
        self._depth = float(numbers[5])
        self._iris_radius = float(numbers[4])
        self._ball_radius = float(numbers[6])
        lashes = portrait.left_eye_lashes if side == "left" else portrait.right_eye_lashes
        self._line, self._hair = lashes.astype(np.float32) / 255
        name = side.capitalize()
        self._blink, self._look_down = INDEX[f"eyeBlink{name}"], INDEX[f"eyeLookDown{name}"]

        rows, columns = np.mgrid[:height, :width].astype(np.float32)
        away = np.hypot(columns - self._iris[0], rows - self._iris[1]) / self._iris_radius
        share = _disc(away)[..., None]
        ball = self._white + share * (self._iris_picture.astype(np.float32) - self._white)
        self._ball = np.round(ball).astype(np.uint8)
        self._shown = self._ball.copy()
        """The ball with its reflections."""
        self._reflects = bool(self._glint.any())
        self._lesser = _lesser_reflections(self._glint)

        self._frame = frame = EyeFrame.of(portrait.landmarks, side)
        self._lash_tint = _lash_tint(frame, own, pictures["lid"], self._corner)
        cover = self._covered(height, width)
        # The photo's own lid is carried down, not the rim of glasses before it; nor does it cover that.
        self._rim = np.ascontiguousarray(pictures["rim"][..., 0])
        self._rimmed = bool(self._rim.any())
        bare = np.asarray(cover.astype(np.float32) * (1 - self._rim / np.float32(255)), np.uint8)
        self._own, self._lid = np.dstack([own, bare]), np.dstack([pictures["lid"], cover])
        head, chosen = load_head(), [*eye.top, *eye.bottom, *eye.crease]
        self._corners, self._weights = head.landmark_corners[chosen], head.landmark_weights[chosen]
        self._rest = self._placed = self._landmarks(portrait.vertices)
        x = np.linspace(-_SIDE, 1 + _SIDE, _COLUMNS) * frame.width
        self._columns = x
        upper, fold, closed = frame.upper(x), frame.fold(x), _closed_line(frame, x)
        self._curves = frame.place(x, np.stack([upper, closed, fold]))
        self._open_lid = self._lid_attributes(upper, fold, np.zeros(_COLUMNS))
        arch = _arc(frame, x, frame.upper)
        self._arched_lid = self._lid_attributes(arch, fold, arch - upper)
        """On its way the margin takes on a plain arch: the open eye's own bends would leave humps."""
        self._to_arch = (arch - upper)[:, None] * frame.down
        self._shut_lid = self._lid_attributes(closed, fold, closed - upper)
        met = closed - LOWER_LID * (frame.lower(x) - upper)
        self._met_lid = self._lid_attributes(met, fold, met - upper)
        """Where the lower lid, raised, meets the upper one."""
        self._mixing = self._interpolation(eye.top, eye.bottom, eye.crease)
        self._rest_gap = self._gap(self._rest)
        follows = float(np.sin(_FURTHEST_DOWN)) * self._ball_radius / self._rest_gap
        self._lowered = min(follows, 1 - _LEAST_OPEN)
        """How much of a blink's way the upper lid goes as the eye looks down."""
        self._leaving = 0.0
        """How far the ball is from showing what the photo shows of it, 0..1."""
        row = np.arange(_COLUMNS - 1, dtype=np.int32)
        quad = np.stack([row, row + 1, row + _COLUMNS, row + 1, row + _COLUMNS + 1, row + _COLUMNS], axis=1)
        self._strips = np.concatenate([quad, quad + _COLUMNS]).reshape(-1, 3).astype(np.int32)

    def _covered(self, height: int, width: int) -> NDArray[np.uint8]:
        """Where the closed lid covers the photo, 0..255: softly from its fold and past the corners."""
        frame = self._frame
        rows, columns = np.mgrid[:height, :width].astype(np.float64)
        x, y = frame.framed(np.stack([columns, rows], axis=-1) + self._corner)
        below = (y - frame.fold(x)) / (0.09 * frame.width)
        # Lashes reach past the outer corner; the inner one is bare.
        outward = np.where(frame.outer > 0, x, frame.width - x) / frame.width
        beside = _smooth((outward + 0.06) / 0.1) * _smooth((1 + _SIDE - outward) / (_SIDE - 0.03))
        share = _smooth(below) * beside
        return np.asarray(np.round(255 * share), np.uint8)

    def _lid_attributes(self, margin: Floats, fold: Floats, travelled: Floats) -> NDArray[np.float32]:
        """Return what the vertices of a lid's strip hold, float32[3, columns, 6], for one margin.

        Below the margin, at it, and at the fold: the place in the eye's pictures; the place that the photo's
        own lid came from; the height above the margin; x. Linear in how far the lid has closed.
        """
        below = LASH_BELOW * self._frame.width
        held = np.empty((3, _COLUMNS, 6), np.float32)
        for row, y in enumerate((margin + below, margin, fold)):
            held[row, :, :2] = self._frame.place(self._columns, y) - self._corner
            held[row, :, 2:4] = self._frame.place(self._columns, y - travelled) - self._corner
            held[row, :, 4] = margin - y
        held[..., 5] = self._columns
        return held

    def _interpolation(self, *runs: tuple[int, ...]) -> list[NDArray[np.float64]]:
        """For each run of landmarks, how much each column follows each of them: float64[columns, run]."""
        matrices, first = [], 0
        for run in runs:
            at = self._frame.framed(self._rest[first : first + len(run)].astype(np.float64))[0]
            order = np.argsort(at)
            identity = np.eye(len(run))[order]
            matrices.append(
                np.stack([np.interp(self._columns, at[order], column) for column in identity.T], axis=1)
            )
            first += len(run)
        return matrices

    def _landmarks(self, positions: NDArray[np.float32]) -> NDArray[np.float32]:
        placed: NDArray[np.float32] = (positions[self._corners, :2] * self._weights[..., None]).sum(axis=1)
        return placed

    def complete(self, photo: Frame, placement: Placement) -> None:
        """Let the ball's picture equal the photo wherever the lids, placed at rest, show it."""
        box = self.opening.box(placement)
        left, top, right, bottom = box
        opened = self.opening.mask(placement, box)
        alpha = cv2.resize(opened, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
        rows, columns = np.nonzero(alpha)
        u = columns + left - int(self._corner[0])
        v = rows + top - int(self._corner[1])
        own = (u >= 0) & (v >= 0) & (u < self._ball.shape[1]) & (v < self._ball.shape[0])
        u, v = u[own], v[own]
        seen = photo[rows[own] + top, columns[own] + left]
        shown = without_glint(seen, self._glint[v, u], self._iris_picture[v, u])
        self._ball[v, u] = np.round(shown).astype(np.uint8)
        self._shown[v, u] = seen

    def _opened(self, placement: Placement, box: Box, soft: float = 0.0) -> Pixels:
        """Mark where the lids part, 0..255 over a box of the picture; soft, 0..1: its edge's softness."""
        size = (box[2] - box[0], box[3] - box[1])
        mask = cv2.resize(self.opening.mask(placement, box), size, interpolation=cv2.INTER_AREA)
        if soft > 0:
            blurred = cv2.GaussianBlur(mask, (0, 0), _SOFT * self._frame.width)
            mask = cv2.addWeighted(mask, 1 - soft, blurred, soft, 0)
        return mask

    def follow(self, placement: Placement, motion: NDArray[np.float32]) -> None:
        """Take in how a frame moves the eye; as far as it does, take the ball off what is skin."""
        yaw, pitch = (float(angle) for angle in motion[GAZE_SLICE])
        gaze = float(np.hypot(np.sin(yaw), np.sin(pitch))) * self._ball_radius / (0.4 * self._iris_radius)
        self._placed = self._landmarks(placement.positions)
        wider = self._gap(self._placed) / (self._rest_gap * float(np.linalg.norm(placement.rotation[:, 1])))
        self._leaving = max(ease(gaze), ease((wider - _STILL) / _WIDER))
        share = np.float32(max(self._leaving, ease(self._closing(motion) / 0.3)))
        if share > 0 or self._bared_before:
            self._skin[:] = np.clip(np.round(self._skin_at_rest + share * self._bared), 0, 255)
        self._bared_before = bool(share > 0)

    def _closing(self, motion: NDArray[np.float32]) -> float:
        """How much of the way to the lower lid the upper one has gone, 0..1: it follows the gaze down."""
        shut, down = float(motion[self._blink]), float(motion[self._look_down])
        down = max(down - _STILL_DOWN, 0.0) / (1 - _STILL_DOWN)
        return 1 - (1 - shut) * (1 - self._lowered * down)

    def _gap(self, landmarks: NDArray[np.float32]) -> float:
        """Measure how far the lids are apart, at the middle third of the eye, in pixels."""
        count = self._mixing[0].shape[1]
        third = count // 3
        upper, lower = landmarks[third : count - third], landmarks[count + third : 2 * count - third]
        return max(float(np.linalg.norm(lower - upper, axis=1).mean()), 1e-3)

    def draw(self, picture: Frame, placement: Placement, box: Box, motion: NDArray[np.float32]) -> None:
        """Draw the eyeball where the lids part, then the upper lid as far as it closes."""
        closing = self._closing(motion)
        lid = self._place_lid(placement, closing, float(motion[self._blink])) if closing > 0 else None
        self._draw_ball(picture, placement, box, motion, lid)
        if lid is not None:
            self._draw_lid(picture, lid, closing)

    def _draw_ball(
        self,
        picture: Frame,
        placement: Placement,
        box: Box,
        motion: NDArray[np.float32],
        lid: _Lid | None,
    ) -> None:
        closing = self._closing(motion)
        alpha = self._opened(placement, box, self._leaving)
        left, top, right, bottom = box
        if not alpha.any():
            return
        rows, columns = np.mgrid[top:bottom, left:right].astype(np.float32)
        u, v = placement.unturned(columns, rows, self._depth)
        u -= self._corner[0]
        v -= self._corner[1]
        layer = self._look(u, v, motion, alpha)
        if lid is not None:
            layer *= _shadow(lid, box, self._frame.width, closing)[..., None]
        mix(picture[top:bottom, left:right], layer, alpha)

    def _look(
        self, u: NDArray[np.float32], v: NDArray[np.float32], motion: NDArray[np.float32], opened: Pixels
    ) -> NDArray[np.float32]:
        """Look the ball up, its iris moved by the gaze.

        u, v: the pixels' places in the eye's pictures; opened: where the lids show it, 0..255.
        """
        yaw, pitch = (float(angle) for angle in motion[GAZE_SLICE])
        dx, dy = np.float32(np.sin(yaw) * self._ball_radius), np.float32(-np.sin(pitch) * self._ball_radius)
        left = np.float32(self._leaving)
        if not (dx or dy or left):
            return sample(self._shown, u, v)
        away = np.hypot(u - (self._iris[0] + dx), v - (self._iris[1] + dy)) / np.float32(self._iris_radius)
        # At first the iris drags what is about it along; then it moves as a disc over a white that stays.
        if left < 1:
            drag = np.clip((1.9 - away) / 0.75, 0, 1)
            drag *= drag * (3 - 2 * drag)
            layer = sample(self._ball, u - dx * drag, v - dy * drag)
        if left > 0:
            free = sample(self._white, u, v)
            free += _disc(away)[..., None] * (sample(self._iris_picture, u - dx, v - dy) - free)
            free *= self._light(opened)[..., None]
            layer = free if left == 1 else layer + left * (free - layer)
        # Reflections stay with the light, but the white, which is dull, shows none.
        if self._reflects:
            glint = sample(self._glint, u - _GLINT_FOLLOWS * dx, v - _GLINT_FOLLOWS * dy)
            if left > 0:
                glint *= 1 - left * sample(self._lesser, u - _GLINT_FOLLOWS * dx, v - _GLINT_FOLLOWS * dy)
            glint *= ((1 - left * np.clip((away - 0.75) / 0.3, 0, 1)) * np.float32(1 / 255))[..., None]
            layer += glint * (255 - layer)
        return layer

    def _light(self, opened: Pixels) -> NDArray[np.float32]:
        """How much light falls on the ball: the less, the nearer a lid, and the upper one above all."""
        width = self._frame.width
        down = np.array([[1, 0, 0], [0, 1, 0.04 * width]])
        size = opened.shape[1::-1]
        lower = cv2.warpAffine(opened, down, size, flags=cv2.INTER_LINEAR)
        soft = cv2.GaussianBlur(np.asarray(lower, np.float32), (0, 0), 0.06 * width)
        return np.asarray(_SHADE + (1 - _SHADE) * _smooth((soft / 255 - 0.3) / 0.6), np.float32)

    def _place_lid(self, placement: Placement, closing: float, risen: float) -> _Lid:
        """Lay the lid's strip between its fold and its margin, and read where its pixels come from.

        closing: how far the upper lid has come down; risen: how far the lower one has come up to it; 0..1.
        """
        landmarks = self._placed
        moved = landmarks - self._rest
        first, placed = 0, []
        for curve, matrix in zip(self._curves, self._mixing, strict=True):
            placed.append(curve + matrix @ moved[first : first + matrix.shape[1]])
            first += matrix.shape[1]
        upper, lower, fold = placed
        arched = ease(closing / 0.5)
        upper = upper + arched * self._to_arch
        margin = upper + closing * (lower - upper)
        across = landmarks[self._mixing[0].shape[1] - 1] - landmarks[0]
        below = LASH_BELOW * np.array([-across[1], across[0]])
        flat = np.zeros((3 * _COLUMNS, 3), np.float32)
        flat[:, :2] = np.concatenate([margin + below, margin, fold])
        goal = self._shut_lid + np.float32(risen) * (self._met_lid - self._shut_lid)
        start = self._open_lid + np.float32(arched) * (self._arched_lid - self._open_lid)
        attributes = start + np.float32(closing) * (goal - start)
        box = bounds(flat[:, :2], placement.depth.shape, 1)
        flat[:, :2] -= box[:2]
        shape = (box[3] - box[1], box[2] - box[0])
        read = np.full((*shape, 6), -1e4, np.float32)
        depth = np.full(shape, np.inf, np.float32)
        raster_attributes(flat, self._strips, attributes.reshape(-1, 6), read, depth)
        return _Lid(box, read[..., 4], read[..., 5], read[..., :2], read[..., 2:4])

    def _draw_lid(self, picture: Frame, lid: _Lid, closing: float) -> None:
        left, top, right, bottom = lid.box
        target = picture[top:bottom, left:right]
        painted = ease(closing / 0.35)
        lid_picture = _read(self._lid, lid.closed)
        colour, cover = lid_picture[..., :3], lid_picture[..., 3]
        if painted < 1:
            # Its fold stays where it is: only what lies below it is carried along.
            own = _read(self._own, lid.carried)
            share = own[..., 3:] * np.float32((1 - painted) / 255)
            if self._rimmed:
                share = share * (1 - _read(self._rim, lid.closed)[..., None] * np.float32(1 / 255))
            colour = colour + share * (own[..., :3] - colour)
        edge = np.clip(lid.height + np.float32(0.02 * self._frame.width + 0.5), 0, 1)
        share = (cover * edge * np.float32(ease(closing / 0.08) / 255))[..., None]
        drawn = target + share * (colour - target)
        lash = np.float32(ease(closing / 0.1)) * self._line
        if closing > 0.4:
            lash = np.maximum(lash, np.float32(ease((closing - 0.4) / 0.5)) * self._hair)
        rows, columns = np.subtract(lash.shape, 1) / (LASH_ABOVE + LASH_BELOW, 1 + 2 * LASH_SIDE)
        across = (lid.x / np.float32(self._frame.width) + np.float32(LASH_SIDE)) * np.float32(columns)
        along = (np.float32(LASH_ABOVE) - lid.height / np.float32(self._frame.width)) * np.float32(rows)
        dark = cv2.remap(lash, across, along, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        drawn *= 1 - np.asarray(dark)[..., None] * self._lash_tint
        target[:] = np.clip(drawn + 0.5, 0, 255).astype(np.uint8)


def _read(picture: Frame, places: NDArray[np.float32]) -> NDArray[np.float32]:
    """Read a picture at places, float32[height, width, 2], between its pixels."""
    maps = np.ascontiguousarray(places)
    read = cv2.remap(picture, maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    return np.asarray(read, np.float32)


def _lash_tint(
    frame: EyeFrame, photo: Pixels, lid: Pixels, corner: NDArray[np.float32]
) -> NDArray[np.float32]:
    """How much of red, green and blue the lid's edge takes away from skin, float32[3], by its darkest row.

    photo, lid: the picture, and the closed lid, from a corner, x and y, on.
    """
    x, up = np.meshgrid(np.linspace(0.08, 0.92, 43), np.linspace(-0.02, 0.10, 25))
    x, up = x * frame.width, up * frame.width
    places = np.asarray(frame.place(x, frame.upper(x) - up) - corner, np.float32)
    seen, skin = _read(photo, places), _read(lid, places)
    darkest = seen.mean(axis=2).argmin(axis=0), np.arange(seen.shape[1])
    taken = 1 - seen[darkest].mean(axis=0) / np.maximum(skin[darkest].mean(axis=0), 1)
    # An edge hardly darker than skin tells no colour: grey then.
    return np.asarray((taken + _TINT_DOUBT) / (max(float(taken.mean()), 0.0) + _TINT_DOUBT), np.float32)


def _disc(away: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much an iris covers at distances from its centre in its radii."""
    return np.asarray(_smooth((1.10 - away) / 0.2), np.float32)


def _lesser_reflections(glint: Pixels) -> Pixels:
    """Mark by 1 what of reflections, uint8[height, width, 3], is fainter and smaller than the brightest."""
    strength = glint.max(axis=2)
    count, pieces = cv2.connectedComponents((strength > 0).astype(np.uint8))
    peaks = np.array([strength[pieces == piece].max(initial=0) for piece in range(count)])
    sums = np.bincount(pieces.ravel(), weights=strength.ravel())
    brightest = int(peaks.argmax())
    fainter = (peaks <= _FAINTER * peaks[brightest]) & (sums <= _SMALLER * sums[brightest])
    return np.ascontiguousarray(np.repeat(fainter[pieces][..., None], 3, axis=2), np.uint8)


def _closed_line(frame: EyeFrame, x: Floats) -> Floats:
    """Where the closed lids meet: a smooth arc that nowhere leaves the lower margin uncovered."""
    share = np.clip(x / frame.width, 0, 1)
    # All but at the corners: right beside them the white would show.
    overlap = OVERLAP * frame.width * _smooth(np.minimum(share, 1 - share) / 0.06)
    return np.asarray(np.maximum(_arc(frame, x, frame.lower), frame.lower(x)) + overlap, np.float64)


def _arc(frame: EyeFrame, x: Floats, margin: Callable[[Floats], Floats]) -> Floats:
    """Fit a margin by a cubic from corner to corner, and read it at x; past the corners it is level."""
    ends = frame.upper(np.array([0.0, frame.width]))

    def shapes(t: Floats) -> Floats:
        return np.stack([t * (1 - t), t * (1 - t) * (t - 0.5)], axis=-1)

    inside = np.linspace(0.12, 0.88, 20)
    chord = ends[0] + inside * (ends[1] - ends[0])
    bends = np.linalg.lstsq(shapes(inside), margin(inside * frame.width) - chord, rcond=None)[0]
    share = np.clip(x / frame.width, 0, 1)
    return np.asarray(ends[0] + share * (ends[1] - ends[0]) + shapes(share) @ bends, np.float64)


def _shadow(lid: _Lid, box: Box, width: float, closing: float) -> NDArray[np.float32]:
    """How light the ball is under a lid's margin, over a box of the picture."""
    light = np.ones((box[3] - box[1], box[2] - box[0]), np.float32)
    left, top = max(box[0], lid.box[0]), max(box[1], lid.box[1])
    right, bottom = min(box[2], lid.box[2]), min(box[3], lid.box[3])
    if right <= left or bottom <= top:
        return light
    height = lid.height[top - lid.box[1] : bottom - lid.box[1], left - lid.box[0] : right - lid.box[0]]
    near = np.exp(np.minimum(height, 0) * np.float32(1 / (0.09 * width)))
    depth = np.float32(0.4 * ease(closing / 0.5))
    light[top - box[1] : bottom - box[1], left - box[0] : right - box[0]] -= depth * near
    return light


def _smooth(x: NDArray[Any]) -> NDArray[Any]:
    x = np.clip(x, 0, 1)
    return np.asarray(x * x * (3 - 2 * x))
