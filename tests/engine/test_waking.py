from dataclasses import replace

import numpy as np
import pytest
from motions import motion_of
from numpy.typing import NDArray
from synthetic_face import draw_photo

from mien.engine.animator import Animator
from mien.engine.face_points import OUTER_LIPS
from mien.engine.head import load_head
from mien.engine.motion import neutral_motion
from mien.engine.portrait import Portrait
from mien.engine.rig_renderer import RigRenderer
from mien.engine.waking import WAKING_FRAMES, awake_at, turn_to_viewer

Frame = NDArray[np.uint8]
DEGREE = np.pi / 180


@pytest.fixture(scope="module")
def turned() -> Portrait:
    return draw_photo(yaw=25 * DEGREE).portrait(segmented=True)


def marked(picture: Frame) -> float:
    """How far right the green dot on the tip of the nose lies."""
    red, green, blue = (picture[..., c].astype(int) for c in range(3))
    return float(np.nonzero((green > 150) & (red < 110) & (blue < 110))[1].mean())


def iris(picture: Frame) -> float:
    """How far right the irises lie."""
    red, green, blue = (picture[..., c].astype(int) for c in range(3))
    return float(np.nonzero((blue > 130) & (red < 90) & (green < 110))[1].mean())


def test_waking_begins_at_the_photo_and_never_jerks() -> None:
    path = np.array([awake_at(frame) for frame in range(WAKING_FRAMES + 10)])
    assert path[0] == 0
    np.testing.assert_array_equal(path[WAKING_FRAMES:], 1)
    steps = np.diff(path)
    assert (steps >= 0).all()
    assert steps.max() < 2.5 / WAKING_FRAMES
    assert np.abs(np.diff(steps)).max() < 0.01


@pytest.mark.parametrize("yaw", [0, 4, -4])
def test_a_head_that_is_hardly_turned_stays(yaw: int) -> None:
    assert abs(turn_to_viewer(draw_photo(yaw=yaw * DEGREE).portrait())) < 0.5 * DEGREE


@pytest.mark.parametrize("yaw", [18, -18, 30, -30])
def test_a_turned_head_turns_back_by_part_of_the_way(yaw: int) -> None:
    turn = turn_to_viewer(draw_photo(yaw=yaw * DEGREE).portrait()) / DEGREE
    assert turn * yaw < 0
    assert 0.35 * abs(yaw) < abs(turn) < 0.6 * abs(yaw)


def test_a_turned_face_is_the_photo_until_it_wakes(turned: Portrait) -> None:
    renderer = RigRenderer(turned)
    for awake in (None, 0.0):
        drawn = renderer.render(neutral_motion(1)[0], awake)
        assert np.abs(drawn.astype(int) - turned.picture).max() <= 1
    assert marked(renderer.render(neutral_motion(1)[0], 1.0)) < marked(turned.picture) - 8


def test_eyes_keep_to_the_viewer_while_the_head_turns(turned: Portrait) -> None:
    """They move less than the nose does by all that the ball turns back in the head."""
    renderer = RigRenderer(turned)
    awake = renderer.render(neutral_motion(1)[0], 1.0)
    angle = turn_to_viewer(turned)
    staring = renderer.render(motion_of(gazeYaw=angle), 1.0)
    assert iris(awake) > iris(staring) + 2


def test_animator_wakes_the_face_once() -> None:
    seen: list[float | None] = []

    class Listening:
        size = (16, 8)

        def render(self, motion: NDArray[np.float32], awake: float | None = None) -> Frame:
            seen.append(awake)
            return np.zeros((8, 16, 3), np.uint8)

        def close(self) -> None: ...

    animator = Animator(Listening(), None)  # type: ignore[arg-type]
    for index in (0, WAKING_FRAMES // 2, WAKING_FRAMES, 1000):
        animator.draw(index, neutral_motion(1)[0])
    assert seen == [0.0, 0.5, 1.0, 1.0]


@pytest.mark.parametrize("yaw", [-33, 33])
def test_the_far_cheek_is_skin_up_to_its_outline(yaw: int) -> None:
    """What of it bulges past the landmarks' oval moves as skin does, not as the background."""
    portrait = draw_photo(yaw=yaw * DEGREE, mouthSmileLeft=0.6, mouthSmileRight=0.6).portrait(segmented=True)
    face = portrait.face_triangles
    skin = portrait.vertices[np.unique(face), :2]
    lips = portrait.landmarks[list(OUTER_LIPS), :2]
    corner = lips[lips[:, 0].argmax() if yaw > 0 else lips[:, 0].argmin()]
    beside = skin[np.abs(skin[:, 1] - corner[1]) < 6, 0]
    row = portrait.picture[round(float(corner[1])), :, 0] > 150
    edge = np.flatnonzero(row)[-1 if yaw > 0 else 0]
    reached = beside.max() if yaw > 0 else beside.min()
    assert abs(reached - edge) < 6


@pytest.mark.parametrize("yaw", [-30, 30])
def test_no_neck_stands_behind_parted_lips(yaw: int) -> None:
    """It came out from behind the far cheek as the head turned back."""
    portrait = draw_photo(yaw=yaw * DEGREE, jawOpen=0.5).portrait(segmented=True)
    head = load_head()
    used = np.unique(portrait.face_triangles)
    lips = portrait.vertices[head.rings[0][8:12]].reshape(-1, 3)
    near = used[np.abs(portrait.vertices[used, 1] - lips[:, 1].mean()) < 20]
    outer = lips[:, 0]
    within = near[(portrait.vertices[near, 0] > outer.min()) & (portrait.vertices[near, 0] < outer.max())]
    assert len(within) > 50
    assert portrait.vertices[within, 2].max() < lips[:, 2].max() + 0.25 * portrait.scale


def test_background_beside_the_lips_is_not_shown_twice(turned: Portrait) -> None:
    """The lips' own picture holds background too where a far cheek is narrow."""
    left, top = turned.lips_corner.tolist()
    height, width = turned.lips_picture.shape[:2]
    strip = (slice(top, top + height), slice(left + width - 8, left + width))
    matte, backdrop = turned.matte.copy(), turned.backdrop.copy()
    matte[strip], backdrop[strip] = 0, turned.picture[strip]
    narrow = replace(turned, matte=matte, backdrop=backdrop)
    drawn = RigRenderer(narrow).render(motion_of(jawOpen=0.4))
    assert drawn[strip].max() <= turned.picture[strip].max() + 20
