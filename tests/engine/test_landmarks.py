from __future__ import annotations

from math import cos, pi, radians, sin
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.engine.errors import AssetError
from mien.engine.face_detector import Detection, anchor_centres, merge, overlap
from mien.engine.landmarks import POINTS, SCORED_SHAPES, FaceLandmarker, FaceLandmarks
from mien.engine.motion import SHAPES
from mien.engine.photo import open_photo
from mien.engine.region import Region

Picture = NDArray[np.uint8]
REPOSITORY = Path(__file__).resolve().parents[2]


def test_region_crop_and_its_points_agree() -> None:
    """A bright spot must lie where to_picture puts its place in the crop, whatever the turn and scale."""
    picture = np.zeros((400, 500, 3), np.uint8)
    cv2.circle(picture, (300, 180), 6, (255, 255, 255), -1)
    for side, angle in [(128.0, 0.0), (90.0, 0.3), (310.0, -0.7), (700.0, 2.0)]:
        region = Region(290.0, 200.0, side, angle)
        crop = region.crop(picture, 128).astype(float).sum(axis=2)
        rows, columns = np.indices(crop.shape)
        place = np.array([[(crop * (columns + 0.5)).sum(), (crop * (rows + 0.5)).sum()]]) / crop.sum() / 128
        np.testing.assert_allclose(region.to_picture(place.astype(np.float32)), [[300.5, 180.5]], atol=0.3)


def test_region_beyond_the_picture_is_black() -> None:
    picture = np.full((100, 100, 3), 255, np.uint8)
    crop = Region(100.0, 50.0, 100.0).crop(picture, 100)
    assert (crop[:, :49] == 255).all()
    assert (crop[:, 51:] == 0).all()


def test_region_does_not_alias() -> None:
    checks = np.indices((1024, 1024)).sum(0) % 2 * np.uint8(255)
    picture = np.repeat(checks.astype(np.uint8)[..., None], 3, axis=2)
    crop = Region(512.0, 512.0, 1024.0).crop(picture, 128)
    assert np.abs(crop[8:-8, 8:-8].astype(int) - 127).max() <= 2


def test_region_around_points_turns_with_them() -> None:
    upright = np.array([[0, 0], [40, 0], [40, 20], [0, 20]], np.float32)
    turned = upright @ np.array([[cos(0.5), sin(0.5)], [-sin(0.5), cos(0.5)]], np.float32)
    region = Region.around(turned, angle=0.5, scale=1.5)
    assert region.side == pytest.approx(60.0, rel=1e-5)
    np.testing.assert_allclose([region.x, region.y], turned.mean(axis=0), atol=1e-4)


def test_anchors() -> None:
    anchors = anchor_centres()
    assert anchors.shape == (896, 2)
    np.testing.assert_allclose(anchors[0], [0.5 / 16, 0.5 / 16])
    np.testing.assert_allclose(anchors[2], [1.5 / 16, 0.5 / 16])
    np.testing.assert_allclose(anchors[512], [0.5 / 8, 0.5 / 8])
    np.testing.assert_allclose(anchors[-1], [7.5 / 8, 7.5 / 8])


def test_overlap() -> None:
    assert overlap((0, 0, 2, 2), (0, 0, 2, 2)) == 1
    assert overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 2, 2), (2, 0, 4, 2)) == 0


def _detection(left: float, score: float) -> Detection:
    return Detection((left, 0, left + 10, 10), score, (left + 3, 3), (left + 7, 3))


def test_merge_joins_one_face_and_keeps_two() -> None:
    merged = merge([_detection(0, 0.6), _detection(1, 0.9), _detection(50, 0.7)])
    assert [round(each.score, 3) for each in merged] == [0.9, 0.7]
    assert merged[0].box[0] == pytest.approx(0.9 / 1.5)
    assert merge([]) == []


def test_detection_region_levels_the_eyes() -> None:
    region = Detection((10, 10, 30, 40), 1.0, (10, 10), (20, 20)).region(1.5)
    assert (region.x, region.y, region.side) == (20, 25, 45)
    assert region.angle == pytest.approx(pi / 4)


