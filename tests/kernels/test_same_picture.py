"""A frame of a built-in portrait, kernel after kernel, is the same wherever they run."""

from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from places import DEVICES, Place, on_cpu

from mien.engine.gallery import builtin_portraits, open_builtin
from mien.engine.motion import INDEX
from mien.engine.portrait import Portrait
from mien.kernels.blend import blend, turn
from mien.kernels.compose import compose
from mien.kernels.edges import soften_jumps, spread_map
from mien.kernels.raster import raster_attributes, raster_coverage, raster_texture
from mien.kernels.warp import warp
from mien.kernels.yuv import rgb_to_yuv


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    return open_builtin("astronaut")


def draw(portrait: Portrait, place: Place) -> dict[str, NDArray[Any]]:
    """Open the jaw, shut an eye, turn the head; return what each step has made."""
    height, width = portrait.picture.shape[:2]
    weights = np.zeros(len(portrait.delta_starts) - 1, np.float32)
    weights[[INDEX["jawOpen"], INDEX["eyeBlinkLeft"]]] = 0.6, 0.9
    positions = np.empty_like(portrait.vertices)
    shapes = (portrait.delta_starts, portrait.delta_rows, portrait.delta_values, weights)
    place(blend, portrait.vertices, *shapes, positions)
    rotation = cv2.Rodrigues(np.array([0.05, 0.2, -0.03]))[0].astype(np.float32)
    place(turn, positions, portrait.share, rotation, portrait.pivot, np.array([3, -2, 0], np.float32))

    map_y, map_x = (np.ascontiguousarray(plane) for plane in np.mgrid[:height, :width].astype(np.float32))
    depth = np.empty((height, width), np.float32)
    for triangles in (portrait.grid_triangles, portrait.face_triangles):
        depth.fill(np.inf)
        place(raster_texture, positions, triangles, portrait.texture, map_x, map_y, depth)
    place(spread_map, map_x, map_y, depth, (0, 0, width, height))
    sharp = np.empty_like(portrait.picture)
    place(warp, portrait.picture, map_x, map_y, sharp)
    picture = sharp.copy()
    place(soften_jumps, picture, sharp, map_x, map_y, (0, 0, width, height), 3.2)

    covered = np.zeros((height, width), np.uint8)
    place(raster_coverage, positions, portrait.mouth_triangles, covered)
    mouth = np.zeros((height, width, 3), np.float32)
    mouth[:] = portrait.mouth_cavity
    paint = np.zeros((len(positions), 3), np.float32)
    paint[portrait.runs[1] : portrait.runs[2]] = portrait.mouth_paint
    place(raster_attributes, positions, portrait.mouth_triangles, paint, mouth, np.full_like(depth, np.inf))
    mask = cv2.GaussianBlur(covered * ~np.isfinite(depth), (0, 0), 1.5).astype(np.float32) / 255
    composed = picture.copy()
    place(compose, composed, mouth, mask)
    frame = np.zeros((height * 3 // 2, width), np.uint8)
    place(rgb_to_yuv, composed, frame)
    return {
        "positions": positions,
        "map_x": map_x,
        "map_y": map_y,
        "depth": depth,
        "sharp": sharp,
        "picture": picture,
        "covered": covered,
        "mouth": mouth,
        "composed": composed,
        "frame": frame,
    }


@pytest.fixture(scope="module")
def on_the_cpu(portrait: Portrait) -> dict[str, NDArray[Any]]:
    return draw(portrait, on_cpu)


@pytest.mark.parametrize("portrait_id", [builtin.id for builtin in builtin_portraits()])
def test_rows_ascend_as_blend_on_a_device_asks(portrait_id: str) -> None:
    prepared = open_builtin(portrait_id)
    for start, end in pairwise(prepared.delta_starts):
        assert (np.diff(prepared.delta_rows[start:end]) > 0).all()


@pytest.mark.parametrize("place", DEVICES)
def test_every_step_is_the_same(
    portrait: Portrait, on_the_cpu: dict[str, NDArray[Any]], place: Place
) -> None:
    for name, made in draw(portrait, place).items():
        np.testing.assert_array_equal(made, on_the_cpu[name], err_msg=name)


@pytest.mark.skipif(int(cv2.__version__.split(".")[0]) < 5, reason="OpenCV 4 rounds places to 1/32 pixel")
def test_the_picture_is_what_opencv_draws(portrait: Portrait, on_the_cpu: dict[str, NDArray[Any]]) -> None:
    maps = (on_the_cpu["map_x"], on_the_cpu["map_y"])
    drawn = cv2.remap(portrait.picture, *maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    difference = np.abs(drawn.astype(int) - on_the_cpu["sharp"])
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-4
