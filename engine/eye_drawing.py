"""Draws an eye: the ball where the lids part, its iris moved by the gaze, and the upper lid as it closes."""

from collections.abc import Callable
from math import hypot, sin
from typing import Any, Final, NamedTuple

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
    lightness,
    thin_and_dark,
    without_glint,
)
from mien.engine.eye_opening import EyeOpening
from mien.engine.head import load_head
from mien.engine.motion import GAZE_SLICE, INDEX
from mien.engine.placement import Box, Frame, Pixels, Placement, bounds, ease
from mien.engine.portrait import Portrait
from mien.kernels.blur import blur, gaussian
from mien.kernels.eye import OUTSIDE, BallLook, LidLook, draw_ball, draw_lid
from mien.kernels.fade import fade
from mien.kernels.raster import raster_attributes

_GLINT_FOLLOWS: Final = 0.3
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

_TINTED: Final = 0.7
"""How far that shade goes from grey to the colour that skin has beside the ball."""

_LIGHT: Final = 0.06
_FROM_ABOVE: Final = 0.04
"""How far the lids keep light off it, and how much further the upper one does, in eye widths."""

_SHADOW: Final = 0.4
_SHADOW_REACH: Final = 0.09
"""How dark a closing lid makes the ball below its margin, and how far down, in eye widths."""

_COLUMNS: Final = 25
_SIDE: Final = 0.18
"""The lid is drawn so many eye widths past the corners."""

_FINELY: Final = 137
"""Places along an eye where the lower lid's line is looked for."""

_LINE_BELOW: Final = 0.09
"""It lies at most so many eye widths below where the landmarks' lids meet."""

_STIFF: Final = 2.0
"""How much its way below is held back from bending, and from following a few dark places."""

_LINE_COVERED: Final = 0.01
"""The lid comes down so many eye widths past that line's middle."""

_LINE_DARK: Final = 0.15
"""It is darker than skin by this share at least."""

_SEEN_BESIDE: Final = 2.5
"""So many pixels past the opening the ball at rest goes on as the photo does, the last one in part: what the
slightest movement lays bare must not differ from what it hid."""

_NO_LID: Final = np.full((1, 1, 6), OUTSIDE, np.float32)


class _Lid(NamedTuple):
    """The upper lid in one frame, over a box of the picture."""

    box: Box
    held: NDArray[np.float32]
    """float32[height, width, 6], as mien.kernels.eye has it."""


