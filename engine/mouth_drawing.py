"""Draws the mouth: teeth, gums and tongue where the lips part, and the line where they meet."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.face_points import INNER_LIPS_BOTTOM, INNER_LIPS_TOP
from mien.engine.head import load_head, mouth_gap_weights
from mien.engine.motion import INDEX, SHAPE_SLICE
from mien.engine.mouth_lining import MouthLining
from mien.engine.opening import CROSS, FINE, Opening
from mien.engine.placement import Box, Frame, Pixels, Placement, bounds, ease
from mien.engine.portrait import Portrait
from mien.engine.tongue import Tongue, lets_out
from mien.kernels.raster import raster_attributes

_DIM: Final = 0.26
"""How light the mouth's inside is behind the narrowest opening."""
_SHADOW: Final = np.array([0.74, 1.08, 1.18], np.float32)
"""How dark that shade is in red, green and blue: what light there is comes off lips and gums."""
_LIGHT_REACH: Final = 0.026
"""From how far light comes in over an edge of the opening, in face widths."""
_LIGHT_FALL: Final = 0.014
"""How far the light is shifted down: it comes from above, and the upper lip shades the teeth behind it."""
_ROUNDING: Final = np.array([INDEX["mouthFunnel"], INDEX["mouthPucker"]])
_ROUNDED_DIM: Final = 0.3
"""How much darker it is behind rounded lips: they stand off the teeth and shade them."""
_COARSE: Final = 4
"""The light is worked out at so many times fewer pixels a side than openings are cut out at."""
_RIM: Final = np.array([0.30, 0.44, 0.42], np.float32)
"""How much darker lips turn, in red, green and blue, where they bend into an open mouth: wet and reddish."""
_RED_INSIDE: Final = 0.6
"""How colourful the mouth's inside of a coloured photo is: by what share its blue is below its red."""
_LINE: Final = np.array([0.55, 0.72, 0.72], np.float32)
_LINE_TABLE: Final = np.round(np.arange(256)[:, None, None] * (1 - _LINE)).astype(np.uint8)
"""What each level of a lip's red, green and blue becomes in the line between closed lips."""
_RIM_REACH: Final = 0.007
"""How wide that rim is, in face widths."""
_SLIT: Final = 2.0
"""Openings narrower than so many pixels, on average, are shown in part."""
_TOUCHING: Final = 2.0
"""Lips closer than so many pixels touch."""
_TOUCHING_FROM: Final = 0.5
"""From this share of the neutraliser on, lips that the photo parts may touch."""
_STIRRED: Final = 0.03
"""Once the lips have moved so far from the photo's, in face widths, only its teeth are still to be seen."""
_LINE_GONE: Final = ((0, 90, 165, 255), (0.06, 0.025, 0.025, 0.06))
"""Where lips have moved apart by so much, in face widths, nothing is left of the photo's line between them.

By place along the mouth, 0..255. At the corners it stays longest: it runs on past what opens."""
_MEETING: Final = 4
"""Of the rings of the lips, the one where they meet."""
_ALONG: Final = np.arange(256, dtype=np.float32)
_TONGUE_MARGIN: Final = 12
_TONGUE_SHADOW: Final = np.array([0.4, 0.48, 0.48], np.float32)
_TONGUE_SHADOW_REACH: Final = 0.012
"""How dark the shadow is that a tongue casts on the lip, and how soft, in face widths."""
_ROUND: Final[Pixels] = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))


