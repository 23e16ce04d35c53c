import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

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


@pytest.mark.parametrize("amount", [0.0, 0.5, 4.0, 30.0])
def test_invert_grid_equals_its_reference(amount: float) -> None:
    drawn, expected = (kernel.lattice_for(HEIGHT, WIDTH, STEP) for _ in range(2))
    kernel.invert_grid(wavy_grid(amount), LAYOUT, drawn, STEP)
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


@pytest.mark.parametrize("box", [(0, 0, WIDTH, HEIGHT), (3, 5, 64, 33), (17, 20, 17, 40)])
def test_fill_map_equals_its_reference(box: kernel.Box) -> None:
    lattice = np.random.default_rng(2).normal(0, 3, kernel.lattice_for(HEIGHT, WIDTH, STEP).shape)
    maps = [np.full((4, HEIGHT, WIDTH), -1, np.float32)[:2] for _ in range(2)]
    kernel.fill_map(lattice.astype(np.float32), STEP, box, *maps[0])
    kernel.fill_map_reference(lattice.astype(np.float32), STEP, box, *maps[1])
    np.testing.assert_array_equal(maps[0], maps[1])


@pytest.mark.parametrize("portable", [False, True])
@pytest.mark.parametrize("mapped", [(20, 10, 61, 50), (0, 0, WIDTH, HEIGHT), (5, 5, 5, 5)])
@pytest.mark.parametrize("window", [(0, 0, WIDTH, HEIGHT), (7, 3, 80, 66)])
def test_sample_moved_equals_its_reference(portable: bool, mapped: kernel.Box, window: kernel.Box) -> None:
    random = np.random.default_rng(3)
    lattice = random.normal(0, 4, kernel.lattice_for(HEIGHT, WIDTH, STEP).shape).astype(np.float32)
    lattice[:3, :3] = 0
    lattice[3, 2, 1] = 900  # far outside the photo
    map_x, map_y = random.uniform(-30, 130, (2, HEIGHT, WIDTH)).astype(np.float32)
    pictures = [np.full((HEIGHT, WIDTH, 3), 7, np.uint8) for _ in range(2)]
    arrays = scene(4)
    common = (lattice, STEP, map_x, map_y, mapped, arrays["ground"], arrays["rest"], window)
    kernel.sample_moved(arrays["source"], *common, pictures[0], portable=portable)
    kernel.sample_moved_reference(arrays["source"], *common, pictures[1])
    np.testing.assert_array_equal(pictures[0], pictures[1])


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
