"""Draws a portrait on the CPU: the fitted head moves, the photo follows; mouth and eyes are layers."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.engine.cutout import background_of, cut_out
from mien.engine.errors import ConfigError
from mien.engine.eye_drawing import EyeDrawing
from mien.engine.face_layer import KEPT_SMILE
from mien.engine.framing import LARGEST_ENLARGEMENT, Size, check_size, shown_window
from mien.engine.head import mouth_gap_weights
from mien.engine.motion import (
    CHANNELS,
    GAZE_SLICE,
    INDEX,
    ROTATION_SLICE,
    SHAPE_SLICE,
    SHAPES,
    TRANSLATION_SLICE,
)
from mien.engine.mouth_drawing import MouthDrawing
from mien.engine.placement import Box, Frame, Placement, bounds, ease
from mien.engine.portrait import NEUTRALISER, Portrait
from mien.engine.scaling import scale_portrait
from mien.engine.scenery import Scenery
from mien.engine.smile_folds import SmileFolds
from mien.engine.tongue import lets_out
from mien.engine.waking import turn_to_viewer, turned
from mien.kernels.blend import blend, turn
from mien.kernels.edges import soften_jumps, spread_map
from mien.kernels.lattice import fill_map, invert_grid, lattice_for, sample_moved
from mien.kernels.raster import raster_texture

ROTATION_LIMITS: Final = np.deg2rad(np.array([15.0, 20.0, 15.0], np.float32))
"""Pitch, yaw and roll go no further than this either way, in radians: past it one photo does not suffice."""

_CLOSE, _JAW, _TONGUE = INDEX["mouthClose"], INDEX["jawOpen"], INDEX["tongueOut"]
_PRESSED: Final = 0.05
"""The share of mouthClose that still presses lips that touch already."""

_TONGUE_ROOM: Final = 0.24
"""How far jawOpen is at least while the tongue is out over the lips."""
_MAKES_ROOM: Final = 0.4
"""The share of the tongue's way over the lips on which they part."""

_FURTHEST_TURN: Final = 1.2
"""Pitch and yaw, as shares of their limits, are the legs of a right triangle whose longest side is at most
this: with both at their limits, hair at the far side of the head would fold over itself."""

TRANSLATION_LIMITS: Final = np.array([0.12, 0.12, 0.25], np.float32)
"""In face widths: the picture's border stays where it is, so the head must stay within it."""

GAZE_LIMITS: Final = np.deg2rad(np.array([22.0, 16.0], np.float32))

ROTATION_GAIN: Final = np.array([1.3, 1.38, 1.0], np.float32)
"""Pitch, yaw, roll. A face drawn without it is read as turned by less than a true three-dimensional head of
the same colours at the same angle; with it, by as much."""

CAMERA_DISTANCE: Final = 4.0
"""Of the viewer, in face widths: how much nearer a head looks when it comes towards the viewer."""

NEUTRAL_AT: Final = 0.75
"""Sum of mouth weights from which on the photo's own smile or parted lips have given way to speech.

A smile does not count: it goes on from the photo's own. What closes lips counts three times, so that a
composed mouth (mien.engine.idle) has just that sum. The weight of the neutraliser is
smoothstep(sum / NEUTRAL_AT): 0 with zero slope at rest, so that a photo that smiles is shown as it is while
nothing moves, and faint noise leaves it."""

_SPEAKS: Final = np.array(
    [
        0.0
        if not name.startswith(("jaw", "mouth")) or name.startswith("mouthSmile")
        else 3.0
        if name.startswith(("mouthPress", "mouthRoll", "mouthClose"))
        else 1.0
        for name in SHAPES
    ],
    np.float32,
)

_SMILES: Final = [INDEX["mouthSmileLeft"], INDEX["mouthSmileRight"]]
_PUCKERS: Final = [INDEX["mouthPucker"], INDEX["mouthFunnel"]]

_JUMP: Final = 3.2

_PAST_BORDER: Final = 0.125
"""The person goes on past the picture's border by this share of its longer side, for movement to show."""


