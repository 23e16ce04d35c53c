import cv2
import numpy as np
import pytest
from places import EVERYWHERE, Place

from mien.kernels.blur import blur, blur_reference, gaussian


@pytest.mark.parametrize("place", EVERYWHERE)
@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (17, 5), (24, 31)])
@pytest.mark.parametrize(("across", "down"), [(0.6, 0.6), (2.4, 1.1), (5.0, 0.0)])
def test_blur_is_its_reference(shape: tuple[int, int], across: float, down: float, place: Place) -> None:
    plane = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    drawn, expected = np.full(shape, 7, np.float32), np.zeros(shape, np.float32)
    weights = gaussian(across), gaussian(down, shift=0.7)
    place(blur, plane, *weights, drawn)
    blur_reference(plane, *weights, expected)
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("place", EVERYWHERE)
def test_a_gaussian_is_opencvs(place: Place) -> None:
    plane = np.zeros((40, 50), np.float32)
    plane[18:22, 20:30] = 1
    drawn = np.empty_like(plane)
    place(blur, plane, gaussian(2.0), gaussian(2.0), drawn)
    expected = cv2.GaussianBlur(plane, (0, 0), 2.0, borderType=cv2.BORDER_CONSTANT)
    np.testing.assert_allclose(drawn, expected, atol=2e-3)


@pytest.mark.parametrize("shift", [-1.5, 0.0, 0.25, 2.0])
def test_a_shift_moves_the_plane_down(shift: float) -> None:
    plane = np.zeros((31, 31), np.float32)
    plane[15, 15] = 1
    drawn = np.empty_like(plane)
    blur(plane, gaussian(1.0), gaussian(1.0, shift), drawn)
    assert drawn.sum() == pytest.approx(1, abs=1e-5)
    assert (drawn.sum(axis=1) * np.arange(31)).sum() == pytest.approx(15 + shift, abs=0.02)


def test_even_weights_are_refused() -> None:
    plane = np.zeros((4, 4), np.float32)
    with pytest.raises(ValueError, match="one odd length"):
        blur(plane, np.ones(2, np.float32), np.ones(1, np.float32), plane.copy())
