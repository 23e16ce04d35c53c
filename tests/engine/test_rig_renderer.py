from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from motions import motion_of
from numpy.typing import NDArray
from synthetic_face import NOSE_TIP, draw_photo

from mien.engine.cutout import background_of
from mien.engine.errors import BackendUnavailable, ConfigError
from mien.engine.face_points import INNER_LIPS_BOTTOM, INNER_LIPS_TOP
from mien.engine.framing import shown_window
from mien.engine.gallery import builtin_portraits, open_builtin
from mien.engine.head import load_head
from mien.engine.motion import CHANNELS, SHAPES, neutral_motion
from mien.engine.portrait import Portrait
from mien.engine.renderer import open_renderer
from mien.engine.rig_renderer import ROTATION_GAIN, RigRenderer
from mien.engine.scaling import RULES, scale_portrait

Frame = NDArray[np.uint8]
DEGREE = np.pi / 180


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    return draw_photo().portrait()


@pytest.fixture(scope="module")
def smiling() -> Portrait:
    return draw_photo(jawOpen=0.45, mouthSmileLeft=0.3, mouthSmileRight=0.3).portrait()


@pytest.fixture(scope="module")
def segmented() -> Portrait:
    """The same with its background told from it."""
    return draw_photo().portrait(segmented=True)


@pytest.fixture(scope="module")
def renderer(portrait: Portrait) -> RigRenderer:
    return RigRenderer(portrait)


def box_round(portrait: Portrait, landmarks: tuple[int, ...], margin: int) -> tuple[slice, slice]:
    points = portrait.landmarks[list(landmarks), :2]
    low, high = points.min(axis=0).astype(int) - margin, points.max(axis=0).astype(int) + margin
    return slice(low[1], high[1]), slice(low[0], high[0])


def green_dot(picture: Frame) -> NDArray[np.float64]:
    red, green, blue = (picture[..., c].astype(int) for c in range(3))
    rows, columns = np.nonzero((green > 150) & (red < 110) & (blue < 110))
    return np.array([columns.mean(), rows.mean()])


def dark(picture: Frame) -> int:
    """How many pixels are darker than any skin, lip or brow of the synthetic face."""
    return int((picture.max(axis=2) < 105).sum())


def white_of_eye(picture: Frame) -> int:
    return int((picture.min(axis=2) > 222).sum())


def test_rest_is_the_photo(portrait: Portrait, renderer: RigRenderer) -> None:
    drawn = renderer.render(neutral_motion(1)[0])
    assert drawn.dtype == np.uint8
    assert np.abs(drawn.astype(int) - portrait.picture).max() <= 1


def test_rest_is_the_photo_with_parted_lips_too(smiling: Portrait) -> None:
    assert smiling.lips_parted
    drawn = RigRenderer(smiling).render(neutral_motion(1)[0])
    assert np.abs(drawn.astype(int) - smiling.picture).max() <= 1


@pytest.mark.parametrize("size", [(256, 256), (720, 720), (360, 640), (640, 360)])
def test_portraits_of_any_shape_rest_move_and_come_back_from_a_file(
    size: tuple[int, int], tmp_path: Path
) -> None:
    tall = draw_photo().portrait(size=size)
    assert tall.size == size
    renderer = RigRenderer(tall)
    rest = renderer.render(neutral_motion(1)[0])
    assert rest.shape == (size[1], size[0], 3)
    assert np.abs(rest.astype(int) - tall.picture).max() <= 1
    talking = motion_of(jawOpen=0.4, headYaw=0.2, headRoll=0.1)
    drawn = renderer.render(talking)
    assert np.abs(drawn.astype(int) - tall.picture).mean() > 2
    # The picture's border stays where it is, to within half a pixel.
    for border in (np.s_[0], np.s_[:, -1]):
        assert np.abs(drawn[border].astype(int) - rest[border]).mean() < 2
    tall.save(tmp_path / "tall.mien")
    again = RigRenderer(Portrait.load(tmp_path / "tall.mien")).render(talking)
    # Movements are stored in 16 bits: of the mouth's sharp edges a pixel or two may fall on the other side.
    apart = np.abs(again.astype(int) - drawn)
    assert np.count_nonzero(apart > 8) <= 6
    assert apart.max() <= 24


