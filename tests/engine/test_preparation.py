from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from synthetic_face import draw_photo

from mien.engine.errors import PhotoError, PictureTooSmall
from mien.engine.head import load_head
from mien.engine.head_fit import fit_head
from mien.engine.landmarks import FaceLandmarker, FaceLandmarks
from mien.engine.motion import INDEX, neutral_motion
from mien.engine.portrait import NEUTRALISER, Portrait
from mien.engine.preparation import FaceTurned, build_portrait, prepare_portrait
from mien.engine.rig_renderer import RigRenderer


@pytest.mark.parametrize(("yaw", "pitch"), [(0.0, 0.0), (0.3, 0.0), (-0.25, 0.1), (0.1, -0.2)])
def test_fit_finds_the_pose_that_was_drawn(yaw: float, pitch: float) -> None:
    photo = draw_photo(yaw=yaw, pitch=pitch)
    fit = fit_head(load_head(), photo.face.points, photo.face.shapes)
    assert fit.yaw == pytest.approx(yaw, abs=0.03)
    assert fit.pitch == pytest.approx(pitch, abs=0.03)
    assert fit.scale == pytest.approx(230, rel=0.02)


def test_fit_finds_the_expression_that_was_drawn() -> None:
    photo = draw_photo(jawOpen=0.4, mouthSmileLeft=0.5)
    fit = fit_head(load_head(), photo.face.points, photo.face.shapes)
    assert fit.expression[INDEX["jawOpen"]] == pytest.approx(0.4, abs=0.1)
    assert fit.expression[INDEX["mouthSmileLeft"]] == pytest.approx(0.5, abs=0.15)
    assert fit.expression[INDEX["mouthSmileRight"]] < 0.1


def test_parted_lips_are_told_from_closed_ones() -> None:
    assert not draw_photo().portrait().lips_parted
    assert draw_photo(jawOpen=0.3).portrait().lips_parted


def neutralised(portrait: Portrait) -> NDArray[np.float32]:
    """How far the neutraliser moves each vertex."""
    moved = np.zeros_like(portrait.vertices)
    rows = slice(*portrait.delta_starts[NEUTRALISER : NEUTRALISER + 2])
    moved[portrait.delta_rows[rows]] = portrait.delta_values[rows]
    return moved


def test_a_smile_of_closed_lips_is_taken_back() -> None:
    portrait = draw_photo(mouthSmileLeft=0.6, mouthSmileRight=0.6).portrait()
    assert not portrait.lips_parted
    smile = np.zeros_like(portrait.vertices)
    for name in ("mouthSmileLeft", "mouthSmileRight"):
        rows = slice(*portrait.delta_starts[INDEX[name] : INDEX[name] + 2])
        smile[portrait.delta_rows[rows]] += np.float32(0.6) * portrait.delta_values[rows]
    share = -float((neutralised(portrait) * smile).sum() / (smile**2).sum())
    assert 0.4 < share < 0.9


def test_narrowed_eyes_open_a_little() -> None:
    portrait = draw_photo(
        eyeSquintLeft=0.8, eyeSquintRight=0.8, eyeBlinkLeft=0.4, eyeBlinkRight=0.4
    ).portrait()
    moved = portrait.vertices + neutralised(portrait)
    lids = load_head().landmarks(np.stack([portrait.vertices, moved]))[:, [159, 145, 386, 374], 1]
    opened, opening = np.diff(lids[1])[[0, 2]], np.diff(lids[0])[[0, 2]]
    assert (opened > opening + 1).all()


def test_a_face_at_rest_has_nothing_to_take_back() -> None:
    assert np.abs(neutralised(draw_photo().portrait())).max() < 1.0


def test_small_faces_are_refused() -> None:
    photo = draw_photo(scale=60, side=320)
    with pytest.raises(PictureTooSmall, match="pixels high"):
        photo.portrait()


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_photo_on_its_side_is_set_upright(quarters: int) -> None:
    photo = draw_photo()
    upright = photo.portrait()
    points = photo.face.points.copy()
    for _ in range(quarters):
        points[:, :2] = np.column_stack([points[:, 1], photo.picture.shape[1] - points[:, 0]])
    face = FaceLandmarks(points, photo.face.shapes, photo.face.box, 1.0)
    portrait = prepare_portrait(np.rot90(photo.picture, quarters), face, name="lying")
    np.testing.assert_array_equal(portrait.picture, upright.picture)
    np.testing.assert_allclose(portrait.landmarks, upright.landmarks, atol=1e-3)


def test_faces_of_80_pixels_are_prepared() -> None:
    photo = draw_photo(scale=70, side=320)
    height = np.ptp(photo.face.points[:468, 1])
    assert 80 < height < 90
    assert photo.portrait().picture.shape == (512, 512, 3)


