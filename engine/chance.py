"""Chance that can be replayed: draws that follow from a seed and a place in the stream alone."""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What chance is needed for: each purpose draws from a stream of its own."""

    START_NOISE = 1
    BLINK = 2
    FIXATION = 3
    BREATH = 4
    SLOW_DRIFT = 5
    QUICK_DRIFT = 6
    TREMOR = 7


def generator_at(seed: int, purpose: Purpose, index: int) -> np.random.Generator:
    """Return the generator for one event or frame of a stream.

    The same three numbers give the same draws, on every machine and in any order of asking: Philox is a
    counter-based generator (Salmon et al. 2011), so no draw depends on those before it.
    """
    key = np.array([seed % 2**64, int(purpose)], np.uint64)
    return np.random.Generator(np.random.Philox(counter=np.array([0, index, 0, 0], np.uint64), key=key))
