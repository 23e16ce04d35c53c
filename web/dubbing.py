"""From a video of a person to a face that says something else: `mien dub`, and clips as idle bodies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from mien.engine.clip import Clip, prepare_clip
from mien.engine.clip_track import FaceTrack, track_face
from mien.engine.footage import Footage, prepare_footage
from mien.engine.framing import DEFAULT_SIZE, Size
from mien.engine.landmarks import FaceLandmarker
from mien.web.model_store import FACE_FINDER, model_path
from mien.web.video_file import VideoFile

LONGEST_VIDEO_S: Final = 300.0
"""A video to be dubbed may be so long: its landmarks, 11 KB a frame while they are fitted, stay in memory."""

LONGEST_FOOTAGE_S: Final = 60.0
"""A clip for live sessions: 1500 pictures of about 70 KB stay in memory."""

Progress = Callable[[str, float | None], None]


@contextmanager
def open_video(path: Path, *, longest_s: float) -> Iterator[VideoFile]:
    """Open a video and close it in the end. Raises VideoFileError."""
    video = VideoFile(path, longest_s=longest_s)
    try:
        yield video
    finally:
        video.close()


def clip_of_video(video: VideoFile, *, face: int | None, name: str, progress: Progress | None = None) -> Clip:
    """Follow the face through a video and prepare it for new lips.

    Raises VideoFileError, PhotoError in its kinds, and AssetError where the face finder cannot be had.
    """
    track = follow_face(video, face, progress)
    return prepare_clip(track, video.picture, name=name)


def footage_of_video(
    path: Path,
    *,
    face: int | None,
    name: str,
    size: Size = DEFAULT_SIZE,
    progress: Progress | None = None,
) -> Footage:
    """Prepare a video as the idle body of live sessions. Raises as clip_of_video does."""
    with open_video(path, longest_s=LONGEST_FOOTAGE_S) as video:
        track = follow_face(video, face, progress)
        return prepare_footage(track, video.scan, name=name, size=size)


def lasting(speech: Iterable[av.AudioFrame], seconds: float) -> Iterator[av.AudioFrame]:
    """Yield speech, and after it silence until so many seconds have gone by."""
    heard = 0.0
    last: av.AudioFrame | None = None
    for sound in speech:
        heard += sound.samples / sound.sample_rate
        last = sound
        yield sound
    if last is None:
        return
    missing = round((seconds - heard) * last.sample_rate)
    while missing > 0:
        count = min(missing, last.sample_rate)
        missing -= count
        yield _silence(last, count)


def follow_face(video: VideoFile, face: int | None, progress: Progress | None) -> FaceTrack:
    """Follow a face through a video, `face` 0 or None being the largest. Raises as clip_of_video does."""
    landmarker = FaceLandmarker(model_path(FACE_FINDER, progress))
    try:
        return track_face(_counted(video, progress), landmarker, face=face)
    finally:
        landmarker.close()


def _counted(video: VideoFile, progress: Progress | None) -> Iterator[NDArray[np.uint8]]:
    expected = video.expected_frames
    for number, picture in enumerate(video.scan()):
        if progress is not None:
            progress("Following the face", None if expected is None else min(number / expected, 1.0))
        yield picture


def _silence(like: av.AudioFrame, samples: int) -> av.AudioFrame:
    """Return silence in the format of another piece of sound."""
    form = like.to_ndarray()
    length = samples if like.format.is_planar else samples * like.layout.nb_channels
    middle = 128 if form.dtype == np.uint8 else 0
    blank = np.full((form.shape[0], length), middle, form.dtype)
    silence = av.AudioFrame.from_ndarray(blank, format=like.format.name, layout=like.layout.name)
    silence.sample_rate = like.sample_rate
    return silence
