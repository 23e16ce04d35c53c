"""From what a user names to a face that speaks: a built-in portrait, a portrait file, a photo or a video."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mien.engine.animator import Animator
from mien.engine.config import MotionConfig
from mien.engine.emotion import Style, StyleVector
from mien.engine.errors import AssetError
from mien.engine.framing import DEFAULT_SIZE, Size
from mien.engine.gallery import builtin_portraits, open_builtin
from mien.engine.landmarks import FaceLandmarker
from mien.engine.matte import PersonSegmenter
from mien.engine.performer import Performer
from mien.engine.portrait import Portrait
from mien.engine.renderer import Renderer, Subject, open_renderer
from mien.engine.scenery import Scenery
from mien.web.dubbing import footage_of_video
from mien.web.model_store import FACE_FINDER, PERSON_FINDER, find_model, model_path
from mien.web.studio import make_portrait
from mien.web.video_file import SUFFIXES

Progress = Callable[[str, float | None], None]
"""Told what is going on, in words, and how far it has come: 0..1, or None where that is not known."""

_ZIP: bytes = b"PK\x03\x04"
"""How a portrait file begins, and no picture does."""


class PortraitNotFound(AssetError):
    """A name is neither a built-in portrait's nor that of a file."""


def find_portrait(
    name: str, *, face: int | None = None, size: Size = DEFAULT_SIZE, progress: Progress | None = None
) -> Subject:
    """Open what `name` means: a built-in portrait's id, a portrait file, or a photo or video made for `size`.

    Raises PortraitNotFound, AssetError for a damaged file, PhotoError for a photo or video without use.
    """
    if name in {portrait.id for portrait in builtin_portraits()}:
        return open_builtin(name)
    path = Path(name)
    if not path.is_file():
        known = ", ".join(portrait.id for portrait in builtin_portraits())
        raise PortraitNotFound(
            f"There is no portrait or file named {name}.",
            remedy=f"Use one of {known}, or the path of a portrait file, a photo or a video.",
        )
    if is_portrait_file(path):
        return Portrait.load(path)
    if path.suffix.lower() in SUFFIXES:
        return footage_of_video(path, face=face, name=path.stem, size=size, progress=progress)
    return portrait_of_photo(path, face=face, name=path.stem, size=size, progress=progress)


def is_portrait_file(path: Path) -> bool:
    """Say whether the file is a prepared portrait, by how it begins."""
    with path.open("rb") as file:
        return file.read(len(_ZIP)) == _ZIP


def portrait_of_photo(
    photo: Path,
    *,
    face: int | None,
    name: str,
    size: Size = DEFAULT_SIZE,
    anyway: bool = False,
    progress: Progress | None = None,
) -> Portrait:
    """Turn a photo into a portrait; the models it takes are fetched first where they are not here yet.

    `anyway` takes the user's word that mouth and eyes can be seen.

    Raises PhotoError in all its kinds, and AssetError where the face finder cannot be had.
    """
    landmarker = FaceLandmarker(model_path(FACE_FINDER, progress))
    try:
        segmenter = open_segmenter(progress)
        return make_portrait(
            photo, landmarker, face=face, name=name, size=size, segmenter=segmenter, anyway=anyway
        )
    finally:
        landmarker.close()


def open_segmenter(progress: Progress | None = None) -> PersonSegmenter | None:
    """Open what tells a person from the background; None where it cannot be had.

    A portrait prepared without it says so itself: `Portrait.has_backdrop`. Raises AssetError only for a file
    that the user named and that is of no use.
    """
    if find_model(PERSON_FINDER) is None:
        try:
            model_path(PERSON_FINDER, progress)
        except AssetError:
            return None
    return PersonSegmenter(model_path(PERSON_FINDER))


def open_animator(
    portrait: Subject,
    *,
    size: Size,
    style: Style | StyleVector,
    mouth_gain: float = 1.0,
    voice_leads: bool = False,
    seed: int,
    scenery: Scenery | None = None,
) -> Animator:
    """Make the face that a session or a film is drawn with."""
    renderer = open_renderer(portrait, size=size, scenery=scenery)
    return animate(renderer, style=style, mouth_gain=mouth_gain, voice_leads=voice_leads, seed=seed)


def animate(
    renderer: Renderer,
    *,
    style: Style | StyleVector,
    mouth_gain: float = 1.0,
    voice_leads: bool = False,
    seed: int,
) -> Animator:
    """Have what a renderer draws speak, in a style, or in that of its voice."""
    performer = Performer(MotionConfig(), seed=seed)
    performer.mouth_gain = mouth_gain
    animator = Animator(renderer, performer)
    animator.set_style(style)
    animator.voice_leads = voice_leads
    return animator
