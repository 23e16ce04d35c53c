"""Text becomes speech, sentence by sentence, behind one small protocol."""

import re
import threading
from collections.abc import Iterator
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.engine.errors import BackendUnavailable, MienError

MAX_TEXT: Final = 2000
"""Characters that may be said at once: about two minutes of speech."""

_FIRST_CLAUSE: Final = re.compile(r"^(.{12,80}?[,;:\u2013\u2014])\s+(?=\S)", re.DOTALL)
"""A clause of 12 to 80 characters at the start, worth saying before the rest is made."""

_LONG_FIRST_SENTENCE: Final = 90
_UNSPEAKABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class TextRefused(MienError):
    """A text that cannot be said: empty, or too long."""


class SpeechSynthesizer(Protocol):
    """Turns text into speech."""

    @property
    def sample_rate(self) -> int:
        """Samples a second of what `stream` yields."""

    def stream(self, text: str) -> Iterator[NDArray[np.float32]]:
        """Yield mono speech, float32[n], -1..1, in blocks, each as soon as it is made.

        Called from a worker thread, one call at a time; it may block.
        """


def check_text(text: str) -> str:
    """Return the text ready to be said. Raises TextRefused if there is nothing to say, or too much."""
    text = _UNSPEAKABLE.sub(" ", text).strip()
    if not any(character.isalnum() for character in text):
        raise TextRefused("There is nothing to say in this text.", remedy="Send at least one word.")
    if len(text) > MAX_TEXT:
        raise TextRefused(
            f"The text has {len(text)} characters; at most {MAX_TEXT} can be said at once.",
            remedy="Send it in shorter parts, one after the other.",
        )
    return text


def split_first_clause(text: str) -> list[str]:
    """Cut a long first sentence at its first pause, so that speech begins before all of it is made."""
    end = re.search(r"[.!?\u2026](\s|$)", text)
    if (end.start() if end else len(text)) < _LONG_FIRST_SENTENCE:
        return [text]
    clause = _FIRST_CLAUSE.match(text)
    return [text] if clause is None else [clause.group(1), text[clause.end() :]]


class HibariSynthesizer:
    """English speech from `hibari-tts`, on this machine, at some 25 times real time on one core.

    The model is opened on first use. Raises BackendUnavailable where the package is not installed.
    """

    sample_rate = 24_000

    def __init__(self, voice: str = "heart") -> None:
        try:
            import hibari
        except ImportError as error:
            raise BackendUnavailable(
                f"Saying text needs {error.name}, which is not installed.",
                remedy="Install it with: pip install 'mien[tts]'.",
            ) from error
        self._package = hibari
        self._voice = voice
        self._model: Any = None
        self._lock = threading.Lock()

    def stream(self, text: str) -> Iterator[NDArray[np.float32]]:
        """Yield one block a sentence, float32[n] at 24 kHz; a long first sentence comes in two."""
        for part in split_first_clause(text):
            yield from self._sentences(part)

    def _sentences(self, text: str) -> Iterator[NDArray[np.float32]]:
        with self._lock:
            if self._model is None:
                self._model = self._package.Hibari(voice=self._voice)
            spoken = self._model.phonemize(text)
        for phonemes in spoken:
            with self._lock:  # the model serves one caller at a time; others get their turn between sentences
                block = self._model.from_phonemes(phonemes)
            yield np.asarray(block, np.float32)
