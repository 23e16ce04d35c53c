import time

import numpy as np
import pytest

from mien.engine.errors import BackendUnavailable
from mien.streaming.synthesis import MAX_TEXT, HibariSynthesizer, TextRefused, check_text, split_first_clause


def test_text_is_checked_and_cleaned() -> None:
    assert check_text("  Hello\x00 there.\n") == "Hello  there."
    for nothing in ("", "   ", "...", "\x00"):
        with pytest.raises(TextRefused, match="nothing to say"):
            check_text(nothing)
    with pytest.raises(TextRefused, match="2001 characters"):
        check_text("a" * (MAX_TEXT + 1))


def test_only_a_long_first_sentence_is_cut() -> None:
    short = "Well, hello there. " + "And now for something quite different, as they say. " * 3
    assert split_first_clause(short) == [short]
    long = "When the sun had set behind the hills, " + "and the birds had gone to sleep, " * 4 + "we left."
    parts = split_first_clause(long)
    assert parts[0] == "When the sun had set behind the hills,"
    assert " ".join(parts) == long


def test_without_the_package_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "hibari", None)
    with pytest.raises(BackendUnavailable, match="pip install"):
        HibariSynthesizer()


@pytest.fixture(scope="module")
def hibari() -> HibariSynthesizer:
    pytest.importorskip("hibari")
    return HibariSynthesizer()


def test_each_sentence_is_a_block_of_audible_speech(hibari: HibariSynthesizer) -> None:
    blocks = list(hibari.stream("Hello there. How do you do today?"))
    assert len(blocks) == 2
    for block in blocks:
        assert block.dtype == np.float32
        assert 0.3 < len(block) / hibari.sample_rate < 4
        assert 0.01 < np.sqrt(np.mean(np.square(block))) < 0.5
        assert np.abs(block).max() <= 1.5


def test_the_first_block_does_not_wait_for_the_rest(hibari: HibariSynthesizer) -> None:
    list(hibari.stream("Hello."))  # opens the model
    text = "One thing is certain. " + "This sentence makes the text long, and it goes on and on. " * 8
    began = time.thread_time()
    blocks = hibari.stream(text)
    next(blocks)
    first = time.thread_time() - began
    for _ in blocks:
        pass
    assert first < 0.5 * (time.thread_time() - began)  # a share, not a speed


def test_what_cannot_be_pronounced_gives_no_sound_rather_than_an_error(hibari: HibariSynthesizer) -> None:
    assert all(block.dtype == np.float32 for block in hibari.stream("你好 — 42 €!"))
