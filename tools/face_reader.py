"""Read jaw, pucker, smile, blink and inner brows off a drawn face, each from its own pixels alone.

    python tools/face_reader.py --film build/grid_landmarks.npz  # how filmed mouths move (label_grid.py)
    python tools/face_reader.py --clips ../shared/data/grid/video  # the reader on people, beside the scores

The landmark model guesses parts of a face from other parts: it reads lids that close as brows that rise,
though the brows are the same to the pixel. So brows, eyes and mouth are read one at a time, from a picture
that shows the frame within that band of the face and the portrait at rest elsewhere. What is read there,
that band's pixels made; a part of the face that the renderer leaves alone reads as still, exactly.

Brow heights, lid gaps, lip gaps, widths and corners are measured in distances between the outer eye corners,
along the eyes' line and across it, after the eyes and the bridge of the nose are laid over those at rest:
that takes the pose away. Shapes have side effects that are no other shape: people's mouths narrow and their
corners sink as the jaw drops. How much, film says (FILMED): only what goes past that counts as a pucker or a
smile.

Settled on thirteen portraits at full weights: where the asked shape's band was drawn and the brows were the
photo's to the pixel, the model's scores still had inner brows rise by a median of 25 % of their range in a
blink and 9 % with an open jaw, as much as in the whole frame; with the frame's brows and nothing else of it,
by 1 % at most. On film its brows sink by a fifth of their range as the talker's lips part to 0.12.

What this can show: that what reaches the picture, as a net sees it that never saw our model, is what was
asked for, and how much of anything else. What it cannot: whether a shape looks like what its name says; what
moves outside the five groups; movement that no landmark follows, such as a change of colour.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from sitters import open_landmarker

from mien.engine.landmarks import FaceLandmarker, FaceLandmarks

Picture = NDArray[np.uint8]
Floats = NDArray[np.float64]

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "jawOpen": ("jawOpen",),
    "mouthPucker": ("mouthPucker",),
    "mouthSmile": ("mouthSmileLeft", "mouthSmileRight"),
    "eyeBlink": ("eyeBlinkLeft", "eyeBlinkRight"),
    "browInnerUp": ("browInnerUp",),
}
"""What is read, and the shapes that each stands for."""

BANDS: Final[dict[str, tuple[str, ...]]] = {
    "brow": ("browInnerUp",),
    "eye": ("eyeBlink",),
    "mouth": ("jawOpen", "mouthPucker", "mouthSmile"),
}
"""Which groups each band of the face tells of, from the top."""

STILL: Final = (33, 133, 362, 263, 168)
"""Eye corners, the outer ones first and fourth, and the bridge of the nose: the five groups leave them."""

UPPER_LIDS: Final = (159, 160, 158, 386, 387, 385)
LOWER_LIDS: Final = (145, 144, 153, 374, 373, 380)
INNER_BROWS: Final = (55, 65, 107, 66, 285, 295, 336, 296)
LOWER_BROWS: Final = (46, 53, 52, 65, 55, 285, 295, 282, 283, 276)
UPPER_LIP: Final = (82, 13, 312)
LOWER_LIP: Final = (87, 14, 317)
RIGHT_CORNER, LEFT_CORNER = 61, 291
NOSE_TIP: Final = 4

LOOKS: Final = ((0.0, 1.0, 0.0), (-6.0, 1.0, 0.0), (6.0, 1.0, 0.0), (0.0, 0.92, 0.0), (0.0, 1.1, 0.04))
"""Turns in degrees, scales and shifts down (in heights of the face) of the crops that one reading is the mean
of. One crop alone moves the mouth's width by up to a fifth of a pucker when the photo is shaken."""

SOFT: Final = 0.06
"""How wide the border between two bands is, in distances between the irises."""

