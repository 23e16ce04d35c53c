"""The session socket: what it says to good and bad messages, and that no session outlives it."""

import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect
from waiting import wait_until

from mien.engine.emotion import EMOTIONS, Emotion, Style
from mien.engine.emotion_space import intensity_of, read_emotion
from mien.streaming.pipeline import Mode
from mien.web import signalling
from mien.web.messages import MESSAGE_BYTES, BadMessage, Offer, Say, parse_message
from mien.web.openapi import describe
from mien.web.security import RateLimit

OFFER = {"type": "offer", "sdp": "v=0", "portrait": "anna", "mode": "mirror"}


def open_session(socket: WebSocketTestSession) -> None:
    socket.send_json(OFFER)
    assert socket.receive_json() == {"type": "answer", "sdp": "answer to v=0", "session": "session-1"}


def test_session_from_offer_to_bye(client: TestClient, lobby: Any) -> None:
    with client.websocket_connect("/v1/session") as socket:
        socket.send_json(OFFER | {"size": 256, "emotion": "happy", "intensity": 2.5, "mouth_gain": 0.5})
        assert socket.receive_json()["type"] == "answer"
        (session,) = lobby.made
        assert session.settings.mode is Mode.MIRROR
        assert session.settings.size == (256, 256)
        assert session.settings.style == Style(Emotion.HAPPY, 2.5)
        assert session.settings.mouth_gain == 0.5
        socket.send_json({"type": "say", "text": " Hello. "})
        assert socket.receive_json() == {"type": "speech", "state": "started"}
        socket.send_json({"type": "interrupt"})
        socket.send_json({"type": "style", "emotion": "sad", "intensity": 3})
        socket.send_json({"type": "voice_leads", "value": True})
        socket.send_json({"type": "mouth_gain", "value": 1.5})
        socket.send_json({"type": "mode", "mode": "say"})
        socket.send_json({"type": "bye"})
        with pytest.raises(WebSocketDisconnect) as end:
            socket.receive_json()
        assert end.value.code == 1000
    assert session.told == [
        ("say", "Hello."),
        "interrupt",
        Style(Emotion.SAD, 3.0),
        ("voice leads", True),
        1.5,
        Mode.SAY,
    ]
    assert session.closed.is_set()


def test_an_emotion_may_be_said_in_words(client: TestClient, lobby: Any) -> None:
    with client.websocket_connect("/v1/session") as socket:
        socket.send_json(OFFER | {"emotion": "happy 1 + surprised 2"})
        assert socket.receive_json()["type"] == "answer"
        (session,) = lobby.made
        socket.send_json({"type": "style", "emotion": "barely amused"})
        socket.send_json({"type": "style", "emotion": "sad 3 angry 3"})
        assert socket.receive_json()["type"] == "error"
        socket.send_json({"type": "bye"})
        with pytest.raises(WebSocketDisconnect):
            socket.receive_json()
    first, second = session.told
    np.testing.assert_allclose(first, read_emotion("happy 1 + surprised 2"))
    assert EMOTIONS[int(np.argmax(second))] is Emotion.HAPPY
    assert 0.1 < intensity_of(second) < 1.5


def test_session_ends_with_its_socket(client: TestClient, lobby: Any) -> None:
    with client.websocket_connect("/v1/session") as socket:
        open_session(socket)
        assert not lobby.made[0].closed.is_set()
    wait_until(lobby.made[0].closed.is_set)


def test_socket_ends_with_its_session_and_says_why(client: TestClient) -> None:
    with client.websocket_connect("/v1/session") as socket:
        open_session(socket)
        socket.send_json({"type": "say", "text": "end"})
        assert socket.receive_json()["type"] == "speech"
        assert socket.receive_json() == {
            "type": "error",
            "code": "connection_blocked",
            "problem": "P.",
            "remedy": "R.",
        }
        with pytest.raises(WebSocketDisconnect):
            socket.receive_json()


