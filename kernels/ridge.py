"""Least squares with a prior, inside a box: minimise x' G x / 2 - h' x for low <= x <= high.

gram: float64[n, n], symmetric and positive definite; pull (h), low, high, start: float64[n].
Coordinate descent (Wright 2015, algorithm 1, with the exact step clipped to the box) finds the one minimum.
"""

import numpy as np
from numpy.typing import NDArray

from mien.kernels.native import COUNT, DOUBLE, array_of, native

_VECTOR = array_of(np.float64)

_solve_in_box = native("solve_in_box", _VECTOR, _VECTOR, _VECTOR, _VECTOR, _VECTOR, COUNT, COUNT, DOUBLE)

SWEEPS = 200
"""At most so many passes over the coordinates; a few dozen are common."""

STILL = 1e-5
"""A pass that moves no coordinate further than this is the last."""


def solve_in_box(
    gram: NDArray[np.float64],
    pull: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    start: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the minimum, float64[n]."""
    count = len(start)
    if gram.shape != (count, count) or any(v.shape != (count,) for v in (pull, low, high, start)):
        raise ValueError("gram, pull, low, high and start do not have the same n")
    solution = start.copy()
    _solve_in_box(gram, pull, low, high, solution, count, SWEEPS, STILL)
    return solution


def solve_in_box_reference(
    gram: NDArray[np.float64],
    pull: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    start: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Say what solve_in_box means."""
    x = start.copy()
    for _ in range(SWEEPS):
        before = x.copy()
        for i in range(len(x)):
            x[i] = np.clip(x[i] + (pull[i] - gram[i] @ x) / gram[i, i], low[i], high[i])
        if np.abs(x - before).max() < STILL:
            break
    return x
