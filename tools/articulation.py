"""How a mouth moves for known phonemes: the targets of speech whose speaker nobody filmed.

Coarticulation by dominance functions: each phoneme pulls every articulator towards a target with a weight
that fades with time around it, and the curve is the weighted mean (Cohen and Massaro 1993, "Modeling
coarticulation in synthetic visual speech", equations 1-4). Lip closures (p, b, m) and lip-teeth contact (f,
v) are gestures of their own, laid over that curve, because no mean may leave the lips ajar. The targets
below start from phonetics and are refitted to filmed mouths by `fit_targets`.

Curves are float[frames, len(ARTICULATORS)] at 25 frames a second, 0..1 of each shape; "gap" is the opening
between the inner lips, where 1 is about the 95th percentile in speech and 0 is touching.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from mien.engine.timebase import FRAME_RATE

Curves = NDArray[np.float64]

ARTICULATORS: Final = (
    "jaw",
    "gap",
    "funnel",
    "pucker",
    "stretch",
    "smile",
    "dimple",
    "roll_lower",
    "roll_upper",
    "shrug_lower",
    "shrug_upper",
    "press",
    "lower_down",
    "upper_up",
    "tongue",
    "jaw_forward",
)
PLACE: Final = {name: index for index, name in enumerate(ARTICULATORS)}

CLOSURES: Final = frozenset("pbm")
LIP_TEETH: Final = frozenset("fvʋ")
SILENCE: Final = "_"

STEP_S: Final = 0.01
CLOSING_S: Final = 0.075
LONGEST_CONSONANT_S: Final = 0.2
OPENING_S: Final = 0.07
"""Half-cosine ramps; 10-90 % of filmed closures and openings take 82 and 89 ms, smoothing included."""


@dataclass(frozen=True, slots=True)
class Phone:
    """One sound: the canonical symbol, and when it is said, in seconds."""

    symbol: str
    start: float
    end: float
    stress: float = 1.0
    """Scales the jaw of vowels: 1.12 in stressed syllables, 0.85 in reduced ones."""


@dataclass(frozen=True, slots=True)
class Viseme:
    """Where one sound pulls the articulators, and how hard it pulls jaw, rounding and the rest."""

    targets: NDArray[np.float64]
    jaw_strength: float
    round_strength: float
    rest_strength: float


def _viseme(jaw: float, strengths: tuple[float, float, float] = (1.0, 0.4, 0.7), **others: float) -> Viseme:
    targets = np.zeros(len(ARTICULATORS))
    targets[PLACE["jaw"]] = jaw
    for name, value in others.items():
        targets[PLACE[name]] = value
    targets[PLACE["gap"]] = np.clip(2.3 * jaw + 0.35 * targets[PLACE["upper_up"]] - 0.05, 0, 1.2)
    return Viseme(targets, *strengths)


VISEMES: Final[Mapping[str, Viseme]] = {
    # open and front vowels
    "a": _viseme(0.52, stretch=0.12, lower_down=0.3, upper_up=0.16),
    "ɑ": _viseme(0.52, lower_down=0.28, upper_up=0.14),
    "æ": _viseme(0.48, stretch=0.25, smile=0.14, lower_down=0.34, upper_up=0.2),
    "ʌ": _viseme(0.38, lower_down=0.25, upper_up=0.12),
    "ɛ": _viseme(0.38, stretch=0.22, smile=0.16, lower_down=0.3, upper_up=0.18),
    "ɪ": _viseme(0.24, stretch=0.24, smile=0.18, lower_down=0.25, upper_up=0.15, dimple=0.08),
    "i": _viseme(0.18, (1.0, 0.6, 1.1), stretch=0.4, smile=0.36, lower_down=0.32, upper_up=0.2, dimple=0.2),
    "ə": _viseme(0.22, (0.6, 0.2, 0.4), lower_down=0.15, upper_up=0.1),
    # rounded ones
    "ɜ": _viseme(0.26, (1.0, 0.6, 0.7), funnel=0.28, pucker=0.2, lower_down=0.2),
    "ɒ": _viseme(0.46, (1.0, 0.7, 0.7), funnel=0.3, pucker=0.12, lower_down=0.22),
    "ɔ": _viseme(0.4, (1.0, 1.4, 0.7), funnel=0.48, pucker=0.28, lower_down=0.15),
    "o": _viseme(0.34, (1.0, 1.4, 0.7), funnel=0.48, pucker=0.4, lower_down=0.1),
    "ʊ": _viseme(0.22, (1.0, 1.3, 0.7), funnel=0.38, pucker=0.4),
    "u": _viseme(0.17, (1.4, 2.4, 0.7), funnel=0.4, pucker=0.75),
    # lips
    "p": _viseme(0.12, (0.6, 0.15, 0.5), press=0.3, roll_upper=0.12, roll_lower=0.12),
    "f": _viseme(0.09, (0.9, 0.2, 1.1), roll_lower=0.62, upper_up=0.24, shrug_upper=0.1),
    "w": _viseme(0.13, (1.8, 3.2, 0.6), funnel=0.32, pucker=0.9),
    # tongue
    "ɹ": _viseme(0.17, (0.4, 0.8, 0.3), funnel=0.32, pucker=0.28),
    "l": _viseme(0.24, (0.5, 0.15, 0.4), lower_down=0.2, upper_up=0.12, tongue=0.16),
    "θ": _viseme(0.16, (0.8, 0.15, 0.5), lower_down=0.24, upper_up=0.14, tongue=0.3),
    "t": _viseme(0.16, (0.5, 0.12, 0.4), stretch=0.08, lower_down=0.24, upper_up=0.14, tongue=0.05),
    "s": _viseme(0.12, (0.9, 0.25, 0.8), stretch=0.24, smile=0.1, lower_down=0.36, upper_up=0.22),
    "ʃ": _viseme(
        0.14, (0.8, 1.7, 0.7), funnel=0.6, pucker=0.34, shrug_lower=0.1, lower_down=0.2, upper_up=0.16
    ),
    "j": _viseme(0.18, (0.5, 0.4, 0.7), stretch=0.3, smile=0.24, lower_down=0.22, upper_up=0.12),
    "k": _viseme(0.22, (0.25, 0.08, 0.25), lower_down=0.16, upper_up=0.08),
    "h": _viseme(0.25, (0.05, 0.02, 0.05), lower_down=0.1),
    SILENCE: _viseme(0.0, (0.8, 0.6, 0.8)),
}

ALIASES: Final = {
    **dict.fromkeys("bm", "p"), "v": "f", "ð": "θ", "z": "s", "ʒ": "ʃ", "ʧ": "ʃ", "ʤ": "ʃ",
    **dict.fromkeys("dnɾTrɽɖʈɳ", "t"), **dict.fromkeys("ɡgŋʔxɣʁχqɰɴcɟ", "k"), "ɫ": "l",
    "e": "ɛ", "ɐ": "ə", "ᵊ": "ə", "ɚ": "ɜ", "ᵻ": "ɪ", "ɨ": "ɪ",
    # Other languages' sounds. A trilled r is no rounded ɹ; β and ɸ nearly close the lips; ɯ is hardly round.
    "y": "u", "ɥ": "w", "ø": "o", "œ": "ɔ", "ɯ": "ʊ", "ɤ": "ʌ", "ʋ": "f", **dict.fromkeys("βɸ", "p"),
    **dict.fromkeys("ʂɻꭧ", "ʃ"), **dict.fromkeys("ɕʨʥʦʣ", "s"), **dict.fromkeys("çʝ", "j"),
    "ʎ": "l", "ɲ": "t", "ʰ": "h",
}  # fmt: skip
MODIFIERS: Final = frozenset("ː̃ʲᵝ→↗↘↓")
"""Length, nasality, palatalisation and tone: they go on with the sound before them."""

DIPHTHONGS: Final = {"A": "ɛɪ", "I": "aɪ", "W": "aʊ", "Y": "ɔɪ", "O": "oʊ", "Q": "əʊ"}
VOWELS: Final = frozenset("aɑæʌɛɪiəɜɒɔoʊu")
ARPABET: Final = {
    "AA": "ɑ", "AE": "æ", "AH": "ʌ", "AO": "ɔ", "AW": "W", "AY": "I", "B": "b", "CH": "ʧ", "D": "d",
    "DH": "ð", "EH": "ɛ", "ER": "ɜ", "EY": "A", "F": "f", "G": "ɡ",
    "HH": "h", "IH": "ɪ", "IY": "i", "JH": "ʤ", "K": "k",
    "L": "l", "M": "m", "N": "n", "NG": "ŋ", "OW": "O", "OY": "Y", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ",
    "T": "t", "TH": "θ", "UH": "ʊ", "UW": "u", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ",
    "SIL": SILENCE,
}  # fmt: skip

FADE_S: Final = {"jaw": 0.06, "round": 0.065, "rest": 0.06}
SILENT_FADE_S: Final = 0.04
EARLY: Final = {"jaw": 1.1, "round": 1.35, "rest": 1.1}
"""Anticipation: how much wider the dominance is before a sound than after it."""

_ROUND: Final = [PLACE["funnel"], PLACE["pucker"]]
_JAW: Final = [PLACE["jaw"], PLACE["gap"]]
_REST: Final = [k for k in range(len(ARTICULATORS)) if k not in (*_ROUND, *_JAW)]


def phones_from_kokoro(symbols: Iterable[tuple[str, float, float]]) -> list[Phone]:
    """Turn Kokoro's symbols with their times into phones: stress marks and modifiers join their sound."""
    phones: list[Phone] = []
    stress, mark_start = 0.85, None
    for symbol, start, end in symbols:
        if symbol in "ˈˌ":
            stress, mark_start = (1.12 if symbol == "ˈ" else 1.0), start
        elif symbol in MODIFIERS and phones:
            phones[-1] = Phone(phones[-1].symbol, phones[-1].start, end, phones[-1].stress)
        elif symbol in DIPHTHONGS or symbol in ALIASES or (symbol in VISEMES and symbol != SILENCE):
            begun = start if mark_start is None else mark_start
            vowel = symbol in DIPHTHONGS or ALIASES.get(symbol, symbol) in VOWELS
            phones.append(Phone(symbol, begun, end, stress if vowel else 1.0))
            stress, mark_start = (0.85 if vowel else stress), None
        elif symbol == SILENCE or end - start >= 0.075:
            phones.append(Phone(SILENCE, start, end))
        elif phones:
            phones[-1] = Phone(phones[-1].symbol, phones[-1].start, end, phones[-1].stress)
    return phones


