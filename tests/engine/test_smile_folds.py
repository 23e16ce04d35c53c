from dataclasses import replace

import cv2
import numpy as np
import pytest
from motions import motion_of
from numpy.typing import NDArray
from synthetic_face import draw_photo

from mien.engine.motion import INDEX, neutral_motion
from mien.engine.portrait import Portrait
from mien.engine.rig_renderer import RigRenderer
from mien.engine.smile_folds import SmileFolds

FOLDS = (206, 216, 426, 436)


@pytest.fixture(scope="module")
def folded() -> Portrait:
    """A smile with a dark line from nose to mouth on either side."""
    portrait = draw_photo(mouthSmileLeft=0.8, mouthSmileRight=0.8).portrait()
    picture = portrait.picture.copy()
    for run in ((129, 203, 206, 216, 212), (358, 423, 426, 436, 432)):
        line = np.round(portrait.landmarks[list(run), :2]).astype(np.int32)
        cv2.polylines(picture, [line], isClosed=False, color=(140, 110, 95), thickness=4)
    return replace(portrait, picture=picture)


def on_the_folds(picture: NDArray[np.uint8], portrait: Portrait) -> float:
    columns, rows = np.round(portrait.landmarks[list(FOLDS), :2]).astype(int).T
    return float(picture[rows, columns].mean())


def test_folds_of_a_smile_that_is_taken_away_grow_lighter(folded: Portrait) -> None:
    lightness = []
    for gone in (0.0, 0.5, 1.0):
        photo = folded.picture.copy()
        SmileFolds(folded, photo).soften(gone)
        lightness.append(on_the_folds(photo, folded))
        if not gone:
            np.testing.assert_array_equal(photo, folded.picture)
    assert lightness[0] + 5 < lightness[1] < lightness[2] - 5


def test_a_face_that_does_not_smile_keeps_its_folds(folded: Portrait) -> None:
    grave = replace(folded, scores=np.zeros_like(folded.scores))
    photo = grave.picture.copy()
    SmileFolds(grave, photo).soften(1.0)
    np.testing.assert_array_equal(photo, grave.picture)


def test_one_sided_smiles_lose_one_fold(folded: Portrait) -> None:
    scores = np.zeros_like(folded.scores)
    scores[INDEX["mouthSmileLeft"]] = 0.8
    photo = folded.picture.copy()
    SmileFolds(replace(folded, scores=scores), photo).soften(1.0)
    middle = int(folded.landmarks[1, 0])
    changed = np.nonzero((photo != folded.picture).any(axis=2))[1]
    assert len(changed) > 200
    assert changed.min() > middle - 5  # the person's left is the picture's right


def test_frames_do_not_remember_the_folds_of_earlier_ones(folded: Portrait) -> None:
    renderer, motion = RigRenderer(folded), neutral_motion(1)[0]
    rest = renderer.render(motion, 0.0)
    np.testing.assert_array_equal(rest, folded.picture)
    awake = renderer.render(motion_of(jawOpen=0.05), 1.0)
    renderer.render(motion_of(jawOpen=0.3), 0.4)
    np.testing.assert_array_equal(renderer.render(motion_of(jawOpen=0.05), 1.0), awake)
    np.testing.assert_array_equal(renderer.render(motion, 0.0), rest)
