"""Emotions as what they do to a face: the prototypes that training adds to speech.

Facial Action Coding System prototypes (Ekman, Friesen and Hager 2002; the emotion table of the EMFACS
dictionary) put into ARKit's shapes, for the eight emotions of mien, at full intensity (3). Every person
makes them in another strength, and nobody holds one still: `Person` draws both.
Nothing here is filmed; it says so in the training record.

A style is float32[11] as in mien.engine.emotion: intensity / 3 at the emotion's place, then the manner; all
zeros for neutral and average.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.engine.emotion import EMOTION_SLICE, EMOTIONS, MANNER_RANGE, MANNER_SLICE, STYLE_SIZE
from mien.engine.motion import CHANNEL_NAMES, INDEX
from mien.engine.timebase import FRAME_RATE

Style = NDArray[np.float32]
Motion = NDArray[np.float32]

PROTOTYPES: Final[dict[str, dict[str, float]]] = {
    "angry": {  # AU 4 + 5 + 7 + 23
        "browDown": 0.85, "eyeSquint": 0.45, "eyeWide": 0.2, "noseSneer": 0.4, "mouthPress": 0.3,
        "mouthFrown": 0.35, "mouthStretch": 0.12, "mouthUpperUp": 0.12, "mouthShrugLower": 0.2,
        "jawForward": 0.15, "headPitch": -0.07,
    },
    "contempt": {  # AU 14, one side
        "mouthDimpleLeft": 0.6, "mouthSmileLeft": 0.45, "mouthPressLeft": 0.3, "mouthUpperUpLeft": 0.12,
        "eyeSquint": 0.25, "browOuterUpLeft": 0.3, "browDownRight": 0.25, "headPitch": 0.06, "headRoll": 0.05,
        "headYaw": 0.04,
    },
    "disgusted": {  # AU 9 + 10 + 17
        "noseSneer": 0.85, "mouthUpperUp": 0.4, "browDown": 0.5, "eyeSquint": 0.5, "cheekSquint": 0.4,
        "mouthShrugLower": 0.3, "mouthFrown": 0.35, "headPitch": 0.03, "headYaw": -0.06,
    },
    "fear": {  # AU 1 + 2 + 4 + 5 + 20
        "browInnerUp": 0.85, "browOuterUp": 0.3, "browDown": 0.15, "eyeWide": 0.75, "mouthStretch": 0.5,
        "mouthLowerDown": 0.15, "mouthFrown": 0.15, "headPitch": 0.05, "headZ": 0.05,
    },
    "happy": {  # AU 6 + 12
        "mouthSmile": 0.7, "cheekSquint": 0.7, "eyeSquint": 0.35, "mouthDimple": 0.25, "mouthUpperUp": 0.15,
        "browInnerUp": 0.12, "browOuterUp": 0.15, "headPitch": 0.03, "headRoll": 0.03,
    },
    "neutral": {},
    "sad": {  # AU 1 + 4 + 15 + 17
        "browInnerUp": 0.8, "browDown": 0.25, "mouthFrown": 0.6, "mouthShrugLower": 0.35, "eyeSquint": 0.2,
        "mouthPress": 0.1, "mouthPucker": 0.08, "headPitch": -0.1, "headRoll": 0.04,
    },
    "surprised": {  # AU 1 + 2 + 5 + 26
        "browInnerUp": 0.85, "browOuterUp": 0.85, "eyeWide": 0.7, "mouthFunnel": 0.12, "mouthUpperUp": 0.08,
        "headPitch": 0.05, "headZ": 0.03,
    },
}  # fmt: skip

JAW: Final = {"angry": 1.15, "disgusted": 0.95, "fear": 1.05, "happy": 1.08, "sad": 0.8, "surprised": 1.2}
"""How much further, or less far, each emotion opens the jaw in speech."""

LIVELINESS: Final = {"angry": 1.4, "contempt": 0.7, "fear": 1.1, "happy": 1.4, "sad": 0.5, "surprised": 1.3}
"""How much more, or less, head and brows move with the voice."""


def _prototype_matrix() -> Motion:
    matrix = np.zeros((STYLE_SIZE, len(CHANNEL_NAMES)), np.float32)
    for row, emotion in enumerate(EMOTIONS):
        for name, amount in PROTOTYPES[emotion].items():
            sides = (name,) if name in INDEX else (f"{name}Left", f"{name}Right")
            for side in sides:
                matrix[row, INDEX[side]] = amount
    return matrix


def _for_each_emotion(factors: dict[str, float]) -> Motion:
    more = np.zeros(STYLE_SIZE, np.float32)
    more[EMOTION_SLICE] = [factors.get(emotion, 1.0) - 1 for emotion in EMOTIONS]
    return more


PROTOTYPE_MATRIX: Final = _prototype_matrix()
"""float32[11, 60]: each emotion's face at full intensity; a manner alone changes no face, so zeros."""

