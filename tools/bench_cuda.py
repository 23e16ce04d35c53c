"""Time the CUDA kernels: microseconds a call, and what share of the device's copy bandwidth they reach.

    python tools/bench_cuda.py
    python tools/bench_cuda.py --sizes 512 1024 --batches 1 16 --rounds 50

Every kernel is first held to its NumPy reference, bit for bit; one that differs ends the run with status 1.
A round queues calls behind a kernel that only waits, so that they run back to back and the time is the
device's, not Python's. The calls go round several sets of arrays, together larger than the L2 cache.

"floor" is the time that the bytes alone would take at the copy bandwidth measured in this run: every input
read once, every output written once. "share" is floor over p50. The last line is one frame of a built-in
portrait, from weights to I420 in the host's memory, with all of Python's launches: what a session waits for.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.errors import BackendUnavailable
from mien.engine.gallery import open_builtin
from mien.engine.portrait import Portrait
from mien.kernels.blend import blend, blend_reference, turn, turn_reference
from mien.kernels.compose import compose, compose_reference
from mien.kernels.edges import soften_jumps, soften_jumps_reference, spread_map, spread_map_reference
from mien.kernels.lattice import (
    fill_map,
    fill_map_reference,
    invert_grid,
    invert_grid_reference,
    lattice_for,
    sample_moved,
    sample_moved_reference,
)
from mien.kernels.raster import raster_texture, raster_texture_reference
from mien.kernels.warp import warp, warp_reference
from mien.kernels.yuv import rgb_to_yuv, rgb_to_yuv_reference

FEWEST_SETS: Final = 4
MOST_SETS: Final = 64
COPIED: Final = 2**28
"""Bytes copied to measure the bandwidth."""

STEP, MARGIN = 16, 8
"""Pixels from one point of the lattice to the next, and by which the photo goes on past its border."""

JUMP: Final = 3.2
"""What `soften_jumps` takes for an edge, in pixels."""

LONGEST_WAIT: Final = 2_000_000_000
"""Cycles, a second or so: Python queues a round in much less, unless a call waits for the device itself."""

WAIT: Final = """
extern "C" __global__ void wait(long long cycles) {
    const long long start = clock64();
    while (clock64() - start < cycles) {}
}
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One call to time."""

    name: str
    function: Callable[..., None]
    reference: Callable[..., None]
    arguments: tuple[Any, ...]
    settings: dict[str, Any] = field(default_factory=dict)

    also_read: tuple[int, ...] = ()
    """Which of the arguments are read before they are written."""

    @property
    def traffic(self) -> int:
        """Bytes that must move."""
        moved = (*self.arguments, *(self.arguments[number] for number in self.also_read))
        return sum(argument.nbytes for argument in moved if isinstance(argument, np.ndarray))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[512, 1024], help="sides of the pictures, even"
    )
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16], help="pictures in one call")
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    try:
        bench = Bench(arguments.rounds)
    except BackendUnavailable as error:
        sys.exit(str(error))

    portrait = open_builtin("astronaut")
    for case in (*picture_cases(130, 3), *portrait_cases(portrait)):
        bench.check(case)
    print("every kernel equals its reference, bit for bit")
    print(bench.describe())
    print("microseconds a call".ljust(52), *(head.rjust(9) for head in ("p50", "p95", "floor", "share")))
    for size in arguments.sizes:
        for batch in arguments.batches:
            for case in picture_cases(size, batch):
                bench.report(f"{case.name}, {size} x {size}, batch {batch}", case)
    height, width = portrait.picture.shape[:2]
    for case in portrait_cases(portrait):
        bench.report(f"{case.name}, {width} x {height}", case)
    bench.report_frame(portrait)


class Bench:
    """A CUDA device and its copy bandwidth."""

    def __init__(self, rounds: int) -> None:
        """Open the current device, or raise BackendUnavailable."""
        try:
            import cupy
        except ImportError as error:
            raise BackendUnavailable(
                f"This bench runs on CuPy, and {error.name} is not installed.",
                remedy="On a machine with an NVIDIA GPU: pip install 'mien[cuda]'",
            ) from error
        try:
            properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
        except cupy.cuda.runtime.CUDARuntimeError as error:
            raise BackendUnavailable(
                f"This bench needs a CUDA device, and there is none: {error}.",
                remedy="Run it where `nvidia-smi` lists one, with a driver for CUDA 13.",
            ) from error
        self._cupy = cupy
        self._rounds = rounds
        self._wait = cupy.RawKernel(WAIT, "wait")
        self._cycles = 20_000_000
        self._name = properties["name"].decode()
        self._cache = int(properties["l2CacheSize"])
        self._bandwidth = self._measure_bandwidth()

    def describe(self) -> str:
        """Name the device and what drives it."""
        runtime = self._cupy.cuda.runtime
        versions = f"CuPy {self._cupy.__version__}, CUDA {runtime.runtimeGetVersion()}"
        driver = f"driver {runtime.driverGetVersion()}"
        return (
            f"{self._name}; {versions}, {driver}; copies at {self._bandwidth / 1e9:.0f} GB/s read and written"
        )

    def check(self, case: Case) -> None:
        """Leave the program where a kernel and its reference differ."""
        expected = [copy_of(argument) for argument in case.arguments]
        case.reference(*expected, **case.settings)
        drawn = self._move(case)
        case.function(*drawn, **case.settings)
        for number, (one, other) in enumerate(zip(drawn, expected, strict=True)):
            if isinstance(other, np.ndarray):
                found = self._cupy.asnumpy(one)
                different = int((found != other).sum())
                if different:
                    sys.exit(f"{case.name}: argument {number} differs in {different} of {other.size} values")

    def report(self, name: str, case: Case) -> None:
        """Print a line of the table."""
        count = int(np.clip(-(-2 * self._cache // case.traffic), FEWEST_SETS, MOST_SETS))
        sets = [self._move(case) for _ in range(count)]
        times = self._time([lambda own=own: case.function(*own, **case.settings) for own in sets])
        floor = case.traffic / self._bandwidth * 1e6
        p50, p95 = np.percentile(times, [50, 95])
        print(name.ljust(52), *(f"{value:9.1f}" for value in (p50, p95, floor)), f"{floor / p50:8.0%}")

    def report_frame(self, portrait: Portrait) -> None:
        """Print how long a frame takes from weights in the host's memory to I420 there."""
        draw = self._frame(portrait)
        times = []
        for number in range(20 + 10 * self._rounds):
            began = time.perf_counter()
            draw(number)
            times.append((time.perf_counter() - began) * 1e6)
        height, width = portrait.picture.shape[:2]
        p50, p95 = np.percentile(times[20:], [50, 95])
        print(f"a frame, weights to I420, {width} x {height}".ljust(52), f"{p50:9.1f}", f"{p95:9.1f}")

    def _frame(self, portrait: Portrait) -> Callable[[int], NDArray[np.uint8]]:
        """Return what draws a frame of a head that sways and speaks."""
        cupy = self._cupy
        names = ("vertices", "delta_starts", "delta_rows", "delta_values", "share", "pivot", "texture")
        rest, starts, rows, deltas, share, pivot, texture = (
            cupy.asarray(getattr(portrait, name)) for name in names
        )
        photo, triangles = cupy.asarray(portrait.picture), cupy.asarray(portrait.face_triangles)
        height, width = portrait.picture.shape[:2]
        whole = (0, 0, width, height)
        grid, shape, layout = grid_of(portrait)
        layout, lattice = cupy.asarray(layout), cupy.asarray(lattice_for(height, width, STEP))
        source = cupy.asarray(source_of(portrait))
        positions, sharp, picture = cupy.empty_like(rest), cupy.empty_like(photo), cupy.empty_like(photo)
        map_x, map_y, depth = (cupy.zeros((height, width), np.float32) for _ in range(3))
        layer = cupy.full((height // 4, width // 4, 3), 60, np.float32)
        mask = cupy.full((height // 4, width // 4), 0.5, np.float32)
        frame = cupy.empty((height * 3 // 2, width), np.uint8)

        def draw(number: int) -> NDArray[np.uint8]:
            weights, rotation, shift = (cupy.asarray(array) for array in sway(portrait, number))
            blend(rest, starts, rows, deltas, weights, positions)
            turn(positions, share, rotation, pivot, shift)
            moved = (positions[grid, :2] - rest[grid, :2]).reshape(shape)
            invert_grid(moved, layout, lattice, STEP)
            fill_map(lattice, STEP, whole, map_x, map_y)
            draw_texture(positions, triangles, texture, map_x, map_y, depth)
            spread_map(map_x, map_y, depth, whole)
            sample_moved(source, lattice, STEP, map_x, map_y, whole, photo, photo, whole, sharp)
            picture[...] = sharp
            soften_jumps(picture, sharp, map_x, map_y, whole, JUMP)
            compose(picture, layer, mask, left=width // 2, top=height // 2)
            rgb_to_yuv(picture, frame)
            result: NDArray[np.uint8] = cupy.asnumpy(frame)
            return result

        return draw

    def _measure_bandwidth(self) -> float:
        """Return bytes a second, read and written ones both counted."""
        source = self._cupy.zeros(COPIED, np.uint8)
        target = self._cupy.empty_like(source)
        times = self._time([lambda: self._cupy.copyto(target, source)] * FEWEST_SETS)
        return float(2 * COPIED / (np.median(times) * 1e-6))

    def _time(self, calls: list[Callable[[], None]]) -> list[float]:
        """Return microseconds a call, one for each round."""
        event = self._cupy.cuda.Event
        times: list[float] = []
        for call in calls:
            call()
        while len(times) < self._rounds:
            start, end = event(), event()
            self._wait((1,), (1,), (np.int64(self._cycles),))
            start.record()
            for call in calls:
                call()
            end.record()
            late = start.done
            end.synchronize()
            if late:
                # The device has waited for Python: let it wait longer, and do the round again.
                self._cycles *= 2
                if self._cycles > LONGEST_WAIT:
                    sys.exit("a call waits for the device instead of only queueing work")
                continue
            times.append(self._cupy.cuda.get_elapsed_time(start, end) * 1e3 / len(calls))
        return times

    def _move(self, case: Case) -> list[Any]:
        return [
            self._cupy.asarray(argument) if isinstance(argument, np.ndarray) else argument
            for argument in case.arguments
        ]


def picture_cases(size: int, batch: int) -> Iterator[Case]:
    """Kernels that take pictures one by one or many at once."""
    random = np.random.default_rng(0)
    shape = (batch, size, size)
    picture = random.integers(0, 256, (*shape, 3), np.uint8)
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    # As a head moves: smooth, some pixels far, past the border here and there.
    map_x, map_y = (
        np.ascontiguousarray(np.broadcast_to(plane, shape))
        for plane in (columns + 6 * np.sin(rows / 40), rows + 6 * np.cos(columns / 50))
    )
    flow = (picture, map_x, map_y, np.empty_like(picture))
    for name in ("bilinear", "bicubic"):
        yield Case(f"warp, {name}", warp, warp_reference, flow, {"filter": name})
    frame = np.empty((batch, size * 3 // 2, size), np.uint8)
    for layout in ("i420", "nv12"):
        yield Case(f"RGB to {layout}", rgb_to_yuv, rgb_to_yuv_reference, (picture, frame), {"layout": layout})
    layer = random.uniform(0, 255, (*shape, 3)).astype(np.float32)
    mask = random.random(shape, np.float32)
    yield Case("compose", compose, compose_reference, (picture, layer, mask), also_read=(0,))


def portrait_cases(portrait: Portrait) -> Iterator[Case]:
    """Kernels that move and draw the head of one portrait."""
    height, width = portrait.picture.shape[:2]
    weights, rotation, shift = sway(portrait, 7)
    shapes = (portrait.delta_starts, portrait.delta_rows, portrait.delta_values)
    positions = np.empty_like(portrait.vertices)
    yield Case("blend", blend, blend_reference, (portrait.vertices, *shapes, weights, positions))
    blend(portrait.vertices, *shapes, weights, positions)
    pose = (portrait.share, rotation, portrait.pivot, shift)
    yield Case("turn", turn, turn_reference, (positions.copy(), *pose), also_read=(0,))
    turn(positions, *pose)
    grid, shape, layout = grid_of(portrait)
    moved = (positions[grid, :2] - portrait.vertices[grid, :2]).reshape(shape)
    lattice, whole = lattice_for(height, width, STEP), (0, 0, width, height)
    yield Case("invert grid", invert_grid, invert_grid_reference, (moved, layout, lattice, STEP))
    invert_grid(moved, layout, lattice, STEP)
    map_x, map_y, depth = np.zeros((3, height, width), np.float32)
    yield Case("fill map", fill_map, fill_map_reference, (lattice, STEP, whole, map_x, map_y))
    fill_map(lattice, STEP, whole, map_x, map_y)
    maps = (map_x, map_y, depth)
    mesh = (positions, portrait.face_triangles, portrait.texture)
    yield Case("draw texture, depth reset", draw_texture, draw_texture_reference, (*mesh, *maps))
    draw_texture(*mesh, *maps)
    yield Case("spread map", spread_map, spread_map_reference, (*maps, whole))
    scene = (portrait.picture, portrait.picture, whole, np.empty_like(portrait.picture))
    places = (source_of(portrait), lattice, STEP, map_x, map_y, whole)
    yield Case("sample moved", sample_moved, sample_moved_reference, (*places, *scene))
    edges = (portrait.picture.copy(), portrait.picture, map_x, map_y, whole, JUMP)
    yield Case("soften jumps", soften_jumps, soften_jumps_reference, edges)


def grid_of(portrait: Portrait) -> tuple[slice, tuple[int, int, int], NDArray[np.float32]]:
    """Return which vertices are the grid's, their shape with x and y, and the grid's layout."""
    run = slice(int(portrait.runs[2]), int(portrait.runs[3]))
    places = portrait.vertices[run, :2]
    columns, rows = portrait.grid_layout()
    cell = (places[-1] - places[0]) / np.array([columns - 1, rows - 1], np.float32)
    return run, (rows, columns, 2), np.concatenate([places[0], cell]).astype(np.float32)


def source_of(portrait: Portrait) -> NDArray[np.uint8]:
    """Return the photo as `sample_moved` takes it: opaque, and going on past its border."""
    opaque = np.dstack([portrait.picture, np.full(portrait.picture.shape[:2], 255, np.uint8)])
    return np.asarray(cv2.copyMakeBorder(opaque, *[MARGIN] * 4, cv2.BORDER_REPLICATE), np.uint8)


def draw_texture(positions: Any, triangles: Any, texture: Any, map_x: Any, map_y: Any, depth: Any) -> None:
    """Draw onto an empty depth buffer, as every frame does."""
    depth.fill(np.inf)
    raster_texture(positions, triangles, texture, map_x, map_y, depth)


def draw_texture_reference(
    positions: Any, triangles: Any, texture: Any, map_x: Any, map_y: Any, depth: Any
) -> None:
    depth.fill(np.inf)
    raster_texture_reference(positions, triangles, texture, map_x, map_y, depth)


def sway(
    portrait: Portrait, number: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return all shapes' weights, none of them 0, a rotation and a shift, for a frame of that number."""
    phase = np.arange(len(portrait.delta_starts) - 1) + 0.2 * number
    weights = (0.11 + 0.1 * np.sin(phase)).astype(np.float32)
    angles = np.deg2rad(5 * np.sin(0.1 * number + np.array([0.5, 1.0, 2.0])))
    rotation = np.asarray(cv2.Rodrigues(angles)[0], np.float32)
    return weights, rotation, np.array([2, 1, 0], np.float32)


def copy_of(argument: Any) -> Any:
    return argument.copy() if isinstance(argument, np.ndarray) else argument


if __name__ == "__main__":
    main()
