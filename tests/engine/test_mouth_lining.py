import numpy as np
import pytest
from motions import motion_of
from synthetic_face import draw_photo

from mien.engine.head_fit import rotation_about
from mien.engine.mouth_frame import mouth_axes
from mien.engine.mouth_lining import MouthLining
from mien.engine.placement import Placement
from mien.engine.portrait import Portrait
from mien.engine.rig_renderer import RigRenderer


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    return draw_photo(yaw=0.35, pitch=-0.1).portrait()


def test_the_axes_are_those_of_the_photos_head(portrait: Portrait) -> None:
    turned = rotation_about(np.array([0.0, -0.35, 0.0])) @ rotation_about(np.array([0.1, 0.0, 0.0]))
    axes = mouth_axes(portrait) / portrait.scale
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-5)
    assert (np.trace(axes.T @ turned) - 1) / 2 > np.cos(np.deg2rad(6))


def test_the_lining_turns_with_the_head(portrait: Portrait) -> None:
    lining, placement = MouthLining(portrait), Placement.at_rest(portrait)
    resting = lining.place(placement)
    placement.rotation = rotation_about(np.array([0.1, 0.3, 0.0])).astype(np.float32)
    placement.positions = (placement.positions @ placement.rotation.T).astype(np.float32)
    np.testing.assert_allclose(lining.place(placement), resting @ placement.rotation.T, atol=0.01)


def test_the_lining_leads_back_from_the_lips_and_darkens(portrait: Portrait) -> None:
    lining, placement = MouthLining(portrait), Placement.at_rest(portrait)
    back = (lining.place(placement) @ np.linalg.inv(mouth_axes(portrait)).T)[:, 2]
    near, far = back < np.quantile(back, 0.3), back > np.quantile(back, 0.8)
    assert lining.paint[near].mean() > 1.3 * lining.paint[far].mean()
    assert lining.paint.min() >= 0
    assert lining.paint.max() <= 255
    assert lining.triangles.max() == len(back) - 1


def test_between_two_teeth_no_throat_is_seen(portrait: Portrait) -> None:
    """Their gap is narrower than a pixel: were it black, it would flicker as the head moves."""
    renderer = RigRenderer(draw_photo().portrait())
    frames = np.stack(
        [
            renderer.render(motion_of(jawOpen=0.25, mouthUpperUp=0.3, headYaw=float(yaw))).astype(int)
            for yaw in np.linspace(0, 0.02, 15)
        ]
    )
    x, y = renderer._portrait.landmarks[13, :2].astype(int)
    mouth = frames[:, y - 12 : y + 8, x - 30 : x + 30].mean(axis=-1)
    assert mouth.max() > 150
    assert np.abs(np.diff(mouth, 2, axis=0)).max() < 40
