import numpy as np
import pytest
from places import EVERYWHERE, Place

from mien.kernels.fade import fade, fade_reference


@pytest.mark.parametrize("place", EVERYWHERE)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.999, 1.0])
@pytest.mark.parametrize("corner", [(0, 0), (5, 3), (17, 11)])
def test_fade_is_its_reference(share: float, corner: tuple[int, int], place: Place) -> None:
    random = np.random.default_rng(0)
    source = random.integers(0, 256, (20, 30, 4)).astype(np.uint8)
    rest, goal = random.integers(0, 256, (2, 9, 13, 3)).astype(np.uint8)
    expected = source.copy()
    place(fade, source, rest, goal, share, left=corner[0], top=corner[1])
    fade_reference(expected, rest, goal, share, left=corner[0], top=corner[1])
    np.testing.assert_array_equal(source, expected)
    part = source[corner[1] : corner[1] + 9, corner[0] : corner[0] + 13, :3]
    if share in (0, 1):
        np.testing.assert_array_equal(part, goal if share else rest)


def test_a_part_outside_is_refused() -> None:
    part = np.zeros((3, 3, 3), np.uint8)
    with pytest.raises(ValueError, match="does not lie inside"):
        fade(np.zeros((4, 4, 4), np.uint8), part, part, 0.5, left=2, top=0)
