"""A frame of a built-in portrait, kernel after kernel, is the same wherever they run."""

from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from places import DEVICES, Place, on_cpu, stand_in_device

from mien.engine.gallery import builtin_portraits, open_builtin
from mien.engine.motion import GAZE_SLICE, INDEX, ROTATION_SLICE, neutral_motion
from mien.engine.portrait import Portrait
from mien.engine.rig_renderer import RigRenderer
from mien.kernels.blend import blend, turn
from mien.kernels.compose import compose
from mien.kernels.edges import soften_jumps, spread_map
from mien.kernels.lattice import fill_map, invert_grid, lattice_for, sample_moved
from mien.kernels.raster import raster_attributes, raster_coverage, raster_texture
from mien.kernels.warp import warp
from mien.kernels.yuv import rgb_to_yuv

STEP, MARGIN = 16, 8


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

    run = slice(int(portrait.runs[2]), int(portrait.runs[3]))
    grid = portrait.vertices[run, :2]
    columns, rows = portrait.grid_layout()
    layout = np.concatenate([grid[0], (grid[-1] - grid[0]) / np.array([columns - 1, rows - 1], np.float32)])
    moved = (positions[run, :2] - grid).reshape(rows, columns, 2)
    lattice, whole = lattice_for(height, width, STEP), (0, 0, width, height)
    place(invert_grid, moved, layout, lattice, STEP)
    map_x, map_y = np.zeros((2, height, width), np.float32)
    place(fill_map, lattice, STEP, whole, map_x, map_y)
    depth = np.full((height, width), np.inf, np.float32)
    place(raster_texture, positions, portrait.face_triangles, portrait.texture, map_x, map_y, depth)
    place(spread_map, map_x, map_y, depth, whole)
    opaque = np.dstack([portrait.picture, np.full((height, width), 255, np.uint8)])
    source = np.asarray(cv2.copyMakeBorder(opaque, *[MARGIN] * 4, cv2.BORDER_REPLICATE), np.uint8)
    sampled, warped = np.empty_like(portrait.picture), np.empty_like(portrait.picture)
    scene = (portrait.picture, portrait.picture, whole)
    place(sample_moved, source, lattice, STEP, map_x, map_y, (90, 70, 400, 480), *scene, sampled)
    place(warp, portrait.picture, map_x, map_y, warped)
    picture = sampled.copy()
    place(soften_jumps, picture, sampled, map_x, map_y, whole, 3.2)

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
        "lattice": lattice,
        "map_x": map_x,
        "map_y": map_y,
        "depth": depth,
        "sampled": sampled,
        "warped": warped,
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
    difference = np.abs(drawn.astype(int) - on_the_cpu["warped"])
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-4


def motions() -> NDArray[np.float32]:
    """At rest, speaking, and with all that moves at once."""
    moved = neutral_motion(4)
    moved[1:, INDEX["jawOpen"]] = 0.2, 0.6, 0.9
    moved[1:, INDEX["mouthPucker"]] = 0.5, 0, 0.2
    moved[2:, [INDEX["eyeBlinkLeft"], INDEX["mouthSmileRight"]]] = 0.7
    moved[2:, ROTATION_SLICE] = [[0.1, -0.2, 0.05], [-0.1, 0.25, 0.1]]
    moved[2:, GAZE_SLICE] = 0.1
    return moved


@pytest.mark.parametrize("portrait_id", [builtin.id for builtin in builtin_portraits()])
def test_the_renderer_draws_the_same_through_the_cuda_files(portrait_id: str) -> None:
    renderer = RigRenderer(open_builtin(portrait_id))
    expected = [renderer.render(motion) for motion in motions()]
    with stand_in_device() as launched:
        drawn = [renderer.render(motion) for motion in motions()]
    for one, other in zip(drawn, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    drawing = {"blend", "turn", "invert_grid", "fill_map", "sample_moved", "spread_map", "soften_jumps"}
    drawing |= {"raster_texture", "raster_attributes", "raster_coverage"}
    assert launched >= drawing | {"cut_opening", "blur_along", "draw_ball", "draw_lid", "fade"}
