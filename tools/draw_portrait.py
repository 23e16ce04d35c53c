"""Draw the portraits that are mien's own: people who do not exist, drawn wholly by this script.

    python tools/draw_portrait.py                # all, into build/portraits/
    python tools/draw_portrait.py --only iris --out /tmp

The face is a relief lit by two lamps, the rest is painted in layers whose edges are drawn at four times the
picture's size. One unit of the drawing is half a face width, with the origin between eyes and nose, x right,
y down. Everything random is seeded, so the same pixels come out each time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from looks import LOOKS, Colour, Look
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Points = NDArray[np.float64]

SIZE = 1024
"""Pixels a side of the finished picture."""

FINE = 4
"""Edges and hairs are drawn this many times larger, then averaged."""

UNIT = 196.0
"""Pixels of half a face width."""

ORIGIN = (SIZE / 2, 492.0)
PRECISION = 4
"""Bits of sub-pixel position in OpenCV's drawing calls."""


# ---- lines and areas ------------------------------------------------------------------------------------


def curve(points: object, *, closed: bool = False, steps: int = 24) -> Points:
    """Return a Catmull-Rom spline through points [n, 2], as points [n * steps, 2]."""
    knots = np.asarray(points, np.float64)
    if closed:
        before, after, further = np.roll(knots, 1, 0), np.roll(knots, -1, 0), np.roll(knots, -2, 0)
    else:
        padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
        before, knots, after, further = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    a, b, c, d = (each[:, None, :] for each in (before, knots, after, further))
    spline = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    joined = spline.reshape(-1, 2)
    return joined if closed else np.concatenate([joined, after[-1:]])


def mirrored(points: object) -> Points:
    """Return the same points on the other side of the face."""
    return np.asarray(points, np.float64) * [-1, 1]


def both_sides(half: object) -> Points:
    """Close a right half, given from top to bottom, with its mirror image."""
    right = np.asarray(half, np.float64)
    return np.concatenate([right, mirrored(right[-2:0:-1])])


def ribbon(path: Points, widths: Points) -> Points:
    """Return the outline of a stroke along a path, of a width that may change."""
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    across = along[:, ::-1] * [-1, 1] * widths[:, None] / 2
    return np.concatenate([path + across, (path - across)[::-1]])


def to_fine(points: object) -> NDArray[np.int32]:
    """Convert drawing units to the fine grid, in OpenCV's fixed point."""
    pixels = np.asarray(points, np.float64) * UNIT + ORIGIN
    return np.round(pixels * FINE * (1 << PRECISION)).astype(np.int32)


def area(*outlines: object, blur: float = 0.0) -> Floats:
    """Return how much each pixel is covered by filled outlines, float32[SIZE, SIZE]; `blur` in units."""
    fine = np.zeros((SIZE * FINE, SIZE * FINE), np.uint8)
    for outline in outlines:
        cv2.fillPoly(fine, [to_fine(outline)], 255, cv2.LINE_AA, PRECISION)
    return soften(averaged(fine) / np.float32(255), blur)