@pytest.mark.parametrize("size", [(288, 512), (512, 288)])
def test_another_shape_than_the_portraits_shows_a_part_of_it(
    portrait: Portrait, size: tuple[int, int]
) -> None:
    drawn = RigRenderer(portrait, size=size).render(neutral_motion(1)[0])
    left, top, width, height = shown_window(portrait.landmarks, portrait.size, size)
    assert (width, height) == size
    shown = portrait.picture[top : top + height, left : left + width]
    assert np.abs(drawn.astype(int) - shown).max() <= 1


@pytest.mark.parametrize(
    "channel", ["jawOpen", "eyeBlinkLeft", "headYaw", "headZ", "gazeYaw", "mouthSmileLeft"]
)
def test_leaving_rest_is_no_jump(portrait: Portrait, renderer: RigRenderer, channel: str) -> None:
    drawn = renderer.render(motion_of(**{channel: 0.002}))
    assert np.abs(drawn.astype(int) - portrait.picture).mean() < 0.25


def test_same_motion_same_picture(portrait: Portrait, renderer: RigRenderer) -> None:
    random = np.random.default_rng(1)
    motion = random.uniform(0, 0.6, CHANNELS).astype(np.float32)
    first = renderer.render(motion)
    renderer.render(random.uniform(0, 1, CHANNELS).astype(np.float32))
    np.testing.assert_array_equal(renderer.render(motion), first)
    np.testing.assert_array_equal(RigRenderer(portrait).render(motion), first)


def test_picture_outlives_the_next_call(renderer: RigRenderer) -> None:
    first = renderer.render(neutral_motion(1)[0])
    kept = first.copy()
    renderer.render(motion_of(jawOpen=0.6, headYaw=0.2))
    np.testing.assert_array_equal(first, kept)


def test_motion_is_left_as_it_is(renderer: RigRenderer) -> None:
    motion = motion_of(jawOpen=3.0, headYaw=2.0)
    kept = motion.copy()
    renderer.render(motion)
    np.testing.assert_array_equal(motion, kept)


def test_values_outside_their_range_are_clamped(renderer: RigRenderer) -> None:
    np.testing.assert_array_equal(
        renderer.render(motion_of(jawOpen=7.0, eyeBlinkLeft=-2.0)), renderer.render(motion_of(jawOpen=1.0))
    )


def test_any_weights_give_a_picture(renderer: RigRenderer) -> None:
    random = np.random.default_rng(2)
    for _ in range(40):
        motion = random.normal(0, 1.5, CHANNELS).astype(np.float32)
        motion[random.integers(0, CHANNELS, 3)] = random.choice([np.nan, np.inf, -np.inf, 0, 1], 3)
        drawn = renderer.render(motion)
        assert drawn.shape == (512, 512, 3)


@pytest.mark.parametrize(
    ("channel", "axis", "sign"),
    [("headYaw", 0, 1), ("headPitch", 1, -1), ("headX", 0, 1), ("headY", 1, 1)],
)
def test_head_goes_where_it_is_told(renderer: RigRenderer, channel: str, axis: int, sign: int) -> None:
    rest = green_dot(renderer.render(neutral_motion(1)[0]))
    for amount in (0.05, -0.05):
        moved = green_dot(renderer.render(motion_of(**{channel: amount}))) - rest
        assert sign * np.sign(amount) * moved[axis] > 2
        assert abs(moved[1 - axis]) < 2


def test_head_nods_between_the_ears(portrait: Portrait, renderer: RigRenderer) -> None:
    """About the neck's base, the whole head would duck: the nose would go a quarter further."""
    at_rest = load_head().landmarks(portrait.vertices[: portrait.runs[1]])
    ears, nose = (at_rest[index].mean(axis=0) for index in ([234, 454], [NOSE_TIP]))
    assert np.abs(portrait.nod_pivot - ears)[:2].max() < 0.15 * portrait.scale
    down, up = (green_dot(renderer.render(motion_of(headPitch=pitch * DEGREE)))[1] for pitch in (-10, 10))
    before_pivot = portrait.nod_pivot[2] - nose[2]
    assert 0.6 < before_pivot / portrait.scale < 0.75
    travel = np.sin(ROTATION_GAIN[0] * 10 * DEGREE) * before_pivot
    assert abs((down - up) / 2 - travel) < 0.02 * portrait.scale


