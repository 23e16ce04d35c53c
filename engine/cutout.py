"""The person cut out of their portrait: colours with an alpha, continued past the border, and what is behind.

Person over background gives the photo; only the person moves.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.portrait import Portrait

Picture = NDArray[np.uint8]

_CROWN: Final = 0.62
"""Radius of the round that completes a head which the picture's upper border cuts, in face widths."""
_SOFT: Final = 0.05
"""How wide the soft edge of that round is, as a share of its radius."""


def background_of(portrait: Portrait) -> Picture:
    """Return the whole background, uint8[H, W, 3]: as the photo shows it, or as it was filled in."""
    ground = np.where(portrait.matte[..., None] == 0, portrait.picture, portrait.backdrop)
    # Scaled pictures may miss by a little that the background be no lighter than what shows through.
    soft = _soft(portrait.matte)
    through = 255 - portrait.matte[soft].astype(np.int32)[:, None]
    lightest = (255 * (portrait.picture[soft].astype(np.int32) + 1) + 127) // through
    ground[soft] = np.minimum(ground[soft], lightest)
    return ground


def cut_out(portrait: Portrait, background: Picture, margin: int) -> Picture:
    """Return the person, uint8[H + 2 margin, W + 2 margin, 4]: colours multiplied by alpha, and alpha.

    Laid over the background, uint8[H, W, 3], it gives the portrait's picture. Past the border the person
    goes on as they are there, and a head that the upper border cuts is completed by a round.
    """
    alpha = _continue_matte(portrait.matte, margin, _CROWN * portrait.scale)
    border = (margin, margin, margin, margin)
    mirrored = cv2.copyMakeBorder(portrait.picture, *border, cv2.BORDER_REFLECT_101)
    repeated = cv2.copyMakeBorder(portrait.picture, *border, cv2.BORDER_REPLICATE)
    own = cv2.copyMakeBorder(portrait.matte, *border, cv2.BORDER_REFLECT_101)
    person = np.where((own >= alpha)[..., None], mirrored, repeated)
    person[alpha == 0] = 0
    soft = _soft(alpha)
    person[soft] = (person[soft].astype(np.uint16) * alpha[soft][:, None] + 127) // 255
    soft = _soft(portrait.matte)
    through = 255 - portrait.matte[soft].astype(np.int32)[:, None]
    inner = person[margin:-margin, margin:-margin]
    inner[soft] = np.maximum(portrait.picture[soft] - (through * background[soft] + 127) // 255, 0)
    return np.ascontiguousarray(np.dstack([person, alpha]))


def _soft(alpha: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where both the person and what is behind them show."""
    result: NDArray[np.bool_] = (alpha > 0) & (alpha < 255)
    return result


def _continue_matte(matte: NDArray[np.uint8], margin: int, crown: float) -> NDArray[np.uint8]:
    """Continue the person past the picture's border: straight on, but closed by a round above the head."""
    wide = np.pad(matte, margin, mode="edge")
    cut = np.pad((matte[0] > 127).astype(np.uint8), margin, mode="edge")
    if cut.all():
        return wide
    count, labels = cv2.connectedComponents(cut[None])
    up = np.arange(margin, 0, -1.0)[:, None]
    above = np.zeros((margin, len(cut)))
    for number in range(1, count):
        (columns,) = np.nonzero(labels[0] == number)
        half = min(len(columns) / 2, crown)
        # The cut is a chord of the round: how far each of its pixels lies from the middle.
        away = np.maximum(half - np.minimum(columns - columns[0], columns[-1] - columns), 0)
        rise = np.sqrt(crown**2 - away**2) - np.sqrt(crown**2 - half**2)
        above[:, columns] = np.clip(255 * ((rise - up) / (_SOFT * crown) + 0.5), 0, 255)
    wide[:margin] = np.minimum(wide[margin], above).astype(np.uint8)
    return wide