_JAW: Final = _for_each_emotion(JAW)
_LIVELY: Final = _for_each_emotion(LIVELINESS)

_OTHER_SIDE: Final = {"Left": "Right", "Right": "Left"}
_MIRRORED: Final = [
    next((INDEX[name.removesuffix(a) + b] for a, b in _OTHER_SIDE.items() if name.endswith(a)), index)
    for name, index in INDEX.items()
]
_LEFT, _RIGHT = (np.array([name.endswith(side) for name in CHANNEL_NAMES]) for side in _OTHER_SIDE)
_ONE_SIDED: Final = EMOTIONS.index("contempt")


def draw_style(rng: np.random.Generator, *, neutral: float = 0.35, mixed: float = 0.15) -> Style:
    """Draw a style: neutral, one emotion at an intensity within 0..3, or (`mixed`) two; any manner."""
    style = np.zeros(STYLE_SIZE, np.float32)
    style[MANNER_SLICE] = np.where(rng.random(3) < 0.3, 0.0, rng.uniform(-1, 1, 3))
    if rng.random() < neutral:
        return style
    places = [place for place, emotion in enumerate(EMOTIONS) if emotion != "neutral"]
    count = 2 if rng.random() < mixed else 1
    for place in rng.choice(places, count, replace=False):
        style[place] = rng.uniform(0.1, 1.0) / count
    return style


def show_style(style: Style) -> Motion:
    """Return the face of a style, float32[60]: its emotions' prototypes, the weaker side as weak as asked.

    An emotion that shows on one side by nature (contempt) changes sides instead.
    """
    asymmetry = float(style[MANNER_SLICE][2])
    alike = style.copy()
    alike[_ONE_SIDED] = 0.0
    factors = np.ones(len(CHANNEL_NAMES), np.float32)
    factors[_LEFT] += min(asymmetry, 0.0)
    factors[_RIGHT] -= max(asymmetry, 0.0)
    sided = PROTOTYPE_MATRIX[_ONE_SIDED]
    sided = sided + max(-asymmetry, 0.0) * (sided[_MIRRORED] - sided)
    shown: Motion = factors * (alike @ PROTOTYPE_MATRIX) + style[_ONE_SIDED] * sided
    return shown


def jaw_factor(style: Style) -> float:
    """Return what the style multiplies the jaw's opening by."""
    return float(1 + style @ _JAW)


def liveliness(style: Style) -> float:
    """Return what the style multiplies the movements of head and brows by."""
    return float(1 + style @ _LIVELY)


@dataclass(frozen=True, slots=True)
class Person:
    """How one person shows emotion: a strength for each channel, about 1."""

    strengths: Motion
    """float32[60]."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Person":
        """Draw a person: each part of the face a little stronger or weaker, both its sides nearly alike.

        How strong all of it is belongs to the intensity, and which side leads, to the manner. A net that had
        to guess them could only read them off what was shown, and would follow that instead of the style.
        """
        parts = rng.lognormal(0, 0.06, len(CHANNEL_NAMES))
        for name in CHANNEL_NAMES:
            if name.endswith("Right") and name.removesuffix("Right") + "Left" in INDEX:
                left = parts[INDEX[name.removesuffix("Right") + "Left"]]
                parts[INDEX[name]] = left * rng.lognormal(0, 0.04)
        return cls(parts.astype(np.float32))

    def show(self, rng: np.random.Generator, style: Style, effort: NDArray[np.float32]) -> Motion:
        """Return the offsets of a style over time, float32[frames, 60].

        effort: float32[frames], loudness in standard deviations: feeling swells with the voice, and drifts
        over a second or two.
        """
        frames = len(effort)
        drift = slow_noise(rng, frames, period_s=1.6)
        swell = np.convolve(np.pad(effort, 6, mode="edge"), np.hanning(13) / 6, "valid")
        level = np.clip(1 + 0.11 * drift + 0.08 * swell.clip(-2, 2), 0.5, 1.5)
        return level[:, None].astype(np.float32) * (show_style(style) * self.strengths)


def slow_noise(rng: np.random.Generator, frames: int, *, period_s: float) -> NDArray[np.float64]:
    """Return a smooth random curve of standard deviation 1 that turns about once a period."""
    knots = int(np.ceil(frames / FRAME_RATE / period_s * 2)) + 4
    values = rng.standard_normal(knots)
    at = np.arange(frames) / FRAME_RATE / period_s * 2 + rng.uniform(0, 1) + 1
    left = at.astype(int)
    share = at - left
    blend = 0.5 - 0.5 * np.cos(np.pi * share)
    return ((1 - blend) * values[left] + blend * values[left + 1]) / 0.87


HEAD_PERIODS_S: Final = (2.4, 1.0, 0.55, 0.32)
HEAD_SIZES: Final = {
    "headPitch": np.radians([0.50, 0.44, 0.38, 0.26]),
    "headYaw": np.radians([0.54, 0.25, 0.17, 0.09]),
    "headRoll": np.radians([0.33, 0.19, 0.10, 0.06]),
    "headX": np.array([0.0120, 0.0035, 0.0010, 0.0003]),
    "headY": np.array([0.0080, 0.0040, 0.0028, 0.0012]),
    "headZ": np.array([0.0070, 0.0040, 0.0014, 0.0]),
}
"""How far a seated talker's head moves at each of HEAD_PERIODS_S, in radians and face widths.