def phones_from_arpabet(symbols: Iterable[tuple[str, float, float]]) -> list[Phone]:
    """Turn pocketsphinx's phones into ours."""
    return [Phone(ARPABET.get(symbol, SILENCE), start, end) for symbol, start, end in symbols]


def pause(phones: Iterable[Phone], quiet: Iterable[tuple[float, float]]) -> list[Phone]:
    """Cut phones where nothing is heard: aligners and synthesisers stretch a last sound into the pause.

    quiet: stretches without sound, in seconds, longer than any stop. A stop that ends a pause keeps its
    last tenth of a second, for the lips close before they burst open.
    """
    cut = list(phones)
    silences = list(quiet)
    for begin, finish in silences:
        kept: list[Phone] = []
        for phone in cut:
            if phone.end <= begin or phone.start >= finish:
                kept.append(phone)
                continue
            if phone.start < begin - 0.02:
                kept.append(replace(phone, end=begin))
            if phone.end > finish + 0.005:
                lead = 0.08 if ALIASES.get(phone.symbol, phone.symbol) in "ptk" else 0.02
                kept.append(replace(phone, start=max(phone.start, finish - lead)))
        cut = kept
    cut += [Phone(SILENCE, begin, finish) for begin, finish in silences]
    return sorted((_shorten(phone) for phone in cut), key=lambda phone: phone.start)