class MouthDrawing:
    """One portrait's mouth."""

    def __init__(self, portrait: Portrait, photo: Frame) -> None:
        """Get ready. photo: uint8[H, W, 3], what skin is drawn from, is changed in place where lips part."""
        rings = load_head().rings[0]
        loop = INNER_LIPS_TOP + INNER_LIPS_BOTTOM[-2:0:-1]
        self.opening = Opening.within(portrait, rings[:10].ravel(), loop, _ROUND)
        self._portrait = portrait
        self._photo_teeth = np.dstack([portrait.picture, portrait.teeth_photo])
        left, top = (int(edge) for edge in portrait.lips_corner)
        height, width = portrait.lips_picture.shape[:2]
        area = (slice(top, top + height), slice(left, left + width))
        self._skin = photo[area]
        self._skin_at_rest = self._skin.astype(np.float32)
        # The photo given is the person alone: beyond the cheek of a turned face lies background.
        changed = portrait.lips_picture - portrait.picture[area].astype(np.float32)
        person = portrait.matte[area].astype(np.float32)[..., None] * np.float32(1 / 255)
        self._lips = np.clip(self._skin_at_rest + changed * person, 0, 255)
        self._lip_columns = _lip_columns()
        self._along, self._columns_at = self._measure_along((left, top))
        self._line_gone = np.interp(self._columns_at, *_LINE_GONE)
        self._between_at_rest = self._between(portrait.vertices)
        self._tongue, self._lining = Tongue(portrait), MouthLining(portrait)
        own = portrait.mouth_triangles - np.int32(portrait.runs[1])
        self._inside_triangles = np.concatenate([own, self._lining.triangles + len(portrait.mouth_paint)])
        self._inside_paint = np.concatenate([portrait.mouth_paint, self._lining.paint])
        self._tongue_triangles = _within(own, self._tongue.own)
        self._tongue_paint = np.ones((len(self._inside_paint), 4), np.float32)
        self._tongue_paint[self._tongue.own, :3] = self._tongue.lit(portrait.mouth_paint)
        head = load_head()
        teeth, first = head.part("upper_teeth"), head.mouth_inside().start
        self._upper_triangles = _within(own, slice(teeth.start - first, teeth.stop - first))
        self._gap_weights = mouth_gap_weights()
        colourful = _colourfulness(portrait.mouth_cavity)
        rim = _faded(_RIM, colourful)
        self._rim_table = np.round(np.arange(256)[:, None, None] * (1 - rim)).astype(np.uint8)
        self._shadow = _faded(_SHADOW, colourful)

    def parting(self, placement: Placement) -> Pixels:
        """Say how far the lips have parted from the photo's own line, uint8[256], from corner to corner.

        It is told by their movement in the head's own frame: a turn parts no lips.
        """
        moved = (self._between(placement.positions) @ placement.rotation - self._between_at_rest)[:, 1]
        shares = np.clip(moved / (self._line_gone * self._portrait.scale), 0, 1)
        shares = np.maximum(shares * shares * (3 - 2 * shares), placement.neutral)
        return np.asarray(np.round(255 * np.interp(_ALONG, self._columns_at, shares)), np.uint8)

    def part_lips(self, parting: Pixels) -> None:
        """Lay the lips' own colours over what lies between them in the photo, as far as they part there.

        Opened lips must not carry the dark line between them along, nor closing ones the teeth. Where they
        still touch, towards the corners, the photo's line stays: without it the mouth would look narrower.
        """
        share = cv2.LUT(self._along, parting).astype(np.float32) * np.float32(1 / 255)
        mixed = cv2.blendLinear(self._skin_at_rest, self._lips, 1 - share, share)
        self._skin[:] = cv2.convertScaleAbs(mixed)

    def _between(self, positions: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the way from the upper lip to the lower in each column, float32[columns, 3]."""
        upper, lower = (positions[columns[_MEETING]] for columns in self._lip_columns)
        return np.asarray(lower - upper, np.float32)

    def _measure_along(self, corner: tuple[int, int]) -> tuple[Pixels, NDArray[np.float32]]:
        """Say how far along the mouth the pixels of the lips' picture lie, and the columns of its vertices.

        corner: left and top of that picture. Returns uint8[height, width], where 0 and 255 are the mouth's
        corners, and float32[columns], increasing.
        """
        vertices = self._portrait.vertices[:, :2]
        first, last = vertices[load_head().rings[0][_MEETING][[len(load_head().rings[0][_MEETING]) // 2, 0]]]
        across = (last - first) * (255 / float((last - first) @ (last - first)))
        upper, lower = (vertices[columns[_MEETING]] for columns in self._lip_columns)
        columns = ((upper + lower) / 2 - first) @ across
        rows, width = self._skin.shape[:2]
        y, x = np.mgrid[:rows, :width].astype(np.float32)
        along = (x + corner[0] - first[0]) * across[0] + (y + corner[1] - first[1]) * across[1]
        along_columns = np.maximum.accumulate(columns + 1e-3 * np.arange(len(columns)))
        return np.clip(np.round(along), 0, 255).astype(np.uint8), along_columns.astype(np.float32)

    def draw(self, picture: Frame, placement: Placement, box: Box, motion: NDArray[np.float32]) -> None:
        """Draw teeth, gums and tongue where the lips part."""
        opened = cv2.morphologyEx(self.opening.mask(placement, box), cv2.MORPH_OPEN, CROSS)
        left, top, width, height = cv2.boundingRect(opened)
        if width * height == 0 or cv2.countNonZero(opened) < 6:
            return
        tongue = float(motion[INDEX["tongueOut"]])
        inside = self._inside(placement, tongue, float(self._gap_weights @ motion[SHAPE_SLICE]))
        # Room for the lips' rim to fade out.
        margin = FINE * (2 + round(3 * _RIM_REACH * self._portrait.scale))
        left, top = max(left - margin, 0) & ~1, max(top - margin, 0) & ~1
        right = min(left + width + 2 * margin + 2, opened.shape[1]) & ~1
        bottom = min(top + height + 2 * margin + 2, opened.shape[0]) & ~1
        opened = np.ascontiguousarray(opened[top:bottom, left:right], np.uint8)
        x, y = box[0] + left // FINE, box[1] + top // FINE
        small = ((right - left) // FINE, (bottom - top) // FINE)
        rounded = float(motion[_ROUNDING].sum())
        light = self._light(opened, small) * np.float32(1 - _ROUNDED_DIM * min(rounded, 1))
        colour = self._paint(inside, opened.shape, x, y, light)
        photo = self._photo_share(placement, motion)
        colour = self._with_photo(placement, colour, x, y, photo, light)
        alpha = cv2.resize(cv2.GaussianBlur(opened, (0, 0), 0.9), small, interpolation=cv2.INTER_AREA)
        # A slit shows little of what lies behind it, and must not flash up whole.
        shown = ease(cv2.countNonZero(opened) / (_SLIT * FINE * width))
        area = picture[y : y + small[1], x : x + small[0]]
        self._shade_rim(area, alpha, shown * (1 - photo))
        share = alpha.astype(np.float32) * np.float32(shown / 255)
        cv2.blendLinear(area, cv2.convertScaleAbs(colour), 1 - share, share, dst=area)
        out = lets_out(tongue)
        if out > 0:
            self._lay_over_lip(picture, placement, inside, ease(2 * out))

    def _inside(self, placement: Placement, tongue: float, gap: float) -> NDArray[np.float32]:
        """Place the mouth's inside and its lining, float32[vertices, 3] in pixels of the picture."""
        first, last = int(self._portrait.runs[1]), int(self._portrait.runs[2])
        inside = placement.positions[first:last].copy()
        if tongue > 0:
            self._tongue.articulate(inside, placement, tongue, gap)
        return np.concatenate([inside, self._lining.place(placement)])

    def _paint(
        self, inside: NDArray[np.float32], shape: tuple[int, ...], x: int, y: int, light: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Paint what lies behind the lips, float32[height, width, 3] at the light's resolution."""
        positions = inside.copy()
        # cv2.pyrDown keeps every second pixel: those that lie on the picture's own.
        positions[:, 0] = (positions[:, 0] - x) * FINE
        positions[:, 1] = (positions[:, 1] - y) * FINE
        colour = np.empty((*shape, 3), np.float32)
        colour[:] = self._portrait.mouth_cavity
        depth = np.full(shape, np.inf, np.float32)
        raster_attributes(positions, self._inside_triangles, self._inside_paint, colour, depth)
        # Its filter is wide enough that a tooth's edge moves on evenly, without a flicker.
        dark = self._portrait.mouth_cavity
        return dark + (np.asarray(cv2.pyrDown(colour), np.float32) - dark) * light

    def _lay_over_lip(
        self, picture: Frame, placement: Placement, inside: NDArray[np.float32], shown: float
    ) -> None:
        """Draw what of the tongue lies before the lips, with its shadow on them."""
        box = bounds(inside[self._tongue.own, :2], placement.depth.shape, _TONGUE_MARGIN)
        left, top, right, bottom = box
        width, height = right - left, bottom - top
        fine = inside.copy()
        fine[:, 0] = (fine[:, 0] - left) * FINE + 0.5
        fine[:, 1] = (fine[:, 1] - top) * FINE + 0.5
        before: Pixels = placement.depth[top:bottom, left:right]
        depth = np.ascontiguousarray(cv2.resize(before, None, fx=FINE, fy=FINE, interpolation=0), np.float32)
        colour = np.zeros((*depth.shape, 4), np.float32)
        # Upper teeth stay before it, though they were drawn already.
        raster_attributes(fine, self._upper_triangles, self._tongue_paint, colour, depth)
        colour.fill(0)
        raster_attributes(fine, self._tongue_triangles, self._tongue_paint, colour, depth)
        # The fourth channel of a tongue's paint is its cover: colours come out multiplied by it.
        soft = cv2.resize(
            cv2.GaussianBlur(colour, (0, 0), 0.8), (width, height), interpolation=cv2.INTER_AREA
        )
        cover = np.asarray(soft[..., 3], np.float32)
        reach = _TONGUE_SHADOW_REACH * self._portrait.scale
        fall = np.array([[1, 0, 0], [0, 1, 1.5 * reach]])
        shadow = cv2.warpAffine(cv2.GaussianBlur(cover, (0, 0), reach), fall, (width, height))
        area = picture[top:bottom, left:right]
        shade = 1 - shown * _TONGUE_SHADOW * np.asarray(shadow, np.float32)[..., None]
        mixed = area * shade * (1 - shown * cover[..., None]) + shown * soft[..., :3]
        area[:] = np.clip(np.round(mixed), 0, 255).astype(np.uint8)

    def _light(self, opened: Pixels, small: tuple[int, int]) -> NDArray[np.float32]:
        """Say how much light falls on each pixel, float32[height, width, 3].

        The smaller the opening the less comes in, and the nearer to its upper edge and its corners.
        """
        scale = self._portrait.scale
        coarse = (max(opened.shape[1] // _COARSE, 1), max(opened.shape[0] // _COARSE, 1))
        share: Pixels = cv2.resize(opened, coarse, interpolation=cv2.INTER_AREA).astype(np.float32)
        reach = _LIGHT_REACH * scale * FINE / _COARSE
        share = cv2.GaussianBlur(share, (0, 0), reach, borderType=cv2.BORDER_CONSTANT)
        step_x, step_y = coarse[0] / small[0], coarse[1] / small[1]
        fall = _LIGHT_FALL * scale * step_y
        to_coarse = np.array([[step_x, 0, step_x / 2 - 0.5], [0, step_y, step_y / 2 - 0.5 - fall]])
        share = cv2.warpAffine(share, to_coarse, small, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        light = np.minimum(share * np.float32(1.5 / 255), 1)
        shade: Pixels = cv2.merge([(1 - light) * np.float32(1 - _DIM)] * 3)
        return np.asarray(1 - shade * self._shadow, np.float32)

    def _shade_rim(self, area: Frame, alpha: Pixels, shown: float) -> None:
        """Darken the lips where they bend inwards, in place."""
        rim = cv2.GaussianBlur(alpha, (0, 0), _RIM_REACH * self._portrait.scale).astype(np.float32)
        share = np.minimum(rim * np.float32(1.6 * shown / 255), 1)
        cv2.blendLinear(area, cv2.LUT(area, self._rim_table), 1 - share, share, dst=area)

    def _photo_share(self, placement: Placement, motion: NDArray[np.float32]) -> float:
        """Say how much of the inside is as in the photo: all at rest, nothing once the lips have moved."""
        if not self._portrait.lips_parted:
            return 0.0
        stirred = float(np.abs(self._gap_weights) @ motion[SHAPE_SLICE]) / _STIRRED
        return (1 - placement.neutral) * (1 - ease(stirred))

    def _with_photo(
        self,
        placement: Placement,
        inside: NDArray[np.float32],
        x: int,
        y: int,
        share: float,
        light: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Lay what the photo itself shows of the mouth over the painted one, moved with the head.

        That is the given share of all of it, and the upper teeth, which do not move with the lips. The rest
        of it lies in the light of the new opening.
        """
        portrait = self._portrait
        if not portrait.lips_parted:
            return inside
        depth = float(portrait.vertices[portrait.runs[1] : portrait.runs[2], 2].min())
        back = np.array(placement.unturning(depth), np.float32).reshape(2, 3)
        back[:, 2] += back[:, :2] @ np.array([x, y], np.float32)
        size, flags = inside.shape[1::-1], cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        photo = np.asarray(cv2.warpAffine(self._photo_teeth, back, size, flags=flags), np.float32)
        mask = photo[..., 3]
        if share > 0:
            whole = np.asarray(cv2.warpAffine(portrait.mouth_photo, back, size, flags=flags), np.float32)
            mask = np.maximum(np.float32(share) * (whole + np.float32(share) * (255 - whole)), mask)
        mask = mask * np.float32(1 / 255)
        dark = portrait.mouth_cavity
        shaded = dark + (photo[..., :3] - dark) * (np.float32(share) + np.float32(1 - share) * light)
        return np.asarray(cv2.blendLinear(inside, shaded, 1 - mask, mask), np.float32)

    def shade_lip_line(self, picture: Frame, placement: Placement) -> None:
        """Draw the shadow between closed lips that the photo, its lips parted, does not have."""
        weight = ease(placement.neutral / _TOUCHING_FROM)
        if weight <= 0:
            return
        upper, lower = (placement.positions[columns, :2] for columns in self._lip_columns)
        across = np.arange(upper.shape[1])
        top = upper[upper[..., 1].argmax(axis=0), across]
        bottom = lower[lower[..., 1].argmin(axis=0), across]
        line = np.float32(0.5) * (top + bottom)
        left, up, right, down = bounds(line, placement.depth.shape, 5)
        mask = np.zeros((down - up, right - left), np.uint8)
        closed = bottom[:, 1] - top[:, 1] < _TOUCHING
        shifted = np.round((line - [left, up]) * 8).astype(np.int32)
        touching = np.flatnonzero(closed[:-1] & closed[1:])
        runs = np.split(touching, np.flatnonzero(np.diff(touching) > 1) + 1)
        lines = [shifted[run[0] : run[-1] + 2] for run in runs if len(run)]
        cv2.polylines(mask, lines, False, 255, 1, cv2.LINE_AA, 3)
        shadow = cv2.GaussianBlur(mask, (0, 0), 1.1).astype(np.float32) * np.float32(weight / 255)
        area = picture[up:down, left:right]
        cv2.blendLinear(area, cv2.LUT(area, _LINE_TABLE), 1 - shadow, shadow, dst=area)


def _lip_columns() -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Vertices of the inner lips, [rings, columns], upper and lower, from the picture's left to its right."""
    rings = load_head().rings[0][:8]
    half = rings.shape[1] // 2
    return rings[:, half - 1 : 0 : -1], rings[:, half + 1 :]


def _colourfulness(cavity: NDArray[np.float32]) -> float:
    """Say how red the mouth's inside is, from 0 in a grey photo to 1 in a coloured one."""
    return min(float(1 - cavity.min() / max(float(cavity.max()), 1.0)) / _RED_INSIDE, 1.0)


def _faded(colour: NDArray[np.float32], colourful: float) -> NDArray[np.float32]:
    """Return a colour as a grey photo has it, or one less colourful."""
    return np.asarray(colour.mean() + np.float32(colourful) * (colour - colour.mean()), np.float32)


def _within(triangles: NDArray[np.int32], run: slice) -> NDArray[np.int32]:
    """Return the triangles of one run of vertices."""
    inside = ((triangles >= run.start) & (triangles < run.stop)).all(axis=1)
    return np.ascontiguousarray(triangles[inside])
