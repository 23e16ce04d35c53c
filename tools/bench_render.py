"""Time the drawing of frames, stage by stage, at several sizes, on the motion of real speech.

    python tools/bench_render.py --data ../shared/data --sizes 256x256 512x512 1080x1920

Milliseconds are CPU time of the one thread that draws; wall time of whole frames stands beside them and tells
how busy the machine was. Two baselines draw the same frames in between, frame by frame: "whole-picture
redraw" rasterises the grid pixel by pixel and reads all of the photo by OpenCV's cubic remap, as mien did
before it had a lattice, with the same face, mouth and eyes; "remap alone" is that one call of OpenCV.
Sessions a core are those that fit 40 ms a frame: motion, drawing, I420 and VP8, at their means.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
from bench_motion import machine, read_speech
from numpy.typing import NDArray

from mien.engine import rig_renderer
from mien.engine.eye_drawing import EyeDrawing
from mien.engine.framing import Size, parse_size
from mien.engine.mouth_drawing import MouthDrawing
from mien.engine.performer import Performer
from mien.engine.rig_renderer import RigRenderer
from mien.engine.timebase import MILLISECONDS_PER_FRAME, SAMPLES_PER_FRAME
from mien.kernels.raster import raster_texture
from mien.streaming.encoders import VideoEncoder
from mien.web.casting import find_portrait

WARM_UP: Final = 25

STAGES: Final = (
    ("move vertices", RigRenderer, "_move"),
    ("turn the grid round", rig_renderer._Grid, "follow"),
    ("map of the skin", RigRenderer, "_draw_skin_map"),
    ("part the lips", MouthDrawing, "part_lips"),
    ("lids", EyeDrawing, "follow"),
    ("sample the photo", rig_renderer, "sample_moved"),
    ("soften edges", RigRenderer, "_soften"),
    ("line between the lips", MouthDrawing, "shade_lip_line"),
    ("mouth", MouthDrawing, "draw"),
    ("eyes", EyeDrawing, "draw"),
)
"""What a frame is made of: a name, and the function whose time it is."""

Times = dict[str, list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the shared data folder")
    parser.add_argument("--portrait", default="iris", help="a built-in portrait, a portrait file, or a photo")
    parser.add_argument("--sizes", type=parse_size, nargs="+", default=[(512, 512), (1024, 1024)])
    parser.add_argument("--frames", type=int, default=250, help="frames timed at each size")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    motion, performed = perform(read_speech(arguments.data, arguments.frames + WARM_UP + 8))
    print(f"{machine()}; one thread; {arguments.frames} frames a size; portrait {arguments.portrait}")
    print(f"motion takes {np.mean(performed):.2f} ms a frame")
    figures = {}
    for size in arguments.sizes:
        times = time_size(arguments.portrait, size, motion[: arguments.frames + WARM_UP])
        figures["x".join(map(str, size))] = report(size, times, float(np.mean(performed)))
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine(), "sizes": figures}, indent=1))


def perform(pcm: NDArray[np.float32]) -> tuple[NDArray[np.float32], list[float]]:
    """Return the motion of speech, float32[frames, CHANNELS], and what each frame took, in ms."""
    performer, rows, times = Performer(seed=1), [], []
    for block in pcm.reshape(-1, SAMPLES_PER_FRAME):
        started = time.thread_time()
        rows.append(performer.push(block))
        times.append(1000 * (time.thread_time() - started))
    return np.concatenate(rows), times[WARM_UP:]


def time_size(portrait: str, size: Size, motion: NDArray[np.float32]) -> Times:
    """Draw all frames; return CPU milliseconds a frame of every stage, of the baselines, and the whole's."""
    stages: defaultdict[str, float] = defaultdict(float)
    undo = [watch(owner, name, stages, stage) for stage, owner, name in STAGES]
    opened = time.perf_counter()
    renderer = RigRenderer(find_portrait(portrait, size=size), size=size)
    print(f"\n{size[0]}x{size[1]}: opened in {time.perf_counter() - opened:.2f} s")
    redraw, encoder = WholePicture(renderer), VideoEncoder("VP8", *size)
    times: Times = defaultdict(list)
    for index, frame in enumerate(motion):
        stages.clear()
        wall, cpu = time.perf_counter(), time.thread_time()
        picture = renderer.render(frame)
        drawn = time.thread_time()
        i420: Any = cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420)
        converted = time.thread_time()
        times["frame, wall"].append(time.perf_counter() - wall)
        times["frame"].append(converted - cpu)
        for stage, _, _ in STAGES:
            times[stage].append(stages[stage])
        times["the rest"].append(drawn - cpu - sum(stages.values()))
        times["I420"].append(converted - drawn)
        started = time.thread_time()
        encoder.encode(av.VideoFrame.from_numpy_buffer(i420, format="yuv420p"), index, key=index == 0)
        times["VP8"].append(time.thread_time() - started)
        map_time, remap_time = redraw.draw()
        # What the lattice and its sampling replaced.
        saved = stages["turn the grid round"] + stages["sample the photo"]
        times["whole-picture redraw"].append(times["frame"][-1] - saved + map_time + remap_time)
        times["remap alone"].append(remap_time)
    for restore in undo:
        restore()
    return {name: [1000 * value for value in values[WARM_UP:]] for name, values in times.items()}


