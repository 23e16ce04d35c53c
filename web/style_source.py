"""From a file to a style: how somebody in a photo, a film, a track or a sound seems to feel and moves."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from mien.engine.archive import read_archive
from mien.engine.emotion import StyleVector
from mien.engine.errors import AssetError, NoFace
from mien.engine.features import Pcm
from mien.engine.landmarks import FaceLandmarker
from mien.engine.motion import CHANNELS, INDEX, SHAPES, MotionWindow
from mien.engine.photo import open_photo
from mien.engine.style_encoder import read_face, read_film, read_track
from mien.engine.style_predictor import EVERY, VoiceState, follow_voice, load_style_predictor
from mien.engine.timebase import SAMPLE_RATE
from mien.web.dubbing import LONGEST_VIDEO_S, follow_face, open_video
from mien.web.film import SpeechFileError, read_speech
from mien.web.model_store import FACE_FINDER, model_path
from mien.web.video_file import SUFFIXES as VIDEO_SUFFIXES

Progress = Callable[[str, float | None], None]

SOUND_SUFFIXES: Final = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac")

_LARGEST_TRACK: Final = 64_000_000
"""Bytes of a recorded track, unpacked: an hour and a half."""


def style_of_file(path: Path, *, face: int | None = None, progress: Progress | None = None) -> StyleVector:
    """Return the style that a file shows, by its suffix: a video, a sound, a track (.npz, .csv), or a photo.

    A track is an npz with `motion`, float32[frames, 52 or 60] (engine/motion.py), or a CSV of Live Link Face.
    Raises AssetError for what cannot be read, PhotoError in its kinds, NoFace.
    """
    if not path.is_file():
        raise AssetError(
            f"There is no file {path}.", remedy="Check the path of the file to take the style from."
        )
    suffix = path.suffix.lower()
    if suffix in (".npz", ".csv"):
        return read_track(_read_csv(path) if suffix == ".csv" else _read_npz(path))
    if suffix in SOUND_SUFFIXES:
        return _style_of_sound(path)
    if suffix in VIDEO_SUFFIXES:
        with open_video(path, longest_s=LONGEST_VIDEO_S) as video:
            track = follow_face(video, face, progress)
        return read_film(track.shapes[track.seen], track.points[track.seen])
    return _style_of_photo(path, face, progress)


def _style_of_photo(path: Path, face: int | None, progress: Progress | None) -> StyleVector:
    picture = open_photo(path)
    landmarker = FaceLandmarker(model_path(FACE_FINDER, progress))
    try:
        faces = landmarker.detect(picture)
    finally:
        landmarker.close()
    wanted = face or 0
    if wanted >= len(faces):
        raise NoFace(
            f"{path.name} shows {len(faces)} faces.", remedy="Use a photo of a face that looks at the camera."
        )
    return read_face(faces[wanted].shapes)


def _style_of_sound(path: Path) -> StyleVector:
    predictor, state = load_style_predictor(), VoiceState()
    felt: list[StyleVector] = []
    for pcm in _pieces(path):
        state = follow_voice(predictor, pcm, state)
        if state.known:
            felt.append(state.felt)
    if not felt:
        raise SpeechFileError(
            f"{path.name} holds too little speech to tell a feeling from.",
            remedy="Use a recording of 2 seconds or more.",
        )
    return np.asarray(np.mean(felt, axis=0), np.float32)


def _pieces(path: Path) -> list[Pcm]:
    """Decode a sound file and cut it into seconds."""
    resampler = av.AudioResampler("fltp", "mono", SAMPLE_RATE)
    frames = [piece for sound in read_speech(path) for piece in resampler.resample(sound)]
    frames += resampler.resample(None)
    samples = np.concatenate([np.zeros(0, np.float32), *(frame.to_ndarray()[0] for frame in frames)])
    return [samples[start : start + EVERY] for start in range(0, len(samples), EVERY)]


def _read_npz(path: Path) -> MotionWindow:
    try:
        with path.open("rb") as file:
            motion = read_archive(file, most=_LARGEST_TRACK)["motion"]
    except (OSError, KeyError, ValueError) as error:
        raise _bad_track(path, "it has no readable array `motion`") from error
    if motion.ndim != 2 or not len(motion) or motion.shape[1] not in (len(SHAPES), CHANNELS):
        raise _bad_track(path, f"its motion is {list(motion.shape)}")
    whole = np.zeros((len(motion), CHANNELS), np.float32)
    whole[:, : motion.shape[1]] = motion
    return _checked(path, whole)


def _read_csv(path: Path) -> MotionWindow:
    """Read a track of Live Link Face; other columns than ARKit's 52 shapes and the head's are left out."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        named = {name: name[0].upper() + name[1:] for name in INDEX}
        found = {name: column for name, column in named.items() if rows and column in rows[0]}
        motion = np.zeros((len(rows), CHANNELS), np.float32)
        for name, column in found.items():
            motion[:, INDEX[name]] = [float(row[column] or 0.0) for row in rows]
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise _bad_track(path, "it is no table of numbers") from error
    if len(found) < len(SHAPES) // 2:
        raise _bad_track(path, f"it has {len(found)} of ARKit's {len(SHAPES)} shapes")
    return _checked(path, motion)


def _checked(path: Path, motion: NDArray[np.float32]) -> MotionWindow:
    if not np.isfinite(motion).all():
        raise _bad_track(path, "it holds what is not a number")
    return motion


def _bad_track(path: Path, problem: str) -> AssetError:
    return AssetError(
        f"{path.name} is no track of blendshapes: {problem}.",
        remedy="Use a CSV of Live Link Face, or an npz with `motion` float32[frames, 52 or 60].",
    )