Fitted to the spectrum of GRID's 633 filmed clips and to their deviations within half a second;
`tools/score_expression.py` prints both. The depth is smaller than filmed: one camera guesses it and trembles.
"""

NOD: Final = np.radians(0.45)
"""Size of a nod on an accent. At 377 accents of GRID the pitch falls by 0.12 degrees before the voice's peak
and rises by 0.28 after it, on average; half of the accents have a nod here."""


def gesture_with_voice(
    rng: np.random.Generator, effort: NDArray[np.float32], rest: NDArray[np.float32]
) -> Motion:
    """Move head and brows with the voice, float32[frames, 60]: what a calm talker does, before any emotion.

    The head is as lively as GRID's seated talker's, a third as much where nobody speaks; nods and brow raises
    fall on some of the accents (peaks of loudness).
    """
    frames = len(effort)
    motion = np.zeros((frames, len(CHANNEL_NAMES)), np.float32)
    speech = np.convolve(np.pad(1 - rest, 12, mode="edge"), np.hanning(25) / 12, "valid").clip(0, 1)
    bursts = np.exp(0.45 * slow_noise(rng, frames, period_s=1.5)) / 1.1
    alive = (0.35 + 0.65 * speech) * bursts
    for name, sizes in HEAD_SIZES.items():
        for size, period in zip(sizes, HEAD_PERIODS_S, strict=True):
            motion[:, INDEX[name]] += alive * size * slow_noise(rng, frames, period_s=period)
    raising = rng.uniform(0.1, 0.35)
    for peak in accents(effort, rest):
        at = np.arange(frames) - peak - rng.normal(0, 1)
        if rng.random() < 0.5:
            size = NOD * rng.lognormal(-0.1, 0.45)
            motion[:, INDEX["headPitch"]] += size * (_bump(at - 3, 3.2) - _bump(at + 4, 3.2))
        if rng.random() < raising:
            size = rng.lognormal(0, 0.35)
            for name, amount in BROW_RAISE.items():
                motion[:, INDEX[name]] += amount * size * _bump(at, rng.uniform(2.5, 4.5))
        elif rng.random() < 0.15:
            for name in ("browDownLeft", "browDownRight", "eyeSquintLeft", "eyeSquintRight"):
                motion[:, INDEX[name]] += 0.14 * _bump(at, rng.uniform(2.5, 4.5))
    return motion


BROW_RAISE: Final = {"browInnerUp": 0.22, "browOuterUpLeft": 0.16, "browOuterUpRight": 0.16}


def _bump(at: NDArray[np.float64], width: float) -> Motion:
    shape: Motion = np.exp(-0.5 * (at / width) ** 2).astype(np.float32)
    return shape


_HEAD: Final = np.array([name.startswith("head") for name in CHANNEL_NAMES])
_BROW: Final = np.array([name.startswith("brow") for name in CHANNEL_NAMES])


def gesture_factor(style: Style) -> Motion:
    """Return what a style multiplies gestures by, float32[60]: its liveliness, and its manner."""
    head, brow, _ = np.float32(MANNER_RANGE) ** style[MANNER_SLICE]
    factor: Motion = np.where(_HEAD, head, np.where(_BROW, brow, np.float32(1.0))) * np.float32(
        liveliness(style)
    )
    return factor


def accents(effort: NDArray[np.float32], rest: NDArray[np.float32]) -> list[int]:
    """Return the frames where the voice is loudest within 0.3 s and louder than its mean."""
    smooth = np.convolve(np.pad(effort, 2, mode="edge"), np.ones(5) / 5, "valid")
    reach = 7
    return [
        frame
        for frame in range(len(smooth))
        if rest[frame] < 0.5
        and smooth[frame] > 0.2
        and smooth[frame] == smooth[max(0, frame - reach) : frame + reach + 1].max()
    ]
