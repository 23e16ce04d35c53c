"""A clip of a person, prepared to say something else: one head for all frames, and its own speech as weights.

One frame in which the mouth is at rest becomes a portrait: its vertices, shapes and mouth serve the whole
clip, so that the identity is one. Every frame has a pose of that head, fitted to landmarks that speech does
not move, and a few scores for what its own face does about that pose. Their movements are the clip's own:
principal components of what its landmarks do, carried to the mesh. New lips then are the portrait's shapes
in place of the frame's own movements, in the lower face alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.clip_track import FaceTrack, smooth
from mien.engine.errors import PhotoError
from mien.engine.face_points import CHIN, FACE_OVAL, INNER_LIPS_BOTTOM, INNER_LIPS_TOP, SUBNASALE
from mien.engine.framing import DEFAULT_SIZE, LONGEST_SIDE, frame_head
from mien.engine.head import load_head
from mien.engine.head_fit import FITTED, Floats, distances, fit_pose, interpolate, smoothstep
from mien.engine.landmarks import FaceLandmarks
from mien.engine.motion import INDEX, SHAPES
from mien.engine.portrait import Portrait
from mien.engine.preparation import prepare_portrait

Picture = NDArray[np.uint8]

COMPONENTS: Final = 16
"""Movements that a clip's own lower face is made of. What they leave is the landmark net's tremble."""

FURTHEST_TURN: Final = np.deg2rad(28)
"""A frame whose head is turned further from the portrait's pose, in yaw or pitch, keeps its own mouth."""

FEWEST_FRAMES: Final = 0.2
"""Share of a clip's frames whose lips must be replaceable."""

_FADE_FRAMES: Final = 4
"""Frames over which new lips give way to the video's own where the face gets lost."""

_POSE_REACH: Final = 3
_SPEECH_REACH: Final = 2
"""Frames on either side that smooth the head's pose and the lips' own movements."""

_STEADY: Final = 0.03
"""Landmarks that no shape of jaw, mouth, brows or lids moves by more face widths give the pose."""


_TONE_FRAMES: Final = 12
"""Of a clip's frames, so many with the widest open mouth tell what its inside looks like."""
_TELLING: Final = 0.02
"""Lips at least so far apart, as a share of the face's height, show something of the inside."""
_TELLING_PIXELS: Final = 150
_PALE: Final = 0.55
"""Teeth are pale: their weakest colour is more than this share of the strongest."""
_TEETH_TINT: Final = (0.35, 1.1)
"""Teeth become no darker and no lighter than these shares of what they were."""
_DEEPEST: Final = 0.45
"""The dark behind the teeth as a share of the darkest that a clip's mouth shows, lips nearby lighting it."""
_LIFT: Final = 0.7
"""What is painted there is lifted towards so much of that darkest: soft and noisy videos have no black."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """What it takes to give a clip's frames new lips; the frames themselves are kept elsewhere."""

    portrait: Portrait
    """Made from one frame: head, shapes and mouth of all of them. Its pixels are "portrait pixels"."""

    turns: NDArray[np.float32]
    """float32[frames, 3, 3]: the head's turn and scale, from portrait pixels to the frame's."""

    shifts: NDArray[np.float32]
    """float32[frames, 3]: pixel of the frame = turn @ portrait pixel + shift."""

    scores: NDArray[np.float32]
    """float32[frames, components]: what the frame's own lower face does."""

    movements: NDArray[np.float32]
    """float32[components, face vertices, 2], in portrait pixels: one component's movement at score 1."""

    reach: NDArray[np.float32]
    """float32[face vertices]: how much of the new movements each vertex takes, 0..1."""

    presence: NDArray[np.float32]
    """float32[frames]: how much of the new lips shows; 0 where the face is lost, covered or turned away."""

    @property
    def name(self) -> str:
        """The portrait's name."""
        return self.portrait.name

    def __len__(self) -> int:
        return len(self.turns)

    @property
    def landmarks(self) -> NDArray[np.float32]:
        """Where the head's landmarks lie in the first frame that shows it well, float32[478, 3] in pixels."""
        frame = int(np.argmax(self.presence > 0))
        placed: NDArray[np.float32] = self.portrait.landmarks @ self.turns[frame].T + self.shifts[frame]
        return placed

    def own_movement(self, frame: int) -> NDArray[np.float32]:
        """Return how a frame's own lower face differs from the portrait's, float32[face vertices, 2]."""
        moved: NDArray[np.float32] = np.tensordot(self.scores[frame], self.movements, 1)
        return moved


