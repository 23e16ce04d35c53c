"""One space for emotions, whatever tells of them: a label, words, a face in a photo, a clip, a voice.

A point of it is the style vector that the nets read (mien.engine.emotion): seven emotions beside neutral,
each 0..1 for intensity 0..3, and how the person moves. Points can be averaged and led over into each other;
feelings that have no label (hatred, a sad surprise) are points between those that have.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.engine.archive import read_archive
from mien.engine.emotion import (
    EMOTION_SLICE,
    EMOTIONS,
    HIGHEST_INTENSITY,
    STYLE_SIZE,
    Emotion,
    Style,
    StyleVector,
    mix_styles,
)
from mien.engine.errors import AssetError, ConfigError
from mien.engine.sentence import EMBEDDING_SIZE, Embedding, load_sentence_encoder

TEXT_MAP: Final = Path(__file__).parent / "assets" / "text_style.npz"

LONGEST_WORDS: Final = 200
"""Characters that words for a feeling may have."""

FELT: Final[tuple[int, ...]] = tuple(
    place for place, emotion in enumerate(EMOTIONS) if emotion is not Emotion.NEUTRAL
)
"""The places of the emotions that can be felt more or less: all but neutral."""

_LARGEST_MAP: Final = 4_000_000
_LABELS: Final = re.compile(
    rf"(?P<emotion>{'|'.join(EMOTIONS)})(\s+(?P<intensity>\d+(\.\d+)?))?(\s*(,|\+|\band\b)\s*|\s+|$)"
)


def read_emotion(words: str, intensity: float | None = None) -> StyleVector:
    """Return the style of an emotion in words: labels ("happy", "sad 1 + surprised 2"), or anything else.

    intensity: 0..3 for the whole; by default that of the words, where a label alone is 1. Words that are
    no labels need the extra `text`, take 5 ms, and 0.7 s the first time in a process. Raises ConfigError for
    no words, too many, or intensities outside 0..3; BackendUnavailable without the extra.
    """
    words = words.strip()
    if not words or len(words) > LONGEST_WORDS:
        raise ConfigError(
            f"The emotion has {len(words)} characters, not 1 to {LONGEST_WORDS}.",
            remedy='Say it in a few words, such as "happy 2" or "barely amused".',
        )
    style = read_labels(words)
    if style is None:
        style = _load_text_map().read(load_sentence_encoder().embed(words))
    return style if intensity is None else set_intensity(style, intensity)


def read_labels(words: str) -> StyleVector | None:
    """Return the style that labels with intensities name, float32[STYLE_SIZE]; None for other words.

    Raises ConfigError where the intensities sum to more than 3.
    """
    found: dict[Emotion, float] = {}
    rest = words.strip().lower()
    while rest:
        label = _LABELS.match(rest)
        if label is None:
            return None
        found[Emotion(label["emotion"])] = float(label["intensity"] or 1.0)
        rest = rest[label.end() :]
    total = sum(found.values())
    if total > HIGHEST_INTENSITY:
        raise ConfigError(
            f"The intensities sum to {total:g}, outside 0..{HIGHEST_INTENSITY:g}.",
            remedy="Take 1 for slight, 2 for clear, 3 for strong, and share that out between emotions.",
        )
    shares = [part / total if total else 0.0 for part in found.values()]
    return mix_styles([Style(emotion, total) for emotion in found], shares)


def intensity_of(style: StyleVector) -> float:
    """Return how strongly anything is felt, 0..3: the sum over the emotions."""
    return HIGHEST_INTENSITY * float(style[EMOTION_SLICE].sum())


def set_intensity(style: StyleVector, intensity: float) -> StyleVector:
    """Return the same mixture at another intensity, 0..3; neutral stays neutral. May raise ConfigError."""
    if not 0.0 <= intensity <= HIGHEST_INTENSITY:
        raise ConfigError(
            f"The intensity is {intensity}, outside 0..{HIGHEST_INTENSITY:g}.",
            remedy="Take 0 for none, 1 for slight, 2 for clear, 3 for strong, or a number between.",
        )
    now = intensity_of(style)
    scaled = style.copy()
    if now > 0.0:
        scaled[EMOTION_SLICE] *= np.float32(intensity / now)
    return scaled


def blend(styles: Sequence[StyleVector], shares: Sequence[float]) -> StyleVector:
    """Return the weighted mean of styles from any sources, float32[STYLE_SIZE]; shares are above 0 in sum."""
    return np.average(np.stack(styles), axis=0, weights=shares).astype(np.float32)


def style_from_parts(
    shares: NDArray[np.floating], strength: float, manner: NDArray[np.floating] | None = None
) -> StyleVector:
    """Build a style of seven emotions' shares, their strength in all (0..1), and a manner (-1..1)."""
    style = np.zeros(STYLE_SIZE, np.float32)
    style[list(FELT)] = strength * shares
    if manner is not None:
        style[len(EMOTIONS) :] = manner
    return style


@dataclass(frozen=True, slots=True, eq=False)
class TextMap:
    """From the embedding of words to a style: one hidden layer, trained by tools/train_text_style.py."""

    inner_weight: NDArray[np.float32]
    inner_bias: NDArray[np.float32]
    outer_weight: NDArray[np.float32]
    outer_bias: NDArray[np.float32]

    def read(self, embedding: Embedding) -> StyleVector:
        """Return the style for an embedding, float32[EMBEDDING_SIZE]."""
        hidden = np.maximum(self.inner_weight @ embedding + self.inner_bias, 0.0)
        read = self.outer_weight @ hidden + self.outer_bias
        strength = 1.0 / (1.0 + float(np.exp(-read[-1])))
        return style_from_parts(softmax(read[:-1]), strength)


def softmax(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return shares that sum to 1 over the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: NDArray[np.floating] = raised / raised.sum(axis=-1, keepdims=True)
    return shares


def read_weights(path: Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, NDArray[np.float32]]:
    """Read a small net's weights: float32 arrays by name. -1 in a shape fits any size.

    Raises AssetError for a file that is missing, damaged or of other shapes.
    """
    remedy = "Install mien again."
    try:
        with path.open("rb") as file:
            arrays = read_archive(file, most=_LARGEST_MAP)
        weights = {name: arrays[name].astype(np.float32) for name in shapes}
    except OSError as error:
        raise AssetError(f"{path.name} is missing from {path.parent}.", remedy=remedy) from error
    except (KeyError, ValueError) as error:
        raise AssetError(f"{path.name} is damaged.", remedy=remedy) from error
    for name, shape in shapes.items():
        found = weights[name].shape
        if len(found) != len(shape) or any(w not in (-1, f) for w, f in zip(shape, found, strict=True)):
            raise AssetError(f"{path.name} is of another version: {name} is {list(found)}.", remedy=remedy)
    return weights


@cache
def _load_text_map() -> TextMap:
    outputs = len(FELT) + 1
    shapes: dict[str, tuple[int, ...]] = {
        "inner_weight": (-1, EMBEDDING_SIZE),
        "inner_bias": (-1,),
        "outer_weight": (outputs, -1),
        "outer_bias": (outputs,),
    }
    return TextMap(**read_weights(TEXT_MAP, shapes))
