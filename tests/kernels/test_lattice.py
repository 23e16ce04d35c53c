import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from places import EVERYWHERE, Place

from mien.kernels import lattice as kernel

HEIGHT, WIDTH, STEP, MARGIN = 70, 90, 16, 6
LAYOUT = np.array([-10, -7, 22, 20], np.float32)


def wavy_grid(amount: float) -> NDArray[np.float32]:
    random = np.random.default_rng(1)
    return random.normal(0, amount, (6, 6, 2)).astype(np.float32)


def scene(seed: int) -> dict[str, NDArray[np.uint8]]:
    random = np.random.default_rng(seed)
    source = random.integers(0, 256, (HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN, 4), np.uint8)
    source[..., :3] = (source[..., :3].astype(np.uint16) * source[..., 3:] // 255).astype(np.uint8)
    return {
        "source": source,
        "ground": random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8),
        "rest": random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8),
    }


@pytest.mark.parametrize("place", EVERYWHERE)
@pytest.mark.parametrize("amount", [0.0, 0.5, 4.0, 30.0])
def test_invert_grid_equals_its_reference(amount: float, place: Place) -> None:
    drawn, expected = (kernel.lattice_for(HEIGHT, WIDTH, STEP) for _ in range(2))
    place(kernel.invert_grid, wavy_grid(amount), LAYOUT, drawn, STEP)
    kernel.invert_grid_reference(wavy_grid(amount), LAYOUT, expected, STEP)
    np.testing.assert_array_equal(drawn, expected)


def test_inverse_leads_back() -> None:
    """What the grid moves somewhere is found there."""
    rows, columns = np.mgrid[:6, :6].astype(np.float32)
    moved = np.stack([3 * np.sin(columns / 2 + rows), 2 * np.cos(rows / 2)], axis=2).astype(np.float32)
    lattice = kernel.lattice_for(HEIGHT, WIDTH, STEP)
    kernel.invert_grid(moved, LAYOUT, lattice, STEP)
    y, x = np.mgrid[: lattice.shape[0], : lattice.shape[1]].astype(np.float32) * STEP
    u, v = x + lattice[..., 0], y + lattice[..., 1]
    (dx, dy), *_ = kernel._displacement(moved, LAYOUT, u, v)
    inner = (slice(0, 5), slice(0, 6))
    assert np.abs(u + dx - x)[inner].max() < 0.01
    assert np.abs(v + dy - y)[inner].max() < 0.01


def test_grid_at_rest_moves_nothing() -> None:
    lattice = kernel.lattice_for(HEIGHT, WIDTH, STEP)
    lattice.fill(5)
    kernel.invert_grid(np.zeros((6, 6, 2), np.float32), LAYOUT, lattice, STEP)
    assert not lattice.any()


@pytest.mark.parametrize("place", EVERYWHERE)
@pytest.mark.parametrize("box", [(0, 0, WIDTH, HEIGHT), (3, 5, 64, 33), (17, 20, 17, 40)])
def test_fill_map_equals_its_reference(box: kernel.Box, place: Place) -> None:
    lattice = np.random.default_rng(2).normal(0, 3, kernel.lattice_for(HEIGHT, WIDTH, STEP).shape)
    maps = [np.full((4, HEIGHT, WIDTH), -1, np.float32)[:2] for _ in range(2)]
    place(kernel.fill_map, lattice.astype(np.float32), STEP, box, *maps[0])
    kernel.fill_map_reference(lattice.astype(np.float32), STEP, box, *maps[1])
    np.testing.assert_array_equal(maps[0], maps[1])


@pytest.mark.usefixtures("simd")
@pytest.mark.parametrize("place", EVERYWHERE)
@pytest.mark.parametrize("mapped", [(20, 10, 61, 50), (0, 0, WIDTH, HEIGHT), (5, 5, 5, 5)])
@pytest.mark.parametrize("window", [(0, 0, WIDTH, HEIGHT), (7, 3, 80, 66)])
def test_sample_moved_equals_its_reference(mapped: kernel.Box, window: kernel.Box, place: Place) -> None:
    random = np.random.default_rng(3)
    lattice = random.normal(0, 4, kernel.lattice_for(HEIGHT, WIDTH, STEP).shape).astype(np.float32)
    lattice[:3, :3] = 0
    lattice[3, 2, 1] = 900  # far outside the photo
    map_x, map_y = random.uniform(-30, 130, (2, HEIGHT, WIDTH)).astype(np.float32)
    pictures = [np.full((HEIGHT, WIDTH, 3), 7, np.uint8) for _ in range(2)]
    arrays = scene(4)
    common = (lattice, STEP, map_x, map_y, mapped, arrays["ground"], arrays["rest"], window)
    place(kernel.sample_moved, arrays["source"], *common, pictures[0])
    kernel.sample_moved_reference(arrays["source"], *common, pictures[1])
    np.testing.assert_array_equal(pictures[0], pictures[1])