def _shorten(phone: Phone) -> Phone:
    """Keep the last part of a consonant that is longer than any consonant is."""
    if (
        phone.symbol == SILENCE
        or phone.symbol in DIPHTHONGS
        or ALIASES.get(phone.symbol, phone.symbol) in VOWELS
    ):
        return phone
    return replace(phone, start=max(phone.start, phone.end - LONGEST_CONSONANT_S))


def viseme_classes(phones: Sequence[Phone], frames: int) -> NDArray[np.int8]:
    """Return what each frame's middle looks like: the place in VISEMES, SILENCE's where nothing is said."""
    names = list(VISEMES)
    classes = np.full(frames, names.index(SILENCE), np.int8)
    times = (np.arange(frames) + 0.5) / FRAME_RATE
    for phone in _expand(phones):
        classes[(times >= phone.start) & (times < phone.end)] = names.index(phone.symbol)
    return classes


def _expand(phones: Iterable[Phone]) -> list[Phone]:
    """Split diphthongs and replace each sound by the one it looks like."""
    looks: list[Phone] = []
    for phone in phones:
        if phone.symbol in DIPHTHONGS:
            middle = phone.start + 0.55 * (phone.end - phone.start)
            first, second = DIPHTHONGS[phone.symbol]
            looks.append(Phone(ALIASES.get(first, first), phone.start, middle, phone.stress))
            looks.append(Phone(ALIASES.get(second, second), middle, phone.end, phone.stress))
        else:
            looks.append(Phone(ALIASES.get(phone.symbol, phone.symbol), phone.start, phone.end, phone.stress))
    return looks


