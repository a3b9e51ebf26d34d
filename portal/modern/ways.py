"""The one way of a request through the interfaces of other people's clients.

In: `Way`s, listed by the parts of this slice. Out: Starlette routes. The way: whose token, may the credential use this
API, may its account do this; then the body; then the part's function; then its answer, or its error in the form of its
surface. Invariants: nothing of a body is read before the caller is known and allowed; rights are those of the account
now, within what the credential allows; a refused change of a known account is noted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from portal import known
from portal.caller import Caller, Permission
from portal.endpoints import Refused, encode
from portal.errors import ApiError
from portal.modern import bodies
from portal.modern.errors import Surface, respond
from portal.modern.tokens import AccessTokens
from portal.threads import Threads
from storage.control.api import Control
from storage.control.api_credentials import ApiCredential

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
log = structlog.get_logger("modern")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request on its way: who asks, by which credential, at which instant, and its body."""

    request: Request
    caller: Caller
    credential: ApiCredential
    now: int
    body: Any = None


@dataclass(frozen=True, slots=True)
class Way:
    """One method of one path. `api` is what the credential has to allow, `needs` what its account may do. A function
    that gives a `Response` has it sent as it is; anything else is sent as JSON. `headers` go with all its answers."""

    method: str
    path: str
    surface: Surface
    api: str
    needs: Permission
    call: Callable[[Asked], Awaitable[Any]]
    body: Any = None
    most_bytes: int = 1 << 20
    headers: Callable[[Request], dict[str, str]] | None = None
    status: int = 200


class Gate:
    """Knows callers by their tokens."""

    def __init__(
        self, control: Control, threads: Threads, tokens: AccessTokens, clock: Callable[[], int], refused: Refused
    ) -> None:
        self._control = control
        self._threads = threads
        self._tokens = tokens
        self.clock = clock
        self.refused = refused

    async def caller(self, request: Request) -> tuple[Caller, ApiCredential]:
        """Who asks. Raises ApiError 401."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        now = self.clock()
        identifier = self._tokens.credential(token.strip(), now=now) if scheme.lower() == "bearer" else None
        if identifier is None:
            raise _unknown()
        found = await self._threads.control(self._control.api_credentials.living, identifier, now=now)
        if found is None:
            raise _unknown()
        credential, account = found
        return Caller(account, credential=credential.name), credential


class WayRoute(Route):
    """All that one path has. It takes every method, so that a wrong one is answered in the form of the surface."""

    def __init__(self, path: str, ways: dict[str, Way], gate: Gate) -> None:
        super().__init__(path, _serve(ways, gate), methods=METHODS)
        self.ways = tuple(ways.values())


def routes(ways: Iterable[Way], gate: Gate) -> list[Route]:
    """Starlette routes, one a path."""
    paths: dict[str, dict[str, Way]] = {}
    for way in ways:
        paths.setdefault(way.path, {})[way.method] = way
    return [WayRoute(path, methods, gate) for path, methods in paths.items()]


def _serve(methods: dict[str, Way], gate: Gate) -> Callable[[Request], Awaitable[Response]]:
    decoders = {name: msgspec.json.Decoder(way.body) for name, way in methods.items() if way.body is not None}

    async def serve(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        way = methods.get(method)
        if way is None:
            return wrong_method(next(iter(methods.values())).surface, methods)
        answer = await answered(way.surface, _passed(request, way, gate, decoders.get(method)), way.status)
        if way.headers is not None:
            answer.headers.update(way.headers(request))
        return answer

    return serve


def wrong_method(surface: Surface, methods: Iterable[str]) -> Response:
    """The answer to a method that an address does not take."""
    allow = {"Allow": ", ".join(sorted(methods))}
    return respond(
        surface, ApiError(405, "method_not_allowed", "This address does not take this method.", headers=allow)
    )


async def answered(surface: Surface, work: Awaitable[Any], status: int = 200) -> Response:
    """What became of a request, errors in the form of their surface."""
    try:
        given = await work
    except Exception as error:
        made = respond(surface, error)
        if made.status_code == 500:
            log.exception("request_failed", surface=surface.value)
        return made
    return given if isinstance(given, Response) else Response(encode(given), status, media_type="application/json")


async def _passed(request: Request, way: Way, gate: Gate, decoder: msgspec.json.Decoder[Any] | None) -> Any:
    caller, credential = await gate.caller(request)
    known.note(request, caller)
    try:
        _allow(way, caller, credential)
        body = None if decoder is None else await bodies.read(request, decoder, way.most_bytes)
        return await way.call(Asked(request, caller, credential, gate.clock(), body))
    except ApiError as error:
        if error.status == 403 and way.method != "GET":
            await gate.refused(caller, f"{way.method} {way.path}", str(error))
        raise


def _unknown() -> ApiError:
    return ApiError(401, "bad_token", "The token is not valid.", headers={"WWW-Authenticate": "Bearer"})


def _allow(way: Way, caller: Caller, credential: ApiCredential) -> None:
    """Raises ApiError 403."""
    if way.api not in credential.apis:
        hint = "Make another one that allows it."
        raise ApiError(403, "forbidden", f"The credential {credential.name} does not allow the API {way.api}.", hint)
    if not caller.may(way.needs):
        message = f"The account {caller.name} lacks the permission {way.needs.value}."
        raise ApiError(403, "forbidden", message, "Ask an administrator for it.")