def test_roll_tips_the_head_to_the_right(renderer: RigRenderer) -> None:
    rest = green_dot(renderer.render(neutral_motion(1)[0]))
    assert green_dot(renderer.render(motion_of(headRoll=0.1)))[0] > rest[0] + 3


def test_head_grows_as_it_comes_nearer(portrait: Portrait, renderer: RigRenderer) -> None:
    def between_eyes(z: float) -> int:
        return white_of_eye(renderer.render(motion_of(headZ=z)))

    assert between_eyes(-0.2) > between_eyes(0.2)


@pytest.mark.parametrize("yaw", [-15, 0, 15])
@pytest.mark.parametrize("pitch", [-10, 10])
@pytest.mark.parametrize("roll", [-12, 12])
def test_extreme_poses_leave_no_hole(
    portrait: Portrait, renderer: RigRenderer, yaw: int, pitch: int, roll: int
) -> None:
    """A closed mouth shows nothing of its dark inside, however the head is turned."""
    drawn = renderer.render(motion_of(headYaw=yaw * DEGREE, headPitch=pitch * DEGREE, headRoll=roll * DEGREE))
    x, y = (green_dot(drawn) + 46 * np.array([-np.sin(roll * DEGREE), np.cos(roll * DEGREE)])).astype(int)
    mouth = drawn[y - 20 : y + 20, x - 24 : x + 24]
    assert dark(mouth) == 0


def test_rest_is_the_photo_with_a_background_of_its_own_too(segmented: Portrait) -> None:
    drawn = RigRenderer(segmented).render(neutral_motion(1)[0])
    assert np.abs(drawn.astype(int) - segmented.picture).max() <= 1


def test_swaying_head_leaves_the_background_alone(segmented: Portrait) -> None:
    """Two degrees move the head by under 16 pixels: past those, not a bit changes."""
    renderer = RigRenderer(segmented)
    rest = renderer.render(neutral_motion(1)[0])
    reach = cv2.dilate((segmented.matte > 0).astype(np.uint8), np.ones((33, 33), np.uint8)) > 0
    assert 0.2 < (~reach).mean() < 0.8
    for yaw, pitch, roll in ((2, 0, 0), (-2, 0, 0), (0, 2, 0), (0, -2, 0), (0, 0, 2), (0, 0, -2), (2, 2, -2)):
        motion = motion_of(headYaw=yaw * DEGREE, headPitch=pitch * DEGREE, headRoll=roll * DEGREE)
        drawn = renderer.render(motion)
        np.testing.assert_array_equal(drawn[~reach], rest[~reach])
        assert (drawn != rest).any()


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"), [(20, 15, 15), (-20, -15, 15), (20, -15, -15), (-20, 15, -15)]
)
def test_far_turned_head_leaves_no_trace_in_the_background(
    segmented: Portrait, yaw: int, pitch: int, roll: int
) -> None:
    """One piece of skin, wherever the head was before: nothing of it stays behind, nothing tears off."""
    motion = motion_of(headYaw=yaw * DEGREE, headPitch=pitch * DEGREE, headRoll=roll * DEGREE)
    drawn = RigRenderer(segmented).render(motion)
    skin = (drawn[..., 0] > 150).astype(np.uint8)
    _, _, statistics, _ = cv2.connectedComponentsWithStats(skin)
    areas = np.sort(statistics[1:, cv2.CC_STAT_AREA])[::-1]
    assert areas[0] > 20_000
    assert areas[1:].sum() < 150


def test_mouth_opens_with_the_jaw_and_shuts_with_mouth_close(
    portrait: Portrait, renderer: RigRenderer
) -> None:
    box = box_round(portrait, INNER_LIPS_TOP + INNER_LIPS_BOTTOM, 30)
    rest = dark(renderer.render(neutral_motion(1)[0])[box])
    counts = [dark(renderer.render(motion_of(jawOpen=jaw))[box]) for jaw in (0.2, 0.4, 0.7)]
    assert rest == 0
    assert 30 < counts[0] < counts[1] < counts[2]
    shut = dark(renderer.render(motion_of(jawOpen=0.3, mouthClose=0.3))[box])
    assert shut < 0.05 * counts[1]


