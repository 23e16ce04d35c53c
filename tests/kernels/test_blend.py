import numpy as np
import pytest

from mien.kernels import blend


@pytest.mark.parametrize("seed", range(8))
def test_blend_is_its_reference(seed: int) -> None:
    random = np.random.default_rng(seed)
    vertices, shapes = 50, 7
    rest = random.normal(size=(vertices, 3)).astype(np.float32)
    counts = random.integers(0, vertices, shapes)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    rows = np.concatenate([np.sort(random.permutation(vertices)[:count]) for count in counts]).astype(
        np.int32
    )
    deltas = random.normal(size=(len(rows), 3)).astype(np.float32)
    weights = np.where(random.random(shapes) < 0.4, 0, random.random(shapes)).astype(np.float32)
    drawn, expected = np.empty_like(rest), np.empty_like(rest)
    blend.blend(rest, starts, rows, deltas, weights, drawn)
    blend.blend_reference(rest, starts, rows, deltas, weights, expected)
    np.testing.assert_allclose(drawn, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("seed", range(8))
def test_turn_is_its_reference(seed: int) -> None:
    random = np.random.default_rng(seed)
    positions = random.normal(0, 100, (60, 3)).astype(np.float32)
    share = random.random(60).astype(np.float32)
    rotation = np.linalg.qr(random.normal(size=(3, 3)))[0].astype(np.float32)
    pivot, shift = random.normal(0, 50, (2, 3)).astype(np.float32)
    expected = positions.copy()
    blend.turn(positions, share, rotation, pivot, shift)
    blend.turn_reference(expected, share, rotation, pivot, shift)
    np.testing.assert_allclose(positions, expected, rtol=0, atol=1e-3)


def test_a_whole_turn_of_half_a_share_goes_half_the_way() -> None:
    positions = np.array([[2, 0, 0], [2, 0, 0]], np.float32)
    half_turn = np.diag([-1, -1, 1]).astype(np.float32)
    none = np.zeros(3, np.float32)
    blend.turn(positions, np.array([1, 0.5], np.float32), half_turn, none, none)
    np.testing.assert_allclose(positions, [[-2, 0, 0], [0, 0, 0]], atol=1e-6)
