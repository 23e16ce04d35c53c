from pathlib import Path

import cv2
import numpy as np
import pytest
from synthetic_face import draw_photo

from mien.engine.errors import ConfigError, PhotoError
from mien.engine.motion import INDEX, neutral_motion
from mien.engine.portrait import Portrait
from mien.engine.renderer import open_renderer
from mien.engine.rig_renderer import RigRenderer
from mien.engine.scenery import Blurred, PlainColour, Scene, parse_scenery

OWN = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    return draw_photo().portrait(segmented=True)


def test_words_colours_and_files_are_read(tmp_path: Path) -> None:
    assert parse_scenery("photo") is None
    assert parse_scenery("blur") == Blurred()
    assert parse_scenery("#0a80Ff") == PlainColour(10, 128, 255)
    cv2.imwrite(str(tmp_path / "sea.png"), OWN[..., ::-1])
    scene = parse_scenery(str(tmp_path / "sea.png"))
    assert isinstance(scene, Scene)
    np.testing.assert_array_equal(scene.picture, OWN)


@pytest.mark.parametrize("text", ["", "red", "#12345", "#1234567", "nothing.png", "."])
def test_what_is_no_background_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="no background") as refusal:
        parse_scenery(text)
    assert "blur" in refusal.value.remedy


def test_file_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "words.png").write_text("words")
    with pytest.raises(PhotoError):
        parse_scenery(str(tmp_path / "words.png"))


@pytest.mark.parametrize("shape", [(40, 90), (200, 50), (90, 120), (8, 400)])
def test_scene_fills_the_picture_undistorted_about_its_middle(shape: tuple[int, int]) -> None:
    rows, columns = shape
    picture = np.zeros((rows, columns, 3), np.uint8)
    picture[rows // 2 :, :, 0] = 255
    picture[:, columns // 2 :, 1] = 255
    drawn = Scene(picture).draw(OWN)
    assert drawn.shape == OWN.shape
    assert drawn[5, :, 0].max() < 50
    assert drawn[-5, :, 0].min() > 200
    assert drawn[:, 5, 1].max() < 50
    assert drawn[:, -5, 1].min() > 200


def test_blur_keeps_the_colours_and_loses_the_detail() -> None:
    drawn = Blurred().draw(OWN).astype(float)
    assert drawn.mean() == pytest.approx(OWN.mean(), abs=2)
    assert drawn.std() < 0.5 * OWN.std()


def test_person_stands_before_another_background(portrait: Portrait) -> None:
    renderer = RigRenderer(portrait, scenery=PlainColour(0, 90, 250))
    motion = neutral_motion(1)[0]
    drawn = renderer.render(motion)
    inside, outside = portrait.matte == 255, cv2.dilate(portrait.matte, np.ones((31, 31), np.uint8)) == 0
    assert np.abs(drawn[inside].astype(int) - portrait.picture[inside]).max() <= 1
    assert np.all(drawn[outside] == (0, 90, 250))
    motion[INDEX["headYaw"]] = 0.3
    turned = renderer.render(motion)
    far = cv2.dilate(portrait.matte, np.ones((181, 181), np.uint8)) == 0
    assert far.any()
    assert np.all(turned[far] == (0, 90, 250))


def test_person_who_was_not_told_from_the_background_keeps_it() -> None:
    with pytest.raises(ConfigError, match="background") as refusal:
        open_renderer(draw_photo().portrait(), scenery=Blurred())
    assert "mien prepare" in refusal.value.remedy
