"""What is behind a person: the background as if nobody stood before it, or another in its place."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

_CLEAN: Final = 0.018
"""Background this near to the person still carries something of them; as a share of the picture's height."""
_SMOOTHING: Final = 0.012
"""How far apart two places must be for their mirrors to be independent; as a share of the height."""
_CONTINUED: Final = 0.2
"""The mirrored background fades out this far behind the person's outline, as a share of the height: no turn
of the head uncovers more."""

_HALO: Final = 28.0
"""Up to so many grey levels, what the photo shows differently just outside the outline is the person's own
shine or shadow (or what a camera, a brush or a codec made of it) and goes along with them."""

_UNLIKE: Final = 128.0
"""The person's colours at the outline may be so many grey levels lighter than expected."""

_GRAINS: Final = 2.0
"""Differences from the expected background up to so many deviations of its texture are texture."""

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
    outside = cv2.distanceTransform((matte <= 127).astype(np.uint8), cv2.DIST_L2, 5)
    near = np.clip(2 - outside / reach, 0, 1)
    grain = max(_GRAINS * _grain(picture, bare, _SMOOTHING * height), 1.0)
    least = np.maximum(near * _least_alpha(picture, front, behind, grain), near > 0)
    alpha = np.maximum(matte, np.ceil(least)).astype(np.uint8)
    backdrop = _share_out(picture, alpha, front, behind, _HALO * near)
    backdrop[alpha == 0] = 0
    return alpha, backdrop


def _grain(picture: Picture, bare: NDArray[np.uint8], spread: float) -> float:
    """Return the deviation, in grey levels, of the background's texture from its large forms."""
    detail = picture.astype(np.float32) - cv2.GaussianBlur(picture, (0, 0), spread)
    return float(1.48 * np.median(np.abs(detail[bare > 0])))


def _least_alpha(
    picture: Picture, front: NDArray[np.float32], behind: NDArray[np.float32], grain: float
) -> NDArray[np.float32]:
    """Return the least alpha, 0..255, that explains the photo: no trace of the person may stay behind.

    The person hides what would be lighter than the photo; and where person and background differ in colour,
    alpha is at least the photo's place on the line between the two. Differences up to `grain` tell nothing,
    those from twice that on all.
    """
    darker = behind - picture
    hides = (np.clip(darker / grain - 1, 0, 1) * darker / np.maximum(behind, 1)).max(axis=2)
    line = front - behind
    length = np.sqrt((line * line).sum(axis=2)) + 1e-3
    along = ((picture - behind) * line).sum(axis=2) / length
    placed = np.clip(along / grain - 1, 0, 1) * along * length / (length * length + _CONTRAST**2)
    return np.asarray(np.ceil(255 * np.clip(np.maximum(hides, placed), 0, 1)), np.float32)


def _share_out(
    picture: Picture,
    alpha: NDArray[np.uint8],
    front: NDArray[np.float32],
    behind: NDArray[np.float32],
    halo: NDArray[np.floating],
) -> Picture:
    """Return the background that, with some colours of the person, adds up to the photo.

    front, behind: float32[H, W, 3], what the two are expected to look like. The background is as expected
    wherever the person's colours can make up the rest: not negative, nor much lighter than expected and
    their halo [H, W].
    """
    share = alpha.astype(np.float32)[..., None] * np.float32(1 / 255)
    through = np.maximum(1 - share, 1 / 255)
    brightest = share * np.minimum(front + _UNLIKE, 255) + halo[..., None]
    darkest, lightest = (picture - brightest - 0.5) / through, (picture + 0.5) / through
    hidden = (alpha == 255)[..., None]
    filled = np.where(hidden, behind, np.clip(behind, darkest, lightest))
    return np.asarray(np.clip(np.round(filled), 0, 255), np.uint8)


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