def test_shape_names_are_arkits() -> None:
    assert len(SCORED_SHAPES) == 52
    assert set(SCORED_SHAPES) == {"_neutral"} | set(SHAPES) - {"tongueOut"}


def test_missing_or_foreign_model(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="no landmark model"):
        FaceLandmarker(tmp_path / "absent.task")
    for content in (b"", b"text", b"PK\x05\x06" + bytes(18)):
        (tmp_path / "foreign.task").write_bytes(content)
        with pytest.raises(AssetError, match="not a face landmark model"):
            FaceLandmarker(tmp_path / "foreign.task")


@pytest.fixture(scope="module")
def painting() -> Picture:
    """The Mona Lisa, a source of our built-in portraits."""
    return open_photo(REPOSITORY / "tools/portraits/mona_lisa.jpg")


@pytest.fixture(scope="module")
def upright(landmarker: FaceLandmarker, painting: Picture) -> FaceLandmarks:
    (face,) = landmarker.detect(painting)
    return face


def error(face: FaceLandmarks, expected: NDArray[np.float32]) -> float:
    """Mean distance from where the landmarks should be, in interocular distances."""
    return float(np.linalg.norm(face.points[:, :2] - expected[:, :2], axis=1).mean()) / face.interocular


def test_one_face(upright: FaceLandmarks, painting: Picture) -> None:
    assert upright.points.shape == (POINTS, 3)
    assert upright.points.dtype == np.float32
    assert upright.presence > 0.9
    assert set(upright.shapes) == set(SCORED_SHAPES)
    assert all(0 <= score <= 1 for score in upright.shapes.values())
    left, top, right, bottom = upright.box
    assert 0 <= left < right <= painting.shape[1]
    assert 0 <= top < bottom <= painting.shape[0]
    eyes, mouth, chin = upright.points[[468, 473]].mean(0), upright.points[13], upright.points[152]
    assert eyes[1] < mouth[1] < chin[1]
    assert upright.points[468, 0] < upright.points[473, 0]
    assert upright.points[1, 2] < upright.points[234, 2], "the nose is nearer than the cheek"


def test_mirrored_face_mirrors(landmarker: FaceLandmarker, painting: Picture, upright: FaceLandmarks) -> None:
    """A shift of the crop by half a pixel would show here, as twice that."""
    (mirrored,) = landmarker.detect(np.ascontiguousarray(painting[:, ::-1]))
    back = painting.shape[1] - mirrored.points[:, 0]
    assert abs(back.mean() - upright.points[:, 0].mean()) < 0.02 * upright.interocular


