from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from places import DEVICES, EVERYWHERE, Place, on_cpu

from mien.kernels import raster

SHAPE = (37, 53)


def fuzz(seed: int) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]:
    """Triangles large and tiny, inside, across and beyond the picture, some without area."""
    random = np.random.default_rng(seed)
    positions = random.uniform(-15, 65, (40, 3)).astype(np.float32)
    positions[:10] = np.round(positions[:10])  # edges that pass exactly through pixel centres
    positions[10:20, :2] = positions[20:30, :2] + random.normal(0, 0.8, (10, 2)).astype(np.float32)
    triangles = random.integers(0, 40, (60, 3)).astype(np.int32)
    return positions, triangles, random.normal(size=(40, 3)).astype(np.float32)


def begun(seed: int) -> NDArray[np.float32]:
    """A depth buffer in which something stands before some of the triangles already."""
    random = np.random.default_rng(seed)
    depth = np.full(SHAPE, np.inf, np.float32)
    near = random.random(SHAPE) < 0.3
    depth[near] = np.round(random.uniform(-15, 65, int(near.sum())))
    return depth


@pytest.mark.usefixtures("simd")
@pytest.mark.parametrize("place", EVERYWHERE)
@pytest.mark.parametrize("seed", range(12))
def test_coverage_is_its_reference(seed: int, place: Place) -> None:
    positions, triangles, _ = fuzz(seed)
    drawn, expected = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    place(raster.raster_coverage, positions, triangles, drawn)
    raster.raster_coverage_reference(positions, triangles, expected)
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("place", EVERYWHERE)
@pytest.mark.parametrize("seed", range(12))
def test_attributes_are_their_reference(seed: int, place: Place) -> None:
    positions, triangles, attributes = fuzz(seed)
    results = []
    for function, at in ((raster.raster_attributes, place), (raster.raster_attributes_reference, on_cpu)):
        picture, depth = np.zeros((*SHAPE, 3), np.float32), begun(seed)
        at(function, positions, triangles, attributes, picture, depth)
        results.append((picture, depth))
    for drawn, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(drawn, expected)


