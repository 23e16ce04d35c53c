"""A portrait: one photo, prepared once, ready to be drawn. One file that opens in a moment."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final
from zipfile import is_zipfile

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.archive import read_archive
from mien.engine.errors import AssetError, ConfigError
from mien.engine.eye_layer import PICTURES
from mien.engine.framing import LONGEST_SIDE, check_size
from mien.engine.head import load_head
from mien.engine.motion import SHAPES

PORTRAIT_FORMAT: Final = 6
"""Version of a portrait file, raised when its fields or their meaning change. Files of others are refused."""

NEUTRALISER: Final = len(SHAPES)
"""Number of the extra shape that takes the photo's own smile or parted lips away."""

_KIND: Final = "mien portrait"
_PICTURES: Final = (
    "picture",
    "backdrop",
    "lips_picture",
    "left_eye_sheet",
    "right_eye_sheet",
)
"""Fields kept as PNG: smaller than the archive's own compression, and still exact."""
_LARGEST_FILE: Final = 32 * 1024 * 1024
_LARGEST_UNPACKED: Final = 96 * 1024 * 1024
_FURTHEST: Final = 1e5
"""No number of a portrait is larger: they are pixels of a picture of at most 1920 a side, or shares of 1."""

_FORMS: Final[dict[str, tuple[str, tuple[int | str, ...]]]] = {
    "picture": ("uint8", ("height", "width", 3)),
    "landmarks": ("float32", (478, 3)),
    "scores": ("float32", (len(SHAPES),)),
    "pivot": ("float32", (3,)),
    "nod_pivot": ("float32", (3,)),
    "vertices": ("float32", ("vertices", 3)),
    "runs": ("int64", (4,)),
    "share": ("float32", ("vertices",)),
    "texture": ("float32", ("vertices", 2)),
    "delta_starts": ("int64", (len(SHAPES) + 2,)),
    "delta_rows": ("int32", ("rows",)),
    "delta_values": ("float32", ("rows", 3)),
    "face_triangles": ("int32", ("face triangles", 3)),
    "grid_triangles": ("int32", ("grid triangles", 3)),
    "mouth_triangles": ("int32", ("mouth triangles", 3)),
    "mouth_paint": ("float32", ("inside vertices", 3)),
    "mouth_cavity": ("float32", (3,)),
    "mouth_photo": ("uint8", ("height", "width")),
    "teeth_photo": ("uint8", ("height", "width")),
    "matte": ("uint8", ("height", "width")),
    "backdrop": ("uint8", ("height", "width", 3)),
    "lips_picture": ("uint8", ("lips' height", "lips' width", 3)),
    "lips_corner": ("int64", (2,)),
    "left_eye_sheet": ("uint8", ("left eye's height", "left eye's width", 3)),
    "left_eye_lashes": ("uint8", (2, "left lashes' rows", "left lashes' columns")),
    "left_eye": ("float32", (7,)),
    "right_eye_sheet": ("uint8", ("right eye's height", "right eye's width", 3)),
    "right_eye_lashes": ("uint8", (2, "right lashes' rows", "right lashes' columns")),
    "right_eye": ("float32", (7,)),
}
"""Type and shape of every array. Lengths of the same name are the same."""


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

    scores: NDArray[np.float32]
    """float32[52], 0..1: what the landmark net made of the photo's expression, in the order of SHAPES."""

    scale: float
    """Pixels a face width."""

    pivot: NDArray[np.float32]
    """float32[3]: the point at the neck's base that the head turns and tilts about."""

    nod_pivot: NDArray[np.float32]
    """float32[3]: the point between the ears that it nods about."""

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

    matte: NDArray[np.uint8]
    """uint8[H, W]: the person's alpha; 255 everywhere where nothing tells them from the background."""

    backdrop: NDArray[np.uint8]
    """uint8[H, W, 3]: the background where the person hides it, black where the photo shows it."""

    lips_parted: bool
    """Whether the photo's own lips are apart."""

    left_eye_sheet: NDArray[np.uint8]
    """uint8[pictures * height, width, 3]: the person's left eye, the pictures of eye_layer.PICTURES."""

    left_eye_lashes: NDArray[np.uint8]
    """uint8[2, rows, columns]: its lashes, as eye_layer.EyeLayer has them."""

    left_eye: NDArray[np.float32]
    """float32[7]: left and top of its pictures, the iris' x, y and radius, the ball's z and radius."""

    right_eye_sheet: NDArray[np.uint8]
    right_eye_lashes: NDArray[np.uint8]
    right_eye: NDArray[np.float32]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture, in pixels."""
        height, width = self.picture.shape[:2]
        return width, height

    def grid_layout(self) -> tuple[int, int]:
        """Return the grid's columns and rows: its vertices lie row by row, evenly spaced at rest.

        Raises ValueError where they do not.
        """
        grid = self.vertices[self.runs[2] : self.runs[3], :2]
        columns = int((grid[:, 1] == grid[0, 1]).sum()) if len(grid) else 0
        _require(columns > 1 and len(grid) >= 2 * columns and len(grid) % columns == 0, "vertices")
        rows = len(grid) // columns
        x = np.linspace(grid[0, 0], grid[-1, 0], columns)
        y = np.linspace(grid[0, 1], grid[-1, 1], rows)
        _require(x[1] - x[0] > 0.5 and y[1] - y[0] > 0.5, "vertices")
        even = np.stack([np.tile(x, rows), np.repeat(y, columns)], axis=1)
        _require(bool(np.abs(grid - even).max() < 0.1), "vertices")
        return columns, rows

    @property
    def has_backdrop(self) -> bool:
        """Whether the person is told from the background, so that it can stay or be replaced."""
        return int(self.matte.min()) < 255

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
        """Read what `save` wrote.

        Raises AssetError if the file is missing, damaged, foreign, or was prepared with another mien.
        """
        found = _read(path)
        _check_version(path, found)
        try:
            portrait = cls(**{field.name: _decode_field(field.name, found) for field in fields(cls)})
            portrait.check()
        except (KeyError, ValueError, TypeError, IndexError, ConfigError, cv2.error) as error:
            raise _damaged(path, str(error)) from error
        return portrait

    def check(self) -> None:
        """Raise ValueError or ConfigError unless every field has the form that drawing relies on."""
        lengths = self._check_forms()
        check_size(self.size)
        _require(0 < self.scale < _FURTHEST, "scale")
        head = load_head()
        inside = head.mouth_inside()
        expected = [0, head.part("face").stop, head.part("face").stop + inside.stop - inside.start]
        _require(self.runs.tolist() == [*expected, lengths["vertices"]], "runs")
        _require(lengths["inside vertices"] == expected[2] - expected[1], "mouth_paint")
        starts = self.delta_starts
        ends = starts[0] == 0 and starts[-1] == lengths["rows"]
        _require(bool(ends and np.all(np.diff(starts) >= 0)), "delta_starts")
        for name in ("face_triangles", "grid_triangles", "mouth_triangles", "delta_rows"):
            indices = getattr(self, name)
            _require(indices.size == 0 or 0 <= indices.min() <= indices.max() < lengths["vertices"], name)
        self.grid_layout()
        extent = np.array(self.lips_picture.shape[1::-1])
        _require(
            bool(self.lips_corner.min() >= 0 and np.all(self.lips_corner + extent <= self.size)),
            "lips_corner",
        )
        for side in ("left", "right"):
            corner, sheet = getattr(self, f"{side}_eye")[:2], getattr(self, f"{side}_eye_sheet")
            extent = np.array([sheet.shape[1], sheet.shape[0] / len(PICTURES)])
            fits = extent[1] % 1 == 0 and corner.min() >= 0 and np.all(corner + extent <= self.size)
            _require(bool(fits), f"{side}_eye_sheet")

    def _check_forms(self) -> dict[str, int]:
        """Check types, shapes and ranges; return the lengths by their names."""
        lengths: dict[str, int] = {}
        for name, (kind, form) in _FORMS.items():
            array = getattr(self, name)
            same = array.dtype == kind and array.ndim == len(form)
            for length, stated in zip(array.shape, form, strict=False):
                same = same and length == (
                    stated if isinstance(stated, int) else lengths.setdefault(stated, length)
                )
            if not same:
                raise ValueError(f"{name} is {array.dtype}{list(array.shape)}, not {kind}[{_listed(form)}]")
            if array.dtype.kind == "f" and not np.all(np.abs(array) < _FURTHEST):  # nor where it is no number
                raise ValueError(f"{name} is out of range")
        return lengths


def _require(holds: bool, name: str) -> None:
    if not holds:
        raise ValueError(f"{name} does not fit the rest")


def _listed(form: Iterable[int | str]) -> str:
    return ", ".join(str(length) for length in form)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise _foreign(path)
        with path.open("rb") as file:
            if not is_zipfile(file):
                raise _foreign(path)
            found = read_archive(file, most=_LARGEST_UNPACKED)
    except FileNotFoundError as error:
        raise AssetError(
            f"There is no portrait {path}.", remedy="Make one with: mien prepare PHOTO OUT"
        ) from error
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    if str(found.get("kind")) != _KIND:
        raise _foreign(path)
    return found


def _check_version(path: Path, found: dict[str, NDArray[Any]]) -> None:
    try:
        version, head = int(found["format"]), int(found["head"])
    except (KeyError, ValueError, TypeError) as error:
        raise _damaged(path, f"it does not say what mien it was prepared with ({error})") from error
    again = "Prepare the photo again with: mien prepare PHOTO OUT"
    if version > PORTRAIT_FORMAT:
        raise AssetError(
            f"The portrait {path} was prepared with a newer mien: it is of format {version}, and this one "
            f"reads {PORTRAIT_FORMAT}.",
            remedy="Update mien, or prepare the photo again with this one.",
        )
    if version < PORTRAIT_FORMAT:
        raise AssetError(
            f"The portrait {path} was prepared with an older mien: it is of format {version}, and this one "
            f"reads {PORTRAIT_FORMAT}.",
            remedy=again,
        )
    if head != load_head().layout():
        raise AssetError(
            f"The portrait {path} was prepared with an older mien, which had another head model.",
            remedy=again,
        )


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
        counts, values = np.diff(found["delta_starts"]), found["delta_values"]
        if counts.sum() != len(values):  # as large as they like, numbers alone take no memory; repeats do
            raise ValueError("delta_starts does not fit the rest")
        steps = np.repeat(found["delta_steps"], counts)
        with np.errstate(over="ignore", invalid="ignore"):  # what comes out of range is found by `check`
            return values.astype(np.float32) * steps[:, None].astype(np.float32)
    value = found[name]
    if name in _PICTURES:
        return _decode(value)
    if name in _FORMS:
        return value.astype(np.int32) if value.dtype == np.uint16 else value
    return {"name": str, "scale": float, "lips_parted": bool}[name](value)


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
    # A PNG states its width and height after 16 bytes: OpenCV would believe any, and take the memory.
    if data.dtype != np.uint8 or data.ndim != 1 or data[:8].tobytes() != b"\x89PNG\r\n\x1a\n":
        raise ValueError("a picture in it is no PNG")
    width, height = np.frombuffer(data[16:24].tobytes(), ">u4")
    if max(width, height) > LONGEST_SIDE:
        raise ValueError("a picture in it is too large")
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError("a picture in it cannot be decoded")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
