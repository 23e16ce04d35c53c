"""What is measured of a talking mouth, and how sure a figure is.

Every measure is a formula of sums over clips: moments, hits, counts. Clips are then drawn with replacement
and their sums added up again, which gives a 95 % interval at no cost (bootstrap: Efron 1979). The interval
tells how much the choice of test clips matters. It knows nothing of another training of the nets.

Tracks are float64[frames] at 25 frames a second. `made` is what a system did, `wanted` the truth.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.engine.timebase import FRAME_RATE, MILLISECONDS_PER_FRAME

Track = NDArray[np.float64]
Sums = NDArray[np.float64]
"""float64[clips, columns], or float64[..., columns] once clips were added up."""

Formula = Callable[[Sums], NDArray[np.float64]]
"""From sums float64[..., columns] to the measure float64[...]."""

DRAWS: Final = 1000
CLOSED_SHARE: Final = 0.05
"""Lips count as closed under this share of the 95th percentile of the gap."""

FALSE_ALARMS: Final = 0.10
"""Share of other sounds that may look like the wanted one, when its recall is measured."""

LAG_REACH: Final = 5
"""Frames to each side over which the best shift is sought."""

NEAR_S: Final = 0.08
"""Sounds this near to a wanted one share its shape by coarticulation, and are no false alarms."""

BREATH_S: Final = 0.12

CLOSURES: Final = frozenset("pbm")
ROUNDED: Final = frozenset("uwyɥ")
UNROUNDED: Final = frozenset("aɑæʌɛeɪiəɐAIszθðtdnlkɡghɕʨçɲɾ")
LIP_TEETH: Final = frozenset("fvʋ")
NO_LIP_TEETH: Final = UNROUNDED | ROUNDED | frozenset("ʊɔoOWYɹʃʒʧʤɜ")
OPEN_VOWELS: Final = frozenset("AIWOæɑɛaʌ")
SILENCE: Final = "_"


class Sounded(Protocol):
    """One sound of speech: its symbol and when it is said, in seconds."""

    @property
    def symbol(self) -> str:
        """The canonical symbol of tools/articulation.py."""

    @property
    def start(self) -> float:
        """Seconds."""

    @property
    def end(self) -> float:
        """Seconds."""


@dataclass(frozen=True, slots=True)
class Score:
    """A figure with its 95 % interval over clips."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Print as 0.876 [0.851, 0.899]."""
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def score(sums: Sums, formula: Formula) -> Score:
    """Return a measure of clips with its interval. sums: float64[clips, columns], one row a clip."""
    rng = np.random.default_rng(0)
    clips = len(sums)
    times_drawn = rng.multinomial(clips, np.full(clips, 1 / clips), size=DRAWS).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = formula(times_drawn @ sums)
        value = float(formula(sums.sum(axis=0)))
    spread = spread[np.isfinite(spread)]
    low, high = np.percentile(spread, [2.5, 97.5]) if len(spread) else (np.nan, np.nan)
    return Score(value, float(low), float(high))


# Agreement


def moments(made: Sequence[Track], wanted: Sequence[Track]) -> Sums:
    """Return each clip's [n, sum x, sum y, sum xx, sum yy, sum xy], float64[clips, 6]."""
    return np.array([
        [len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y] for x, y in zip(made, wanted, strict=True)
    ])  # fmt: skip


def correlation_of(sums: Sums) -> NDArray[np.float64]:
    """Return Pearson's r over all frames of the clips, from sums of `moments`."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    result: NDArray[np.float64] = (n * xy - x * y) / np.sqrt((n * xx - x**2) * (n * yy - y**2))
    return result


def correlation(made: Sequence[Track], wanted: Sequence[Track]) -> Score:
    """Return Pearson's r over all frames of all clips, as one."""
    return score(moments(made, wanted), correlation_of)


def correlation_change(made: Sequence[Track], before: Sequence[Track], wanted: Sequence[Track]) -> Score:
    """Return r of `made` less r of `before` on the same clips: the interval is of the difference."""
    sums = np.concatenate([moments(made, wanted), moments(before, wanted)], axis=1)
    return score(sums, lambda both: correlation_of(both[..., :6]) - correlation_of(both[..., 6:]))