def test_mouth_close_moves_no_lips_that_touch(portrait: Portrait, renderer: RigRenderer) -> None:
    """Closing goes with an open jaw: alone it must not draw the lips up to the nose."""
    box = box_round(portrait, (*INNER_LIPS_TOP, *INNER_LIPS_BOTTOM, 2), 4)
    rest = renderer.render(neutral_motion(1)[0])[box].astype(int)
    closed = renderer.render(motion_of(mouthClose=1.0))[box].astype(int)
    opened = renderer.render(motion_of(jawOpen=0.2))[box].astype(int)
    assert np.abs(closed - rest).mean() < 0.3 * np.abs(opened - rest).mean()


def test_lower_teeth_and_tongue_stay_hidden_behind_closed_lips(
    portrait: Portrait, renderer: RigRenderer
) -> None:
    box = box_round(portrait, INNER_LIPS_TOP + INNER_LIPS_BOTTOM, 12)
    pressed = renderer.render(
        motion_of(mouthPressLeft=0.5, mouthPressRight=0.5, mouthRollLower=0.3, mouthRollUpper=0.3)
    )
    assert dark(pressed[box]) == 0


@pytest.mark.parametrize(("side", "corners"), [("Left", (362, 263)), ("Right", (33, 133))])
def test_blink_closes_its_eye_alone(
    portrait: Portrait, renderer: RigRenderer, side: str, corners: tuple[int, int]
) -> None:
    box = box_round(portrait, corners, 14)
    other = box_round(portrait, (33, 133) if side == "Left" else (362, 263), 14)
    whites = [
        white_of_eye(renderer.render(motion_of(**{f"eyeBlink{side}": blink}))[box])
        for blink in (0.0, 0.5, 1.0)
    ]
    assert whites[0] > 60
    assert whites[0] > 1.2 * whites[1]
    assert whites[2] == 0
    shut = renderer.render(motion_of(**{f"eyeBlink{side}": 1.0}))
    assert white_of_eye(shut[other]) == pytest.approx(white_of_eye(portrait.picture[other]), abs=2)


@pytest.mark.parametrize(("channel", "axis", "sign"), [("gazeYaw", 1, 1), ("gazePitch", 0, -1)])
def test_gaze_moves_the_iris(
    portrait: Portrait, renderer: RigRenderer, channel: str, axis: int, sign: int
) -> None:
    box = box_round(portrait, (362, 263), 14)

    def iris(amount: float) -> float:
        eye = renderer.render(motion_of(**{channel: amount}))[box].astype(int)
        return float(np.mean(np.nonzero(eye[..., 2] > eye[..., 0] + 60)[axis]))

    assert sign * (iris(0.2) - iris(-0.2)) > 2.5


def test_parted_lips_close_while_speaking(smiling: Portrait) -> None:
    renderer = RigRenderer(smiling)
    box = box_round(smiling, INNER_LIPS_TOP + INNER_LIPS_BOTTOM, 10)
    pressed = motion_of(mouthPressLeft=0.4, mouthPressRight=0.4)
    assert dark(renderer.render(neutral_motion(1)[0])[box]) > 30
    assert dark(renderer.render(pressed)[box]) < 8
    opened = motion_of(jawOpen=0.4)
    assert dark(renderer.render(opened)[box_round(smiling, INNER_LIPS_BOTTOM, 40)]) > 100


@pytest.mark.parametrize("side", [256, 384, 1024])
def test_other_sizes_are_the_same_picture(portrait: Portrait, renderer: RigRenderer, side: int) -> None:
    other = RigRenderer(portrait, size=(side, side))
    assert other.size == (side, side)
    rest = other.render(neutral_motion(1)[0]).astype(int)
    method = cv2.INTER_AREA if side < 512 else cv2.INTER_LANCZOS4
    assert np.abs(rest - cv2.resize(portrait.picture, (side, side), interpolation=method)).max() <= 1
    talking = motion_of(jawOpen=0.3, headYaw=0.1, eyeBlinkLeft=0.4)
    drawn, full = other.render(talking), renderer.render(talking)
    smaller = (min(side, 512), min(side, 512))
    one, two = (cv2.resize(p, smaller, interpolation=cv2.INTER_AREA).astype(int) for p in (drawn, full))
    assert np.abs(one - two).mean() < 0.6
    assert (np.abs(one - two).max(axis=2) > 24).mean() < 0.002  # edges of lips and lids


