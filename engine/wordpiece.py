"""Cuts text into the pieces that a BERT net reads (Wu et al. 2016, section 4.1; Devlin et al. 2019).

The vocabulary is that of BERT uncased (Google, Apache-2.0): words, and pieces of words marked with "##".
"""

import gzip
import unicodedata
from functools import cache
from pathlib import Path
from typing import Final

ASSET: Final = Path(__file__).parent / "assets" / "wordpieces.txt.gz"

_BEGIN, _END, _UNKNOWN = "[CLS]", "[SEP]", "[UNK]"

_DROPPED: Final = ("Mn", "Cc", "Cf", "Co", "Cs")
"""Unicode categories of what is no part of a word: marks upon letters, and control characters."""

_LONGEST_WORD: Final = 100
"""Letters; a longer run is no word."""


def tokenize(text: str, *, longest: int) -> list[int]:
    """Return the numbers of a text's pieces between the marks for begin and end, `longest` at most in all."""
    numbers = _vocabulary()
    pieces = [number for word in _words(text) for number in _pieces(word, numbers)]
    return [numbers[_BEGIN], *pieces[: longest - 2], numbers[_END]]


def _words(text: str) -> list[str]:
    """Cut text into words, signs and ideographs: lower case, without accents."""
    plain = unicodedata.normalize("NFD", text.lower())
    spaced: list[str] = []
    for letter in plain:
        kind = unicodedata.category(letter)
        if letter.isspace():
            spaced.append(" ")
        elif kind in _DROPPED:
            continue
        elif _stands_alone(letter, kind):
            spaced.append(f" {letter} ")
        else:
            spaced.append(letter)
    return "".join(spaced).split()


def _stands_alone(letter: str, kind: str) -> bool:
    sign = kind.startswith("P") or (letter.isascii() and not letter.isalnum())
    return sign or "\u4e00" <= letter <= "\u9fff" or "\u3400" <= letter <= "\u4dbf"


def _pieces(word: str, numbers: dict[str, int]) -> list[int]:
    """Cover a word with the longest pieces from the left; an unknown word is one unknown piece."""
    if len(word) > _LONGEST_WORD:
        return [numbers[_UNKNOWN]]
    found: list[int] = []
    start = 0
    while start < len(word):
        mark = "##" if start else ""
        ends = range(len(word), start, -1)
        end = next((end for end in ends if mark + word[start:end] in numbers), None)
        if end is None:
            return [numbers[_UNKNOWN]]
        found.append(numbers[mark + word[start:end]])
        start = end
    return found


@cache
def _vocabulary() -> dict[str, int]:
    with gzip.open(ASSET, "rt", encoding="utf-8") as file:
        return {line.rstrip("\n"): number for number, line in enumerate(file)}
