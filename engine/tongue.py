"""How a tongue articulates: its tip rises to the upper teeth, passes between the rows, covers the lower ones.

Motion has one channel for it, ARKit's tongueOut. Speech uses its lower part: about 0.05 for t, d and n, 0.16
for l, 0.3 for th (tools/articulation.py); only a tongue put out goes further.
It ends at the lips: what of it would hang over them is not drawn.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.engine.head import load_head
from mien.engine.motion import INDEX
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
_SPEECH_REACH: Final = 0.35
_BEYOND_SPEECH: Final = 0.5
"""Past the first weight, a tongue comes out only so many times as far."""
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


def _reach(weight: float) -> float:
    """Hold back a tongue put out further than speech needs: a photo says nothing of what lies beneath it."""
    beyond = max(weight - _SPEECH_REACH, 0.0)
    return weight - (1 - _BEYOND_SPEECH) * beyond


class Tongue:
    """One portrait's tongue: the run of vertices within its mouth's inside."""

    def __init__(self, portrait: Portrait) -> None:
        head = load_head()
        first = head.mouth_inside().start
        run = head.part("tongue")
        self._own = slice(run.start - first, run.stop - first)
        reach = np.linalg.norm(head.shapes[INDEX["tongueOut"], run], axis=1)
        self._forward = (reach / reach.max()).astype(np.float32)
        across = np.abs(head.vertices[:, 0])
        self._middle = np.flatnonzero(across[run] < _MIDDLE)
        self._tip = self._middle[int(reach[self._middle].argmax())]
        upper, lower = head.part("upper_teeth"), head.part("lower_teeth")
        self._upper = np.flatnonzero(across[upper] < _FRONT) + upper.start - first
        self._lower = np.flatnonzero(across[lower] < _FRONT) + lower.start - first
        self._scale = portrait.scale
        shape = INDEX["tongueOut"]
        moves = slice(int(portrait.delta_starts[shape]), int(portrait.delta_starts[shape + 1]))
        self._out = np.zeros((run.stop - run.start, 3), np.float32)
        rows = portrait.delta_rows[moves] - (int(portrait.runs[1]) + self._own.start)
        here = (rows >= 0) & (rows < len(self._out))
        self._out[rows[here]] = portrait.delta_values[moves][here]

    def articulate(
        self, inside: NDArray[np.float32], placement: Placement, weight: float, gap: float
    ) -> None:
        """Raise the tongue on its way out, in place, and hold it back behind lips that are closed.

        inside: float32[inside vertices, 3] in pixels; gap: between the lips, in face widths.
        """
        own = inside[self._own]
        free = ease(gap / _LETS_PASS)
        reached = free * _reach(weight)
        own -= np.float32(weight - reached) * (self._out @ placement.rotation.T)
        weight = reached
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
        out = np.maximum(teeth - own[:, 2], 0) / self._scale
        droop = _DROOP * self._scale * out**2
        own += (droop - max(rise, clear) * self._forward**0.8)[:, None] * down
