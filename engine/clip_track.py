"""Follows one face through the frames of a clip, and takes the landmark net's tremble off it without lag."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.engine.errors import NoFace, PhotoError
from mien.engine.landmarks import POINTS, FaceLandmarks
from mien.engine.motion import SHAPES
from mien.engine.visibility import LIPS_AGAINST_LIDS, lips_and_lids

Picture = NDArray[np.uint8]

LONGEST_STEP: Final = 0.6
"""A face that moves by more interocular distances from one frame to the next was cut to, not followed."""

_SEARCH_EVERY: Final = 5
"""While the face is lost, one frame in so many is searched for it: the detector costs more than following."""


LOOK_EVERY: Final = 6
"""One frame in so many, 240 ms, is looked at again for whether something lies before the mouth."""

_COVERED: Final = 1.8
_LEAST_COVERED: Final = 0.007
"""Lips that wander so many times further than is usual in the clip, and this far, in heights of the face, are
guessed. On 7 clips without a hand they wander by 1.6 times the usual at most; behind one by 2 to 5 times."""


class Follower(Protocol):
    """Finds and follows faces. mien.engine.landmarks.FaceLandmarker is one."""

    def detect(self, picture: Picture) -> list[FaceLandmarks]:
        """Return the faces of RGB uint8[H, W, 3], the largest first."""

    def track(self, picture: Picture, last: FaceLandmarks) -> FaceLandmarks | None:
        """Follow a face from one picture to the next; None if it is lost."""

    def wander(self, picture: Picture, face: FaceLandmarks) -> NDArray[np.float32]:
        """Return how far each landmark moves when the face is looked at again, float32[478]."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceTrack:
    """One face's landmarks in every frame of a clip."""

    points: NDArray[np.float32]
    """float32[frames, 478, 3], as in FaceLandmarks; of no meaning where the face was not found."""

    shapes: NDArray[np.float32]
    """float32[frames, 52]: the landmark net's scores of motion.SHAPES."""

    runs: NDArray[np.int64]
    """int64[frames]: number of the unbroken run that a frame belongs to; -1 where no face was found."""

    covered: NDArray[np.bool_]
    """bool[frames]: whether something lies before the mouth."""

    def __len__(self) -> int:
        return len(self.runs)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """bool[frames]: whether the frame shows the face with its mouth."""
        shown: NDArray[np.bool_] = (self.runs >= 0) & ~self.covered
        return shown

    def face(self, frame: int) -> FaceLandmarks:
        """Return the face in one frame."""
        points = self.points[frame]
        left, top = np.floor(points[:, :2].min(axis=0)).astype(int)
        right, bottom = np.ceil(points[:, :2].max(axis=0)).astype(int)
        scores = {name: float(score) for name, score in zip(SHAPES, self.shapes[frame], strict=True)}
        return FaceLandmarks(points, scores, (int(left), int(top), int(right), int(bottom)), 1.0)


def track_face(pictures: Iterable[Picture], follower: Follower, *, face: int | None = None) -> FaceTrack:
    """Follow one face through a clip's pictures, each RGB uint8[H, W, 3] of one size.

    face: which of the faces in the first picture that shows any, 0 being the largest, which None takes.
    Raises NoFace where no picture shows a face, PhotoError where the first has fewer faces than asked for.
    """
    wanted = face or 0
    found: list[FaceLandmarks | None] = []
    runs: list[int] = []
    last: FaceLandmarks | None = None
    looks: dict[int, tuple[float, float]] = {}
    lost = run = 0
    for picture in pictures:
        now = None if last is None or lost else follower.track(picture, last)
        if now is not None and last is not None and _step(now, last) > LONGEST_STEP:
            now = None
        if now is None:
            now = _search(picture, follower, last, wanted) if lost % _SEARCH_EVERY == 0 else None
            run += now is not None
            lost = 0 if now is not None else lost + 1
        if now is not None and len(found) % LOOK_EVERY == 0:
            looks[len(found)] = lips_and_lids(follower.wander(picture, now))
        found.append(now)
        runs.append(-1 if now is None else run)
        last = now or last
    if last is None:
        raise NoFace(
            "No face was found in this video.",
            remedy="Use one where a face looks at the camera, well lit and not covered.",
        )
    points = np.zeros((len(found), POINTS, 3), np.float32)
    shapes = np.zeros((len(found), len(SHAPES)), np.float32)
    for index, each in enumerate(found):
        if each is not None:
            points[index] = each.points
            shapes[index] = [each.shapes.get(name, 0.0) for name in SHAPES]
    return FaceTrack(points, shapes, np.array(runs, np.int64), _covered(looks, len(found)))