def watch(owner: Any, name: str, stages: defaultdict[str, float], stage: str) -> Callable[[], None]:
    """Add what each call of a function takes to its stage; return what undoes that."""
    watched = getattr(owner, name)

    def call(*given: Any, **named: Any) -> Any:
        started = time.thread_time()
        try:
            return watched(*given, **named)
        finally:
            stages[stage] += time.thread_time() - started

    setattr(owner, name, call)
    return lambda: setattr(owner, name, watched)


class WholePicture:
    """The way of drawing before there was a lattice, on the vertices of the frame just drawn."""

    def __init__(self, renderer: RigRenderer) -> None:
        self._renderer = renderer
        height, width = renderer._portrait.picture.shape[:2]
        self._rest = np.ascontiguousarray(np.mgrid[:height, :width][::-1].astype(np.float32))
        self._maps = np.empty_like(self._rest)
        self._depth = np.empty((height, width), np.float32)

    def draw(self) -> tuple[float, float]:
        """Return what the map of the grid, and what reading the photo with it takes, in s."""
        portrait, placement = self._renderer._portrait, self._renderer._placement
        started = time.thread_time()
        np.copyto(self._maps, self._rest)
        self._depth.fill(np.inf)
        triangles = portrait.grid_triangles
        raster_texture(placement.positions, triangles, portrait.texture, *self._maps, self._depth)
        mapped = time.thread_time()
        cv2.remap(portrait.picture, *self._maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return mapped - started, time.thread_time() - mapped


def report(size: Size, times: Times, motion: float) -> dict[str, Any]:
    """Print a table of one size, and return its figures."""
    print(f"{'milliseconds a frame':28s}" + "".join(head.rjust(8) for head in ("p50", "p95", "p99", "mean")))
    rows: dict[str, Any] = {}
    for name, values in times.items():
        row = [*np.percentile(values, [50, 95, 99]), np.mean(values)]
        rows[name] = {
            head: round(float(v), 3) for head, v in zip(("p50", "p95", "p99", "mean"), row, strict=True)
        }
        print(f"{name:28s}" + "".join(f"{value:8.2f}" for value in row))
    ratio = np.median(times["whole-picture redraw"]) / np.median(times["frame"])
    whole = motion + rows["frame"]["mean"] + rows["VP8"]["mean"]
    sessions = MILLISECONDS_PER_FRAME / whole
    print(f"whole-picture redraw / frame: {ratio:.2f}; {sessions:.1f} sessions a core at {size[0]}x{size[1]}")
    return rows | {"ratio": round(float(ratio), 3), "sessions a core": round(float(sessions), 2)}


if __name__ == "__main__":
    main()
