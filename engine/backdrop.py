"""What is behind a person: the background as if nobody stood before it, or another in its place."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

_CLEAN: Final = 0.012
"""Background this near to the person still carries something of them; as a share of the picture's height."""
_SMOOTHING: Final = 0.012
"""How far apart two places must be for their mirrors to be independent; as a share of the height."""
_CONTINUED: Final = 0.2
"""The mirrored background fades out this far behind the person's outline, as a share of the height: no turn
of the head uncovers more."""

_CONTRAST: Final = 40.0
"""Colours closer together than this, in grey levels, hardly tell person and background apart."""


def take_apart(picture: Picture, matte: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Picture]:
    """Return the person's alpha, uint8[H, W], and the background where they hide it, uint8[H, W, 3].

    picture: RGB uint8[H, W, 3]. matte: uint8[H, W], a first guess of the alpha. The background is black where
    the photo shows it. Near the outline it is mirrored there; further in, its colours are carried in
    smoothly. Person and background add up to the photo, to 1 grey level: the person hides what would be
    lighter than the photo, and the background is no lighter than what shows through.
    """
    height = len(picture)
    reach = 2 * max(round(_CLEAN * height), 1) + 1
    brush = np.ones((reach, reach), np.uint8)
    bare = np.asarray(cv2.erode((matte == 0).astype(np.uint8), brush), np.uint8)
    if not bare.any():
        return matte, np.zeros_like(picture)
    behind = _pull_push(picture.astype(np.float32), bare.astype(np.float32))
    mirrored, trust, off = _mirrored(picture, bare, _SMOOTHING * height)
    trust *= np.clip(1 - off / (_CONTINUED * height), 0, 1)
    behind += (trust * (1 - bare))[..., None] * (mirrored - behind)
    own = cv2.erode((matte == 255).astype(np.uint8), brush)
    front = _pull_push(picture.astype(np.float32), own.astype(np.float32))
    # Far from the outline, what looks like the person may be the background's own.
    near = cv2.dilate((matte > 127).astype(np.uint8), brush, iterations=2) > 0
    alpha = np.where(near, np.maximum(matte, _least_alpha(picture, front, behind)), matte).astype(np.uint8)
    backdrop = _share_out(picture, alpha, front, behind)
    backdrop[alpha == 0] = 0
    return alpha, backdrop


def _least_alpha(
    picture: Picture, front: NDArray[np.float32], behind: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the least alpha, 0..255, that explains the photo: no trace of the person may stay behind.

    The person hides what would be lighter than the photo; and where person and background differ in colour,
    alpha is at least the photo's place on the line between the two.
    """
    hides = 1 - (picture / np.maximum(behind, 1)).min(axis=2)
    line = front - behind
    length = (line * line).sum(axis=2)
    placed = ((picture - behind) * line).sum(axis=2) / (length + _CONTRAST**2)
    return np.asarray(np.ceil(255 * np.clip(np.maximum(hides, placed), 0, 1)), np.float32)


def _share_out(
    picture: Picture, alpha: NDArray[np.uint8], front: NDArray[np.float32], behind: NDArray[np.float32]
) -> Picture:
    """Return the background that, with some colours of the person, adds up to the photo.

    front, behind: float32[H, W, 3], what the two are expected to look like. What the photo differs by from
    their mixture goes to the two as each shows, by least squares.
    """
    share = alpha.astype(np.float32)[..., None] * np.float32(1 / 255)
    through = 1 - share
    differs = picture - share * front - through * behind
    guess = behind + differs * through / (share * share + through * through)
    # The person's colours must lie in 0..255 as well.
    least = np.maximum(through, 1 / 255)
    lightest = np.where(through > 0, (picture + 0.5) / least, 255)
    darkest = np.where(through > 0, (picture - 255 * share - 0.5) / least, 0)
    return np.asarray(np.clip(np.round(np.clip(guess, darkest, lightest)), 0, 255), np.uint8)


def _pull_push(colour: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill in what has no weight, coarse to fine (Gortler et al. 1996, the pull-push algorithm)."""
    rows, columns = weight.shape
    weight = weight[..., None]
    if min(rows, columns) <= 2:
        mean = (colour * weight).sum(axis=(0, 1)) / max(float(weight.sum()), 1e-6)
        return np.asarray(weight * colour + (1 - weight) * mean, np.float32)
    half = (columns // 2, rows // 2)
    both = np.dstack([colour * weight, weight])
    small = cv2.resize(both, half, interpolation=cv2.INTER_AREA)
    mean = small[..., :3] / np.maximum(small[..., 3:], 1e-6)
    coarse = _pull_push(np.asarray(mean, np.float32), np.minimum(2 * small[..., 3], 1))
    wide = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_LINEAR)
    return np.asarray(weight * colour + (1 - weight) * wide, np.float32)


def _mirrored(
    picture: Picture, known: NDArray[np.uint8], smoothing: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Mirror what is known at its outline: the colours, [H, W, 3], how far to trust them, and distances."""
    off, labels = cv2.distanceTransformWithLabels(1 - known, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    rows, columns = known.shape
    nearest = np.zeros((int(labels.max()) + 1, 2), np.float32)
    nearest[labels[known > 0]] = np.argwhere(known > 0)
    place = np.moveaxis(np.mgrid[:rows, :columns].astype(np.float32), 0, 2)
    # Neighbours across a corner of the outline have mirrors far apart: smoothed, the picture bends instead.
    offset = cv2.GaussianBlur(nearest[labels] - place, (0, 0), smoothing)
    y, x = cv2.split(place + 2 * offset)
    method, border = cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101
    colour = np.asarray(cv2.remap(picture, x, y, method, borderMode=border), np.float32)
    trust = cv2.remap(known.astype(np.float32), x, y, method, borderMode=border)
    return colour, np.asarray(trust, np.float32), np.asarray(off, np.float32)
