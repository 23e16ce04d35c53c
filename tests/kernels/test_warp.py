from typing import Any, get_args

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from places import DEVICES, EVERYWHERE, Place

from mien.kernels.warp import FAR, Border, Filter, warp, warp_reference

FILTERS = get_args(Filter)
BORDERS = get_args(Border)
OPENCV = {
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "zero": cv2.BORDER_CONSTANT,
    "replicate": cv2.BORDER_REPLICATE,
    "mirror": cv2.BORDER_REFLECT_101,
}
ODD_PLACES = np.array([np.nan, np.inf, -np.inf, 3e9, -3e9, 0, -1, -0.5, 1e-30], np.float32)


def draw_picture(random: np.random.Generator, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    if dtype == "uint8":
        return random.integers(0, 256, shape).astype(np.uint8)
    return random.normal(0, 50, shape).astype(np.float32)


def draw_map(random: np.random.Generator, shape: tuple[int, ...], count: int) -> NDArray[np.float32]:
    """Places within the picture and well beyond it, some whole, some no number at all."""
    places = random.uniform(-2 * count - 3, 3 * count + 3, shape).astype(np.float32)
    whole = random.random(shape) < 0.2
    places[whole] = np.round(places[whole])
    odd = random.random(shape) < 0.05
    places[odd] = random.choice(ODD_PLACES, int(odd.sum()))
    return places


@pytest.mark.parametrize("place", DEVICES)
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("filter_name", FILTERS)
@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    sides=st.tuples(st.integers(1, 20), st.integers(1, 70)),
    drawn=st.tuples(st.integers(0, 20), st.integers(0, 70)),
    channels=st.integers(1, 4),
    batch=st.sampled_from([(), (0,), (1,), (3,)]),
    dtype=st.sampled_from(["uint8", "float32"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_warp_is_its_reference(
    place: Place,
    filter_name: Filter,
    border: Border,
    sides: tuple[int, int],
    drawn: tuple[int, int],
    channels: int,
    batch: tuple[int, ...],
    dtype: str,
    seed: int,
) -> None:
    random = np.random.default_rng(seed)
    picture = draw_picture(random, (*batch, *sides, channels), dtype)
    map_x = draw_map(random, (*batch, *drawn), sides[1])
    map_y = draw_map(random, (*batch, *drawn), sides[0])
    warped = draw_picture(random, (*batch, *drawn, channels), dtype)
    expected = np.zeros_like(warped)
    place(warp, picture, map_x, map_y, warped, filter=filter_name, border=border)
    warp_reference(picture, map_x, map_y, expected, filter=filter_name, border=border)
    np.testing.assert_array_equal(warped, expected)


@pytest.mark.parametrize("place", EVERYWHERE)
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("filter_name", FILTERS)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_flow_field_at_rest_gives_the_picture(
    place: Place, border: Border, filter_name: Filter, dtype: str
) -> None:
    picture = draw_picture(np.random.default_rng(0), (31, 45, 3), dtype)
    rows, columns = np.mgrid[:31, :45].astype(np.float32)
    warped = np.zeros_like(picture)
    place(warp, picture, columns, rows, warped, filter=filter_name, border=border)
    np.testing.assert_array_equal(warped, picture)


@pytest.mark.parametrize("place", EVERYWHERE)
@pytest.mark.parametrize("border", ["replicate", "mirror"])
@pytest.mark.parametrize("filter_name", FILTERS)
def test_a_flat_picture_stays_flat(place: Place, border: Border, filter_name: Filter) -> None:
    random = np.random.default_rng(1)
    picture = np.full((9, 1, 3), 173, np.uint8)
    warped = np.zeros((40, 50, 3), np.uint8)
    map_x, map_y = draw_map(random, (40, 50), 1), draw_map(random, (40, 50), 9)
    place(warp, picture, map_x, map_y, warped, filter=filter_name, border=border)
    assert (warped == 173).all()


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("filter_name", FILTERS)
def test_the_reference_draws_what_opencv_does(filter_name: Filter, border: Border) -> None:
    """At whole 32nds of a pixel, where OpenCV 4 and 5 agree: one level at most, and seldom that."""
    random = np.random.default_rng(2)
    picture = random.integers(0, 256, (60, 80, 3)).astype(np.uint8)
    map_x = np.round(random.uniform(-70, 150, (90, 100)) * 32).astype(np.float32) / 32
    map_y = np.round(random.uniform(-50, 110, (90, 100)) * 32).astype(np.float32) / 32
    flags = {"interpolation": OPENCV[filter_name], "borderMode": OPENCV[border]}
    warped = np.zeros((90, 100, 3), np.uint8)
    warp_reference(picture, map_x, map_y, warped, filter=filter_name, border=border)
    difference = np.abs(cv2.remap(picture, map_x, map_y, **flags).astype(int) - warped)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.03
    exact = np.zeros((90, 100, 3), np.float32)
    warp_reference(picture.astype(np.float32), map_x, map_y, exact, filter=filter_name, border=border)
    expected = cv2.remap(picture.astype(np.float32), map_x, map_y, **flags)
    np.testing.assert_allclose(exact, expected, rtol=0, atol=1e-3)


@pytest.mark.skipif(int(cv2.__version__.split(".")[0]) < 5, reason="OpenCV 4 rounds places to 1/32 pixel")
@pytest.mark.parametrize("filter_name", FILTERS)
def test_the_reference_draws_what_opencv_5_does_anywhere(filter_name: Filter) -> None:
    random = np.random.default_rng(3)
    picture = random.integers(0, 256, (60, 80, 3)).astype(np.uint8)
    map_x = random.uniform(-20, 100, (90, 100)).astype(np.float32)
    map_y = random.uniform(-20, 80, (90, 100)).astype(np.float32)
    warped = np.zeros((90, 100, 3), np.uint8)
    warp_reference(picture, map_x, map_y, warped, filter=filter_name)
    expected = cv2.remap(picture, map_x, map_y, OPENCV[filter_name], borderMode=cv2.BORDER_REPLICATE)
    difference = np.abs(expected.astype(int) - warped)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.001


def arguments(**changed: Any) -> dict[str, Any]:
    own = {
        "picture": np.zeros((4, 5, 3), np.uint8),
        "map_x": np.zeros((6, 7), np.float32),
        "map_y": np.zeros((6, 7), np.float32),
        "warped": np.zeros((6, 7, 3), np.uint8),
    }
    return own | changed


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"map_y": np.zeros((7, 6), np.float32)}, r"map_y is float32\[7, 6\], not float32\[6, 7\]"),
        ({"map_x": np.zeros((6, 7))}, r"map_x is float64\[6, 7\], not float32\[6, 7\]"),
        ({"warped": np.zeros((6, 7, 1), np.uint8)}, r"warped is uint8\[6, 7, 1\], not uint8\[6, 7, 3\]"),
        ({"warped": np.zeros((6, 7, 3), np.float32)}, "warped is float32"),
        ({"warped": np.zeros((7, 6, 3), np.uint8).swapaxes(0, 1)}, "warped is not C-contiguous"),
        ({"picture": np.zeros((4, 5), np.uint8)}, "not uint8 or float32"),
        ({"picture": np.zeros((4, 5, 3), np.int16)}, "not uint8 or float32"),
        ({"picture": np.zeros((0, 5, 3), np.uint8)}, "each side must have 1 to"),
        ({"picture": np.zeros((1, FAR + 1, 3), np.uint8)}, "each side must have 1 to"),
        ({"picture": np.zeros((2, 4, 5, 3), np.uint8)}, "a batch is one of all or none"),
        ({"filter": "lanczos"}, "filter is 'lanczos'"),
        ({"border": "wrap"}, "border is 'wrap'"),
    ],
)
def test_what_does_not_fit_is_refused(changed: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        warp(**arguments(**changed))
