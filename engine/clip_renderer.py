"""Draws a clip's frames with new lips: every other pixel stays the video's own."""

from dataclasses import dataclass
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.clip import Clip
from mien.engine.clip_skirt import Skirt
from mien.engine.face_points import INNER_LIPS_BOTTOM, INNER_LIPS_TOP
from mien.engine.framing import Size, check_size, shown_window
from mien.engine.head import load_head, mouth_gap_weights
from mien.engine.motion import CHANNELS, INDEX, MOUTH_SLICE, SHAPE_SLICE
from mien.engine.mouth_drawing import MouthDrawing
from mien.engine.mouth_layer import bare_lips
from mien.engine.placement import Box, Frame, Placement, bounds, ease
from mien.engine.portrait import NEUTRALISER, Portrait
from mien.kernels.blend import blend, turn
from mien.kernels.edges import soften_jumps, spread_map
from mien.kernels.raster import raster_attributes, raster_texture

_JUMP: Final = 3.2
_PARTED: Final = 0.04
"""Face widths between new lips from which on they show nothing of the line between them."""
_TOUCHING: Final = 0.008
"""Face widths that landmarks see between the video's own lips where they touch."""
_APART: Final = 0.024
"""Face widths between them from which on what lies there has to go."""
_MARGIN: Final = 6
"""Pixels of the frame round what moves."""

Places = NDArray[np.float32]
"""float32[n, 3], or [n, 2] without depth."""


class Pictures(Protocol):
    """The frames of a clip."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, in pixels, both even."""

    def picture(self, frame: int) -> Frame:
        """Return one frame as RGB uint8[height, width, 3], which the caller may change."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where everything of one frame lies, in pixels of a window of it."""

    window: Box
    placement: Placement
    points: Places
    """float32[478, 3]: the video's own landmarks."""
    texture: Places
    """float32[vertices, 2]: where each vertex takes its colour."""
    skirt: Places
    skirt_texture: Places
    skirt_triangles: NDArray[np.int32]


