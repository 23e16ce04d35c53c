"""Chance that can be replayed: draws that follow from a seed and a place in the stream alone."""

from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


class Purpose(IntEnum):
    """What chance is needed for: each purpose draws from a stream of its own."""

    START_NOISE = 1
    BLINK = 2
    FIXATION = 3
    BREATH = 4
    SLOW_DRIFT = 5
    QUICK_DRIFT = 6
    TREMOR = 7
    QUICK_START_NOISE = 8
    STYLE = 9


def generator_at(seed: int, purpose: Purpose, index: int) -> np.random.Generator:
    """Return the generator for one event or frame of a stream.

    The same three numbers give the same draws, on every machine and in any order of asking: Philox is a
    counter-based generator (Salmon et al. 2011), so no draw depends on those before it.
    """
    key = np.array([seed % 2**64, int(purpose)], np.uint64)
    return np.random.Generator(np.random.Philox(counter=np.array([0, index, 0, 0], np.uint64), key=key))


def smooth_noise(
    seed: int, purpose: Purpose, *, frame: float, period: float, channels: int
) -> NDArray[np.float64]:
    """Return noise that changes smoothly with the frame, float64[channels], of variance 1 at every moment.

    A cubic B-spline of standard normal knots, one each `period` frames: smooth to its second derivative.
    """
    place, share = divmod(frame / period, 1.0)
    knots = np.stack([_knot(seed, purpose, int(place) + offset, channels) for offset in range(4)])
    noise: NDArray[np.float64] = spline_weights(np.array([share]))[0] @ knots
    return noise


def spline_weights(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what each knot weighs at places between knots, float64[places, knots], rows of norm 1.

    places: float64[n], not negative, in periods from the first knot's place on.
    """
    left = places.astype(int)
    share = places - left
    weights = np.stack(
        [
            (1.0 - share) ** 3,
            3.0 * share**3 - 6.0 * share**2 + 4.0,
            -3.0 * share**3 + 3.0 * share**2 + 3.0 * share + 1.0,
            share**3,
        ],
        axis=1,
    )
    table = np.zeros((len(places), int(left.max(initial=0)) + 4))
    rows = np.arange(len(places))
    for offset in range(4):
        table[rows, left + offset] = weights[:, offset]
    normed: NDArray[np.float64] = table / np.linalg.norm(table, axis=1, keepdims=True)
    return normed


@lru_cache(maxsize=1024)
def _knot(seed: int, purpose: Purpose, index: int, channels: int) -> NDArray[np.float64]:
    return generator_at(seed, purpose, index).standard_normal(channels)
