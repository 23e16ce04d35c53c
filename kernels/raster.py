"""Draw triangles: coverage, attributes behind a depth buffer, and texture coordinates.

positions: float32[N, 3], x and y in pixels, z away from the viewer in any unit. A pixel's centre lies at
its whole-number coordinates. triangles: int32[T, 3], both windings are drawn. depth: float32[H, W],
+inf where nothing has been drawn; a point is drawn where it is nearer than what is there. All outputs
are changed in place, and triangles are drawn in order, so equal depths keep the first.

Every operation has a `*_reference` in plain NumPy that gives the same bits, on the CPU and on a device.
There, attributes and texture take H * W * 8 bytes of CuPy's pool for the time of their launches.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.kernels import device
from mien.kernels.native import COUNT, array_of, native

EDGE = 1e-5
"""A pixel this far (in barycentric units) outside a triangle still counts as in it: no cracks."""

SLIVER = 1e-8
"""Triangles of a smaller doubled area, in pixels squared, are not drawn."""

LANES: Final = 8
"""Threads of a device that share the pixels of one triangle."""

_BY_TRIANGLE: Final = (LANES, 32, 1)
"""Threads in a block of the kernels that go through triangles."""

_PLANE = array_of(np.float32)
_TRIANGLES = array_of(np.int32)

_coverage = native("raster_coverage", _PLANE, _TRIANGLES, COUNT, array_of(np.uint8), COUNT, COUNT)
_attributes = native(
    "raster_attributes", _PLANE, _TRIANGLES, COUNT, _PLANE, COUNT, _PLANE, _PLANE, COUNT, COUNT
)
_texture = native("raster_texture", _PLANE, _TRIANGLES, COUNT, _PLANE, _PLANE, _PLANE, _PLANE, COUNT, COUNT)


def raster_coverage(
    positions: NDArray[np.float32], triangles: NDArray[np.int32], coverage: NDArray[np.uint8]
) -> None:
    """Set coverage, uint8[H, W], to 255 under every triangle."""
    count, shape = len(triangles), device.sides("coverage", coverage)
    _check_mesh(positions, triangles)
    device.require("coverage", coverage, np.uint8, *shape)
    if not device.on_device(positions, triangles, coverage):
        _coverage(positions, triangles, count, coverage, *shape)
        return
    _launch_triangles("raster_coverage", *(positions, len(positions), triangles, count, coverage, *shape))


def raster_attributes(
    positions: NDArray[np.float32],
    triangles: NDArray[np.int32],
    attributes: NDArray[np.float32],
    picture: NDArray[np.float32],
    depth: NDArray[np.float32],
) -> None:
    """Interpolate attributes, float32[N, K], into picture, float32[H, W, K], behind the depth buffer."""
    channels, shape = attributes.shape[-1], device.sides("depth", depth)
    _check_mesh(positions, triangles)
    device.require("attributes", attributes, np.float32, len(positions), channels)
    device.require("picture", picture, np.float32, *shape, channels)
    device.require("depth", depth, np.float32, *shape)
    if not device.on_device(positions, triangles, attributes, picture, depth):
        _attributes(positions, triangles, len(triangles), attributes, channels, picture, depth, *shape)
        return
    keys = _nearest(positions, triangles, depth)
    _launch_pixels(
        "raster_attributes",
        *(positions, len(positions), triangles, attributes, channels, keys, picture, depth, *shape),
    )


def raster_texture(
    positions: NDArray[np.float32],
    triangles: NDArray[np.int32],
    texture: NDArray[np.float32],
    map_x: NDArray[np.float32],
    map_y: NDArray[np.float32],
    depth: NDArray[np.float32],
) -> None:
    """Interpolate texture, float32[N, 2], into two planes float32[H, W], behind the depth buffer."""
    shape = device.sides("depth", depth)
    _check_mesh(positions, triangles)
    device.require("texture", texture, np.float32, len(positions), 2)
    for name, plane in (("map_x", map_x), ("map_y", map_y), ("depth", depth)):
        device.require(name, plane, np.float32, *shape)
    if not device.on_device(positions, triangles, texture, map_x, map_y, depth):
        _texture(positions, triangles, len(triangles), texture, map_x, map_y, depth, *shape)
        return
    keys = _nearest(positions, triangles, depth)
    _launch_pixels(
        "raster_texture", *(positions, len(positions), triangles, texture, keys, map_x, map_y, depth, *shape)
    )


def raster_coverage_reference(
    positions: NDArray[np.float32], triangles: NDArray[np.int32], coverage: NDArray[np.uint8]
) -> None:
    """Say what raster_coverage means."""
    for rows, columns, _, _, inside in _covered(positions, triangles, coverage.shape):
        coverage[rows, columns][inside] = 255


def raster_attributes_reference(
    positions: NDArray[np.float32],
    triangles: NDArray[np.int32],
    attributes: NDArray[np.float32],
    picture: NDArray[np.float32],
    depth: NDArray[np.float32],
) -> None:
    """Say what raster_attributes means."""
    corners = attributes.astype(np.float64)[triangles]
    heights = positions.astype(np.float64)[triangles, 2]
    order = _drawn(positions, triangles)
    for t, (rows, columns, second, third, inside) in zip(
        order, _covered(positions, triangles, depth.shape), strict=True
    ):
        z = _interpolate(heights[t], second, third).astype(np.float32)
        nearer = inside & (z < depth[rows, columns])
        depth[rows, columns][nearer] = z[nearer]
        for k in range(attributes.shape[1]):
            value = _interpolate(corners[t, :, k], second, third)
            picture[rows, columns, k][nearer] = value[nearer]


def raster_texture_reference(
    positions: NDArray[np.float32],
    triangles: NDArray[np.int32],
    texture: NDArray[np.float32],
    map_x: NDArray[np.float32],
    map_y: NDArray[np.float32],
    depth: NDArray[np.float32],
) -> None:
    """Say what raster_texture means."""
    maps = np.stack([map_x, map_y], axis=-1)
    raster_attributes_reference(positions, triangles, texture, maps, depth)
    map_x[:], map_y[:] = maps[..., 0], maps[..., 1]


def _check_mesh(positions: NDArray[np.float32], triangles: NDArray[np.int32]) -> None:
    device.require("positions", positions, np.float32, len(positions), 3)
    device.require("triangles", triangles, np.int32, len(triangles), 3)


def _nearest(positions: Any, triangles: Any, depth: Any) -> Any:
    """Return, on the device, a key a pixel: which triangle is nearest there, if any."""
    keys = device.allocate(depth.shape, np.uint64)
    _launch_pixels("raster_begin", *(depth, keys, *depth.shape))
    _launch_triangles(
        "raster_nearest", *(positions, len(positions), triangles, len(triangles), keys, *depth.shape)
    )
    return keys


def _launch_triangles(function: str, *arguments: Any) -> None:
    """Run a kernel whose fourth argument is the number of triangles."""
    device.launch("raster", function, (LANES, arguments[3], 1), *arguments, block=_BY_TRIANGLE)


def _launch_pixels(function: str, *arguments: Any) -> None:
    """Run a kernel whose last arguments are height and width."""
    height, width = arguments[-2:]
    device.launch("raster", function, (width, height, 1), *arguments)


def _interpolate(
    corners: NDArray[np.float64], second: NDArray[np.float64], third: NDArray[np.float64]
) -> NDArray[np.float64]:
    first = corners[0]
    result: NDArray[np.float64] = first + second * (corners[1] - first) + third * (corners[2] - first)
    return result


def _doubled_areas(positions: NDArray[np.float32], triangles: NDArray[np.int32]) -> NDArray[np.float64]:
    a, b, c = (positions.astype(np.float64)[triangles[:, k], :2] for k in range(3))
    result: NDArray[np.float64] = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (
        c[:, 0] - a[:, 0]
    )
    return result


def _drawn(positions: NDArray[np.float32], triangles: NDArray[np.int32]) -> list[int]:
    return [int(t) for t in np.flatnonzero(np.abs(_doubled_areas(positions, triangles)) >= SLIVER)]


def _covered(
    positions: NDArray[np.float32], triangles: NDArray[np.int32], shape: tuple[int, ...]
) -> Iterator[tuple[slice, slice, NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]]:
    """Yield, for each triangle drawn, its box of pixels, two barycentric coordinates, and what is inside."""
    height, width = shape[:2]
    points = positions.astype(np.float64)
    areas = _doubled_areas(positions, triangles)
    for t in _drawn(positions, triangles):
        a, b, c = (points[triangles[t, k], :2] for k in range(3))
        low, high = np.min([a, b, c], axis=0), np.max([a, b, c], axis=0)
        left, right = max(0, int(np.ceil(low[0]))), min(width - 1, int(np.floor(high[0])))
        top, bottom = max(0, int(np.ceil(low[1]))), min(height - 1, int(np.floor(high[1])))
        rows, columns = slice(top, max(bottom + 1, top)), slice(left, max(right + 1, left))
        y, x = np.mgrid[rows, columns]
        inverse = 1.0 / areas[t]
        second = (x - a[0]) * ((c[1] - a[1]) * inverse) + (y - a[1]) * ((a[0] - c[0]) * inverse)
        third = (x - a[0]) * ((a[1] - b[1]) * inverse) + (y - a[1]) * ((b[0] - a[0]) * inverse)
        inside = (second >= -EDGE) & (third >= -EDGE) & (second + third <= 1.0 + EDGE)
        yield rows, columns, second, third, inside
