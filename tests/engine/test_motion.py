import numpy as np

from mien.engine.motion import (
    CHANNEL_NAMES,
    CHANNELS,
    GAZE_SLICE,
    INDEX,
    MOUTH_SLICE,
    ROTATION_SLICE,
    SHAPE_SLICE,
    SHAPES,
    TRANSLATION_SLICE,
    neutral_motion,
)


def test_every_shape_of_arkit_has_one_place() -> None:
    assert len(SHAPES) == len(set(SHAPES)) == 52
    for name in SHAPES:
        if name.endswith("Left"):
            assert name.removesuffix("Left") + "Right" in SHAPES


def test_slices_tile_the_channels() -> None:
    covered = [
        index
        for part in (SHAPE_SLICE, ROTATION_SLICE, TRANSLATION_SLICE, GAZE_SLICE)
        for index in range(CHANNELS)[part]
    ]
    assert covered == list(range(CHANNELS))
    assert CHANNEL_NAMES[ROTATION_SLICE] == ("headPitch", "headYaw", "headRoll")
    assert CHANNEL_NAMES[GAZE_SLICE] == ("gazeYaw", "gazePitch")


def test_mouth_slice_holds_jaw_and_mouth_and_nothing_else() -> None:
    inside = set(CHANNEL_NAMES[MOUTH_SLICE])
    assert inside == {name for name in SHAPES if name.startswith(("jaw", "mouth"))}
    assert INDEX["tongueOut"] == len(SHAPES) - 1


def test_neutral_motion_is_all_zeros() -> None:
    motion = neutral_motion(3)
    assert motion.shape == (3, CHANNELS)
    assert motion.dtype == np.float32
    assert not motion.any()
