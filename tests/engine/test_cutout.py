from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from synthetic_face import draw_photo

from mien.engine.cutout import background_of, cut_out
from mien.engine.portrait import Portrait

MARGIN = 48


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    return draw_photo().portrait(segmented=True)


def laid_over(person: NDArray[np.uint8], ground: NDArray[np.uint8]) -> NDArray[np.int64]:
    inner = person[MARGIN:-MARGIN, MARGIN:-MARGIN].astype(int)
    return inner[..., :3] + ((255 - inner[..., 3:]) * ground + 127) // 255


def test_person_over_background_is_the_photo(portrait: Portrait) -> None:
    ground = background_of(portrait)
    drawn = laid_over(cut_out(portrait, ground, MARGIN), ground)
    assert np.abs(drawn - portrait.picture).max() <= 1
    bare = portrait.matte == 0
    np.testing.assert_array_equal(ground[bare], portrait.picture[bare])


def test_background_shows_nothing_of_the_person(portrait: Portrait) -> None:
    """Its red is at most 110, the person's skin is 205."""
    assert background_of(portrait)[..., 0].max() < 140


def test_whoever_fills_the_picture_is_taken_whole() -> None:
    portrait = draw_photo().portrait()
    person = cut_out(portrait, background_of(portrait), MARGIN)
    assert person[..., 3].min() == 255
    np.testing.assert_array_equal(person[MARGIN:-MARGIN, MARGIN:-MARGIN, :3], portrait.picture)


def test_head_cut_by_the_upper_border_is_closed_by_a_round(portrait: Portrait) -> None:
    matte = np.zeros_like(portrait.matte)
    matte[:, 200:300] = 255
    cut = replace(portrait, matte=matte)
    alpha = cut_out(cut, background_of(cut), MARGIN)[..., 3].astype(int)
    above = alpha[:MARGIN]
    widths = (above > 127).sum(axis=1)
    assert above[0].max() == 0
    assert widths[-1] == pytest.approx(100, abs=12)
    assert np.all(np.diff(widths) >= 0)
    columns = np.flatnonzero(above[-1] > 127)
    assert columns.mean() == pytest.approx(MARGIN + 249.5, abs=1)
    # Shoulders that other borders cut go straight on.
    assert np.all(alpha[-MARGIN:, MARGIN + 205 : MARGIN + 295] == 255)
