"""Words, labels and mixtures land where they belong in the emotion space."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from unseen_phrases import HELD_OUT, PHRASES

from mien.engine import emotion_space, sentence
from mien.engine.emotion import EMOTIONS, STYLE_SIZE, Emotion, Style
from mien.engine.emotion_space import (
    blend,
    intensity_of,
    read_emotion,
    read_labels,
    read_weights,
    set_intensity,
)
from mien.engine.errors import AssetError, BackendUnavailable, ConfigError
from mien.engine.sentence import SentenceEncoder, load_sentence_encoder
from mien.engine.wordpiece import ASSET, tokenize


def share_on(style: np.ndarray, emotions: frozenset[str]) -> float:
    return sum(float(style[EMOTIONS.index(Emotion(each))]) for each in emotions) / float(style[:8].sum())


def is_right(phrase: str) -> bool:
    """Say whether more than half of a style is of the emotions expected, and its strength as expected."""
    style, expected = read_emotion(phrase), PHRASES[phrase]
    if expected.emotions and share_on(style, expected.emotions) <= 0.5:
        return False
    return not expected.strength or (intensity_of(style) < 1.5) == (expected.strength == "weak")


def is_in_the_sensible_half(phrase: str) -> bool:
    """Say whether a style is pleasant or unpleasant as it should be; where both may be, if it is right."""
    unpleasant = frozenset({"angry", "contempt", "disgusted", "fear", "sad"})
    style, expected = read_emotion(phrase), PHRASES[phrase].emotions
    if expected and expected <= {"happy", "surprised"} and "happy" in expected:
        return share_on(style, frozenset({"happy"})) > share_on(style, unpleasant)
    if expected and "happy" not in expected and expected & unpleasant:
        return share_on(style, frozenset({"happy"})) < share_on(style, unpleasant)
    return is_right(phrase)


def test_unseen_phrases_land_in_the_sensible_half() -> None:
    """The map was not fitted to these. On rare words (queasy, yuck, homesick) the sentence encoder fails."""
    assert len(PHRASES) == 40
    wrong_half = [phrase for phrase in PHRASES if not is_in_the_sensible_half(phrase)]
    assert len(wrong_half) <= 2, wrong_half
    missed = [phrase for phrase in PHRASES if not is_right(phrase)]
    assert len(missed) <= 10, missed


def test_the_word_list_holds_no_word_of_the_unseen_phrases() -> None:
    listed = (Path(__file__).parents[2] / "tools" / "emotion_words.py").read_text().lower()
    block = listed.split("# text, then emotions")[1].split("_heads: final")[0]
    words = set("".join(letter if letter.isalpha() else " " for letter in block).split())
    assert not words & HELD_OUT
    assert {"angry", "weather", "birthday"} <= words


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_label_is_what_it_always_was(emotion: Emotion) -> None:
    np.testing.assert_array_equal(read_emotion(emotion), Style(emotion).vector())
    np.testing.assert_allclose(read_emotion(f"{emotion.upper()} 2.5"), Style(emotion, 2.5).vector())
    np.testing.assert_allclose(read_emotion(emotion, 3.0), Style(emotion, 3.0).vector())


@pytest.mark.parametrize("words", ["sad 1 + surprised 2", "sad and surprised 2", "sad 1, surprised 2"])
def test_labels_mix(words: str) -> None:
    style = read_emotion(words)
    expected = Style(Emotion.SAD, 1.0).vector() + Style(Emotion.SURPRISED, 2.0).vector()
    np.testing.assert_allclose(style, expected, atol=1e-6)


def test_labels_need_no_sentence_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentence, "find_spec", lambda _: None)
    load_sentence_encoder.cache_clear()
    try:
        assert intensity_of(read_emotion("happy 2")) == pytest.approx(2.0)
        with pytest.raises(BackendUnavailable, match=r"mien\[text\]"):
            read_emotion("barely amused")
    finally:
        load_sentence_encoder.cache_clear()


def test_what_is_no_label_is_not_read_as_one() -> None:
    assert read_labels("happy birthday") is None
    assert read_labels("unhappy") is None
    assert read_labels("sadly") is None


@pytest.mark.parametrize(
    ("words", "intensity"),
    [("", None), ("x" * 201, None), ("happy 2 sad 2", None), ("happy", 3.1), ("happy", -1)],
)
def test_mistakes_are_named(words: str, intensity: float | None) -> None:
    with pytest.raises(ConfigError):
        read_emotion(words, intensity)


def test_degrees_are_felt() -> None:
    strengths = [
        intensity_of(read_emotion(words)) for words in ("barely amused", "amused", "extremely amused")
    ]
    assert strengths[0] < 0.8 * strengths[1] < 0.8 * strengths[2]


def test_intensity_keeps_the_mixture_and_the_manner() -> None:
    style = read_emotion("sad 1 surprised 1")
    style[9] = 0.4
    louder = set_intensity(style, 3.0)
    np.testing.assert_allclose(louder[:8], 1.5 * style[:8], atol=1e-6)
    assert louder[9] == np.float32(0.4)
    assert not set_intensity(np.zeros(STYLE_SIZE, np.float32), 2.0).any()


def test_blending_leads_from_one_to_the_other() -> None:
    happy, sad = read_emotion("happy 3"), read_emotion("sad 1")
    np.testing.assert_allclose(blend([happy, sad], [3, 1]), 0.75 * happy + 0.25 * sad, atol=1e-6)


@pytest.mark.parametrize("words", ["\u0000\u200b", "幸せ", "😀", "a" * 200, "??? !!!", "हँसी"])
def test_any_words_give_a_style(words: str) -> None:
    style = read_emotion(words)
    assert style.shape == (STYLE_SIZE,)
    assert np.isfinite(style).all()
    assert 0.0 <= intensity_of(style) <= 3.0


def test_pieces_of_words() -> None:
    with gzip.open(ASSET, "rt", encoding="utf-8") as file:
        pieces = file.read().splitlines()
    read = [pieces[number] for number in tokenize("I can't believe it's Naïveté, unaffable 幸!", longest=64)]
    assert read == (
        "[CLS] i can ' t believe it ' s naive ##te , una ##ffa ##ble 幸 ! [SEP]".split()
    )  # as the tokenizer of the original model cuts it
    assert len(tokenize("word " * 100, longest=64)) == 64


def test_another_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not it")
    with pytest.raises(AssetError, match="not the sentence encoder"):
        SentenceEncoder(tmp_path / "model.onnx")
    with pytest.raises(AssetError, match="cannot be read"):
        SentenceEncoder(tmp_path / "absent.onnx")


def test_damaged_weights_are_named(tmp_path: Path) -> None:
    path = tmp_path / "map.npz"
    with pytest.raises(AssetError, match="missing"):
        read_weights(path, {"weight": (2,)})
    np.savez(path, weight=np.zeros(3, np.float16))
    with pytest.raises(AssetError, match="another version"):
        read_weights(path, {"weight": (2,)})
    with pytest.raises(AssetError, match="damaged"):
        read_weights(path, {"bias": (2,)})
    assert read_weights(path, {"weight": (-1,)})["weight"].dtype == np.float32


def test_the_shipped_map_says_how_it_was_made() -> None:
    with np.load(emotion_space.TEXT_MAP) as file:
        assert "concepts_held_out" in str(file["record"])
    assert emotion_space.TEXT_MAP.stat().st_size < 1_000_000
