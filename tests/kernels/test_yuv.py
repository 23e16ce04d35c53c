from typing import get_args

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from places import DEVICES, EVERYWHERE, Place

from mien.kernels.yuv import Layout, rgb_to_yuv, rgb_to_yuv_reference

LAYOUTS = get_args(Layout)


def convert(place: Place, picture: NDArray[np.uint8], layout: Layout) -> NDArray[np.uint8]:
    height, width = picture.shape[-3:-1]
    frame = np.full((*picture.shape[:-3], height * 3 // 2, width), 7, np.uint8)
    place(rgb_to_yuv, picture, frame, layout=layout)
    return frame


def every_colour(step: int) -> NDArray[np.uint8]:
    """Colours all over the cube, its corners among them, each filling 2 x 2 pixels."""
    levels = np.unique(np.append(np.arange(0, 256, step), 255)).astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(len(levels), -1, 3)
    return np.ascontiguousarray(cube.repeat(2, axis=0).repeat(2, axis=1))


@pytest.mark.parametrize("place", DEVICES)
@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    half=st.tuples(st.integers(0, 20), st.integers(0, 70)),
    batch=st.sampled_from([(), (0,), (1,), (3,)]),
    seed=st.integers(0, 2**32 - 1),
)
def test_conversion_is_its_reference(
    place: Place, layout: Layout, half: tuple[int, int], batch: tuple[int, ...], seed: int
) -> None:
    shape = (*batch, 2 * half[0], 2 * half[1], 3)
    picture = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    frame = convert(place, picture, layout)
    expected = np.zeros_like(frame)
    rgb_to_yuv_reference(picture, expected, layout=layout)
    np.testing.assert_array_equal(frame, expected)


@pytest.mark.parametrize("place", EVERYWHERE)
def test_i420_is_opencvs_bit_for_bit(place: Place) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 122, 3)).astype(np.uint8)
    for picture in (noise, every_colour(15)):
        expected = cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420)
        np.testing.assert_array_equal(convert(place, picture, "i420"), expected)


@pytest.mark.parametrize("place", EVERYWHERE)
def test_nv12_holds_the_same_in_another_order(place: Place) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (2, 6, 10, 3)).astype(np.uint8)
    i420, nv12 = convert(place, picture, "i420"), convert(place, picture, "nv12")
    np.testing.assert_array_equal(nv12[:, :6], i420[:, :6])
    u, v = i420[:, 6:].reshape(2, 2, 15).swapaxes(0, 1)
    np.testing.assert_array_equal(nv12[:, 6:].reshape(2, 15, 2), np.stack([u, v], axis=-1))


@pytest.mark.parametrize(
    ("picture", "frame", "complaint"),
    [
        ((5, 4, 3), (7, 4), "both must be even"),
        ((4, 5, 3), (6, 5), "both must be even"),
        ((4, 4, 4), (6, 4), r"picture is uint8\[4, 4, 4\], not uint8\[4, 4, 3\]"),
        ((4, 4), (6, 4), "picture has 2 axes"),
        ((4, 6, 3), (4, 9), r"frame is uint8\[4, 9\], not uint8\[6, 6\]"),
        ((2, 4, 6, 3), (6, 6), r"frame is uint8\[6, 6\], not uint8\[2, 6, 6\]"),
    ],
)
def test_what_does_not_fit_is_refused(
    picture: tuple[int, ...], frame: tuple[int, ...], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        rgb_to_yuv(np.zeros(picture, np.uint8), np.zeros(frame, np.uint8))


def test_an_unknown_layout_is_refused() -> None:
    with pytest.raises(ValueError, match="layout is 'yv12', not one of"):
        rgb_to_yuv(np.zeros((2, 2, 3), np.uint8), np.zeros((3, 2), np.uint8), layout="yv12")  # type: ignore[arg-type]
