"""What holds for every request, around all routes: an id, the host it was asked for, headers of the answer, errors as
JSON, figures, a log line.

In: ASGI requests. Out: answers. Invariants: every answer carries the security headers; an error that nobody foresaw
is logged under the request's id and answered without detail; the log line names the route's pattern, never the query
string, and the address of the connection, or what a trusted proxy says.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from portal.addresses import client_of
from portal.clock import elapsed, now
from portal.errors import ApiError, answer
from portal.metrics import Metrics
from portal.settings import Settings
from storage.control.ids import uuid7
from storage.control.origin import apart

STRICT = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
HEADERS = {
    "Content-Security-Policy": STRICT,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
REQUEST_ID = "X-Request-ID"
GIVEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
log = structlog.get_logger("http")


class Frame:
    """The outermost layer of ours. The settings say under which names the portal may be asked for, whether over TLS,
    and which proxies' word for an address counts."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, settings: Settings) -> None:
        self._app = app
        self._trusted = settings.trusted
        self._metrics = metrics
        self._hosts = settings.allowed_hosts
        self._always = HEADERS | ({"Strict-Transport-Security": "max-age=31536000"} if settings.secure else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or one connection of a device."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        identifier = scope["muster.request"] = _identifier(scope)
        if scope["type"] == "websocket":
            with structlog.contextvars.bound_contextvars(request=identifier):
                await self._app(scope, receive, send)
            return
        self._find_client(scope)
        began = elapsed()
        sent: MutableMapping[str, int] = {"status": 0}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent["status"] = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in self._always.items():
                    headers.setdefault(name, value)
                headers["Muster-Request"] = identifier
                headers.setdefault(REQUEST_ID, identifier)
            await send(message)

        with structlog.contextvars.bound_contextvars(request=identifier), apart():
            try:
                await self._handle(scope, receive, sending, sent)
            finally:
                self._done(scope, sent["status"], elapsed() - began)

    async def _handle(self, scope: Scope, receive: Receive, send: Send, sent: MutableMapping[str, int]) -> None:
        try:
            if not self._known_host(scope):
                raise ApiError(421, "unknown_host", "This portal is not asked for under this name.")
            await self._app(scope, receive, send)
        except Exception as error:
            status = answer(error)[0]
            if status == 500:
                log.exception("request_failed")
            if sent["status"]:
                raise  # the answer has begun: only cutting the connection says that it is incomplete
            await respond(error)(scope, receive, send)

    def _find_client(self, scope: Scope) -> None:
        peer = scope.get("client")
        if peer is not None and self._trusted:
            forwarded = Headers(scope=scope).getlist("x-forwarded-for")
            scope["client"] = (client_of(peer[0], forwarded, self._trusted), peer[1])

    def _known_host(self, scope: Scope) -> bool:
        match = HOST.fullmatch(Headers(scope=scope).get("host", ""))
        if self._hosts is None or match is None:
            return match is not None
        return match["name"].strip("[]").lower() in self._hosts

    def _done(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "")
        pattern = route if isinstance(route, str) and route else "(none)"
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE") else "OTHER"
        self._metrics.request(pattern, method, status, seconds)
        who = {"account": scope.get("muster.account"), "address": (scope.get("client") or ("",))[0]}
        if (credential := scope.get("muster.credential")) is not None:
            who["credential"] = credential
        log.info("request", route=pattern, method=method, status=status, ms=round(seconds * 1000, 1), **who)


def _identifier(scope: Scope) -> str:
    """The id of a request: the one that the client gave it, if that is of a form that can do no harm, or a new one."""
    given = Headers(scope=scope).get(REQUEST_ID, "")
    return given if GIVEN.fullmatch(given) else uuid7(now())


def respond(error: Exception) -> Response:
    """The answer to an error."""
    status, body, headers = answer(error)
    return JSONResponse(body, status, headers=headers)


async def on_error(_request: Request, error: Exception) -> Response:
    """For Starlette: the answer to an error of its own, such as an unknown address."""
    return respond(error)


def handlers() -> dict[Any, Any]:
    """The error handlers of the application; all other errors reach the frame."""
    return {HTTPException: on_error}
