"""From faces to a style: a photo, a film of somebody, or a recorded track of blendshapes.

A small map reads each frame as seven emotions and their strength; a clip's are the mean over its frames, in
which speech averages out. How far head and brows move, and which side of the face shows more, make the
manner: together DreamTalk's style code (Ma et al. 2023). A person's face at rest is not known: who looks
stern at rest is read as a little angry. Trained by tools/train_style_encoder.py, on drawn persons alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.engine.emotion import EMOTIONS, MANNER_NAMES, MANNER_RANGE, Emotion, StyleVector
from mien.engine.emotion_space import FELT, read_weights, softmax, style_from_parts
from mien.engine.motion import INDEX, ROTATION_SLICE, SHAPE_SLICE, SHAPES, MotionWindow

WEIGHTS: Final = Path(__file__).parent / "assets" / "style_encoder.npz"

READ_SHAPES: Final[tuple[str, ...]] = tuple(name for name in SHAPES if name != "tongueOut")
"""The shapes that a style is read from: those that a landmark model scores, in Apple's order."""

SHORTEST_TRACK: Final = 12
"""Frames; a shorter track has no manner."""

_MEAN_REACH: Final = 12
"""Frames on each side of one that its mean is taken over: feelings come and go more slowly than gestures."""

_RESTING: Final = 0.35
"""What is read, of 1, in a photo of an unknown face at rest: only what goes beyond it is a feeling."""

_BROWS: Final = tuple(
    READ_SHAPES.index(name)
    for name in ("browInnerUp", "browOuterUpLeft", "browOuterUpRight", "browDownLeft", "browDownRight")
)
_BLINKS: Final = (READ_SHAPES.index("eyeBlinkLeft"), READ_SHAPES.index("eyeBlinkRight"))
_PAIRED: Final = tuple(
    (READ_SHAPES.index(f"{part}Left"), READ_SHAPES.index(f"{part}Right"))
    for part in (
        "browDown",
        "browOuterUp",
        "cheekSquint",
        "eyeSquint",
        "mouthFrown",
        "mouthSmile",
        "noseSneer",
    )
)
"""Shapes by which a side is told from the other: large ones that feelings move and sounds hardly do."""

_CLOSED: Final = 0.5
"""An eye closed so far is a blink, which tells nothing."""

_CONTEMPT: Final = [EMOTIONS[place] for place in FELT].index(Emotion.CONTEMPT)
_RIGID: Final = (33, 133, 263, 362, 168, 6, 197, 4, 234, 454, 127, 356, 10, 109, 338)
"""Landmarks that hardly move in the face: corners of the eyes, nose, temples, forehead."""

Faces = NDArray[np.float32]
"""float32[frames, len(READ_SHAPES)]: 0..1."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceMap:
    """From one frame of shapes to emotions: one hidden layer, for one source of shapes."""

    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    inner_weight: NDArray[np.float32]
    inner_bias: NDArray[np.float32]
    outer_weight: NDArray[np.float32]
    outer_bias: NDArray[np.float32]
    usual_movement: NDArray[np.float32]
    """float32[2]: how far the head (radians) and the brows move in neutral speech, as `movement` measures."""

    liveliness: NDArray[np.float32]
    """float32[len(FELT)]: how much more each emotion at intensity 3 moves them."""

    resting: float
    """Strength that is read in a face at rest, and left out."""

    def read(self, faces: Faces) -> NDArray[np.float32]:
        """Return how strongly each of FELT shows in each frame, float32[frames, len(FELT)], 1 for level 3."""
        hidden = np.maximum((faces - self.mean) / self.std @ self.inner_weight.T + self.inner_bias, 0.0)
        read = hidden @ self.outer_weight.T + self.outer_bias
        strength = 1.0 / (1.0 + np.exp(-read[:, -1:]))
        beyond = np.maximum(strength - self.resting, 0.0) / (1.0 - self.resting)
        return np.asarray(beyond * softmax(read[:, :-1]), np.float32)


def read_face(scores: Mapping[str, float]) -> StyleVector:
    """Return the style of a face in a photo, from a landmark model's scores: emotions alone, no manner."""
    face = np.array([[scores[name] for name in READ_SHAPES]], np.float32)
    return _style(load_maps()["pictures"].read(face)[0])


def read_film(shapes: NDArray[np.float32], points: NDArray[np.float32]) -> StyleVector:
    """Return the style of somebody in a film, from the frames in which the face was found, at 25 a second.

    shapes: float32[frames, 52], scores of SHAPES; points: float32[frames, 478, 3]: see FaceTrack.
    """
    faces = shapes[:, [SHAPES.index(name) for name in READ_SHAPES]]
    return _read_frames(load_maps()["pictures"], faces, head_turns(points))


