"""Reads a video file as pictures on the media clock: 25 a second, upright, any of them again later."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

from mien.engine.errors import AssetError
from mien.engine.timebase import FRAME_RATE

Picture = NDArray[np.uint8]

SUFFIXES: Final = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts")
"""How the names of video files end, in small letters."""

LARGEST_SIDE: Final = 4096
"""Videos with more pixels a side are refused before anything is decoded."""

_KEPT_BYTES: Final = 96_000_000
_KEPT_FRAMES: Final = 64
"""Decoded frames kept to play backwards from: a video can only be decoded forwards."""

_UNSPECIFIED: Final = 2
"""No colour matrix is named: the usual one then follows from the height, as players have it."""
_HIGH_DEFINITION: Final = 720


class VideoFileError(AssetError):
    """A video file is missing, damaged, too long or too large, or has no pictures."""


class VideoFile:
    """The pictures of one video file. `scan` comes first; `picture` then returns any of them again.

    Not for two threads at once.
    """

    def __init__(self, path: Path, *, longest_s: float) -> None:
        """Open the file. Raises VideoFileError for one that is no video, too large, or over `longest_s`."""
        self._path = path
        self._longest_s = longest_s
        with _video_errors(path):
            self._container = av.open(str(path))
        try:
            self._stream = self._find_stream()
            self._check_length(self._declared_seconds())
        except BaseException:
            self._container.close()
            raise
        self._stream.thread_type = "AUTO"
        self._times: list[int] = []  # of the frame shown at each tick, in the stream's time base
        self._time_base = float(self._stream.time_base)
        self._first = 0
        self._size = (0, 0)
        self._decoder: Iterator[av.VideoFrame] | None = None
        self._kept: deque[tuple[int, av.VideoFrame]] = deque()

    def __len__(self) -> int:
        return len(self._times)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the pictures, in pixels, both even; known once the first was scanned."""
        return self._size

    @property
    def expected_frames(self) -> int | None:
        """How many pictures there will be, by what the file says of itself."""
        seconds = self._declared_seconds()
        return None if seconds is None else max(round(seconds * FRAME_RATE), 1)

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        self._kept.clear()
        self._container.close()

    def scan(self) -> Iterator[Picture]:
        """Yield the picture shown at each 25th of a second, RGB uint8[height, width, 3], to the end.

        At each tick it is the frame nearest in time; slower videos repeat frames, faster ones skip some.
        Raises VideoFileError.
        """
        self._times.clear()
        self._rewind()
        last: tuple[int, av.VideoFrame] | None = None
        for time, frame in self._decode():
            if last is None:
                self._first = time
            elif time <= last[0]:
                continue  # damaged times: such a frame is never shown
            else:
                yield from self._ticks_until(*last, (last[0] + time) / 2)
            last = (time, frame)
        if last is None:
            raise VideoFileError(f"No picture of {self._path.name} can be read.", remedy=_CHOOSE)
        half = max(0.5 / float(self._stream.average_rate or FRAME_RATE), 1e-3) / self._time_base
        yield from self._ticks_until(*last, last[0] + half)

    def picture(self, frame: int) -> Picture:
        """Return one of the scanned pictures, as a copy of its own."""
        wanted = self._times[frame]
        if not self._kept or not self._kept[0][0] <= wanted <= self._kept[-1][0] + 1 / self._time_base:
            with _video_errors(self._path):
                self._container.seek(wanted, stream=self._stream, backward=True)
            self._restart()
        found = self._advance(wanted)
        if found is None:  # a file whose index leads astray is read from its beginning
            self._rewind()
            found = self._advance(wanted)
        if found is None:
            raise VideoFileError(f"{self._path.name} changed while it was read.", remedy="Try again.")
        return self._convert(found)

    # ---- frames

    def _ticks_until(self, time: int, frame: av.VideoFrame, until: float) -> Iterator[Picture]:
        """Yield a frame for every tick before `until`; times are in the stream's time base."""
        picture: Picture | None = None
        while self._first + len(self._times) / FRAME_RATE / self._time_base < until:
            self._check_length(len(self._times) / FRAME_RATE)
            picture = self._convert(frame) if picture is None else picture.copy()
            self._check_same_size(picture)
            self._times.append(time)
            yield picture

    def _advance(self, wanted: int) -> av.VideoFrame | None:
        """Decode up to the frame of a time; None if it is not met."""
        for time, frame in self._kept:
            if time == wanted:
                return frame
        for time, frame in self._decode():
            self._keep(time, frame)
            if time >= wanted:
                return frame if time == wanted else None
        return None

    def _keep(self, time: int, frame: av.VideoFrame) -> None:
        self._kept.append((time, frame))
        most = max(min(_KEPT_BYTES // (frame.width * frame.height * 3 // 2), _KEPT_FRAMES), 2)
        while len(self._kept) > most:
            self._kept.popleft()

    def _decode(self) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield frames with their times, in the stream's time base; one without a time is never shown."""
        with _video_errors(self._path):
            if self._decoder is None:
                self._decoder = iter(self._container.decode(self._stream))
            for frame in self._decoder:
                if frame.pts is not None:
                    yield frame.pts, frame

    def _rewind(self) -> None:
        with _video_errors(self._path):
            self._container.seek(0)
        self._restart()

    def _restart(self) -> None:
        self._decoder = None
        self._kept.clear()

    def _convert(self, frame: av.VideoFrame) -> Picture:
        unknown = frame.colorspace == _UNSPECIFIED and frame.height >= _HIGH_DEFINITION
        picture = frame.reformat(format="rgb24", src_colorspace=Colorspace.ITU709 if unknown else None)
        upright = np.rot90(picture.to_ndarray(), round(frame.rotation / 90))
        height, width = upright.shape[:2]
        return np.ascontiguousarray(upright[: height & ~1, : width & ~1])

    # ---- checks

    def _find_stream(self) -> Any:
        # The cover of a song is a video stream too, with one picture.
        streams = [each for each in self._container.streams.video if not _is_cover(each)]
        if not streams:
            raise VideoFileError(f"There are no moving pictures in {self._path.name}.", remedy=_CHOOSE)
        stream = streams[0]
        context = stream.codec_context
        if not 0 < context.width <= LARGEST_SIDE or not 0 < context.height <= LARGEST_SIDE:
            raise VideoFileError(
                f"{self._path.name} has {context.width} x {context.height} pixels.",
                remedy=f"Use a video of at most {LARGEST_SIDE} pixels a side.",
            )
        return stream

    def _declared_seconds(self) -> float | None:
        if self._stream.duration is not None:
            return float(self._stream.duration * self._stream.time_base)
        duration = self._container.duration
        return None if duration is None else duration / av.time_base

    def _check_length(self, seconds: float | None) -> None:
        if seconds is not None and seconds > self._longest_s:
            raise VideoFileError(
                f"{self._path.name} is longer than {self._longest_s:g} seconds.",
                remedy="Cut a shorter piece out of it.",
            )

    def _check_same_size(self, picture: Picture) -> None:
        size = (picture.shape[1], picture.shape[0])
        if not self._times:
            self._size = size
        if size != self._size:
            raise VideoFileError(
                f"The pictures of {self._path.name} change their size on the way.",
                remedy="Save it anew in one size.",
            )


_CHOOSE: Final = "Choose an MP4, MOV, MKV or WebM file of a person who looks at the camera."


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


@contextmanager
def _video_errors(path: Path) -> Iterator[None]:
    """Tell a user's mistake in a user's words."""
    try:
        yield
    except FileNotFoundError as error:
        raise VideoFileError(f"There is no file {path}.", remedy="Check the path of the video.") from error
    except (av.FFmpegError, OSError) as error:
        raise VideoFileError(
            f"{path.name} is not a video that mien can read: {error.strerror or error}.", remedy=_CHOOSE
        ) from error
