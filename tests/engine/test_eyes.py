"""Eyes in motion: lids that close, skin about them that stays, gaze, reflections."""

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from motions import motion_of
from numpy.typing import NDArray
from synthetic_face import draw_photo

from mien.engine.eye_frame import EyeFrame, Side
from mien.engine.eye_layer import PICTURES
from mien.engine.motion import neutral_motion
from mien.engine.portrait import Portrait
from mien.engine.rig_renderer import RigRenderer

Frame = NDArray[np.uint8]
DEGREE = np.pi / 180


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    """Return a face with a reflection on each iris, a little up and to the left of its centre."""
    photo = draw_photo()
    picture = photo.picture.copy()
    for iris in (468, 473):
        x, y = photo.face.points[iris, :2]
        cv2.circle(picture, (round(float(x)) - 3, round(float(y)) - 3), 2, (255, 255, 255), -1, cv2.LINE_AA)
    return replace(photo, picture=picture).portrait()


@pytest.fixture(scope="module")
def renderer(portrait: Portrait) -> RigRenderer:
    return RigRenderer(portrait)


def in_frame(portrait: Portrait, side: Side) -> tuple[EyeFrame, NDArray[np.float64], NDArray[np.float64]]:
    """Return an eye's frame, and every pixel's x and y in it, in eye widths."""
    frame = EyeFrame.of(portrait.landmarks, side)
    rows, columns = np.mgrid[: portrait.picture.shape[0], : portrait.picture.shape[1]].astype(np.float64)
    x, y = frame.framed(np.stack([columns, rows], axis=-1))
    return frame, x / frame.width, y / frame.width


def test_rest_with_reflections_is_the_photo(portrait: Portrait, renderer: RigRenderer) -> None:
    drawn = renderer.render(neutral_motion(1)[0])
    assert np.abs(drawn.astype(int) - portrait.picture).max() <= 1


@pytest.mark.parametrize("yaw", [-15, 0, 15])
@pytest.mark.parametrize("pitch", [-10, 10])
def test_closed_lids_leave_no_gap(renderer: RigRenderer, yaw: int, pitch: int) -> None:
    """No white and no blue of the ball shows, however the head is turned and the gaze has wandered."""
    turned = {"headYaw": yaw * DEGREE, "headPitch": pitch * DEGREE, "gazeYaw": 0.2, "gazePitch": -0.1}
    drawn = renderer.render(motion_of(eyeBlink=1.0, **turned)).astype(int)
    opened = renderer.render(motion_of(**turned)).astype(int)
    for picture, shown in ((opened, True), (drawn, False)):
        assert bool((picture.min(axis=2) > 215).any()) is shown
        assert bool((picture[..., 2] > picture[..., 0] + 60).any()) is shown


def test_a_closed_lid_is_of_the_skin_about_it(portrait: Portrait, renderer: RigRenderer) -> None:
    drawn = renderer.render(motion_of(eyeBlink=1.0))
    for side in ("left", "right"):
        frame, x, y = in_frame(portrait, side)
        upper, lower = frame.upper(x * frame.width) / frame.width, frame.lower(x * frame.width) / frame.width
        lid = (np.abs(x - 0.5) < 0.15) & (y > upper) & (y < upper + 0.6 * (lower - upper))
        skin = (np.abs(x - 0.5) < 0.3) & (y > lower + 0.4) & (y < lower + 0.6)
        assert np.abs(drawn[lid].mean(axis=0) - drawn[skin].mean(axis=0)).max() < 25