def prepare_clip(track: FaceTrack, picture_of: Callable[[int], Picture], *, name: str) -> Clip:
    """Fit one head to a tracked clip. `picture_of` returns the picture of a frame by its number.

    Raises PhotoError in its kinds where the calmest frame makes no portrait, or where the face is seen well
    in too few frames.
    """
    _check_enough(track.seen)
    calm = calmest_frame(track)
    portrait = _portrait_of(picture_of(calm), track.face(calm), name)
    portrait = _tinted(portrait, mouth_tones(track, picture_of))
    points = smooth(track.points, track.runs, _POSE_REACH)
    # From landmarks, whose first pixel's centre lies at 0.5, to pixels whose centre is a whole number.
    points[..., :2] -= 0.5
    face = int(portrait.runs[1])
    rest = load_head().landmarks(portrait.vertices[:face]).astype(np.float64)
    steady = _steady_landmarks()
    turns, shifts = np.zeros((len(track), 3, 3)), np.zeros((len(track), 3))
    for frame in np.flatnonzero(track.runs >= 0):
        scale, rotation, shift = fit_pose(rest[steady], points[frame, steady])
        turns[frame], shifts[frame] = scale * rotation, shift
    presence = _presence(turns, track.seen)
    raw = track.points.astype(np.float64)
    raw[..., :2] -= 0.5
    scores, movements = _own_movements(portrait, rest, raw, turns, shifts, track)
    return Clip(
        portrait,
        turns.astype(np.float32),
        shifts.astype(np.float32),
        scores.astype(np.float32),
        movements.astype(np.float32),
        lower_face(portrait).astype(np.float32),
        presence.astype(np.float32),
    )


def calmest_frame(track: FaceTrack) -> int:
    """Choose the frame whose lips touch, whose mouth is as in most, and which looks most into the camera."""
    points, seen = track.points, track.seen
    height = np.maximum(np.ptp(points[:, FITTED, 1], axis=1), 1.0)
    gap = (points[:, INNER_LIPS_BOTTOM, 1] - points[:, INNER_LIPS_TOP, 1]).max(axis=1) / height
    # The nose's tip moves sideways and up and down against the outline as the head turns.
    sides = (points[:, 234, 0] + points[:, 454, 0]) / 2
    aside = np.abs(points[:, 4, 0] - sides) / height
    mouth = points[:, 61] - points[:, 291]
    width = np.linalg.norm(mouth[:, :2], axis=1) / height
    usual = np.median(width[seen])
    lids = track.shapes[:, [INDEX["eyeBlinkLeft"], INDEX["eyeBlinkRight"]]].max(axis=1)
    unrest = 8.0 * np.maximum(gap, 0.0) + aside + 3.0 * np.abs(width - usual) + 0.05 * lids
    return int(np.argmin(np.where(seen, unrest, np.inf)))


def mouth_tones(track: FaceTrack, picture_of: Callable[[int], Picture]) -> tuple[Floats, Floats] | None:
    """Measure the dark and the bright of the clip's own mouth where it is widest open, RGB float64[3] each.

    None where it never opens far enough to tell.
    """
    points = track.points
    height = np.maximum(np.ptp(points[:, FITTED, 1], axis=1), 1.0)
    gap = np.linalg.norm(points[:, INNER_LIPS_BOTTOM, :2] - points[:, INNER_LIPS_TOP, :2], axis=-1)
    opened = np.where(track.seen, np.median(gap, axis=1) / height, 0.0)
    widest = [int(frame) for frame in np.argsort(-opened)[:_TONE_FRAMES] if opened[frame] > _TELLING]
    pixels = [_mouth_pixels(picture_of(frame), points[frame]) for frame in widest]
    inside = np.concatenate([np.zeros((0, 3), np.uint8), *pixels]).astype(np.float64)
    if len(inside) < _TELLING_PIXELS:
        return None
    ordered = inside[np.argsort(inside.sum(axis=1))]
    tenth = len(ordered) // 10
    return ordered[:tenth].mean(axis=0), ordered[-tenth:].mean(axis=0)


