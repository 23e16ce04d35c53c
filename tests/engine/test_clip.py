"""A clip keeps its head and all but its lower face, and says what it is told to."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from synthetic_clip import FRAMES, SyntheticClip, draw_clip
from synthetic_face import DARK, LIP

from mien.engine.clip import Clip, calmest_frame, lower_face, mouth_tones, prepare_clip
from mien.engine.clip_renderer import ClipRenderer, there_and_back
from mien.engine.clip_skirt import Skirt
from mien.engine.clip_track import FaceTrack, smooth, track_face
from mien.engine.errors import ConfigError, NoFace, PhotoError
from mien.engine.face_points import (
    CHIN,
    EYES,
    FACE_OVAL,
    INNER_LIPS_BOTTOM,
    INNER_LIPS_TOP,
    OUTER_LIPS,
    SUBNASALE,
)
from mien.engine.footage import prepare_footage
from mien.engine.landmarks import FaceLandmarks
from mien.engine.motion import CHANNELS, INDEX
from mien.engine.portrait import Portrait
from mien.engine.renderer import open_renderer


@pytest.fixture(scope="module")
def talker() -> SyntheticClip:
    return draw_clip()


@pytest.fixture(scope="module")
def clip(talker: SyntheticClip) -> Clip:
    return prepare_clip(talker.track(), talker.picture, name="talker")


@pytest.fixture
def renderer(clip: Clip, talker: SyntheticClip) -> ClipRenderer:
    return ClipRenderer(clip, talker)


def motion(**weights: float) -> NDArray[np.float32]:
    made = np.zeros(CHANNELS, np.float32)
    for name, weight in weights.items():
        made[INDEX[name]] = weight
    return made


def mouth_box(talker: SyntheticClip, frame: int) -> tuple[slice, slice]:
    points = talker.faces[frame].points
    left, right = (int(x) for x in (points[61, 0] - 8, points[291, 0] + 8))
    return slice(int(points[SUBNASALE, 1]), int(points[CHIN, 1])), slice(left, right)


def dark(picture: NDArray[np.uint8]) -> int:
    """Count pixels of an open mouth's inside."""
    return int((np.abs(picture.astype(int) - DARK).max(axis=2) < 25).sum())


def lip_height(picture: NDArray[np.uint8]) -> int:
    """Return how many rows have a pixel of a lip's colour."""
    return int((np.abs(picture.astype(int) - LIP).max(axis=2) < 22).any(axis=1).sum())


def test_one_head_follows_the_turns(clip: Clip, talker: SyntheticClip) -> None:
    rotation = clip.turns / np.cbrt(np.linalg.det(clip.turns))[:, None, None]
    yaw = np.arctan2(-rotation[:, 0, 2], rotation[:, 2, 2])
    wanted = talker.yaw - talker.yaw[calmest_frame(talker.track())]
    # The pose's rounding at the ends of the track is the smoothing's, over seven frames.
    np.testing.assert_allclose(yaw, wanted, atol=np.deg2rad(2.0))
    assert np.all(clip.presence == 1)


def test_the_calmest_frame_has_its_mouth_shut(talker: SyntheticClip) -> None:
    assert talker.jaw[calmest_frame(talker.track())] == 0


def test_its_own_speech_is_taken_away(renderer: ClipRenderer, talker: SyntheticClip) -> None:
    opened = np.flatnonzero(talker.jaw > 0.3)
    assert len(opened) >= 4
    for frame in opened:
        box = mouth_box(talker, int(frame))
        assert dark(talker.pictures[frame][box]) > 40
        assert dark(renderer.draw(int(frame), motion())[box]) == 0


def test_shut_lips_stay_as_they_are_however_far_its_own_jaw_drops(
    renderer: ClipRenderer, talker: SyntheticClip
) -> None:
    calm = lip_height(talker.pictures[0][mouth_box(talker, 0)])
    heights = [
        lip_height(renderer.draw(frame, motion())[mouth_box(talker, frame)]) for frame in range(FRAMES)
    ]
    assert np.abs(np.array(heights) - calm).max() <= 4


