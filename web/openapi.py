"""The OpenAPI 3.1 description of the door, kept by hand; a test holds it to the routes."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

from mien.engine.emotion import HIGHEST_INTENSITY, Emotion
from mien.engine.emotion_space import LONGEST_WORDS
from mien.engine.performer import WIDEST_MOUTH_GAIN
from mien.streaming.synthesis import MAX_TEXT
from mien.web.messages import SIZES

Schema = dict[str, Any]


def describe() -> Schema:
    """Return the whole description as a JSON-able value."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mien",
            "version": version("mien"),
            "summary": "A photo and a stream of speech go in, a living face comes out over WebRTC.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _PATHS,
        "components": {"schemas": _SCHEMAS, "responses": _RESPONSES, "parameters": _PARAMETERS},
    }


def _ref(kind: str, name: str) -> Schema:
    return {"$ref": f"#/components/{kind}/{name}"}


def _json(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _message(kind: str, fields: Schema | None = None, *, required: tuple[str, ...] = ()) -> Schema:
    """Describe a socket message: an object whose `type` is `kind`."""
    return {
        "type": "object",
        "properties": {"type": {"const": kind}, **(fields or {})},
        "required": ["type", *required],
    }


_EMOTION: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": LONGEST_WORDS,
    "examples": [*(emotion.value for emotion in Emotion), "happy 2 + surprised 1", "barely amused"],
    "default": "neutral",
    "description": "One of the eight labels, several with intensities, or any words for a feeling. Words "
    "need the server's extra `text`.",
}
_INTENSITY: Final[Schema] = {
    "type": "number",
    "minimum": 0,
    "maximum": HIGHEST_INTENSITY,
    "description": "How strong it is in all. By default 1 for a label, and for words what they say.",
}
_MOUTH_GAIN: Final[Schema] = {
    "type": "number",
    "minimum": 0,
    "maximum": WIDEST_MOUTH_GAIN,
    "description": "0 keeps the mouth closed, 1 opens it as spoken.",
}
_MODE: Final[Schema] = {
    "type": "string",
    "enum": ["mirror", "say"],
    "description": "mirror: the face says what the microphone hears. say: it speaks texts that are sent.",
}