class RigRenderer:
    """Draws one portrait. Not for two threads at once.

    A frame takes only what it needs: where a movement leaves the coarse grid at rest, the photo is copied;
    elsewhere it is sampled once, with skin's places from the face's triangles and all others' from the grid.
    """

    def __init__(
        self, portrait: Portrait, *, size: Size | None = None, scenery: Scenery | None = None
    ) -> None:
        """Get ready to draw pictures of this width and height; by default the portrait's own.

        A picture of another size is drawn at that size: geometry and photo are scaled here, once. One of
        another shape shows what `shown_window` chooses of the portrait. Raises ConfigError for a size that is
        impossible or LARGEST_ENLARGEMENT times what the portrait has. scenery: stands behind the person in
        place of the photo's own background; ConfigError where the portrait has no person cut out.
        """
        self._size = portrait.size if size is None else size
        check_size(self._size)
        self._portrait, self._window = _at_size(portrait, self._size)
        portrait = self._portrait
        width, height = portrait.size
        self._placement = Placement.at_rest(portrait)
        self._weights = np.zeros(NEUTRALISER + 1, np.float32)
        self._map_x, self._map_y = np.zeros((2, height, width), np.float32)
        margin = round(_PAST_BORDER * max(width, height))
        self._ground = background_of(portrait)
        self._source = cut_out(portrait, self._ground, margin)
        self._rest = portrait.picture
        if scenery is not None:
            self._ground, self._rest = _replace_background(portrait, scenery, self._source, margin)
        photo = self._source[margin:-margin, margin:-margin, :3]
        self._grid = _Grid(portrait)
        self._canvas = np.zeros_like(portrait.picture)
        self._unsoftened = np.zeros_like(portrait.picture)
        self._drawn = np.unique(portrait.face_triangles)
        self._turn = turn_to_viewer(portrait)
        self._skin: Box = (0, 0, width, height)
        self._mouth = MouthDrawing(portrait, photo)
        self._folds = SmileFolds(portrait, photo)
        self._parting, self._softened = self._mouth.parting(self._placement), 0.0
        self._eyes = (
            EyeDrawing(portrait, "left", self._source, margin),
            EyeDrawing(portrait, "right", self._source, margin),
        )
        self._draw(np.zeros(CHANNELS, np.float32))
        for eye in self._eyes:
            eye.complete(portrait.picture, self._placement)

    @property
    def size(self) -> Size:
        """Width and height of the picture, in pixels."""
        return self._size

    def close(self) -> None:
        """Nothing is held outside of memory."""

    def render(self, motion: NDArray[np.float32], awake: float | None = None) -> Frame:
        """Draw one frame of motion, float32[CHANNELS], as RGB uint8[height, width, 3].

        awake: how far the photo's own expression and pose have given way, 0..1. Without it the expression
        does as far as the mouth is asked to move, and the pose stays.
        """
        if motion.shape != (CHANNELS,):
            raise ValueError(f"motion must be float32[{CHANNELS}], not {list(motion.shape)}")
        if awake:
            motion = turned(motion, awake * self._turn, float(ROTATION_GAIN[1]))
        return self._draw(_clamp(motion), awake)

    def _draw(self, motion: NDArray[np.float32], awake: float | None = None) -> Frame:
        placement = self._placement
        neutral = _neutral(motion) if awake is None else awake
        self._move(motion, neutral)
        self._grid.follow(placement.positions)
        boxes = self._draw_skin_map()
        parting = self._mouth.parting(placement)
        if neutral != self._softened or not np.array_equal(parting, self._parting):
            self._parting, self._softened = parting, neutral
            self._mouth.part_lips(parting)
            self._folds.soften(neutral)
        for eye in self._eyes:
            eye.follow(placement, motion)
        picture = self._canvas
        sample_moved(
            *(self._source, self._grid.lattice, self._grid.step, self._map_x, self._map_y, self._skin),
            *(self._ground, self._rest, self._window, picture),
        )
        self._soften(picture)
        self._mouth.shade_lip_line(picture, placement)
        self._mouth.draw(picture, placement, boxes[0], motion)
        for eye, box in zip(self._eyes, boxes[1:], strict=True):
            eye.draw(picture, placement, box, motion)
        left, top, right, bottom = self._window
        return picture[top:bottom, left:right].copy()

    def _draw_skin_map(self) -> list[Box]:
        """Draw where each pixel of skin takes its colour; return the boxes of the mouth and of both eyes."""
        portrait, placement = self._portrait, self._placement
        placement.depth[_area(self._skin)] = np.inf
        self._skin = bounds(placement.positions[self._drawn, :2], placement.depth.shape, 4)
        placement.depth[_area(self._skin)] = np.inf
        fill_map(self._grid.lattice, self._grid.step, self._skin, self._map_x, self._map_y)
        maps = (self._map_x, self._map_y, placement.depth)
        raster_texture(placement.positions, portrait.face_triangles, portrait.texture, *maps)
        boxes = [layer.opening.box(placement) for layer in (self._mouth, *self._eyes)]
        for box in boxes:
            spread_map(*maps, _common(box, self._skin))
        return boxes

    def _soften(self, picture: Frame) -> None:
        """Smooth the edges where one piece of skin passes before another."""
        area = _area(self._skin)
        self._unsoftened[area] = picture[area]
        left, top, right, bottom = self._skin
        inner = (left + 2, top + 2, right - 2, bottom - 2)
        soften_jumps(picture, self._unsoftened, self._map_x, self._map_y, inner, _JUMP)

    def _move(self, motion: NDArray[np.float32], neutral: float) -> None:
        """Place all vertices.

        neutral: how far the photo's own expression has given way, 0..1.
        """
        portrait, placement = self._portrait, self._placement
        shapes = motion[SHAPE_SLICE]
        self._weights[:NEUTRALISER] = shapes
        # The photo's own smile is the first part of the one asked for: on top of it there is less to add.
        own = portrait.scores[_SMILES]
        self._weights[_SMILES] *= 1 - own * (1 - (1 - KEPT_SMILE) * neutral)
        # Nobody smiles and puckers: that takes away what the neutraliser leaves.
        self._weights[_SMILES] -= own * np.float32(KEPT_SMILE * neutral * float(shapes[_PUCKERS].max()))
        self._weights[NEUTRALISER] = neutral
        placement.neutral = neutral if portrait.lips_parted else 0.0
        blend(
            portrait.vertices,
            portrait.delta_starts,
            portrait.delta_rows,
            portrait.delta_values,
            self._weights,
            placement.positions,
        )
        placement.rotation, placement.shift = _pose(motion, portrait)
        if motion[ROTATION_SLICE].any() or motion[TRANSLATION_SLICE].any():
            turn(placement.positions, portrait.share, placement.rotation, portrait.pivot, placement.shift)


