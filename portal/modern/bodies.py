"""Bodies that other people's clients send: JSON, strictly.

In: a request, the form its body should have. Out: a value of that form. Invariants: a body is bounded in bytes and
time; what is no UTF-8, says a name twice or lies about its type is refused, and told apart; names that a form does not
know are left aside, since clients send more than is documented.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request

from portal.endpoints import decode, read_body
from portal.errors import ApiError

T = TypeVar("T")
UTF8 = frozenset({"utf-8", "utf8"})


async def read(request: Request, decoder: msgspec.json.Decoder[T], most: int) -> T:
    """The body of a request. Raises ApiError: not_json, encoding, bad_json, bad_request, too_large, too_slow."""
    _check_kind(request)
    return parsed(await read_body(request, most), decoder)


def parsed(data: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The value of a body. Raises ApiError: encoding, bad_json, bad_request."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise ApiError(400, "encoding", "The body is no UTF-8.") from None
    found = decode(data, decoder)
    try:
        json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "bad_json", f"The body is no sound JSON: {error}.") from None
    return found


def _check_kind(request: Request) -> None:
    kind, *parameters = (part.strip().lower() for part in request.headers.get("content-type", "").split(";"))
    if kind != "application/json":
        raise ApiError(415, "not_json", "The body must be JSON, with the header Content-Type: application/json.")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "charset" and value.strip('"') not in UTF8:
            raise ApiError(415, "encoding", "The body must be in UTF-8.")
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise ApiError(415, "encoding", "The body must not be packed.")


def _once(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        raise ValueError(f"the name {twice[:64]!r} stands twice in one object")
