from pathlib import Path

import cv2
import numpy as np
import pytest
from face_reader import (
    FILMED,
    GROUPS,
    INNER_BROWS,
    LEFT_CORNER,
    LOWER_LIP,
    RIGHT_CORNER,
    STILL,
    FaceReader,
    measure,
    movement,
)
from numpy.typing import NDArray

from mien.engine.landmarks import FaceLandmarker
from mien.engine.photo import open_photo
from mien.web.model_store import FACE_FINDER, model_path

REPOSITORY = Path(__file__).resolve().parents[2]

EYES_APART = 100.0


@pytest.fixture
def face() -> NDArray[np.float64]:
    """Landmarks of a plain face in pixels; those that nothing measures lie at random."""
    points = np.random.default_rng(0).uniform(0, 200, (478, 2))
    points[list(STILL)] = [[50, 100], [80, 102], [120, 102], [150, 100], [100, 98]]
    points[[RIGHT_CORNER, LEFT_CORNER]] = [[75, 170], [125, 170]]
    points[[82, 13, 312]] = points[list(LOWER_LIP)] = [[95, 170], [100, 170], [105, 170]]
    return points


def read(points: NDArray[np.float64], rest: NDArray[np.float64]) -> dict[str, float]:
    return movement(measure(points, rest), measure(rest, rest))


def turned(points: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return 1.1 * points @ np.array([[cosine, sine], [-sine, cosine]]) + [7, -3]


def test_a_face_that_only_turns_and_shifts_moves_nothing(face: NDArray[np.float64]) -> None:
    assert read(turned(face, 12), face) == pytest.approx(dict.fromkeys(GROUPS, 0.0), abs=1e-9)


def test_brows_are_read_in_distances_between_the_eyes(face: NDArray[np.float64]) -> None:
    raised = face.copy()
    raised[list(INNER_BROWS), 1] -= 0.04 * EYES_APART
    moved = read(turned(raised, -8), face)
    assert moved.pop("browInnerUp") == pytest.approx(0.04)
    assert moved == pytest.approx(dict.fromkeys(moved, 0.0), abs=1e-9)


def test_a_mouth_that_narrows_as_filmed_ones_do_is_no_pucker(face: NDArray[np.float64]) -> None:
    gap, width, corners = FILMED[-1]
    opened = face.copy()
    opened[list(LOWER_LIP), 1] += gap * EYES_APART
    opened[[RIGHT_CORNER, LEFT_CORNER], 0] += np.array([-0.5, 0.5]) * width * EYES_APART
    opened[[RIGHT_CORNER, LEFT_CORNER], 1] -= corners * EYES_APART
    expected = dict.fromkeys(GROUPS, 0.0) | {"jawOpen": gap}
    assert read(opened, face) == pytest.approx(expected, abs=1e-9)
    opened[LEFT_CORNER, 0] -= 0.03 * EYES_APART
    assert read(opened, face)["mouthPucker"] == pytest.approx(0.03)


@pytest.mark.shared
def test_each_part_is_read_from_its_own_pixels(shared_data: Path) -> None:
    """Lids painted over are read as shut, and neither brows nor lips, which stay the photo's, as moved."""
    landmarker = FaceLandmarker(model_path(FACE_FINDER))
    photo = open_photo(REPOSITORY / "tools/portraits/astronaut.png")
    reader = FaceReader(landmarker, photo)
    assert reader.read(photo) == dict.fromkeys(GROUPS, 0.0)
    points = landmarker.detect(photo)[0].points
    shut = photo.copy()
    for corner, other in ((33, 133), (362, 263)):
        middle = points[[corner, other], :2].mean(axis=0)
        wide = float(np.linalg.norm(points[corner, :2] - points[other, :2]))
        skin = photo[int(middle[1] + 0.8 * wide), int(middle[0])].tolist()
        radii = (int(0.6 * wide), int(0.3 * wide))
        cv2.ellipse(shut, middle.astype(int).tolist(), radii, 0, 0, 360, skin, -1)
    read_parts = reader.read(shut)
    assert read_parts["eyeBlink"] > 0.02
    assert all(abs(read_parts[name]) < 0.004 for name in GROUPS if name != "eyeBlink")
    landmarker.close()