class _Grid:
    """The coarse grid that carries all but the skin, and its movement as a lattice over the picture."""

    def __init__(self, portrait: Portrait) -> None:
        self._run = slice(int(portrait.runs[2]), int(portrait.runs[3]))
        self._rest = portrait.vertices[self._run, :2].copy()
        columns, rows = portrait.grid_layout()
        self._shape = (rows, columns, 2)
        first, last = self._rest[0], self._rest[-1]
        cell = (last - first) / np.array([columns - 1, rows - 1], np.float32)
        self._layout = np.concatenate([first, cell]).astype(np.float32)
        self.step = 1 << max(2, int(np.log2(1.1 * float(cell.min()))))
        """Pixels from one point of the lattice to the next: a power of two, about a cell of the grid."""
        self.lattice = lattice_for(portrait.size[1], portrait.size[0], self.step)

    def follow(self, positions: NDArray[np.float32]) -> None:
        """Take the lattice from where all vertices lie."""
        moved = positions[self._run, :2] - self._rest
        invert_grid(moved.reshape(self._shape), self._layout, self.lattice, self.step)


def _replace_background(
    portrait: Portrait, scenery: Scenery, source: Frame, margin: int
) -> tuple[Frame, Frame]:
    """Return the new background, and the picture at rest before it, uint8[H, W, 3] each."""
    if not portrait.has_backdrop:
        raise ConfigError(
            f"The portrait {portrait.name} was prepared without telling the person from the background.",
            remedy="Fetch the person finder with `mien fetch`, then prepare the photo again: mien prepare "
            "PHOTO OUT",
        )
    ground = scenery.draw(background_of(portrait))
    person = source[margin:-margin, margin:-margin].astype(np.int32)
    shown = ((255 - person[..., 3:]) * ground + 127) // 255
    return ground, np.minimum(person[..., :3] + shown, 255).astype(np.uint8)


