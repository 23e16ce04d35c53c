from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.engine.head import mouth_opening
from mien.engine.idle import WIDEST_GAZE, aim_eyes, idle_motion, start_idle
from mien.engine.lips import OPENING_NAMES
from mien.engine.motion import CHANNELS, GAZE_SLICE, INDEX, ROTATION_SLICE, SHAPE_SLICE, TRANSLATION_SLICE
from mien.engine.timebase import FRAME_RATE

TEN_MINUTES = 600 * FRAME_RATE
SEEDS = (0, 1, 2024)


@pytest.fixture(scope="module", params=SEEDS)
def life(request: pytest.FixtureRequest) -> np.ndarray:
    return idle_motion(TEN_MINUTES, start_idle(request.param))[0]


def blink_onsets(motion: np.ndarray) -> np.ndarray:
    shut = motion[:, INDEX["eyeBlinkLeft"]] > 0.5
    return np.flatnonzero(shut[1:] & ~shut[:-1]) / FRAME_RATE


def test_it_blinks_as_people_do(life: np.ndarray) -> None:
    onsets = blink_onsets(life)
    assert 12 <= len(onsets) / 10 <= 20
    pauses = np.diff(onsets)
    assert 0.4 < pauses.std() / pauses.mean() < 0.9
    assert np.median(pauses) < pauses.mean()
    assert (pauses < 0.6).any()
    assert pauses.max() < 12


def test_a_blink_falls_faster_than_it_rises_and_shuts_the_eye(life: np.ndarray) -> None:
    closure = life[:, INDEX["eyeBlinkLeft"]]
    lengths = [len(list(run)) for shut, run in groupby(closure > 0.5) if shut]
    assert set(lengths) <= {2, 3, 4, 5}
    assert np.percentile(closure[closure > 0.5], 99) == pytest.approx(1.0)
    falls = np.diff(closure)
    assert falls.max() > -1.2 * falls.min()
    np.testing.assert_array_equal(closure, life[:, INDEX["eyeBlinkRight"]])


def test_eyes_rest_mostly_on_the_viewer_and_jump_between_points(life: np.ndarray) -> None:
    gaze = np.degrees(life[:, GAZE_SLICE])
    away = np.hypot(*gaze.T)
    assert 0.75 < (away < 2.5).mean() < 0.97
    assert 3.0 < away.max() < 10.0
    speed = np.hypot(*np.diff(gaze, axis=0).T)
    assert np.median(speed) < 0.1
    assert 0.3 < (speed > 0.7).sum() / 600 < 2.0


def test_the_head_sways_smoothly_within_bounds(life: np.ndarray) -> None:
    rotation = np.degrees(life[:, ROTATION_SLICE])
    assert (np.abs(rotation) < 4.0).all()
    assert (rotation.std(axis=0) > 0.3).all()
    assert np.abs(np.diff(rotation, axis=0)).max() < 0.25
    assert np.abs(np.diff(rotation, n=2, axis=0)).max() < 0.03
    assert np.abs(life[:, TRANSLATION_SLICE]).max() < 0.03


def test_it_breathes_12_to_18_times_a_minute(life: np.ndarray) -> None:
    nostrils = life[:, INDEX["noseSneerLeft"]]
    tops = (nostrils[1:-1] > nostrils[:-2]) & (nostrils[1:-1] >= nostrils[2:])
    assert 12 <= tops.sum() / 10 <= 18


def test_lips_live_and_stay_closed(life: np.ndarray) -> None:
    assert not life[:, [INDEX[name] for name in OPENING_NAMES]].any()
    smile = life[:, INDEX["mouthSmileLeft"]]
    assert smile.std() > 0.001
    assert not mouth_opening(life).any()
    assert smile.max() < 0.05


def test_the_first_frame_is_the_photo() -> None:
    first = idle_motion(1, start_idle(3))[0][0]
    assert np.abs(first).max() == 0.0


def test_everything_is_finite_and_in_range(life: np.ndarray) -> None:
    assert life.dtype == np.float32
    assert life.shape == (TEN_MINUTES, CHANNELS)
    assert np.isfinite(life).all()
    assert (life[:, SHAPE_SLICE] >= 0).all()
    assert (life[:, SHAPE_SLICE] <= 1).all()


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 400), max_size=8), seed=st.integers(-5, 2**70))
def test_any_way_of_asking_gives_the_same_frames(cuts: list[int], seed: int) -> None:
    whole, _ = idle_motion(400, start_idle(seed))
    state, parts, at = start_idle(seed), [], 0
    for cut in [*sorted(cuts), 400]:
        part, state = idle_motion(cut - at, state)
        parts.append(part)
        at = cut
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_seeds_differ() -> None:
    one, other = (idle_motion(500, start_idle(seed))[0] for seed in (1, 2))
    assert np.abs(one - other)[:, ROTATION_SLICE].max() > 0.005


def test_eyes_counter_the_head_and_shapes_follow_the_eyes() -> None:
    motion = np.zeros(CHANNELS, np.float32)
    motion[ROTATION_SLICE] = 0.05, 0.1, 0.0
    aimed = aim_eyes(motion)
    np.testing.assert_allclose(aimed[GAZE_SLICE], [-0.1, -0.05], atol=1e-6)
    # Looking to the picture's left turns the person's left eye in and the right eye out.
    assert aimed[INDEX["eyeLookInLeft"]] == aimed[INDEX["eyeLookOutRight"]] > 0.1
    assert aimed[INDEX["eyeLookOutLeft"]] == aimed[INDEX["eyeLookInRight"]] == 0.0
    assert aimed[INDEX["eyeLookDownLeft"]] == aimed[INDEX["eyeLookDownRight"]] > 0.05
    assert aimed[INDEX["eyeLookUpLeft"]] == 0.0
    motion[ROTATION_SLICE] = 0.0, 1.0, 0.0
    assert aim_eyes(motion)[GAZE_SLICE][0] == pytest.approx(-WIDEST_GAZE)
