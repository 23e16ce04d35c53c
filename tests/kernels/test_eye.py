"""The layers of an eye are the same wherever they are drawn."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from places import EVERYWHERE, Place

from mien.kernels import eye

SHAPE = (33, 47)
LAYER = (12, 20)
SHEET = (18, 26)
LEFT, TOP = 9, 5

BALL = eye.BallLook(
    u_along=0.95,
    u_down=0.06,
    u=2.3,
    v_along=-0.05,
    v_down=0.9,
    v=3.1,
    iris_x=12.5,
    iris_y=8.25,
    iris_radius=4.5,
    turned_x=1.7,
    turned_y=-0.6,
    follows=0.3,
    leaving=0.4,
    shade_red=0.7,
    shade_green=0.6,
    shade_blue=0.5,
    shadow=0.35,
    shadow_reach=2.5,
)
LID = eye.LidLook(0.3, 0.9, 1.4, 0.7, 0.5, 2.0, 0.8, 4.0, 0.6, 1.1, 1.0, 0.9)


def picture_of(random: np.random.Generator, *shape: int) -> NDArray[np.uint8]:
    return random.integers(0, 256, shape).astype(np.uint8)


def lid_of(random: np.random.Generator) -> NDArray[np.float32]:
    """A lid with pixels that it leaves out, and places beyond its pictures."""
    held = random.uniform(-6, 30, (*LAYER, 6)).astype(np.float32)
    held[..., 4] = random.uniform(-12, 8, LAYER)
    held[random.random(LAYER) < 0.3] = eye.OUTSIDE
    return held


@pytest.mark.parametrize("place", EVERYWHERE)
@pytest.mark.parametrize("fine", [1, 2, 4])
@pytest.mark.parametrize("corner", [(LEFT, TOP), (0, 0), (SHAPE[1] - LAYER[1], SHAPE[0] - LAYER[0])])
def test_the_opening_is_its_reference(fine: int, corner: tuple[int, int], place: Place) -> None:
    random = np.random.default_rng(fine)
    sides = (LAYER[0] * fine, LAYER[1] * fine)
    covered, within = (255 * (random.random(sides) < 0.5).astype(np.uint8) for _ in range(2))
    depth = np.where(random.random(SHAPE) < 0.1, np.inf, 1).astype(np.float32)
    drawn, expected = np.full(LAYER, 9, np.float32), np.zeros(LAYER, np.float32)
    place(eye.cut_opening, covered, within, depth, *corner, drawn)
    eye.cut_opening_reference(covered, within, depth, *corner, expected)
    np.testing.assert_array_equal(drawn, expected)
    assert 0 < (expected > 0).mean() < 1


@pytest.mark.parametrize("place", EVERYWHERE)
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"leaving": 0.0},
        {"leaving": 1.0, "turned_x": -9.0},
        {"leaving": 0.0, "turned_x": 0.0, "turned_y": 0.0},
        {"u": float("nan")},
        {"u": 1e9, "v": -1e9},
    ],
)
@pytest.mark.parametrize("lid_at", [(-4, 3), (6, -5), (90, 0)])
def test_the_ball_is_its_reference(change: dict[str, float], lid_at: tuple[int, int], place: Place) -> None:
    random = np.random.default_rng(1)
    opened = np.clip(random.uniform(-0.5, 1.5, LAYER), 0, 1).astype(np.float32)
    light = random.uniform(0, 1, LAYER).astype(np.float32)
    layers: tuple[Any, ...] = (opened, light, picture_of(random, 6, *SHEET, 3), lid_of(random), *lid_at)
    drawn = picture_of(random, *SHAPE, 3)
    expected = drawn.copy()
    look = BALL._replace(**change)
    place(eye.draw_ball, drawn, LEFT, TOP, *layers, look)
    eye.draw_ball_reference(expected, LEFT, TOP, *layers, look)
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("place", EVERYWHERE)
@pytest.mark.parametrize(
    "change", [{}, {"painted": 1.0, "shown": 1.0}, {"shown": 0.0, "line": 0.0, "hair": 0.0}]
)
def test_the_lid_is_its_reference(change: dict[str, float], place: Place) -> None:
    random = np.random.default_rng(2)
    sheets = [picture_of(random, *SHEET, 4) for _ in range(2)]
    layers: tuple[Any, ...] = (
        lid_of(random),
        *sheets,
        picture_of(random, *SHEET),
        picture_of(random, 2, 9, 15),
    )
    before = picture_of(random, *SHAPE, 3)
    drawn, expected = before.copy(), before.copy()
    look = LID._replace(**change)
    place(eye.draw_lid, drawn, LEFT, TOP, *layers, look)
    eye.draw_lid_reference(expected, LEFT, TOP, *layers, look)
    np.testing.assert_array_equal(drawn, expected)
    assert (expected == before).all() is np.bool_(change.get("shown") == 0)


@pytest.mark.parametrize("place", EVERYWHERE)
def test_a_ball_at_rest_is_what_the_photo_shows(place: Place) -> None:
    random = np.random.default_rng(3)
    pictures = picture_of(random, 6, *SHEET, 3)
    drawn = np.zeros((*SHAPE, 3), np.uint8)
    still = {"turned_x": 0.0, "turned_y": 0.0, "leaving": 0.0, "shadow": 0.0}
    straight = {"u_along": 1.0, "u_down": 0.0, "u": 2.0, "v_along": 0.0, "v_down": 1.0, "v": 3.0}
    lid = np.full((1, 1, 6), eye.OUTSIDE, np.float32)
    opened = np.ones(LAYER, np.float32)
    look = BALL._replace(**still, **straight)
    place(eye.draw_ball, drawn, LEFT, TOP, opened, opened.copy(), pictures, lid, 0, 0, look)
    shown = drawn[TOP : TOP + LAYER[0], LEFT : LEFT + LAYER[1]]
    np.testing.assert_array_equal(shown, pictures[5, 3 : 3 + LAYER[0], 2 : 2 + LAYER[1]])


def test_what_does_not_fit_is_refused() -> None:
    opened, picture = np.ones(LAYER, np.float32), np.zeros((*SHAPE, 3), np.uint8)
    pictures, lid = np.zeros((6, *SHEET, 3), np.uint8), np.zeros((1, 1, 6), np.float32)
    with pytest.raises(ValueError, match="does not lie inside"):
        eye.draw_ball(picture, 40, 0, opened, opened, pictures, lid, 0, 0, BALL)
    with pytest.raises(ValueError, match="at least two rows and columns"):
        eye.draw_ball(picture, 0, 0, opened, opened, pictures[:, :1].copy(), lid, 0, 0, BALL)
    with pytest.raises(ValueError, match="covered is"):
        eye.cut_opening(picture[..., 0].copy(), picture[..., 0].copy(), opened, 0, 0, opened)
