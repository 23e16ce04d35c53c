"""From a photo and the landmarks of its face to a portrait."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.backdrop import take_apart
from mien.engine.background_layer import NOD_PIVOT, PIVOT, build_background
from mien.engine.errors import PhotoError, PictureTooSmall
from mien.engine.eye_frame import EYE_POINTS
from mien.engine.eye_layer import build_eye
from mien.engine.face_layer import FaceLayer, build_face, seen_vertices
from mien.engine.face_points import EYES, OUTER_LIPS
from mien.engine.framing import DEFAULT_SIZE, Size, check_size, frame_head
from mien.engine.head import HeadModel, load_head
from mien.engine.head_fit import Floats, HeadFit, fit_head
from mien.engine.landmarks import FaceLandmarks
from mien.engine.matte import Segmenter, refine_matte
from mien.engine.motion import SHAPES
from mien.engine.mouth_layer import build_mouth
from mien.engine.portrait import Portrait

SMALLEST_FACE: Final = 80
"""A face of fewer pixels from forehead to chin has no lips to speak of."""

_LARGEST_ENLARGEMENT: Final = 6.4
"""A pixel of the photo covers at most so many pixels of the picture along each side: a photo of nothing but
the smallest face just fills 512 x 512."""

_LYING: Final = np.deg2rad(60)
"""A head tipped further than anyone tips it: the photo itself lies on its side."""

FURTHEST_YAW: Final = np.deg2rad(40)
FURTHEST_PITCH: Final = np.deg2rad(32)
"""A face turned further hides one of its halves."""

_USUAL_PITCH: Final = np.deg2rad(-8)
"""What the fit says of people who look straight into a camera: the mean head is held high."""

_MOVING: Final = (
    *OUTER_LIPS,
    *(index for _, top, bottom, brow, iris in EYES for index in (*top, *bottom, *brow, *iris)),
)
_MARGIN: Final = 4
"""Pixels that eyes and mouth keep from the picture's border."""

_NEGLIGIBLE: Final = 0.02
"""Movements below so many pixels at full weight are dropped."""


class FaceCutOff(PhotoError):
    """A part of the face that has to move lies outside the photo."""


class FaceTurned(PhotoError):
    """The face in the photo is turned too far away from the viewer."""


def prepare_portrait(
    picture: NDArray[np.uint8],
    face: FaceLandmarks,
    *,
    name: str,
    size: Size = DEFAULT_SIZE,
    segmenter: Segmenter | None = None,
) -> Portrait:
    """Fit the head model to a photo's face and build every layer that moves.

    picture: a photo, RGB uint8[H, W, 3]; one that lies on its side is set upright. size: width and height of
    the portrait's picture, which shows what `frame_head` chooses. segmenter: tells the person from the
    background; without one, the background near the head moves along with it. Raises PictureTooSmall,
    FaceCutOff or FaceTurned where no good portrait can come out, and ConfigError for an impossible size.
    """
    check_size(size)
    height = float(np.ptp(face.points[:468, 1]))
    if height < SMALLEST_FACE or min(picture.shape[:2]) < SMALLEST_FACE:
        raise PictureTooSmall(
            f"The face is {height:.0f} pixels high, and at least {SMALLEST_FACE} are needed.",
            remedy="Use a larger photo, or one taken from closer.",
        )
    picture, placed = _set_upright(picture, face)
    crop, points = _crop(picture, placed, size)
    moving = points[list(_MOVING), :2]
    if moving.min() < _MARGIN or np.any(moving.max(axis=0) > np.array(size) - 1 - _MARGIN):
        raise FaceCutOff(
            "The picture would cut off the eyes or the mouth.",
            remedy="Use a photo that shows the whole face, with room round it, or ask for a square picture.",
        )
    scores = np.array([face.shapes.get(shape, 0.0) for shape in SHAPES], np.float32)
    matte = None if segmenter is None else refine_matte(crop, segmenter.segment(crop), points)
    apart = None if matte is None else take_apart(crop, matte)
    return build_portrait(crop, points, scores, name=name, apart=apart)


def build_portrait(
    picture: NDArray[np.uint8],
    points: NDArray[np.float32],
    scores: NDArray[np.float32],
    *,
    name: str,
    apart: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = None,
) -> Portrait:
    """Fit the head model and build every layer over a picture that is framed already.

    picture: RGB uint8[H, W, 3]. points: float32[478, 3], pixel centres at whole numbers. scores: float32[52],
    the photo's expression. apart: the person's alpha and the background behind them, as `take_apart` makes
    them, or None where they were not told apart. A portrait keeps all of it. Raises FaceTurned.
    """
    head = load_head()
    fit = fit_head(head, points, dict(zip(SHAPES, scores.tolist(), strict=True)))
    if abs(fit.yaw) > FURTHEST_YAW or abs(fit.pitch - _USUAL_PITCH) > FURTHEST_PITCH:
        raise FaceTurned(
            f"The face is turned {np.rad2deg(fit.yaw):+.0f} degrees sideways and "
            f"{np.rad2deg(fit.pitch - _USUAL_PITCH):+.0f} up.",
            remedy="Use a photo in which the face looks at the camera, or nearly so.",
        )
    return _assemble(head, fit, picture, points, scores, name, apart)