class EyeDrawing:
    """One eye of a portrait."""

    def __init__(self, portrait: Portrait, side: Side, source: Frame, margin: int) -> None:
        """Get ready.

        source: uint8[H, W, 4], what skin is drawn from, to be changed in place: the picture, and past each of
        its borders `margin` pixels more.
        """
        eye = EYE_POINTS[side]
        self.opening = EyeOpening(portrait, side)
        numbers = portrait.left_eye if side == "left" else portrait.right_eye
        sheet = portrait.left_eye_sheet if side == "left" else portrait.right_eye_sheet
        pictures = dict(zip(PICTURES, np.split(sheet, len(PICTURES)), strict=True))
        self._corner = numbers[:2]
        height, width = pictures["iris"].shape[:2]
        left, top = (int(edge) for edge in self._corner)
        own = portrait.picture[top : top + height, left : left + width]
        bared = pictures["skin"].astype(np.int16) - own
        first, highest, wide, tall = cv2.boundingRect(np.asarray(np.abs(bared).max(axis=2) > 0, np.uint8))
        changed = (slice(highest, highest + tall), slice(first, first + wide))
        self._source = source
        self._skin_corner = {"left": margin + left + first, "top": margin + top + highest}
        around = source[margin + top : margin + top + height, margin + left : margin + left + width, :3]
        self._skin_at_rest = np.ascontiguousarray(around[changed])
        self._skin_bared = np.clip(self._skin_at_rest + bared[changed], 0, 255).astype(np.uint8)
        self._bared = 0.0
        """How far that skin is from showing the photo, 0..1."""
        self._iris = numbers[2:4] - numbers[:2]
        self._depth = float(numbers[5])
        self._iris_radius = float(numbers[4])
        self._ball_radius = float(numbers[6])
        lashes = portrait.left_eye_lashes if side == "left" else portrait.right_eye_lashes
        self._lashes = np.pad(lashes, ((0, 0), (1, 1), (1, 1)))
        name = side.capitalize()
        self._blink, self._look_down = INDEX[f"eyeBlink{name}"], INDEX[f"eyeLookDown{name}"]

        rows, columns = np.mgrid[:height, :width].astype(np.float32)
        away = np.hypot(columns - self._iris[0], rows - self._iris[1]) / self._iris_radius
        white, glint = pictures["white"], pictures["glint"]
        ball = white + _disc(away)[..., None] * (pictures["iris"].astype(np.float32) - white)
        ball = np.round(ball).astype(np.uint8)
        lesser = glint * _lesser_reflections(glint)
        self._shade = _shade(pictures["white"], pictures["lid"])
        self._pictures = np.stack([ball, white, pictures["iris"], glint - lesser, lesser, ball])
        """What mien.kernels.eye draws the ball from."""
        self._frame = frame = EyeFrame.of(portrait.landmarks, side)
        tint = _lash_tint(frame, own, pictures["lid"], self._corner)
        self._lash_tint = (float(tint[0]), float(tint[1]), float(tint[2]))
        cover = self._covered(height, width)
        # The photo's own lid is carried down, not the rim of glasses before it; nor does it cover that.
        self._rim = np.ascontiguousarray(pictures["rim"][..., 0])
        bare = np.asarray(cover.astype(np.float32) * (1 - self._rim / np.float32(255)), np.uint8)
        self._own, self._lid = np.dstack([own, bare]), np.dstack([pictures["lid"], cover])
        head, chosen = load_head(), [*eye.top, *eye.bottom, *eye.crease]
        self._corners, self._weights = head.landmark_corners[chosen], head.landmark_weights[chosen]
        self._rest = self._placed = self._landmarks(portrait.vertices)
        x = np.linspace(-_SIDE, 1 + _SIDE, _COLUMNS) * frame.width
        self._columns = x
        upper, fold = frame.upper(x), frame.fold(x)
        closed = _closed_line(frame, x) + _drawn_below(frame, pictures, self._corner, x)
        self._curves = frame.place(x, np.stack([upper, closed, fold])).reshape(-1, 2)
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
        """How much the columns of the three curves follow each landmark: float64[3 * columns, landmarks]."""
        self._across = len(eye.top)
        """Landmarks from corner to corner of a lid's margin."""
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
        beside = _smooth((outward + 0.09) / 0.1) * _smooth((1 + _SIDE - outward) / (_SIDE - 0.06))
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

    def _interpolation(self, *runs: tuple[int, ...]) -> NDArray[np.float64]:
        """Say how much each column of each curve follows the landmarks along that curve."""
        matrix, first = np.zeros((len(runs) * _COLUMNS, len(self._rest))), 0
        for number, run in enumerate(runs):
            own = slice(first, first + len(run))
            at = self._frame.framed(self._rest[own].astype(np.float64))[0]
            order = np.argsort(at)
            follows = [np.interp(self._columns, at[order], row) for row in np.eye(len(run))[order].T]
            matrix[number * _COLUMNS : (number + 1) * _COLUMNS, own] = np.stack(follows, axis=1)
            first += len(run)
        return matrix

    def _landmarks(self, positions: NDArray[np.float32]) -> NDArray[np.float32]:
        placed: NDArray[np.float32] = (positions[self._corners, :2] * self._weights[..., None]).sum(axis=1)
        return placed

    def complete(self, photo: Frame, placement: Placement) -> None:
        """Let the ball's picture equal the photo wherever the lids, placed at rest, show it, and beside."""
        left, top, right, bottom = box = self.opening.box(placement)
        hidden = np.ones((bottom - top, right - left), np.uint8)
        (x, y, past, below), opened = self.opening.cut(placement, box)
        hidden[y - top : below - top, x - left : past - left] = opened == 0
        seen = np.clip(_SEEN_BESIDE - cv2.distanceTransform(hidden, cv2.DIST_L2, 3), 0, 1)
        rows, columns = np.nonzero(seen)
        u = columns + left - int(self._corner[0])
        v = rows + top - int(self._corner[1])
        height, width = self._pictures.shape[1:3]
        own = (u >= 0) & (v >= 0) & (u < width) & (v < height)
        u, v, rows, columns = u[own], v[own], rows[own], columns[own]
        share = seen[rows, columns][:, None]
        ball, _, iris, glint, lesser, shown = self._pictures
        own_colour = photo[rows + top, columns + left].astype(np.float32)
        dry = without_glint(own_colour, glint[v, u] + lesser[v, u], iris[v, u])
        ball[v, u] = np.round(ball[v, u] + share * (dry - ball[v, u])).astype(np.uint8)
        shown[v, u] = np.round(shown[v, u] + share * (own_colour - shown[v, u])).astype(np.uint8)

    def follow(self, placement: Placement, motion: NDArray[np.float32]) -> None:
        """Take in how a frame moves the eye; as far as it does, take the ball off what is skin."""
        yaw, pitch = (float(angle) for angle in motion[GAZE_SLICE])
        gaze = hypot(sin(yaw), sin(pitch)) * self._ball_radius / (0.4 * self._iris_radius)
        self._placed = self._landmarks(placement.positions)
        wider = self._gap(self._placed) / (self._rest_gap * hypot(*placement.rotation[:, 1].tolist()))
        self._leaving = max(ease(gaze), ease((wider - _STILL) / _WIDER))
        share = max(self._leaving, ease(self._closing(motion) / 0.3))
        if share != self._bared and self._skin_at_rest.size:
            fade(self._source, self._skin_at_rest, self._skin_bared, share, **self._skin_corner)
        self._bared = share

    def _closing(self, motion: NDArray[np.float32]) -> float:
        """How much of the way to the lower lid the upper one has gone, 0..1: it follows the gaze down."""
        shut, down = float(motion[self._blink]), float(motion[self._look_down])
        down = max(down - _STILL_DOWN, 0.0) / (1 - _STILL_DOWN)
        return 1 - (1 - shut) * (1 - self._lowered * down)

    def _gap(self, landmarks: NDArray[np.float32]) -> float:
        """Measure how far the lids are apart, at the middle third of the eye, in pixels."""
        count = self._across
        third = count // 3
        upper, lower = landmarks[third : count - third], landmarks[count + third : 2 * count - third]
        apart = lower - upper
        return max(float(np.hypot(apart[:, 0], apart[:, 1]).mean()), 1e-3)

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
        box, opened = self.opening.cut(placement, box)
        if not opened.any():
            return
        light, width = opened, self._frame.width
        if self._leaving > 0:
            light = np.empty_like(opened)
            soft = gaussian(_SOFT * width)
            blur(opened, soft, soft, light)
            opened = opened + np.float32(self._leaving) * (light - opened)
            blur(opened, gaussian(_LIGHT * width), gaussian(_LIGHT * width, _FROM_ABOVE * width), light)
        left, top = box[:2]
        look = self._ball_look(placement, left, top, motion)
        held, lid_left, lid_top = (
            (_NO_LID, 0, 0) if lid is None else (lid.held, lid.box[0] - left, lid.box[1] - top)
        )
        draw_ball(picture, left, top, opened, light, self._pictures, held, lid_left, lid_top, look)

    def _ball_look(self, placement: Placement, left: int, top: int, motion: NDArray[np.float32]) -> BallLook:
        """Say how the ball is turned and lit, over a layer with that corner."""
        yaw, pitch = (float(angle) for angle in motion[GAZE_SLICE])
        a, b, u, c, d, v = placement.unturning(self._depth)
        red, green, blue = self._shade
        return BallLook(
            u_along=a,
            u_down=b,
            u=u + a * left + b * top - float(self._corner[0]),
            v_along=c,
            v_down=d,
            v=v + c * left + d * top - float(self._corner[1]),
            iris_x=float(self._iris[0]),
            iris_y=float(self._iris[1]),
            iris_radius=self._iris_radius,
            turned_x=sin(yaw) * self._ball_radius,
            turned_y=-sin(pitch) * self._ball_radius,
            follows=_GLINT_FOLLOWS,
            leaving=self._leaving,
            shade_red=red,
            shade_green=green,
            shade_blue=blue,
            shadow=_SHADOW * ease(self._closing(motion) / 0.5),
            shadow_reach=_SHADOW_REACH * self._frame.width,
        )

    def _place_lid(self, placement: Placement, closing: float, risen: float) -> _Lid:
        """Lay the lid's strip between its fold and its margin, and read where its pixels come from.

        closing: how far the upper lid has come down; risen: how far the lower one has come up to it; 0..1.
        """
        landmarks = self._placed
        placed = self._curves + self._mixing @ (landmarks - self._rest)
        upper, lower, fold = placed[:_COLUMNS], placed[_COLUMNS : 2 * _COLUMNS], placed[2 * _COLUMNS :]
        arched = ease(closing / 0.5)
        upper = upper + arched * self._to_arch
        margin = upper + closing * (lower - upper)
        across = landmarks[self._across - 1] - landmarks[0]
        below = LASH_BELOW * np.array([-across[1], across[0]])
        flat = np.zeros((3 * _COLUMNS, 3), np.float32)
        flat[:, :2] = np.concatenate([margin + below, margin, fold])
        goal = self._shut_lid + np.float32(risen) * (self._met_lid - self._shut_lid)
        start = self._open_lid + np.float32(arched) * (self._arched_lid - self._open_lid)
        attributes = start + np.float32(closing) * (goal - start)
        box = bounds(flat[:, :2], placement.depth.shape, 1)
        flat[:, :2] -= box[:2]
        shape = (box[3] - box[1], box[2] - box[0])
        held = np.full((*shape, 6), OUTSIDE, np.float32)
        depth = np.full(shape, np.inf, np.float32)
        raster_attributes(flat, self._strips, attributes.reshape(-1, 6), held, depth)
        return _Lid(box, held)

    def _draw_lid(self, picture: Frame, lid: _Lid, closing: float) -> None:
        width = self._frame.width
        rows, columns = np.subtract(self._lashes.shape[1:], 3) / (LASH_ABOVE + LASH_BELOW, 1 + 2 * LASH_SIDE)
        red, green, blue = self._lash_tint
        look = LidLook(
            painted=ease(closing / 0.35),
            shown=ease(closing / 0.08),
            overhang=0.02 * width + 0.5,
            line=ease(closing / 0.1),
            hair=ease((closing - 0.4) / 0.5),
            # The lashes' sheet has an empty rim of one sample.
            lash_x=1 + LASH_SIDE * float(columns),
            lash_along=float(columns) / width,
            lash_y=1 + LASH_ABOVE * float(rows),
            lash_up=float(rows) / width,
            red=red,
            green=green,
            blue=blue,
        )
        left, top = lid.box[:2]
        # Its fold stays where it is: only what lies below it is carried along.
        draw_lid(picture, left, top, lid.held, self._lid, self._own, self._rim, self._lashes, look)