def correlation_share(made: Sequence[Track], best: Sequence[Track], wanted: Sequence[Track]) -> Score:
    """Return r of `made` over r of `best` on the same clips."""
    sums = np.concatenate([moments(made, wanted), moments(best, wanted)], axis=1)
    return score(sums, lambda both: correlation_of(both[..., :6]) / correlation_of(both[..., 6:]))


def lag_ms(made: Sequence[Track], wanted: Sequence[Track]) -> Score:
    """Return by how many ms `made` comes after `wanted`: the shift of highest correlation.

    Shifts are whole frames within LAG_REACH; a parabola through the best and its neighbours gives the rest.
    """
    shifts = range(-LAG_REACH, LAG_REACH + 1)
    sums = np.concatenate([
        moments([x[LAG_REACH + shift : len(x) - LAG_REACH + shift] for x in made],
                [y[LAG_REACH : len(y) - LAG_REACH] for y in wanted])
        for shift in shifts
    ], axis=1)  # fmt: skip

    def formula(sums: Sums) -> NDArray[np.float64]:
        curve = correlation_of(sums.reshape(*sums.shape[:-1], len(shifts), 6))
        return np.apply_along_axis(_peak, -1, curve) * MILLISECONDS_PER_FRAME

    return score(sums, formula)


def _peak(curve: Track) -> float:
    """Return where a curve over -LAG_REACH..LAG_REACH is highest, to a fraction."""
    best = int(np.argmax(curve))
    if not 0 < best < len(curve) - 1:
        return float(best - LAG_REACH)
    before, at, after = curve[best - 1 : best + 2]
    return float(best - LAG_REACH + 0.5 * (before - after) / (before - 2 * at + after))


def acceleration_ratio(made: Sequence[Track], wanted: Sequence[Track]) -> Score:
    """Return the mean acceleration over the truth's, each in its own standard deviations: 1 is as alive."""

    def row(track: Track) -> list[float]:
        bend = np.abs(np.diff(track, n=2))
        return [len(track), track.sum(), track @ track, len(bend), bend.sum()]

    def liveliness(sums: Sums) -> NDArray[np.float64]:
        n, x, xx, bends, bend = np.moveaxis(sums, -1, 0)
        result: NDArray[np.float64] = bend / bends / np.sqrt(xx / n - (x / n) ** 2)
        return result

    sums = np.array([[*row(x), *row(y)] for x, y in zip(made, wanted, strict=True)])
    return score(sums, lambda both: liveliness(both[..., :5]) / liveliness(both[..., 5:]))


def amplitude_ratio(made: Sequence[Track], wanted: Sequence[Track]) -> Score:
    """Return the standard deviation over the truth's: under 1 the motion is smaller than it was."""

    def formula(sums: Sums) -> NDArray[np.float64]:
        n, x, y, xx, yy, _ = np.moveaxis(sums, -1, 0)
        result: NDArray[np.float64] = np.sqrt((n * xx - x**2) / (n * yy - y**2))
        return result

    return score(moments(made, wanted), formula)


def share_of(sums: Sums) -> NDArray[np.float64]:
    """Return hits over trials, from sums [..., 2]."""
    result: NDArray[np.float64] = sums[..., 0] / sums[..., 1]
    return result


# What sounds need


def span(phone: Sounded, frames: int) -> slice:
    """Return the frames during a sound and one to each side."""
    first = max(0, int(phone.start * FRAME_RATE) - 1)
    return slice(first, min(frames, int(np.ceil(phone.end * FRAME_RATE)) + 1))


def middle(phone: Sounded, frames: int) -> int:
    """Return the frame that shows a sound's middle."""
    return min(int((phone.start + phone.end) / 2 * FRAME_RATE), frames - 1)


