"""The mouth: articulation by a causal net, a gain for its opening, and lips that stay shut in silence.

The lip refiner owns jaw, mouth and tongue outright, as in MagicTalk: there audio decides, and a regressor
is steadier than a sampler. Opening is one group of channels scaled together. Lip gap is close to linear in
them, so a gain of alpha opens the lips alpha times as far, and a closure (jawOpen held by mouthClose) stays
one at every gain.
"""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.engine.emotion import StyleVector
from mien.engine.features import ROWS_PER_FRAME, AudioFeatures
from mien.engine.graph import ASSETS, open_graph
from mien.engine.motion import CHANNEL_NAMES, INDEX, MOUTH_SLICE

MOUTH_NAMES: Final[tuple[str, ...]] = (*CHANNEL_NAMES[MOUTH_SLICE], "tongueOut")
"""The refiner's 28 channels, in its order."""

MOUTH_INDEX: Final = np.array([INDEX[name] for name in MOUTH_NAMES])
"""Where they lie in a frame of motion."""

OPENING_NAMES: Final[tuple[str, ...]] = (
    "jawOpen",
    "mouthClose",
    "mouthFunnel",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "tongueOut",
)
"""What parts the lips or shows between them. The rest (pucker, smile, press ...) shapes a closed mouth."""

_OPENING: Final = np.array([MOUTH_NAMES.index(name) for name in OPENING_NAMES])

CLOSING_FRAMES: Final = 2
"""An interrupted mouth is half shut in the first frame and shut in the second: 80 ms, as a real one takes."""

_SILENT_LOUDNESS: Final = -0.85
_SPEECH_LOUDNESS: Final = -0.65
_GATE_HOLD_FRAMES: Final = 3
_GATE_RISE: Final = 0.5
_GATE_FALL: Final = 0.34

Mouth = NDArray[np.float32]
"""float32[frames, 28], weights 0..1 in the order of MOUTH_NAMES."""


class LipRefiner(Protocol):
    """Reads articulation off the sound."""

    @property
    def window_frames(self) -> int:
        """Frames W in one window."""

    def articulate(self, features: AudioFeatures, style: StyleVector) -> Mouth:
        """Turn float32[4 * W, BINS] and a style float32[8] into float32[W, 28], not clipped."""


@dataclass(frozen=True, slots=True, eq=False)
class LipState:
    """What the mouth needs to remember from frame to frame."""

    mouth: Mouth
    """The mouth last shown, float32[28]."""

    gate: float = 0.0
    """Share of the opening that silence lets through: 0 in silence, 1 in speech."""

    closing: int = 0
    """Frames that an interruption still has to close."""


def start_lips() -> LipState:
    """Return the state before the first frame: shut."""
    return LipState(np.zeros(len(MOUTH_NAMES), np.float32))


def close_lips(state: LipState) -> LipState:
    """Return the state that shuts the mouth within CLOSING_FRAMES, whatever is heard."""
    return replace(state, gate=0.0, closing=CLOSING_FRAMES)


def refine_lips(
    refiner: LipRefiner,
    features: AudioFeatures,
    style: StyleVector,
    state: LipState,
    *,
    look_ahead: int,
    frames: int,
    mouth_gain: float,
) -> tuple[Mouth, LipState]:
    """Make the next frames of the mouth.

    features: float32[4 * W, BINS], the speech of the window, which ends `look_ahead` frames after the last
    frame to make; mouth_gain: alpha, 0 keeps the lips closed whatever is said, 1 is as spoken. Returns
    float32[frames, 28] within 0..1 and the state for the next call; `state` is untouched.
    """
    first = refiner.window_frames - look_ahead - frames
    spoken = refiner.articulate(features, style)[first : first + frames].clip(0.0, 1.0)
    loudness = frame_loudness(features)
    made = np.empty_like(spoken)
    for index in range(frames):
        place = first + index
        heard = loudness[max(place - _GATE_HOLD_FRAMES, 0) : place + look_ahead + 1].max()
        made[index], state = _next_mouth(spoken[index], float(heard), state, mouth_gain)
    return made, state


def scale_opening(mouth: Mouth, gain: float) -> Mouth:
    """Open the mouth `gain` times as far: float32[28] -> float32[28].

    All opening channels take the same factor, so their proportion, and with it every closure, is kept.
    Where a weight would pass 1 the factor is smaller.
    """
    opening = mouth[_OPENING]
    widest = float(opening.max())
    factor = min(gain, 1.0 / widest) if gain > 1.0 and widest > 0.0 else gain
    scaled = mouth.copy()
    scaled[_OPENING] = opening * np.float32(factor)
    return scaled


def frame_loudness(features: AudioFeatures) -> NDArray[np.float32]:
    """Return each frame's loudness, float32[frames]: the mean level of its loudest 10 ms, as features go."""
    rows = features.mean(axis=1).reshape(-1, ROWS_PER_FRAME)
    loudness: NDArray[np.float32] = rows.max(axis=1)
    return loudness


def _next_mouth(spoken: Mouth, heard: float, state: LipState, gain: float) -> tuple[Mouth, LipState]:
    if state.closing:
        share = np.float32((state.closing - 1) / CLOSING_FRAMES)
        mouth = share * state.mouth + (1 - share) * scale_opening(spoken, 0.0)
        return mouth, LipState(mouth, 0.0, state.closing - 1)
    gate = _follow_gate(state.gate, heard)
    mouth = scale_opening(spoken, gain * gate)
    return mouth, LipState(mouth, gate)


def _follow_gate(gate: float, heard: float) -> float:
    """Open or shut the gate by the sound around a frame.

    It only guards what is silence beyond doubt, under about -70 dB full scale: a muted or closed microphone,
    a pause between clips. Quiet rooms and noise are the net's own business. It starts to open as many
    frames before the sound as the look-ahead shows it, so it delays nothing there.
    """
    share = (heard - _SILENT_LOUDNESS) / (_SPEECH_LOUDNESS - _SILENT_LOUDNESS)
    target = min(max(share, 0.0), 1.0)
    return min(max(target, gate - _GATE_FALL), gate + _GATE_RISE)


class OnnxLipRefiner:
    """The trained net: `motion_lips.onnx` of one folder."""

    def __init__(self, folder: Path) -> None:
        """Open the file. Raises AssetError where it is missing, damaged or foreign."""
        self._graph = open_graph(folder / "motion_lips.onnx")
        self._graph.check_names({"features", "style"}, {"mouth"})

    @property
    def window_frames(self) -> int:
        """Frames W in one window."""
        return self._graph.card.window_frames

    def articulate(self, features: AudioFeatures, style: StyleVector) -> Mouth:
        """Turn float32[4 * W, BINS] and a style float32[8] into float32[W, 28], not clipped."""
        mouth: Mouth = self._graph.run("mouth", {"features": features[None], "style": style[None]})[0]
        return mouth


@cache
def load_lip_refiner(folder: Path = ASSETS) -> OnnxLipRefiner:
    """Open the trained net once a process. Raises AssetError where it is missing or damaged."""
    return OnnxLipRefiner(folder)
