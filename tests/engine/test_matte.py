from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from synthetic_face import draw_photo

from mien.engine.backdrop import take_apart
from mien.engine.errors import AssetError
from mien.engine.matte import PersonSegmenter, refine_matte

PERSON, GROUND = np.array([60, 40, 30]), np.array([150, 170, 200])


def disc(
    radius: float, *, centre: tuple[float, float] = (100, 100), soft: float = 1.5
) -> NDArray[np.float32]:
    """Draw a disc of alpha, float32[200, 200]."""
    y, x = np.mgrid[:200, :200]
    return np.clip((radius - np.hypot(x - centre[0], y - centre[1])) / soft + 0.5, 0, 1).astype(np.float32)


def mixed(alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    grain = np.random.default_rng(0).normal(0, 2, (200, 200, 3))
    colour = alpha[..., None] * PERSON + (1 - alpha[..., None]) * GROUND
    return np.clip(np.round(colour + grain), 0, 255).astype(np.uint8)


def face_points(radius: float = 30.0) -> NDArray[np.float32]:
    angle = np.linspace(0, 2 * np.pi, 478)
    return np.stack([100 + radius * np.cos(angle), 100 + radius * np.sin(angle), 0 * angle], 1).astype(
        np.float32
    )


def test_colour_corrects_a_net_that_is_a_little_off() -> None:
    truth = disc(70)
    for radius in (67.5, 72.5):
        guess = cv2.GaussianBlur(disc(radius), (0, 0), 2.0)
        matte = refine_matte(mixed(truth), guess, face_points())
        assert matte is not None
        found = np.abs(matte / 255.0 - truth).sum()
        assert found < 0.35 * np.abs(guess - truth).sum()


def test_others_in_the_picture_are_background() -> None:
    bystander = disc(15, centre=(180, 30))
    both = np.maximum(disc(60), bystander)
    matte = refine_matte(mixed(both), both, face_points())
    assert matte is not None
    assert matte[30, 180] == 0
    assert matte[100, 100] == 255


@pytest.mark.parametrize("seen", [0.0, 0.5])
def test_a_net_that_misses_the_face_is_not_believed(seen: float) -> None:
    assert refine_matte(mixed(disc(60)), seen * disc(60), face_points()) is None


@pytest.mark.parametrize("radius", [66.0, 70.0, 74.0])
def test_person_and_background_add_up_to_the_photo(radius: float) -> None:
    photo = mixed(disc(70, soft=6))
    alpha, backdrop = take_apart(photo, np.round(255 * disc(radius, soft=8)).astype(np.uint8))
    shown = (255 - alpha.astype(int))[..., None] * np.where(alpha[..., None] == 0, photo, backdrop) / 255
    person = photo - shown
    assert person.min() > -1.5
    # Nothing glares where the person moves over something light.
    assert (person - alpha[..., None]).max() < 30


def test_nothing_of_the_person_stays_in_the_background() -> None:
    photo = mixed(disc(70))
    alpha, backdrop = take_apart(photo, np.round(255 * disc(68)).astype(np.uint8))
    ground = np.where(alpha[..., None] == 0, photo, backdrop).astype(int)
    assert np.abs(ground - GROUND).max() < 25
    assert np.abs(ground - GROUND).mean() < 4


def test_a_person_who_fills_the_picture_hides_all() -> None:
    photo = mixed(np.ones((200, 200), np.float32))
    alpha, backdrop = take_apart(photo, np.full((200, 200), 255, np.uint8))
    assert alpha.min() == 255
    assert not backdrop.any()


def test_missing_or_damaged_net_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(b"not a net")
    for name in ("net.tflite", "nobody.tflite"):
        with pytest.raises(AssetError, match=r"net|read"):
            PersonSegmenter(tmp_path / name)


def test_matte_reaches_the_portrait() -> None:
    photo = draw_photo()
    assert not photo.portrait().has_backdrop
    portrait = photo.portrait(segmented=True)
    assert portrait.has_backdrop
    corner, nose = portrait.matte[:20, :20], portrait.landmarks[4, :2].astype(int)
    assert corner.max() == 0
    assert portrait.matte[nose[1], nose[0]] == 255
