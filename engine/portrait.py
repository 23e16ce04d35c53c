"""A portrait: one photo, prepared once, ready to be drawn. One file that opens in a moment."""

import zlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile, is_zipfile

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.errors import AssetError
from mien.engine.head import load_head
from mien.engine.motion import SHAPES

PORTRAIT_FORMAT: Final = 1
"""Version of a portrait file. A file of a newer one is refused, with advice to update mien."""

NEUTRALISER: Final = len(SHAPES)
"""Number of the extra shape that takes the photo's own smile or parted lips away."""

_KIND: Final = "mien portrait"
_PICTURES: Final = (
    "picture",
    "lips_picture",
    "left_eye_picture",
    "left_eye_white",
    "right_eye_picture",
    "right_eye_white",
)
"""Fields kept as PNG: smaller than the archive's own compression, and still exact."""
_LARGEST_FILE: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A photo, the head fitted to it, and every layer that moves, in pixels of the picture.

    Vertices lie in three runs: the face (the head model's face part), the mouth's inside (its teeth, gums
    and tongue) and a grid over the whole picture. x points right, y down, z away from the viewer; a pixel's
    centre has whole-number coordinates.
    """

    name: str
    picture: NDArray[np.uint8]
    """uint8[H, W, 3], RGB: the photo's crop, and the frame at rest. H and W are even, and may differ."""

    landmarks: NDArray[np.float32]
    """float32[478, 3]."""

    scale: float
    """Pixels a face width."""

    pivot: NDArray[np.float32]
    """float32[3]: the point that the head turns about."""

    vertices: NDArray[np.float32]
    """float32[vertices, 3] at rest."""

    runs: NDArray[np.int64]
    """int64[4]: run r owns vertices runs[r] to runs[r + 1]: face, mouth's inside, grid."""

    share: NDArray[np.float32]
    """float32[vertices]: how much of the head's turn each vertex follows, 0..1."""

    texture: NDArray[np.float32]
    """float32[vertices, 2]: where in the picture each vertex takes its colour."""

    delta_starts: NDArray[np.int64]
    """int64[54]: shape k owns rows delta_starts[k] to delta_starts[k + 1]; the last is the NEUTRALISER."""

    delta_rows: NDArray[np.int32]
    """int32[rows]: the vertex each row moves."""

    delta_values: NDArray[np.float32]
    """float32[rows, 3]: by how much at weight 1."""

    face_triangles: NDArray[np.int32]
    grid_triangles: NDArray[np.int32]
    mouth_triangles: NDArray[np.int32]
    """int32[triangles, 3] each, into `vertices`."""

    mouth_paint: NDArray[np.float32]
    """float32[inside vertices, 3]: RGB of teeth, gums and tongue, 0..255."""

    mouth_cavity: NDArray[np.float32]
    """float32[3]: RGB of the dark behind them."""

    mouth_photo: NDArray[np.uint8]
    """uint8[H, W]: where the photo itself shows the mouth's inside, 0..255."""

    teeth_photo: NDArray[np.uint8]
    """uint8[H, W]: where it shows upper teeth, which stay with the skull whatever the lips do."""

    lips_picture: NDArray[np.uint8]
    """uint8[height, width, 3]: the lips without what lies between them: no teeth, no dark line."""

    lips_corner: NDArray[np.int64]
    """int64[2]: left and top of that picture."""

    lips_parted: bool
    """Whether the photo's own lips are apart."""

    left_eye_picture: NDArray[np.uint8]
    """uint8[height, width, 3]: the person's left eyeball as if without lids."""

    left_eye_white: NDArray[np.uint8]
    """uint8[height, width, 3]: the same without its iris, which moves over it."""

    left_eye: NDArray[np.float32]
    """float32[7]: left and top of its picture, the iris' x, y and radius, the ball's z and radius."""

    right_eye_picture: NDArray[np.uint8]
    right_eye_white: NDArray[np.uint8]
    right_eye: NDArray[np.float32]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture, in pixels."""
        height, width = self.picture.shape[:2]
        return width, height

    def save(self, path: Path) -> None:
        """Write the portrait, under 3 MB for a picture of 512 x 512."""
        stored: dict[str, Any] = {
            "kind": np.array(_KIND),
            "format": np.int64(PORTRAIT_FORMAT),
            "head": np.int64(load_head().layout()),
        }
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in _PICTURES:
                stored[field.name] = _encode(value)
            elif field.name == "delta_values":
                stored |= _pack_deltas(value, self.delta_starts)
            elif field.name.endswith("_triangles") or field.name == "delta_rows":
                stored[field.name] = value.astype(np.uint16)
            else:
                stored[field.name] = np.asarray(value)
        with path.open("wb") as file:
            np.savez_compressed(file, **stored)

    @classmethod
    def load(cls, path: Path) -> "Portrait":
        """Read what `save` wrote. Raises AssetError if the file is missing, damaged, foreign or newer."""
        found = _read(path)
        try:
            values = {field.name: _decode_field(field.name, found) for field in fields(cls)}
            portrait = cls(**values)
            portrait._check()
        except (KeyError, ValueError, TypeError, IndexError, cv2.error) as error:
            raise _damaged(path, str(error)) from error
        return portrait

    def _check(self) -> None:
        """Raise ValueError unless every array has the form that drawing relies on."""
        count = len(self.vertices)
        height, width = self.picture.shape[:2]
        forms: dict[str, tuple[int, ...]] = {
            "picture": (height, width, 3),
            "landmarks": (478, 3),
            "pivot": (3,),
            "vertices": (count, 3),
            "runs": (4,),
            "share": (count,),
            "texture": (count, 2),
            "delta_starts": (len(SHAPES) + 2,),
            "delta_values": (len(self.delta_rows), 3),
            "mouth_cavity": (3,),
            "mouth_photo": (height, width),
            "teeth_photo": (height, width),
            "lips_corner": (2,),
            "left_eye": (7,),
            "right_eye": (7,),
        }
        for name, form in forms.items():
            if getattr(self, name).shape != form:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, not {form}")
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray) and value.dtype.kind == "f" and not np.isfinite(value).all():
                raise ValueError(f"{field.name} is not finite")
        ordered = np.all(np.diff(self.runs) >= 0) and np.all(np.diff(self.delta_starts) >= 0)
        ends = self.runs[0] == 0 and self.runs[-1] == count
        ends = ends and self.delta_starts[0] == 0 and self.delta_starts[-1] == len(self.delta_rows)
        indices = (self.face_triangles, self.grid_triangles, self.mouth_triangles, self.delta_rows)
        if not (ordered and ends and all(i.size == 0 or int(i.max()) < count for i in indices)):
            raise ValueError("its parts do not fit together")
        head = load_head()
        face, inside = head.part("face").stop, head.mouth_inside()
        if self.runs[1] != face or self.runs[2] - self.runs[1] != inside.stop - inside.start:
            raise ValueError("its runs are not those of the head model")
        for eye, white in (
            (self.left_eye_picture, self.left_eye_white),
            (self.right_eye_picture, self.right_eye_white),
        ):
            if eye.shape != white.shape:
                raise ValueError("an eye's pictures differ in size")
        corner, extent = self.lips_corner, self.lips_picture.shape[1::-1]
        if corner.min() < 0 or np.any(corner + extent > self.size):
            raise ValueError("its parts do not fit together")
        if len(self.mouth_paint) != self.runs[2] - self.runs[1] or not self.scale > 0:
            raise ValueError("its parts do not fit together")
        if width % 2 or height % 2:
            raise ValueError("its parts do not fit together")


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise _foreign(path)
        # Opened here, because np.load leaves a file open that it cannot make sense of.
        with path.open("rb") as file:
            if not is_zipfile(file):
                raise _foreign(path)
            file.seek(0)
            stored = np.load(file, allow_pickle=False)
            if "kind" not in stored.files or str(stored["kind"]) != _KIND:
                raise _foreign(path)
            version = int(stored["format"])
            if version > PORTRAIT_FORMAT:
                raise AssetError(
                    f"The portrait {path} is of format {version}; this mien reads up to {PORTRAIT_FORMAT}.",
                    remedy="Update mien, or prepare the photo again with this one.",
                )
            if int(stored["head"]) != load_head().layout():
                raise AssetError(
                    f"The portrait {path} was prepared with another head model than this mien has.",
                    remedy="Prepare the photo again with: mien prepare PHOTO OUT",
                )
            return {name: stored[name] for name in stored.files}
    except FileNotFoundError as error:
        raise AssetError(
            f"There is no portrait {path}.", remedy="Make one with: mien prepare PHOTO OUT"
        ) from error
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
        raise _damaged(path, str(error)) from error


def _foreign(path: Path) -> AssetError:
    return AssetError(
        f"{path} is not a mien portrait.", remedy="Make one from a photo with: mien prepare PHOTO OUT"
    )


def _damaged(path: Path, reason: str) -> AssetError:
    return AssetError(
        f"The portrait {path} is damaged: {reason}.",
        remedy="Prepare the photo again with: mien prepare PHOTO OUT",
    )


def _decode_field(name: str, found: dict[str, NDArray[Any]]) -> Any:
    if name == "delta_values":
        counts = np.diff(found["delta_starts"])
        steps = np.repeat(found["delta_steps"], counts)
        return found["delta_values"].astype(np.float32) * steps[:, None].astype(np.float32)
    value = found[name]
    if name in _PICTURES:
        return _decode(value)
    if name.endswith("_triangles") or name == "delta_rows":
        return value.astype(np.int32)
    return {"name": str, "scale": float, "lips_parted": bool}[name](value) if value.ndim == 0 else value


def _pack_deltas(values: NDArray[np.float32], starts: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Store movements as int16 in steps of each shape's largest / 32767: under 0.005 px of error."""
    bounds = list(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True))
    largest = np.array([np.abs(values[a:b]).max() if b > a else 0.0 for a, b in bounds])
    steps = (np.maximum(largest, 1e-6) / 32767).astype(np.float32)
    scaled = values / np.repeat(steps, np.diff(starts))[:, None]
    return {"delta_values": np.round(scaled).astype(np.int16), "delta_steps": steps}


def _encode(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    done, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if not done:
        raise ValueError("the picture could not be encoded")
    return np.asarray(data, np.uint8).ravel()


def _decode(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    picture = cv2.imdecode(data.astype(np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError("a picture in it cannot be decoded")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
