"""Who asks a classic API: the name and password of an account, with every request.

In: the headers of a request. Out: the caller. Invariants: a name and password go through the same look-up and the same
slowing down as a sign-in; neither is logged, nor part of an error; nothing but Basic is taken.
"""

from __future__ import annotations

import base64
import binascii

from starlette.requests import Request

from portal import known
from portal.access.service import Access
from portal.caller import Caller
from portal.errors import ApiError

MOST = 2048  # characters of the header
CHALLENGE = {"WWW-Authenticate": 'Basic realm="Muster", charset="UTF-8"'}


async def caller_of(request: Request, access: Access) -> Caller:
    """The caller. Raises ApiError 401, or 429 when it was tried too often."""
    pair = _pair(request.headers.get("authorization", ""))
    if pair is None:
        raise ApiError(401, "signed_out", "Give the name and password of an account (Basic).", headers=CHALLENGE)
    try:
        caller = await access.by_password(*pair, request.client.host if request.client else "")
    except ApiError as error:
        if error.status == 401:
            error.headers.update(CHALLENGE)
        raise
    known.note(request, caller)
    return caller


def _pair(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > MOST:
        return None
    try:
        raw = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")  # what older clients send
    name, colon, password = text.partition(":")
    return (name, password) if colon else None
