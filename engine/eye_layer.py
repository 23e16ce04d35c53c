"""Eyeballs: what the photo shows of them, carried on behind the lids."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.head import HeadModel
from mien.engine.head_fit import Floats, HeadFit

_ENOUGH_WHITE = 25
"""Pixels of white that tell what the rest of it looks like."""


@dataclass(frozen=True, slots=True)
class EyeLayer:
    """One eyeball without lids."""

    picture: NDArray[np.uint8]
    """uint8[height, width, 3]."""

    white: NDArray[np.uint8]
    """uint8[height, width, 3]: without the iris."""

    numbers: NDArray[np.float32]
    """float32[7]: left and top of its picture, the iris' x, y and radius, the ball's z and radius."""


def build_eye(
    head: HeadModel,
    fit: HeadFit,
    picture: NDArray[np.uint8],
    points: NDArray[np.float32],
    *,
    ball: str,
    lids: tuple[int, ...],
    iris: tuple[int, ...],
) -> EyeLayer:
    """Cut an eye out of the photo and complete it: white behind the lids, the iris to a full disc.

    ball: the head model's part. lids, iris: landmarks of the lid margins in order, and of the iris.
    """
    loop = points[lids, :2].astype(np.float64)
    width = float(np.ptp(loop[:, 0]))
    margin = np.array([0.25, 0.35]) * width
    low = np.floor(loop.min(axis=0) - margin).astype(int).clip(0)
    high = np.ceil(loop.max(axis=0) + margin).astype(int).clip(None, picture.shape[1::-1])
    region = picture[low[1] : high[1], low[0] : high[0]]
    centre = points[iris[0], :2].astype(np.float64)
    radius = float(np.linalg.norm(points[list(iris[1:]), :2] - centre, axis=1).mean())

    core: NDArray[Any] = np.zeros(region.shape[:2], np.uint8)
    cv2.fillPoly(core, [np.round((loop - low) * 8).astype(np.int32)], 255, shift=3)
    core = cv2.erode(core, np.ones((3, 3), np.uint8))
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]]
    off = np.hypot(x - centre[0], y - centre[1])
    completed, white = _complete(region, core > 0, off, radius)

    part = head.part(ball)
    model = head.vertices[part] + np.tensordot(fit.identity, head.identities[:, part], 1)
    front = fit.project(model[:1])[0]
    head_radius = fit.scale * _ball_radius(head.vertices[part].astype(np.float64))
    numbers = [*low, *centre, radius, front[2], head_radius]
    return EyeLayer(completed, white, np.array(numbers, np.float32))


def _ball_radius(vertices: Floats) -> float:
    """Radius of the sphere on which vertices lie, by linear least squares."""
    system = np.column_stack([2 * vertices, np.ones(len(vertices))])
    solved = np.linalg.lstsq(system, (vertices**2).sum(axis=1), rcond=None)[0]
    return float(np.sqrt(solved[3] + (solved[:3] ** 2).sum()))


def _complete(
    region: NDArray[np.uint8], core: NDArray[np.bool_], off: Floats, radius: float
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Fill what the lids hide: the white by inpainting, the iris by its colours at equal radius.

    Returns the ball with its iris, and without.
    """
    rim = 1.15 * radius
    # Well away from the iris, whose soft rim would stain the white, unless little else is in sight.
    white = core & (off > 1.35 * radius)
    if white.sum() < _ENOUGH_WHITE:
        white = core & (off > rim)
    base = cv2.inpaint(region, (~white).astype(np.uint8) * 255, 3, cv2.INPAINT_TELEA)
    blank = cv2.GaussianBlur(base, (0, 0), 1.5).astype(np.float64)
    filled = blank.copy()
    shown = core & (off <= rim)
    if shown.sum() > 8:
        steps = np.arange(max(4, int(rim) + 1) + 1)
        rings = [shown & (np.abs(off - k) <= 0.8) for k in steps]
        known = [k for k in steps if rings[k].any()]
        profile = np.stack([np.median(region[rings[k]], axis=0) for k in known])
        flat = off.ravel().clip(0, steps[-1])
        disc = np.stack([np.interp(flat, known, profile[:, c]) for c in range(3)], axis=1)
        share = np.clip((rim - off) / 1.5, 0, 1)[..., None]
        filled = filled * (1 - share) + disc.reshape(filled.shape) * share
    keep = cv2.GaussianBlur(core.astype(np.float32), (0, 0), 0.8)[..., None]
    completed = np.round(filled * (1 - keep) + region * keep).astype(np.uint8)
    shown_white = cv2.GaussianBlur(white.astype(np.float32), (0, 0), 0.8)[..., None]
    return completed, np.round(blank * (1 - shown_white) + region * shown_white).astype(np.uint8)
