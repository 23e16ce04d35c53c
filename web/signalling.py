"""One session on one WebSocket: signalling, control, events. The socket's end is the session's end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final, Never

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from mien.engine.emotion_space import read_emotion
from mien.engine.errors import MienError
from mien.streaming.lobby import Lobby, ServerFull
from mien.streaming.session import Session
from mien.web.failures import BUG, code_of, describe_failure
from mien.web.memory import give_back_memory
from mien.web.messages import (
    BadMessage,
    Bye,
    ChangeMode,
    ChangeMouthGain,
    ChangeStyle,
    ChangeVoiceLeads,
    DescribeStyle,
    Interrupt,
    Message,
    Offer,
    Say,
    parse_message,
)
from mien.web.security import RateLimit

log = logging.getLogger(__name__)

OFFER_WITHIN_S: Final = 10.0
"""A socket that brings no offer for this long is closed."""

MESSAGES_A_SECOND: Final = 20.0
MESSAGE_BURST: Final = 60
"""A slider that is dragged sends about 10 messages a second."""

LAST_WORDS_S: Final = 0.5
"""How long a session that ended by itself may take to say why."""

POLICY_VIOLATION: Final = 1008
NORMAL: Final = 1000
INTERNAL: Final = 1011
TRY_AGAIN_LATER: Final = 1013


class _Ended(Exception):
    """The conversation is over; the socket closes with `code`."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


async def run_session(websocket: WebSocket, lobby: Lobby) -> None:
    """Serve one page from its offer to its end. Whatever happens, no session is left behind."""
    await websocket.accept()
    session: Session | None = None
    code = NORMAL
    try:
        limit = RateLimit(MESSAGES_A_SECOND, burst=MESSAGE_BURST)
        offer = await _receive_offer(websocket, limit)
        session, answer = await lobby.open(offer.settings, offer.sdp)
        await websocket.send_json({"type": "answer", "sdp": answer, "session": session.id})
        if offer.wish is not None:
            await _try(offer.wish, websocket, session)
        await _converse(websocket, session, limit)
    except _Ended as end:
        code = end.code
    except WebSocketDisconnect:
        pass
    except MienError as error:
        code = TRY_AGAIN_LATER if isinstance(error, ServerFull) else POLICY_VIOLATION
        await _send_quietly(websocket, error_message(error))
    except Exception:  # a bug: the page learns that, the log learns the rest
        log.exception("a session failed")
        code = INTERNAL
        await _send_quietly(websocket, {"type": "error", **BUG.fields()})
    finally:
        if session is not None:
            await asyncio.shield(session.close())
        await _close_quietly(websocket, code)
        if session is not None:
            await asyncio.to_thread(give_back_memory)


def error_message(error: MienError) -> dict[str, Any]:
    """Put a foreseen failure in the protocol's words."""
    failure = describe_failure(error)
    wait = {} if failure.retry_after_s is None else {"retry_after_s": failure.retry_after_s}
    return {"type": "error", **failure.fields(), **wait}


async def _receive_offer(websocket: WebSocket, limit: RateLimit) -> Offer:
    try:
        message = await asyncio.wait_for(_receive(websocket, limit), OFFER_WITHIN_S)
    except TimeoutError:
        raise BadMessage(
            "offer_missing",
            f"No offer came within {OFFER_WITHIN_S:g} seconds.",
            remedy="Send the offer as soon as the socket is open.",
        ) from None
    if isinstance(message, Bye):
        raise _Ended(NORMAL)
    if not isinstance(message, Offer):
        raise BadMessage(
            "offer_missing", "The first message is not an offer.", remedy="Send the offer first."
        )
    return message


async def _converse(websocket: WebSocket, session: Session, limit: RateLimit) -> None:
    """Carry messages both ways until the page, the session or the socket ends."""
    report = asyncio.create_task(_report(websocket, session), name="session socket out")
    tasks = [
        report,
        asyncio.create_task(_obey(websocket, session, limit), name="session socket in"),
        asyncio.create_task(session.wait_closed(), name="session socket end"),
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[2] in done:  # it may have said why just before it ended
            await asyncio.wait([report], timeout=LAST_WORDS_S)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _obey(websocket: WebSocket, session: Session, limit: RateLimit) -> Never:
    while True:
        try:
            message = await _receive(websocket, limit)
        except MienError as error:
            await websocket.send_json(error_message(error))
        else:
            await _try(message, websocket, session)


async def _try(message: Message, websocket: WebSocket, session: Session) -> None:
    """Do what a message asks; a mistake in it is told and ends nothing."""
    try:
        await _apply(message, session)
    except MienError as error:
        await websocket.send_json(error_message(error))


async def _apply(message: Message, session: Session) -> None:
    match message:
        case Say(text):
            await session.say(text)
        case Interrupt():
            session.interrupt()
        case ChangeStyle(style):
            session.set_style(style)
        case DescribeStyle(words, intensity):
            session.set_style(await asyncio.to_thread(read_emotion, words, intensity))
        case ChangeVoiceLeads(leads):
            session.set_voice_leads(leads)
        case ChangeMouthGain(value):
            session.set_mouth_gain(value)
        case ChangeMode(mode):
            session.set_mode(mode)
        case Bye():
            raise _Ended(NORMAL)
        case Offer():
            raise BadMessage(
                "second_offer",
                "This socket already carries a session.",
                remedy="Open another socket for another session.",
            )


async def _report(websocket: WebSocket, session: Session) -> None:
    async for event in session.events():
        code = {"code": code_of(event["code"])} if event["type"] == "error" else {}
        await websocket.send_json(event | code)
    await session.wait_closed()


async def _receive(websocket: WebSocket, limit: RateLimit) -> Message:
    received = await websocket.receive()
    if received["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(received.get("code", 1006))
    if not limit.allow():
        await _send_quietly(websocket, error_message(_TOO_FAST))
        raise _Ended(POLICY_VIOLATION)
    text = received.get("text")
    if text is None:
        raise BadMessage("bad_json", "The message is binary, not text.", remedy="Send JSON in text messages.")
    return parse_message(text)


async def _send_quietly(websocket: WebSocket, message: Mapping[str, Any]) -> None:
    """Send if somebody is still there."""
    if websocket.application_state is not WebSocketState.CONNECTED:
        return
    try:
        await websocket.send_json(message)
    except (WebSocketDisconnect, RuntimeError):
        log.debug("the page left before it could be told")


async def _close_quietly(websocket: WebSocket, code: int) -> None:
    if WebSocketState.DISCONNECTED in (websocket.client_state, websocket.application_state):
        return
    try:
        await websocket.close(code)
    except (WebSocketDisconnect, RuntimeError):
        log.debug("the page left before the socket was closed")


_TOO_FAST: Final = BadMessage(
    "too_fast",
    "Messages come faster than mien reads them.",
    remedy=f"Send at most {MESSAGES_A_SECOND:g} a second.",
)