def smooth(values: NDArray[np.floating], runs: NDArray[np.int64], reach: int) -> NDArray[np.float64]:
    """Fit a parabola to the `reach` frames on either side and take its middle: [frames, ...] alike.

    Savitzky and Golay 1964: white noise falls, while a movement's time and its peaks stay. Runs are
    smoothed each for itself; one shorter than 2 * reach + 1 frames takes a smaller reach.
    """
    smoothed = np.array(values, np.float64)
    for start, stop in _spans(runs):
        own = min(reach, (stop - start - 1) // 2)
        if own < 2:
            continue
        offsets = np.arange(-own, own + 1.0)
        weights = np.linalg.pinv(np.stack([offsets**power for power in range(3)], axis=1))[0]
        run = np.array(values[start:stop], np.float64)
        # Beyond its ends a run goes on turned about its last point, so that a slope there stays a slope.
        before, after = 2 * run[0] - run[own:0:-1], 2 * run[-1] - run[-2 : -own - 2 : -1]
        padded = np.concatenate([before, run, after])
        smoothed[start:stop] = sum(
            weight * padded[shift : shift + len(run)] for shift, weight in enumerate(weights)
        )
    return smoothed


def _covered(looks: dict[int, tuple[float, float]], frames: int) -> NDArray[np.bool_]:
    """Say which frames have their mouth covered, from how far lips and lids wander in those looked at again.

    What was covered at one look counts as covered from the one before to the one after.
    """
    covered = np.zeros(frames, bool)
    if not looks:
        return covered
    usual = float(np.median([lips for lips, _ in looks.values()]))
    for frame, (lips, lids) in looks.items():
        if lips > max(_COVERED * usual, _LEAST_COVERED) and lips > LIPS_AGAINST_LIDS * lids:
            covered[max(frame - LOOK_EVERY, 0) : frame + LOOK_EVERY + 1] = True
    return covered


def _spans(runs: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return start and stop of every unbroken run with a face."""
    edges = np.flatnonzero(np.diff(runs, prepend=-2, append=-2))
    return [(int(a), int(b)) for a, b in pairwise(edges) if runs[a] >= 0]


def _step(now: FaceLandmarks, last: FaceLandmarks) -> float:
    """Return how far a face moved, in interocular distances."""
    apart = np.linalg.norm(now.points[:, :2] - last.points[:, :2], axis=1)
    return float(apart.mean()) / max(last.interocular, 1e-6)


def _search(
    picture: Picture, follower: Follower, last: FaceLandmarks | None, wanted: int
) -> FaceLandmarks | None:
    """Look for the face anew: the one asked for at first, later the one nearest to where it was."""
    faces = follower.detect(picture)
    if not faces:
        return None
    if last is not None:
        return min(faces, key=lambda each: _step(each, last))
    if wanted >= len(faces):
        raise PhotoError(
            f"The video begins with {len(faces)} face{'s' if len(faces) > 1 else ''}, "
            f"so there is no face {wanted}.",
            remedy=f"Choose 0 to {len(faces) - 1}, the largest being 0.",
        )
    return faces[wanted]
