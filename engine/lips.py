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
from mien.engine.features import BINS, ROWS_PER_FRAME, SILENCE, AudioFeatures
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

# The gate of silence. Levels are in feature units of 25 dB.
_LOUDEST_BINS: Final = 16
_SILENT_EXCESS: Final = 0.34
_SPEECH_EXCESS: Final = 0.54
_FLOOR_RISE: Final = 0.006
_FLOOR_FALL: Final = 0.25
_MUTED: Final = -0.95
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
        """Turn float32[4 * W, BINS] and a style float32[STYLE_SIZE] into float32[W, 28], not clipped."""


@dataclass(frozen=True, slots=True, eq=False)
class LipState:
    """What the mouth needs to remember from frame to frame."""

    mouth: Mouth
    """The mouth last shown, float32[28]."""

    floor: NDArray[np.float32]
    """How loud the room is of itself, float32[BINS] in feature units."""

    gate: float = 0.0
    """Share of the opening that silence lets through: 0 in silence, 1 in speech."""

    closing: int = 0
    """Frames that an interruption still has to close."""


def start_lips() -> LipState:
    """Return the state before the first frame: shut."""
    return LipState(np.zeros(len(MOUTH_NAMES), np.float32), np.full(BINS, SILENCE, np.float32))


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
    levels = frame_levels(features)
    made = face.copy()
    made[:, MOUTH_INDEX] = (made[:, MOUTH_INDEX] + spoken.clip(0.0, 1.0)).clip(0.0, 1.0)
    for index in range(frames):
        place = first + index
        around = levels[max(place - _GATE_HOLD_FRAMES, 0) : place + look_ahead + 1]
        gate = _follow_gate(state.gate, _excess(around, state.floor))
        state = replace(state, gate=gate, floor=_follow_floor(state.floor, levels[place]))
        made[index], state = _next_mouth(made[index], state, mouth_gain)
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


def frame_levels(features: AudioFeatures) -> NDArray[np.float32]:
    """Return each frame's mean level in each bin: float32[4 * frames, BINS] -> float32[frames, BINS]."""
    levels: NDArray[np.float32] = features.reshape(-1, ROWS_PER_FRAME, BINS).mean(axis=1)
    return levels


def _next_mouth(
    spoken: NDArray[np.float32], state: LipState, gain: float
) -> tuple[NDArray[np.float32], LipState]:
    if state.closing:
        made = scale_opening(spoken, 0.0)
        share = np.float32((state.closing - 1) / CLOSING_FRAMES)
        made[MOUTH_INDEX] += share * (state.mouth - made[MOUTH_INDEX])
        return made, replace(state, mouth=made[MOUTH_INDEX], gate=0.0, closing=state.closing - 1)
    made = scale_opening(spoken, gain * state.gate)
    return made, replace(state, mouth=made[MOUTH_INDEX])


def _excess(levels: NDArray[np.float32], floor: NDArray[np.float32]) -> float:
    """Return how far the loudest of some frames stands out of the room's own noise, in feature units.

    A voice is loud in some bins and noise in all, so only each frame's most outstanding quarter counts.
    """
    outstanding = np.partition(levels - floor, BINS - _LOUDEST_BINS, axis=1)[:, -_LOUDEST_BINS:]
    return float(outstanding.mean(axis=1).max())


def _follow_gate(gate: float, excess: float) -> float:
    """Open or shut the gate by how far the sound around a frame stands out of the room's noise.

    It keeps the lips from trembling where nobody speaks. It starts to open as many frames before the sound
    as the look-ahead shows it, so it delays nothing there, and shuts only after 120 ms without a voice.
    """
    share = (excess - _SILENT_EXCESS) / (_SPEECH_EXCESS - _SILENT_EXCESS)
    target = min(max(share, 0.0), 1.0)
    return min(max(target, gate - _GATE_FALL), gate + _GATE_RISE)


def _follow_floor(floor: NDArray[np.float32], level: NDArray[np.float32]) -> NDArray[np.float32]:
    """Follow the room's noise, float32[BINS]: at once into the gaps of speech, at 3.75 dB a second upwards.

    A muted microphone says nothing of the room.
    """
    if level.max() < _MUTED:
        return floor
    fallen = floor + np.float32(_FLOOR_FALL) * (level - floor)
    return np.where(level < floor, fallen, np.minimum(floor + np.float32(_FLOOR_RISE), level))


class OnnxLipRefiner:
    """The trained net: `motion_lips.onnx` of one folder."""

    def __init__(self, folder: Path) -> None:
        """Open the file. Raises AssetError where it is missing, damaged or foreign."""
        self._graph = open_graph(folder / "motion_lips.onnx")
        self._graph.check_names({"features", "style"}, {"mouth"})
        self._style_size = self._graph.width_of("style")

    @property
    def window_frames(self) -> int:
        """Frames W in one window."""
        return self._graph.card.window_frames

    def articulate(self, features: AudioFeatures, style: StyleVector) -> Mouth:
        """Turn float32[4 * W, BINS] and a style float32[STYLE_SIZE] into float32[W, 28], not clipped."""
        # A net trained before the manner was part of a style takes the emotions alone.
        inputs = {"features": features[None], "style": style[None, : self._style_size]}
        mouth: Mouth = self._graph.run("mouth", inputs)[0]
        return mouth


@cache
def load_lip_refiner(folder: Path = ASSETS) -> OnnxLipRefiner:
    """Open the trained net once a process. Raises AssetError where it is missing or damaged."""
    return OnnxLipRefiner(folder)