def _set_upright(
    picture: NDArray[np.uint8], face: FaceLandmarks
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Turn a photo that lies on its side or upside down by quarter turns, and the landmarks with it."""
    quarters = round(face.roll / (np.pi / 2)) if abs(face.roll) > _LYING else 0
    points = face.points.copy()
    if not quarters:
        return picture, points
    for _ in range(quarters % 4):  # each takes the picture's right edge to its top
        points[:, :2] = np.column_stack([points[:, 1], picture.shape[1] - points[:, 0]])
        picture = np.rot90(picture)
    return np.ascontiguousarray(picture), points


def _crop(
    picture: NDArray[np.uint8], points: NDArray[np.float32], size: Size
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Cut out what the picture shows and scale it; landmarks come along, pixel centres at whole numbers."""
    left, top, width, height = frame_head(points, (picture.shape[1], picture.shape[0]), size)
    scale = size[1] / height
    if scale > _LARGEST_ENLARGEMENT:
        raise PictureTooSmall(
            f"The photo's part with the face has {width} x {height} pixels, too few for a picture of "
            f"{size[0]} x {size[1]}.",
            remedy="Use a larger photo, or ask for a smaller --size.",
        )
    cut = picture[top : top + height, left : left + width]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    crop = np.ascontiguousarray(cv2.resize(cut, size, interpolation=method), np.uint8)
    scales = np.array([size[0] / width, scale, scale], np.float32)
    moved = points.astype(np.float32) * scales
    moved[:, :2] -= np.array([left, top], np.float32) * scales[:2] + np.float32(0.5)
    return crop, moved


def _assemble(
    head: HeadModel,
    fit: HeadFit,
    picture: NDArray[np.uint8],
    points: NDArray[np.float32],
    scores: NDArray[np.float32],
    name: str,
    apart: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None,
) -> Portrait:
    height, width = picture.shape[:2]
    everything = np.full((height, width), 255, np.uint8)
    matte, backdrop = apart or (everything, np.zeros_like(picture))
    face = build_face(head, fit, points, (width, height))
    upper_moved, lower_moved = _lips_moved(head, fit, face)
    mouth = build_mouth(
        head, fit, picture, points, upper_moved=upper_moved, lower_moved=lower_moved, parted=face.lips_parted
    )
    person = None if apart is None else matte
    ground = build_background(head, fit, face, points, (height, width), matte=person)
    eyes = {side: build_eye(head, fit, picture, points, side) for side in EYE_POINTS}
    runs = np.cumsum([0, len(face.positions), len(mouth.positions), len(ground.positions)])
    vertices = np.concatenate([ground.face_positions, mouth.positions, ground.positions])
    deltas = np.concatenate([ground.face_deltas, mouth.deltas, ground.deltas], axis=1)
    used = np.ones(len(vertices), bool)
    used[: runs[1]] = False
    used[face.triangles] = True
    used[head.landmark_corners] = True
    starts, rows, values = _sparse(deltas, used)
    hidden = np.zeros((len(mouth.positions), 2))
    # Skin whose depth was tied to the grid's may have come to the front: at rest it shows its own place.
    seen = seen_vertices(ground.face_positions, face.triangles, (width, height))
    texture = np.where(seen[:, None], ground.face_positions[:, :2], face.texture)
    return Portrait(
        name=name,
        picture=picture,
        landmarks=points,
        scores=scores,
        scale=fit.scale,
        pivot=fit.project(PIVOT).astype(np.float32),
        nod_pivot=fit.project(NOD_PIVOT).astype(np.float32),
        vertices=vertices.astype(np.float32),
        runs=runs.astype(np.int64),
        share=np.concatenate([ground.face_share, np.ones(len(hidden)), ground.share]).astype(np.float32),
        texture=np.concatenate([texture, hidden, ground.positions[:, :2]]).astype(np.float32),
        delta_starts=starts,
        delta_rows=rows,
        delta_values=values,
        face_triangles=face.triangles.astype(np.int32),
        grid_triangles=(ground.triangles + runs[2]).astype(np.int32),
        mouth_triangles=(mouth.triangles + runs[1]).astype(np.int32),
        mouth_paint=mouth.paint,
        mouth_cavity=mouth.cavity,
        mouth_photo=mouth.photo,
        teeth_photo=mouth.teeth,
        lips_picture=mouth.lips,
        lips_corner=mouth.lips_corner,
        matte=matte,
        backdrop=backdrop,
        lips_parted=face.lips_parted,
        left_eye_sheet=eyes["left"].sheet,
        left_eye_lashes=eyes["left"].lashes,
        left_eye=eyes["left"].numbers,
        right_eye_sheet=eyes["right"].sheet,
        right_eye_lashes=eyes["right"].lashes,
        right_eye=eyes["right"].numbers,
    )


def _lips_moved(head: HeadModel, fit: HeadFit, face: FaceLayer) -> tuple[Floats, Floats]:
    """How far the lips lie from where the fitted model alone puts them: teeth follow their lip."""
    run = head.part("face")
    model = head.vertices[run] + np.tensordot(fit.identity, head.identities[:, run], 1)
    model = model + np.tensordot(fit.expression, head.shapes[:, run], 1)
    moved = (face.positions - fit.project(model))[:, :2]
    rings = head.rings[0][8:]
    half = rings.shape[1] // 2
    quarter = half // 4
    upper = moved[rings[:, quarter : half - quarter]].mean(axis=(0, 1))
    lower = moved[rings[:, half + quarter : -quarter]].mean(axis=(0, 1))
    return upper, lower


def _sparse(
    deltas: Floats, used: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Keep, for each shape, the vertices that it visibly moves."""
    moves = (np.abs(deltas).max(axis=2) > _NEGLIGIBLE) & used
    rows = [np.flatnonzero(row) for row in moves]
    starts = np.cumsum([0, *(len(row) for row in rows)])
    values = np.concatenate([delta[row] for delta, row in zip(deltas, rows, strict=True)])
    return starts.astype(np.int64), np.concatenate(rows).astype(np.int32), values.astype(np.float32)