FILMED: Final = np.array(
    [
        # gap    width   corners
        [0.000, 0.000, 0.000],
        [0.010, -0.019, -0.009],
        [0.020, -0.025, -0.013],
        [0.030, -0.025, -0.013],
        [0.042, -0.024, -0.014],
        [0.060, -0.025, -0.013],
        [0.080, -0.024, -0.016],
        [0.105, -0.025, -0.018],
        [0.135, -0.017, -0.020],
        [0.175, -0.009, -0.030],
    ]
)
"""What the mouth's width and its corners' height do as filmed lips part: medians over 47,910 frames of GRID's
talker, read by the same net, in distances between the outer eye corners. `--film` prints them. Speech hardly
goes further than the last row, which is taken to hold from there on."""


SHUT_SHARE: Final = 0.15
"""A clip's mouth counts as shut in so many of its frames, those with the smallest gap."""

REST_FRAMES: Final = 30
"""A clip with fewer frames that show a face is left out."""


@dataclass(frozen=True, slots=True)
class Measures:
    """Where brows, lids and lips lie, in distances between the outer eye corners, down from the eye line."""

    lip_gap: float
    width: float
    corners: float
    """How high the mouth's corners are."""

    lid_gap: float
    brows: float
    """How high the inner brows are."""


class FaceReader:
    """Reads frames of one portrait, whose head does not move."""

    def __init__(self, landmarker: FaceLandmarker, rest: Picture) -> None:
        """rest: the frame that every other is compared with. Raises ValueError where no face is found."""
        faces = landmarker.detect(rest)
        if not faces:
            raise ValueError("the landmark model finds no face in the picture at rest")
        self._landmarker = landmarker
        self._rest = rest
        self._looks = list(_looks(faces[0]))
        self._masks = _bands(faces[0], rest.shape[:2])
        self._points = self._look(rest)
        self._measures = measure(self._points, self._points)

    def read(self, frame: Picture) -> dict[str, float]:
        """Return how far each of GROUPS is from rest, in distances between the outer eye corners.

        jawOpen: how far the lips part. mouthPucker: how much narrower the mouth is, and mouthSmile how much
        higher its corners are, than a filmed mouth's would be with lips so far apart. eyeBlink: how much
        less the lids are apart. browInnerUp: how far the inner brows rise. NaN where the face was lost.
        """
        read = {}
        for band, groups in BANDS.items():
            moved = self._moved(self._within(frame, band))
            read |= {group: moved[group] for group in groups}
        return {group: read[group] for group in GROUPS}

    def read_whole(self, picture: Picture) -> dict[str, float]:
        """Do the same from one picture with all that it shows, such as a photo that was shaken."""
        return self._moved(picture)

    def _within(self, frame: Picture, band: str) -> Picture:
        """Return the portrait at rest with one band of a frame laid over it."""
        mixed = self._rest + self._masks[band][..., None] * (frame.astype(np.float32) - self._rest)
        return np.asarray(np.round(mixed), np.uint8)

    def _moved(self, picture: Picture) -> dict[str, float]:
        if np.array_equal(picture, self._rest):
            return dict.fromkeys(GROUPS, 0.0)
        return movement(measure(self._look(picture), self._points), self._measures)

    def _look(self, picture: Picture) -> Floats:
        """Return the mean landmarks of all looks, float64[478, 2] in pixels; NaN where one is lost."""
        found = [self._landmarker.track(picture, look) for look in self._looks]
        points = [np.full((478, 2), np.nan) if face is None else face.points[:, :2] for face in found]
        return np.mean(points, axis=0, dtype=np.float64)


def movement(now: Measures, rest: Measures) -> dict[str, float]:
    """Return what `FaceReader.read` does, from the measures of a picture and of the face at rest."""
    gap = now.lip_gap - rest.lip_gap
    width, corners = (float(np.interp(gap, FILMED[:, 0], FILMED[:, column])) for column in (1, 2))
    return {
        "jawOpen": gap,
        "mouthPucker": width - (now.width - rest.width),
        "mouthSmile": (now.corners - rest.corners) - corners,
        "eyeBlink": rest.lid_gap - now.lid_gap,
        "browInnerUp": now.brows - rest.brows,
    }


