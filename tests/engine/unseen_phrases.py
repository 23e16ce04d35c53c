"""Forty phrases that the text-to-style map has never seen, written before any was tried.

`HELD_OUT` are the words that carry their meaning: tools/emotion_words.py must hold none of them.
"""

from typing import Final, NamedTuple


class Expectation(NamedTuple):
    """Where a phrase belongs."""

    emotions: frozenset[str]
    """Those that more than half of the style must be made of; empty for a neutral phrase."""

    strength: str = ""
    """"weak": under intensity 1.5, "strong": over it, "": either."""


def _expect(emotions: str, strength: str = "") -> Expectation:
    return Expectation(frozenset(emotions.split()), strength)


PHRASES: Final[dict[str, Expectation]] = {
    "sadly surprised": _expect("sad surprised"),
    "hatred": _expect("angry disgusted contempt"),
    "barely amused": _expect("happy", "weak"),
    "livid": _expect("angry", "strong"),
    "over the moon": _expect("happy", "strong"),
    "down in the dumps": _expect("sad"),
    "scared out of her wits": _expect("fear", "strong"),
    "aghast": _expect("fear surprised disgusted"),
    "gobsmacked": _expect("surprised"),
    "a hint of a smirk": _expect("contempt happy", "weak"),
    "looking down her nose at him": _expect("contempt"),
    "this smells revolting": _expect("disgusted"),
    "heartbroken": _expect("sad", "strong"),
    "my dog died this morning": _expect("sad"),
    "we won the lottery!": _expect("happy surprised"),
    "there is a spider on my shoulder": _expect("fear disgusted"),
    "how dare you": _expect("angry contempt"),
    "I can't believe my eyes": _expect("surprised"),
    "slightly worried": _expect("fear sad", "weak"),
    "seething": _expect("angry"),
    "giddy with excitement": _expect("happy surprised"),
    "melancholy": _expect("sad"),
    "queasy": _expect("disgusted"),
    "petrified": _expect("fear", "strong"),
    "as calm as a lake": _expect("", "weak"),
    "reading the news without any emotion": _expect("", "weak"),
    "bittersweet": _expect("happy sad"),
    "sarcastic and superior": _expect("contempt"),
    "mildly irritated": _expect("angry contempt", "weak"),
    "absolutely thrilled": _expect("happy surprised", "strong"),
    "jealous rage": _expect("angry contempt"),
    "on the verge of tears": _expect("sad"),
    "pleasantly startled": _expect("happy surprised"),
    "shaking with terror": _expect("fear", "strong"),
    "fed up with everyone": _expect("angry contempt disgusted"),
    "grief": _expect("sad"),
    "beaming with pride": _expect("happy"),
    "yuck": _expect("disgusted"),
    "a little homesick": _expect("sad", "weak"),
    "deadpan": _expect("", "weak"),
}  # fmt: skip

HELD_OUT: Final[frozenset[str]] = frozenset(
    """
    hatred hate hates hateful amused amusing amusement livid moon dumps wits aghast gobsmacked smirk smirking
    nose smells smell revolting revolted heartbroken dog died lottery spider dare believe worried worry
    seething giddy melancholy melancholic queasy petrified lake news bittersweet sarcastic sarcasm superior
    superiority irritated irritation thrilled jealous rage verge tears startled terror fed grief grieving
    beaming pride proud yuck homesick deadpan
    """.split()
)
