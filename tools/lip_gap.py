"""From the gap that is wanted between the lips to the mouthClose that gives it, in mien's own head model.

The nets learn the wanted gap, because that is what a landmark or a phoneme says. How far mouthClose must go
depends on the jaw and every other shape that parts the lips, and `mouth_opening` of mien.engine.head is
linear in all of them, so the answer is exact: a wanted gap of 0 or less is a true closure on the rig.
"""

from typing import Final

import numpy as np
from build_motion_data import FACE_NAMES, GAP, MOUTH_NAMES, MOUTH_PLACE
from expression import PROTOTYPE_MATRIX, jaw_factor, show_style
from numpy.typing import NDArray

from mien.engine.head import mouth_gap_weights
from mien.engine.motion import INDEX, SHAPES

FULL_GAP: Final = 0.10
"""The rig's inner-lip gap, in face widths, for a wanted gap of 1: no more than what the jaw gives there."""

MOUTH_CHANNELS: Final = [INDEX[name] for name in MOUTH_NAMES]
FACE_CHANNELS: Final = [INDEX[name] for name in FACE_NAMES]

Floats = NDArray[np.float32]


def _gap_of(names: tuple[str, ...]) -> Floats:
    weights = mouth_gap_weights()
    return np.array([weights[SHAPES.index(name)] if name in SHAPES else 0.0 for name in names], np.float32)


MOUTH_GAP: Final = _gap_of(MOUTH_NAMES)
"""float32[28]: how far each mouth channel parts the lips, in face widths."""

FACE_GAP: Final = _gap_of(FACE_NAMES)
"""float32[32]: the same for the channels beside the mouth; a sneer lifts the upper lip."""

STYLE_GAP: Final = PROTOTYPE_MATRIX[:, FACE_CHANNELS] @ FACE_GAP
"""float32[11]: how far each style's face beside the mouth parts the lips, at full intensity."""


def close_lips(said: Floats, beside: Floats) -> Floats:
    """Return the mouth with mouthClose for the wanted gap in its place, float32[frames, 28], within 0..1.

    said: float32[frames, 28], the wanted gap in mouthClose's place; beside: float32[frames], how far the
    channels beside the mouth part the lips.
    """
    mouth = said.clip(0, 1)
    mouth[:, GAP] = 0
    parted = mouth @ MOUTH_GAP + beside
    mouth[:, GAP] = ((parted - FULL_GAP * said[:, GAP]) / -MOUTH_GAP[GAP]).clip(0, 1)
    return mouth


def feel(said: Floats, style: Floats, effort: Floats) -> Floats:
    """Add what a style does to the mouth, float32[frames, 28]; the wanted gap changes only with the jaw.

    Rounded lips have less room for a smile or a frown. effort: float32[frames], loudness about its mean.
    """
    factor = np.float32(jaw_factor(style))
    felt = said.copy()
    felt[:, MOUTH_PLACE["jawOpen"]] *= factor
    felt[:, GAP] = np.where(said[:, GAP] > 0, said[:, GAP] * factor, said[:, GAP])
    rounded = np.maximum(said[:, MOUTH_PLACE["mouthPucker"]], said[:, MOUTH_PLACE["mouthFunnel"]]).clip(0, 1)
    swell = np.clip(1 + 0.08 * effort.clip(-2, 2), 0.6, 1.3)
    offsets = show_style(style)[MOUTH_CHANNELS]
    return felt + ((1 - 0.55 * rounded) * swell)[:, None].astype(np.float32) * offsets
