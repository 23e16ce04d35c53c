"""Baselines: a viseme player that is told the phonemes, and maps from visemes to mouths."""

import numpy as np
import pytest

for needed in ("scipy", "soundfile"):
    pytest.importorskip(needed)

from articulation import Phone, prior_targets  # noqa: E402
from open_packages import fit_map  # noqa: E402
from players import filmed_mouth, loudness_jaw, viseme_player  # noqa: E402
from recordings import Recording  # noqa: E402

PHONES = [Phone("a", 0.2, 0.6), Phone("b", 0.6, 0.76), Phone("a", 0.76, 1.2), Phone("u", 1.2, 1.6)]


def test_the_viseme_player_opens_closes_and_rounds_in_time() -> None:
    recording = Recording("said", np.zeros(32000, np.float32), PHONES)
    mouth = viseme_player(recording, prior_targets())
    assert mouth.gap[16] < 0.05 < mouth.gap[10]
    assert mouth.rounding[35] > 3 * mouth.rounding[10]
    assert mouth.gap[45:].max() < 0.02


def test_the_loudness_jaw_follows_the_sound() -> None:
    sound = np.sin(np.arange(32000) / 5).astype(np.float32) * np.repeat([0, 0.5, 0, 0.2], 8000)
    jaw = loudness_jaw(Recording("said", sound.astype(np.float32))).jaw
    assert jaw[18] > jaw[43] > 5 * jaw[6]


def test_a_film_played_on_the_rig_keeps_its_gap() -> None:
    gap = np.linspace(0, 0.9, 30)
    mouth = filmed_mouth(Recording("seen", np.zeros(30 * 640, np.float32), (), 0.6 * gap, gap, 0 * gap))
    np.testing.assert_allclose(mouth.jaw, 0.6 * gap, atol=1e-6)
    np.testing.assert_allclose(mouth.gap[:15], gap[:15], atol=0.06)
    assert (np.diff(mouth.gap) > -1e-6).all()


def test_a_map_finds_weights_and_delay() -> None:
    rng = np.random.default_rng(0)
    recordings, visemes = [], []
    for _ in range(5):
        track = np.convolve(rng.random(200), np.ones(4) / 4, "same")
        recordings.append(
            Recording("made", np.zeros(200 * 640, np.float32), (), track, 0.5 * track + 0.1, 1 - track)
        )
        late = np.concatenate([np.zeros(3), track[:-3]])
        visemes.append(np.stack([late, rng.random(200)], axis=1).astype(np.float32))
    found = fit_map(visemes, recordings)
    assert found.delay == 3
    mouth = found(visemes[0], closes=None, teeth=None)
    assert np.corrcoef(mouth.jaw[5:-5], recordings[0].jaw[5:-5])[0, 1] > 0.99
    np.testing.assert_allclose(mouth.gap[5:-5], recordings[0].gap[5:-5], atol=0.05)
