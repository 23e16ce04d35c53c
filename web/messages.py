"""What a page may say on the session socket: JSON text in, checked values out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from mien.engine.emotion import HIGHEST_INTENSITY, Emotion, Style
from mien.engine.emotion_space import LONGEST_WORDS
from mien.engine.errors import MienError
from mien.engine.performer import WIDEST_MOUTH_GAIN
from mien.streaming.pipeline import Mode
from mien.streaming.session import SessionSettings
from mien.streaming.synthesis import MAX_TEXT

MESSAGE_BYTES: Final = 64 * 1024
"""The longest message that is read at all. A browser's offer takes 3 to 8 kB."""

SIZES: Final = (256, 384, 512)
"""The square picture sizes a page may ask for, in pixels, beside the server's own size."""


class BadMessage(MienError):
    """A message is not what the protocol says. `code` names the kind of mistake to programs."""

    def __init__(self, code: str, problem: str, *, remedy: str) -> None:
        super().__init__(problem, remedy=remedy)
        self.code = code


@dataclass(frozen=True, slots=True)
class Offer:
    """Open the session: the peer's SDP and what it wants to see."""

    sdp: str
    settings: SessionSettings
    wish: DescribeStyle | None = None
    """The emotion to begin with, where it was asked for in words."""


@dataclass(frozen=True, slots=True)
class Say:
    """Speak this text."""

    text: str


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Fall silent now."""


@dataclass(frozen=True, slots=True)
class ChangeStyle:
    """Move to another emotion or intensity."""

    style: Style


@dataclass(frozen=True, slots=True)
class DescribeStyle:
    """Move to an emotion said in words; they are read by mien.engine.emotion_space, off the event loop."""

    words: str
    intensity: float | None
    """0..3, or None for that of the words."""


@dataclass(frozen=True, slots=True)
class ChangeVoiceLeads:
    """Take the emotion from the voice, or from what was set."""

    leads: bool


@dataclass(frozen=True, slots=True)
class ChangeMouthGain:
    """Open the mouth less or more: 0 keeps it closed, 1 is as spoken."""

    value: float


@dataclass(frozen=True, slots=True)
class ChangeMode:
    """Mirror the microphone, or say text."""

    mode: Mode


@dataclass(frozen=True, slots=True)
class Bye:
    """End the session."""


Message = (
    Offer
    | Say
    | Interrupt
    | ChangeStyle
    | DescribeStyle
    | ChangeVoiceLeads
    | ChangeMouthGain
    | ChangeMode
    | Bye
)


def parse_message(text: str) -> Message:
    """Read one message from a page. Raises BadMessage, and nothing else, for anything that is not one."""
    if len(text.encode("utf-8", "surrogatepass")) > MESSAGE_BYTES:
        raise BadMessage(
            "message_too_long",
            f"The message is longer than {MESSAGE_BYTES} bytes.",
            remedy="Send long texts in several pieces.",
        )
    try:
        fields = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadMessage(
            "bad_json", "The message is not JSON.", remedy="Send one JSON object in each text message."
        ) from error
    if not isinstance(fields, dict):
        raise BadMessage(
            "bad_json", "The message is not a JSON object.", remedy='Send an object such as {"type": "bye"}.'
        )
    kind = fields.get("type")
    parse = _PARSERS.get(kind) if isinstance(kind, str) else None
    if parse is None:
        raise BadMessage(
            "unknown_type",
            "The message has no type that mien knows.",
            remedy=f"Set type to one of: {', '.join(_PARSERS)}.",
        )
    return parse(fields)


def _parse_offer(fields: Mapping[str, Any]) -> Offer:
    size = fields.get("size")
    if size is not None and (type(size) is not int or size not in SIZES):
        raise _bad_field("size", f"one of {', '.join(map(str, SIZES))}")
    change = _style(fields)
    settings = SessionSettings(
        portrait=_text(fields, "portrait", longest=128),
        mode=_mode(fields),
        size=None if size is None else (size, size),
        style=change.style if isinstance(change, ChangeStyle) else Style(),
        mouth_gain=_number(fields, "mouth_gain", most=WIDEST_MOUTH_GAIN, default=1.0),
    )
    wish = change if isinstance(change, DescribeStyle) else None
    return Offer(_text(fields, "sdp", longest=MESSAGE_BYTES), settings, wish)


def _parse_say(fields: Mapping[str, Any]) -> Say:
    text = _text(fields, "text", longest=MAX_TEXT).strip()
    if not text:
        raise _bad_field("text", "some words to say")
    return Say(text)


def _style(fields: Mapping[str, Any]) -> ChangeStyle | DescribeStyle:
    words = _text({"emotion": Emotion.NEUTRAL.value, **fields}, "emotion", longest=LONGEST_WORDS).strip()
    if not words:
        raise _bad_field("emotion", f"one of {', '.join(Emotion)}, or words for a feeling")
    intensity = None
    if "intensity" in fields:
        intensity = _number(fields, "intensity", most=HIGHEST_INTENSITY)
    if words in tuple(Emotion):
        return ChangeStyle(Style(Emotion(words), 1.0 if intensity is None else intensity))
    return DescribeStyle(words, intensity)


def _mode(fields: Mapping[str, Any]) -> Mode:
    mode = next((mode for mode in Mode if mode.value == fields.get("mode")), None)
    if mode is None:
        raise _bad_field("mode", f"one of {', '.join(Mode)}")
    return mode


def _text(fields: Mapping[str, Any], name: str, *, longest: int) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value or len(value) > longest:
        raise _bad_field(name, f"text of 1 to {longest} characters")
    if not value.isprintable() and any(0xD800 <= ord(letter) <= 0xDFFF for letter in value):
        raise _bad_field(name, "valid Unicode text")
    return value


def _number(fields: Mapping[str, Any], name: str, *, most: float, default: float | None = None) -> float:
    value = fields.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise _bad_field(name, f"a number from 0 to {most:g}")
    return float(value)


def _truth(fields: Mapping[str, Any], name: str) -> bool:
    value = fields.get(name)
    if not isinstance(value, bool):
        raise _bad_field(name, "true or false")
    return value


def _bad_field(name: str, wanted: str) -> BadMessage:
    return BadMessage(
        "bad_field", f"The message's {name} is not {wanted}.", remedy=f"Set {name} to {wanted}."
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_PARSERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Message]]] = {
    "offer": _parse_offer,
    "say": _parse_say,
    "interrupt": lambda _: Interrupt(),
    "style": _style,
    "voice_leads": lambda fields: ChangeVoiceLeads(_truth(fields, "value")),
    "mouth_gain": lambda fields: ChangeMouthGain(_number(fields, "value", most=WIDEST_MOUTH_GAIN)),
    "mode": lambda fields: ChangeMode(_mode(fields)),
    "bye": lambda _: Bye(),
}
