"""What GRID's filmed mouths did, in the units of our articulators.

MediaPipe's scores for funnel, stretch, roll, lower-lip and upper-lip shapes hardly move on these clips, so
the lips are measured from the landmarks, in distances between the outer eye corners; only the jaw comes
from its score. Each clip's own resting mouth is taken away.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from mien.engine.motion import SHAPES
from mien.engine.timebase import FRAME_RATE

SCORES: Final = ("_neutral", *(name for name in SHAPES if name != "tongueOut"))
"""MediaPipe's scores, in the order in which they are kept."""

VIDEO_LATE_S: Final = 0.012
"""The video trails the sound by this much: after the burst of b and p, found in the sound, the lips had gone
15 % of their way 17 ms late (median of 696 in training clips; 4 ms in "bin", 12 in "by", 19 in "place"). Some
of that is their own."""

SMOOTHING_FRAMES: Final = 0.5
"""Standard deviation of a Gaussian over time: passes 8 Hz at .6. Jaw and lips articulate below that, and what
a landmark does above it is noise. It is symmetric, so nothing comes late."""

HELD_OUT_SHARE: Final = 16
"""One clip in so many is held out."""

VALIDATION_PLACE: Final = 1
"""And as many again choose between trainings; the rest train."""

FULL_GAP: Final = 0.12
"""Inner-lip gap that counts as 1, in eye-corner distances: about its 95th percentile in speech."""

JAW_GAIN: Final = 1.5
"""MediaPipe's jawOpen reaches .32 (95th percentile) where ARKit's authors open .46."""

REST_WIDER: Final = 0.010
"""The talker's resting mouth is this much wider than the middle of his speech, in eye-corner distances."""

JAW_NARROWS: Final = 0.06
"""How far an opening jaw draws the corners in, for each unit of MediaPipe's jawOpen."""

Track = NDArray[np.float64]


def held_out(clip: str) -> bool:
    """Say whether a clip is for testing only: decided by its name, so it never changes."""
    return _place(clip) == 0


def validates(clip: str) -> bool:
    """Say whether a clip is kept out of training to choose by."""
    return _place(clip) == VALIDATION_PLACE


def _place(clip: str) -> int:
    return int.from_bytes(hashlib.sha256(clip.encode()).digest()[:4], "big") % HELD_OUT_SHARE


@dataclass(frozen=True, slots=True)
class FilmedMouth:
    """One clip's mouth and head, each float[frames] (head float[frames, 6]), on the sound's own clock."""

    jaw: Track
    gap: Track
    pucker: Track
    stretch: Track
    upper_up: Track
    scores: dict[str, Track]
    """MediaPipe's scores as they came, by ARKit name."""

    head: Track
    """Pitch, yaw, roll in radians, then x, y, z in face widths: mien.engine.motion's, about the median."""

    seen: NDArray[np.bool_]
    """Whether the face was found in the frame."""


def scores_path(landmarks: Path) -> Path:
    """Return where MediaPipe's scores lie that belong to these landmarks."""
    return landmarks.with_name(f"{landmarks.stem}_scores.npz")


def read_filmed(landmarks: Path, poses: Path) -> dict[str, FilmedMouth]:
    """Read all clips: the npz of tools/label_grid.py, and the shared one for the poses of the head.

    Raises SystemExit for labels of an older tools/label_grid.py, which lagged.
    """
    if not scores_path(landmarks).exists():
        raise SystemExit(f"{scores_path(landmarks)} is missing; run tools/label_grid.py anew")
    with np.load(landmarks) as archive:
        places = {int(landmark): place for place, landmark in enumerate(archive["indices"])}
        points = {name: archive[name].astype(np.float64) for name in archive.files if name != "indices"}
    with np.load(scores_path(landmarks)) as archive:
        scores = {name: archive[name].astype(np.float64) for name in archive.files}
    with np.load(poses, allow_pickle=False) as archive:
        offsets = archive["offsets"]
        matrices = archive["face_matrix"].astype(np.float64)
        clips = [str(clip) for clip in archive["clips"]]
    filmed = {}
    for row, clip in enumerate(clips):
        if clip not in points:
            continue
        frames = slice(offsets[row], offsets[row + 1])
        mouth = _read_clip(points[clip], places, scores[clip], matrices[frames])
        if mouth is not None:
            filmed[clip] = mouth
    return filmed


def _read_clip(points: Track, places: dict[int, int], scores: Track, matrices: Track) -> FilmedMouth | None:
    """Measure one clip; None where the face was lost for most of it."""
    frames = min(len(points), len(scores))
    points, scores, matrices = points[:frames], scores[:frames], matrices[:frames]
    seen = ~np.isnan(points).any(axis=(1, 2)) & ~np.isnan(scores).any(axis=1) & (scores.sum(axis=1) > 0)
    if seen.mean() < 0.9:
        return None

    def apart(a: int, b: int) -> Track:
        return np.linalg.norm(points[:, places[a]] - points[:, places[b]], axis=1) / scale

    scale = float(np.nanmedian(np.linalg.norm(points[:, places[33]] - points[:, places[263]], axis=1)))
    gap = (apart(13, 14) + apart(82, 87) + apart(312, 317)) / 3
    width = apart(61, 291)
    lip_height = apart(4, 0)
    jaw = scores[:, SCORES.index("jawOpen")]

    def heard(track: Track) -> Track:
        """Fill what was not seen, take off the landmarks' noise, and shift to the sound's clock."""
        film = np.arange(frames)
        filled = gaussian_filter1d(np.interp(film, film[seen], track[seen]), SMOOTHING_FRAMES)
        return np.interp(film + VIDEO_LATE_S * FRAME_RATE, film, filled)

    rest = gap[seen] <= np.quantile(gap[seen], 0.2)
    quiet = np.flatnonzero(seen)[rest]
    gap_rest, width_rest = np.median(gap[quiet]), np.median(width[quiet])
    jaw_rest, lip_rest = np.median(jaw[quiet]), np.median(lip_height[quiet])
    narrower = heard(width_rest - REST_WIDER - width) - JAW_NARROWS * np.clip(heard(jaw) - jaw_rest, 0, 1)
    return FilmedMouth(
        jaw=JAW_GAIN * np.clip(heard(jaw) - jaw_rest, 0, 1),
        gap=np.clip((heard(gap) - gap_rest) / FULL_GAP, 0, 1.4),
        pucker=np.clip(narrower / 0.035, 0, 1),
        stretch=np.clip(-narrower / 0.04, 0, 1),
        upper_up=np.clip((lip_rest - heard(lip_height)) / 0.06, 0, 1),
        scores={name: heard(scores[:, column]) for column, name in enumerate(SCORES)},
        head=np.stack([heard(column) for column in _head_pose(matrices).T], axis=1),
        seen=seen,
    )


def _head_pose(matrices: Track) -> Track:
    """Turn MediaPipe's face matrices (x right, y up, z to the camera, cm) into our six, float[frames, 6].

    The columns of the rotation are the head's right, up and forward axes as the camera sees them.
    """
    forward, up = matrices[:, :3, 2], matrices[:, :3, 1]
    pitch = np.arcsin(np.clip(forward[:, 1], -1, 1))
    yaw = np.arctan2(forward[:, 0], forward[:, 2])
    roll = np.arctan2(up[:, 0], up[:, 1])
    face_width_cm = 14.0
    place = matrices[:, :3, 3] * np.array([1, -1, -1]) / face_width_cm
    pose = np.concatenate([np.stack([pitch, yaw, roll], axis=1), place], axis=1)
    return pose - np.nanmedian(pose, axis=0)
