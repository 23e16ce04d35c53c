"""What keeps the door from being misused: headers on every answer, and who may knock."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class SecurityMiddleware:
    """Refuses foreign hosts and origins, and puts the security headers on every answer.

    A page of another site cannot read or change anything here: its Origin is not ours. A name that an
    attacker points at this machine (DNS rebinding) gets no further than the Host check, which is on where
    `hosts` is given, as it is for a server on loopback.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: Collection[str] | None = None, origins: Collection[str] = ()
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request (ASGI)."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not self._known_host(headers) or not self._known_origin(headers):
            await self._refuse(scope, receive, send)
            return
        await self._app(scope, receive, _with_headers(send) if scope["type"] == "http" else send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "foreign host or origin"})
            return
        answer = JSONResponse(
            {
                "error": {
                    "code": "foreign_origin",
                    "problem": "This request comes from another site or names another host.",
                    "remedy": "Open the address that mien printed, or start it with --allow-origin.",
                }
            },
            status_code=403,
        )
        await answer(scope, receive, _with_headers(send))

    def _known_host(self, headers: Headers) -> bool:
        return self._hosts is None or _host_name(headers.get("host", "")) in self._hosts

    def _known_origin(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is None:  # only browsers send one, and they always do from another site
            return True
        return origin in self._origins or _host_of(origin) == headers.get("host")


class RateLimit:
    """Lets `burst` events through at once and `per_second` in the long run (a token bucket)."""

    def __init__(self, per_second: float, *, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._then = clock()

    def allow(self) -> bool:
        """Count one event and say whether it is within the limit."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._then) * self._per_second)
        self._then = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _host_name(host: str) -> str:
    """Return the name in `name:port` or `[v6]:port`, or an empty text for what is neither."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _host_of(origin: str) -> str | None:
    """Return `name:port` of an origin, or None for what is not one, such as "null"."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers[name] = value
        await send(message)

    return send_with_headers