def read_track(motion: MotionWindow) -> StyleVector:
    """Return the style of a recorded performance, float32[frames, CHANNELS] at 25 frames a second."""
    faces = motion[:, SHAPE_SLICE][:, [INDEX[name] for name in READ_SHAPES]]
    return _read_frames(load_maps()["tracks"], faces, motion[:, ROTATION_SLICE])


def movement(faces: Faces, turns: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far the head turns and the brows move about their means of a second, float32[2]."""
    return np.array([_swing(turns), _swing(faces[:, _BROWS])], np.float32)


def _swing(values: NDArray[np.float32]) -> float:
    """Return the root mean square of curves about their running means, float32[frames, curves]."""
    reach = min(_MEAN_REACH, (len(values) - 1) // 2)
    padded = np.pad(values, ((reach + 1, reach), (0, 0)), mode="edge").astype(np.float64)
    sums = np.cumsum(padded, axis=0)
    mean = (sums[2 * reach + 1 :] - sums[: -2 * reach - 1]) / (2 * reach + 1)
    return float(np.sqrt(np.square(values - mean).sum(axis=1).mean()))


def head_turns(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how the head is turned in each frame against the first, float32[frames, 3] in radians.

    The rotation that lays the rigid landmarks over the first frame's (Kabsch 1976), as a rotation vector.
    """
    rigid = points[:, _RIGID].astype(np.float64)
    rigid -= rigid.mean(axis=1, keepdims=True)
    first, _, last = np.linalg.svd(np.swapaxes(rigid, 1, 2) @ rigid[0])
    first[:, :, 2] *= np.linalg.det(first @ last)[:, None]
    rotation = first @ last
    axis = np.stack(
        [
            rotation[:, 2, 1] - rotation[:, 1, 2],
            rotation[:, 0, 2] - rotation[:, 2, 0],
            rotation[:, 1, 0] - rotation[:, 0, 1],
        ],
        axis=1,
    )
    sine = np.linalg.norm(axis, axis=1, keepdims=True) / 2.0
    cosine = (np.trace(rotation, axis1=1, axis2=2)[:, None] - 1.0) / 2.0
    return np.asarray(np.arctan2(sine, cosine) * axis / np.maximum(2.0 * sine, 1e-9), np.float32)


def _read_frames(face_map: FaceMap, faces: Faces, turns: NDArray[np.float32]) -> StyleVector:
    open_eyed = faces[:, _BLINKS].max(axis=1) < _CLOSED
    seen = faces[open_eyed] if open_eyed.any() else faces
    felt = face_map.read(seen).mean(axis=0)
    if len(faces) < SHORTEST_TRACK:
        return _style(felt)
    lively = np.maximum(face_map.usual_movement * (1.0 + felt @ face_map.liveliness), 1e-6)
    moved = np.log(np.maximum(movement(faces, turns), 1e-6) / lively) / np.log(MANNER_RANGE)
    manner = np.zeros(len(MANNER_NAMES), np.float32)
    manner[:2] = moved.clip(-1.0, 1.0)
    manner[2] = _asymmetry(seen.mean(axis=0), felt)
    return _style(felt, manner)


def _asymmetry(face: NDArray[np.float32], felt: NDArray[np.float32]) -> float:
    """Return which side of the face shows more, -1..1; 0 where hardly anything shows, or contempt does."""
    left, right = (sum(float(face[pair[side]]) for pair in _PAIRED) for side in (0, 1))
    strength = float(felt.sum())
    if left + right < 1e-3 or strength < 0.15:
        return 0.0
    difference = (left - right) / (left + right)
    asymmetry = 2.0 * difference / (1.0 + abs(difference))
    return float(np.clip(asymmetry * (1.0 - float(felt[_CONTEMPT]) / strength), -1.0, 1.0))


def _style(felt: NDArray[np.float32], manner: NDArray[np.float32] | None = None) -> StyleVector:
    total = float(felt.sum())
    return style_from_parts(felt / max(total, 1e-6), min(total, 1.0), manner)


@cache
def load_maps() -> dict[str, FaceMap]:
    """Open the maps once a process: "pictures" for a landmark model's scores, "tracks" for the rig's weights.

    Raises AssetError where they are missing, damaged or of another version.
    """
    read = len(READ_SHAPES)
    shapes: dict[str, tuple[int, ...]] = {
        "mean": (read,),
        "std": (read,),
        "inner_weight": (-1, read),
        "inner_bias": (-1,),
        "outer_weight": (len(FELT) + 1, -1),
        "outer_bias": (len(FELT) + 1,),
        "usual_movement": (2,),
        "liveliness": (len(FELT),),
    }
    sources = ("pictures", "tracks")
    named = {f"{source}_{name}": shape for source in sources for name, shape in shapes.items()}
    weights = read_weights(WEIGHTS, named)
    return {
        source: FaceMap(
            **{name: weights[f"{source}_{name}"] for name in shapes},
            resting=_RESTING if source == "pictures" else 0.0,
        )
        for source in sources
    }
