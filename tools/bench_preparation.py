"""Time how a photo becomes a portrait: seconds of CPU, cold and warm, stage by stage.

    python tools/bench_preparation.py                 # the photos in tools/portraits
    python tools/bench_preparation.py me.jpg --size 1024x1024

Cold is a new process, from its first line to the portrait, with the models on this machine. Warm is the
median of the same in a process that has prepared a photo before. CPU time of the whole process, on one
thread: on a busy machine the wall tells of the others.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[1]
PHOTOS: Final = sorted((REPOSITORY / "tools" / "portraits").glob("*.*"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("photos", type=Path, nargs="*", default=PHOTOS)
    parser.add_argument("--size", default="512x512", help="of the portrait (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="of each photo, warm (default: %(default)s)")
    parser.add_argument("--cold", action="store_true", help="print the seconds to the first portrait alone")
    arguments = parser.parse_args()
    if arguments.cold:
        prepare, _ = open_stages(arguments.size)
        prepare(arguments.photos[0])
        print(time.process_time())
        return
    command = [sys.executable, __file__, "--cold", "--size", arguments.size, str(arguments.photos[0])]
    cold = [float(subprocess.check_output(command, text=True)) for _ in range(3)]
    print(f"cold: {min(cold):.2f} s (best of 3), {arguments.photos[0].name}, {arguments.size}")
    prepare, stages = open_stages(arguments.size)
    for photo in arguments.photos:
        prepare(photo)
        stages.clear()
        spent = [timed(lambda photo=photo: prepare(photo)) for _ in range(arguments.repeats)]  # type: ignore[misc]
        parts = ", ".join(f"{name} {statistics.median(times):.2f}" for name, times in stages.items())
        print(f"warm: {statistics.median(spent):.2f} s (median of {len(spent)}), {photo.name}: {parts}")


def timed(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def open_stages(size: str) -> tuple[Callable[[Path], None], dict[str, list[float]]]:
    """Open the models; return what prepares a photo, and the seconds that its stages took, filled by it."""
    # Imported here: what a cold start takes includes them.
    import cv2

    from mien.engine.framing import parse_size
    from mien.engine.landmarks import FaceLandmarker
    from mien.engine.photo import open_photo
    from mien.engine.preparation import prepare_portrait
    from mien.engine.visibility import check_visible
    from mien.web.casting import open_segmenter
    from mien.web.model_store import FACE_FINDER, model_path

    cv2.setNumThreads(1)
    landmarker, segmenter = FaceLandmarker(model_path(FACE_FINDER)), open_segmenter()
    stages: dict[str, list[float]] = {}

    def prepare(path: Path) -> None:
        marks = [time.process_time()]
        picture = open_photo(path)
        marks.append(time.process_time())
        face = landmarker.detect(picture)[0]
        marks.append(time.process_time())
        prepare_portrait(picture, face, name=path.stem, size=parse_size(size), segmenter=segmenter)
        marks.append(time.process_time())
        check_visible(picture, face, landmarker.wander(picture, face))
        marks.append(time.process_time())
        names = ("decode", "find", "fit and build", "covered?")
        for name, before, after in zip(names, marks[:-1], marks[1:], strict=True):
            stages.setdefault(name, []).append(after - before)

    return prepare, stages


if __name__ == "__main__":
    main()