def measure(points: Floats, rest: Floats) -> Measures:
    """Measure landmarks [478, 2] in the eyes' frame of the landmarks at rest, over which they are laid."""
    laid = _lay_over(points, rest)
    right, left = rest[STILL[0]], rest[STILL[3]]
    length = float(np.linalg.norm(left - right))
    across = (left - right) / length
    down = np.array([-across[1], across[0]])

    def height(run: tuple[int, ...]) -> float:
        """How far below the eye line, on average."""
        return float(((laid[list(run)] - right) @ down).mean()) / length

    return Measures(
        lip_gap=height(LOWER_LIP) - height(UPPER_LIP),
        width=float((laid[LEFT_CORNER] - laid[RIGHT_CORNER]) @ across) / length,
        corners=-height((RIGHT_CORNER, LEFT_CORNER)),
        lid_gap=height(LOWER_LIDS) - height(UPPER_LIDS),
        brows=-height(INNER_BROWS),
    )


def _lay_over(points: Floats, rest: Floats) -> Floats:
    """Turn, scale and shift landmarks so that STILL lie on those at rest (least squares)."""
    ours, theirs = points[list(STILL)], rest[list(STILL)]
    a, b = (ours - ours.mean(axis=0)) @ [1, 1j], (theirs - theirs.mean(axis=0)) @ [1, 1j]
    turned = (points - ours.mean(axis=0)) @ [1, 1j] * (np.vdot(a, b) / np.vdot(a, a))
    laid: Floats = np.stack([turned.real, turned.imag], axis=-1) + theirs.mean(axis=0)
    return laid


def _looks(face: FaceLandmarks) -> Iterator[FaceLandmarks]:
    """Yield the face turned, scaled and shifted a little: the landmarker crops about what it is given."""
    middle = (face.points[:, :2].max(axis=0) + face.points[:, :2].min(axis=0)) / 2
    height = float(np.ptp(face.points[:, 1]))
    for degrees, scale, shift in LOOKS:
        cosine, sine = scale * np.cos(np.deg2rad(degrees)), scale * np.sin(np.deg2rad(degrees))
        turn = np.array([[cosine, -sine], [sine, cosine]], np.float32)
        points = face.points.copy()
        points[:, :2] = (points[:, :2] - middle) @ turn.T + middle + [0, shift * height]
        yield replace(face, points=points)


def _bands(face: FaceLandmarks, size: tuple[int, int]) -> dict[str, NDArray[np.float32]]:
    """Return how far each pixel belongs to each of BANDS, float32[height, width], 1 in all.

    The brows end halfway between them and the lids, the eyes a third of the way from them to the nose's tip.
    """
    points = face.points[:, :2].astype(np.float64)
    across = (points[STILL[3]] - points[STILL[0]]) / np.linalg.norm(points[STILL[3]] - points[STILL[0]])
    down = np.array([-across[1], across[0]])
    rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
    below = columns * down[0] + rows * down[1]

    def height(run: tuple[int, ...]) -> float:
        return float((points[list(run)] @ down).mean())

    def under(border: float) -> NDArray[np.float32]:
        return np.clip((below - border) / (SOFT * face.interocular) + 0.5, 0, 1).astype(np.float32)

    lids, lower = height(UPPER_LIDS), height(LOWER_LIDS)
    eyes_on, mouth_on = (
        under((lids + height(LOWER_BROWS)) / 2),
        under(lower + (height((NOSE_TIP,)) - lower) / 3),
    )
    return {"brow": 1 - eyes_on, "eye": eyes_on - mouth_on, "mouth": mouth_on}