class ClipRenderer:
    """Gives a clip's frames new lips. Not for two threads at once.

    It fits Renderer: each `render` shows the clip's next frame, there and back again without end.
    """

    def __init__(self, clip: Clip, pictures: Pictures, *, size: Size | None = None) -> None:
        """Get ready to draw pictures of this width and height; None takes the clip's own.

        Another shape shows the part that shows the face. Raises ConfigError for an impossible size.
        """
        if size is not None:
            check_size(size)
        self._size = size or pictures.size
        self._shown = shown_window(clip.landmarks, pictures.size, self._size)
        self._clip = clip
        self._pictures = pictures
        portrait = clip.portrait
        self._face = int(portrait.runs[1])
        self._rest = portrait.vertices.copy()
        self._moved = np.empty_like(self._rest)
        self._weights = np.zeros(NEUTRALISER + 1, np.float32)
        self._whole = np.ones(len(self._rest), np.float32)
        self._mouth = MouthDrawing(portrait, portrait.picture.copy())
        self._skirt = Skirt(portrait)
        self._hidden, self._hidden_corners, self._hidden_weights = _hidden_texture(portrait)
        self._used = np.unique(portrait.face_triangles)
        moving = np.zeros(self._face, bool)
        moving[self._used] = True
        moving &= clip.reach > 0
        self._moving = np.flatnonzero(moving)
        within = moving[portrait.face_triangles].any(axis=1)
        self._triangles = np.ascontiguousarray(portrait.face_triangles[within])
        self._gap_weights = mouth_gap_weights()
        self._next = 0

    @property
    def size(self) -> Size:
        """Width and height of the picture, in pixels."""
        return self._size

    def close(self) -> None:
        """Nothing is held outside of memory."""

    def render(self, motion: NDArray[np.float32], awake: float | None = None) -> Frame:
        """Draw the clip's next frame with the mouth of motion, float32[CHANNELS]."""
        frame, self._next = self._next, self._next + 1
        return self.draw(there_and_back(frame, len(self._clip)), motion)

    def draw(self, frame: int, motion: NDArray[np.float32]) -> Frame:
        """Draw one frame of the clip with the mouth of motion, as RGB uint8[height, width, 3]."""
        if motion.shape != (CHANNELS,):
            raise ValueError(f"motion must be float32[{CHANNELS}], not {list(motion.shape)}")
        picture = self._pictures.picture(frame)
        presence = float(self._clip.presence[frame])
        if presence > 0:
            self._redraw_mouth(picture, frame, _mouth_alone(motion), presence)
        return self._framed(picture)

    def _framed(self, picture: Frame) -> Frame:
        if self._size == (picture.shape[1], picture.shape[0]):
            return picture
        left, top, width, height = self._shown
        part = picture[top : top + height, left : left + width]
        method = cv2.INTER_AREA if height > self._size[1] else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(part, self._size, interpolation=method), np.uint8)

    def _redraw_mouth(self, picture: Frame, frame: int, motion: NDArray[np.float32], presence: float) -> None:
        shapes = motion[SHAPE_SLICE]
        layout = self._lay_out(frame, *self._movements(frame, shapes))
        placement = layout.placement
        cut = _cut_out(picture, layout.window)
        # How far the video's own lips are parted, and the new ones.
        placement.neutral = ease((self._own_gap(frame, layout.points) - _TOUCHING) / (_APART - _TOUCHING))
        opened = ease(float(self._gap_weights @ shapes) / _PARTED)
        source = _without_mouth(cut, layout.points, max(placement.neutral, opened), placement.neutral > 0)
        drawn = self._warp(source, layout)
        self._mouth.shade_lip_line(drawn, placement)
        self._mouth.draw(drawn, placement, self._mouth.opening.box(placement), motion)
        if presence < 1:
            drawn = np.asarray(cv2.addWeighted(drawn, presence, cut, 1 - presence, 0), np.uint8)
        _put_back(picture, drawn, layout.window)

    # ---- geometry

    def _movements(self, frame: int, shapes: NDArray[np.float32]) -> tuple[Places, Places]:
        """Return where all vertices lie in portrait pixels as the video has them, and as they are to be."""
        clip, portrait = self._clip, self._clip.portrait
        self._weights[:NEUTRALISER] = shapes
        self._weights[NEUTRALISER] = 1.0 if portrait.lips_parted else 0.0
        blend(
            portrait.vertices,
            portrait.delta_starts,
            portrait.delta_rows,
            portrait.delta_values,
            self._weights,
            self._moved,
        )
        own = self._rest.copy()
        own[: self._face, :2] += clip.own_movement(frame)
        new = self._moved.copy()
        share = clip.reach[:, None]
        new[: self._face] = own[: self._face] + share * (new[: self._face] - own[: self._face])
        self._skirt.tie(own[: self._face])
        self._skirt.tie(new[: self._face])
        return own, new

    def _lay_out(self, frame: int, own: Places, new: Places) -> _Layout:
        """Carry portrait pixels to those of a window of the frame. `own` and `new` are changed."""
        clip, pivot = self._clip, self._clip.portrait.pivot
        rotation = clip.turns[frame]
        shift = clip.shifts[frame] + rotation @ pivot - pivot
        skirt_own, skirt_new, skirt_triangles = self._skirt.move(own[: self._face], new[: self._face])
        for places in (own, new, skirt_own, skirt_new):
            turn(places, np.ones(len(places), np.float32), rotation, pivot, shift)
        beside = np.unique(skirt_triangles)
        moving = (own[self._moving], new[self._moving], skirt_own[beside], skirt_new[beside])
        window = _window(np.concatenate(moving)[:, :2])
        corner = np.array([*window[:2], 0], np.float32)
        for places in (own, new, skirt_own, skirt_new):
            places -= corner
        depth = np.full((window[3] - window[1], window[2] - window[0]), np.inf, np.float32)
        texture = own[:, :2].copy()
        texture[self._hidden] = (own[self._hidden_corners, :2] * self._hidden_weights[..., None]).sum(axis=1)
        return _Layout(
            window,
            Placement(new, depth, rotation, shift - corner, pivot),
            load_head().landmarks(own[: self._face]),
            texture,
            skirt_new,
            np.ascontiguousarray(skirt_own[:, :2]),
            skirt_triangles,
        )

    def _own_gap(self, frame: int, points: Places) -> float:
        """Measure how far the video's own lips are apart, in face widths."""
        apart = points[list(INNER_LIPS_BOTTOM), :2] - points[list(INNER_LIPS_TOP), :2]
        scale = self._clip.portrait.scale * _scale_of(self._clip.turns[frame])
        return float(np.linalg.norm(apart, axis=1).max()) / scale

    # ---- pixels

    def _warp(self, source: Frame, layout: _Layout) -> Frame:
        """Move the picture's skin and what lies beside it."""
        placement, box = layout.placement, self._mouth.opening.box(layout.placement)
        rows, columns = np.mgrid[: source.shape[0], : source.shape[1]].astype(np.float32)
        maps = np.ascontiguousarray(columns), np.ascontiguousarray(rows)
        raster_texture(layout.skirt, layout.skirt_triangles, layout.skirt_texture, *maps, placement.depth)
        placement.depth.fill(np.inf)
        raster_texture(placement.positions, self._triangles, layout.texture, *maps, placement.depth)
        spread_map(*maps, placement.depth, box)
        drawn = np.asarray(
            cv2.remap(source, *maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8
        )
        around = bounds(placement.positions[self._moving, :2], source.shape, 2)
        soften_jumps(drawn, drawn.copy(), *maps, around, _JUMP)
        return drawn


def there_and_back(index: int, frames: int) -> int:
    """Return which of so many frames is shown at an index, when they play forwards and backwards in turn."""
    if frames < 2:
        return 0
    place = index % (2 * frames - 2)
    return min(place, 2 * frames - 2 - place)


def _mouth_alone(motion: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return motion of jaw, mouth and tongue alone, float32[CHANNELS], within 0..1."""
    alone = np.zeros(CHANNELS, np.float32)
    alone[MOUTH_SLICE] = motion[MOUTH_SLICE]
    alone[INDEX["tongueOut"]] = motion[INDEX["tongueOut"]]
    return np.clip(np.nan_to_num(alone), 0, 1)


def _scale_of(rotation: NDArray[np.float32]) -> float:
    """Return the scale in a turn."""
    return float(np.cbrt(np.linalg.det(rotation)))


def _without_mouth(cut: Frame, points: Places, amount: float, parted: bool) -> Frame:
    """Return a picture, with the lips' own colours over what it shows between them."""
    if amount <= 0:
        return cut
    lips, corner = bare_lips(cut, points, parted)
    source = cut.copy()
    left, top = (int(edge) for edge in corner)
    box = source[top : top + lips.shape[0], left : left + lips.shape[1]]
    box[:] = cv2.addWeighted(lips, amount, box.copy(), 1 - amount, 0)
    return source


def _window(places: NDArray[np.float32]) -> Box:
    """Return the box of whole pixels round places [n, 2]; it may reach past the frame."""
    low = np.floor(places.min(axis=0)).astype(int) - _MARGIN
    high = np.ceil(places.max(axis=0)).astype(int) + _MARGIN
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _cut_out(picture: Frame, window: Box) -> Frame:
    """Return the pixels of a window; beyond the frame its border goes on."""
    height, width = picture.shape[:2]
    left, top, right, bottom = window
    inner = picture[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    over = (max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0))
    if not any(over):
        return np.ascontiguousarray(inner)
    return np.asarray(cv2.copyMakeBorder(inner, *over, cv2.BORDER_REPLICATE), np.uint8)


def _put_back(picture: Frame, drawn: Frame, window: Box) -> None:
    height, width = picture.shape[:2]
    left, top, right, bottom = window
    rows = slice(max(top, 0), min(bottom, height))
    columns = slice(max(left, 0), min(right, width))
    picture[rows, columns] = drawn[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]


def _hidden_texture(
    portrait: Portrait,
) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.float32]]:
    """Find vertices that take their colour from elsewhere, and where that lies among the others.

    Returns their numbers [n], the corners of the triangles they look at [n, 3], and barycentric weights.
    """
    face = int(portrait.runs[1])
    own, looks = portrait.vertices[:face, :2], portrait.texture[:face]
    used = np.zeros(face, bool)
    used[portrait.face_triangles] = True
    hidden = np.flatnonzero((np.abs(looks - own).max(axis=1) > 0.01) & used)
    height, width = portrait.picture.shape[:2]
    triangles = portrait.face_triangles
    corners = np.ascontiguousarray(portrait.vertices[triangles].reshape(-1, 3))
    alone = np.arange(len(corners), dtype=np.int32).reshape(-1, 3)
    owner = np.full((height, width, 1), -1, np.float32)
    numbers = np.repeat(np.arange(len(triangles), dtype=np.float32), 3)[:, None]
    raster_attributes(corners, alone, numbers, owner, np.full((height, width), np.inf, np.float32))
    pixel = np.round(looks[hidden]).astype(np.intp)
    pixel = np.clip(pixel, 0, [width - 1, height - 1])
    seen = np.round(owner[pixel[:, 1], pixel[:, 0], 0]).astype(np.int64)
    hidden, seen = hidden[seen >= 0], seen[seen >= 0]
    where = triangles[seen]
    a, b, c = (own[where[:, k]].astype(np.float64) for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    offset = looks[hidden].astype(np.float64) - a
    second = (offset[:, 0] * (c[:, 1] - a[:, 1]) - offset[:, 1] * (c[:, 0] - a[:, 0])) / area
    third = (offset[:, 1] * (b[:, 0] - a[:, 0]) - offset[:, 0] * (b[:, 1] - a[:, 1])) / area
    weights = np.stack([1 - second - third, second, third], axis=1)
    return hidden, where, weights.astype(np.float32)