@pytest.mark.parametrize("place", EVERYWHERE)
@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 90)),
    step=st.sampled_from([1, 2, 4, 16, 64]),
    margin=st.integers(kernel.SMALLEST_MARGIN, 9),
    amount=st.sampled_from([0.0, 1.0, 40.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_picture_is_as_the_references_say(
    place: Place, shape: tuple[int, int], step: int, margin: int, amount: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    height, width = shape
    boxes = []
    for _ in range(2):
        left, right = np.sort(random.integers(0, width + 1, 2))
        top, bottom = np.sort(random.integers(0, height + 1, 2))
        boxes.append((int(left), int(top), int(right), int(bottom)))
    mapped, window = boxes
    moved = random.normal(0, amount, (int(random.integers(2, 7)), int(random.integers(2, 7)), 2))
    moved[random.random(moved.shape[:2]) < 0.5] = 0
    layout = np.append(random.uniform(-9, 9, 2), random.uniform(5, 30, 2)).astype(np.float32)
    source = random.integers(0, 256, (height + 2 * margin, width + 2 * margin, 4), np.uint8)
    ground, rest = random.integers(0, 256, (2, height, width, 3), np.uint8)

    lattice, map_x, map_y, picture = results = (
        kernel.lattice_for(height, width, step),
        *random.uniform(-20, 110, (2, height, width)).astype(np.float32),
        np.zeros((height, width, 3), np.uint8),
    )
    expected = [array.copy() for array in results]
    place(kernel.invert_grid, moved.astype(np.float32), layout, lattice, step)
    place(kernel.fill_map, lattice, step, mapped, map_x, map_y)
    place(kernel.sample_moved, source, lattice, step, map_x, map_y, mapped, ground, rest, window, picture)
    kernel.invert_grid_reference(moved.astype(np.float32), layout, expected[0], step)
    kernel.fill_map_reference(expected[0], step, mapped, *expected[1:3])
    kernel.sample_moved_reference(
        source, expected[0], step, *expected[1:3], mapped, ground, rest, window, expected[3]
    )
    for drawn, meant in zip(results, expected, strict=True):
        np.testing.assert_array_equal(drawn, meant)


def test_sampling_is_opencvs_cubic_to_a_level() -> None:
    """On a photo as smooth as photos are: OpenCV tells apart 32 places between pixels, this kernel 64."""
    noise = np.random.default_rng(5).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    photo = np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.5), np.uint8)
    opaque = np.dstack([photo, np.full(photo.shape[:2], 255, np.uint8)])
    source = cv2.copyMakeBorder(opaque, *[MARGIN] * 4, cv2.BORDER_REPLICATE)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    map_x, map_y = x + 2.4 * np.sin(y / 9), y + 1.7 * np.cos(x / 11)
    picture, whole = np.zeros_like(photo), (0, 0, WIDTH, HEIGHT)
    lattice = kernel.lattice_for(HEIGHT, WIDTH, STEP)
    kernel.sample_moved(source, lattice, STEP, map_x, map_y, whole, photo, photo, whole, picture)
    expected = cv2.remap(photo, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    assert np.abs(picture.astype(int) - expected).max() <= 3
    assert np.abs(picture.astype(int) - expected).mean() < 0.3


def test_what_does_not_fit_is_refused() -> None:
    lattice = kernel.lattice_for(HEIGHT, WIDTH, STEP)
    maps = np.zeros((2, HEIGHT, WIDTH), np.float32)
    with pytest.raises(ValueError, match="box"):
        kernel.fill_map(lattice, STEP, (0, 0, WIDTH + 1, HEIGHT), *maps)
    with pytest.raises(ValueError, match="lattice"):
        kernel.fill_map(lattice, 8, (0, 0, WIDTH, HEIGHT), *maps)
    arrays, box = scene(6), (0, 0, WIDTH, HEIGHT)
    with pytest.raises(ValueError, match="source"):
        kernel.sample_moved(
            arrays["source"][1:],
            lattice,
            STEP,
            *maps,
            box,
            arrays["ground"],
            arrays["rest"],
            box,
            arrays["rest"],
        )