def test_new_lips_open_as_asked_whatever_its_own_do(renderer: ClipRenderer, talker: SyntheticClip) -> None:
    said = motion(jawOpen=0.4, mouthLowerDownLeft=0.2, mouthLowerDownRight=0.2)
    heights = []
    for frame in range(FRAMES):
        shut, opened = renderer.draw(frame, motion()), renderer.draw(frame, said)
        changed = np.abs(opened.astype(int) - shut).max(axis=2) > 40
        heights.append(int(changed[mouth_box(talker, frame)].any(axis=1).sum()))
    assert min(heights) > 15
    assert max(heights) - min(heights) <= 0.3 * max(heights)


def test_all_but_the_lower_face_stays_bit_for_bit(renderer: ClipRenderer, talker: SyntheticClip) -> None:
    said = motion(jawOpen=0.6, mouthFunnel=0.4, browInnerUp=1.0, eyeBlinkLeft=1.0, headYaw=0.2, gazeYaw=0.2)
    for frame in range(FRAMES):
        points = talker.faces[frame].points
        drawn, own = renderer.draw(frame, said), talker.pictures[frame]
        changed = (drawn != own).any(axis=2)
        assert changed.any()
        lids = max(points[list(eye[2]), 1].max() for eye in EYES)
        assert not changed[: int(lids) + 4].any()
        face = slice(int(points[:468, 0].min()) - 2, int(points[:468, 0].max()) + 3)
        changed[:, face] = False
        assert not changed.any()


def test_the_face_ends_where_the_picture_beside_it_begins(clip: Clip) -> None:
    """The rim lies on the grid in all three dimensions: a seam would show as a line along the jaw."""
    portrait, skirt = clip.portrait, Skirt(clip.portrait)
    rest = portrait.vertices[: portrait.runs[1]]
    own, new = rest.copy(), rest.copy()
    own[:, :2] += 6 * np.sin(rest[:, :2] / 40)
    new[:, 1:] += np.clip(0.3 * (rest[:, 1:2] - rest[:, 1].mean()), 0, 12)
    for face in (own, new):
        skirt.tie(face)
    places = skirt.move(rest, rest)[0]
    moved = skirt.move(own, new)[:2]
    step = places[1, 0] - places[0, 0]
    columns = int((np.diff(places[:, 1]) > step / 2).argmax()) + 1
    low = np.round(points_of(portrait, FACE_OVAL)[:, 1].max())
    rim = np.unique(portrait.face_triangles)
    rim = rim[(rest[rim, 1] > low - 1.5) & (rest[rim, 1] < low + 1.5)]
    assert len(rim) >= 3
    for face, grid in ((own, moved[0]), (new, moved[1])):
        for vertex in rim:
            column, row = (rest[vertex, :2] - places[0, :2]) / step
            first = int(row) * columns + int(column)
            s, t = column % 1, row % 1
            upper = (1 - s) * grid[first] + s * grid[first + 1]
            lower = (1 - s) * grid[first + columns] + s * grid[first + columns + 1]
            np.testing.assert_allclose(face[vertex], (1 - t) * upper + t * lower, atol=0.3)


def points_of(portrait: Portrait, run: tuple[int, ...]) -> NDArray[np.float32]:
    return portrait.landmarks[list(run), :2]


def test_a_picture_belongs_to_its_caller(renderer: ClipRenderer, talker: SyntheticClip) -> None:
    first = renderer.draw(3, motion(jawOpen=0.5))
    kept = first.copy()
    renderer.draw(4, motion(jawOpen=0.1))
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(renderer.draw(3, motion(jawOpen=0.5)), kept)


def test_rendering_plays_there_and_back(renderer: ClipRenderer) -> None:
    shown = [renderer.render(motion()) for _ in range(2 * FRAMES)]
    order = [*range(FRAMES), *range(FRAMES - 2, 0, -1), 0, 1]
    for picture, frame in zip(shown, order, strict=True):
        np.testing.assert_array_equal(picture, renderer.draw(frame, motion()))


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_there_and_back_never_jumps(frames: int) -> None:
    places = [there_and_back(index, frames) for index in range(5 * frames)]
    assert set(places) == set(range(frames))
    assert np.abs(np.diff(places)).max(initial=0) <= 1


