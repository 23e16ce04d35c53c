"""Compile every CPU kernel ahead of time, so that the first frame is not late."""

import numpy as np

from mien.kernels.blend import blend, turn
from mien.kernels.edges import soften_jumps, spread_map
from mien.kernels.raster import raster_attributes, raster_coverage, raster_texture
from mien.kernels.ridge import solve_in_box


def warm_up() -> None:
    """Run each kernel once on very little. Seconds the first time on a machine, then milliseconds."""
    points = np.zeros((3, 3), np.float32)
    triangles = np.zeros((1, 3), np.int32)
    plane, other, depth = (np.zeros((4, 4), np.float32) for _ in range(3))
    picture = np.zeros((4, 4, 3), np.uint8)
    box = (0, 0, 4, 4)
    raster_coverage(points, triangles, np.zeros((4, 4), np.uint8))
    raster_attributes(points, triangles, points, np.zeros((4, 4, 3), np.float32), depth)
    raster_texture(points, triangles, np.zeros((3, 2), np.float32), plane, other, depth)
    spread_map(plane, other, depth, box)
    soften_jumps(picture, picture.copy(), plane, other, box, 1.0)
    starts, rows = np.zeros(2, np.int64), np.zeros(0, np.int32)
    blend(points, starts, rows, np.zeros((0, 3), np.float32), np.zeros(1, np.float32), points.copy())
    turn(points, np.zeros(3, np.float32), np.eye(3, dtype=np.float32), points[0], points[0])
    vector = np.ones(1)
    solve_in_box(np.eye(1), vector, vector, vector, vector)
