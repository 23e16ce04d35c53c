"""The lining of the mouth: cheeks, palate and floor, between which the dark of the throat is seen."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.engine.head import load_head
from mien.engine.mouth_frame import mouth_axes
from mien.engine.placement import Placement
from mien.engine.portrait import Portrait

_CHEEK_COLUMNS: Final = 2
"""Of the columns of the lips' innermost ring, every so many carry the cheeks."""

_BACK: Final = np.array([0.0, 0.05, 0.16, 0.32], np.float32)
_OUT: Final = np.array([0.0, 0.06, 0.09, 0.09], np.float32)
"""How far behind the lips' rim, and how far outwards, each ring of the cheeks lies, in face widths: they lead
round the rows of teeth. The first ring is the lips' rim itself."""

_CHEEK_LIGHT: Final = np.array([0.7, 0.6, 0.42, 0.15], np.float32)
"""How light each ring is: 1 is a gum's colour at the incisors, 0 the dark of the throat."""

_GUM_COLUMNS: Final = 61
_ANCHORS: Final = np.arange(0, _GUM_COLUMNS, 6)
"""Along the necks of a row of teeth, the vertices of the gum that palate or floor hang on."""

_VAULT: Final = {
    "upper_gum": np.array(
        [
            [0.04, -0.01, 0, 0.6],
            [0.25, -0.06, 0, 0.6],
            [0.5, -0.09, 0, 0.55],
            [0.5, -0.07, 0.13, 0.4],
            [0.5, 0.06, 0.25, 0.1],
        ],
        np.float32,
    ),
    "lower_gum": np.array(
        [[0.04, 0, 0, 0.7], [0.2, 0.025, 0, 0.7], [0.5, 0.07, 0, 0.5], [0.5, 0.1, 0.12, 0.0]], np.float32
    ),
}
"""Rings of palate and floor, from a row of teeth to the throat: how far inside of the row each lies, as a
share of the way to its middle at the back; how much lower and further back, in face widths; and how light
it is, where 1 is the colour of the gum it hangs on."""


class MouthLining:
    """One portrait's lining."""

    def __init__(self, portrait: Portrait) -> None:
        head = load_head()
        self._rim = head.rings[0][0, ::_CHEEK_COLUMNS].astype(np.intp)
        self._axes = mouth_axes(portrait)
        self._steps = _cheek_steps(len(self._rim))
        first, inside = head.mouth_inside().start, int(portrait.runs[1])
        dark, meshes = portrait.mouth_cavity, [_strips(len(_BACK), len(self._rim), closed=True)]
        necks = {name: _ANCHORS + head.part(name).start - first for name in _VAULT}
        front = portrait.mouth_paint[necks["upper_gum"][len(_ANCHORS) // 2]]
        paint = [dark + np.repeat(_CHEEK_LIGHT, len(self._rim))[:, None] * (front - dark)]
        self._necks = []
        for name, neck in necks.items():
            rings = _VAULT[name]
            self._necks.append((neck + inside, rings[:, :3, None]))
            light = rings[:, 3:, None]
            paint.append((dark + light * (portrait.mouth_paint[neck] - dark)).reshape(-1, 3))
            meshes.append(_strips(len(rings), len(_ANCHORS), closed=False))
        starts = np.cumsum([0, *(len(part) for part in paint)])
        self.paint = np.concatenate(paint).astype(np.float32)
        """float32[vertices, 3]: RGB, 0..255."""
        self.triangles = np.concatenate(
            [mesh + np.int32(start) for mesh, start in zip(meshes, starts, strict=False)]
        )
        """int32[triangles, 3], into its own vertices."""

    def place(self, placement: Placement) -> NDArray[np.float32]:
        """Return where its vertices lie, float32[vertices, 3], in pixels of the picture."""
        axes = placement.rotation @ self._axes
        rim = placement.positions[self._rim]
        placed = [np.tile(rim, (len(_BACK), 1)) + self._steps @ axes.T]
        for neck, rings in self._necks:
            row = placement.positions[neck]
            middle = np.float32(0.5) * (row[0] + row[-1])
            away = rings[:, 1] * axes[:, 1] + rings[:, 2] * axes[:, 2]
            placed.append((row + rings[:, :1] * (middle - row) + away[:, None]).reshape(-1, 3))
        return np.concatenate(placed)


def _cheek_steps(columns: int) -> NDArray[np.float32]:
    """Say how far from the lips' rim the cheeks' vertices lie, float32[vertices, 3], in face widths."""
    angle = 2 * np.pi * np.arange(columns) / columns
    outward = np.stack([np.cos(angle), -np.sin(angle)], axis=1).astype(np.float32)
    steps = np.zeros((len(_BACK), columns, 3), np.float32)
    steps[..., :2] = _OUT[:, None, None] * outward
    steps[..., 2] = _BACK[:, None]
    return steps.reshape(-1, 3)


def _strips(rings: int, columns: int, *, closed: bool) -> NDArray[np.int32]:
    """Join rings of vertices, one behind the other, by strips of triangles."""
    here = np.arange(columns if closed else columns - 1)
    after = (here + 1) % columns
    quads = [
        ring * columns
        + np.stack([here, after, here + columns, after, after + columns, here + columns], axis=1)
        for ring in range(rings - 1)
    ]
    return np.concatenate(quads).reshape(-1, 3).astype(np.int32)
