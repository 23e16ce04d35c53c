"""Distances of lips from filmed ones, on motion whose answer is known."""

import numpy as np
import pytest

pytest.importorskip("scipy")

import film_lips

from mien.engine.motion import INDEX, neutral_motion


def test_similarity_is_found_again() -> None:
    points = np.random.default_rng(0).standard_normal((6, 2))
    angle, scale, shift = 0.2, 1.7, np.array([3.0, -1.0])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = scale * points @ turn + shift
    np.testing.assert_allclose(film_lips.fit_similarity(moved, points)(moved), points, atol=1e-9)


def test_upright_eyes_are_one_apart() -> None:
    eyes = np.array([[10.0, 20.0], [40.0, 60.0]])
    left, right = film_lips.turn_upright(eyes, eyes[1] - eyes[0])
    np.testing.assert_allclose(right - left, [1, 0], atol=1e-12)


def test_lips_that_moved_as_filmed_are_no_distance_away() -> None:
    motion = neutral_motion(20)
    motion[:, INDEX["jawOpen"]] = np.linspace(0, 0.5, 20)
    filmed = film_lips.lips_of(motion)
    assert film_lips.lip_distance([filmed], [filmed]).value == 0
    half = [0.5 * filmed]
    still = film_lips.lip_distance([np.zeros_like(filmed)], [filmed]).value
    assert film_lips.lip_distance(half, [filmed]).value == pytest.approx(still / 2)
    assert film_lips.best_gain(half, [filmed]) == pytest.approx(2)


def test_an_opening_jaw_takes_the_lower_lip_down() -> None:
    motion = neutral_motion(1)
    motion[:, INDEX["jawOpen"]] = 1
    lips = film_lips.lips_of(motion)[0]
    assert lips[film_lips.LIPS.index(14), 1] > 0.1
    assert abs(lips[film_lips.LIPS.index(13), 1]) < 0.05
