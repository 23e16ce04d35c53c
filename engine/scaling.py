"""A portrait at another size: geometry and pictures scaled once, so that frames are drawn at that size.

Every field of a portrait has a rule below; a test holds this file to it.
"""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.cutout import background_of
from mien.engine.eye_layer import PICTURES
from mien.engine.face_layer import seen_vertices
from mien.engine.framing import Size
from mien.engine.portrait import Portrait

Picture = NDArray[np.uint8]

_SURROUNDINGS: Final = 12
"""Pixels of the picture round a patch that are scaled with it: more than any filter here reaches."""

_RINGS: Final = 4
"""Pixels of a photo within which Lanczos' filter lets an edge ring."""


class _Scaling:
    """From a portrait's own pixels to those of another size; pixel centres have whole-number coordinates."""

    def __init__(self, portrait: Portrait, size: Size) -> None:
        self.portrait = portrait
        self.size = size
        self.across, self.down = size[0] / portrait.size[0], size[1] / portrait.size[1]
        self.factor = float(np.sqrt(self.across * self.down))
        """For lengths that lie in no direction, and for depth."""

    def places(self, places: NDArray[np.float32]) -> NDArray[np.float32]:
        """Carry places [..., 2], or with a depth [..., 3], over."""
        scaled = self.lengths(places)
        scaled[..., :2] += np.array([self.across / 2 - 0.5, self.down / 2 - 0.5], np.float32)
        return scaled

    def lengths(self, lengths: NDArray[np.float32]) -> NDArray[np.float32]:
        """Carry movements [..., 2] or [..., 3] over."""
        factors = np.array([self.across, self.down, self.factor], np.float32)
        return np.asarray(lengths * factors[: lengths.shape[-1]], np.float32)

    def picture(self, picture: Picture) -> Picture:
        """Scale a picture of the portrait's size: Lanczos to enlarge it, areas' means to reduce it."""
        method = cv2.INTER_AREA if self.factor < 1 else cv2.INTER_LANCZOS4
        return np.asarray(cv2.resize(picture, self.size, interpolation=method), np.uint8)

    def mask(self, mask: Picture) -> Picture:
        """Scale a mask of the portrait's size."""
        method = cv2.INTER_AREA if self.factor < 1 else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(mask, self.size, interpolation=method), np.uint8)

    def patch(self, patch: Picture, corner: NDArray[Any]) -> Picture:
        """Scale a patch of the picture whose left and top are `corner`."""
        left, top = (int(edge) for edge in corner)
        height, width = patch.shape[:2]
        low = self.corner(corner)
        high = np.ceil([(left + width) * self.across, (top + height) * self.down]).astype(np.int64)
        high = np.minimum(np.maximum(high, low + 1), self.size)
        x = (np.arange(low[0], high[0], dtype=np.float32) + 0.5) / self.across - 0.5
        y = (np.arange(low[1], high[1], dtype=np.float32) + 0.5) / self.down - 0.5
        # Its surroundings in the picture lend the filter what lies beyond the patch's edge.
        first, above = max(left - _SURROUNDINGS, 0), max(top - _SURROUNDINGS, 0)
        window = np.s_[above : top + height + _SURROUNDINGS, first : left + width + _SURROUNDINGS]
        around = self.portrait.picture[window].copy()
        around[top - above : top - above + height, left - first : left - first + width] = patch
        if self.factor < 1:
            around = np.asarray(cv2.GaussianBlur(around, (0, 0), 0.4 / self.factor), np.uint8)
        maps = np.meshgrid(x - np.float32(first), y - np.float32(above))
        scaled = cv2.remap(around, *maps, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(scaled, np.uint8)

    def sheet(self, sheet: Picture, corner: NDArray[Any]) -> Picture:
        """Scale the pictures of an eye, which lie one below the other: see eye_layer.PICTURES."""
        return np.concatenate([self.patch(patch, corner) for patch in np.split(sheet, len(PICTURES))])

    def corner(self, corner: NDArray[Any]) -> NDArray[np.int64]:
        """Carry a patch's left and top over."""
        return np.asarray(np.floor(corner * [self.across, self.down]), np.int64)

    def ringing(self) -> Picture:
        """Mark by 1 where enlarging has let the person's outline ring into the background, uint8[H, W]."""
        if self.factor <= 1 or not self.portrait.has_backdrop:
            return np.zeros(self.size[::-1], np.uint8)
        matte = self.portrait.matte
        near = cv2.dilate((matte > 0).astype(np.uint8), np.ones((2 * _RINGS + 1, 2 * _RINGS + 1), np.uint8))
        near = np.asarray(cv2.resize(near, self.size, interpolation=cv2.INTER_NEAREST), np.uint8)
        return np.where(self.mask(matte) == 0, near, 0).astype(np.uint8)

    def backdrop(self) -> Picture:
        """Scale the background, which has no outline to ring; it stays no lighter than the photo there."""
        behind = self.picture(background_of(self.portrait))
        darker = np.minimum(behind, self.picture(self.portrait.picture))
        return np.where(self.ringing()[..., None] > 0, darker, behind).astype(np.uint8)

    def eye(self, numbers: NDArray[np.float32]) -> NDArray[np.float32]:
        """Carry an eye's numbers over: see Portrait.left_eye."""
        lengths = numbers[4:] * np.float32(self.factor)
        corner = self.corner(numbers[:2]).astype(np.float32)
        return np.concatenate([corner, self.places(numbers[2:4]), lengths])


def _same(name: str) -> Callable[[_Scaling], Any]:
    return lambda to: getattr(to.portrait, name)


RULES: Final[dict[str, Callable[[_Scaling], Any]]] = {
    "name": _same("name"),
    "picture": lambda to: to.picture(to.portrait.picture),
    "landmarks": lambda to: to.places(to.portrait.landmarks),
    "scores": _same("scores"),
    "scale": lambda to: to.portrait.scale * to.factor,
    "pivot": lambda to: to.places(to.portrait.pivot),
    "nod_pivot": lambda to: to.places(to.portrait.nod_pivot),
    "vertices": lambda to: to.places(to.portrait.vertices),
    "runs": _same("runs"),
    "share": _same("share"),
    "texture": lambda to: to.places(to.portrait.texture),
    "delta_starts": _same("delta_starts"),
    "delta_rows": _same("delta_rows"),
    "delta_values": lambda to: to.lengths(to.portrait.delta_values),
    "face_triangles": _same("face_triangles"),
    "grid_triangles": _same("grid_triangles"),
    "mouth_triangles": _same("mouth_triangles"),
    "mouth_paint": _same("mouth_paint"),
    "mouth_cavity": _same("mouth_cavity"),
    "mouth_photo": lambda to: to.mask(to.portrait.mouth_photo),
    "teeth_photo": lambda to: to.mask(to.portrait.teeth_photo),
    "matte": lambda to: np.maximum(to.mask(to.portrait.matte), to.ringing()),
    "backdrop": lambda to: to.backdrop(),
    "lips_picture": lambda to: to.patch(to.portrait.lips_picture, to.portrait.lips_corner),
    "lips_corner": lambda to: to.corner(to.portrait.lips_corner),
    "lips_parted": _same("lips_parted"),
    "left_eye_sheet": lambda to: to.sheet(to.portrait.left_eye_sheet, to.portrait.left_eye[:2]),
    "left_eye_lashes": _same("left_eye_lashes"),
    "left_eye": lambda to: to.eye(to.portrait.left_eye),
    "right_eye_sheet": lambda to: to.sheet(to.portrait.right_eye_sheet, to.portrait.right_eye[:2]),
    "right_eye_lashes": _same("right_eye_lashes"),
    "right_eye": lambda to: to.eye(to.portrait.right_eye),
}
"""How each field of a portrait is carried to another size."""


def scale_portrait(portrait: Portrait, size: Size) -> Portrait:
    """Return the portrait with a picture of this width and height: at rest, exactly the scaled photo."""
    if size == portrait.size:
        return portrait
    to = _Scaling(portrait, size)
    values = {field.name: RULES[field.name](to) for field in fields(Portrait)}
    # More pixels show vertices that fewer pixels hide; each shows the photo where it lies.
    face = values["vertices"][: portrait.runs[1]]
    drawn = face[np.unique(portrait.face_triangles), :2]
    low = np.floor(drawn.min(axis=0)).clip(0)
    high = np.ceil(drawn.max(axis=0) + 1).clip(None, size)
    within = face - np.append(low, 0).astype(np.float32)
    width, height = (int(side) for side in np.maximum(high - low, 1))
    seen = seen_vertices(within, portrait.face_triangles, (width, height))
    values["texture"][: portrait.runs[1]][seen] = face[seen, :2]
    return Portrait(**values)
