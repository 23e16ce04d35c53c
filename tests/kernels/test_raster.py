import numpy as np
import pytest
from numpy.typing import NDArray

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


@pytest.mark.parametrize("seed", range(12))
def test_coverage_is_its_reference(seed: int) -> None:
    positions, triangles, _ = fuzz(seed)
    drawn, expected = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    raster.raster_coverage(positions, triangles, drawn)
    raster.raster_coverage_reference(positions, triangles, expected)
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("seed", range(12))
def test_attributes_are_their_reference(seed: int) -> None:
    positions, triangles, attributes = fuzz(seed)
    results = []
    for draw in (raster.raster_attributes, raster.raster_attributes_reference):
        picture, depth = np.zeros((*SHAPE, 3), np.float32), np.full(SHAPE, np.inf, np.float32)
        draw(positions, triangles, attributes, picture, depth)
        results.append((picture, depth))
    for drawn, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("seed", range(12))
def test_texture_is_its_reference(seed: int) -> None:
    positions, triangles, attributes = fuzz(seed)
    texture = np.ascontiguousarray(attributes[:, :2])
    results = []
    for draw in (raster.raster_texture, raster.raster_texture_reference):
        planes = (
            np.zeros(SHAPE, np.float32),
            np.zeros(SHAPE, np.float32),
            np.full(SHAPE, np.inf, np.float32),
        )
        draw(positions, triangles, texture, *planes)
        results.append(planes)
    for drawn, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(drawn, expected)


def test_nearer_hides_further_in_any_order() -> None:
    positions = np.array([[0, 0, 1], [20, 0, 1], [0, 20, 1], [0, 0, 2], [20, 0, 2], [0, 20, 2]], np.float32)
    paint = np.repeat(np.array([[1.0], [2.0]], np.float32), 3, axis=0)
    for order in ([[0, 1, 2], [3, 4, 5]], [[3, 4, 5], [0, 1, 2]]):
        picture, depth = np.zeros((20, 20, 1), np.float32), np.full((20, 20), np.inf, np.float32)
        raster.raster_attributes(positions, np.array(order, np.int32), paint, picture, depth)
        assert picture[3, 3, 0] == 1


def test_neighbours_leave_no_crack() -> None:
    random = np.random.default_rng(0)
    side = np.arange(9) * 6.0
    grid = np.stack([np.tile(side, 9), np.repeat(side, 9), np.zeros(81)], axis=1)
    inner = (grid[:, 0] > 0) & (grid[:, 0] < 48) & (grid[:, 1] > 0) & (grid[:, 1] < 48)
    grid[inner, :2] += random.uniform(-2, 2, (inner.sum(), 2))
    a = np.array([row * 9 + column for row in range(8) for column in range(8)])
    triangles = np.concatenate([np.stack([a, a + 1, a + 9], 1), np.stack([a + 1, a + 10, a + 9], 1)])
    covered = np.zeros((49, 49), np.uint8)
    raster.raster_coverage(grid.astype(np.float32), triangles.astype(np.int32), covered)
    assert covered.min() == 255