def _at_size(portrait: Portrait, size: Size) -> tuple[Portrait, Box]:
    """Scale a portrait so that what a picture of `size` shows has that size; return both."""
    left, top, width, height = shown_window(portrait.landmarks, portrait.size, size)
    across, down = size[0] / width, size[1] / height
    if max(across, down) > LARGEST_ENLARGEMENT:
        raise ConfigError(
            f"A picture of {size[0]}x{size[1]} is more than {LARGEST_ENLARGEMENT:g} times as large as what "
            f"the portrait {portrait.name} has to show: {width}x{height}.",
            remedy="Choose a smaller size, or prepare the portrait from a larger photo.",
        )
    whole = [
        max(2 * round(own * factor / 2), side)
        for own, factor, side in zip(portrait.size, (across, down), size, strict=True)
    ]
    x = min(round(left * across), whole[0] - size[0])
    y = min(round(top * down), whole[1] - size[1])
    return scale_portrait(portrait, (whole[0], whole[1])), (x, y, x + size[0], y + size[1])


def _area(box: Box) -> tuple[slice, slice]:
    left, top, right, bottom = box
    return slice(top, bottom), slice(left, right)


def _common(one: Box, other: Box) -> Box:
    """Return what two boxes have in common."""
    left, top = max(one[0], other[0]), max(one[1], other[1])
    return left, top, max(min(one[2], other[2]), left), max(min(one[3], other[3]), top)


def _clamp(motion: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return motion within its ranges; what is not a number counts as zero."""
    kept = np.nan_to_num(motion.astype(np.float32), nan=0.0, posinf=1.0, neginf=-1.0)
    kept[SHAPE_SLICE] = np.clip(kept[SHAPE_SLICE], 0, 1)
    # A tongue put out over the lips takes the room it needs.
    room = ease(lets_out(float(kept[_TONGUE])) / _MAKES_ROOM)
    kept[_JAW] = max(float(kept[_JAW]), _TONGUE_ROOM * room)
    kept[_CLOSE] *= 1 - room
    # Lips that touch stop each other: mouthClose goes no further than what the other shapes open.
    gaps = mouth_gap_weights()
    close, opened = float(kept[_CLOSE]), float(np.maximum(gaps, 0) @ kept[SHAPE_SLICE])
    kept[_CLOSE] = min(close, opened / -float(gaps[_CLOSE]) + _PRESSED * close)
    rotation = np.clip(kept[ROTATION_SLICE], -ROTATION_LIMITS, ROTATION_LIMITS)
    far = float(np.linalg.norm(rotation[:2] / ROTATION_LIMITS[:2]))
    rotation[:2] *= min(1.0, _FURTHEST_TURN / max(far, 1e-6))
    kept[ROTATION_SLICE] = rotation
    kept[TRANSLATION_SLICE] = np.clip(kept[TRANSLATION_SLICE], -TRANSLATION_LIMITS, TRANSLATION_LIMITS)
    kept[GAZE_SLICE] = np.clip(kept[GAZE_SLICE], -GAZE_LIMITS, GAZE_LIMITS)
    return kept


def _neutral(motion: NDArray[np.float32]) -> float:
    """Say how far a photo's own mouth has given way to speech, 0..1."""
    spoken = float(motion[SHAPE_SLICE] @ _SPEAKS)
    return ease(spoken / NEUTRAL_AT)


def _pose(motion: NDArray[np.float32], portrait: Portrait) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the head's turn, float32[3, 3], with the scale its distance gives, and its shift in pixels.

    The turn is about the portrait's pivot; that the head nods about another point is part of the shift.
    """
    pitch, yaw, roll = (float(angle) for angle in motion[ROTATION_SLICE] * ROTATION_GAIN)
    x, y, z = (float(value) for value in motion[TRANSLATION_SLICE])
    cosine, sine = np.cos([pitch, yaw, roll]), np.sin([pitch, yaw, roll])
    nod = np.array([[1, 0, 0], [0, cosine[0], sine[0]], [0, -sine[0], cosine[0]]])
    shake = np.array([[cosine[1], 0, -sine[1]], [0, 1, 0], [sine[1], 0, cosine[1]]])
    tilt = np.array([[cosine[2], -sine[2], 0], [sine[2], cosine[2], 0], [0, 0, 1]])
    nearer = CAMERA_DISTANCE / (CAMERA_DISTANCE + z)
    turned = nearer * (tilt @ shake)
    arm = (portrait.nod_pivot - portrait.pivot).astype(np.float64)
    shift = portrait.scale * np.array([x, y, 0]) + turned @ (arm - nod @ arm)
    return (turned @ nod).astype(np.float32), shift.astype(np.float32)
