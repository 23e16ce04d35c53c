"""How far our lips are from filmed ones, point by point, in the picture's plane.

GRID's landmarks and the head model's are the same points of MediaPipe's mesh. People's lips differ in
shape, so each moves from its own rest: the film from the mouth it shows when it is most closed, the model
from its mean face. Distances are in hundredths of the distance between the outer eye corners.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from grid_mouth import SMOOTHING_FRAMES, VIDEO_LATE_S
from lip_measures import Score, Sums, score
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from mien.engine.face_points import INNER_LIPS_BOTTOM, INNER_LIPS_TOP, OUTER_LIPS
from mien.engine.head import load_head
from mien.engine.motion import SHAPE_SLICE
from mien.engine.timebase import FRAME_RATE

Points = NDArray[np.float64]
Motion = NDArray[np.float32]

LIPS: Final = tuple(dict.fromkeys((*OUTER_LIPS, *INNER_LIPS_TOP, *INNER_LIPS_BOTTOM)))
"""The 40 landmarks of the lips' outer and inner edges."""

STEADY: Final = (33, 133, 362, 263, 168, 10)
"""Eye corners, the bridge of the nose and the forehead: what speech does not move."""

OUTER_EYES: Final = (33, 263)
REST_SHARE: Final = 0.2
"""The least open share of a clip's frames shows the mouth at rest."""


@dataclass(frozen=True, slots=True)
class FilmedLips:
    """One clip's lips, on the sound's clock."""

    moved: Points
    """float64[frames, 40, 2]: how far from their rest, in distances between the outer eye corners."""


def read_lips(landmarks: Path, clips: list[str]) -> dict[str, FilmedLips]:
    """Read the clips from the npz of tools/label_grid.py."""
    with np.load(landmarks) as archive:
        places = {int(landmark): place for place, landmark in enumerate(archive["indices"])}
        return {clip: _read_clip(archive[clip].astype(np.float64), places) for clip in clips}


def _read_clip(points: Points, places: dict[int, int]) -> FilmedLips:
    seen = np.flatnonzero(~np.isnan(points).any(axis=(1, 2)))
    flat = points[seen][..., :2]
    steady = flat[:, [places[k] for k in STEADY]]
    lips = flat[:, [places[k] for k in LIPS]]
    usual = np.median(steady, axis=0)
    eyes = [STEADY.index(k) for k in OUTER_EYES]
    upright = turn_upright(usual, usual[eyes[1]] - usual[eyes[0]])
    still = np.stack([fit_similarity(one, upright)(lip) for one, lip in zip(steady, lips, strict=True)])
    inner = still[:, [LIPS.index(k) for k in (13, 14)]]
    gap = inner[:, 1, 1] - inner[:, 0, 1]
    moved = still - np.median(still[gap <= np.quantile(gap, REST_SHARE)], axis=0)
    film = np.arange(len(points)) + VIDEO_LATE_S * FRAME_RATE
    columns = [np.interp(np.arange(len(points)), seen, column) for column in moved.reshape(len(seen), -1).T]
    smooth = [
        np.interp(film, np.arange(len(points)), gaussian_filter1d(c, SMOOTHING_FRAMES)) for c in columns
    ]
    return FilmedLips(np.stack(smooth, axis=1).reshape(len(points), len(LIPS), 2))


def turn_upright(points: Points, across: Points) -> Points:
    """Turn and scale points so that `across`, from the picture's left eye to its right, is (1, 0)."""
    length = float(np.hypot(*across))
    cosine, sine = across / length
    return (points - points.mean(axis=0)) @ np.array([[cosine, -sine], [sine, cosine]]) / length


class Similarity:
    """A turn, a scale and a shift of the plane."""

    def __init__(self, matrix: Points, shift: Points) -> None:
        self._matrix, self._shift = matrix, shift

    def __call__(self, points: Points) -> Points:
        """Move points float64[..., 2]."""
        return points @ self._matrix + self._shift


def fit_similarity(source: Points, target: Points) -> Similarity:
    """Return what moves `source` onto `target` best, float64[points, 2]: Umeyama 1991, without mirroring."""
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    here, there = source - source_mean, target - target_mean
    straight, crossed = (here * there).sum(), (here[:, 0] * there[:, 1] - here[:, 1] * there[:, 0]).sum()
    matrix = np.array([[straight, crossed], [-crossed, straight]]) / (here**2).sum()
    return Similarity(matrix, target_mean - source_mean @ matrix)


@cache
def _lip_shapes() -> Points:
    """Return how each shape moves the lips, float64[52, 40, 2], in eye-corner distances."""
    head = load_head()
    eyes = head.landmarks(head.vertices)[list(OUTER_EYES), :2]
    apart = float(np.hypot(*(eyes[1] - eyes[0])))
    moved: Points = head.landmarks(head.shapes)[:, list(LIPS), :2].astype(np.float64) / apart
    return moved


def lips_of(motion: Motion) -> Points:
    """Return how far motion moves the mean face's lips, float64[frames, 40, 2], in eye-corner distances."""
    moved: Points = np.tensordot(motion[:, SHAPE_SLICE].astype(np.float64), _lip_shapes(), axes=1)
    return moved


def lip_distance(made: list[Points], filmed: list[Points]) -> Score:
    """Return the mean distance of made lips from filmed ones in hundredths of the eyes' distance.

    Frames that only one of them has are left out.
    """
    rows = []
    for ours, theirs in zip(made, filmed, strict=True):
        frames = min(len(ours), len(theirs))
        apart = np.linalg.norm(ours[:frames] - theirs[:frames], axis=-1).mean(axis=1)
        rows.append([100 * apart.sum(), frames])
    return score(np.array(rows), _mean)


def best_gain(made: list[Points], filmed: list[Points]) -> float:
    """Return the factor on made lips that brings them nearest to filmed ones in squares."""
    pairs = [(a[: len(b)].ravel(), b[: len(a)].ravel()) for a, b in zip(made, filmed, strict=True)]
    return float(sum(a @ b for a, b in pairs) / max(sum(a @ a for a, _ in pairs), 1e-12))


def _mean(sums: Sums) -> NDArray[np.float64]:
    result: NDArray[np.float64] = sums[..., 0] / sums[..., 1]
    return result