@pytest.mark.parametrize("yaw", [-0.8, 0.8])
def test_turned_faces_are_refused(yaw: float) -> None:
    with pytest.raises(FaceTurned, match="turned") as refusal:
        draw_photo(yaw=yaw).portrait()
    assert isinstance(refusal.value, PhotoError)
    assert "looks at the camera" in refusal.value.remedy


@pytest.mark.parametrize("window", [(0, 640, 0, 640), (60, 600, 120, 520), (0, 640, 170, 640)])
def test_crop_fills_the_picture_and_takes_the_landmarks_along(window: tuple[int, int, int, int]) -> None:
    top, bottom, left, right = window
    photo = draw_photo()
    moved = photo.face.points - np.array([left, top, 0], np.float32)
    face = type(photo.face)(moved, photo.face.shapes, photo.face.box, 1.0)
    portrait = prepare_portrait(photo.picture[top:bottom, left:right].copy(), face, name="cut")
    assert portrait.picture.shape == (512, 512, 3)
    nose = np.round(portrait.landmarks[4, :2]).astype(int)
    around = portrait.picture[nose[1] - 1 : nose[1] + 2, nose[0] - 1 : nose[0] + 2].reshape(-1, 3)
    assert around[:, 1].mean() > 180  # the green dot
    assert around[:, 0].mean() < 80


def test_hair_that_hangs_beside_the_neck_goes_with_the_head() -> None:
    photo = draw_photo().portrait(segmented=True)
    x, y, _ = photo.pivot
    ears = int(photo.landmarks[[234, 454], 1].mean())
    beside = slice(int(x + 0.6 * photo.scale), int(x + 0.95 * photo.scale))
    shares = []
    for hair in (0, 255):
        matte = photo.matte.copy()
        matte[ears - 40 : int(y + 0.3 * photo.scale), beside] = hair
        portrait = build_portrait(
            photo.picture, photo.landmarks, photo.scores, name="hair", apart=(matte, photo.backdrop)
        )
        grid = slice(int(portrait.runs[2]), int(portrait.runs[3]))
        place = np.array([x + 0.78 * photo.scale, y + 0.1 * photo.scale])
        nearest = np.linalg.norm(portrait.vertices[grid, :2] - place, axis=1).argmin()
        shares.append(portrait.share[grid][nearest])
    assert shares[0] < 0.35
    assert shares[1] > 0.8


def test_any_cut_is_prepared_or_refused() -> None:
    photo = draw_photo()
    random = np.random.default_rng(4)
    refused = 0
    for _ in range(8):
        left, top = (int(edge) for edge in random.integers(0, 330, 2))
        right, bottom = (int(edge) for edge in random.integers(380, 640, 2))
        moved = photo.face.points - np.array([left, top, 0], np.float32)
        face = type(photo.face)(moved, photo.face.shapes, photo.face.box, 1.0)
        try:
            portrait = prepare_portrait(photo.picture[top:bottom, left:right].copy(), face, name="cut")
        except PhotoError:
            refused += 1
            continue
        drawn = RigRenderer(portrait).render(neutral_motion(1)[0])
        assert np.abs(drawn.astype(int) - portrait.picture).max() <= 1
    assert 0 < refused < 8


def test_preparing_twice_gives_the_same() -> None:
    first, second = draw_photo().portrait(), draw_photo().portrait()
    np.testing.assert_array_equal(first.vertices, second.vertices)
    np.testing.assert_array_equal(first.delta_values, second.delta_values)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["s0", "s3", "s4", "s5", "s8", "s9", "s10"])
def test_real_pictures_are_drawn_as_they_are_and_open_their_mouths(shared_data: Path, name: str) -> None:
    landmarker = FaceLandmarker(
        shared_data / "models" / "face_landmarker" / "public" / "face_landmarker.task"
    )
    read = cv2.imread(str(shared_data / "portraits" / f"{name}.jpg"))
    picture = np.asarray(cv2.cvtColor(read, cv2.COLOR_BGR2RGB), np.uint8)
    portrait = prepare_portrait(picture, landmarker.detect(picture)[0], name=name)
    renderer = RigRenderer(portrait)
    rest = renderer.render(neutral_motion(1)[0])
    assert np.abs(rest.astype(int) - portrait.picture).max() <= 1
    motion = neutral_motion(1)[0]
    motion[INDEX["jawOpen"]] = 0.5
    seen = landmarker.detect(renderer.render(motion))
    landmarker.close()
    assert seen
    gap = seen[0].points[14, 1] - seen[0].points[13, 1]
    # Shut lips read 0.001. The Mona Lisa's read least when half open: her tongue is the colour of her lips.
    assert gap > 0.02 * np.ptp(seen[0].points[:468, 1])
