import numpy as np
import pytest
from numpy.typing import NDArray

from mien.engine.errors import ConfigError
from mien.engine.framing import frame_head, parse_size, shown_window


def face_at(x: float, y: float, height: float) -> NDArray[np.float32]:
    """Landmarks of an upright face round (x, y)."""
    angles = np.linspace(0, 2 * np.pi, 468)
    return np.stack([x + 0.42 * height * np.cos(angles), y + 0.5 * height * np.sin(angles)], 1).astype(
        np.float32
    )


@pytest.mark.parametrize(
    ("text", "size"), [("512", (512, 512)), ("1080x1920", (1080, 1920)), ("640X360", (640, 360))]
)
def test_sizes_are_read(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "512x", "512x512x2", "-512", "511", "8x8", "4000x2000", "1e3"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_size(text)


@pytest.mark.parametrize("size", [(512, 512), (1080, 1920), (1920, 1080), (640, 480)])
@pytest.mark.parametrize("available", [(3000, 2000), (2000, 3000), (600, 600)])
def test_window_has_the_shape_asked_for_and_holds_the_face(
    size: tuple[int, int], available: tuple[int, int]
) -> None:
    points = face_at(available[0] / 2, 0.45 * available[1], 250)
    left, top, width, height = frame_head(points, available, size)
    assert min(left, top) >= 0
    assert left + width <= available[0]
    assert top + height <= available[1]
    assert width / height == pytest.approx(size[0] / size[1], rel=0.01)
    assert np.all(points.min(axis=0) > [left, top])
    assert np.all(points.max(axis=0) < [left + width, top + height])


def test_tall_picture_has_the_head_in_its_upper_part() -> None:
    points = face_at(2000, 2000, 300)
    _, top, _, height = frame_head(points, (4000, 4000), (1080, 1920))
    assert 0.36 < (2000 - top) / height < 0.44
    _, top, _, square = frame_head(points, (4000, 4000), (512, 512))
    assert height > 1.3 * square
    assert 0.42 < (2000 - top) / square < 0.48


def test_own_shape_shows_all_of_a_portrait() -> None:
    points = face_at(256, 200, 100)
    assert shown_window(points, (512, 512), (256, 256)) == (0, 0, 512, 512)
    assert shown_window(points, (540, 960), (1080, 1920)) == (0, 0, 540, 960)
    assert shown_window(points, (512, 512), (512, 256))[2:] == (434, 217)
