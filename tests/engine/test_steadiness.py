"""What a viewer must never see: a picture that trembles at rest, a feature that pops."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from motions import motion_of
from numpy.typing import NDArray
from synthetic_face import draw_photo

from mien.engine.animator import Animator
from mien.engine.face_points import OUTER_LIPS
from mien.engine.gallery import builtin_portraits, open_builtin
from mien.engine.motion import CHANNELS, INDEX, SHAPES, neutral_motion
from mien.engine.performer import Performer
from mien.engine.portrait import Portrait
from mien.engine.renderer import open_renderer
from mien.engine.rig_renderer import RigRenderer

Frame = NDArray[np.uint8]
Motion = NDArray[np.float32]

BLOCK = 16
STEPS = 13
DEGREE = np.pi / 180

LARGEST_JUMP = 2.5
"""A step of a slow sweep may be so many times the median step, and never less than so many grey levels."""

FIRST_STEP = 4
"""Grey levels by which a pixel may change for next to no movement: places are read to 1/64 pixel."""

SMALL_STEP = 10
"""Grey levels by which a pixel may leave what its neighbours show, for a hundredth of a shape."""

ONE_OF_EACH = [name for name in SHAPES if not name.endswith("Right") or name in ("jawRight", "mouthRight")]

POSES = {
    "headPitch": 15 * DEGREE,
    "headYaw": 20 * DEGREE,
    "headRoll": 15 * DEGREE,
    "headX": 0.1,
    "headY": 0.1,
    "headZ": 0.15,
    "gazeYaw": 20 * DEGREE,
    "gazePitch": 14 * DEGREE,
}
"""How far to either side each channel is swept."""


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    return draw_photo().portrait()


@pytest.fixture(scope="module")
def renderer(portrait: Portrait) -> RigRenderer:
    return RigRenderer(portrait)


def block_steps(frames: list[Frame]) -> NDArray[np.float32]:
    """Return, for each frame but the first, the largest mean change of any square of BLOCK pixels."""
    steps = []
    for last, drawn in pairwise(frames):
        apart = cv2.absdiff(last, drawn).astype(np.float32)
        height, width = (side // BLOCK for side in apart.shape[:2])
        steps.append(np.asarray(cv2.resize(apart, (width, height), interpolation=cv2.INTER_AREA)).max())
    return np.array(steps, np.float32)


def test_constant_motion_is_a_still_video(portrait: Portrait) -> None:
    animator = Animator(open_renderer(portrait), Performer(seed=0))
    random = np.random.default_rng(4)
    for motion in (neutral_motion(1)[0], random.uniform(-0.2, 0.6, CHANNELS).astype(np.float32)):
        frames = [animator.draw(index, motion).i420 for index in range(4)]
        animator.draw(4, random.uniform(0, 1, CHANNELS).astype(np.float32))
        frames.append(animator.draw(5, motion).i420)
        for frame in frames[1:]:
            np.testing.assert_array_equal(frame, frames[0])


@pytest.mark.parametrize("shape", ONE_OF_EACH)
def test_no_shape_pops(renderer: RigRenderer, shape: str) -> None:
    steps = block_steps(
        [renderer.render(motion_of(**{shape: float(weight)})) for weight in np.linspace(0, 1, STEPS)]
    )
    assert steps.max() <= LARGEST_JUMP * max(float(np.median(steps)), 1.0)


@pytest.mark.parametrize("channel", POSES)
def test_no_turn_pops(renderer: RigRenderer, channel: str) -> None:
    reach = POSES[channel]
    frames = [renderer.render(motion_of(**{channel: float(v)})) for v in np.linspace(-reach, reach, STEPS)]
    steps = block_steps(frames)
    assert steps.max() <= LARGEST_JUMP * max(float(np.median(steps)), 1.0)


@pytest.mark.parametrize("portrait_id", [builtin.id for builtin in builtin_portraits()])
def test_nothing_flips_as_soon_as_a_photo_moves(portrait_id: str) -> None:
    """The first movement from rest is as small a change as any: no layer switches on."""
    renderer = RigRenderer(open_builtin(portrait_id), size=(512, 512))
    rest = renderer.render(neutral_motion(1)[0])
    around = np.ones((3, 3), np.uint8)
    low, high = cv2.erode(rest, around).astype(int), cv2.dilate(rest, around).astype(int)
    jumps = {}
    for name in [*SHAPES, *POSES]:
        for step in (1e-4,) if name in SHAPES else (-1e-5, 1e-5):
            motion = neutral_motion(1)[0]
            motion[INDEX[name]] = step
            jumps[name, step] = int(cv2.absdiff(renderer.render(motion), rest).max())
    assert {key: jump for key, jump in jumps.items() if jump > FIRST_STEP} == {}
    for name in SHAPES:
        drawn = renderer.render(motion_of(**{name: 0.01})).astype(int)
        jumps[name, 0.01] = int(np.maximum(low - drawn, drawn - high).max())
    assert {key: jump for key, jump in jumps.items() if jump > SMALL_STEP} == {}


@pytest.mark.parametrize("name", [card.id for card in builtin_portraits()])
def test_lips_that_stir_show_nothing_new(name: str) -> None:
    """What a lip hides must not flash up as it stirs: a pixel shows what lay near it before."""
    portrait = open_builtin(name)
    renderer = RigRenderer(portrait)
    lips = portrait.landmarks[list(OUTER_LIPS), :2]
    margin = 0.1 * np.ptp(lips[:, 0])
    left, top = (lips.min(axis=0) - margin).astype(int)
    right, bottom = (lips.max(axis=0) + margin).astype(int)
    photo = portrait.picture[top:bottom, left:right]

    def beyond(motion: Motion, side: int, share: float) -> float:
        """How far any pixel has left what a square of `side` pixels round it spans, or a share of that."""
        drawn = renderer.render(motion)[top:bottom, left:right].astype(int)
        square = np.ones((side, side), np.uint8)
        darkest, lightest = cv2.erode(photo, square).astype(int), cv2.dilate(photo, square).astype(int)
        low, high = photo - share * (photo - darkest), photo + share * (lightest - photo)
        return float(np.maximum(low - drawn, drawn - high).max())

    for shape in ONE_OF_EACH:
        if shape.startswith(("jaw", "mouth")):  # a hundredth moves lips by under two pixels
            assert beyond(motion_of(**{shape: 0.01}), 5, 1.0) <= 6, shape
    for channel in ("headPitch", "headYaw", "headRoll"):  # and this by under a quarter of one
        assert beyond(motion_of(**{channel: 0.0005}), 3, 0.35) <= 6, channel