def test_enlarging_leaves_no_light_line_where_the_person_was() -> None:
    """Lanczos' filter rings at outlines; the background behind the person must not show it."""
    native = open_builtin("bram")
    behind = cv2.resize(background_of(native), (1536, 1536), interpolation=cv2.INTER_LANCZOS4).astype(int)
    enlarged = background_of(scale_portrait(native, (1536, 1536)))
    assert (enlarged - behind).max() <= 2


@pytest.mark.parametrize("portrait_id", [portrait.id for portrait in builtin_portraits()])
@pytest.mark.parametrize("side", [256, 512, 1200])
def test_rest_is_the_scaled_photo_whatever_the_size(portrait_id: str, side: int) -> None:
    renderer = RigRenderer(open_builtin(portrait_id), size=(side, side))
    rest = renderer.render(neutral_motion(1)[0]).astype(int)
    assert np.abs(rest - scale_portrait(open_builtin(portrait_id), (side, side)).picture).max() <= 1


def test_every_field_of_a_portrait_has_a_rule_for_other_sizes() -> None:
    assert set(RULES) == {field.name for field in fields(Portrait)}


def test_enlarging_has_a_limit() -> None:
    small = draw_photo().portrait(size=(256, 256))
    with pytest.raises(ConfigError, match="larger photo"):
        RigRenderer(small, size=(1280, 1280))


@pytest.mark.parametrize("size", [(0, 512), (512, 255), (4096, 2048), (-2, -2), (62, 64)])
def test_impossible_sizes_are_refused(portrait: Portrait, size: tuple[int, int]) -> None:
    with pytest.raises(ConfigError):
        RigRenderer(portrait, size=size)


def test_wrong_motion_is_refused(renderer: RigRenderer) -> None:
    with pytest.raises(ValueError, match="motion"):
        renderer.render(np.zeros((1, CHANNELS), np.float32))


def test_renderer_is_opened_by_name(portrait: Portrait) -> None:
    opened = open_renderer(portrait, "rig", (128, 128))
    assert opened.size == (128, 128)
    opened.close()
    opened.close()
    with pytest.raises(BackendUnavailable, match="quick"):
        open_renderer(portrait, "quick")  # type: ignore[arg-type]


def test_a_smile_goes_on_from_the_photos_own(smiling: Portrait) -> None:
    own = replace(smiling, scores=np.full(len(SHAPES), 0.8, np.float32))
    drawn = [
        RigRenderer(own).render(motion_of(mouthSmileLeft=share, mouthSmileRight=share))
        for share in (0.0, 0.2, 1.0)
    ]
    away = [float(np.abs(picture.astype(int) - own.picture).mean()) for picture in drawn]
    grave = RigRenderer(smiling).render(motion_of(mouthFrownLeft=0.3, mouthFrownRight=0.3))
    assert away[0] < away[1] < away[2]
    # The photo's mouth has not given way: that would be seen at once, as a frown shows.
    assert away[1] < 0.2 * float(np.abs(grave.astype(int) - own.picture).mean())


def test_a_pucker_takes_away_what_is_left_of_the_photos_smile(smiling: Portrait) -> None:
    """So its corners come further in than the same pucker's, of a face that did not smile."""
    grave, own = (replace(smiling, scores=np.full(len(SHAPES), score, np.float32)) for score in (0.0, 0.9))
    talk, pucker = motion_of(jawOpen=0.5), motion_of(mouthPucker=1.0)
    lips = box_round(smiling, (81, 13, 311), 1)  # beside them, a smile's folds are softened
    same = [RigRenderer(portrait).render(talk)[lips] for portrait in (grave, own)]
    drawn = [RigRenderer(portrait).render(pucker)[lips] for portrait in (grave, own)]
    assert np.array_equal(*same)
    assert np.abs(drawn[0].astype(int) - drawn[1]).max() > 20
