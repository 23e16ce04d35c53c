import numpy as np
import pytest
from places import DEVICES, EVERYWHERE, Place

from mien.kernels import blend


@pytest.mark.parametrize("place", EVERYWHERE)
@pytest.mark.parametrize("seed", range(8))
def test_blend_is_its_reference(seed: int, place: Place) -> None:
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
    place(blend.blend, rest, starts, rows, deltas, weights, drawn)
    blend.blend_reference(rest, starts, rows, deltas, weights, expected)
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("place", EVERYWHERE)
@pytest.mark.parametrize("seed", range(8))
def test_turn_is_its_reference(seed: int, place: Place) -> None:
    random = np.random.default_rng(seed)
    positions = random.normal(0, 100, (60, 3)).astype(np.float32)
    share = random.random(60).astype(np.float32)
    rotation = np.linalg.qr(random.normal(size=(3, 3)))[0].astype(np.float32)
    pivot, shift = random.normal(0, 50, (2, 3)).astype(np.float32)
    expected = positions.copy()
    place(blend.turn, positions, share, rotation, pivot, shift)
    blend.turn_reference(expected, share, rotation, pivot, shift)
    np.testing.assert_array_equal(positions, expected)


@pytest.mark.parametrize("place", EVERYWHERE)
def test_a_whole_turn_of_half_a_share_goes_half_the_way(place: Place) -> None:
    positions = np.array([[2, 0, 0], [2, 0, 0]], np.float32)
    half_turn = np.diag([-1, -1, 1]).astype(np.float32)
    none = np.zeros(3, np.float32)
    place(blend.turn, positions, np.array([1, 0.5], np.float32), half_turn, none, none)
    np.testing.assert_allclose(positions, [[-2, 0, 0], [0, 0, 0]], atol=1e-6)


@pytest.mark.parametrize("place", EVERYWHERE)
def test_no_vertices_move_to_nowhere(place: Place) -> None:
    none = np.zeros((0, 3), np.float32)
    place(blend.blend, none, np.zeros(2, np.int64), np.zeros(0, np.int32), none, np.ones(1, np.float32), none)
    place(blend.turn, none, none[:, 0], np.eye(3, dtype=np.float32), *np.zeros((2, 3), np.float32))


@pytest.mark.parametrize("place", DEVICES)
def test_a_device_reads_no_rows_that_are_not_there(place: Place) -> None:
    rest, deltas = np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32)
    starts, rows = np.array([-9, 1, 10**12], np.int64), np.array([0, 1], np.int32)
    positions = np.full((2, 3), 5, np.float32)
    place(blend.blend, rest, starts, rows, deltas, np.ones(2, np.float32), positions)
    np.testing.assert_array_equal(positions, np.ones((2, 3)))


def test_starts_that_leave_rows_over_are_refused() -> None:
    rest, deltas = np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32)
    starts, rows = np.array([0, 1], np.int64), np.array([0, 1], np.int32)
    with pytest.raises(ValueError, match="starts ends at 1, not at 2, the number of rows"):
        blend.blend(rest, starts, rows, deltas, np.ones(1, np.float32), rest.copy())


@pytest.mark.parametrize(
    ("shapes", "complaint"),
    [
        (((3,), (3, 3), (3,), (3,)), r"share is float32\[3\], not float32\[4\]"),
        (((4,), (3,), (3,), (3,)), r"rotation is float32\[3\], not float32\[3, 3\]"),
        (((4,), (3, 3), (2,), (3,)), r"pivot is float32\[2\], not float32\[3\]"),
        (((4,), (3, 3), (3,), (1,)), r"shift is float32\[1\], not float32\[3\]"),
    ],
)
def test_what_does_not_fit_is_refused(shapes: tuple[tuple[int, ...], ...], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        blend.turn(np.zeros((4, 3), np.float32), *(np.zeros(shape, np.float32) for shape in shapes))