def _dominance(phone: Phone, times: Curves, fade: float, early: float) -> Curves:
    """Return how strongly a phone is felt at each time: 1 inside its middle half, fading outwards."""
    centre, half = (phone.start + phone.end) / 2, (phone.end - phone.start) / 2
    distance = np.maximum(np.abs(times - centre) - half / 2, 0)
    return np.exp(-distance / (fade * np.where(times < centre, early, 1.0)))


def dominances(
    phones: Sequence[Phone], times: Curves, group: str, fades: Mapping[str, float] = FADE_S
) -> Curves:
    """Return each viseme's share of the mean, float[times, len(VISEMES)], rows summing to 1 at most.

    group: "jaw", "round" or "rest". Stress scales the vowel's target, so it is folded into the share.
    """
    names = list(VISEMES)
    weights = np.zeros((len(times), len(names)))
    total = np.full(len(times), 1e-4)
    for phone in _expand(phones):
        viseme = VISEMES[phone.symbol]
        strength = {"jaw": viseme.jaw_strength, "round": viseme.round_strength, "rest": viseme.rest_strength}[
            group
        ]
        silent = phone.symbol == SILENCE
        weight = strength * _dominance(phone, times, SILENT_FADE_S if silent else fades[group], EARLY[group])
        total += weight
        scale = phone.stress if group == "jaw" and phone.symbol in VOWELS else 1.0
        weights[:, names.index(phone.symbol)] += weight * scale
    return weights / total[:, None]


def gesture(phones: Iterable[Phone], times: Curves, symbols: frozenset[str]) -> Curves:
    """Return how far a gesture of the lips is made at each time, 0..1, for the phones among `symbols`."""
    made = np.zeros(len(times))
    for phone in phones:
        if phone.symbol not in symbols:
            continue
        middle = (phone.start + phone.end) / 2
        reached, left = min(phone.start + 0.015, middle), max(phone.end - 0.015, middle)
        rise = np.clip((times - (reached - CLOSING_S)) / CLOSING_S, 0, 1)
        fall = np.clip(((left + OPENING_S) - times) / OPENING_S, 0, 1)
        made = np.maximum(made, 0.5 - 0.5 * np.cos(np.pi * np.minimum(rise, fall)))
    return made


