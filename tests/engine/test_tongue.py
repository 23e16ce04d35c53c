import numpy as np
import pytest
from motions import motion_of
from numpy.typing import NDArray
from synthetic_face import draw_photo

from mien.engine.head import load_head
from mien.engine.motion import INDEX, neutral_motion
from mien.engine.placement import Placement
from mien.engine.portrait import Portrait
from mien.engine.rig_renderer import RigRenderer
from mien.engine.tongue import Tongue

Positions = NDArray[np.float32]


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    return draw_photo().portrait()


@pytest.fixture(scope="module")
def renderer(portrait: Portrait) -> RigRenderer:
    return RigRenderer(portrait)


def articulated(portrait: Portrait, weight: float, gap: float) -> tuple[Positions, slice]:
    """Place the mouth's inside with the tongue put out by `weight`; also where the tongue lies in it."""
    head, shape = load_head(), INDEX["tongueOut"]
    placement = Placement.at_rest(portrait)
    rows = slice(int(portrait.delta_starts[shape]), int(portrait.delta_starts[shape + 1]))
    placement.positions[portrait.delta_rows[rows]] += np.float32(weight) * portrait.delta_values[rows]
    inside = placement.positions[int(portrait.runs[1]) : int(portrait.runs[2])].copy()
    Tongue(portrait).articulate(inside, placement, weight, gap)
    first, run = head.mouth_inside().start, head.part("tongue")
    return inside, slice(run.start - first, run.stop - first)


def red(picture: NDArray[np.integer], rows: slice, columns: slice) -> float:
    area = picture[rows, columns].astype(float)
    return float((area[..., 0] - area[..., 1:].mean(axis=-1)).mean())


def test_closed_lips_hold_a_speaking_tongue_back(renderer: RigRenderer) -> None:
    closed = renderer.render(neutral_motion(1)[0])
    np.testing.assert_array_equal(renderer.render(motion_of(tongueOut=0.35)), closed)


@pytest.mark.parametrize("yaw", [-0.3, 0.0, 0.3])
def test_a_tongue_put_out_lies_over_the_lower_lip(
    portrait: Portrait, renderer: RigRenderer, yaw: float
) -> None:
    opened = renderer.render(motion_of(jawOpen=0.4, headYaw=yaw)).astype(int)
    out = renderer.render(motion_of(jawOpen=0.4, headYaw=yaw, tongueOut=1.0)).astype(int)
    changed = np.abs(out - opened).max(axis=2) > 12
    lip = int(portrait.landmarks[17, 1] + 0.2135 * 0.4 * portrait.scale)
    assert 0.03 < (np.flatnonzero(changed.any(axis=1)).max() - lip) / portrait.scale < 0.2
    across = np.flatnonzero(changed[lip])
    assert 0.1 < np.ptp(across) / portrait.scale < 0.25
    low, high = int(across.min()) + 4, int(across.max()) - 4
    assert red(out, slice(lip - 4, lip), slice(low, high)) > 15
    profile = out[lip - 4 : lip, low:high].mean(axis=(0, 2))
    quarter = len(profile) // 4
    groove = quarter + int(profile[quarter:-quarter].argmin())
    assert min(profile[:groove].max(), profile[groove:].max()) > profile[groove] + 4


def test_a_tongue_put_out_alone_parts_the_lips(portrait: Portrait, renderer: RigRenderer) -> None:
    out = renderer.render(motion_of(tongueOut=1.0))
    np.testing.assert_array_equal(renderer.render(motion_of(tongueOut=1.0, jawOpen=0.2)), out)
    changed = np.abs(out.astype(int) - portrait.picture).max(axis=2) > 12
    assert np.flatnonzero(changed.any(axis=1)).max() > portrait.landmarks[17, 1]


def test_it_grows_out_of_the_mouth_evenly(portrait: Portrait, renderer: RigRenderer) -> None:
    x = int(portrait.landmarks[14, 0])
    ends, rest = [], renderer.render(motion_of(jawOpen=0.3)).astype(int)
    for weight in np.linspace(0.35, 1, 14):
        drawn = renderer.render(motion_of(jawOpen=0.3, tongueOut=float(weight))).astype(int)
        changed = np.abs(drawn - rest)[:, x - 3 : x + 4].max(axis=(1, 2)) > 25
        ends.append(int(np.flatnonzero(changed).max(initial=0)))
    out = np.diff(ends[5:])
    assert (out >= 0).all()
    assert out.max() < 0.05 * portrait.scale
    assert ends[-1] - ends[5] > 0.06 * portrait.scale


def test_its_tip_rises_for_l_and_leaves_the_upper_teeth_further_out(portrait: Portrait) -> None:
    resting, own = articulated(portrait, 0.0, 0.1)
    tip = own.start + int(resting[own, 2].argmin())
    heights = [articulated(portrait, weight, 0.1)[0][tip, 1] for weight in (0.0, 0.05, 0.16, 0.9)]
    assert heights[0] > heights[1] > heights[2]
    assert heights[3] > heights[2] + 0.02 * portrait.scale


def test_it_moves_without_jumps(portrait: Portrait) -> None:
    weights = np.linspace(0, 1, 101)
    places = np.array([articulated(portrait, float(weight), 0.1)[0] for weight in weights])
    assert np.abs(np.diff(places, axis=0)).max() < 0.02 * portrait.scale
