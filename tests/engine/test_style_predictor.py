"""A voice gives traits, and traits a style: the same however the sound is cut, and none in silence."""

from itertools import pairwise

import numpy as np
import pytest

from mien.engine.emotion import EMOTIONS, MANNER_SLICE, STYLE_SIZE, Emotion
from mien.engine.emotion_space import intensity_of
from mien.engine.style_predictor import (
    EVERY,
    STRETCH,
    VoiceState,
    follow_voice,
    load_style_predictor,
    with_manner_of,
)
from mien.engine.timebase import SAMPLE_RATE
from mien.engine.voice_traits import TRAITS, follow_pitch, hear_traits


def voice(seconds: float, *, pitch: float = 140.0, wobble: float = 0.1, seed: int = 0) -> np.ndarray:
    """Make a buzz with formants' worth of harmonics that swells in syllables, float32[n] at 16 kHz."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    hertz = pitch * 2 ** (wobble * np.sin(2 * np.pi * 0.7 * time))
    phase = 2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE
    buzz = sum(np.sin(order * phase) / order for order in range(1, 20))
    noise = np.random.default_rng(seed).standard_normal(len(time))
    swell = 0.5 - 0.5 * np.cos(2 * np.pi * 4.0 * time)
    return (0.15 * swell * (buzz + 0.05 * noise)).astype(np.float32)


@pytest.mark.parametrize("pitch", [80.0, 140.0, 260.0, 400.0])
def test_pitch_is_found(pitch: float) -> None:
    octaves, clarity = follow_pitch(voice(1.0, pitch=pitch, wobble=0.0))
    clear = clarity > 0.6
    assert clear.mean() > 0.5
    assert 100 * 2 ** np.median(octaves[clear]) == pytest.approx(pitch, rel=0.03)


def test_traits_do_not_depend_on_the_microphone_gain() -> None:
    sound = voice(2.0)
    loud, quiet = hear_traits(sound), hear_traits(0.3 * sound)
    assert loud is not None
    assert quiet is not None
    assert loud.shape == (len(TRAITS),)
    np.testing.assert_allclose(loud, quiet, atol=0.06)


def test_a_higher_voice_has_a_higher_pitch() -> None:
    low, high = hear_traits(voice(2.0, pitch=110)), hear_traits(voice(2.0, pitch=220))
    assert low is not None
    assert high is not None
    median = TRAITS.index("pitch median")
    assert high[median] - low[median] == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("sound", [np.zeros(STRETCH, np.float32), voice(0.3), np.zeros(0, np.float32)])
def test_silence_and_scraps_have_no_traits(sound: np.ndarray) -> None:
    assert hear_traits(sound) is None


def test_any_cut_of_the_sound_gives_the_same_style() -> None:
    sound = np.concatenate([voice(3.4), np.zeros(SAMPLE_RATE, np.float32)])
    whole = follow_voice(load_style_predictor(), sound, VoiceState())
    cut = VoiceState()
    for start in range(0, len(sound), 5711):
        cut = follow_voice(load_style_predictor(), sound[start : start + 5711], cut)
    assert whole.predictions == cut.predictions == len(sound) // EVERY
    np.testing.assert_array_equal(whole.felt, cut.felt)
    np.testing.assert_array_equal(whole.shown, cut.shown)


def test_a_style_from_a_voice_is_a_style() -> None:
    state = follow_voice(load_style_predictor(), voice(6.0, pitch=300, wobble=0.4), VoiceState())
    assert state.felt.shape == (STYLE_SIZE,)
    assert (state.felt >= 0).all()
    assert 0.0 <= intensity_of(state.felt) <= 3.0
    assert not state.felt[MANNER_SLICE].any()
    assert state.felt[EMOTIONS.index(Emotion.NEUTRAL)] == 0.0


def test_feeling_fades_when_the_voice_stops() -> None:
    state = follow_voice(load_style_predictor(), voice(6.0, pitch=320, wobble=0.5), VoiceState())
    assert intensity_of(state.felt) > 0.1
    later = follow_voice(load_style_predictor(), np.zeros(12 * SAMPLE_RATE, np.float32), state)
    assert intensity_of(later.felt) < 0.01
    assert intensity_of(later.shown) <= 0.3
    assert len(later.sound) == STRETCH


def test_small_changes_are_not_shown() -> None:
    predictor, state, shown = load_style_predictor(), VoiceState(), []
    for _ in range(8):
        state = follow_voice(predictor, voice(1.0), state)
        shown.append(state.shown)
    for now, later in pairwise(shown):
        step = np.abs(later - now).max()
        assert step == 0.0 or step > 0.08


def test_manner_is_taken_from_the_other() -> None:
    style, other = np.zeros(STYLE_SIZE, np.float32), np.zeros(STYLE_SIZE, np.float32)
    style[4], other[0], other[-1] = 0.5, 0.9, -0.7
    joined = with_manner_of(style, other)
    assert joined[4] == 0.5
    assert joined[0] == 0.0
    assert joined[-1] == np.float32(-0.7)
