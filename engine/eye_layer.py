"""Eyes: the ball behind the lids, the lids as they look when closed, and the lashes on their margin.

A photo of open eyes shows little of an upper lid: a strip, often in the shadow of its fold and under lashes.
Stretching that strip over the eye drags lashes and shadow along. So the closed lid is painted anew, from
the tones of the skin around the eye, and wiped down from its fold over the ball.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.eye_frame import EYE_POINTS, EyeFrame, Floats, Side
from mien.engine.head import HeadModel
from mien.engine.head_fit import HeadFit, smoothstep

PICTURES: Final = ("iris", "white", "glint", "skin", "lid", "rim")
"""What an eye's sheet holds, from top to bottom, each over the same part of the photo:

iris: the iris, a whole disc, where the photo has it, without the reflections on it;
white: the eyeball without iris and lids;
glint: the reflections, as shares of the way to white, 0..255;
skin: the photo without what it shows of the ball;
lid: the upper lid, closed, behind the rim;
rim: the rim of a pair of glasses that crosses the lid, 0..255."""

_LASH_STEPS: Final = 2
"""Samples a pixel of the lash sheet."""

LASH_SIDE: Final = 0.20
"""Lashes reach so many eye widths past the corners, and so on."""
LASH_ABOVE: Final = 0.12
LASH_BELOW: Final = 0.26

OVERLAP: Final = 0.03
"""A closed upper lid reaches so many eye widths past the lower one's margin."""

_BESIDE: Final = 0.5
_ABOVE: Final = 1.0
_BELOW: Final = 0.6
"""How far an eye's pictures reach past its corners, in eye widths."""

_RIM: Final = 0.3
"""A line at least so much darker than the skin about it, all along, is the rim of glasses."""

_PAST_RIM: Final = 0.05
"""What lies so many eye widths beside it, such as its gleam, goes with it."""

_WIDEST_FOLD: Final = 0.14
"""A fold's line is at most so many eye widths wide."""

_FLATTER: Final = 0.75
"""How much of that line a closed lid loses: it is stretched."""

_FAINTEST_LINE: Final = 0.28
"""Even lids without lashes meet in a line."""

_THICKEST_LINE: Final = 0.085
"""In eye widths."""

_BELOW_MARGIN: Final = 0.05
"""The line may reach so many eye widths below the margin that landmarks see."""


@dataclass(frozen=True, slots=True)
class EyeLayer:
    """One eye."""

    sheet: NDArray[np.uint8]
    """uint8[len(PICTURES) * height, width, 3]."""

    lashes: NDArray[np.uint8]
    """uint8[2, rows, columns]: how dark the closed lids' line is, 0..255, and how dark the lashes below it;
    rows run from above the lid's margin to below."""

    numbers: NDArray[np.float32]
    """float32[7]: left and top of its pictures, the iris' x, y and radius, the ball's z and radius."""


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """The part of the photo round an eye."""

    frame: EyeFrame
    low: NDArray[np.int64]
    """int64[2]: its left and top."""

    picture: NDArray[np.float32]
    """float32[height, width, 3]."""

    x: Floats
    """float64[height, width]: each pixel in the eye's frame."""

    y: Floats

    def at(self, picture: NDArray[np.float32], x: Floats, y: Floats) -> NDArray[np.float32]:
        """Read a picture of the same extent at places of the frame."""
        places = (self.frame.place(x, y) - self.low).astype(np.float32)
        read = cv2.remap(
            picture, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(read, np.float32)

    def blurred(self, picture: NDArray[np.float32], widths: float) -> NDArray[np.float32]:
        """Blur by a Gaussian of so many eye widths."""
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), max(widths * self.frame.width, 0.3)), np.float32)

    def spread(self, weight: NDArray[np.float32], widths: float) -> NDArray[np.float32]:
        """Average the picture's weighted pixels, by normalized convolution (Knutsson and Westin 1993)."""
        total = self.blurred(self.picture * weight[..., None], widths)
        share = self.blurred(weight, widths)[..., None]
        overall = (self.picture * weight[..., None]).sum(axis=(0, 1)) / max(float(weight.sum()), 1e-6)
        few = np.float32(1e-3)
        return np.asarray((total + few * overall) / (share + few), np.float32)


