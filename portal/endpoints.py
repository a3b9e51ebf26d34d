"""A route of the own API as data: where it is, what it needs, what it takes and gives; and the one way a request goes
through it.

In: `Endpoint`s, listed by the slices. Out: Starlette routes. The way: who asks (guard), may they, is the body small,
complete in time and of its declared form; then the slice's function; then JSON. Invariant: nothing of a body is read
before the caller is known and allowed; a route that is open to everyone says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from portal.caller import Caller, Permission
from portal.errors import ApiError
from portal.known import note

PREFIX = "/api/muster/v1"
KIB, MIB = 1 << 10, 1 << 20
BODY_SECONDS = 30.0
_encoder = msgspec.json.Encoder()
T = TypeVar("T")


class Guard(Protocol):
    """What decides who asks."""

    async def caller(self, request: Request) -> Caller:
        """The caller of a request. Raises ApiError 401 or 403."""
        ...

    def same_origin(self, request: Request) -> None:
        """Raises ApiError 403 for a request that another site's page made."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A request on its way through a route: `body` is decoded. `known` is who asks, None only on an open route."""

    request: Request
    known: Caller | None
    body: Any
    now: int

    @property
    def caller(self) -> Caller:
        """Who asks."""
        if self.known is None:
            raise RuntimeError("an open route has no caller")
        return self.known

    def path(self, name: str) -> str:
        """A part of the path, at most 300 characters."""
        text: str = self.request.path_params[name]
        if len(text) > 300:
            raise ApiError(404, "not_found", "There is nothing at this address.")
        return text

    def number(self, name: str, default: int, *, least: int = 0, most: int) -> int:
        """A whole number of the query string. Raises ApiError 400 outside its bounds."""
        text = self.request.query_params.get(name)
        if text is None:
            return default
        if text.isascii() and text.isdigit() and len(text) <= 12 and least <= int(text) <= most:
            return int(text)
        raise ApiError(400, "bad_parameter", f"{name} is a whole number from {least} to {most}.")

    def text(self, name: str) -> str | None:
        """A text of the query string, at most 300 characters. Raises ApiError 400."""
        text = self.request.query_params.get(name)
        if text is not None and len(text) > 300:
            raise ApiError(400, "bad_parameter", f"{name} is too long.")
        return text


Call = Callable[[Asked], Awaitable[Any]]
Refused = Callable[[Caller, str, str], Awaitable[None]]  # who, which route, why


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path below PREFIX. `needs` is the permission; `open` routes know no caller. A function that
    gives a `Response` has it sent as it is; anything else is sent as JSON. `reads` is the form of a body that the
    function reads itself. `also` are other statuses with the same answer. `media` lists what a route gives beside JSON,
    `query` its query parameters, `headers` those of the request that mean something to it."""

    method: str
    path: str
    call: Call
    summary: str
    needs: Permission | None = None
    open: bool = False
    body: Any = None
    reads: Any = None
    answer: Any = None
    status: int = 200
    also: tuple[int, ...] = ()
    most_bytes: int = 64 * KIB
    media: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether the method may change something."""
        return self.method not in ("GET", "HEAD")


def routes(
    endpoints: Iterable[Endpoint], guard: Guard, clock: Callable[[], int], refused: Refused | None = None
) -> list[Route]:
    """Starlette routes, one a path, so that a wrong method is answered with those that are right. `refused` is told of
    each attempt to change something that was not allowed, and why."""
    paths: dict[str, dict[str, Endpoint]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    return [
        Route(PREFIX + path, _serve(methods, guard, clock, refused), methods=list(methods))
        for path, methods in paths.items()
    ]


def _serve(
    methods: dict[str, Endpoint], guard: Guard, clock: Callable[[], int], refused: Refused | None
) -> Callable[[Request], Awaitable[Response]]:
    decoders = {name: msgspec.json.Decoder(e.body) for name, e in methods.items() if e.body is not None}

    async def answer(
        request: Request, endpoint: Endpoint, known: Caller | None, decoder: msgspec.json.Decoder[Any] | None
    ) -> Any:
        if known is not None:
            note(request, known)
            allow(known, endpoint.needs)
            _personal(known, endpoint)
        body = None if decoder is None else decode(await read_json(request, endpoint.most_bytes), decoder)
        return await endpoint.call(Asked(request, known, body, clock()))

    async def serve(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        endpoint = methods[method]
        if endpoint.changes:
            guard.same_origin(request)
        known = None if endpoint.open else await guard.caller(request)
        try:
            given = await answer(request, endpoint, known, decoders.get(method))
        except ApiError as error:
            if error.status == 403 and known is not None and endpoint.changes and refused is not None:
                await refused(known, f"{endpoint.method} {endpoint.path}", str(error))
            raise
        if isinstance(given, Response):
            return given
        if given is None:
            return Response(status_code=204)
        return Response(encode(given), endpoint.status, media_type="application/json")

    return serve


def allow(caller: Caller, needs: Permission | None) -> None:
    """Raises ApiError 403 where a permission is missing."""
    if needs is not None and not caller.may(needs):
        raise ApiError(
            403, "forbidden", f"Your account lacks the permission {needs.value}.", "Ask an administrator for it."
        )


def _personal(caller: Caller, endpoint: Endpoint) -> None:
    """Raises ApiError 403 where a credential would change what is its account's own: what it made there, such as a
    token, would outlive it and not be bound to what it may use."""
    if caller.credential is not None and endpoint.needs is None and endpoint.changes:
        message = f"The credential {caller.credential} cannot change what belongs to its account."
        raise ApiError(403, "forbidden", message, "Sign in as that account, or use a token of its own.")


async def read_json(request: Request, most: int) -> bytes:
    """The whole body of a JSON request. Raises ApiError 413, 415, 408."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(415, "not_json", "The body must be JSON, with the header Content-Type: application/json.")
    return await read_body(request, most)


async def read_body(request: Request, most: int) -> bytes:
    """The whole body. Raises ApiError 413 as soon as it is known to be too large, 408 when it comes too slowly."""
    too_large = ApiError(413, "too_large", f"The body is larger than {most} bytes.", headers={"Connection": "close"})
    length = request.headers.get("content-length", "")
    if length.isdigit() and (len(length) > 12 or int(length) > most):
        raise too_large
    pieces = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                pieces += piece
                if len(pieces) > most:
                    raise too_large
    except TimeoutError:
        raise ApiError(408, "too_slow", "The body did not arrive in time.", headers={"Connection": "close"}) from None
    except ClientDisconnect:
        raise ApiError(400, "incomplete", "The body is incomplete.") from None
    return bytes(pieces)


def decode(data: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """A body of its declared form. Raises ApiError 400 with the place of what is wrong."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise ApiError(400, "bad_request", f"The body is not of the expected form: {error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, "bad_json", f"The body is no JSON in UTF-8: {error}.") from None


def encode(value: object) -> bytes:
    """JSON as it is sent."""
    return _encoder.encode(value)
