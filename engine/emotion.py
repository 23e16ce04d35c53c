"""Emotions, how strong they are, and the vector that tells the nets."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.engine.errors import ConfigError
from mien.engine.timebase import FRAME_RATE

HIGHEST_INTENSITY: Final = 3.0

StyleVector = NDArray[np.float32]
"""float32[8]: one place for each Emotion in the enum's order, intensity / 3 there. All zeros is neutral."""


class Emotion(StrEnum):
    """The eight emotions of MEAD, in alphabetical order."""

    ANGRY = "angry"
    CONTEMPT = "contempt"
    DISGUSTED = "disgusted"
    FEAR = "fear"
    HAPPY = "happy"
    NEUTRAL = "neutral"
    SAD = "sad"
    SURPRISED = "surprised"


EMOTIONS: Final[tuple[Emotion, ...]] = tuple(Emotion)


@dataclass(frozen=True, slots=True)
class Style:
    """An emotion and its intensity. Raises ConfigError for an intensity outside 0..3."""

    emotion: Emotion = Emotion.NEUTRAL

    intensity: float = 1.0
    """0 none, 1 slight, 2 clear, 3 strong, and all between."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.intensity <= HIGHEST_INTENSITY:
            raise ConfigError(
                f"The intensity is {self.intensity}, outside 0..{HIGHEST_INTENSITY:g}.",
                remedy="Take 0 for none, 1 for slight, 2 for clear, 3 for strong, or a number between.",
            )

    def vector(self) -> StyleVector:
        """Return the style as the nets read it, float32[8]: all zeros for neutral or intensity 0."""
        vector = np.zeros(len(EMOTIONS), np.float32)
        if self.emotion is not Emotion.NEUTRAL:
            vector[EMOTIONS.index(self.emotion)] = self.intensity / HIGHEST_INTENSITY
        return vector


def mix_styles(styles: Sequence[Style], shares: Sequence[float]) -> StyleVector:
    """Blend styles into a compound one, float32[8]: the sum of each style's vector by its share.

    Shares are not negative and sum to at most 1 (what is missing is neutral). Interpolation between two
    styles is `mix_styles([a, b], [1 - x, x])`. Raises ConfigError for other shares.
    """
    total = float(sum(shares))
    if len(shares) != len(styles) or min(shares, default=0.0) < 0.0 or total > 1.0 + 1e-6:
        raise ConfigError(
            f"{len(styles)} styles cannot be mixed by the shares {list(shares)}.",
            remedy="Give one share for each style, none negative, together at most 1.",
        )
    mixed = np.zeros(len(EMOTIONS), np.float32)
    for style, share in zip(styles, shares, strict=True):
        mixed += np.float32(share) * style.vector()
    return mixed


@dataclass(frozen=True, slots=True, eq=False)
class StyleGlide:
    """A style on its way to another, in a straight line at constant speed, so that no change is a jump."""

    now: StyleVector
    target: StyleVector
    frames_left: int = 0

    FRAMES = round(0.32 * FRAME_RATE)
    """Every change takes 320 ms: about as long as a quick real change of expression."""

    @classmethod
    def resting_at(cls, style: StyleVector) -> "StyleGlide":
        """Return a glide that has arrived."""
        return cls(style, style)

    def towards(self, target: StyleVector) -> "StyleGlide":
        """Set out for another style from wherever the glide is now."""
        return StyleGlide(self.now, target, self.FRAMES)

    def after(self, frames: int) -> "StyleGlide":
        """Return the glide as it stands so many frames later."""
        if frames >= self.frames_left:
            return StyleGlide.resting_at(self.target)
        share = np.float32(frames / self.frames_left)
        return StyleGlide(self.now + share * (self.target - self.now), self.target, self.frames_left - frames)
