from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import DEVICES, EVERYWHERE, Place

from mien.engine.placement import mix
from mien.kernels.compose import compose, compose_reference

Drawn = tuple[Any, Any, Any]


def draw(random: np.random.Generator, batch: tuple[int, ...], sides: tuple[int, int], rows: int) -> Drawn:
    """A frame, a layer that reaches beyond 0..255, and a mask that touches 0 and 1."""
    frame = random.integers(0, 256, (*batch, *sides, 3)).astype(np.uint8)
    columns = int(random.integers(0, sides[1] + 1))
    layer = random.uniform(-40, 300, (*batch, rows, columns, 3)).astype(np.float32)
    mask = np.clip(random.uniform(-0.3, 1.3, (*batch, rows, columns)), 0, 1).astype(np.float32)
    return frame, layer, mask


@pytest.mark.parametrize("place", DEVICES)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    sides=st.tuples(st.integers(0, 30), st.integers(0, 70)),
    batch=st.sampled_from([(), (0,), (1,), (3,)]),
    seed=st.integers(0, 2**32 - 1),
    data=st.data(),
)
def test_compose_is_its_reference(
    place: Place, sides: tuple[int, int], batch: tuple[int, ...], seed: int, data: st.DataObject
) -> None:
    rows = data.draw(st.integers(0, sides[0]))
    frame, layer, mask = draw(np.random.default_rng(seed), batch, sides, rows)
    left = data.draw(st.integers(0, sides[1] - mask.shape[-1]))
    top = data.draw(st.integers(0, sides[0] - rows))
    expected = frame.copy()
    place(compose, frame, layer, mask, left=left, top=top)
    compose_reference(expected, layer, mask, left=left, top=top)
    np.testing.assert_array_equal(frame, expected)


@pytest.mark.parametrize("place", EVERYWHERE)
def test_layers_lie_as_the_rig_renderer_lays_them(place: Place) -> None:
    random = np.random.default_rng(0)
    frame, layer, _ = draw(random, (), (40, 50), 21)
    alpha = random.integers(0, 256, layer.shape[:2]).astype(np.uint8)
    expected = frame.copy()
    mix(expected[5:26, : layer.shape[1]], layer, alpha)
    place(compose, frame, layer, alpha.astype(np.float32) * np.float32(1 / 255), top=5)
    np.testing.assert_array_equal(frame, expected)


@pytest.mark.parametrize("place", EVERYWHERE)
def test_a_mask_of_0_keeps_and_of_1_takes(place: Place) -> None:
    frame = np.full((4, 6, 3), 9, np.uint8)
    layer = np.full((2, 3, 3), 200, np.float32)
    mask = np.array([[0, 1, 0], [1, 0, 0.5]], np.float32)
    place(compose, frame, layer, mask, left=3, top=2)
    expected = np.full((4, 6), 9)
    expected[2, 4] = expected[3, 3] = 200
    expected[3, 5] = 105  # 104.5, half up
    np.testing.assert_array_equal(frame, np.repeat(expected[..., None], 3, axis=2))


@pytest.mark.parametrize(
    ("left", "top"), [(-1, 0), (0, -1), (4, 0), (0, 3)], ids=["left", "above", "right", "below"]
)
def test_a_layer_that_sticks_out_is_refused(left: int, top: int) -> None:
    frame, layer = np.zeros((4, 6, 3), np.uint8), np.zeros((2, 3, 3), np.float32)
    with pytest.raises(ValueError, match="does not lie inside a frame of 4 x 6"):
        compose(frame, layer, np.zeros((2, 3), np.float32), left=left, top=top)


@pytest.mark.parametrize(
    ("frame", "layer", "mask", "complaint"),
    [
        ((4, 6, 3), (2, 3, 3), (3, 2), r"layer is float32\[2, 3, 3\], not float32\[3, 2, 3\]"),
        ((4, 6, 4), (2, 3, 3), (2, 3), r"frame is uint8\[4, 6, 4\], not uint8\[4, 6, 3\]"),
        ((2, 4, 6, 3), (2, 3, 3), (2, 3), "frame and mask have 4 and 2 axes"),
        ((2, 4, 6, 3), (3, 2, 3, 3), (3, 2, 3), r"layer is float32\[3, 2, 3, 3\], not float32\[2, 2, 3, 3\]"),
    ],
)
def test_what_does_not_fit_is_refused(
    frame: tuple[int, ...], layer: tuple[int, ...], mask: tuple[int, ...], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        compose(np.zeros(frame, np.uint8), np.zeros(layer, np.float32), np.zeros(mask, np.float32))