def test_a_lost_face_keeps_its_own_mouth_and_fades_there(talker: SyntheticClip) -> None:
    missing = replace(talker, lost=(12, 13))
    clip = prepare_clip(missing.track(), missing.picture, name="lost")
    assert list(clip.presence[[12, 13]]) == [0, 0]
    assert np.all(np.diff(clip.presence[7:13]) <= 0)
    assert clip.presence[[0, -1]].tolist() == [1, 1]
    drawn = ClipRenderer(clip, missing)
    for frame in (12, 13):
        np.testing.assert_array_equal(drawn.draw(frame, motion(jawOpen=0.5)), talker.pictures[frame])


def test_a_covered_mouth_keeps_what_covers_it(talker: SyntheticClip) -> None:
    hidden = replace(talker, covered=(0, 1, 2, 3))
    assert calmest_frame(hidden.track()) > 3
    clip = prepare_clip(hidden.track(), hidden.picture, name="hand")
    assert clip.presence[:6].tolist() == pytest.approx([0, 0, 0, 0, 0.15625, 0.5])
    drawn = ClipRenderer(clip, hidden).draw(2, motion(jawOpen=0.5))
    np.testing.assert_array_equal(drawn, talker.pictures[2])


def test_a_head_that_mostly_looks_away_is_refused() -> None:
    talker = draw_clip(jaw=0.0)
    missing = replace(talker, lost=tuple(range(4, FRAMES)))
    with pytest.raises(PhotoError, match="only 17 %"):
        prepare_clip(missing.track(), missing.picture, name="away")


def test_the_reach_is_the_mouth_and_the_jaw(clip: Clip) -> None:
    portrait = clip.portrait
    reach = lower_face(portrait)
    places = portrait.vertices[: portrait.runs[1], :2]
    points = portrait.landmarks[:, :2]

    def at(index: int) -> float:
        return float(reach[np.linalg.norm(places - points[index], axis=1).argmin()])

    for index in (*INNER_LIPS_TOP, *INNER_LIPS_BOTTOM, 17, CHIN):
        assert at(index) > 0.95
    for index in (4, 6, 33, 263, 10, 234, 454, 116, 345):
        assert at(index) < 0.02


def test_the_inside_of_the_mouth_takes_the_clips_own_tones(talker: SyntheticClip, clip: Clip) -> None:
    """A clip whose open mouth shows dull teeth before a brown dark gets neither white nor black."""
    dull, brown = np.array([150, 120, 95], np.uint8), np.array([90, 45, 20], np.uint8)
    painted = []
    for picture, face in zip(talker.pictures, talker.faces, strict=True):
        loop = face.points[list(INNER_LIPS_TOP + INNER_LIPS_BOTTOM[-2:0:-1]), :2] - 0.5
        mask, upper = np.zeros((2, *picture.shape[:2]), np.uint8)
        cv2.fillPoly(mask, [np.round(loop).astype(np.int32)], 1)
        upper[: int(loop[:, 1].mean())] = mask[: int(loop[:, 1].mean())]
        painted.append(
            np.where((upper > 0)[..., None], dull, np.where((mask > 0)[..., None], brown, picture))
        )
    tones = mouth_tones(talker.track(), lambda frame: painted[frame])
    assert tones is not None
    np.testing.assert_allclose(tones, [brown, dull], atol=1)
    toned = prepare_clip(talker.track(), lambda frame: painted[frame], name="toned").portrait
    assert toned.mouth_paint.max(axis=0)[0] <= dull[0] * 1.3
    assert toned.mouth_paint.max(axis=0)[0] < clip.portrait.mouth_paint.max(axis=0)[0] - 30
    assert np.all(toned.mouth_paint.min(axis=0) >= 0.5 * brown)
    assert np.all(toned.mouth_cavity >= 0.4 * brown)