@pytest.mark.usefixtures("simd")
@pytest.mark.parametrize("place", EVERYWHERE)
@pytest.mark.parametrize("seed", range(12))
def test_texture_is_its_reference(seed: int, place: Place) -> None:
    positions, triangles, attributes = fuzz(seed)
    texture = np.ascontiguousarray(attributes[:, :2])
    results = []
    for function, at in ((raster.raster_texture, place), (raster.raster_texture_reference, on_cpu)):
        planes = (np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.float32), begun(seed))
        at(function, positions, triangles, texture, *planes)
        results.append(planes)
    for drawn, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("place", EVERYWHERE)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    shape=st.tuples(st.integers(0, 40), st.integers(0, 90)),
    count=st.integers(0, 60),
    channels=st.integers(0, 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_picture_and_any_mesh_are_as_the_reference_says(
    place: Place, shape: tuple[int, int], count: int, channels: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    positions, triangles, _ = fuzz(seed)
    triangles = np.ascontiguousarray(triangles[:count])
    attributes = random.normal(size=(len(positions), channels)).astype(np.float32)
    results = []
    for function, at in ((raster.raster_attributes, place), (raster.raster_attributes_reference, on_cpu)):
        picture, depth = np.zeros((*shape, channels), np.float32), np.full(shape, np.inf, np.float32)
        at(function, positions, triangles, attributes, picture, depth)
        results.append((picture, depth))
    for drawn, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("place", EVERYWHERE)
def test_nearer_hides_further_in_any_order(place: Place) -> None:
    positions = np.array([[0, 0, 1], [20, 0, 1], [0, 20, 1], [0, 0, 2], [20, 0, 2], [0, 20, 2]], np.float32)
    paint = np.repeat(np.array([[1.0], [2.0]], np.float32), 3, axis=0)
    for order in ([[0, 1, 2], [3, 4, 5]], [[3, 4, 5], [0, 1, 2]]):
        picture, depth = np.zeros((20, 20, 1), np.float32), np.full((20, 20), np.inf, np.float32)
        place(raster.raster_attributes, positions, np.array(order, np.int32), paint, picture, depth)
        assert picture[3, 3, 0] == 1


@pytest.mark.parametrize("place", EVERYWHERE)
def test_equal_depths_keep_the_first(place: Place) -> None:
    corners = np.array([[0, 0], [20, 0], [0, 20]], np.float32)
    for first, second in ((0.0, -0.0), (-0.0, 0.0), (-2.5, -2.5)):
        depths = np.repeat(np.array([first, second], np.float32), 3)
        positions = np.column_stack([np.tile(corners, (2, 1)), depths])
        paint = np.repeat(np.array([[1.0], [2.0]], np.float32), 3, axis=0)
        picture, depth = np.zeros((20, 20, 1), np.float32), np.full((20, 20), np.inf, np.float32)
        triangles = np.arange(6, dtype=np.int32).reshape(2, 3)
        place(raster.raster_attributes, positions, triangles, paint, picture, depth)
        assert picture[3, 3, 0] == 1
        # What is there already is not hidden by what is as near.
        place(raster.raster_attributes, positions, triangles, 7 * paint, picture, depth)
        assert picture[3, 3, 0] == 1


@pytest.mark.parametrize("place", EVERYWHERE)
def test_both_zeros_are_as_near(place: Place) -> None:
    """At its first corner, this triangle's depth comes out as minus zero."""
    positions = np.array([[10, 10, -0.0], [0, 11, -0.0], [11, 0, -0.0]], np.float32)
    triangles = np.array([[0, 1, 2]], np.int32)
    picture, depth = np.zeros((20, 20, 1), np.float32), np.full((20, 20), np.inf, np.float32)
    place(raster.raster_attributes, positions, triangles, np.ones((3, 1), np.float32), picture, depth)
    assert picture[10, 10, 0] == 1
    assert np.signbit(depth[10, 10])
    depth.fill(0)
    place(raster.raster_attributes, positions, triangles, np.full((3, 1), 7, np.float32), picture, depth)
    assert picture.max() == 1


@pytest.mark.parametrize("place", EVERYWHERE)
def test_depths_that_are_no_numbers_draw_and_hide_as_the_reference_says(place: Place) -> None:
    random = np.random.default_rng(0)
    positions, triangles, attributes = fuzz(0)
    positions[::7, 2] = np.nan
    positions[::11, 2] = np.inf
    depth = begun(0)
    depth[random.random(SHAPE) < 0.1] = np.nan
    depth[random.random(SHAPE) < 0.1] = -np.inf
    expected_depth = depth.copy()
    picture, expected = np.zeros((*SHAPE, 3), np.float32), np.zeros((*SHAPE, 3), np.float32)
    place(raster.raster_attributes, positions, triangles, attributes, picture, depth)
    with np.errstate(invalid="ignore"):
        raster.raster_attributes_reference(positions, triangles, attributes, expected, expected_depth)
    np.testing.assert_array_equal(picture, expected)
    np.testing.assert_array_equal(depth, expected_depth)


@pytest.mark.parametrize("place", EVERYWHERE)
@pytest.mark.parametrize(("shape", "count"), [((0, 9), 5), ((9, 0), 5), ((9, 9), 0)])
def test_nothing_to_draw_draws_nothing(place: Place, shape: tuple[int, int], count: int) -> None:
    positions, triangles, attributes = fuzz(1)
    texture = np.ascontiguousarray(attributes[:, :2])
    planes = [np.full(shape, value, np.float32) for value in (3, 4, np.inf)]
    place(raster.raster_texture, positions, np.ascontiguousarray(triangles[:count]), texture, *planes)
    coverage = np.zeros(shape, np.uint8)
    place(raster.raster_coverage, positions, np.ascontiguousarray(triangles[:count]), coverage)
    assert (planes[0] == 3).all()
    assert (planes[1] == 4).all()
    assert not coverage.any()


@pytest.mark.parametrize("place", DEVICES)
def test_a_device_draws_no_triangle_of_vertices_that_are_not_there(place: Place) -> None:
    positions, _, _ = fuzz(2)
    wrong = np.array([[i, i + 1, k] for i in range(39) for k in (40, -1, 2**31 - 1)], np.int32)
    drawn = np.zeros(SHAPE, np.uint8)
    place(raster.raster_coverage, positions, wrong, drawn)
    assert not drawn.any()


@pytest.mark.parametrize(
    ("name", "array", "complaint"),
    [
        ("positions", np.zeros((4, 2), np.float32), r"positions is float32\[4, 2\], not float32\[4, 3\]"),
        ("triangles", np.zeros((2, 3), np.int64), r"triangles is int64\[2, 3\], not int32\[2, 3\]"),
        ("texture", np.zeros((3, 2), np.float32), r"texture is float32\[3, 2\], not float32\[4, 2\]"),
        ("map_y", np.zeros((5, 6), np.float32), r"map_y is float32\[5, 6\], not float32\[6, 5\]"),
        ("depth", np.zeros(5, np.float32), "depth has 1 axes, not 2"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, array: NDArray[Any], complaint: str) -> None:
    own: dict[str, Any] = {
        "positions": np.zeros((4, 3), np.float32),
        "triangles": np.zeros((2, 3), np.int32),
        "texture": np.zeros((4, 2), np.float32),
        "map_x": np.zeros((6, 5), np.float32),
        "map_y": np.zeros((6, 5), np.float32),
        "depth": np.zeros((6, 5), np.float32),
    }
    with pytest.raises(ValueError, match=complaint):
        raster.raster_texture(**own | {name: array})


@pytest.mark.parametrize("place", EVERYWHERE)
def test_neighbours_leave_no_crack(place: Place) -> None:
    random = np.random.default_rng(0)
    side = np.arange(9) * 6.0
    grid = np.stack([np.tile(side, 9), np.repeat(side, 9), np.zeros(81)], axis=1)
    inner = (grid[:, 0] > 0) & (grid[:, 0] < 48) & (grid[:, 1] > 0) & (grid[:, 1] < 48)
    grid[inner, :2] += random.uniform(-2, 2, (inner.sum(), 2))
    a = np.array([row * 9 + column for row in range(8) for column in range(8)])
    triangles = np.concatenate([np.stack([a, a + 1, a + 9], 1), np.stack([a + 1, a + 10, a + 9], 1)])
    covered = np.zeros((49, 49), np.uint8)
    place(raster.raster_coverage, grid.astype(np.float32), triangles.astype(np.int32), covered)
    assert covered.min() == 255