def _read(picture: NDArray[Any], places: NDArray[np.float32]) -> NDArray[np.float32]:
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


def _shade(white: NDArray[np.uint8], lid: NDArray[np.uint8]) -> tuple[float, float, float]:
    """How light the ball is beside a lid, in red, green and blue: the light there comes off the skin."""
    ball, skin = (picture.mean(axis=(0, 1)) + 1.0 for picture in (white, lid))
    tint = (skin / ball) ** _TINTED
    red, green, blue = np.clip(_SHADE * tint / tint.mean(), 0.0, 1.0)
    return float(red), float(green), float(blue)


def _disc(away: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much an iris covers at distances from its centre in its radii."""
    return np.asarray(_smooth((1.10 - away) / 0.2), np.float32)


def _lesser_reflections(glint: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mark by 1 what of reflections, uint8[height, width, 3], is fainter and smaller than the brightest."""
    strength = glint.max(axis=2)
    count, pieces = cv2.connectedComponents((strength > 0).astype(np.uint8))
    peaks = np.array([strength[pieces == piece].max(initial=0) for piece in range(count)])
    sums = np.bincount(pieces.ravel(), weights=strength.ravel())
    brightest = int(peaks.argmax())
    fainter = (peaks <= _FAINTER * peaks[brightest]) & (sums <= _SMALLER * sums[brightest])
    return np.asarray(fainter[pieces][..., None], np.uint8)


def _closed_line(frame: EyeFrame, x: Floats) -> Floats:
    """Where the closed lids meet: a smooth arc that nowhere leaves the lower margin uncovered."""
    share = np.clip(x / frame.width, 0, 1)
    # All but at the corners: right beside them the white would show.
    overlap = OVERLAP * frame.width * _smooth(np.minimum(share, 1 - share) / 0.06)
    return np.asarray(np.maximum(_arc(frame, x, frame.lower), frame.lower(x)) + overlap, np.float64)


def _drawn_below(
    frame: EyeFrame, pictures: dict[str, Pixels], corner: NDArray[np.float32], x: Floats
) -> Floats:
    """How far below the landmarks' closed line the photo draws the lower lid's, in pixels at x, 0 for none.

    A shut lid that ended above that line would leave two.
    """
    width = frame.width
    height, wide = pictures["skin"].shape[:2]
    rows, columns = np.mgrid[:height, :wide].astype(np.float64)
    across, down = frame.framed(np.stack([columns, rows], axis=-1) + corner)
    inside = (across > 0) & (across < width) & (down < frame.lower(across))
    seen = np.where(inside, lightness(pictures["lid"]), lightness(pictures["skin"]))
    dark = thin_and_dark(np.asarray(seen, np.float32), 0.2 * width)
    along, below = np.meshgrid(
        np.linspace(-_SIDE, 1 + _SIDE, _FINELY), np.linspace(0, _LINE_BELOW, 19), indexing="ij"
    )
    along, below = along * width, below * width
    places = frame.place(along, _closed_line(frame, along) + below) - corner
    there = np.clip(_read(dark, np.asarray(places, np.float32)) - _LINE_DARK, 0, None)
    clear = _smooth(there.max(axis=1) / _LINE_DARK)
    way = (there * below).sum(axis=1) / np.maximum(there.sum(axis=1), 1e-6)
    # One smooth bend, also where an iris hides the line.
    waves = np.cos(np.pi * np.outer(np.clip(along[:, 0] / width + 0.1, 0, 1.2) / 1.2, np.arange(5)))
    weighted = waves * clear[:, None]
    goal = weighted.T @ (way + _LINE_COVERED * width)
    bends = np.linalg.solve(weighted.T @ waves + _STIFF * np.diag(1 + np.arange(5) ** 2), goal)
    return np.asarray(np.interp(x, along[:, 0], np.maximum(waves @ bends, 0)), np.float64)


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


def _smooth(x: NDArray[Any]) -> NDArray[Any]:
    x = np.clip(x, 0, 1)
    return np.asarray(x * x * (3 - 2 * x))