BEFORE_THE_OFFER = [
    ("not json", "bad_json"),
    ("", "bad_json"),
    ("[]", "bad_json"),
    ("null", "bad_json"),
    ('{"type": "offer"', "bad_json"),
    ("[" * 30_000, "bad_json"),
    ('{"type": "offer", "sdp": NaN}', "bad_json"),
    ("{}", "unknown_type"),
    ('{"type": 7}', "unknown_type"),
    ('{"type": ["offer"]}', "unknown_type"),
    ('{"type": "dance"}', "unknown_type"),
    ('{"type": "interrupt"}', "offer_missing"),
    ('{"type": "say", "text": "Hello"}', "offer_missing"),
    (json.dumps(OFFER | {"sdp": ""}), "bad_field"),
    (json.dumps(OFFER | {"sdp": 7}), "bad_field"),
    (json.dumps(OFFER | {"sdp": "x" * MESSAGE_BYTES}), "message_too_long"),
    (json.dumps(OFFER | {"mode": "sing"}), "bad_field"),
    (json.dumps(OFFER | {"mode": None}), "bad_field"),
    (json.dumps(OFFER | {"mode": ["mirror"]}), "bad_field"),
    (json.dumps(OFFER | {"size": 513}), "bad_field"),
    (json.dumps(OFFER | {"size": True}), "bad_field"),
    (json.dumps(OFFER | {"size": 512.0}), "bad_field"),
    (json.dumps(OFFER | {"emotion": " "}), "bad_field"),
    (json.dumps(OFFER | {"emotion": "x" * 201}), "bad_field"),
    (json.dumps(OFFER | {"emotion": {}}), "bad_field"),
    (json.dumps(OFFER | {"intensity": 3.01}), "bad_field"),
    (json.dumps(OFFER | {"intensity": -0.1}), "bad_field"),
    (json.dumps(OFFER | {"intensity": "1"}), "bad_field"),
    (json.dumps(OFFER | {"intensity": True}), "bad_field"),
    (json.dumps(OFFER)[:-1] + ', "mouth_gain": 1e999}', "bad_field"),
    (json.dumps(OFFER)[:-1] + ', "mouth_gain": ' + "9" * 400 + "}", "bad_field"),
    (json.dumps(OFFER | {"portrait": "\ud800"}), "bad_field"),
    (json.dumps(OFFER | {"portrait": "x" * 129}), "bad_field"),
    (json.dumps(OFFER | {"portrait": "nobody"}), "unknown_portrait"),
]


@pytest.mark.parametrize(("message", "code"), BEFORE_THE_OFFER)
def test_bad_first_message_gets_one_error_and_the_end(
    client: TestClient, lobby: Any, message: str, code: str
) -> None:
    with client.websocket_connect("/v1/session") as socket:
        socket.send_text(message)
        error = socket.receive_json()
        assert error["type"] == "error"
        assert error["code"] == code
        assert error["problem"].endswith(".")
        assert error["remedy"].endswith(".")
        with pytest.raises(WebSocketDisconnect) as end:
            socket.receive_json()
        assert end.value.code == 1008
    assert not lobby.made


def test_binary_first_message(client: TestClient) -> None:
    with client.websocket_connect("/v1/session") as socket:
        socket.send_bytes(b"\x00\xff")
        assert socket.receive_json()["code"] == "bad_json"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (json.dumps(OFFER), "second_offer"),
        ("garbage", "bad_json"),
        ('{"type": "say"}', "bad_field"),
        ('{"type": "say", "text": "   "}', "bad_field"),
        ('{"type": "say", "text": "?!"}', "text_refused"),
        (json.dumps({"type": "say", "text": "x" * 2001}), "bad_field"),
        ('{"type": "voice_leads", "value": 1}', "bad_field"),
        ('{"type": "mouth_gain"}', "bad_field"),
        ('{"type": "mouth_gain", "value": 2.1}', "bad_field"),
        ('{"type": "mouth_gain", "value": null}', "bad_field"),
        ('{"type": "style", "emotion": "happy", "intensity": 9}', "bad_field"),
        ('{"type": "mode"}', "bad_field"),
    ],
)
def test_mistakes_do_not_end_a_session(client: TestClient, lobby: Any, message: str, code: str) -> None:
    with client.websocket_connect("/v1/session") as socket:
        open_session(socket)
        socket.send_text(message)
        assert socket.receive_json()["code"] == code
        socket.send_json({"type": "say", "text": "Still here"})
        assert socket.receive_json() == {"type": "speech", "state": "started"}
    wait_until(lobby.made[0].closed.is_set)
    assert len(lobby.made) == 1