def speaking(phones: Sequence[Sounded], frames: int) -> NDArray[np.bool_]:
    """Return which frames lie within BREATH_S of a sound of speech.

    People part their lips to breathe long before they speak; no sound tells of it.
    """
    times = (np.arange(frames) + 0.5) / FRAME_RATE
    near = np.zeros(frames, bool)
    for phone in phones:
        if phone.symbol != SILENCE:
            near |= (times > phone.start - BREATH_S) & (times < phone.end + BREATH_S)
    return near


def closed_limit(gaps: Sequence[Track]) -> float:
    """Return the gap under which lips count as closed, from the gaps of a whole set."""
    return CLOSED_SHARE * float(np.percentile(np.concatenate(gaps), 95))


def closure_recall(spoken: Sequence[Sequence[Sounded]], gaps: Sequence[Track]) -> Score:
    """Return the share of p, b, m during which the lips close. A mouth that is always shut gets 1."""
    limit, rows = closed_limit(gaps), []
    for phones, gap in zip(spoken, gaps, strict=True):
        spans = [span(phone, len(gap)) for phone in phones if phone.symbol in CLOSURES]
        hits = [gap[frames].min() <= limit for frames in spans if frames.stop - frames.start >= 2]
        rows.append([sum(hits), len(hits)])
    return score(np.array(rows, np.float64), share_of)


def closure_precision(spoken: Sequence[Sequence[Sounded]], gaps: Sequence[Track]) -> Score:
    """Return the share of closures in speech that belong to a p, b or m: runs of closed frames.

    A run that touches a pause, or lies outside speech, is a mouth at rest and does not count.
    """
    limit, rows = closed_limit(gaps), []
    for phones, gap in zip(spoken, gaps, strict=True):
        lips, pause = np.zeros(len(gap), bool), np.ones(len(gap), bool)
        for phone in phones:
            if phone.symbol != SILENCE:
                pause[int(phone.start * FRAME_RATE) : int(np.ceil(phone.end * FRAME_RATE))] = False
        for phone in phones:
            if phone.symbol == SILENCE:
                pause[span(phone, len(gap))] = True
            elif phone.symbol in CLOSURES:
                lips[span(phone, len(gap))] = True
        inside = [run for run in runs(gap <= limit) if not pause[run].any()]
        rows.append([sum(bool(lips[run].any()) for run in inside), len(inside)])
    return score(np.array(rows, np.float64), share_of)


def runs(flags: NDArray[np.bool_]) -> list[slice]:
    """Return the stretches of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [slice(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def open_vowels_shut(spoken: Sequence[Sequence[Sounded]], gaps: Sequence[Track]) -> Score:
    """Return the share of open vowels with closed lips at their middle."""
    limit, rows = closed_limit(gaps), []
    for phones, gap in zip(spoken, gaps, strict=True):
        vowels = [p for p in phones if p.symbol in OPEN_VOWELS and p.end - p.start > 0.06]
        rows.append([sum(gap[middle(p, len(gap))] <= limit for p in vowels), len(vowels)])
    return score(np.array(rows, np.float64), share_of)


def recall_at(
    spoken: Sequence[Sequence[Sounded]],
    cues: Sequence[Track],
    wanted: frozenset[str],
    others: frozenset[str],
) -> Score:
    """Return the share of wanted sounds whose cue stands out of FALSE_ALARMS of the others at their middles.

    No unit of the cue matters, so systems with other scales compare. Chance is FALSE_ALARMS; a cue that
    never moves gets 0. Sounds within NEAR_S of a wanted one are left out of the others.
    """
    hits: list[list[float]] = []
    alarms: list[float] = []
    for phones, cue in zip(spoken, cues, strict=True):
        targets = [phone for phone in phones if phone.symbol in wanted]
        hits.append([float(cue[middle(phone, len(cue))]) for phone in targets])
        alarms += [
            float(cue[middle(phone, len(cue))])
            for phone in phones
            if phone.symbol in others
            and all(phone.end < t.start - NEAR_S or phone.start > t.end + NEAR_S for t in targets)
        ]
    limit = float(np.quantile(alarms, 1 - FALSE_ALARMS)) if alarms else np.nan
    rows = [[sum(value > limit for value in clip), len(clip)] for clip in hits]
    return score(np.array(rows, np.float64), share_of)