def averaged(fine: NDArray[np.uint8]) -> Floats:
    reduced = cv2.resize(fine.astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return np.asarray(reduced, np.float32)


def soften(cover: Floats, blur: float) -> Floats:
    if blur <= 0:
        return cover
    return np.asarray(cv2.GaussianBlur(cover, (0, 0), blur * UNIT), np.float32)


def shifted(cover: Floats, x: float, y: float) -> Floats:
    """Return a cover moved by x, y units."""
    matrix = np.array([[1, 0, x * UNIT], [0, 1, y * UNIT]], np.float64)
    return np.asarray(cv2.warpAffine(cover, matrix, (SIZE, SIZE)), np.float32)


def grid() -> tuple[Floats, Floats]:
    """Return every pixel's x and y in units."""
    rows, columns = np.indices((SIZE, SIZE), dtype=np.float32)
    return (columns + 0.5 - ORIGIN[0]) / UNIT, (rows + 0.5 - ORIGIN[1]) / UNIT


def bump(x: Floats, y: Floats, at: tuple[float, float], wide: float, high: float) -> Floats:
    """Return a soft hill of height 1."""
    return np.exp(-(((x - at[0]) / wide) ** 2) - ((y - at[1]) / high) ** 2)


def pair(x: Floats, y: Floats, at: tuple[float, float], wide: float, high: float) -> Floats:
    """Return two such hills, one on either side of the face."""
    return bump(x, y, at, wide, high) + bump(-x, y, at, wide, high)


def ramp(values: Floats, colours: tuple[Colour, ...]) -> Floats:
    """Map 0..1 to colours, evenly spaced, float32[SIZE, SIZE, 3]."""
    stops = np.linspace(0, 1, len(colours))
    channels = [np.interp(values, stops, [colour[k] for colour in colours]) for k in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def paint(picture: Floats, colour: Floats | Colour, cover: Floats) -> None:
    """Lay a colour over the picture, in place."""
    picture += cover[..., None] * (np.asarray(colour, np.float32) - picture)


def toned(colour: Colour, factor: float, plus: int = 0) -> Colour:
    """Return a lighter or darker colour."""
    red, green, blue = (min(255, int(channel * factor + plus)) for channel in colour)
    return red, green, blue


def darken(picture: Floats, cover: Floats, colour: Colour) -> None:
    """Multiply the picture by a colour where covered, as a shadow does."""
    picture *= 1 - cover[..., None] * (1 - np.asarray(colour, np.float32) / 255)


# ---- the parts ------------------------------------------------------------------------------------------

LAMP = np.array([-0.42, -0.55, 0.72])
FILL = np.array([0.85, 0.05, 0.45])
EYE = (0.435, -0.25)
"""Centre of the right one, in the picture."""


def draw(look: Look) -> NDArray[np.uint8]:
    """Draw one portrait, RGB uint8[SIZE, SIZE, 3]."""
    rng = np.random.default_rng(look.seed)
    picture = backdrop(look)
    face = area(curve(both_sides(look.outline), closed=True))
    if look.long_hair:
        hair_behind(picture, look)
    neck(picture, look, face)
    clothing(picture, look, face, rng)
    if not look.long_hair:
        ears(picture, look)
    skin(picture, look, face)
    for side in (-1.0, 1.0):
        eye(picture, look, side, rng)
        brow(picture, look, side, rng)
    nose(picture, look)
    if look.beard:
        beard(picture, look, rng)
    mouth(picture, look)
    if look.glasses:
        glasses(picture)
    hair(picture, look, face, rng)
    if look.stone:
        picture = picture.mean(axis=2, keepdims=True) * np.array([1.012, 1.0, 0.975], np.float32)
    grain = rng.normal(0, 1.1, (SIZE, SIZE, 1)).astype(np.float32)  # keeps wide gradients from banding
    return np.asarray(np.clip(picture + grain + 0.5, 0, 255), np.uint8)


def backdrop(look: Look) -> Floats:
    x, y = grid()
    distance = np.clip(np.hypot(x + 0.5, (y + 0.9) * 0.9) / 3.3, 0, 1)
    return ramp(distance, look.backdrop)


def lit(height: Floats, *, gloss: float) -> Floats:
    """Light a relief, height in units, and return tones 0..1 for `ramp`."""
    down, right = np.gradient(height * UNIT)
    normal = np.stack([-right, -down, np.ones_like(height)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    lamp, fill = LAMP / np.linalg.norm(LAMP), FILL / np.linalg.norm(FILL)
    wrapped = np.clip((normal @ lamp + 0.30) / 1.30, 0, 1)
    bounce = np.clip(normal @ fill, 0, 1)
    halfway = lamp + np.array([0, 0, 1.0])
    shine = np.clip(normal @ (halfway / np.linalg.norm(halfway)), 0, 1) ** 28
    return np.asarray(0.06 + 0.66 * wrapped + 0.14 * bounce + gloss * shine, np.float32)


def relief(look: Look) -> Floats:
    """Return the face's height towards the viewer, in units."""
    x, y = grid()
    chin = look.outline[-1][1]
    dome = np.sqrt(np.clip(1 - (x / 1.16) ** 2 - ((y + 0.1) / 1.75) ** 2, 0.004, 1)) * 0.95
    bridge = 0.5 * (np.tanh((y + 0.28) / 0.24) - np.tanh((y - 0.34) / 0.07))
    height = dome
    height += 0.105 * np.exp(-((x / 0.150) ** 2)) * bridge * (0.55 + 0.45 * np.clip((y + 0.4) / 0.7, 0, 1))
    height += 0.120 * bump(x, y, (0, 0.29), 0.140, 0.115)
    height += 0.085 * pair(x, y, (0.165, 0.335), 0.078, 0.075)
    height -= 0.10 * pair(x, y, (0.40, -0.27), 0.25, 0.16)
    height += 0.075 * pair(x, y, (EYE[0], EYE[1]), 0.21, 0.14)
    height += 0.045 * pair(x, y, (0.42, -0.56), 0.34, 0.10)
    height += 0.060 * pair(x, y, (0.58, 0.20), 0.26, 0.24)
    height += 0.060 * bump(x, y, (0, 0.72), 0.40, 0.22)
    height += 0.030 * bump(x, y, (0, 0.675), 0.24, 0.055) + 0.035 * bump(x, y, (0, 0.80), 0.24, 0.08)
    height -= 0.020 * bump(x, y, (0, 0.53), 0.045, 0.08)
    height -= 0.035 * bump(x, y, (0, 0.975), 0.22, 0.06)
    height += 0.065 * bump(x, y, (0, chin - 0.19), 0.23, 0.14)
    return np.asarray(height, np.float32)


def skin(picture: Floats, look: Look, face: Floats) -> None:
    x, y = grid()
    tone = ramp(lit(relief(look), gloss=0.22), look.skin)
    for at, wide, high, strength in (((0.62, 0.26), 0.26, 0.20, 0.22), ((0.0, 0.32), 0.16, 0.10, 0.08)):
        paint(tone, look.blush, strength * pair(x, y, at, wide, high))
    # Creases hold shade that two lamps alone do not give.
    darken(tone, 0.45 * pair(x, y, (0.27, -0.30), 0.09, 0.14), (190, 140, 130))
    edge = 1 - soften(face, 0.10)
    darken(tone, 0.75 * np.clip(edge * 1.6 - 0.15, 0, 1), (186, 128, 116))
    paint(picture, tone, face)


def neck(picture: Floats, look: Look, face: Floats) -> None:
    x, _ = grid()
    broad = look.breadth
    neck_half = [
        (0.0, 0.6),
        (0.50 * broad, 0.7),
        (0.49 * broad, 1.25),
        (0.52 * broad, 1.6),
        (0.66 * broad, 1.95),
    ]
    neck_half += [(0.7, 3.0), (0.0, 3.0)]
    cover = area(curve(both_sides(neck_half), closed=True))
    tones = lit(
        (np.sqrt(np.clip(1 - (x / (0.66 * broad)) ** 2, 0.02, 1)) * 0.5).astype(np.float32), gloss=0.0
    )
    tone = ramp(np.clip(tones * 0.92, 0, 1), look.skin)
    darken(tone, 0.90 * shifted(soften(face, 0.10), 0.06, 0.30), (164, 118, 110))
    for way in (-1.0, 1.0):
        tendon = curve([(way * 0.40, 1.25), (way * 0.30, 1.6), (way * 0.12, 1.95)])
        darken(
            tone, 0.5 * area(ribbon(tendon, np.linspace(0.02, 0.10, len(tendon))), blur=0.05), (190, 140, 130)
        )
    paint(picture, tone, cover)


def clothing(picture: Floats, look: Look, face: Floats, rng: np.random.Generator) -> None:
    """Draw a shirt with a round neck, over the shoulders."""
    x, y = grid()
    broad = look.breadth
    shoulder = [
        (0.0, 1.90),
        (0.40, 1.80),
        (0.66, 1.73),
        (0.95, 1.84),
        (1.38, 2.02),
        (1.85, 2.24),
        (2.25, 2.62),
    ]
    if not look.long_hair:
        shoulder = [(a * 1.10, b - 0.02) for a, b in shoulder]
    body = area(curve(both_sides([*shoulder, (2.45, 3.3), (0.0, 3.3)]), closed=True))
    neckline = curve(
        np.array(
            [(-0.63, 1.60), (-0.56, 1.84), (-0.34, 2.06), (0, 2.15), (0.34, 2.06), (0.56, 1.84), (0.63, 1.60)]
        )
        * [broad, 1]
    )
    opening = area(np.concatenate([neckline, [(0.4, 1.2), (-0.4, 1.2)]]))
    folds = np.sqrt(np.clip(1 - (x / 2.6) ** 2, 0.02, 1)) * 0.9 - 0.10 * np.logaddexp(0, (y - 2.25) / 0.18)
    for _ in range(9):
        at = (float(rng.uniform(-1.9, 1.9)), float(rng.uniform(2.1, 2.9)))
        slant = float(rng.uniform(-0.6, 0.6)) + at[0] * 0.4
        folds += 0.05 * bump(x + slant * (y - at[1]), y, at, float(rng.uniform(0.06, 0.12)), 0.5)
    fabric = ramp(np.clip(lit(folds.astype(np.float32), gloss=0.0) * 1.15, 0, 1), look.cloth)
    darken(fabric, 0.8 * shifted(soften(face, 0.22), 0.10, 0.75), (150, 140, 150))
    paint(picture, fabric, body * (1 - opening))
    rim = area(ribbon(neckline, np.full(len(neckline), 0.15))) * body
    across = np.clip(0.5 + (shifted(opening, 0, 0.05) - shifted(opening, 0, -0.02)), 0, 1)
    paint(picture, ramp(np.clip(0.75 - 0.35 * across, 0, 1), look.cloth), rim)
    inner = area(ribbon(neckline - [0, 0.075], np.full(len(neckline), 0.03)), blur=0.02)
    darken(picture, 0.6 * inner * body, (120, 90, 90))


def ears(picture: Floats, look: Look) -> None:
    for way in (-1.0, 1.0):
        rim = np.array(
            [
                (0.93, -0.42),
                (1.07, -0.50),
                (1.17, -0.38),
                (1.14, -0.10),
                (1.08, 0.14),
                (0.98, 0.24),
                (0.90, 0.1),
            ]
        )
        shape = area(curve(rim * [way, 1], closed=True))
        tone = ramp(np.clip(soften(shape, 0.05) * (0.62 - 0.12 * way) - 0.05, 0, 1), look.skin)
        darken(tone, 0.5 * np.clip(1.0 - 1.4 * soften(shape, 0.04) + 0.2, 0, 1), (150, 96, 86))
        paint(picture, tone, shape)
        hollow = np.array([(0.98, -0.32), (1.07, -0.36), (1.10, -0.22), (1.05, -0.02), (0.98, 0.06)])
        darken(picture, 0.6 * area(curve(hollow * [way, 1], closed=True), blur=0.02), (150, 96, 86))


def lids(look: Look, side: float) -> tuple[Points, Points]:
    """Return the edges of the upper and lower lid, from the nose outwards."""
    open_by = look.eye_opening
    upper = [(-0.24, 0.047), (-0.18, -0.036 * open_by), (-0.06, -0.118 * open_by), (0.06, -0.120 * open_by)]
    upper += [(0.155, -0.074 * open_by), (0.212, -0.008)]
    lower = [(-0.24, 0.047), (-0.15, 0.080), (0.0, 0.102), (0.125, 0.078), (0.212, -0.008)]
    place = np.array([EYE[0], EYE[1]])
    return (curve(upper) + place) * [side, 1], (curve(lower) + place) * [side, 1]


def eye(picture: Floats, look: Look, side: float, rng: np.random.Generator) -> None:
    eyeball(picture, look, side, rng)
    eyelids(picture, look, side)


def eyeball(picture: Floats, look: Look, side: float, rng: np.random.Generator) -> None:
    x, y = grid()
    upper, lower = lids(look, side)
    opening = area(np.concatenate([upper, lower[::-1]]))
    centre = (side * (EYE[0] - 0.008), EYE[1] - 0.012)

    white = ramp(
        np.clip(1.0 - 1.5 * ((x - centre[0]) / 0.34) ** 2 - 0.2 * (y - EYE[1]), 0, 1),
        ((176, 150, 146), (246, 240, 236)),
    )
    paint(white, (206, 128, 120), bump(x, y, (side * (EYE[0] - 0.235), EYE[1] + 0.05), 0.045, 0.04))
    radius = np.hypot(x - centre[0], y - centre[1])
    angle = np.arctan2(y - centre[1], x - centre[0])
    streaks = sum(np.cos(int(rng.integers(5, 34)) * angle + rng.uniform(0, 6.3)) for _ in range(9)) / 9
    inside = np.clip((radius / 0.112) * 1.15 + 0.20 * streaks - 0.15, 0, 1)
    inside = np.clip(inside - 0.35 * bump(x, y, (centre[0] + 0.03, centre[1] + 0.06), 0.07, 0.05), 0, 1)
    ball = ramp(inside, (look.iris[1], look.iris[1], look.iris[0]))
    pixel = 1.2 / UNIT
    paint(white, ball, np.clip((0.112 - radius) / pixel + 0.5, 0, 1))
    paint(white, look.pupil, np.clip((0.048 - radius) / pixel + 0.5, 0, 1))
    rim = np.exp(-(((radius - 0.109) / 0.010) ** 2))
    paint(white, toned(look.iris[0], 0.45), 0.75 * rim)
    # The upper lid and its lashes shade the ball below them.
    shade = soften(shifted(1 - opening, 0, 0.035), 0.028)
    darken(white, 0.75 * shade, (120, 92, 92))
    for at, size, strength in (((-0.036, -0.045), 0.024, 0.96), ((0.040, 0.045), 0.014, 0.40)):
        spot = np.hypot(x - centre[0] - at[0], y - centre[1] - at[1])
        strength *= 0.0 if look.stone else 1.0
        paint(white, (255, 255, 255), strength * np.clip((size - spot) / pixel / 1.6 + 0.5, 0, 1))
    paint(picture, white, opening)


def eyelids(picture: Floats, look: Look, side: float) -> None:
    upper, lower = lids(look, side)
    crease = curve(
        np.array([(-0.20, -0.07), (-0.08, -0.175), (0.08, -0.185), (0.18, -0.135), (0.235, -0.085)]) + EYE
    )
    widths = 0.020 * np.sin(np.linspace(0.15, 2.9, len(crease)))
    darken(picture, 0.75 * area(ribbon(crease * [side, 1], widths), blur=0.007), (150, 92, 84))
    below = curve(np.array([(-0.20, 0.12), (0.0, 0.175), (0.20, 0.11)]) + EYE)
    darken(
        picture,
        0.30 * area(ribbon(below * [side, 1], np.full(len(below), 0.03)), blur=0.025),
        (170, 110, 104),
    )

    lash_colour = toned(look.brow, 0.45)
    # Lashes as one line that thins out towards both corners: anything longer would smear as the eye shuts.
    thick = (0.016 + 0.022 * look.lashes) * np.sin(np.linspace(0.35, 3.05, len(upper))) ** 0.8
    paint(picture, lash_colour, 0.95 * area(ribbon(upper - [0, 0.006], thick), blur=0.002))
    rim_path = lower[4:-2]
    darken(picture, 0.6 * area(ribbon(rim_path, np.full(len(rim_path), 0.012)), blur=0.004), (120, 70, 64))


def brow(picture: Floats, look: Look, side: float, rng: np.random.Generator) -> None:
    heavy = 1.0 if look.long_hair else 1.35
    spine = curve(np.array([(0.165, -0.518), (0.33, -0.572), (0.53, -0.582), (0.66, -0.540), (0.76, -0.470)]))
    t = np.linspace(0, 1, len(spine))
    widths = heavy * 0.105 * np.clip(np.minimum(0.5 + 2.5 * t, 1.25 - 1.05 * t), 0.1, 1)
    paint(picture, look.brow, 0.62 * area(ribbon(spine * [side, 1], widths * 0.86), blur=0.016))
    if look.stone:
        return
    hairs = []
    for _ in range(260):
        k = int(rng.integers(0, len(spine) - 6))
        root = spine[k] + [0, widths[k] * rng.uniform(-0.40, 0.45)]
        lean = 0.9 - 1.1 * t[k] + rng.normal(0, 0.12)
        tip = root + np.array([0.058, -0.042 * lean]) * rng.uniform(0.7, 1.1)
        hair = curve([root, (root + tip) / 2 + [0, -0.006], tip], steps=5) * [side, 1]
        hairs.append(ribbon(hair, np.linspace(0.011, 0.003, len(hair))))
    paint(picture, look.brow, 0.60 * area(*hairs, blur=0.003))


def nose(picture: Floats, look: Look) -> None:
    x, y = grid()
    for way in (-1.0, 1.0):
        nostril = curve(
            np.array([(0.045, 0.405), (0.085, 0.375), (0.135, 0.385), (0.135, 0.415), (0.085, 0.42)])
            * [way, 1],
            closed=True,
        )
        darken(picture, 0.85 * area(nostril, blur=0.010), (84, 34, 32))
        wing = curve(np.array([(0.205, 0.27), (0.238, 0.34), (0.215, 0.405), (0.165, 0.42)]) * [way, 1])
        darken(
            picture, 0.55 * area(ribbon(wing, np.linspace(0.012, 0.03, len(wing))), blur=0.014), (150, 84, 76)
        )
    darken(picture, 0.55 * bump(x, y, (0.02, 0.455), 0.17, 0.035), (170, 108, 98))
    paint(picture, look.skin[3], 0.34 * bump(x, y, (-0.035, 0.255), 0.050, 0.055))
    paint(picture, look.skin[3], 0.16 * bump(x, y, (-0.03, -0.02), 0.045, 0.22))


def mouth(picture: Floats, look: Look) -> None:
    x, y = grid()
    full = look.lip_fullness
    # The line between the lips ends where they do: a tail beyond would stay behind when the mouth narrows.
    corner, middle = (0.352, 0.698), 0.730
    seam_half = [
        (0.0, middle),
        (0.05, middle + 0.004),
        (0.14, middle - 0.010),
        (0.25, middle - 0.010),
        corner,
    ]
    top_half = [
        (0.0, 0.655),
        (0.065, 0.655 - 0.028 * full),
        (0.16, 0.672 - 0.02 * full),
        (0.26, 0.682),
        corner,
    ]
    depth = (0.148 * full, 0.138 * full, 0.086 * full)
    low_half = [(0.0, middle + depth[0]), (0.12, middle + depth[1]), (0.255, middle + depth[2]), corner]

    def whole(half: list[tuple[float, float]]) -> Points:
        right = np.asarray(half)
        return curve(np.concatenate([mirrored(right[:0:-1]), right]))

    seam, top, low = whole(seam_half), whole(top_half), whole(low_half)
    upper, lower = area(np.concatenate([top, seam[::-1]])), area(np.concatenate([low, seam[::-1]]))
    puff = 0.09 * bump(x, y, (0, 0.69), 0.30, 0.05) + 0.12 * bump(x, y, (0, 0.815), 0.28, 0.085) - 0.12 * x**2
    tone = lit(puff.astype(np.float32), gloss=0.30)
    line, upper_colour, lower_colour = look.lips
    light = toned(lower_colour, 1.22, plus=8)
    paint(picture, ramp(np.clip(tone * 1.05, 0, 1), (line, upper_colour, light)), soften(upper, 0.009) * 0.90)
    paint(
        picture,
        ramp(np.clip(tone * 1.0 + 0.16, 0, 1), (line, lower_colour, light)),
        soften(lower, 0.012) * 0.90,
    )
    creases = np.cos(x * 95 + 1.6 * np.sin(y * 31)) * np.clip(1 - (x / 0.3) ** 2, 0, 1)
    darken(picture, 0.05 * np.clip(creases, 0, 1).astype(np.float32) * lower, line)
    paint(picture, (255, 250, 246), 0.26 * bump(x, y, (-0.055, 0.808), 0.10, 0.020) * lower)
    thick = 0.001 + 0.021 * np.sin(np.linspace(0.05, np.pi - 0.05, len(seam)))
    paint(picture, line, 0.92 * area(ribbon(seam, thick), blur=0.003))
    darken(picture, 0.35 * shifted(area(ribbon(seam, thick * 2), blur=0.014), 0, 0.012) * lower, line)
    for way in (-1.0, 1.0):
        darken(picture, 0.30 * bump(x, y, (way * 0.358, 0.698), 0.028, 0.020), (140, 74, 68))
    darken(picture, 0.26 * bump(x, y, (0, 0.735 + 0.190 * full), 0.20, 0.030), (150, 92, 84))


# ---- hair -----------------------------------------------------------------------------------------------


def strands(
    inner: Points, outer: Points, rng: np.random.Generator, *, count: int, gloss_at: float
) -> tuple[Floats, Floats]:
    """Comb hairs between two guide curves of equal length.

    Returns their tone 0..1 and the area that the lock covers.
    """
    tones = np.full((SIZE * FINE, SIZE * FINE), 30, np.uint8)
    length = len(inner)
    along = np.linspace(0, 1, length)
    order = rng.permutation(np.linspace(0, 1, count))
    for s in order:
        wave = 0.022 * np.sin(along * rng.uniform(2, 6) + rng.uniform(0, 6.3)) * along
        lie = np.clip(s + wave * 3 + rng.normal(0, 0.012), -0.02, 1.02)[:, None]
        hair = inner * (1 - lie) + outer * lie
        base = rng.normal(0.36, 0.10) - 0.16 * abs(s - 0.45)
        gloss = 0.50 * np.exp(-(((along - gloss_at - 0.05 * rng.normal()) / 0.10) ** 2)) * rng.uniform(0.3, 1)
        gloss += 0.22 * np.exp(-(((along - 0.72 - 0.04 * rng.normal()) / 0.09) ** 2)) * rng.uniform(0, 1)
        tone = np.clip(base + gloss - 0.22 * along**3, 0.02, 1)
        pixels = to_fine(hair)
        width = int(rng.integers(5, 15))
        for k in range(0, length - 3, 3):
            value = int(tone[k] * 255)
            cv2.polylines(tones, [pixels[k : k + 5]], False, value, width, cv2.LINE_8, PRECISION)
    across = np.linspace(0, 1, 46)
    reach = 0.055 * np.sin(across * np.pi) + rng.normal(0, 0.003, 46)
    ends = inner[-1] * (1 - across[:, None]) + outer[-1] * across[:, None]
    ends = ends + reach[:, None] * [0, 1.6]
    return averaged(tones) / np.float32(255), area(np.concatenate([inner, curve(ends, steps=6), outer[::-1]]))


RIGHT_LOCK = (
    (
        (-0.34, -1.20),
        (0.02, -1.27),
        (0.46, -1.14),
        (0.80, -0.78),
        (0.95, -0.28),
        (0.97, 0.28),
        (0.91, 0.84),
        (0.68, 1.46),
    ),
    (
        (-0.28, -2.01),
        (0.26, -2.06),
        (0.82, -1.82),
        (1.20, -1.24),
        (1.37, -0.46),
        (1.43, 0.34),
        (1.42, 0.98),
        (1.17, 1.60),
    ),
)
"""Inner and outer guide, from the parting to the ends."""

LEFT_LOCK = (
    (
        (-0.34, -1.20),
        (-0.58, -1.06),
        (-0.82, -0.76),
        (-0.94, -0.30),
        (-0.97, 0.22),
        (-0.95, 0.60),
        (-0.88, 0.95),
        (-0.68, 1.46),
    ),
    (
        (-0.28, -2.01),
        (-0.64, -1.97),
        (-1.02, -1.70),
        (-1.27, -1.16),
        (-1.38, -0.46),
        (-1.43, 0.34),
        (-1.42, 0.98),
        (-1.17, 1.60),
    ),
)


def hair_behind(picture: Floats, look: Look) -> None:
    left, right = curve(LEFT_LOCK[1]), curve(RIGHT_LOCK[1])
    ends = curve([right[-1], (0.9, 1.56), (0.5, 1.44), (0, 1.4), (-0.5, 1.44), (-0.9, 1.56), left[-1]])
    cover = area(np.concatenate([left[::-1], right, ends]), blur=0.012)
    x, y = grid()
    paint(picture, ramp(np.clip(0.10 + 0.10 * np.abs(x) - 0.02 * y, 0, 1), look.hair), cover)


Lock = tuple[tuple[tuple[float, float], ...], tuple[tuple[float, float], ...]]

FRINGE: Lock = (
    ((-0.46, -1.66), (-0.74, -1.30), (-0.90, -0.96), (-0.92, -0.64)),
    ((0.46, -1.66), (0.74, -1.30), (0.90, -0.96), (0.92, -0.64)),
)
"""It falls from the crown over the forehead, to just above the brows."""

SWEPT: tuple[Lock, ...] = (
    (
        ((-0.50, -1.36), (-0.72, -1.18), (-0.90, -0.86), (-0.95, -0.46)),
        ((-0.52, -1.86), (-0.86, -1.66), (-1.06, -1.14), (-1.05, -0.46)),
    ),
    (
        ((-0.50, -1.36), (-0.10, -1.40), (0.46, -1.30), (0.80, -1.00), (0.93, -0.66), (0.955, -0.42)),
        ((-0.52, -1.86), (-0.10, -2.08), (0.50, -2.04), (0.92, -1.70), (1.09, -1.10), (1.065, -0.44)),
    ),
)
"""Combed from a parting on the picture's left over to the right."""


def hair(picture: Floats, look: Look, face: Floats, rng: np.random.Generator) -> None:
    if look.long_hair:
        hair_in_front(picture, look, face, rng)
        if look.hair_cut == "fringe":
            lock(picture, look, face, FRINGE, rng)
    elif look.hair_cut == "swept":
        for part in SWEPT:
            lock(picture, look, face, part, rng)
    else:
        hair_short(picture, look, face, rng)


def lock(picture: Floats, look: Look, face: Floats, guides: Lock, rng: np.random.Generator) -> None:
    """Draw combed hair between two guides, with its shadow on the skin."""
    guide, edge = curve(guides[0], steps=30), curve(guides[1], steps=30)
    tones, cover = strands(guide, edge, rng, count=420, gloss_at=0.30)
    darken(picture, 0.55 * shifted(soften(cover, 0.05), 0.02, 0.07) * face * (1 - cover), (150, 92, 84))
    paint(picture, ramp(np.clip(tones, 0, 1), look.hair), cover)
    rim = ribbon(guide, np.full(len(guide), 0.05))
    darken(picture, 0.45 * area(rim, blur=0.025) * cover, look.hair[0])
    darken(picture, 0.40 * area(ribbon(edge, np.full(len(edge), 0.10)), blur=0.05) * cover, look.hair[0])


def hair_in_front(picture: Floats, look: Look, face: Floats, rng: np.random.Generator) -> None:
    for guides in (LEFT_LOCK, RIGHT_LOCK):
        lock(picture, look, face, guides, rng)
    parting = curve([(-0.34, -1.20), (-0.33, -1.5), (-0.27, -1.92)])
    darken(
        picture, 0.65 * area(ribbon(parting, np.linspace(0.05, 0.02, len(parting))), blur=0.02), look.hair[0]
    )


CROPPED: tuple[tuple[float, float], ...] = (
    (0.0, -2.06),
    (0.50, -1.99),
    (0.88, -1.70),
    (1.06, -1.25),
    (1.075, -0.80),
    (1.02, -0.42),
    (0.955, -0.40),
    (0.93, -0.75),
    (0.84, -1.06),
    (0.66, -1.26),
    (0.36, -1.33),
    (0.0, -1.345),
)
"""The right half of the hair's edge, from the crown down and back along the hair-line."""

CLOUD: tuple[tuple[float, float], ...] = (
    (0.0, -2.30),
    (0.66, -2.22),
    (1.20, -1.88),
    (1.50, -1.30),
    (1.55, -0.66),
    (1.40, -0.08),
    (1.16, 0.26),
    (0.98, 0.20),
    (0.955, -0.30),
    (0.91, -0.72),
    (0.80, -1.04),
    (0.60, -1.22),
    (0.32, -1.29),
    (0.0, -1.30),
)
"""The same for hair that stands out."""


def hair_short(picture: Floats, look: Look, face: Floats, rng: np.random.Generator) -> None:
    """Curls: many small arcs, thinning out towards the temples where they are cropped close."""
    x, y = grid()
    cloud = look.hair_cut == "cloud"
    silhouette = curve(both_sides(CLOUD if cloud else CROPPED), closed=True)
    scalp = area(silhouette, blur=0.012)
    paint(picture, ramp(np.clip(0.30 - 0.12 * np.abs(x), 0, 1), look.skin), scalp * (1 - face))
    rough = rng.normal(0, 1, (SIZE // 4, SIZE // 4)).astype(np.float32)
    rough = np.asarray(
        cv2.resize(cv2.GaussianBlur(rough, (0, 0), 1.1), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    )
    frayed = 0.70 if cloud else 0.35
    cover = np.clip((soften(area(silhouette), 0.022) - 0.5) * 3.2 + 0.5 + frayed * rough, 0, 1)
    if not cloud:
        cover *= 1 - 0.40 * np.clip((y + 0.95) / 0.5, 0, 1)  # cut shorter towards the ears
    wide, high = (1.75, 1.75) if cloud else (1.2, 1.25)
    dome = np.sqrt(np.clip(1 - (x / wide) ** 2 - ((y + 0.9) / high) ** 2, 0.01, 1))
    base = lit(dome.astype(np.float32), gloss=0.25)
    texture = curls(look, rng)
    darken(
        picture,
        0.6 * shifted(soften(cover.astype(np.float32), 0.05), 0.01, 0.05) * face * (1 - cover),
        (140, 92, 84),
    )
    paint(
        picture,
        ramp(np.clip(0.95 * base * (0.25 + 1.5 * texture), 0, 1).astype(np.float32), look.hair),
        cover.astype(np.float32),
    )


def curls(look: Look, rng: np.random.Generator) -> Floats:
    """Return the tone of small arcs all over the head, 0..1."""
    tones = np.full((SIZE * FINE, SIZE * FINE), 70, np.uint8)
    large = {"cropped": 1.0, "cloud": 1.5}[look.hair_cut] * (2.2 if look.stone else 1.0)
    spread = 1.5 if look.hair_cut == "cloud" else 1.0
    for _ in range(round(9000 * spread**2 / large)):
        at = (float(rng.uniform(-1.15, 1.15)) * spread, float(rng.uniform(-2.1, -0.35)))
        if spread > 1:
            at = (at[0], -1.0 + (at[1] + 1.2) * spread)
        radius = float(rng.uniform(0.012, 0.030)) * UNIT * FINE * large
        start = float(rng.uniform(0, 360))
        place = tuple(int(v) for v in to_fine([at])[0] >> PRECISION)
        cv2.ellipse(
            tones,
            place,
            (int(radius), int(radius * 0.8)),
            start,
            0,
            230,
            int(rng.integers(20, 190)),
            round(6 * large),
        )
    return averaged(tones) / np.float32(255)


# ---- beard and glasses ------------------------------------------------------------------------------------

BEARD: tuple[tuple[float, float], ...] = (
    (0.0, 0.475),
    (0.16, 0.485),
    (0.36, 0.575),
    (0.52, 0.640),
    (0.66, 0.560),
    (0.80, 0.26),
    (0.885, -0.10),
    (0.90, -0.44),
    (0.985, -0.44),
    (0.985, 0.10),
    (0.955, 0.50),
    (0.845, 0.95),
    (0.62, 1.32),
    (0.32, 1.52),
    (0.0, 1.58),
)
"""The right half, from under the nose along the cheek to the ear, and back along the jaw."""


def beard(picture: Floats, look: Look, rng: np.random.Generator) -> None:
    """Draw moustache, cheeks and chin as many short hairs over a darkened skin."""
    x, y = grid()
    shape = soften(area(curve(both_sides(BEARD), closed=True)), 0.022)
    shape = shape * (1 - 0.42 * pair(x, y, (0.22, 0.945), 0.11, 0.040))  # thin beside the tuft under the lip
    rough = cv2.GaussianBlur(rng.normal(0, 1, (SIZE // 2, SIZE // 2)).astype(np.float32), (0, 0), 1.2)
    rough = np.asarray(cv2.resize(rough, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC), np.float32)
    cover = np.clip((shape - 0.5) * 2.4 + 0.5 + 0.55 * rough * (1 - shape), 0, 1).astype(np.float32)
    darken(picture, 0.45 * shifted(soften(cover, 0.04), 0.01, 0.05) * (1 - cover), (170, 120, 108))
    tones = np.full((SIZE * FINE, SIZE * FINE), 46, np.uint8)
    for _ in range(15000):
        root = np.array([rng.uniform(-1.02, 1.02), rng.uniform(-0.46, 1.56)])
        upper_lip = np.exp(-(((root[1] - 0.56) / 0.10) ** 2)) * (abs(root[0]) < 0.5)
        sideways = np.sign(root[0]) * (1.5 * upper_lip - 0.30 * (root[1] > 0.7)) + rng.normal(0, 0.22)
        way = np.array([sideways, 1.0]) / np.hypot(sideways, 1.0)
        length = rng.uniform(0.05, 0.11)
        bend = np.array([-way[1], way[0]]) * rng.normal(0, 0.012)
        hair_path = curve([root, root + way * length / 2 + bend, root + way * length], steps=5)
        value = int(np.clip(rng.normal(104, 46) - 26 * root[0], 12, 235))
        cv2.polylines(
            tones, [to_fine(hair_path)], False, value, int(rng.integers(3, 8)), cv2.LINE_8, PRECISION
        )
    shading = 1.05 - 0.28 * np.clip((y - 0.9) / 0.6, 0, 1) - 0.16 * np.clip(x, -1, 1)
    tone = np.clip(averaged(tones) / np.float32(255) * shading, 0, 1).astype(np.float32)
    paint(picture, ramp(tone, look.hair), 0.94 * cover)


LENS: tuple[tuple[float, float], ...] = (
    (-0.310, -0.150),
    (-0.13, -0.215),
    (0.13, -0.215),
    (0.325, -0.150),
    (0.335, 0.05),
    (0.235, 0.235),
    (0.0, 0.280),
    (-0.235, 0.235),
    (-0.315, 0.05),
)
"""The rim of a lens round the eye."""


def glasses(picture: Floats) -> None:
    """Draw thick dark frames whose lenses hold a faint sheen."""
    x, y = grid()
    frames, lenses = [], []
    for side in (-1.0, 1.0):
        rim = curve((np.array(LENS) + EYE + [0.01, 0.015]) * [side, 1], closed=True)
        rim = np.concatenate([rim, rim[:2]])
        frames.append(ribbon(rim, np.full(len(rim), 0.050)))
        lenses.append(rim)
        temple = curve(np.array([(0.765, -0.31), (0.88, -0.335), (1.0, -0.33)]) * [side, 1])
        frames.append(ribbon(temple, np.linspace(0.062, 0.045, len(temple))))
    bridge = curve([(-0.145, -0.275), (-0.06, -0.325), (0.06, -0.325), (0.145, -0.275)])
    frames.append(ribbon(bridge, np.full(len(bridge), 0.042)))
    cover, glass = area(*frames), area(*lenses)
    sheen = np.clip(1 - np.abs(x * 0.8 + y + 0.30) / 0.20, 0, 1) * 0.07 + 0.02
    paint(picture, (255, 255, 255), (sheen * glass).astype(np.float32))
    darken(picture, 0.50 * shifted(soften(cover, 0.020), 0.012, 0.040) * (1 - cover), (120, 84, 76))
    edge = np.clip(0.30 + 2.2 * (soften(cover, 0.008) - shifted(soften(cover, 0.008), 0.006, 0.012)), 0, 1)
    paint(picture, ramp(edge.astype(np.float32), ((14, 12, 14), (44, 34, 34), (150, 126, 116))), cover)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", choices=sorted(LOOKS), help="draw this one alone")
    parser.add_argument("--out", type=Path, default=Path("build/portraits"), help="default: %(default)s")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for look in LOOKS.values():
        if arguments.only in (None, look.name):
            target = arguments.out / f"{look.name}.png"
            cv2.imwrite(str(target), cv2.cvtColor(draw(look), cv2.COLOR_RGB2BGR))
            print(target)


if __name__ == "__main__":
    main()
