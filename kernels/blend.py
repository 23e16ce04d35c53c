"""Move vertices: a sparse sum of shapes, then the pose of the head.

rest: float32[N, 3]     where vertices lie at zero weights, in pixels, z away from the viewer
starts: int64[K + 1]    shape k owns rows starts[k] to starts[k + 1] of `rows` and `deltas`
rows: int32[M]          the vertex that each row moves, ascending within each shape
deltas: float32[M, 3]   by how much at weight 1
weights: float32[K]
"""

import numpy as np
from numpy.typing import NDArray

from mien.kernels import device
from mien.kernels.native import COUNT, array_of, native

_FLOATS = array_of(np.float32)

_blend = native(
    "blend", _FLOATS, COUNT, array_of(np.int64), array_of(np.int32), _FLOATS, _FLOATS, COUNT, _FLOATS
)
_turn = native("turn", _FLOATS, COUNT, _FLOATS, _FLOATS, _FLOATS, _FLOATS)


def blend(
    rest: NDArray[np.float32],
    starts: NDArray[np.int64],
    rows: NDArray[np.int32],
    deltas: NDArray[np.float32],
    weights: NDArray[np.float32],
    positions: NDArray[np.float32],
) -> None:
    """Fill positions, float32[N, 3], with rest + the weighted sum of shapes, in the shapes' order."""
    vertices, shapes = len(rest), len(weights)
    device.require("rest", rest, np.float32, vertices, 3)
    device.require("starts", starts, np.int64, shapes + 1)
    device.require("rows", rows, np.int32, len(rows))
    device.require("deltas", deltas, np.float32, len(rows), 3)
    device.require("weights", weights, np.float32, shapes)
    device.require("positions", positions, np.float32, vertices, 3)
    if device.on_device(rest, starts, rows, deltas, weights, positions):
        arguments = (rest, vertices, starts, rows, deltas, len(rows), weights, shapes, positions)
        device.launch("blend", "blend", (vertices, 1, 1), *arguments, block=device.ROW)
        return
    if starts[-1] != len(rows):
        raise ValueError(f"starts ends at {starts[-1]}, not at {len(rows)}, the number of rows")
    _blend(rest, vertices, starts, rows, deltas, weights, shapes, positions)


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
    vertices = len(positions)
    device.require("positions", positions, np.float32, vertices, 3)
    device.require("share", share, np.float32, vertices)
    device.require("rotation", rotation, np.float32, 3, 3)
    device.require("pivot", pivot, np.float32, 3)
    device.require("shift", shift, np.float32, 3)
    if device.on_device(positions, share, rotation, pivot, shift):
        arguments = (positions, vertices, share, rotation, pivot, shift)
        device.launch("blend", "turn", (vertices, 1, 1), *arguments, block=device.ROW)
        return
    _turn(positions, vertices, share, rotation, pivot, shift)


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