@pytest.mark.parametrize("degrees", [-90, -45, -30, 30, 45, 90])
def test_turned_face(
    landmarker: FaceLandmarker, painting: Picture, upright: FaceLandmarks, degrees: float
) -> None:
    height, width = painting.shape[:2]
    side = int(np.hypot(width, height))
    angle = radians(degrees)
    turn = np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])
    shift = np.full(2, side / 2) - turn @ [width / 2, height / 2]
    # OpenCV counts from the centre of the first pixel, our points from its corner.
    matrix = np.column_stack([turn, shift + turn @ [0.5, 0.5] - 0.5])
    turned = cv2.warpAffine(painting, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    (face,) = landmarker.detect(np.asarray(turned, np.uint8))
    assert error(face, (upright.points[:, :2] @ turn.T + shift).astype(np.float32)) < 0.03
    assert np.degrees(face.roll - upright.roll) == pytest.approx(degrees, abs=3)


@pytest.mark.parametrize(("face_width", "canvas"), [(80, 3000), (100, 1200), (900, 3000)])
def test_sizes(
    landmarker: FaceLandmarker, painting: Picture, upright: FaceLandmarks, face_width: int, canvas: int
) -> None:
    scale = face_width / (upright.box[2] - upright.box[0])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(painting, None, fx=scale, fy=scale, interpolation=method)
    left, top = canvas // 5, canvas // 10
    large = np.full((canvas, canvas, 3), 150, np.uint8)
    fitting = small[: canvas - top, : canvas - left]
    large[top : top + fitting.shape[0], left : left + fitting.shape[1]] = fitting
    (face,) = landmarker.detect(large)
    assert error(face, upright.points[:, :2] * np.float32(scale) + np.float32([left, top])) < 0.04


def test_several_faces_largest_first(landmarker: FaceLandmarker, painting: Picture) -> None:
    height, width = painting.shape[:2]
    half = np.asarray(cv2.resize(painting, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8)
    group = np.zeros((height, width * 2, 3), np.uint8)
    group[: height // 2, : width // 2] = half
    group[:, width:] = painting
    faces = landmarker.detect(group)
    assert len(faces) == 2
    assert faces[0].box[0] >= width > faces[1].box[2]
    assert faces[0].interocular == pytest.approx(2 * faces[1].interocular, rel=0.05)


def test_bystanders_are_left_out(landmarker: FaceLandmarker, painting: Picture) -> None:
    height, width = painting.shape[:2]
    small = cv2.resize(painting, (width // 5, height // 5), interpolation=cv2.INTER_AREA)
    scene = np.full((height, width * 2, 3), 140, np.uint8)
    scene[40 : 40 + height // 5, 40 : 40 + width // 5] = small
    assert len(landmarker.detect(scene)) == 1
    scene[:, width:] = painting
    (face,) = landmarker.detect(scene)
    assert face.box[0] > width


@pytest.mark.parametrize("kind", ["grey", "noise", "stripes", "tiny"])
def test_nobody(landmarker: FaceLandmarker, kind: str) -> None:
    rng = np.random.default_rng(3)
    pictures = {
        "grey": np.full((300, 400, 3), 128, np.uint8),
        "noise": rng.integers(0, 256, (500, 500, 3), dtype=np.uint8),
        "stripes": np.repeat(np.indices((300, 300))[1] % 40 * np.uint8(6), 3).reshape(300, 300, 3),
        "tiny": np.zeros((1, 1, 3), np.uint8),
    }
    assert landmarker.detect(pictures[kind].astype(np.uint8)) == []


def test_track_follows_a_small_move(
    landmarker: FaceLandmarker, painting: Picture, upright: FaceLandmarks
) -> None:
    moved = np.roll(painting, (6, -9), axis=(0, 1))
    face = landmarker.track(moved, upright)
    assert face is not None
    assert error(face, upright.points[:, :2] + np.float32([-9, 6])) < 0.02
    assert landmarker.track(np.zeros_like(painting), upright) is None


def test_seen_landmarks_stay_and_guessed_ones_wander(
    landmarker: FaceLandmarker, painting: Picture, upright: FaceLandmarks
) -> None:
    seen = landmarker.wander(painting, upright)
    assert seen.shape == (POINTS,)
    assert seen[:468].mean() < 0.01
    left, top, right, bottom = upright.box
    hidden = painting.copy()
    hidden[(top + bottom) // 2 : bottom, left:right] = 128
    guessed = landmarker.wander(hidden, upright)
    assert guessed[13] > 3 * seen[13]


def test_repeats_exactly(landmarker: FaceLandmarker, painting: Picture, upright: FaceLandmarks) -> None:
    (again,) = landmarker.detect(painting)
    np.testing.assert_array_equal(again.points, upright.points)
    assert again.shapes == upright.shapes


def test_wrong_pictures_are_a_bug_of_the_caller(landmarker: FaceLandmarker) -> None:
    for wrong in (np.zeros((9, 9), np.uint8), np.zeros((9, 9, 4), np.uint8), np.zeros((9, 9, 3), np.float32)):
        with pytest.raises(ValueError, match="uint8"):
            landmarker.detect(wrong)  # type: ignore[arg-type]


def test_closed(model_path: Path, painting: Picture) -> None:
    landmarker = FaceLandmarker(model_path)
    landmarker.close()
    landmarker.close()
    with pytest.raises(RuntimeError, match="closed"):
        landmarker.detect(painting)


@pytest.mark.shared
def test_paintings(landmarker: FaceLandmarker, shared_data: Path) -> None:
    pictures = sorted((shared_data / "portraits").glob("*.jpg"))
    assert pictures
    for path in pictures:
        assert len(landmarker.detect(open_photo(path))) == 1, path.name