def lower_face(portrait: Portrait) -> Floats:
    """Return how much of new movements each face vertex takes: 1 round mouth and chin, 0 from the nose up."""
    vertices = portrait.vertices[: portrait.runs[1], :2].astype(np.float64)
    points = portrait.landmarks[:, :2].astype(np.float64)
    top, chin = points[SUBNASALE], points[CHIN]
    length = float(np.linalg.norm(chin - top))
    down = (chin - top) / length
    across = np.array([down[1], -down[0]])
    half_width = float(np.ptp(points[FACE_OVAL, :] @ across)) / 2
    below = (vertices - top) @ down / length
    aside = np.abs((vertices - (top + chin) / 2) @ across) / half_width
    # The nose stays, down to its base; cheeks beside it give way gradually higher up.
    beside = smoothstep((aside - 0.22) / 0.25)
    ramp = 0.12 + 0.38 * beside
    vertical = smoothstep((below + 0.02 + 0.7 * ramp * beside) / ramp)
    return vertical * (1 - smoothstep((aside - 0.66) / 0.3))


def _portrait_of(picture: Picture, face: FaceLandmarks, name: str) -> Portrait:
    """Make a portrait in the frame's own pixels: of a square as large as the portrait's crop would be."""
    available = (picture.shape[1], picture.shape[0])
    left, top, side, _ = frame_head(face.points, available, DEFAULT_SIZE)
    side &= ~1
    cut = np.ascontiguousarray(picture[top : top + side, left : left + side])
    points = face.points - np.array([left, top, 0], np.float32)
    shown = min(side, LONGEST_SIDE)
    box = (face.box[0] - left, face.box[1] - top, face.box[2] - left, face.box[3] - top)
    return prepare_portrait(
        cut, FaceLandmarks(points, face.shapes, box, face.presence), name=name, size=(shown, shown)
    )