def test_a_blink_bends_nothing_about_the_eye(portrait: Portrait, renderer: RigRenderer) -> None:
    """A frame of glasses above or below the eye stays as it is, to the bit."""
    rest = renderer.render(neutral_motion(1)[0])
    near = np.zeros(rest.shape[:2], bool)
    for side in ("left", "right"):
        frame, x, y = in_frame(portrait, side)
        fold, lower = frame.fold(x * frame.width) / frame.width, frame.lower(x * frame.width) / frame.width
        near |= (x > -0.35) & (x < 1.35) & (y > fold - 0.05) & (y < lower + 0.3)
    for blink in (0.3, 0.6, 1.0):
        drawn = renderer.render(motion_of(eyeBlink=blink))
        np.testing.assert_array_equal(drawn[~near], rest[~near])


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("eyeBlink", 0.0, 1.0),
        ("eyeLookDown", 0.08, 1.0),
        ("gazeYaw", -0.38, 0.38),
        ("gazePitch", -0.28, 0.28),
        ("eyeWide", 0.0, 1.0),
    ],
)
def test_slow_movements_do_not_pop(renderer: RigRenderer, name: str, low: float, high: float) -> None:
    frames = [renderer.render(motion_of(**{name: value})) for value in np.linspace(low, high, 61)]
    steps = [np.abs(b.astype(int) - a).sum() for a, b in pairwise(frames)]
    assert max(steps) < 3.5 * np.median(steps)


def test_lids_close_steadily(portrait: Portrait, renderer: RigRenderer) -> None:
    """The more of a blink, the less of the ball is in sight."""
    seen = []
    for blink in np.linspace(0, 1, 11):
        drawn = renderer.render(motion_of(eyeBlink=float(blink))).astype(int)
        seen.append(int((drawn[..., 2] > drawn[..., 0] + 60).sum()))
    assert seen[0] > 100
    assert seen[-1] == 0
    assert all(b <= a + 2 for a, b in pairwise(seen))


@pytest.mark.parametrize(("channel", "axis"), [("gazeYaw", 1), ("gazePitch", 0)])
def test_reflections_stay_while_the_iris_moves(
    portrait: Portrait, renderer: RigRenderer, channel: str, axis: int
) -> None:
    def found(amount: float) -> tuple[float, float]:
        """Where iris and reflection lie along an axis, each by its mean pixel, in the left eye."""
        picture = renderer.render(motion_of(**{channel: amount})).astype(int)
        _, x, y = in_frame(portrait, "left")
        blue = (picture[..., 2] > picture[..., 0] + 60) & (np.abs(x - 0.5) < 0.6) & (np.abs(y) < 0.5)
        iris = np.argwhere(blue)
        inside = np.zeros(picture.shape[:2], np.uint8)
        cv2.fillConvexPoly(inside, cv2.convexHull(iris[:, ::-1].astype(np.int32)), 1)
        light = np.argwhere((picture.min(axis=2) > 170) & (inside > 0))
        return float(iris[:, axis].mean()), float(light[:, axis].mean())

    (iris_before, light_before), (iris_after, light_after) = found(-0.12), found(0.12)
    assert abs(iris_after - iris_before) > 1.5
    # The lids hide more or less of the iris, so its way is reckoned from the ball's radius.
    way = 2 * np.sin(0.12) * float(portrait.left_eye[6])
    assert abs(light_after - light_before) < 0.5 * way


def test_raised_brows_leave_the_lids_margins(portrait: Portrait, renderer: RigRenderer) -> None:
    rest = renderer.render(neutral_motion(1)[0]).astype(int)
    raised = renderer.render(motion_of(browInnerUp=1.0, browOuterUp=1.0)).astype(int)
    for side in ("left", "right"):
        frame, x, y = in_frame(portrait, side)
        upper, lower = frame.upper(x * frame.width) / frame.width, frame.lower(x * frame.width) / frame.width
        eye = (x > 0.1) & (x < 0.9) & (y > upper) & (y < lower)
        assert np.abs(raised - rest)[eye].mean() < 2


def test_a_rim_of_glasses_stays_before_the_closing_lid() -> None:
    """Its dark line crosses the lid: no blink may bend it, cover it or carry it along."""
    photo = draw_photo()
    picture = photo.picture.copy()
    points = photo.face.points
    for corners, lid in (((33, 133), 159), ((362, 263), 386)):
        left, right = points[list(corners), 0] + np.array([-22.0, 22.0])
        y = float(points[lid, 1]) - 7
        cv2.line(picture, (round(float(left)), round(y)), (round(float(right)), round(y)), (30, 28, 32), 3)
    glasses = replace(photo, picture=picture).portrait()
    renderer = RigRenderer(glasses)
    rest = glasses.picture.astype(int)
    rim = (rest.max(axis=2) < 60) & (np.abs(in_frame(glasses, "left")[1] - 0.5) < 0.7)
    assert rim.sum() > 60
    for blink in (0.2, 0.5, 1.0):
        drawn = renderer.render(motion_of(eyeBlink=blink)).astype(int)
        assert np.abs(drawn - rest)[rim].max() <= 5


