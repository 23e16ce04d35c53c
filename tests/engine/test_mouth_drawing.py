"""What a mouth that opens does with the photo's own lips."""

import numpy as np
import pytest
from numpy.typing import NDArray
from synthetic_face import draw_photo

from mien.engine.head_fit import rotation_about
from mien.engine.mouth_drawing import MouthDrawing
from mien.engine.placement import Placement
from mien.engine.portrait import Portrait


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    return draw_photo().portrait()


def test_the_line_goes_where_lips_part_and_stays_where_they_touch(portrait: Portrait) -> None:
    photo = portrait.picture.copy()
    mouth, placement = MouthDrawing(portrait, photo), Placement.at_rest(portrait)
    lower = mouth._lip_columns[1]
    bow = np.sin(np.linspace(0, np.pi, lower.shape[1])) ** 4
    placement.positions[lower, 1] += (0.03 * portrait.scale * bow).astype(np.float32)
    parting = mouth.parting(placement)
    assert parting[128] == 255
    assert parting[:20].max() < 5
    assert parting[-20:].max() < 5
    mouth.part_lips(parting)
    changed = columns_changed(portrait, mouth, photo)
    assert changed[112:144].max() > 10
    assert changed[:20].max() == 0
    assert changed[-20:].max() == 0
    mouth.part_lips(np.zeros(256, np.uint8))
    np.testing.assert_array_equal(photo, portrait.picture)


def test_a_turn_parts_no_lips(portrait: Portrait) -> None:
    mouth, placement = MouthDrawing(portrait, portrait.picture.copy()), Placement.at_rest(portrait)
    assert mouth.parting(placement).max() == 0
    placement.rotation = rotation_about(np.array([0.2, 0.3, 0.1])).astype(np.float32)
    placement.positions = (placement.positions @ placement.rotation.T).astype(np.float32)
    assert mouth.parting(placement).max() == 0


def columns_changed(portrait: Portrait, mouth: MouthDrawing, photo: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return by how much the photo was changed at each place along the mouth, int64[256], in grey levels."""
    left, top = portrait.lips_corner
    height, width = portrait.lips_picture.shape[:2]
    apart = np.abs(photo.astype(np.int64) - portrait.picture).max(axis=2)
    changed = np.zeros(256, np.int64)
    np.maximum.at(changed, mouth._along, apart[top : top + height, left : left + width])
    return changed