_SCHEMAS: Final[Schema] = {
    "Error": {
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "properties": {
                    "code": {"type": "string", "description": "Stable, for programs."},
                    "problem": {"type": "string", "description": "What is wrong, for people."},
                    "remedy": {"type": "string", "description": "What to do about it, for people."},
                    "boxes": {
                        "type": "array",
                        "description": "With several_faces: each face's left, top, right, bottom in "
                        "pixels of `picture`, largest first. Send it again with `face` an index of these.",
                        "items": {
                            "type": "array",
                            "items": {"type": "integer"},
                            "minItems": 4,
                            "maxItems": 4,
                        },
                    },
                    "picture": {
                        "type": "array",
                        "description": "With several_faces: width and height that the boxes refer to, in "
                        "pixels, the photo being upright.",
                        "items": {"type": "integer"},
                        "minItems": 2,
                        "maxItems": 2,
                    },
                    "preview": {
                        "type": "string",
                        "description": "With several_faces: that picture as a data: URL, a JPEG, to draw the "
                        "boxes on. A browser may not show the photo itself, or not upright.",
                    },
                },
                "required": ["code", "problem", "remedy"],
            }
        },
        "required": ["error"],
    },
    "Health": {
        "type": "object",
        "properties": {
            "status": {"const": "ok"},
            "version": {"type": "string"},
            "sessions": {
                "type": "object",
                "properties": {
                    "open": {"type": "integer", "minimum": 0},
                    "capacity": {"type": "integer", "minimum": 1},
                },
                "required": ["open", "capacity"],
            },
            "speech": {"type": "boolean", "description": "Whether texts can be spoken here (mode say)."},
            "limits": {
                "type": "object",
                "properties": {
                    "upload_bytes": {"type": "integer"},
                    "text_characters": {"type": "integer"},
                    "intensity": {"type": "number"},
                    "mouth_gain": {"type": "number"},
                    "sizes": {"type": "array", "items": {"type": "integer"}},
                    "size": {
                        "type": "array",
                        "items": {"type": "integer"},
                        "description": "Width and height of the pictures where a page asks for no other.",
                    },
                },
                "required": ["upload_bytes", "text_characters", "intensity", "mouth_gain", "sizes", "size"],
            },
        },
        "required": ["status", "version", "sessions", "speech", "limits"],
    },
    "Portrait": {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "name": {"type": "string"},
            "credit": {"type": "string", "description": "Who made the picture, and under what terms."},
            "builtin": {"type": "boolean"},
            "picture": {"type": "string", "description": "Address of the still, relative to the page."},
        },
        "required": ["id", "name", "credit", "builtin", "picture"],
    },
    "ClientMessage": {
        "description": "What a page sends on /v1/session. An offer comes first, and once.",
        "oneOf": [
            _ref("schemas", name)
            for name in (
                "OfferMessage",
                "SayMessage",
                "InterruptMessage",
                "StyleMessage",
                "VoiceLeadsMessage",
                "MouthGainMessage",
                "ModeMessage",
                "ByeMessage",
            )
        ],
    },
    "ServerMessage": {
        "description": "What a page receives on /v1/session. Ignore unknown types: more may come.",
        "oneOf": [
            _ref("schemas", name)
            for name in ("AnswerMessage", "StatsMessage", "SpeechMessage", "MarkMessage", "ErrorMessage")
        ],
    },
    "OfferMessage": _message(
        "offer",
        {
            "sdp": {"type": "string", "description": "The peer's SDP with all its ICE candidates."},
            "portrait": {"type": "string", "maxLength": 128},
            "mode": _MODE,
            "size": {
                "type": "integer",
                "enum": list(SIZES),
                "description": "Side of a square picture, in pixels. Left out: the server's own size.",
            },
            "emotion": _EMOTION,
            "intensity": _INTENSITY,
            "mouth_gain": {**_MOUTH_GAIN, "default": 1},
        },
        required=("sdp", "portrait", "mode"),
    ),
    "SayMessage": _message(
        "say", {"text": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT}}, required=("text",)
    ),
    "InterruptMessage": _message("interrupt"),
    "StyleMessage": _message("style", {"emotion": _EMOTION, "intensity": _INTENSITY}),
    "VoiceLeadsMessage": _message(
        "voice_leads",
        {
            "value": {
                "type": "boolean",
                "description": "true: the emotion is what the voice seems to say. false: what was set.",
            }
        },
        required=("value",),
    ),
    "MouthGainMessage": _message("mouth_gain", {"value": _MOUTH_GAIN}, required=("value",)),
    "ModeMessage": _message("mode", {"mode": _MODE}, required=("mode",)),
    "ByeMessage": _message("bye"),
    "AnswerMessage": _message(
        "answer", {"sdp": {"type": "string"}, "session": {"type": "string"}}, required=("sdp", "session")
    ),
    "StatsMessage": {
        **_message("stats"),
        "description": "Once a second: figures of the session as the server measured them.",
        "additionalProperties": True,
    },
    "SpeechMessage": _message(
        "speech", {"state": {"type": "string", "enum": ["started", "finished"]}}, required=("state",)
    ),
    "MarkMessage": _message("mark", {"name": {"type": "string"}}, required=("name",)),
    "ErrorMessage": _message(
        "error",
        {
            "code": {"type": "string"},
            "problem": {"type": "string"},
            "remedy": {"type": "string"},
            "retry_after_s": {"type": "number", "description": "With server_full: when to try again."},
        },
        required=("code", "problem", "remedy"),
    ),
}

_RESPONSES: Final[Schema] = {
    name: _json(description, _ref("schemas", "Error"))
    for name, description in {
        "Unknown": "There is no such thing here, or no longer.",
        "TooLarge": "The photo has too many bytes or pixels (picture_too_large).",
        "NotAPicture": "The body is not a picture mien reads (not_a_picture).",
        "Unusable": "No portrait comes of it: no_face, several_faces, face_turned, face_covered, "
        "eyes_closed, picture_too_small ...",
        "Foreign": "The request names another host or comes from another site (foreign_origin).",
        "Busy": "Other photos are being prepared (studio_busy). Retry-After says when to come again.",
    }.items()
}

