"""Move vertices: a sparse sum of shapes, then the pose of the head.

rest: float32[N, 3]     where vertices lie at zero weights, in pixels, z away from the viewer
starts: int64[K + 1]    shape k owns rows starts[k] to starts[k + 1] of `rows` and `deltas`
rows: int32[M]          the vertex that each row moves
deltas: float32[M, 3]   by how much at weight 1
weights: float32[K]
"""

import numpy as np
from numpy.typing import NDArray

from mien.kernels.compiling import compiled


@compiled
def blend(
    rest: NDArray[np.float32],
    starts: NDArray[np.int64],
    rows: NDArray[np.int32],
    deltas: NDArray[np.float32],
    weights: NDArray[np.float32],
    positions: NDArray[np.float32],
) -> None:
    """Fill positions, float32[N, 3], with rest + the weighted sum of shapes, in the shapes' order."""
    for v in range(rest.shape[0]):
        for axis in range(3):
            positions[v, axis] = rest[v, axis]
    for k in range(weights.shape[0]):
        weight = weights[k]
        if weight == 0.0:
            continue
        for m in range(starts[k], starts[k + 1]):
            v = rows[m]
            for axis in range(3):
                positions[v, axis] += weight * deltas[m, axis]


@compiled
def turn(
    positions: NDArray[np.float32],
    share: NDArray[np.float32],
    rotation: NDArray[np.float32],
    pivot: NDArray[np.float32],
    shift: NDArray[np.float32],
) -> None:
    """Move each vertex by its share, float32[N], of a rotation about the pivot and a shift, in place.

    rotation: float32[3, 3]; pivot, shift: float32[3].
    """
    for v in range(positions.shape[0]):
        x = positions[v, 0] - pivot[0]
        y = positions[v, 1] - pivot[1]
        z = positions[v, 2] - pivot[2]
        for axis in range(3):
            turned = rotation[axis, 0] * x + rotation[axis, 1] * y + rotation[axis, 2] * z
            before = positions[v, axis] - pivot[axis]
            positions[v, axis] += share[v] * (turned - before + shift[axis])


def blend_reference(
    rest: NDArray[np.float32],
    starts: NDArray[np.int64],
    rows: NDArray[np.int32],
    deltas: NDArray[np.float32],
    weights: NDArray[np.float32],
    positions: NDArray[np.float32],
) -> None:
    """Say what blend means."""
    positions[:] = rest
    for k in np.flatnonzero(weights):
        own = slice(int(starts[k]), int(starts[k + 1]))
        np.add.at(positions, rows[own], weights[k] * deltas[own])


def turn_reference(
    positions: NDArray[np.float32],
    share: NDArray[np.float32],
    rotation: NDArray[np.float32],
    pivot: NDArray[np.float32],
    shift: NDArray[np.float32],
) -> None:
    """Say what turn means."""
    centred = positions - pivot
    x, y, z = centred[:, 0], centred[:, 1], centred[:, 2]
    for axis in range(3):
        turned = rotation[axis, 0] * x + rotation[axis, 1] * y + rotation[axis, 2] * z
        positions[:, axis] += share * (turned - centred[:, axis] + shift[axis])