def articulate(
    phones: Sequence[Phone], frames: int, targets: Curves, *, effort: NDArray[np.float64] | None = None
) -> Curves:
    """Return the curves of a mouth that says the phones, float[frames, len(ARTICULATORS)].

    targets: float[len(VISEMES), len(ARTICULATORS)], from `prior_targets` or `fit_targets`. effort:
    float[frames], loudness about its mean in standard deviations; louder speech opens the jaw further.
    """
    times = (np.arange(int(frames / FRAME_RATE / STEP_S)) + 0.5) * STEP_S
    curves = np.zeros((len(times), len(ARTICULATORS)))
    for group, places in (("jaw", _JAW), ("round", _ROUND), ("rest", _REST)):
        curves[:, places] = dominances(phones, times, group) @ targets[:, places]
    if effort is not None:
        at = np.interp(times, (np.arange(frames) + 0.5) / FRAME_RATE, effort)
        curves[:, _JAW] *= np.clip(1 + EFFORT_GAIN * at, 0.6, 1.35)[:, None]
    closed = gesture(phones, times, CLOSURES)
    contact = gesture(phones, times, LIP_TEETH)
    _lay_over(curves, closed, contact)
    smooth = gaussian_filter1d(curves, 1.2, axis=0)
    middles = ((np.arange(frames) + 0.5) / FRAME_RATE / STEP_S).astype(int).clip(0, len(times) - 1)
    return smooth[middles]


EFFORT_GAIN: Final = 0.22
LIP_TEETH_GAP: Final = 0.25
"""f and v leave a quarter of the gap: the upper teeth rest on the lower lip, and show."""


def _lay_over(curves: Curves, closed: Curves, contact: Curves) -> None:
    """Put the closures and the lip-teeth contacts over the mean, in place."""
    column = {name: curves[:, place] for name, place in PLACE.items()}
    column["gap"] += contact * (LIP_TEETH_GAP - column["gap"])
    column["gap"] *= 1 - closed
    column["jaw"] *= 1 - 0.25 * closed - 0.2 * contact
    column["funnel"] *= 1 - 0.6 * closed
    for name in ("lower_down", "upper_up", "tongue"):
        column[name] *= 1 - closed
    column["lower_down"] *= 1 - 0.85 * contact
    column["roll_lower"][:] = np.maximum(0.15 * closed, 0.7 * contact)
    column["roll_upper"][:] = 0.18 * closed
    column["press"][:] = 0.35 * closed
    column["upper_up"][:] = np.maximum(column["upper_up"], 0.3 * contact)
    column["shrug_upper"] += 0.1 * contact


def prior_targets() -> Curves:
    """Return the table above, float[len(VISEMES), len(ARTICULATORS)]."""
    return np.stack([viseme.targets for viseme in VISEMES.values()])


def fit_targets(
    clips: Sequence[tuple[Sequence[Phone], Mapping[str, NDArray[np.float64]]]], *, trust: float = 40.0
) -> Curves:
    """Refit targets to filmed curves by least squares, held to the prior as if seen `trust` times.

    clips: pairs of phones and the articulators that could be measured, each float[frames]. Frames in a
    closure or a lip-teeth contact teach nothing about the mean beneath and are left out; no target moves
    far from the prior, since GRID's 51 words show each sound among few others.
    """
    fitted = prior_targets()
    groups = {**dict.fromkeys(_JAW, "jaw"), **dict.fromkeys(_ROUND, "round"), **dict.fromkeys(_REST, "rest")}
    for name in clips[0][1]:
        place = PLACE[name]
        moments = trust * np.eye(len(VISEMES))
        right = trust * fitted[:, place]
        for phones, measured in clips:
            times = (np.arange(len(measured[name])) + 0.5) / FRAME_RATE
            free = (gesture(phones, times, CLOSURES) < 0.05) & (gesture(phones, times, LIP_TEETH) < 0.05)
            shares = dominances(phones, times, groups[place])[free]
            moments += shares.T @ shares
            right += shares.T @ measured[name][free]
        prior = fitted[:, place].copy()
        reach = 0.15 + 0.5 * prior
        least = 0.85 if name == "pucker" else 0.4
        solved = np.linalg.solve(moments, right)
        fitted[:, place] = np.clip(solved, np.maximum(prior - reach, least * prior), prior + reach)
    fitted[list(VISEMES).index(SILENCE)] = 0.0
    return fitted
