"""Emotions, how strong they are, the manner they are shown in, and the vector that tells the nets."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, fields
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.engine.errors import ConfigError
from mien.engine.timebase import FRAME_RATE

HIGHEST_INTENSITY: Final = 3.0

StyleVector = NDArray[np.float32]
"""float32[STYLE_SIZE]: a place for each Emotion in the enum's order, intensity / 3 there, then the Manner.

All zeros is a neutral face that moves as people do on average.
"""

MANNER_RANGE: Final = 2.5
"""A manner of 1 moves that many times as far as the average in what the nets learn from, one of -1 as many
times less far; of the head's movement the nets show a factor of about 1.6."""


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
class Manner:
    """How a person moves, whatever is felt: each -1..1, and 0 as people do on average.

    It is the part of DreamTalk's style code that no emotion names (Ma et al. 2023). Raises ConfigError for a
    value outside -1..1.
    """

    head_movement: float = 0.0
    """How far the head moves in speech: `MANNER_RANGE ** head_movement` times the average."""

    brow_movement: float = 0.0
    """How far the brows move in speech: `MANNER_RANGE ** brow_movement` times the average."""

    asymmetry: float = 0.0
    """Which side of the face shows an emotion more: 1 the person's left alone, -1 the right, 0 both alike."""

    def __post_init__(self) -> None:
        for axis in fields(self):
            value = getattr(self, axis.name)
            if not -1.0 <= value <= 1.0:
                raise ConfigError(
                    f"The manner's {axis.name} is {value}, outside -1..1.",
                    remedy="Take 0 for the average, -1 for least or the right side, 1 for most or the left.",
                )


MANNER_NAMES: Final[tuple[str, ...]] = tuple(axis.name for axis in fields(Manner))

EMOTION_SLICE: Final = slice(0, len(EMOTIONS))
MANNER_SLICE: Final = slice(len(EMOTIONS), len(EMOTIONS) + len(MANNER_NAMES))
STYLE_SIZE: Final = len(EMOTIONS) + len(MANNER_NAMES)


@dataclass(frozen=True, slots=True)
class Style:
    """An emotion, its intensity and a manner. Raises ConfigError for an intensity outside 0..3."""

    emotion: Emotion = Emotion.NEUTRAL

    intensity: float = 1.0
    """0 none, 1 slight, 2 clear, 3 strong, and all between."""

    manner: Manner = field(default_factory=Manner)
    """How the person moves, whatever the emotion."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.intensity <= HIGHEST_INTENSITY:
            raise ConfigError(
                f"The intensity is {self.intensity}, outside 0..{HIGHEST_INTENSITY:g}.",
                remedy="Take 0 for none, 1 for slight, 2 for clear, 3 for strong, or a number between.",
            )

    def vector(self) -> StyleVector:
        """Return the style as nets read it, float32[STYLE_SIZE]: neutral or intensity 0 has no emotion."""
        vector = np.zeros(STYLE_SIZE, np.float32)
        vector[MANNER_SLICE] = astuple(self.manner)
        if self.emotion is not Emotion.NEUTRAL:
            vector[EMOTIONS.index(self.emotion)] = self.intensity / HIGHEST_INTENSITY
        return vector


def mix_styles(styles: Sequence[Style], shares: Sequence[float]) -> StyleVector:
    """Blend styles into a compound one, float32[STYLE_SIZE]: the sum of each style's vector by its share.

    Shares are not negative and sum to at most 1 (what is missing is neutral and average). Interpolation
    between two styles is `mix_styles([a, b], [1 - x, x])`. Raises ConfigError for other shares.
    """
    total = float(sum(shares))
    if len(shares) != len(styles) or min(shares, default=0.0) < 0.0 or total > 1.0 + 1e-6:
        raise ConfigError(
            f"{len(styles)} styles cannot be mixed by the shares {list(shares)}.",
            remedy="Give one share for each style, none negative, together at most 1.",
        )
    mixed = np.zeros(STYLE_SIZE, np.float32)
    for style, share in zip(styles, shares, strict=True):
        mixed += np.float32(share) * style.vector()
    return mixed


_ONSET_S: Final = {
    Emotion.SURPRISED: 0.24,
    Emotion.FEAR: 0.28,
    Emotion.ANGRY: 0.32,
    Emotion.DISGUSTED: 0.36,
    Emotion.HAPPY: 0.40,
    Emotion.CONTEMPT: 0.44,
    Emotion.SAD: 0.60,
}
"""How long each emotion takes to nine tenths of its way on, in seconds.

Surprise comes fastest and sadness slowest (the order of Hoffmann et al. 2010); the times are set by hand.
"""

_OFFSET_LONGER: Final = 1.4
"""An expression fades more slowly than it comes."""

_MANNER_S: Final = 0.5

_NINE_TENTHS: Final = 3.89
"""Product of rate and time at which a critically damped movement has gone 0.9 of its way."""

_ARRIVED: Final = 1e-3


def _rates(offset: float) -> NDArray[np.float64]:
    """Return the rate of each place of a style, a frame: float64[STYLE_SIZE]."""
    seconds = np.full(STYLE_SIZE, _MANNER_S)
    for emotion, onset in _ONSET_S.items():
        seconds[EMOTIONS.index(emotion)] = onset * offset
    return _NINE_TENTHS / (seconds * FRAME_RATE)


_ONSET_RATES: Final = _rates(1.0)
_OFFSET_RATES: Final = _rates(_OFFSET_LONGER)


@dataclass(frozen=True, slots=True, eq=False)
class StyleGlide:
    """A style on its way to another, each emotion at its own pace, as a critically damped spring goes.

    Neither the style nor its speed ever jumps, whenever the target changes; nine tenths of any way take 0.24
    to 0.84 s. Strides of any length lead along the same path.
    """

    now: StyleVector
    target: StyleVector
    velocity: NDArray[np.float64]
    """Change in a frame, float64[STYLE_SIZE]."""

    rates: NDArray[np.float64]
    """How fast each place goes, float64[STYLE_SIZE] a frame."""

    @classmethod
    def resting_at(cls, style: StyleVector) -> "StyleGlide":
        """Return a glide that has arrived."""
        return cls(style, style, np.zeros(STYLE_SIZE), _ONSET_RATES)

    def towards(self, target: StyleVector) -> "StyleGlide":
        """Set out for another style from wherever the glide is now."""
        rates = np.where(np.abs(target) >= np.abs(self.now), _ONSET_RATES, _OFFSET_RATES)
        return StyleGlide(self.now, target, self.velocity, rates)

    def after(self, frames: int) -> "StyleGlide":
        """Return the glide as it stands so many frames later."""
        left = self.now.astype(np.float64) - self.target
        push = self.velocity + self.rates * left
        fading = np.exp(-self.rates * frames)
        remaining = (left + push * frames) * fading
        velocity = (push - self.rates * (left + push * frames)) * fading
        if max(np.abs(remaining).max(), np.abs(velocity).max()) < _ARRIVED:
            return StyleGlide.resting_at(self.target)
        now = (self.target + remaining).astype(np.float32)
        return StyleGlide(now, self.target, velocity, self.rates)
