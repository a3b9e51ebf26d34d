"""The routes of the classic APIs, beside those of the own API: each surface has its own form of errors.

In: requests. Out: answers in the forms of the other product. Invariants: nothing of a body is read before the caller is
known; a method that an address does not take gets 404, as there; what changes something and was not allowed is in the
audit log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from portal import known
from portal.access.guard import HeaderGuard
from portal.access.service import Access
from portal.caller import Caller, Permission
from portal.classic import engines, nxql
from portal.classic.act import Act
from portal.classic.basic import CHALLENGE, caller_of
from portal.classic.call import read
from portal.classic.errors import ActError, answer, page_of, plain
from portal.classic.nxql import Nxql
from portal.endpoints import MIB, Refused, allow, read_body
from portal.errors import ApiError
from portal.modern.ways import Gate
from portal.queries.service import Queries
from portal.sites.serving import Serving

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
ENGINES = "/api/configuration/v1/engines"
ACT = ("/api/remoteaction/v2/run", "/api/remoteaction/v1/run")
NXQL = "/2/query"
MOST_BYTES = 4 * MIB
Answer = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the classic APIs are made of."""

    access: Access
    gate: Gate
    serving: Serving
    queries: Queries
    act: Act
    nxql: Nxql
    guard: HeaderGuard
    refused: Refused
    most_devices: int
    version: str


def routes(parts: Parts) -> list[Route]:
    """The classic routes."""
    surface = _Surface(parts)
    return [
        *(Route(path, _only("POST", surface.act), methods=METHODS) for path in ACT),
        Route(ENGINES, _only("GET", surface.engines), methods=METHODS),
        Route(NXQL, surface.nxql, methods=METHODS),
    ]


def _only(method: str, answer: Answer) -> Answer:
    """Only one method finds something."""

    async def answered(request: Request) -> Response:
        if request.method == method or (request.method == "HEAD" and method == "GET"):
            return await answer(request)
        return PlainTextResponse("Not Found\n", 404)

    return answered


class _Surface:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def engines(self, request: Request) -> Response:
        p = self._parts
        try:
            caller = await self._by_any(request)
            allow(caller, Permission.QUERY)
        except ApiError as error:
            return plain(error)
        said = await engines.listed(request, caller, p.serving, zone=p.queries.zone, version=p.version)
        return JSONResponse(said)

    async def _by_any(self, request: Request) -> Caller:
        """The caller, by name and password or by the token of a credential."""
        if not request.headers.get("authorization", "").lower().startswith("bearer "):
            return await caller_of(request, self._parts.access)
        try:
            caller, _ = await self._parts.gate.caller(request)
        except ApiError as error:
            error.headers.update(CHALLENGE)
            raise
        known.note(request, caller)
        return caller

    async def nxql(self, request: Request) -> Response:
        p, caller = self._parts, None
        try:
            if request.method not in ("GET", "HEAD", "POST"):
                message = "This address takes GET and POST."
                raise ApiError(405, "method_not_allowed", message, headers={"Allow": "GET, POST"})
            caller = await caller_of(request, p.access)
            allow(caller, Permission.QUERY)
            said = await nxql.said(request)
            table = await p.nxql.ask(request, caller, said, p.guard.same_origin)
        except Exception as error:  # each gets the form that this surface has
            page = page_of(error)
            if page.status_code == 403 and caller is not None:
                await p.refused(caller, f"{request.method} {NXQL}", str(error))
            return page
        pieces = nxql.written(table, said, p.serving.threads)
        return StreamingResponse(pieces, media_type=f"{said.form.media}; charset=utf-8")

    async def act(self, request: Request) -> Response:
        p, caller = self._parts, None
        try:
            p.guard.same_origin(request)
            caller = await caller_of(request, p.access)
            allow(caller, Permission.EXECUTE)
            allow(caller, Permission.API)
            _check_headers(request)
            call = read(await read_body(request, MOST_BYTES), p.most_devices)
            return JSONResponse(await p.act.run(caller, call))
        except Exception as error:  # each gets the form that this surface has
            said = answer(error)
            if said.status_code == 403 and caller is not None:
                await p.refused(caller, f"POST {request.url.path}", str(error))
            return said


def _check_headers(request: Request) -> None:
    """Raises ActError where the body is said to be something else than JSON in UTF-8."""
    kind, *others = (part.strip().lower() for part in request.headers.get("content-type", "").split(";"))
    if kind != "application/json":
        raise ActError("CONTENT_TYPE", "The header Content-Type has to be application/json.")
    charsets = {part.partition("=")[2].strip('"') for part in others if part.startswith("charset=")}
    if not charsets <= {"utf-8", "utf8"} or request.headers.get("content-encoding", "identity").lower() != "identity":
        raise ActError("ENCODING", "The body has to be UTF-8, and not compressed.")
