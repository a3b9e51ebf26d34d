"""The routes of the classic APIs, beside those of the own API: each surface has its own form of errors.

In: requests. Out: answers in the forms of the other product. Invariants: nothing of a body is read before the caller is
known; a method that an address does not take gets 404, as there; what changes something and was not allowed is in the
audit log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from portal.access.service import Access
from portal.caller import Permission
from portal.classic import engines
from portal.classic.basic import caller_of
from portal.classic.errors import plain
from portal.endpoints import allow
from portal.errors import ApiError
from portal.queries.service import Queries
from portal.sites.serving import Serving

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
ENGINES = "/api/configuration/v1/engines"
Answer = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the classic APIs are made of."""

    access: Access
    serving: Serving
    queries: Queries
    version: str


def routes(parts: Parts) -> list[Route]:
    """The classic routes."""
    surface = _Surface(parts)
    return [Route(ENGINES, _only("GET", surface.engines), methods=METHODS)]


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
            caller = await caller_of(request, p.access)
            allow(caller, Permission.QUERY)
        except ApiError as error:
            return plain(error)
        said = await engines.listed(request, caller, p.serving, zone=p.queries.zone, version=p.version)
        return JSONResponse(said)
