"""How a tongue articulates: its tip rises to the upper teeth, passes between the rows, covers the lower ones.

Motion has one channel for it, ARKit's tongueOut. Speech uses its lower part: about 0.05 for t, d and n, 0.16
for l, 0.3 for th (tools/articulation.py); only a tongue put out goes further.
Put out further, it slides over the lower lip and hangs before the chin.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.engine.face_points import INNER_LIPS_TOP
from mien.engine.head import load_head
from mien.engine.motion import INDEX
from mien.engine.mouth_frame import mouth_axes
from mien.engine.placement import Placement, ease
from mien.engine.portrait import Portrait

_RAISED_AT: Final = 0.14
_LOWERED_FROM: Final = 0.2
_LOWERED_BY: Final = 0.2
"""The tip is at the upper teeth at the first of these weights; from the second on it leaves them."""
_BEHIND_EDGE: Final = 0.006
"""How far above the upper teeth's edge the raised tip ends, in face widths."""
_OVER_EDGE: Final = 0.012
"""How far above the lower teeth's edge a tongue passes over it, in face widths."""
SPEECH_REACH: Final = 0.35
"""Past this weight a tongue is put out over the lips; speech stays below."""
_NEAR_TEETH: Final = 0.07
"""How near to the lower teeth, before or behind them, a tongue has to clear them, in face widths."""
_DROOP: Final = 2.6
"""How far a tongue sinks for the square of how far it is out, in face widths."""
_FRONT: Final = 0.045
"""Half of the width of the incisors, in face widths."""
_MIDDLE: Final = 0.025
"""Half of the width of the tongue's middle, in face widths."""
_LETS_PASS: Final = 0.04
"""How far apart lips are that let a tongue pass freely, in face widths: it stays behind closed ones."""


_SLIDES_OUT: Final = 0.35
"""In this first share of its way out it takes the form of a tongue that lies on the lip."""
_HANGS: Final = 0.1
"""How far below the lower lip's front a tongue put out wholly hangs, in face widths."""
_ON_LIP: Final = 0.012
"""How far above the lip the tongue's underside lies, in face widths."""
_HALF: Final = 0.29
"""Half of its width where it lies on the lip, as a share of the mouth's."""
_THICK: Final = 0.034
"""Its thickness there, in face widths."""
_GROOVE: Final = 0.014
_SIDES_FALL: Final = 0.45
"""How deep the groove along its middle is, in face widths, and how much thinner its sides are."""
_IN_LIGHT: Final = 1.05
"""How much lighter a tongue is out in the light than behind the teeth."""
_GROOVE_DARK: Final = 0.16
_SIDES_DARK: Final = 0.22
"""How much darker than its tip its groove, and its sides and its end are."""
_SHINE: Final = 0.16
"""How light the two wet streaks beside the groove are, as a share of the tongue's own light."""
_ROUND_FROM: Final = 0.6
"""From this share of its length on it narrows to its round tip."""
_SIDES_STAY: Final = 0.75
"""How much less of the tip's rise its sides take."""
_ROOTED: Final = 0.07
"""How far down its underside reaches behind a raised tip, in face widths: to the floor of the mouth."""
_COLUMNS: Final = 13
"""Of the lattice of its vertices; its rows run from the root over the back to the tip, and under it."""
_LIP_RINGS: Final = slice(2, 13)
_SAMPLES: Final = 64
_SMOOTHING: Final = np.hanning(19) / np.hanning(19).sum()


def lets_out(weight: float) -> float:
    """Return how far a tongue of this weight is on its way over the lips, 0..1."""
    return min(max((weight - SPEECH_REACH) / (1 - SPEECH_REACH), 0.0), 1.0)


