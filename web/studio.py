"""Where photos become portraits: decoded, searched for faces and prepared, one at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.engine.errors import MienError, NoFace, PhotoError, SeveralFaces
from mien.engine.framing import DEFAULT_SIZE, Size
from mien.engine.landmarks import FaceLandmarks
from mien.engine.matte import Segmenter
from mien.engine.photo import open_photo
from mien.engine.portrait import Portrait
from mien.engine.preparation import prepare_portrait
from mien.engine.visibility import check_visible
from mien.web.portraits import encode_jpeg

WAITING: Final = 4
"""Photos that may wait behind the one at work, 1 to 3 s each. More are refused: a page asks again."""


LISTED: Final = 8
"""Faces of a group whose places are told in words."""


class Landmarker(Protocol):
    """Finds faces. mien.engine.landmarks.FaceLandmarker is one."""

    def detect(self, picture: NDArray[np.uint8]) -> list[FaceLandmarks]:
        """Return the faces of RGB uint8[H, W, 3], the largest first."""

    def wander(self, picture: NDArray[np.uint8], face: FaceLandmarks) -> NDArray[np.float32]:
        """Return how far each landmark moves when the face is looked at again, float32[478]."""

    def close(self) -> None:
        """Give back the memory."""


class StudioBusy(MienError):
    """Too many photos are waiting to be prepared."""

    def __init__(self) -> None:
        super().__init__("Many photos are being prepared just now.", remedy="Try again in a few seconds.")


class ChooseFace(SeveralFaces):
    """Several faces, none chosen.

    `picture` is width and height that the boxes refer to, in pixels; `preview` shows that picture, reduced,
    as a JPEG.
    """

    def __init__(
        self, boxes: tuple[tuple[int, int, int, int], ...], picture: tuple[int, int], preview: bytes
    ) -> None:
        places = "; ".join(
            f"{index} from {left}, {top} to {right}, {bottom}"
            for index, (left, top, right, bottom) in enumerate(boxes[:LISTED])
        )
        further = f"; and {len(boxes) - LISTED} more" if len(boxes) > LISTED else ""
        super().__init__(
            f"There are {len(boxes)} faces in this photo of {picture[0]} x {picture[1]} pixels.",
            remedy=f"Choose one, face 0 to {len(boxes) - 1}, the largest being 0: {places}{further}.",
            boxes=boxes,
        )
        self.picture = picture
        self.preview = preview


def make_portrait(
    source: bytes | Path,
    landmarker: Landmarker,
    *,
    face: int | None,
    name: str,
    size: Size = DEFAULT_SIZE,
    segmenter: Segmenter | None = None,
    anyway: bool = False,
) -> Portrait:
    """Turn a photo into a portrait of this width and height. `face` chooses among several, 0 the largest.

    `anyway` takes the user's word that mouth and eyes can be seen.

    Raises PhotoError in all its kinds.
    """
    picture = open_photo(source)
    chosen = _choose(landmarker.detect(picture), face, picture)
    portrait = prepare_portrait(picture, chosen, name=name, size=size, segmenter=segmenter)
    # Asked last: of a face turned too far, or too small, better to say just that.
    if not anyway:
        check_visible(picture, chosen, landmarker.wander(picture, chosen))
    return portrait


class Studio:
    """Prepares uploaded photos in one thread of its own, so that sessions keep their cores.

    The landmarker is opened with the first photo. `close` ends the thread.
    """

    def __init__(
        self,
        open_landmarker: Callable[[], Landmarker],
        *,
        open_segmenter: Callable[[], Segmenter | None] = lambda: None,
        size: Size = DEFAULT_SIZE,
        waiting: int = WAITING,
    ) -> None:
        """Get ready. size: width and height of the pictures that sessions will show."""
        self._size = size
        self._open_segmenter = open_segmenter
        self._segmenter: Segmenter | None = None
        self._open_landmarker = open_landmarker
        self._landmarker: Landmarker | None = None
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="studio")
        self._places = threading.BoundedSemaphore(waiting + 1)

    async def prepare(
        self, photo: bytes, *, face: int | None, anyway: bool = False, name: str = "Your photo"
    ) -> Portrait:
        """Turn a photo into a portrait, as make_portrait does. Raises PhotoError and StudioBusy."""
        if not self._places.acquire(blocking=False):
            raise StudioBusy
        future = self._worker.submit(self._prepare, photo, face, anyway, name)
        # A photo counts until it is done, even when its page has left: the thread is at work on it.
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Drop what waits and end the thread. Closing twice is harmless."""
        self._worker.shutdown(wait=True, cancel_futures=True)
        if self._landmarker is not None:
            self._landmarker.close()
            self._landmarker = None

    def _prepare(self, photo: bytes, face: int | None, anyway: bool, name: str) -> Portrait:
        if self._landmarker is None:
            self._landmarker = self._open_landmarker()
            self._segmenter = self._open_segmenter()
        return make_portrait(
            photo,
            self._landmarker,
            face=face,
            name=name,
            size=self._size,
            segmenter=self._segmenter,
            anyway=anyway,
        )


def _choose(faces: list[FaceLandmarks], wanted: int | None, picture: NDArray[np.uint8]) -> FaceLandmarks:
    if not faces:
        raise NoFace(
            "No face was found in this photo.",
            remedy="Use one where a single face looks at the camera, well lit and not covered.",
        )
    if wanted is None:
        if len(faces) > 1:
            size = (picture.shape[1], picture.shape[0])
            raise ChooseFace(tuple(face.box for face in faces), size, encode_jpeg(picture, size=size))
        return faces[0]
    if wanted >= len(faces):
        raise PhotoError(
            f"The photo has {len(faces)} face{'s' if len(faces) > 1 else ''}, so there is no face {wanted}.",
            remedy=f"Choose 0 to {len(faces) - 1}, the largest being 0.",
        )
    return faces[wanted]