def test_full_server_says_when_to_come_again(client: TestClient, lobby: Any) -> None:
    lobby.capacity = 0
    with client.websocket_connect("/v1/session") as socket:
        socket.send_json(OFFER)
        error = socket.receive_json()
        assert error["code"] == "server_full"
        assert error["retry_after_s"] == 7
        with pytest.raises(WebSocketDisconnect) as end:
            socket.receive_json()
        assert end.value.code == 1013


def test_silence_before_the_offer_is_not_waited_for_long(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signalling, "OFFER_WITHIN_S", 0.05)
    with client.websocket_connect("/v1/session") as socket:
        assert socket.receive_json()["code"] == "offer_missing"


def test_flood_ends_the_session(client: TestClient, lobby: Any) -> None:
    with client.websocket_connect("/v1/session") as socket:
        open_session(socket)
        for _ in range(signalling.MESSAGE_BURST + 20):
            socket.send_json({"type": "interrupt"})
        assert socket.receive_json()["code"] == "too_fast"
        with pytest.raises(WebSocketDisconnect) as end:
            socket.receive_json()
        assert end.value.code == 1008
    assert lobby.made[0].closed.is_set()


def test_a_bug_ends_the_session_and_shows_nothing_of_itself(client: TestClient, lobby: Any) -> None:
    with client.websocket_connect("/v1/session") as socket:
        open_session(socket)
        socket.send_json({"type": "say", "text": "break"})
        error = socket.receive_json()
        assert error["code"] == "internal"
        assert "a bug" not in json.dumps(error)
        with pytest.raises(WebSocketDisconnect) as end:
            socket.receive_json()
        assert end.value.code == 1011
    assert lobby.made[0].closed.is_set()


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}])
def test_foreign_pages_get_no_socket(client: TestClient, headers: dict[str, str]) -> None:
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/v1/session", headers=headers):
        pass


def test_own_page_gets_a_socket(client: TestClient) -> None:
    with client.websocket_connect("/v1/session", headers={"Origin": "http://testserver"}) as socket:
        open_session(socket)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=4), SCALARS, max_size=3)
FIELDS = ("sdp", "portrait", "mode", "size", "emotion", "intensity", "mouth_gain", "text", "value")


@settings(deadline=None)
@given(
    kind=st.sampled_from(["offer", "say", "interrupt", "style", "mouth_gain", "mode", "bye", "other"]),
    fields=st.dictionaries(st.sampled_from(FIELDS), JSON),
)
def test_any_message_is_read_or_refused(kind: str, fields: dict[str, Any]) -> None:
    with suppress(BadMessage):
        parse_message(json.dumps({"type": kind, **fields}))


@settings(deadline=None)
@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(BadMessage):
        parse_message(text)


def test_messages_take_their_defaults() -> None:
    offer = parse_message(json.dumps(OFFER))
    assert isinstance(offer, Offer)
    assert offer.settings.size is None
    assert offer.settings.style == Style()
    assert parse_message('{"type": "say", "text": "Zoë\\n✓"}') == Say("Zoë\n✓")


def test_every_message_is_described() -> None:
    from mien.web import messages

    schemas = describe()["components"]["schemas"]
    described = {
        schemas[reference["$ref"].rsplit("/", 1)[1]]["properties"]["type"]["const"]
        for reference in schemas["ClientMessage"]["oneOf"]
    }
    assert described == set(messages._PARSERS)


def test_rate_limit_refills() -> None:
    now = 0.0
    limit = RateLimit(2, burst=3, clock=lambda: now)
    assert [limit.allow() for _ in range(4)] == [True, True, True, False]
    now = 0.5
    assert [limit.allow() for _ in range(2)] == [True, False]
    now = 100.0
    assert [limit.allow() for _ in range(4)] == [True, True, True, False]
