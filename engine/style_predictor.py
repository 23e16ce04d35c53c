"""From a voice to a style: what somebody seems to feel, from how they say it, sampled by a small diffusion.

As DreamTalk's style predictor (Ma et al. 2023, section 3.4): a denoiser over the style itself, conditioned on
the speech; it predicts the clean style, and four steps of DDIM lead there from noise. Several samples are
drawn and averaged, so that a voice which fits several feelings gives a faint mixture and not a bold guess.

It was trained on 415 stretches of acted German and on nothing else. Anger, joy and fear are taken for one
another often, contempt and surprise were never heard, and unacted speech is mostly neutral to it.
"""

from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.engine.chance import Purpose, generator_at
from mien.engine.emotion import MANNER_SLICE, STYLE_SIZE, StyleVector
from mien.engine.emotion_space import FELT, read_weights, style_from_parts
from mien.engine.features import Pcm
from mien.engine.sampler import ddim_step, signal_shares
from mien.engine.timebase import SAMPLE_RATE
from mien.engine.voice_traits import TRAITS, Traits, hear_traits

WEIGHTS: Final = Path(__file__).parent / "assets" / "style_predictor.npz"

STRETCH: Final = 2 * SAMPLE_RATE
"""Samples of speech that a style is predicted from: as long as those it was trained on."""

EVERY: Final = SAMPLE_RATE
"""Samples between two predictions."""

STEPS: Final = 4
SAMPLES: Final = 12

CENTRE: Final = 0.1
SPREAD: Final = 0.25
"""The denoiser sees intensities as (intensity / 3 - CENTRE) / SPREAD."""

ACQUAINTANCE: Final = 4.0
"""After so many stretches of a speaker, half of what is usual for people is replaced by what is for them."""

_MET: Final = 1.0
"""After so many stretches a speaker is half trusted: a stranger's microphone alone can sound like anger."""

_MOST_KNOWN: Final = 30.0
"""Stretches that are remembered of a speaker: who takes over the microphone becomes known after a while."""

_EASE: Final = 0.5
"""Share of the way to the newest prediction that is gone at once."""

_STIR: Final = 0.08
"""A change smaller than this in every emotion (intensity 0.24) is not told: the face would fidget."""


class StylePredictor:
    """The trained denoiser. Safe to use from several threads; keeps nothing between calls."""

    def __init__(self, path: Path = WEIGHTS) -> None:
        """Read the weights. Raises AssetError where they are missing, damaged or of another version."""
        traits, felt = len(TRAITS), len(FELT)
        shapes: dict[str, tuple[int, ...]] = {
            "mean": (traits,),
            "std": (traits,),
            "first_weight": (-1, felt + 2 + traits),
            "first_bias": (-1,),
            "second_weight": (-1, -1),
            "second_bias": (-1,),
            "last_weight": (felt, -1),
            "last_bias": (felt,),
        }
        self._weights = read_weights(path, shapes)

    def standardize(self, traits: Traits, speaker: Traits, known: float) -> Traits:
        """Return traits as the net reads them: against people, then against what is usual for the speaker.

        speaker: sum of the standardised traits of `known` stretches (not whole ones, too) of the same voice.
        """
        against_people: Traits = (traits - self._weights["mean"]) / self._weights["std"]
        return against_people - speaker / np.float32(ACQUAINTANCE + known)

    def against_people(self, traits: Traits) -> Traits:
        """Return traits in standard deviations from what is usual for people."""
        return self.standardize(traits, np.zeros(len(TRAITS), np.float32), 0.0)

    def sample(self, condition: Traits, generator: np.random.Generator) -> StyleVector:
        """Draw SAMPLES styles for a standardised voice and return their mean, float32[STYLE_SIZE]."""
        noisy = generator.standard_normal((SAMPLES, len(FELT))).astype(np.float32)
        for alpha, alpha_next in pairwise(signal_shares(STEPS)):
            noisy = ddim_step(noisy, self._denoise(noisy, condition, alpha), alpha, alpha_next)
        parts = (CENTRE + SPREAD * noisy).clip(0.0, 1.0).mean(axis=0)
        total = float(parts.sum())
        return style_from_parts(parts / max(total, 1e-6), min(total, 1.0))

    def _denoise(self, noisy: NDArray[np.float32], condition: Traits, alpha: float) -> NDArray[np.float32]:
        weights = self._weights
        share = np.sqrt(np.array([alpha, 1.0 - alpha], np.float32))
        told = np.broadcast_to(np.concatenate([share, condition]), (len(noisy), 2 + len(TRAITS)))
        hidden = _relu(
            np.concatenate([noisy, told], axis=1) @ weights["first_weight"].T + weights["first_bias"]
        )
        hidden = _relu(hidden @ weights["second_weight"].T + weights["second_bias"])
        clean: NDArray[np.float32] = hidden @ weights["last_weight"].T + weights["last_bias"]
        return clean