def test_a_mouth_that_never_opens_tells_no_tones() -> None:
    talker = draw_clip(jaw=0.0)
    assert mouth_tones(talker.track(), talker.picture) is None


# ---- footage


def test_footage_is_framed_like_a_photo_and_drawn_in_any_shape(talker: SyntheticClip) -> None:
    footage = prepare_footage(talker.track(), lambda: talker.pictures, name="body", size=(256, 320))
    assert footage.picture.shape == (320, 256, 3)
    assert footage.name == "body"
    points = footage.landmarks[:468, :2]
    assert 0.35 < np.ptp(points[:, 1]) / 320 < 0.6
    assert points.min() > 4
    assert np.all(points.max(axis=0) < [252, 316])
    for size in ((256, 320), (128, 128)):
        opened = open_renderer(footage, size=size)
        assert opened.size == size
        shut, said = opened.render(motion()), opened.render(motion(jawOpen=0.5))
        assert shut.shape == said.shape == (size[1], size[0], 3)
        opened.close()
    with pytest.raises(ConfigError):
        open_renderer(footage, size=(255, 320))


def test_footage_notices_missing_frames(talker: SyntheticClip) -> None:
    with pytest.raises(ValueError, match="24 frames were followed, and 20 came"):
        prepare_footage(talker.track(), lambda: talker.pictures[:20], name="cut", size=(256, 256))


# ---- following


class Watcher:
    """Sees the faces it is told of, by the number that a picture's first pixel holds."""

    def __init__(self, seen: dict[int, list[FaceLandmarks]], covered: range = range(0)) -> None:
        self.seen, self.covered = seen, covered
        self.searches: list[int] = []

    def detect(self, picture: NDArray[np.uint8]) -> list[FaceLandmarks]:
        self.searches.append(int(picture[0, 0, 0]))
        return self.seen.get(self.searches[-1], [])

    def track(self, picture: NDArray[np.uint8], last: FaceLandmarks) -> FaceLandmarks | None:
        number = int(picture[0, 0, 0])
        found = self.seen.get(number)
        return found[0] if found else None

    def wander(self, picture: NDArray[np.uint8], face: FaceLandmarks) -> NDArray[np.float32]:
        moved = np.full(478, 0.004, np.float32)
        if int(picture[0, 0, 0]) in self.covered:
            moved[[*OUTER_LIPS, *INNER_LIPS_TOP, *INNER_LIPS_BOTTOM]] = 0.012
        return moved


def pictures(count: int) -> list[NDArray[np.uint8]]:
    return [np.full((4, 4, 3), number, np.uint8) for number in range(count)]


def face_at(x: float) -> FaceLandmarks:
    points = np.random.default_rng(1).normal(0, 20, (478, 3)).astype(np.float32) + np.float32([x, 50, 0])
    points[468, :2], points[473, :2] = (x - 20, 50), (x + 20, 50)
    return FaceLandmarks(points, {"jawOpen": 0.25}, (0, 0, 1, 1), 1.0)


def test_a_face_is_followed_and_found_again() -> None:
    watcher = Watcher({k: [face_at(50 + k)] for k in range(20) if k != 6})
    track = track_face(pictures(12), watcher)
    assert track.runs.tolist() == [1] * 6 + [-1] * 5 + [2]
    assert watcher.searches == [0, 6, 11]
    assert track.shapes[0, INDEX["jawOpen"]] == np.float32(0.25)
    np.testing.assert_array_equal(track.face(3).points, face_at(53).points)


def test_a_cut_begins_a_new_run_with_the_nearest_face() -> None:
    far, near = face_at(400), face_at(120)
    watcher = Watcher({0: [face_at(50)], 1: [face_at(51)], 2: [far, near], 3: [near]})
    track = track_face(pictures(4), watcher)
    assert track.runs.tolist() == [1, 1, 2, 2]
    np.testing.assert_array_equal(track.points[2], near.points)


