"""The token endpoints: a credential's id and secret for a token of 15 minutes.

In: a form with the grant and the scope; the credential as Basic authorization or in the form. Out: the token, or an
OAuth error. Invariants: a wrong id, a wrong secret and a credential that is over are told apart by nothing; who guesses
a credential's secret from one address has to wait longer each time; no secret is logged.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from portal.access.throttle import Throttle
from portal.endpoints import read_body
from portal.errors import ApiError
from portal.modern.errors import Surface
from portal.modern.tokens import LIFE, SCOPE, AccessTokens
from portal.modern.ways import METHODS, answered, wrong_method
from portal.threads import Threads
from storage.control.api import Control

PATHS = ("/oauth2/default/v1/token", "/api/v1/token")
FORM = "application/x-www-form-urlencoded"
MOST_BYTES = 8192
SECOND = 1_000_000
FREE = 10  # failures of a credential from an address that cost nothing
log = structlog.get_logger("modern")


def routes(control: Control, threads: Threads, tokens: AccessTokens, clock: Callable[[], int]) -> list[Route]:
    """Both paths."""
    door = _Door(control, threads, tokens, clock)
    return [Route(path, door.serve, methods=METHODS) for path in PATHS]


class _Door:
    def __init__(self, control: Control, threads: Threads, tokens: AccessTokens, clock: Callable[[], int]) -> None:
        self._check = control.api_credentials.check
        self._threads = threads
        self._tokens = tokens
        self._clock = clock
        self._throttle = Throttle(FREE)

    async def serve(self, request: Request) -> Response:
        if request.method != "POST":
            return wrong_method(Surface.TOKEN, ["POST"])
        work: Awaitable[Any] = self._token(request)
        return await answered(Surface.TOKEN, work)

    async def _token(self, request: Request) -> dict[str, Any]:
        form = await _form(request)
        identifier, secret = _credential(request.headers.get("authorization"), form)
        address = request.client.host if request.client else ""
        key, now = f"{identifier[:64]} {address}", self._clock()
        if wait := self._throttle.wait(key, now=now):
            seconds = str(-(-wait // SECOND))
            raise ApiError(429, "slow_down", f"Too many tries. Wait {seconds} s.", headers={"Retry-After": seconds})
        found = await self._threads.control(self._check, identifier, secret, now=now)
        if found is None:
            self._throttle.failed(key, now=now)
            log.warning("token_refused", address=address)
            raise _wrong()
        self._throttle.succeeded(key)
        _check_grant(form)
        request.scope["muster.account"] = found.account
        token = self._tokens.issue(found.id, now=now)
        return {"token_type": "Bearer", "expires_in": LIFE, "access_token": token, "scope": SCOPE}


async def _form(request: Request) -> dict[str, str]:
    """Raises ApiError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await read_body(request, MOST_BYTES)
    if kind != FORM:
        raise _invalid(f"The body must be a form, with the header Content-Type: {FORM}.")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError:
        raise _invalid("The body is no form.") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise _invalid("A field stands twice in the form.")
    return form


def _credential(header: str | None, form: dict[str, str]) -> tuple[str, str]:
    """The id and secret of a request. Raises ApiError."""
    if header is None:
        if "client_id" not in form or "client_secret" not in form:
            raise _wrong()
        return form["client_id"], form["client_secret"]
    scheme, _, packed = header.partition(" ")
    try:
        identifier, colon, secret = b64decode(packed.strip(), validate=True).decode().partition(":")
    except ValueError:
        raise _wrong() from None
    if scheme.lower() != "basic" or not colon:
        raise _wrong()
    return identifier, secret


def _check_grant(form: dict[str, str]) -> None:
    """Raises ApiError."""
    grant = form.get("grant_type")
    if grant is None:
        raise _invalid("The form lacks grant_type.")
    if grant != "client_credentials":
        raise ApiError(400, "unsupported_grant_type", "The grant_type is client_credentials.")
    if form.get("scope", SCOPE) not in (SCOPE, ""):
        raise ApiError(400, "invalid_scope", f"The scope is {SCOPE}.")


def _invalid(message: str) -> ApiError:
    return ApiError(400, "invalid_request", message)


def _wrong() -> ApiError:
    message = "There is no such credential, or its secret is another one."
    return ApiError(401, "invalid_client", message, headers={"WWW-Authenticate": 'Basic realm="muster"'})