_PARAMETERS: Final[Schema] = {
    "PortraitId": {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "A portrait's id, from the list or from an upload.",
        "schema": {"type": "string"},
    },
    "Face": {
        "name": "face",
        "in": "query",
        "required": False,
        "description": "Which face of the photo, counted from 0, in the order of several_faces' boxes.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 999},
    },
    "Anyway": {
        "name": "anyway",
        "in": "query",
        "required": False,
        "description": "Take the photo although it was refused with face_covered or eyes_closed.",
        "schema": {"type": "boolean", "default": False},
    },
}

_FOREIGN: Final[Schema] = {"403": _ref("responses", "Foreign")}
_PORTRAIT_ID: Final = [_ref("parameters", "PortraitId")]

_PATHS: Final[Schema] = {
    "/": {
        "get": {
            "operationId": "getPage",
            "summary": "The page.",
            "responses": {"200": {"description": "HTML.", "content": {"text/html": {}}}, **_FOREIGN},
        }
    },
    "/page/{name}": {
        "get": {
            "operationId": "getPageFile",
            "summary": "A script, style or picture of the page.",
            "parameters": [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}],
            "responses": {
                "200": {"description": "The file.", "content": {"*/*": {}}},
                "404": _ref("responses", "Unknown"),
                **_FOREIGN,
            },
        }
    },
    "/v1/health": {
        "get": {
            "operationId": "getHealth",
            "summary": "How the server is, and its limits.",
            "responses": {"200": _json("It answers.", _ref("schemas", "Health")), **_FOREIGN},
        }
    },
    "/v1/openapi.json": {
        "get": {
            "operationId": "getDescription",
            "summary": "This description.",
            "responses": {"200": _json("OpenAPI 3.1.", {"type": "object"}), **_FOREIGN},
        }
    },
    "/v1/portraits": {
        "get": {
            "operationId": "listPortraits",
            "summary": "The portraits anyone may choose. Uploads are not among them.",
            "responses": {
                "200": _json(
                    "The portraits, the one to begin with first.",
                    {
                        "type": "object",
                        "properties": {"portraits": {"type": "array", "items": _ref("schemas", "Portrait")}},
                        "required": ["portraits"],
                    },
                ),
                **_FOREIGN,
            },
        },
        "post": {
            "operationId": "uploadPortrait",
            "summary": "Make a portrait from a photo. It stays in memory for a while, under a secret id.",
            "parameters": [_ref("parameters", "Face"), _ref("parameters", "Anyway")],
            "requestBody": {
                "required": True,
                "description": "The photo's bytes.",
                "content": {"image/*": {}, "application/octet-stream": {}},
            },
            "responses": {
                "201": _json(
                    "The portrait.",
                    {
                        "type": "object",
                        "properties": {"portrait": _ref("schemas", "Portrait")},
                        "required": ["portrait"],
                    },
                ),
                "413": _ref("responses", "TooLarge"),
                "415": _ref("responses", "NotAPicture"),
                "422": _ref("responses", "Unusable"),
                "503": _ref("responses", "Busy"),
                **_FOREIGN,
            },
        },
    },
    "/v1/portraits/{id}": {
        "delete": {
            "operationId": "forgetPortrait",
            "summary": "Forget an uploaded portrait now.",
            "parameters": _PORTRAIT_ID,
            "responses": {
                "204": {"description": "Forgotten."},
                "404": _ref("responses", "Unknown"),
                **_FOREIGN,
            },
        }
    },
    "/v1/portraits/{id}/picture": {
        "get": {
            "operationId": "getPortraitPicture",
            "summary": "The portrait at rest.",
            "parameters": _PORTRAIT_ID,
            "responses": {
                "200": {"description": "A JPEG.", "content": {"image/jpeg": {}}},
                "404": _ref("responses", "Unknown"),
                **_FOREIGN,
            },
        }
    },
    "/v1/session": {
        "get": {
            "operationId": "openSession",
            "summary": "A WebSocket that carries one session's signalling, control and figures.",
            "description": "Text messages, each one JSON object: ClientMessage from the page, ServerMessage "
            "to it. The session ends with the socket. A mistake is answered with one error message; before a "
            "session is open, the socket then closes.",
            "x-messages": {
                "client": _ref("schemas", "ClientMessage"),
                "server": _ref("schemas", "ServerMessage"),
            },
            "responses": {"101": {"description": "The socket is open."}, **_FOREIGN},
        }
    },
}