def test_a_hand_before_the_mouth_is_noticed() -> None:
    """It is looked for in every sixth frame, and counts until a look finds it gone."""
    watcher = Watcher({k: [face_at(50)] for k in range(60)}, covered=range(20, 32))
    track = track_face(pictures(60), watcher)
    assert np.flatnonzero(track.covered).tolist() == list(range(18, 37))
    assert np.array_equal(track.seen, ~track.covered)
    assert not track_face(pictures(60), Watcher({k: [face_at(50)] for k in range(60)})).covered.any()


def test_the_face_asked_for_is_followed() -> None:
    watcher = Watcher({0: [face_at(50), face_at(200)]})
    np.testing.assert_array_equal(track_face(pictures(1), watcher, face=1).points[0], face_at(200).points)
    with pytest.raises(PhotoError, match="begins with 2 faces, so there is no face 2"):
        track_face(pictures(1), watcher, face=2)
    with pytest.raises(NoFace):
        track_face(pictures(3), Watcher({}))
    with pytest.raises(NoFace):
        track_face([], Watcher({}))


def test_smoothing_keeps_movements_and_takes_noise() -> None:
    time = np.arange(40.0)
    curve = 3 + 0.2 * time - 0.01 * time**2
    runs = np.zeros(40, np.int64)
    np.testing.assert_allclose(smooth(curve, runs, 3)[3:-3], curve[3:-3], atol=1e-9)
    noise = np.random.default_rng(2).normal(0, 1, (4000, 3))
    left = smooth(noise, np.zeros(4000, np.int64), 2)
    assert left.std() == pytest.approx(np.sqrt(17 / 35), rel=0.03)  # the middle weight of five points
    step = np.repeat([0.0, 10.0], 20)
    cut = np.repeat([0, 1], 20)
    np.testing.assert_allclose(smooth(step, cut, 3), step, atol=1e-9)
    lost = np.array([0] * 3 + [-1] + [1] * 2)
    values = np.array([1.0, 5.0, 2.0, 99.0, 4.0, 8.0])
    np.testing.assert_array_equal(smooth(values, lost, 2), values)  # runs too short to smooth


# ---- a real talker

MODEL = "models/face_landmarker/public/face_landmarker.task"


@pytest.mark.shared
def test_a_real_talker_says_what_is_asked(shared_data: Path) -> None:
    """Read back by the landmark net: the gap follows the motion, frame by frame, and alpha 0 shuts it."""
    from mien.engine.landmarks import FaceLandmarker
    from mien.web.video_file import VideoFile

    video = VideoFile(shared_data / "grid/video/bbaf4p.mp4", longest_s=10)
    landmarker = FaceLandmarker(shared_data / MODEL)
    track = track_face(video.scan(), landmarker)
    clip = prepare_clip(track, video.picture, name="grid")
    renderer = ClipRenderer(clip, video)
    asked = 0.22 * (1 - np.cos(2 * np.pi * np.arange(len(clip)) / 15))
    said = [
        renderer.draw(k, motion(jawOpen=a, mouthLowerDownLeft=a / 2, mouthLowerDownRight=a / 2))
        for k, a in enumerate(asked)
    ]
    gap = lip_gap(track_face(said, landmarker))
    follows = [np.corrcoef(asked[3:-3], gap[3 + d : len(gap) - 3 + d])[0, 1] for d in (-1, 0, 1)]
    assert follows[1] > 0.95
    assert np.argmax(follows) == 1
    shut = lip_gap(track_face([renderer.draw(k, motion()) for k in range(len(clip))], landmarker))
    own = lip_gap(track)
    assert own.max() > 0.08
    assert shut.max() < 0.03
    assert shut.mean() < 0.01
    video.close()
    landmarker.close()


def lip_gap(track: FaceTrack) -> NDArray[np.float32]:
    """Return the inner lips' gap in interocular distances, float32[frames]."""
    points = track.points[..., :2]
    across = np.linalg.norm(points[:, 468] - points[:, 473], axis=1)
    gap: NDArray[np.float32] = np.linalg.norm(points[:, 13] - points[:, 14], axis=1) / across
    return gap
