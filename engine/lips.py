"""The mouth: articulation by a causal net, a gain for its opening, and lips that stay shut in silence.

The lip refiner owns jaw, mouth and tongue outright, as in MagicTalk: there audio decides, and a regressor
is steadier than a sampler. What parts the lips is scaled as one: the gap between them is linear in the
shapes (mien.engine.head), so a gain of alpha makes it alpha times as wide, whatever smile or sneer
comes with it, and a closure stays a closure at every gain.
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
from mien.engine.head import mouth_gap_weights
from mien.engine.motion import CHANNEL_NAMES, INDEX, MOUTH_SLICE, SHAPE_SLICE, MotionWindow

MOUTH_NAMES: Final[tuple[str, ...]] = (*CHANNEL_NAMES[MOUTH_SLICE], "tongueOut")
"""The refiner's 28 channels, in its order."""

MOUTH_INDEX: Final = np.array([INDEX[name] for name in MOUTH_NAMES])
"""Where they lie in a frame of motion."""

OPENING_NAMES: Final[tuple[str, ...]] = (
    "jawOpen",
    "mouthFunnel",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "tongueOut",
)
"""What the gain scales. The rest (pucker, smile, press ...) shapes a closed mouth and stays as it is."""

_OPENING: Final = np.array([INDEX[name] for name in OPENING_NAMES])
_CLOSE: Final = INDEX["mouthClose"]

_CONTACT: Final = 1e-4
"""Face widths that a mouth held shut is pressed past touching, so that rounding never shows a slit."""

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
    face: MotionWindow,
    look_ahead: int,
    mouth_gain: float,
) -> tuple[MotionWindow, LipState]:
    """Give the next frames their mouth.

    features: float32[4 * W, BINS], the speech of the window, which ends `look_ahead` frames after the last
    frame to make; face: float32[frames, CHANNELS], those frames so far, to whose mouth the articulation is
    added; mouth_gain: alpha, 0 keeps the lips closed whatever is said, 1 is as spoken. Returns the whole
    frames, their mouth within 0..1, and the state for the next call; `face` and `state` are untouched.
    """
    frames = len(face)
    first = refiner.window_frames - look_ahead - frames
    spoken = refiner.articulate(features, style)[first : first + frames]
    loudness = frame_loudness(features)
    made = face.copy()
    made[:, MOUTH_INDEX] = (made[:, MOUTH_INDEX] + spoken.clip(0.0, 1.0)).clip(0.0, 1.0)
    for index in range(frames):
        place = first + index
        heard = loudness[max(place - _GATE_HOLD_FRAMES, 0) : place + look_ahead + 1].max()
        made[index], state = _next_mouth(made[index], float(heard), state, mouth_gain)
    return made, state


def scale_opening(motion: NDArray[np.float32], gain: float) -> NDArray[np.float32]:
    """Part the lips `gain` times as far: float32[CHANNELS] -> float32[CHANNELS].

    The opening channels take one factor, and mouthClose is set to what then leaves the gap `gain` times as
    wide. Where an opening weight would pass 1, the factor of all is smaller; where rolled or pressed lips
    narrow the gap by more than mouthClose did, it comes out narrower than asked.
    """
    if gain == 1.0:
        return motion
    widest = float(motion[_OPENING].max())
    factor = min(gain, 1.0 / widest) if gain > 1.0 and widest > 0.0 else gain
    wanted = factor * _lip_gap(motion) - max(1.0 - factor, 0.0) * _CONTACT
    scaled = motion.copy()
    scaled[_OPENING] *= np.float32(factor)
    scaled[_CLOSE] = 0.0
    excess = _lip_gap(scaled) - wanted
    scaled[_CLOSE] = min(max(excess / -float(mouth_gap_weights()[_CLOSE]), 0.0), 1.0)
    return scaled


def _lip_gap(motion: NDArray[np.float32]) -> float:
    """Return the gap between the lips in face widths, below 0 where they are pressed past touching."""
    return float(motion[SHAPE_SLICE] @ mouth_gap_weights())


def frame_loudness(features: AudioFeatures) -> NDArray[np.float32]:
    """Return each frame's loudness, float32[frames]: the mean level of its loudest 10 ms, as features go."""
    rows = features.mean(axis=1).reshape(-1, ROWS_PER_FRAME)
    loudness: NDArray[np.float32] = rows.max(axis=1)
    return loudness


def _next_mouth(
    spoken: NDArray[np.float32], heard: float, state: LipState, gain: float
) -> tuple[NDArray[np.float32], LipState]:
    if state.closing:
        made = scale_opening(spoken, 0.0)
        share = np.float32((state.closing - 1) / CLOSING_FRAMES)
        made[MOUTH_INDEX] += share * (state.mouth - made[MOUTH_INDEX])
        return made, LipState(made[MOUTH_INDEX], 0.0, state.closing - 1)
    gate = _follow_gate(state.gate, heard)
    made = scale_opening(spoken, gain * gate)
    return made, LipState(made[MOUTH_INDEX], gate)


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