def _mouth_pixels(picture: Picture, points: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the pixels between the inner lips, a pixel away from them, uint8[n, 3]."""
    loop = points[list(INNER_LIPS_TOP + INNER_LIPS_BOTTOM[-2:0:-1]), :2] - 0.5
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(loop).astype(np.int32)], 1)
    return picture[cv2.erode(mask, np.ones((3, 3), np.uint8)) > 0]


def _tinted(portrait: Portrait, tones: tuple[Floats, Floats] | None) -> Portrait:
    """Bring the mouth's inside to the clip's own tones: a soft video shows no white teeth before black."""
    if tones is None:
        return portrait
    head = load_head()
    dark, bright = tones
    cavity = np.maximum(_DEEPEST * dark, portrait.mouth_cavity)
    paint = portrait.mouth_paint.astype(np.float64)
    if bright.min() > _PALE * bright.max():
        start = head.mouth_inside().start
        teeth = np.concatenate(
            [np.arange(len(head.vertices))[head.part(part)] for part in ("upper_teeth", "lower_teeth")]
        )
        white = np.percentile(paint[teeth - start], 90, axis=0)
        paint[teeth - start] *= np.clip(bright / np.maximum(white, 1.0), *_TEETH_TINT)
    paint += _LIFT * dark * np.clip(1 - paint / np.maximum(bright, 1.0), 0, 1)
    return replace(portrait, mouth_paint=paint.astype(np.float32), mouth_cavity=cavity.astype(np.float32))


def _steady_landmarks() -> NDArray[np.intp]:
    """Landmarks that neither speech nor brows nor lids move."""
    head = load_head()
    moved = np.linalg.norm(head.landmarks(head.shapes)[:, FITTED], axis=-1)
    moving = [name.startswith(("jaw", "mouth", "brow", "eyeBlink", "eyeWide")) for name in SHAPES]
    return np.flatnonzero(moved[moving].max(axis=0) < _STEADY)


def _presence(turns: Floats, seen: NDArray[np.bool_]) -> Floats:
    """Return how much of the new lips each frame shows; raise PhotoError where hardly any can."""
    scale = np.cbrt(np.maximum(np.linalg.det(turns), 1e-9))[:, None, None]
    rotation = turns / scale
    yaw = np.arctan2(-rotation[:, 0, 2], rotation[:, 2, 2])
    pitch = np.arcsin(np.clip(rotation[:, 1, 2], -1, 1))
    usable = seen & (np.abs(yaw) < FURTHEST_TURN) & (np.abs(pitch) < FURTHEST_TURN)
    _check_enough(usable)
    frames = np.arange(len(seen))
    before = np.maximum.accumulate(np.where(usable, -len(seen), frames))
    after = np.minimum.accumulate(np.where(usable, 2 * len(seen), frames)[::-1])[::-1]
    return smoothstep(np.minimum(frames - before, after - frames) / _FADE_FRAMES)


def _check_enough(usable: NDArray[np.bool_]) -> None:
    if usable.mean() < FEWEST_FRAMES:
        raise PhotoError(
            f"The face can be seen well in only {100 * usable.mean():.0f} % of the video.",
            remedy="Use a video in which one face looks towards the camera, uncovered, most of the time.",
        )


def _own_movements(
    portrait: Portrait,
    rest: Floats,
    points: Floats,
    turns: Floats,
    shifts: Floats,
    track: FaceTrack,
) -> tuple[Floats, Floats]:
    """Split what the landmarks do about the head's pose into scores [frames, k] and movements [k, n, 2].

    The first component is the mean, with score 1; the rest are principal components, their scores smoothed.
    """
    found = np.flatnonzero(track.runs >= 0)
    moved = np.empty((len(found), len(rest[FITTED]), 2))
    for row, frame in enumerate(found):
        expected = rest[FITTED] @ turns[frame].T + shifts[frame]
        offset = (points[frame, FITTED] - expected)[:, :2]
        moved[row] = offset @ np.linalg.inv(turns[frame, :2, :2]).T
    # What the net guesses behind a hand is no movement of this face.
    known = track.seen[found]
    mean = moved[known].mean(axis=0)
    flat = (moved - mean).reshape(len(found), -1)
    _, vectors = np.linalg.eigh(flat[known].T @ flat[known])
    axes = vectors[:, ::-1][:, : min(COMPONENTS, int(known.sum()))]
    scores = np.zeros((len(track), 1 + axes.shape[1]))
    scores[found, 0] = 1.0
    scores[found, 1:] = flat @ axes
    scores = smooth(scores, track.runs, _SPEECH_REACH)
    basis = np.concatenate([mean[None], axes.T.reshape(-1, *mean.shape)])
    return scores, _carry_to_mesh(portrait, basis)


def _carry_to_mesh(portrait: Portrait, basis: Floats) -> Floats:
    """Spread movements of the landmarks [k, 468, 2] over the face's vertices, [k, n, 2].

    As when a portrait is made: distances are taken with the mouth open, so that the lips stay apart.
    """
    head, face = load_head(), int(portrait.runs[1])
    opened = portrait.vertices[:face].astype(np.float64)
    jaw = INDEX["jawOpen"]
    own = slice(int(portrait.delta_starts[jaw]), int(portrait.delta_starts[jaw + 1]))
    rows = portrait.delta_rows[own]
    inside = rows < face
    opened[rows[inside]] += 0.8 * portrait.delta_values[own][inside]
    opened /= portrait.scale
    centres = head.landmarks(opened.astype(np.float32))[FITTED].astype(np.float64)
    near = np.triu(distances(centres, centres) < 0.0035, k=1)
    kept = ~near.any(axis=0)
    values = basis[:, kept].transpose(1, 0, 2).reshape(int(kept.sum()), -1)
    spread = interpolate(centres[kept], values, opened, smoothing=0.0015)
    return spread.reshape(face, len(basis), 2).transpose(1, 0, 2)