def build_eye(
    head: HeadModel, fit: HeadFit, picture: NDArray[np.uint8], points: NDArray[np.float32], side: Side
) -> EyeLayer:
    """Cut an eye out of the photo, complete what the lids hide, and paint the lid that closes it."""
    frame = EyeFrame.of(points, side)
    around = _surroundings(frame, picture)
    eye = EYE_POINTS[side]
    centre, radius = _iris(around, points[list(eye.iris), :2].astype(np.float64))
    tone = _skin_tone(around)
    iris, white, glint = _ball(around, tone, centre, radius)
    rim = _rim(around)
    skin = _bare_skin(around, tone, centre, radius)
    skin = skin + _flattened(around, rim)
    lid = _closed_lid(around, tone, rim)
    lid = lid + rim[..., None] * (around.picture - lid)
    pictures = {"iris": iris, "white": white, "glint": glint, "skin": skin, "lid": lid}
    pictures["rim"] = 255 * np.repeat(rim[..., None], 3, axis=2)
    sheet = np.concatenate([pictures[name] for name in PICTURES])

    part = head.part(f"{side}_eye")
    model = head.vertices[part] + np.tensordot(fit.identity, head.identities[:, part], 1)
    front = fit.project(model[:1])[0]
    ball_radius = fit.scale * _ball_radius(head.vertices[part].astype(np.float64))
    numbers = np.array([*around.low, *centre, radius, front[2], ball_radius], np.float32)
    lashes = _lashes(around, tone, rim, centre, radius)
    return EyeLayer(np.clip(np.round(sheet), 0, 255).astype(np.uint8), lashes, numbers)


