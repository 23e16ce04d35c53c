"""The lining of the mouth: cheeks, palate and floor, between which the dark of the throat is seen."""

from dataclasses import dataclass
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

_CROWN_VERTICES: Final = 40
"""Of a row of teeth, so many nearest to a place along it tell its length and its colour there."""

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


_ROWS: Final = {"upper_gum": "upper_teeth", "lower_gum": "lower_teeth"}
_BEHIND_TEETH: Final = 0.02
_CROWN_SHARE: Final = 0.97
_BETWEEN_TEETH: Final = 0.7
"""Behind the teeth, so far inwards as a share of the way to the row's middle, over so much of their crowns,
runs a strip of so much of their light: it is what one sees between two teeth, not the throat."""


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Rings that hang on a row of teeth, and their colours."""

    necks: NDArray[np.intp]
    """intp[columns]: of the portrait's vertices, those at the necks of the teeth."""

    inward: NDArray[np.float32]
    """float32[rings, 1, 1]: how far inside of the row, as a share of the way to its middle at the back."""

    lowered: NDArray[np.float32]
    """float32[rings, columns or 1, 1]: how much lower, in face widths."""

    back: NDArray[np.float32]
    """float32[rings, 1, 1]: how much further back, in face widths."""

    paint: NDArray[np.float32]
    """float32[rings, columns, 3]: RGB, 0..255."""

    def hung(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return its vertices as sums: shares of the necks, and steps right, down and back in face widths.

        float32[rings * columns, columns] and float32[rings * columns, 3].
        """
        rings, columns = self.paint.shape[:2]
        middle = np.zeros((columns, columns), np.float32)
        middle[:, [0, -1]] = 0.5
        shares = self.inward * middle + (1 - self.inward) * np.eye(columns, dtype=np.float32)
        steps = np.zeros((rings, columns, 3), np.float32)
        steps[..., 1], steps[..., 2] = self.lowered[..., 0], self.back[..., 0]
        return shares.reshape(-1, columns), steps.reshape(-1, 3)


class MouthLining:
    """One portrait's lining."""

    def __init__(self, portrait: Portrait) -> None:
        head = load_head()
        rim = head.rings[0][0, ::_CHEEK_COLUMNS].astype(np.intp)
        sheets = [_vault(portrait, gum) for gum in _VAULT]
        sheets += [_between_teeth(portrait, gum, teeth) for gum, teeth in _ROWS.items()]
        dark, front = portrait.mouth_cavity, sheets[0].paint[0].max(axis=0)
        cheeks = dark + np.repeat(_CHEEK_LIGHT, len(rim))[:, None] * (front - dark)
        meshes = [_strips(len(_BACK), len(rim), closed=True)]
        meshes += [_strips(*sheet.paint.shape[:2], closed=False) for sheet in sheets]
        paint = [cheeks, *(sheet.paint.reshape(-1, 3) for sheet in sheets)]
        self._axes = mouth_axes(portrait)
        self._anchors = np.concatenate([rim, *(sheet.necks for sheet in sheets)])
        runs = [(np.tile(np.eye(len(rim), dtype=np.float32), (len(_BACK), 1)), _cheek_steps(len(rim)))]
        runs += [sheet.hung() for sheet in sheets]
        self._shares = _side_by_side([shares for shares, _ in runs])
        self._steps = np.concatenate([steps for _, steps in runs])
        starts = np.cumsum([0, *(len(part) for part in paint[:-1])])
        self.paint = np.concatenate(paint).astype(np.float32)
        """float32[vertices, 3]: RGB, 0..255."""
        self.triangles = np.concatenate(
            [mesh + np.int32(start) for mesh, start in zip(meshes, starts, strict=True)]
        )
        """int32[triangles, 3], into its own vertices."""

    def place(self, placement: Placement) -> NDArray[np.float32]:
        """Return where its vertices lie, float32[vertices, 3], in pixels of the picture."""
        turned = self._steps @ (placement.rotation @ self._axes).T
        return np.asarray(self._shares @ placement.positions[self._anchors] + turned, np.float32)


def _side_by_side(blocks: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Put matrices along the diagonal of one that is zero elsewhere."""
    ends = np.cumsum([block.shape for block in blocks], axis=0)
    whole = np.zeros(ends[-1], np.float32)
    for block, (row, column) in zip(blocks, ends, strict=True):
        whole[row - block.shape[0] : row, column - block.shape[1] : column] = block
    return whole


def _vault(portrait: Portrait, gum: str) -> _Sheet:
    """Build the palate over the upper gum, or the floor within the lower one."""
    necks, own = _necks(portrait, gum)
    inward, lowered, back, light = (column[:, None, None] for column in _VAULT[gum].T)
    dark = portrait.mouth_cavity
    return _Sheet(necks, inward, lowered, back, dark + light * (portrait.mouth_paint[own] - dark))


def _between_teeth(portrait: Portrait, gum: str, teeth: str) -> _Sheet:
    """Build the strip behind a row of teeth, from their necks towards their edges."""
    head = load_head()
    necks, own = _necks(portrait, gum)
    run, first = head.part(teeth), head.mouth_inside().start
    neck, crowns = head.vertices[own + first], head.vertices[run]
    aside = np.abs(crowns[:, 0] - neck[:, :1])
    paint = portrait.mouth_paint[run.start - first : run.stop - first]
    lowered, shown = np.zeros((2, len(necks), 1), np.float32), np.zeros((2, len(necks), 3), np.float32)
    dark = portrait.mouth_cavity
    for column, nearness in enumerate(aside):
        near = nearness < np.partition(nearness, _CROWN_VERTICES)[_CROWN_VERTICES]
        length = crowns[near, 1] - neck[column, 1]
        lowered[1, column] = _CROWN_SHARE * length[np.abs(length).argmax()]
        shown[:, column] = dark + _BETWEEN_TEETH * (np.median(paint[near], axis=0) - dark)
    inward = np.full((2, 1, 1), _BEHIND_TEETH, np.float32)
    return _Sheet(necks, inward, lowered, np.zeros_like(inward), shown)


def _necks(portrait: Portrait, gum: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the vertices of a gum at the necks of its teeth, in the portrait and in its mouth's inside."""
    head = load_head()
    own = _ANCHORS + head.part(gum).start - head.mouth_inside().start
    return (own + int(portrait.runs[1])).astype(np.intp), own.astype(np.intp)


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
