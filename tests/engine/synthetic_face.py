"""A photo that never was: the head model itself, painted and drawn, with exact landmarks."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.framing import DEFAULT_SIZE, Size
from mien.engine.head import HeadModel, load_head
from mien.engine.head_fit import rotation_about
from mien.engine.landmarks import FaceLandmarks
from mien.engine.motion import INDEX
from mien.engine.portrait import Portrait
from mien.engine.preparation import prepare_portrait
from mien.kernels.raster import raster_attributes

SKIN = (205, 165, 140)
LIP = (170, 80, 85)
DARK = (80, 60, 60)
"""Of an open mouth's inside, teeth and all, for tests to count."""
WHITE = (245, 245, 245)
IRIS = (40, 70, 200)
MARK = (20, 230, 20)
"""A green dot on the tip of the nose, to follow the head's turns by."""
NOSE_TIP = 4
IRIS_RADIUS = 0.042


@dataclass(frozen=True)
class SyntheticPhoto:
    picture: NDArray[np.uint8]
    face: FaceLandmarks

    def portrait(
        self, name: str = "synthetic", size: Size = DEFAULT_SIZE, *, segmented: bool = False
    ) -> Portrait:
        segmenter = RednessSegmenter() if segmented else None
        return prepare_portrait(self.picture, self.face, name=name, size=size, segmenter=segmenter)


class RednessSegmenter:
    """Finds the synthetic person: nothing in the synthetic background is as red as skin."""

    def segment(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        skin = (picture[..., 0] > 130).astype(np.uint8)
        whole = cv2.morphologyEx(skin, cv2.MORPH_CLOSE, np.ones((25, 25), np.uint8))
        return np.asarray(cv2.GaussianBlur(whole.astype(np.float32), (0, 0), 2), np.float32)


def draw_photo(
    *, yaw: float = 0.0, pitch: float = 0.0, scale: float = 230.0, side: int = 640, **shapes: float
) -> SyntheticPhoto:
    """Draw a head of `scale` pixels a face width in a picture of side x side; angles in radians."""
    head = load_head()
    model = head.vertices.copy()
    for name, weight in shapes.items():
        model += np.float32(weight) * head.shapes[INDEX[name]]
    # The model's frame is x right, y down, z away: a turn to the right is one about -y, up about -x.
    rotation = rotation_about(np.array([0.0, -yaw, 0.0])) @ rotation_about(np.array([-pitch, 0.0, 0.0]))
    places = scale * model @ rotation.T + np.array([side / 2, side / 2 - 20, 0.0])
    picture = _background(side)
    depth = np.full((side, side), np.inf, np.float32)
    # The model's lips stand a hair apart at rest, which a photo of closed lips does not show.
    inside = DARK if "jawOpen" in shapes else LIP
    drawn = picture.astype(np.float32)
    raster_attributes(
        places.astype(np.float32), np.concatenate(head.triangles), _paint(head, inside), drawn, depth
    )
    points = head.landmarks(places.astype(np.float32))
    for iris, ball in (((468, 469, 470, 471, 472), "right_eye"), ((473, 474, 475, 476, 477), "left_eye")):
        centre = places[head.part(ball)][0].astype(np.float32)
        points[list(iris)] = centre
        around = np.array([[1, 0, 0], [0, -1, 0], [-1, 0, 0], [0, 1, 0]], np.float32)
        points[list(iris[1:])] += IRIS_RADIUS * scale * around
    picture = np.clip(drawn + _grain(side), 0, 255).astype(np.uint8)
    x, y = (round(float(value)) for value in points[NOSE_TIP, :2])
    cv2.circle(picture, (x, y), 4, MARK, -1)
    points[:, :2] += 0.5
    box = (*points[:, :2].min(axis=0).astype(int).tolist(), *points[:, :2].max(axis=0).astype(int).tolist())
    scores = dict(shapes)
    return SyntheticPhoto(picture, FaceLandmarks(points, scores, box, 1.0))


def _background(side: int) -> NDArray[np.uint8]:
    ramp = np.linspace(60, 110, side).astype(np.uint8)
    return np.stack(
        [np.tile(ramp, (side, 1)), np.tile(ramp[:, None], (1, side)), np.full((side, side), 90)], 2
    )


def _grain(side: int) -> NDArray[np.float32]:
    noise = np.random.default_rng(5).normal(0, 1, (side, side, 1)).astype(np.float32)
    return 2 * noise


def _paint(head: HeadModel, inside: tuple[int, int, int]) -> NDArray[np.float32]:
    colours = np.empty((len(head.vertices), 3), np.float32)
    colours[:] = SKIN
    rings = head.rings[0]
    colours[rings[2:10]] = LIP
    colours[head.mouth_inside()] = inside
    for part in ("left_eye", "right_eye"):
        ball = head.vertices[head.part(part)]
        near = np.linalg.norm(ball - ball[0], axis=1) < IRIS_RADIUS
        colours[head.part(part)] = np.where(near[:, None], IRIS, WHITE)
    return colours
