"""What a page may say on the session socket: JSON text in, checked values out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from mien.engine.emotion import HIGHEST_INTENSITY, Emotion, Style
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


Message = Offer | Say | Interrupt | ChangeStyle | ChangeMouthGain | ChangeMode | Bye


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
    settings = SessionSettings(
        portrait=_text(fields, "portrait", longest=128),
        mode=_mode(fields),
        size=None if size is None else (size, size),
        style=_style(fields),
        mouth_gain=_number(fields, "mouth_gain", most=WIDEST_MOUTH_GAIN, default=1.0),
    )
    return Offer(_text(fields, "sdp", longest=MESSAGE_BYTES), settings)


def _parse_say(fields: Mapping[str, Any]) -> Say:
    text = _text(fields, "text", longest=MAX_TEXT).strip()
    if not text:
        raise _bad_field("text", "some words to say")
    return Say(text)


def _style(fields: Mapping[str, Any]) -> Style:
    try:
        emotion = Emotion(fields.get("emotion", Emotion.NEUTRAL))
    except ValueError as error:
        raise _bad_field("emotion", f"one of {', '.join(Emotion)}") from error
    return Style(emotion, _number(fields, "intensity", most=HIGHEST_INTENSITY, default=1.0))


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
    "style": lambda fields: ChangeStyle(_style(fields)),
    "mouth_gain": lambda fields: ChangeMouthGain(_number(fields, "value", most=WIDEST_MOUTH_GAIN)),
    "mode": lambda fields: ChangeMode(_mode(fields)),
    "bye": lambda _: Bye(),
}
