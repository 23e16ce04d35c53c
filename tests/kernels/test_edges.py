import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import EVERYWHERE, Place

from mien.kernels import edges

SHAPE = (31, 42)


@pytest.mark.parametrize("place", EVERYWHERE)
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("box", [(0, 0, 42, 31), (5, 7, 20, 30), (-3, -3, 60, 60), (10, 10, 10, 20)])
def test_spread_is_its_reference(seed: int, box: tuple[int, int, int, int], place: Place) -> None:
    random = np.random.default_rng(seed)
    planes = random.uniform(0, 40, (2, *SHAPE)).astype(np.float32)
    depth = np.where(random.random(SHAPE) < 0.6, np.inf, 1).astype(np.float32)
    drawn, expected = planes.copy(), planes.copy()
    place(edges.spread_map, drawn[0], drawn[1], depth, box)
    edges.spread_map_reference(expected[0], expected[1], depth, box)
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("place", EVERYWHERE)
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("box", [(0, 0, 42, 31), (5, 7, 20, 30), (-3, -3, 60, 60)])
def test_soften_is_its_reference(seed: int, box: tuple[int, int, int, int], place: Place) -> None:
    random = np.random.default_rng(seed)
    columns, rows = np.meshgrid(np.arange(SHAPE[1]), np.arange(SHAPE[0]))
    jumps = random.random(SHAPE) < 0.1
    map_x = (columns + 9 * jumps).astype(np.float32)
    map_y = rows.astype(np.float32)
    source = random.integers(0, 256, (*SHAPE, 3)).astype(np.uint8)
    drawn, expected = source.copy(), source.copy()
    place(edges.soften_jumps, drawn, source, map_x, map_y, box, 3.2)
    edges.soften_jumps_reference(expected, source, map_x, map_y, box, 3.2)
    np.testing.assert_array_equal(drawn, expected)
    assert (drawn != source).any()


@pytest.mark.parametrize("place", EVERYWHERE)
def test_smooth_maps_are_left_sharp(place: Place) -> None:
    columns, rows = np.meshgrid(np.arange(20.0), np.arange(20.0))
    source = np.random.default_rng(0).integers(0, 256, (20, 20, 3)).astype(np.uint8)
    drawn = source.copy()
    map_x, map_y = (0.8 * columns).astype(np.float32), rows.astype(np.float32)
    place(edges.soften_jumps, drawn, source, map_x, map_y, (0, 0, 20, 20), 3.2)
    np.testing.assert_array_equal(drawn, source)


@pytest.mark.parametrize("place", EVERYWHERE)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    shape=st.tuples(st.integers(0, 20), st.integers(0, 70)),
    box=st.tuples(*(st.integers(-4, 74) for _ in range(4))),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_picture_and_any_box_are_as_the_references_say(
    place: Place, shape: tuple[int, int], box: tuple[int, int, int, int], seed: int
) -> None:
    random = np.random.default_rng(seed)
    planes = random.uniform(0, 9, (2, *shape)).astype(np.float32)
    depth = np.where(random.random(shape) < 0.6, np.inf, 1).astype(np.float32)
    source = random.integers(0, 256, (*shape, 3)).astype(np.uint8)
    drawn, expected = planes.copy(), planes.copy()
    place(edges.spread_map, drawn[0], drawn[1], depth, box)
    edges.spread_map_reference(expected[0], expected[1], depth, box)
    np.testing.assert_array_equal(drawn, expected)
    picture, softened = source.copy(), source.copy()
    place(edges.soften_jumps, picture, source, planes[0], planes[1], box, 3.2)
    edges.soften_jumps_reference(softened, source, planes[0], planes[1], box, 3.2)
    np.testing.assert_array_equal(picture, softened)
