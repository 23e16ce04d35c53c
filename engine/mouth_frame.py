"""Where a portrait's mouth points: the axes of the head that the photo shows."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.engine.head import load_head
from mien.engine.portrait import Portrait

_PART: Final = "upper_teeth"
"""It moves with the skull alone, and is as long as it is wide: it tells which way the head looks."""


def mouth_axes(portrait: Portrait) -> NDArray[np.float32]:
    """Return which way right, down and back lie in the photo, float32[3, 3]: a column each, in pixels.

    Their lengths are a face width's: this is scale times the head's rotation, by least squares.
    """
    head = load_head()
    part = head.part(_PART)
    offset = int(portrait.runs[1]) - head.mouth_inside().start
    model = head.vertices[part].astype(np.float64)
    placed = portrait.vertices[part.start + offset : part.stop + offset].astype(np.float64)
    model -= model.mean(axis=0)
    placed -= placed.mean(axis=0)
    # Orthogonal Procrustes (Schoenemann 1966): who has which teeth is no turn of the head.
    left, _, right = np.linalg.svd(placed.T @ model)
    turned = left @ np.diag([1.0, 1.0, np.linalg.det(left @ right)]) @ right
    return np.asarray(portrait.scale * turned, np.float32)