def test_shut_lids_meet_in_one_line() -> None:
    """A lower lid's line drawn further down than its landmarks lie is covered, not doubled."""
    photo = draw_photo()
    picture = photo.picture.copy()
    for side in ("left", "right"):
        frame = EyeFrame.of(photo.face.points, side)
        x = np.linspace(0, 1, 41) * frame.width
        places = frame.place(x, frame.lower(x) + 0.06 * frame.width)
        line = np.round(places * 16).astype(np.int32)
        cv2.polylines(picture, [line], False, (70, 50, 45), 2, cv2.LINE_AA, 4)
    portrait = replace(photo, picture=picture).portrait()
    drawn = RigRenderer(portrait).render(motion_of(eyeBlink=1.0)).astype(np.float32).mean(axis=2)
    frame, x, y = in_frame(portrait, "left")
    fold, lower = frame.fold(x * frame.width) / frame.width, frame.lower(x * frame.width) / frame.width
    for column in np.flatnonzero(np.abs(x[round(float(frame.start[1]))] - 0.5) < 0.4):
        below = np.flatnonzero((y > fold + 0.1)[:, column] & (y < lower + 0.3)[:, column])
        dark = drawn[below, column] < 0.75 * np.median(drawn[below, column])
        assert np.count_nonzero(np.diff(dark.astype(int)) == 1) == 1


def test_a_face_without_glasses_has_no_rim(portrait: Portrait) -> None:
    for sheet in (portrait.left_eye_sheet, portrait.right_eye_sheet):
        pictures = dict(zip(PICTURES, np.split(sheet, len(PICTURES)), strict=True))
        assert not pictures["rim"].any()


def test_looking_down_lowers_the_lid_and_nothing_above_its_fold(
    portrait: Portrait, renderer: RigRenderer
) -> None:
    rest = renderer.render(neutral_motion(1)[0])
    drawn = renderer.render(motion_of(eyeLookDown=0.8))
    for side in ("left", "right"):
        frame, x, y = in_frame(portrait, side)
        upper, lower = frame.upper(x * frame.width) / frame.width, frame.lower(x * frame.width) / frame.width
        above = (x > -0.3) & (x < 1.3) & (y < frame.fold(x * frame.width) / frame.width - 0.05)
        np.testing.assert_array_equal(drawn[above & (y > -1)], rest[above & (y > -1)])
        covered = (np.abs(x - 0.5) < 0.2) & (y > upper) & (y < upper + 0.15 * (lower - upper))
        assert np.abs(drawn[covered].astype(int) - rest[covered]).mean() > 20


def test_the_lids_edge_of_a_grey_photo_is_grey() -> None:
    photo = draw_photo()
    grey = np.repeat(cv2.cvtColor(photo.picture, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    renderer = RigRenderer(replace(photo, picture=grey).portrait())
    for blink in (0.3, 0.6, 1.0):
        drawn = renderer.render(motion_of(eyeBlink=blink)).astype(int)
        assert np.ptp(drawn, axis=2).max() <= 2


def test_faint_reflections_leave_with_the_gaze(renderer: RigRenderer) -> None:
    photo = draw_photo()
    picture = photo.picture.copy()
    for iris in (468, 473):
        x, y = (round(float(value)) for value in photo.face.points[iris, :2])
        cv2.circle(picture, (x - 3, y - 3), 2, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(picture, (x + 4, y + 3), 1, (120, 145, 220), -1, cv2.LINE_AA)
    portrait = replace(photo, picture=picture).portrait()
    faint = RigRenderer(portrait)
    _, x, y = in_frame(portrait, "left")
    eye = (np.abs(x - 0.5) < 0.5) & (np.abs(y) < 0.3)

    def differs(**motion: float) -> int:
        drawn = [each.render(motion_of(**motion)).astype(int) for each in (renderer, faint)]
        return int(np.abs(drawn[0] - drawn[1])[eye].max())

    assert differs() > 50
    assert differs(gazePitch=-0.2) < 25