class Tongue:
    """One portrait's tongue: the run of vertices within its mouth's inside."""

    def __init__(self, portrait: Portrait) -> None:
        head = load_head()
        first = head.mouth_inside().start
        run = head.part("tongue")
        self.own = slice(run.start - first, run.stop - first)
        reach = np.linalg.norm(head.shapes[INDEX["tongueOut"], run], axis=1)
        self._forward = (reach / reach.max()).astype(np.float32)
        aside = np.abs(head.vertices[:, 0])
        self._middle = np.flatnonzero(aside[run] < _MIDDLE)
        self._tip = self._middle[int(reach[self._middle].argmax())]
        upper, lower = head.part("upper_teeth"), head.part("lower_teeth")
        self._upper = np.flatnonzero(aside[upper] < _FRONT) + upper.start - first
        self._lower = np.flatnonzero(aside[lower] < _FRONT) + lower.start - first
        self._scale = portrait.scale
        self._axes = mouth_axes(portrait)
        rings = head.rings[0]
        lower = 3 * rings.shape[1] // 4
        self._lip = rings[_LIP_RINGS, lower - 1 : lower + 2].astype(np.intp)
        corners = portrait.landmarks[[INNER_LIPS_TOP[0], INNER_LIPS_TOP[-1]]]
        across = float(np.linalg.norm(corners[1] - corners[0])) / portrait.scale
        self._half = _HALF * across
        self._form = _Form.of(head.vertices[run])
        self._lift = self._forward**0.8 * self._form.free * (1 - _SIDES_STAY * self._form.across**2)
        shape = INDEX["tongueOut"]
        moves = slice(int(portrait.delta_starts[shape]), int(portrait.delta_starts[shape + 1]))
        self._out = np.zeros((run.stop - run.start, 3), np.float32)
        rows = portrait.delta_rows[moves] - (int(portrait.runs[1]) + self.own.start)
        here = (rows >= 0) & (rows < len(self._out))
        self._out[rows[here]] = portrait.delta_values[moves][here]

    def lit(self, paint: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the tongue's colours in the light, float32[tongue vertices, 3], from the mouth's paint."""
        tip = _IN_LIGHT * paint[self.own][self._tip]
        across, along = self._form.across, self._form.along
        groove = 1 - _GROOVE_DARK * np.exp(-((across / 0.12) ** 2)) * (1 - along**4)
        sides = 1 - _SIDES_DARK * np.abs(across) ** 3
        end = 1 - _SIDES_DARK * along**12
        shine = np.exp(-(((np.abs(across) - 0.45) / 0.22) ** 2) - ((along - 0.7) / 0.2) ** 2)
        colour = tip * (groove * sides * end)[:, None] + _SHINE * shine[:, None] * tip.max()
        return np.asarray(np.minimum(colour, 255), np.float32)

    def articulate(
        self, inside: NDArray[np.float32], placement: Placement, weight: float, gap: float
    ) -> None:
        """Raise the tongue on its way out, in place, and hold it back behind lips that are closed.

        inside: float32[inside vertices, 3] in pixels; gap: between the lips, in face widths.
        """
        own = inside[self.own]
        free = ease(gap / _LETS_PASS)
        out, speech = free * lets_out(weight), free * min(weight, SPEECH_REACH)
        own -= np.float32(weight - speech) * (self._out @ placement.rotation.T)
        own += self._rise(inside, placement, speech)
        if out > 0:
            own += np.float32(ease(out / _SLIDES_OUT)) * (self._put_out(inside, placement, out) - own)

    def _rise(self, inside: NDArray[np.float32], placement: Placement, weight: float) -> NDArray[np.float32]:
        """Say how far the tongue rises in speech, float32[tongue vertices, 3] in pixels."""
        own = inside[self.own]
        down = placement.rotation[:, 1] / np.linalg.norm(placement.rotation[:, 1])
        height = own @ down
        upper, lower = float((inside[self._upper] @ down).max()), float((inside[self._lower] @ down).min())
        to_upper = float(height[self._tip]) - upper + _BEHIND_EDGE * self._scale
        leaving = ease((weight - _LOWERED_FROM) / _LOWERED_BY)
        rise = max(to_upper, 0.0) * ease(weight / _RAISED_AT) * (1 - leaving)
        teeth = float(inside[self._lower, 2].min())
        near = 2 - 2 * np.abs(own[self._middle, 2] - teeth) / (_NEAR_TEETH * self._scale)
        needed = height[self._middle] - lower + _OVER_EDGE * self._scale
        clear = float((np.maximum(needed, 0) * np.clip(near, 0, 1)).max()) * ease(weight / _RAISED_AT)
        droop = _DROOP * self._scale * (np.maximum(teeth - own[:, 2], 0) / self._scale) ** 2
        sunk = _ROOTED * self._scale * (1 - self._form.free) * ease(weight / _RAISED_AT)
        moved = (droop + sunk - max(rise, clear) * self._lift)[:, None] * down
        return np.asarray(moved, np.float32)

    def _put_out(self, inside: NDArray[np.float32], placement: Placement, out: float) -> NDArray[np.float32]:
        """Lay the tongue over the lower lip, float32[tongue vertices, 3] in pixels; out: 0..1 of its way."""
        axes = placement.rotation @ self._axes
        back = np.linalg.inv(axes).T
        lip = (placement.positions[self._lip] @ back).mean(axis=1)
        row = inside[self.own][:_COLUMNS] @ back
        teeth = inside[self._lower] @ back
        edge = teeth[teeth[:, 1].argmin()]
        spine, over = _spine(row.mean(axis=0), edge, lip)
        placed = self._form.along_line(spine, over + out * (1 - over), self._half)
        placed[:, 0] += lip[:, 0].mean()
        return np.asarray(placed @ axes.T, np.float32)


@dataclass(frozen=True, slots=True)
class _Form:
    """A tongue that lies along a line: where on it each vertex is."""

    along: NDArray[np.float32]
    """float32[vertices]: from its root to its tip, 0..1."""

    across: NDArray[np.float32]
    """float32[vertices]: from its left to its right side, -1..1."""

    raised: NDArray[np.float32]
    """float32[vertices]: how far above the line, in face widths."""

    free: NDArray[np.float32]
    """float32[vertices]: 1 on its back and at its tip, falling to 0 where its underside ends in the floor."""

    @classmethod
    def of(cls, vertices: NDArray[np.float32]) -> "_Form":
        """Read the lattice of the head model's tongue, float32[rows * columns, 3]."""
        depth = vertices.reshape(-1, _COLUMNS, 3)[:, _COLUMNS // 2, 2]
        along = np.repeat((depth[0] - depth) / (depth[0] - depth.min()), _COLUMNS)
        across = np.tile(np.linspace(-1, 1, _COLUMNS), len(depth))
        row, first = np.arange(len(depth)), int(depth.argmin())
        above = np.repeat(row <= first, _COLUMNS)
        under = np.clip((row - first) / (len(depth) - 1 - first), 0, 1)
        tip = np.clip((along - _ROUND_FROM) / (1 - _ROUND_FROM), 0, 1)
        thick = _THICK * np.sqrt(1 - 0.8 * tip**4) * (1 - _SIDES_FALL * across**2)
        raised = above * (thick - _GROOVE * np.exp(-((across / 0.22) ** 2)) * (1 - tip**3))
        free = np.repeat(1 - under, _COLUMNS)
        return cls(*(values.astype(np.float32) for values in (along, across, raised, free)))

    def along_line(self, line: NDArray[np.float32], end: float, half: float) -> NDArray[np.float32]:
        """Lay it along a line, float32[samples, 2] (down and back), of which it takes the share up to `end`.

        half: of its width, in the line's unit. Returns right, down and back, float32[vertices, 3].
        """
        at = self.along * np.float32(end * (len(line) - 1))
        step = np.gradient(line, axis=0)
        step /= np.linalg.norm(step, axis=1, keepdims=True)
        samples = np.arange(len(line))
        down, back, step_down, step_back = (np.interp(at, samples, values) for values in (*line.T, *step.T))
        tip = np.clip((self.along - _ROUND_FROM) / (1 - _ROUND_FROM), 0, 1)
        narrowed = half * np.sqrt(np.maximum(1 - tip**2.4, 0.004))
        return np.stack(
            [narrowed * self.across, down + step_back * self.raised, back - step_down * self.raised], axis=1
        ).astype(np.float32)


def _spine(
    root: NDArray[np.float32], edge: NDArray[np.float32], lip: NDArray[np.float32]
) -> tuple[NDArray[np.float32], float]:
    """Lead a line from the tongue's root over the lower teeth and the lip, evenly, float32[samples, 2].

    All in the head's own directions: root and teeth's edge float32[3], lip float32[rings, 3] from within
    outwards. Returns down and back of each sample, and the share of the line up to the teeth.
    """
    top, front = lip[lip[:, 1].argmin()], lip[lip[:, 2].argmin()]
    height = min(float(edge[1]), float(top[1]))
    line = np.array(
        [
            root[1:],
            [height - _ON_LIP, edge[2]],
            [top[1] - _ON_LIP, top[2]],
            [0.5 * (top[1] + front[1]) - _ON_LIP, front[2] - 0.5 * _ON_LIP],
            [front[1], front[2] - 1.5 * _ON_LIP],
            [front[1] + _HANGS, front[2] - 1.2 * _ON_LIP],
        ]
    )
    length = np.cumsum([0, *np.linalg.norm(np.diff(line, axis=0), axis=1)])
    even = np.linspace(0, length[-1], _SAMPLES)
    sampled = np.stack([np.interp(even, length, values) for values in line.T], axis=1)
    reach = len(_SMOOTHING) // 2
    # Past both ends it goes on straight, so that smoothing keeps them.
    before = 2 * sampled[0] - sampled[reach:0:-1]
    after = 2 * sampled[-1] - sampled[-2 : -reach - 2 : -1]
    padded = np.concatenate([before, sampled, after])
    smooth = np.stack([np.convolve(values, _SMOOTHING, "valid") for values in padded.T], axis=1)
    return smooth.astype(np.float32), float(length[1] / length[-1])