# ---- the reader on film


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--film", type=Path, help="landmarks of filmed speech, by tools/label_grid.py")
    parser.add_argument("--clips", type=Path, help="folder of filmed speech, *.mp4")
    parser.add_argument("--every", type=int, default=45, help="read one clip in so many")
    options = parser.parse_args()
    if not options.film and not options.clips:
        sys.exit("Nothing to read: give --film or --clips.")
    cv2.setNumThreads(1)
    if options.film:
        report_filmed_mouths(options.film)
    if options.clips:
        report_people(sorted(options.clips.glob("*.mp4"))[:: options.every])


def report_filmed_mouths(path: Path) -> None:
    """Print FILMED: how wide a talker's mouth is, and how high its corners, against how far its lips part."""
    rows = []
    with np.load(path) as archive:
        kept = archive["indices"].astype(np.int64)
        for name in archive.files:
            seen = archive[name].astype(np.float64)[..., :2]
            if name != "indices" and np.isfinite(seen).all(axis=(1, 2)).sum() > REST_FRAMES:
                points = np.full((len(seen), 478, 2), np.nan)
                points[:, kept] = seen
                rows.append(_against_rest(points[np.isfinite(seen).all(axis=(1, 2))]))
    gap, width, corners = np.concatenate(rows).T[:3]
    print(f"{len(gap)} frames of {len(rows)} clips; medians and 10th to 90th percentiles")
    edges = (FILMED[1:, 0] + FILMED[:-1, 0]) / 2
    for low, high, (at, *_) in zip(edges, [*edges[1:], 0.21], FILMED[1:], strict=True):
        near = (gap >= low) & (gap < high)
        spread = [np.quantile(values[near], (0.5, 0.1, 0.9)).round(3).tolist() for values in (width, corners)]
        print(f"gap {at:.3f}: {near.sum():6} frames, width {spread[0]}, corners {spread[1]}")


def report_people(clips: list[Path]) -> None:
    """Print how readings of whole frames go with the landmark model's scores, and with each other."""
    landmarker = open_landmarker()
    readings, scores = [], []
    for clip in clips:
        faces = [faces[0] for frame in _frames(clip) if (faces := landmarker.detect(frame))]
        readings.append(_against_rest(np.array([face.points[:, :2] for face in faces], np.float64)))
        scores += [[np.mean([face.shapes[n] for n in names]) for names in GROUPS.values()] for face in faces]
    moved, scored = np.concatenate(readings), np.array(scores)
    gap, width, corners, lids, brows = moved.T
    print(f"{len(moved)} frames of {len(clips)} clips; correlation with the scores of the same frames")
    for group, values in zip(GROUPS, (gap, -width, corners, -lids, brows), strict=True):
        column = scored[:, list(GROUPS).index(group)]
        print(f"  {group:12} {np.corrcoef(values, column)[0, 1]:.2f}")
    for low, high in ((0.0, 0.03), (0.03, 0.06), (0.06, 0.09), (0.09, 0.12), (0.12, 0.2)):
        near = (gap >= low) & (gap < high)
        print(f"  lips apart by {low:.2f} to {high:.2f}: inner brows read {brows[near].mean():+.4f} higher")


def _frames(clip: Path) -> Iterator[Picture]:
    video = cv2.VideoCapture(str(clip))
    while (read := video.read())[0]:
        yield np.asarray(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB), np.uint8)
    video.release()


def _against_rest(points: Floats) -> Floats:
    """Measure a clip's landmarks [frames, 478, 2] against its own shut mouth, [frames, 5] as in Measures."""
    apart = np.linalg.norm(points[:, 13] - points[:, 14], axis=1)
    shut = apart <= np.quantile(apart, SHUT_SHARE)
    rest = points[shut].mean(axis=0)
    measured = [measure(frame, rest) for frame in points]
    values = np.array([[m.lip_gap, m.width, m.corners, m.lid_gap, m.brows] for m in measured])
    return values - np.median(values[shut], axis=0)


if __name__ == "__main__":
    main()
