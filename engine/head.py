"""The head model: mien's own mesh of a head, its identities, and ARKit's 52 shapes on it.

Coordinates are x right, y down, z away from the viewer, in face widths: the distance between the two
sides of the mean face (landmarks 234 and 454) is 1. The mean face looks straight at the viewer.
`tools/fit_rig.py` makes the file, and says from what it was learned.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from mien.engine.errors import AssetError
from mien.engine.motion import SHAPE_SLICE, SHAPES

HEAD_FORMAT: Final = 1
"""Version of head.npz."""

PARTS: Final = (
    "face",
    "skirt",
    "upper_teeth",
    "lower_teeth",
    "upper_gum",
    "lower_gum",
    "tongue",
    "left_eye",
    "right_eye",
)
"""Runs of vertices, in this order. "skirt" is the back of the head and the neck, for depth only."""

MOUTH_PARTS: Final = PARTS[2:7]
"""The inside of the mouth, one run of vertices."""

RINGS: Final = ("mouth", "left_eye", "right_eye")

INNER_UPPER_LIP: Final = (82, 13, 312)
INNER_LOWER_LIP: Final = (87, 14, 317)
"""Landmarks of the middle of the inner lips, each upper one above its lower one."""

_STEPS: Final = 32767
"""Shapes and identities are stored as int16 in steps of their own largest value / 32767."""


@dataclass(frozen=True, slots=True)
class HeadModel:
    """A head as a sum: vertices + identity weights x identities + motion x shapes."""

    vertices: NDArray[np.float32]
    """float32[vertices, 3]: the mean head at rest."""

    shapes: NDArray[np.float32]
    """float32[52, vertices, 3]: how ARKit's shapes move it, in the order of motion.SHAPES."""

    identities: NDArray[np.float32]
    """float32[identities, vertices, 3]: principal components, one standard deviation each."""

    shade: NDArray[np.float32]
    """float32[vertices]: how light the paint of teeth, gums and tongue is, 0 (gaps) to 1."""

    starts: NDArray[np.int64]
    """int64[parts + 1]: part p of PARTS owns vertices starts[p] to starts[p + 1]."""

    triangles: tuple[NDArray[np.int32], ...]
    """int32[triangles, 3] for each part of PARTS."""

    landmark_corners: NDArray[np.int32]
    """int32[478, 3]: the triangle of face vertices on which each landmark lies."""

    landmark_weights: NDArray[np.float32]
    """float32[478, 3]: where on it, in barycentric coordinates."""

    rings: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]
    """int32[rings, points] round the mouth, the person's left eye and their right eye, innermost first.

    Column 0 lies at the corner towards the picture's right; columns run over the top to the other corner
    (column points / 2), and back below. Column j of the top faces column points - j below."""

    def part(self, name: str) -> slice:
        """Return the run of vertices of one part."""
        index = PARTS.index(name)
        return slice(int(self.starts[index]), int(self.starts[index + 1]))

    def layout(self) -> int:
        """Return a checksum of how vertices are numbered and where landmarks lie on them."""
        arrays = (*self.triangles, *self.rings, self.landmark_corners, self.landmark_weights)
        checksum = 0
        for array in arrays:
            checksum = crc32(np.ascontiguousarray(array).tobytes(), checksum)
        return checksum

    def mouth_inside(self) -> slice:
        """Return the run of vertices of teeth, gums and tongue."""
        return slice(self.part(MOUTH_PARTS[0]).start, self.part(MOUTH_PARTS[-1]).stop)

    def landmarks(self, vertices: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return where the landmarks lie on given vertices, [..., vertices, k] -> [..., 478, k]."""
        corners = vertices[..., self.landmark_corners, :]
        result: NDArray[np.float32] = (corners * self.landmark_weights[..., None]).sum(axis=-2)
        return result

    def save(self, path: Path) -> None:
        """Write the model as a compressed npz without pickles."""
        shapes, shape_steps = _pack(self.shapes)
        identities, identity_steps = _pack(self.identities)
        stored: dict[str, Any] = {
            "format": np.int64(HEAD_FORMAT),
            "shape_names": np.array(SHAPES),
            "vertices": self.vertices,
            "shapes": shapes,
            "shape_steps": shape_steps,
            "identities": identities,
            "identity_steps": identity_steps,
            "shade": self.shade.astype(np.float16),
            "starts": self.starts,
            "landmark_corners": self.landmark_corners.astype(np.uint16),
            "landmark_weights": self.landmark_weights,
        }
        stored |= {f"triangles_{n}": t.astype(np.uint16) for n, t in zip(PARTS, self.triangles, strict=True)}
        stored |= {f"rings_{n}": r.astype(np.uint16) for n, r in zip(RINGS, self.rings, strict=True)}
        np.savez_compressed(path, **stored)

    @classmethod
    def load(cls, path: Path) -> "HeadModel":
        """Read what `save` wrote. Raises AssetError for anything else."""
        try:
            # Opened here, because np.load leaves a file open that it cannot make sense of.
            with path.open("rb") as file:
                stored = np.load(file, allow_pickle=False)
                found = {name: stored[name] for name in stored.files}
        except (OSError, ValueError, EOFError, AttributeError, BadZipFile) as error:
            raise AssetError(
                f"The head model {path} cannot be read: {error}.", remedy="Install mien anew."
            ) from error
        try:
            version, names = int(found["format"]), tuple(found["shape_names"].tolist())
            if version != HEAD_FORMAT or names != SHAPES:
                raise AssetError(
                    f"The head model {path} is of format {version}; this mien reads {HEAD_FORMAT}.",
                    remedy="Install mien anew, or run tools/fit_rig.py.",
                )
            return cls(
                vertices=found["vertices"],
                shapes=_unpack(found["shapes"], found["shape_steps"]),
                identities=_unpack(found["identities"], found["identity_steps"]),
                shade=found["shade"].astype(np.float32),
                starts=found["starts"],
                triangles=tuple(found[f"triangles_{name}"].astype(np.int32) for name in PARTS),
                landmark_corners=found["landmark_corners"].astype(np.int32),
                landmark_weights=found["landmark_weights"],
                rings=(
                    found["rings_mouth"].astype(np.int32),
                    found["rings_left_eye"].astype(np.int32),
                    found["rings_right_eye"].astype(np.int32),
                ),
            )
        except KeyError as error:
            raise AssetError(f"The head model {path} has no {error}.", remedy="Install mien anew.") from error


@cache
def load_head() -> HeadModel:
    """Load the head model that ships with mien, once a process."""
    return HeadModel.load(Path(__file__).parent / "assets" / "head.npz")


@cache
def mouth_gap_weights() -> NDArray[np.float32]:
    """Return how far each shape parts the inner lips, float32[52], in face widths at weight 1."""
    head = load_head()
    down = head.landmarks(head.shapes)[..., 1]
    result: NDArray[np.float32] = (down[:, INNER_LOWER_LIP] - down[:, INNER_UPPER_LIP]).mean(axis=1)
    return result


def mouth_opening(motion: NDArray[np.float32]) -> NDArray[np.float32]:
    """Measure the gap between the inner lips, float32[..., channels] -> float32[...], in face widths.

    Linear in the shapes, on the mean face, 0 at rest; lips pressed past contact also give 0. `motion` may
    hold all CHANNELS or the 52 shapes alone.
    """
    gap = motion[..., SHAPE_SLICE] @ mouth_gap_weights()
    result: NDArray[np.float32] = np.maximum(gap, 0.0).astype(np.float32)
    return result


def _pack(deltas: NDArray[np.float32]) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    steps = np.maximum(np.abs(deltas).max(axis=(1, 2)), 1e-9) / _STEPS
    return np.round(deltas / steps[:, None, None]).astype(np.int16), steps.astype(np.float32)


def _unpack(stored: NDArray[np.int16], steps: NDArray[np.float32]) -> NDArray[np.float32]:
    result: NDArray[np.float32] = stored.astype(np.float32) * steps[:, None, None]
    return result