def _surroundings(frame: EyeFrame, picture: NDArray[np.uint8]) -> _Surroundings:
    across = np.array([-_BESIDE, 1 + _BESIDE]) * frame.width
    places = frame.place(*np.meshgrid(across, np.array([-_ABOVE, _BELOW]) * frame.width)).reshape(-1, 2)
    height, width = picture.shape[:2]
    low = np.floor(places.min(axis=0)).astype(np.int64).clip(0)
    high = np.ceil(places.max(axis=0)).astype(np.int64).clip(None, [width, height])
    region = picture[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    rows, columns = np.mgrid[low[1] : high[1], low[0] : high[0]].astype(np.float64)
    x, y = frame.framed(np.stack([columns, rows], axis=-1))
    return _Surroundings(frame, low, region, x, y)


def lightness(picture: NDArray[Any]) -> NDArray[np.float32]:
    """Return the luma of a picture, [..., 3]: float32[...], as BT.601 weighs its colours."""
    return np.asarray(picture @ np.array([0.299, 0.587, 0.114], np.float32))


def _ball_radius(vertices: Floats) -> float:
    """Radius of the sphere on which vertices lie, by linear least squares."""
    system = np.column_stack([2 * vertices, np.ones(len(vertices))])
    solved = np.linalg.lstsq(system, (vertices**2).sum(axis=1), rcond=None)[0]
    return float(np.sqrt(solved[3] + (solved[:3] ** 2).sum()))


def _iris(around: _Surroundings, marks: Floats) -> tuple[Floats, float]:
    """Refine an iris' centre and radius: where brightness rises most from inside to outside.

    marks: its landmarks, float64[5, 2]. Only what the lids leave in sight counts, as in Daugman 1993,
    equation 1; the search stays near the landmarks.
    """
    frame = around.frame
    first = float(np.linalg.norm(marks[1:] - marks[0], axis=1).mean())
    smooth = around.blurred(lightness(around.picture), 0.02)
    turns = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    circle = np.stack([np.cos(turns), np.sin(turns)], axis=-1)
    best, found = 0.0, (marks[0], first)
    for dx in np.linspace(-0.15, 0.15, 5) * first:
        for dy in np.linspace(-0.15, 0.15, 5) * first:
            for radius in np.linspace(0.85, 1.15, 7) * first:
                centre = marks[0] + [dx, dy]
                inner, outer = (centre + circle * radius * share for share in (0.88, 1.12))
                x, y = frame.framed(outer)
                margin = 0.04 * frame.width
                shown = (y > frame.upper(x) + margin) & (y < frame.lower(x) - margin)
                if shown.sum() < 12:
                    continue
                places = [(ring[shown] - around.low).astype(np.float32) for ring in (inner, outer)]
                low, high = (
                    cv2.remap(smooth, place[:, 0].copy(), place[:, 1].copy(), cv2.INTER_LINEAR)
                    for place in places
                )
                rise = float(np.mean(high - low)) * np.sqrt(float(shown.mean()))
                rise *= 1 - 0.4 * float(np.hypot(dx, dy)) / first - 0.4 * abs(radius / first - 1)
                if rise > best:
                    best, found = rise, (centre, float(radius))
    return found


def _skin_tone(around: _Surroundings) -> NDArray[np.float32]:
    """Smooth tone of the skin about the eye, as if neither eye nor brow nor lashes nor shadow were there."""
    frame, width = around.frame, around.frame.width
    above = around.y < frame.upper(around.x) - 0.10 * width
    below = around.y > frame.lower(around.x) + 0.12 * width
    clear = (above & (around.y > frame.brow(around.x) + 0.08 * width)) | below
    luma = lightness(around.picture)
    usual = float(np.percentile(luma[clear], 60))
    lit = smoothstep((luma / usual - 0.5) / 0.35) * smoothstep((1.5 - luma / usual) / 0.2)
    return around.spread((clear * lit).astype(np.float32), 0.2)


def _closed_lid(
    around: _Surroundings, tone: NDArray[np.float32], rim: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Paint the upper lid over the closed eye: from the colours at its fold to the tone of skin about it."""
    frame, width = around.frame, around.frame.width
    fold = frame.fold(around.x)
    under = np.maximum(around.y - fold, 0) / width
    # Neither lines that are drawn or that lashes make, nor the ball, are skin.
    within = (around.y > frame.upper(around.x)) & (around.y < frame.lower(around.x))
    within &= (around.x > 0) & (around.x < width)
    shade = lightness(around.picture)
    lines = thin_and_dark(np.where(within, lightness(tone), shade), 0.2 * width)
    clear = smoothstep((0.3 - lines) / 0.2) * (1 - rim) * ~within
    smooth = around.spread(clear.astype(np.float32), 0.07)
    edge = around.blurred(around.at(smooth, around.x, fold), 0.10)
    # What the open eye shows of the lid tells its colour, unless it lies in shadow or under lashes.
    seen = frame.upper(around.x) - fold
    rows = [around.at(smooth, around.x, fold + share * seen) for share in (0.2, 0.4, 0.6, 0.8)]
    lightest = np.argmax([lightness(row) for row in rows], axis=0)
    strip = around.blurred(np.choose(lightest[..., None], rows), 0.15)
    told = smoothstep((lightness(strip) / lightness(tone) - 0.7) / 0.25).astype(np.float32)[..., None]
    base = tone + 0.85 * told * (strip - tone)
    share = np.exp(-under / 0.13).astype(np.float32)[..., None]
    lid = base + share * (edge - base)
    # A lid is round: lightest half-way down its middle, darker where it turns under and into the corners.
    tall = np.maximum(frame.lower(around.x) - fold, 1.0) / width
    sideways = np.clip(np.abs(2 * around.x / width - 1), 0, 1)
    bulge = 0.12 * np.exp(-((under / tall - 0.38) ** 2) / 0.06) * (1 - sideways**2) - 0.06 * sideways**3
    bulge -= 0.13 * smoothstep((under / tall - 0.55) / 0.5) * (1 - sideways**4)
    return np.asarray(lid * (1 + bulge[..., None]) + _grain(around), np.float32)


def _grain(around: _Surroundings) -> NDArray[np.float32]:
    """Carry the finest texture of the skin below the eye up to where the lid will lie."""
    frame, width = around.frame, around.frame.width
    fine = around.picture - around.blurred(around.picture, 0.03)
    # There and back again between two lines below the eye.
    lower, period = frame.lower(around.x), 0.33 * width
    turned = np.abs(np.mod((lower - around.y) / period, 2) - 1) * period
    grain = around.at(fine, around.x, lower + 0.14 * width + turned)
    # The glow of a drawn line beside it is no grain.
    usual = 4 * float(np.median(np.abs(grain[(around.x > 0) & (around.x < width)])))
    return np.asarray(np.clip(grain, -min(usual, 8.0), min(usual, 8.0)))


def _bare_skin(
    around: _Surroundings, tone: NDArray[np.float32], centre: Floats, radius: float
) -> NDArray[np.float32]:
    """Take away what of the ball lies beyond the landmarks' lids: it would stay when the ball moves."""
    frame, width = around.frame, around.frame.width
    past = around.y - frame.lower(around.x)
    away = np.hypot(around.x - frame.framed(centre)[0], around.y - frame.framed(centre)[1])
    luma, skin = lightness(around.picture), lightness(tone)
    dark = smoothstep((1.25 - away / radius) / 0.15) * smoothstep((1 - luma / skin) / 0.3)
    spread = around.picture.max(axis=2) - around.picture.min(axis=2)
    usual = tone.max(axis=2) - tone.min(axis=2)
    pale = smoothstep((0.75 - spread / np.maximum(usual, 1)) / 0.3) * smoothstep((luma / skin - 0.8) / 0.15)
    band = smoothstep((0.11 - past / width) / 0.04) * smoothstep((0.10 + past / width) / 0.05)
    inside = (around.x > -0.05 * width) & (around.x < 1.05 * width)
    share = around.blurred((np.maximum(dark, pale) * band * inside).astype(np.float32), 0.015)[..., None]
    margin = around.at(around.blurred(around.picture, 0.03), around.x, frame.lower(around.x) + 0.13 * width)
    return np.asarray(around.picture + share * (margin - around.picture), np.float32)


def _flattened(around: _Surroundings, rim: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what to add so that the fold of the upper lid is as faint as that of a closed lid."""
    frame, width, picture = around.frame, around.frame.width, around.picture
    size = max(3, round(_WIDEST_FOLD * width)) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    even = around.blurred(np.asarray(cv2.morphologyEx(picture, cv2.MORPH_CLOSE, disc), np.float32), 0.03)
    off = (around.y - frame.fold(around.x)) / width
    past = np.maximum(np.maximum(-around.x, around.x - width), 0) / width
    near = smoothstep((off + 0.05) / 0.04) * smoothstep((0.16 + past - off) / 0.04)
    near = near * smoothstep((frame.upper(around.x) / width - around.y / width - 0.03) / 0.04)
    # A line as dark as hair or the side of a pair of glasses is no fold.
    dark = np.asarray(1 - lightness(picture) / np.maximum(lightness(even), 1), np.float32)
    dark = around.blurred(np.asarray(cv2.dilate(dark, disc), np.float32), 0.05)
    share = _FLATTER * near * smoothstep((0.2 - past) / 0.2) * smoothstep((0.5 - dark) / 0.15) * (1 - rim)
    return np.asarray(share[..., None] * np.maximum(even - picture, 0), np.float32)


def _ball(
    around: _Surroundings, tone: NDArray[np.float32], centre: Floats, radius: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Complete the ball behind the lids: return its iris, it without the iris, and its reflections."""
    frame, width, picture = around.frame, around.frame.width, around.picture
    x, y = frame.framed(centre)
    away = np.hypot(around.x - x, around.y - y)
    over, under = around.y - frame.upper(around.x), frame.lower(around.x) - around.y
    deep = np.where((around.x > 0) & (around.x < width), np.minimum(over, under), -1.0)
    iris, glint = _iris_disc(around, deep, away, centre, radius)

    luma = lightness(picture)
    sure = (deep > 0.06 * width) & (away > 1.25 * radius)
    if sure.sum() > 8:
        usual = float(np.median(luma[sure]))
        weight = sure * (0.1 + smoothstep((luma / usual - 0.55) / 0.3))
        plain = around.blurred(around.spread(weight.astype(np.float32), 0.12), 0.05)
    else:
        plain = np.asarray(0.6 * tone.mean(axis=2, keepdims=True) + 0.4 * tone, np.float32)
    # The shadow of the lids is drawn with them: the photo's own would stay as a ring.
    white = 1.03 * plain
    kept = smoothstep((deep - 0.06 * width) / (0.08 * width)) * smoothstep((away / radius - 1.2) / 0.25)
    shadow = smoothstep((0.95 - luma / np.maximum(lightness(plain), 1)) / 0.15)
    shadow = shadow * smoothstep((0.24 - deep / width) / 0.08)
    # The corners' pink is no shadow.
    kept = kept * (1 - shadow * smoothstep((np.minimum(around.x, width - around.x) / width - 0.12) / 0.1))
    share = around.blurred(kept.astype(np.float32), 0.02)[..., None]
    white = white + share * (picture - white)
    return iris, np.asarray(white, np.float32), glint


def _iris_disc(
    around: _Surroundings, deep: Floats, away: Floats, centre: Floats, radius: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Complete the iris by its colours at equal radius; return it, and the reflections on it.

    deep: how far inside the lids each pixel lies; away: how far from the iris' centre; both in pixels.
    """
    picture, width = around.picture, around.frame.width
    core = smoothstep((deep - 0.03 * width) / (0.05 * width))
    rings = np.arange(int(1.3 * radius) + 2)
    profile = np.zeros((len(rings), 3))
    known = []
    for ring in rings:
        chosen = (np.abs(away - ring) <= 0.8) & (core > 0.5)
        if chosen.sum() > 2:
            profile[ring] = np.median(picture[chosen], axis=0)
            known.append(ring)
    if not known:
        return picture.copy(), np.zeros_like(picture)
    flat = away.ravel().clip(0, rings[-1])
    disc = np.stack([np.interp(flat, known, profile[known, c]) for c in range(3)], axis=1)
    disc = disc.reshape(picture.shape).astype(np.float32)
    excess = lightness(picture - disc)
    dull = float(np.percentile(lightness(disc)[away < 0.9 * radius], 90))
    spot = smoothstep((excess - 25) / 25) * smoothstep((lightness(picture) - dull - 5) / 25)
    spot = spot * smoothstep((0.95 - away / radius) / 0.15) * (core > 0.1)
    grown = np.asarray(cv2.dilate(spot.astype(np.float32), np.ones((3, 3), np.uint8)), np.float32)
    bright = around.blurred(grown, 0.012)[..., None]
    glint = np.clip(bright * np.maximum(picture - disc, 0) / np.maximum(255 - disc, 1), 0, 1)
    glint = np.round(255 * glint)
    dull_picture = without_glint(picture, glint, disc)
    # Half of the disc shows what the lids hide of the other.
    mirror = 2 * around.frame.framed(centre)[1] - around.y
    whole = disc + 0.7 * around.at(core.astype(np.float32), around.x, mirror)[..., None] * (
        around.at(dull_picture, around.x, mirror) - disc
    )
    whole += core[..., None] * (dull_picture - whole)
    return np.asarray(whole, np.float32), np.asarray(glint, np.float32)


def without_glint(picture: NDArray[Any], glint: NDArray[Any], beneath: NDArray[Any]) -> NDArray[np.float32]:
    """Take reflections, 0..255 of the way to white, off a picture; beneath: what is under the brightest."""
    share = glint.astype(np.float32) * np.float32(1 / 255)
    bared = np.clip((picture - 255 * share) / np.maximum(1 - share, 1e-3), 0, 255)
    return np.where(share > 0.97, beneath, bared).astype(np.float32)


def _lashes(
    around: _Surroundings,
    tone: NDArray[np.float32],
    rim: NDArray[np.float32],
    centre: Floats,
    radius: float,
) -> NDArray[np.uint8]:
    """Measure lid line and lashes where the photo shows them, and turn the lashes down."""
    frame, width = around.frame, around.frame.width
    step = 1 / _LASH_STEPS
    columns = np.linspace(-LASH_SIDE, 1 + LASH_SIDE, round((1 + 2 * LASH_SIDE) * width / step)) * width
    rows = np.linspace(LASH_ABOVE, -LASH_BELOW, round((LASH_ABOVE + LASH_BELOW) * width / step)) * width
    h = np.broadcast_to(rows[:, None], (len(rows), len(columns)))
    luma = lightness(around.picture)
    # The ball is no lash: were it left in, a dark iris would hide the line above it.
    within = (around.y > frame.upper(around.x)) & (around.y < frame.lower(around.x))
    within &= (around.x > 0) & (around.x < width)
    bare = thin_and_dark(np.where(within, lightness(tone), luma), 0.2 * width) * (1 - rim)

    # The line: how dark and how thick the margin is, evened out along it; before the iris, of which part
    # would count as line, as on both sides of it.
    deeper = within & (around.y > frame.upper(around.x) + _BELOW_MARGIN * width)
    margin = thin_and_dark(np.where(deeper, lightness(tone), luma), 0.2 * width) * (1 - rim)
    along, up = np.meshgrid(columns, np.arange(-_BELOW_MARGIN * width, 0.12 * width, step))
    band = around.at(margin, along, frame.upper(along) - up)
    beside = np.abs(columns - frame.framed(centre)[0]) > 1.1 * radius
    deepest, thick = (
        _evened(np.interp(columns, columns[beside], measured[beside]), 0.05 * width / step)
        for measured in (band.max(axis=0), band.sum(axis=0) * step / np.maximum(band.max(axis=0), 0.1))
    )
    deepest = np.maximum(deepest, _FAINTEST_LINE)
    outer, inner = (0.0, width) if frame.outer == 0 else (width, 0.0)
    ends = np.clip((columns - inner) / (outer - inner), -1, 2)
    thick = np.clip(thick, 0.025 * width, _THICKEST_LINE * width)
    # It ends in a point at either corner: a blunt end that turns up reads as the rim of an open eye.
    taper = 0.25 + 0.75 * smoothstep((ends + 0.02) / 0.25) * smoothstep((1.12 - ends) / 0.35)
    inside = smoothstep((ends + 0.01) / 0.12) * smoothstep((1.12 - ends) / 0.2)
    off = (h / (taper * thick) - 0.3) / 0.66
    line = np.exp(-(np.abs(off) ** 2.5)) * np.clip(1.1 * deepest, 0, 0.88) * inside

    # Lashes grow from the margin without a break; closed lids let them hang, a little longer to the eye.
    reach = np.arange(0, 0.24 * width, step)
    along, up = np.meshgrid(columns, reach)
    grown = around.at(bare, along, frame.upper(along) - thick - up)
    grown = np.minimum.accumulate(grown, axis=0)
    down = np.clip((-h - 0.3 * thick) / step, 0, len(reach) - 1).astype(np.float32)
    column = np.broadcast_to(np.arange(len(columns), dtype=np.float32), h.shape)
    hair = cv2.remap(grown.astype(np.float32), np.ascontiguousarray(column), down, cv2.INTER_LINEAR)
    fringe = smoothstep(ends / 0.3) * smoothstep((1.06 - ends) / 0.16)
    hair = (hair - 0.12) * smoothstep(-h / (0.3 * thick)) * fringe
    hair = hair * smoothstep((h / width + LASH_BELOW) / 0.14)
    # Finer than a pixel, it would be scratches.
    hair = cv2.GaussianBlur(np.clip(hair, 0, 0.6), (0, 0), max(0.02 * width / step, 0.3))
    return np.round(255 * np.stack([line, hair])).astype(np.uint8)


def thin_and_dark(luma: NDArray[np.float32], across: float) -> NDArray[np.float32]:
    """Return how much darker each pixel is than what a disc of a diameter in pixels finds about it, 0..1."""
    size = max(3, round(across)) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    about = cv2.morphologyEx(luma, cv2.MORPH_CLOSE, disc)
    return np.asarray(np.clip(1 - luma / np.maximum(about, 1), 0, 1), np.float32)


def _rim(around: _Surroundings) -> NDArray[np.float32]:
    """Mark the rim of a pair of glasses that crosses the upper lid, 0..1: it stays in front of a closing lid.

    A rim is the one thin dark line there that goes on past both corners of the eye. Of parabolas in the eye's
    frame, the one is taken that is dark all along.
    """
    frame, width = around.frame, around.frame.width
    dark = thin_and_dark(lightness(around.picture), 0.25 * width)
    along = np.linspace(-0.35, 1.35, 35) * width
    middle = np.full(1, width / 2)
    heights = np.arange(
        float(frame.fold(middle)[0]) - 0.12 * width, float(frame.upper(middle)[0]), 0.02 * width
    )
    tilts, bends = np.linspace(-0.2, 0.2, 9), np.linspace(-0.2, 0.3, 11)
    height, tilt, bend = (grid.ravel()[:, None] for grid in np.meshgrid(heights, tilts, bends))
    off = along / width - 0.5
    curves = height + width * (tilt * off + bend * off**2)
    shades = around.at(dark, np.broadcast_to(along, curves.shape), curves)
    least = np.percentile(shades, 8, axis=1)
    best = int(np.argmax(least))
    if least[best] < _RIM:
        return np.zeros_like(dark)
    # How thick it is tells its part beside the eye, where no lashes touch it.
    steps = np.linspace(-0.14, 0.14, 57)
    beside = np.flatnonzero((along < 0) | (along > width))
    rows = curves[best, beside] + steps[:, None] * width
    profile = around.at(dark, np.broadcast_to(along[beside], rows.shape), rows).mean(axis=1)
    inside = steps[profile > 0.5 * profile.max()]
    across = around.x / width - 0.5
    curve = float(height[best, 0]) + width * (
        float(tilt[best, 0]) * across + float(bend[best, 0]) * across**2
    )
    off_middle = (around.y - curve) / width - (inside.min() + inside.max()) / 2
    # Below it, what it takes along ends where it is lightest: the lid's own line may lie close.
    centre, half = (inside.min() + inside.max()) / 2, 0.5 * float(np.ptp(inside))
    past = np.linspace(0, _PAST_RIM, 21)
    columns = np.linspace(-_BESIDE, 1 + _BESIDE, 81)
    middles = float(height[best, 0]) + width * (
        float(tilt[best, 0]) * (columns - 0.5) + float(bend[best, 0]) * (columns - 0.5) ** 2
    )
    rows = middles + (centre + half + past[:, None]) * width
    beneath = around.at(dark, np.broadcast_to(columns * width, rows.shape), rows)
    ends = past[20 - beneath[::-1].argmin(axis=0)]
    end = np.interp(around.x / width, columns, ends)
    above = smoothstep((half + _PAST_RIM + off_middle) / 0.03)
    below = smoothstep((half + end - off_middle) / np.clip(end, 0.01, 0.03))
    return np.asarray(above * below, np.float32)


def _evened(values: NDArray[Any], sigma: float) -> Floats:
    smooth = cv2.GaussianBlur(values.astype(np.float32)[None], (0, 0), max(sigma, 0.3))
    return np.asarray(smooth[0], np.float64)
