import numpy as np
import pytest

from mien.engine.emotion import (
    EMOTION_SLICE,
    EMOTIONS,
    MANNER_NAMES,
    MANNER_SLICE,
    STYLE_SIZE,
    Emotion,
    Manner,
    Style,
    StyleGlide,
    mix_styles,
)
from mien.engine.errors import ConfigError


def test_emotions_stand_in_alphabetical_order() -> None:
    assert [str(emotion) for emotion in EMOTIONS] == sorted(emotion.value for emotion in Emotion)
    assert len(EMOTIONS) == 8


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_style_puts_its_intensity_in_its_place(emotion: Emotion) -> None:
    vector = Style(emotion, 1.5).vector()
    expected = np.zeros(STYLE_SIZE, np.float32)
    if emotion is not Emotion.NEUTRAL:
        expected[EMOTIONS.index(emotion)] = 0.5
    np.testing.assert_array_equal(vector, expected)
    assert not Style(emotion, 0.0).vector().any()


@pytest.mark.parametrize("axis", MANNER_NAMES)
def test_a_manner_stands_behind_the_emotions_whatever_they_are(axis: str) -> None:
    manner = Manner(**{axis: -0.5})
    vector = Style(Emotion.SAD, 3.0, manner).vector()
    np.testing.assert_array_equal(vector[EMOTION_SLICE], Style(Emotion.SAD, 3.0).vector()[EMOTION_SLICE])
    assert vector[MANNER_SLICE][MANNER_NAMES.index(axis)] == -0.5
    assert np.count_nonzero(vector[MANNER_SLICE]) == 1
    assert np.array_equal(Style(manner=manner).vector()[MANNER_SLICE], vector[MANNER_SLICE])


@pytest.mark.parametrize("axis", MANNER_NAMES)
@pytest.mark.parametrize("value", [-1.1, 1.1, float("nan")])
def test_a_manner_out_of_range_is_refused(axis: str, value: float) -> None:
    with pytest.raises(ConfigError, match=axis):
        Manner(**{axis: value})


@pytest.mark.parametrize("intensity", [-0.1, 3.1, float("nan")])
def test_intensity_out_of_range_is_refused(intensity: float) -> None:
    with pytest.raises(ConfigError, match="intensity"):
        Style(Emotion.HAPPY, intensity)


def test_styles_mix_by_their_shares() -> None:
    sad, surprised = Style(Emotion.SAD, 3.0), Style(Emotion.SURPRISED, 1.5)
    mixed = mix_styles([sad, surprised], [0.5, 0.5])
    np.testing.assert_allclose(mixed, 0.5 * sad.vector() + 0.5 * surprised.vector())
    with pytest.raises(ConfigError, match="mixed"):
        mix_styles([sad, surprised], [0.8, 0.8])
    with pytest.raises(ConfigError, match="mixed"):
        mix_styles([sad], [-0.1])


def glide_path(glide: StyleGlide, frames: int) -> np.ndarray:
    path = []
    for _ in range(frames):
        glide = glide.after(1)
        path.append(glide.now)
    return np.array(path)


def test_a_change_of_style_never_jumps_and_arrives() -> None:
    angry, happy = Style(Emotion.ANGRY, 3).vector(), Style(Emotion.HAPPY, 3).vector()
    glide = StyleGlide.resting_at(Style().vector()).towards(angry)
    first = glide_path(glide, 4)
    second = glide_path(glide.after(4).towards(happy), 40)
    path = np.concatenate([np.zeros((2, STYLE_SIZE), np.float32), first, second])
    assert np.abs(np.diff(path, axis=0)).max() < 0.2
    assert np.abs(np.diff(path, n=2, axis=0)).max() < 0.12
    np.testing.assert_array_equal(path[-1], happy)


@pytest.mark.parametrize("emotion", [emotion for emotion in EMOTIONS if emotion is not Emotion.NEUTRAL])
def test_every_emotion_comes_within_a_second_and_fades_more_slowly(emotion: Emotion) -> None:
    place, full = EMOTIONS.index(emotion), Style(emotion, 3).vector()
    coming = glide_path(StyleGlide.resting_at(Style().vector()).towards(full), 25)[:, place]
    going = 1.0 - glide_path(StyleGlide.resting_at(full).towards(Style().vector()), 25)[:, place]
    came, went = int(np.argmax(coming > 0.9)), int(np.argmax(going > 0.9))
    assert 0 < came < went < 25
    assert (np.diff(coming) >= 0).all()


def test_surprise_comes_first_and_sadness_last() -> None:
    half_way = {}
    for emotion in (Emotion.SURPRISED, Emotion.HAPPY, Emotion.SAD):
        full = Style(emotion, 3).vector()
        path = glide_path(StyleGlide.resting_at(Style().vector()).towards(full), 25)
        half_way[emotion] = int(np.argmax(path[:, EMOTIONS.index(emotion)] > 0.5))
    assert half_way[Emotion.SURPRISED] < half_way[Emotion.HAPPY] < half_way[Emotion.SAD]


def test_gliding_in_one_stride_or_many_is_the_same() -> None:
    glide = StyleGlide.resting_at(Style().vector()).towards(Style(Emotion.FEAR, 2).vector())
    np.testing.assert_allclose(glide.after(3).after(2).now, glide.after(5).now, atol=1e-6)