@dataclass(frozen=True, slots=True, eq=False)
class VoiceState:
    """All that following a voice remembers: two seconds of sound and a few dozen numbers."""

    seed: int = 0
    sound: Pcm = field(default_factory=lambda: np.zeros(STRETCH, np.float32))
    """The latest STRETCH samples."""

    waiting: int = 0
    """Samples since the last prediction, under EVERY."""

    predictions: int = 0
    speaker: Traits = field(default_factory=lambda: np.zeros(len(TRAITS), np.float32))
    """Sum of the speaker's traits, each against what is usual for people."""

    known: float = 0.0
    """Stretches in that sum."""

    felt: StyleVector = field(default_factory=lambda: np.zeros(STYLE_SIZE, np.float32))
    """The prediction, eased."""

    shown: StyleVector = field(default_factory=lambda: np.zeros(STYLE_SIZE, np.float32))
    """The style to show: it stays until the prediction has left it by a step worth showing."""


def follow_voice(predictor: StylePredictor, pcm: Pcm, state: VoiceState) -> VoiceState:
    """Take in sound, float32[n] at 16 kHz, n any number; return the state, whose `shown` is the style now.

    A prediction each second, 5 ms; however the sound is cut, they are the same. `state` is untouched.
    """
    at = 0
    while at < len(pcm):
        piece = pcm[at : at + EVERY - state.waiting]
        at += len(piece)
        sound = np.concatenate([state.sound, piece])[-STRETCH:]
        state = replace(state, sound=sound, waiting=state.waiting + len(piece))
        if state.waiting == EVERY:
            state = _predict(predictor, replace(state, waiting=0))
    return state


def _predict(predictor: StylePredictor, state: VoiceState) -> VoiceState:
    traits = hear_traits(state.sound)
    if traits is None:
        felt = (1.0 - _EASE) * state.felt
    else:
        generator = generator_at(state.seed, Purpose.STYLE, state.predictions)
        condition = predictor.standardize(traits, state.speaker, state.known)
        trust = state.known / (state.known + _MET)
        sampled = np.float32(trust) * predictor.sample(condition, generator)
        felt = state.felt + np.float32(_EASE) * (sampled - state.felt)
        # Each stretch overlaps the last by half, and counts as half.
        fade = min(1.0, (_MOST_KNOWN - 0.5) / max(state.known, 1e-6))
        speaker = fade * state.speaker + 0.5 * predictor.against_people(traits)
        state = replace(state, speaker=speaker.astype(np.float32), known=fade * state.known + 0.5)
    felt = felt.astype(np.float32)
    stirred = float(np.abs(felt - state.shown).max()) > _STIR
    return replace(
        state, felt=felt, shown=felt if stirred else state.shown, predictions=state.predictions + 1
    )


def with_manner_of(style: StyleVector, other: StyleVector) -> StyleVector:
    """Return a style that moves as another does: its emotions stay."""
    joined = style.copy()
    joined[MANNER_SLICE] = other[MANNER_SLICE]
    return joined


@cache
def load_style_predictor() -> StylePredictor:
    """Open the predictor once a process. Raises AssetError where its weights are missing or damaged."""
    return StylePredictor()


def _relu(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.maximum(values, np.float32(0.0))
