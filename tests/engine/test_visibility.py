"""What lies before a face is found, and beards, glasses, paintings and bad light are not taken for it."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.engine.errors import PhotoError
from mien.engine.face_points import EYES, OUTER_LIPS
from mien.engine.gallery import open_builtin
from mien.engine.landmarks import FaceLandmarker, FaceLandmarks
from mien.engine.photo import open_photo
from mien.engine.visibility import LIPS_WANDER, EyesClosed, FaceCovered, check_visible

Picture = NDArray[np.uint8]
Painter = Callable[[Picture, NDArray[np.float32]], Picture]
PICTURES = Path(__file__).resolve().parents[2] / "tools" / "portraits"
STILL = np.full(478, 0.004, np.float32)


def face_at(points: NDArray[np.float32]) -> FaceLandmarks:
    return FaceLandmarks(points, {}, (0, 0, 1, 1), 1.0)


@pytest.fixture(scope="module")
def open_face() -> tuple[Picture, FaceLandmarks]:
    """A built-in portrait with the landmarks that its file keeps."""
    portrait = open_builtin("iris")
    return portrait.picture, face_at(portrait.landmarks + np.float32([0.5, 0.5, 0]))


def test_face_in_sight_passes(open_face: tuple[Picture, FaceLandmarks]) -> None:
    check_visible(*open_face, STILL)


def test_lips_that_wander_are_covered(open_face: tuple[Picture, FaceLandmarks]) -> None:
    wander = STILL.copy()
    wander[list(OUTER_LIPS)] = 0.03
    with pytest.raises(FaceCovered, match="mouth"):
        check_visible(*open_face, wander)
    check_visible(*open_face, np.full(478, 1.4 * LIPS_WANDER, np.float32))  # everything does: a turned face


def test_lids_that_wander_are_covered(open_face: tuple[Picture, FaceLandmarks]) -> None:
    wander = STILL.copy()
    for _, top, bottom, _, _ in EYES:
        wander[[*top, *bottom]] = 0.03
    with pytest.raises(FaceCovered, match="eye"):
        check_visible(*open_face, wander)


def test_closed_eyes_are_told(open_face: tuple[Picture, FaceLandmarks]) -> None:
    picture, face = open_face
    points = face.points.copy()
    for _, top, bottom, _, _ in EYES:
        points[list(top)] += 0.9 * (points[list(bottom)] - points[list(top)])
    with pytest.raises(EyesClosed):
        check_visible(picture, face_at(points), STILL)


@pytest.mark.parametrize("eyes", [EYES[:1], EYES[1:], EYES])
def test_dark_glasses_hide_eyes(open_face: tuple[Picture, FaceLandmarks], eyes: tuple[object, ...]) -> None:
    picture, face = open_face
    covered = picture.copy()
    for _, top, bottom, _, _ in eyes:  # type: ignore[misc]
        middle = face.points[[*top, *bottom], :2].mean(axis=0)
        cv2.circle(covered, (int(middle[0]), int(middle[1])), 40, (22, 20, 18), -1)
    with pytest.raises(FaceCovered, match="eye"):
        check_visible(covered, face, STILL)


def test_eyes_beyond_the_edge_are_no_crash(open_face: tuple[Picture, FaceLandmarks]) -> None:
    picture, face = open_face
    check_visible(picture[:120, :120].copy(), face, STILL)


# ---- with the landmark model


def height_of(points: NDArray[np.float32]) -> float:
    return float(np.ptp(points[:468, 1]))


def surgical_mask(picture: Picture, points: NDArray[np.float32]) -> Picture:
    outline = points[[197, 118, 123, 137, 177, 58, 136, 152, 365, 288, 401, 366, 352, 347], :2]
    covered = picture.copy()
    cv2.fillPoly(covered, [np.round(outline).astype(np.int32)], (150, 190, 210), cv2.LINE_AA)
    low, high = outline.min(axis=0), outline.max(axis=0)
    for share in (0.35, 0.5, 0.65):
        y = int(low[1] + share * (high[1] - low[1]))
        cv2.line(
            covered, (int(low[0] + 0.2 * (high[0] - low[0])), y), (int(high[0] * 0.95), y), (130, 170, 190), 2
        )
    return covered


def hand(picture: Picture, points: NDArray[np.float32]) -> Picture:
    covered, tall = picture.copy(), height_of(points)
    x, y = points[[13, 14], :2].mean(axis=0)
    skin = picture[int(points[50, 1]), int(points[50, 0])].astype(float)
    for finger in range(-2, 3):
        at = (int(x), int(y + 0.1 * tall * finger))
        for shrink, shade in ((1.0, 0.65), (0.8, 0.9), (0.5, 1.0)):
            axes = (int(0.4 * tall), int(0.055 * tall * shrink))
            cv2.ellipse(covered, at, axes, 8, 0, 360, tuple(float(v) for v in skin * shade), -1, cv2.LINE_AA)
    return covered


def shades(picture: Picture, points: NDArray[np.float32]) -> Picture:
    covered, tall = picture.copy(), height_of(points)
    for _, top, bottom, _, _ in EYES:
        x, y = points[[*top, *bottom], :2].mean(axis=0)
        cv2.ellipse(
            covered, (int(x), int(y)), (int(0.19 * tall), int(0.13 * tall)), 0, 0, 360, (24, 22, 20), -1
        )
    return covered


def spectacles(picture: Picture, points: NDArray[np.float32]) -> Picture:
    worn, tall = picture.copy(), height_of(points)
    for _, top, bottom, _, _ in EYES:
        x, y = points[[*top, *bottom], :2].mean(axis=0)
        axes = (int(0.17 * tall), int(0.12 * tall))
        cv2.ellipse(
            worn, (int(x), int(y)), axes, 0, 0, 360, (40, 30, 25), max(2, int(0.015 * tall)), cv2.LINE_AA
        )
    return worn


def stubble(picture: Picture, points: NDArray[np.float32]) -> Picture:
    """A short dark beard round the lips."""
    beard = np.zeros(picture.shape[:2], np.uint8)
    outline = points[[205, 50, 177, 58, 136, 152, 365, 288, 401, 280, 425, 326, 2, 97], :2]
    cv2.fillPoly(beard, [np.round(outline).astype(np.int32)], 255)
    cv2.fillPoly(beard, [np.round(points[list(OUTER_LIPS), :2]).astype(np.int32)], 0)
    share = cv2.GaussianBlur(beard, (0, 0), 3).astype(float) / 255
    share *= np.random.default_rng(1).uniform(0.4, 1, beard.shape)
    return np.asarray(picture * (1 - 0.75 * share[..., None]), np.uint8)


def grey(picture: Picture, _: NDArray[np.float32]) -> Picture:
    return np.repeat(picture.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)


def dim(picture: Picture, _: NDArray[np.float32]) -> Picture:
    return np.asarray(255 * (picture / 255) ** 1.8 * 0.7, np.uint8)


def grainy(picture: Picture, _: NDArray[np.float32]) -> Picture:
    noise = np.random.default_rng(2).normal(0, 15, picture.shape)
    return np.asarray(np.clip(picture + noise, 0, 255), np.uint8)


def plain(picture: Picture, _: NDArray[np.float32]) -> Picture:
    return picture


SITTERS: dict[str, Callable[[], Picture]] = {
    "astronaut": lambda: open_photo(PICTURES / "astronaut.png"),
    "mona_lisa": lambda: open_photo(PICTURES / "mona_lisa.jpg"),
    "iris": lambda: open_builtin("iris").picture,
    "bram": lambda: open_builtin("bram").picture,
}


def examine(landmarker: FaceLandmarker, sitter: str, paint: Painter) -> None:
    picture = SITTERS[sitter]()
    painted = paint(picture, landmarker.detect(picture)[0].points)
    face = landmarker.detect(painted)[0]
    check_visible(painted, face, landmarker.wander(painted, face))


@pytest.mark.parametrize("paint", [plain, spectacles, stubble, grey, dim, grainy])
@pytest.mark.parametrize("sitter", SITTERS)
def test_faces_in_sight_pass(landmarker: FaceLandmarker, sitter: str, paint: Painter) -> None:
    examine(landmarker, sitter, paint)


@pytest.mark.parametrize("paint", [surgical_mask, hand, shades])
@pytest.mark.parametrize("sitter", SITTERS)
def test_covered_faces_are_refused(landmarker: FaceLandmarker, sitter: str, paint: Painter) -> None:
    with pytest.raises(FaceCovered) as refusal:
        examine(landmarker, sitter, paint)
    assert isinstance(refusal.value, PhotoError)
    assert refusal.value.remedy
