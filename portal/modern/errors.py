"""Errors as other people's clients expect them: one encoder, which knows the form of each surface.

In: what went wrong, and on which surface. Out: a response. Invariants: a status that a surface's documents do not know
becomes one that they do; what is not foreseen is a 500 that says nothing about its cause; 401 has no body but on the
token endpoint, where it is an OAuth error.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from starlette.responses import Response

from portal.endpoints import encode
from portal.errors import answer


class Surface(Enum):
    """The interfaces, each with errors of its own form."""

    TOKEN = "token"  # OAuth: error, error_description
    ACT = "act"  # code, message
    NQL = "nql"  # message, code (a number), source
    ENRICHMENT = "enrichment"  # message, code; 400 has status and errors beside them
    CAMPAIGNS = "campaigns"  # code, message, of 401 too
    WORKFLOWS = "workflows"  # code, details
    DELETIONS = "deletions"  # code (one of a list), message
    SPARK = "spark"  # message


@dataclass(frozen=True, slots=True)
class _Said:
    status: int
    code: str
    message: str
    headers: dict[str, str]


BAD, UNAUTHORIZED, FORBIDDEN, WRONG_METHOD, INTERNAL = 400, 401, 403, 405, 500
DOCUMENTED = frozenset({400, 401, 403, 404, 405, 406, 429, 500, 503})
INSTEAD = {408: 400, 409: 400, 413: 400, 415: 400, 422: 400, 499: 400, 504: 503, 507: 503}
ACT_CODES = {
    "bad_json": "INVALID_REQUEST_JSON",
    "bad_request": "INVALID_REQUEST_CONTENT",
    "bad_parameters": "INVALID_REQUEST_CONTENT",
    "too_large": "INVALID_REQUEST_CONTENT",
    "not_json": "CONTENT_TYPE",
    "encoding": "ENCODING",
    "forbidden": "NO_PERMISSION",
    "internal": "INTERNAL_ERROR",
    "unknown_action": "UNKNOWN_OR_DISABLED_REMOTE_ACTION",
    "trigger_not_allowed": "UNKNOWN_OR_DISABLED_REMOTE_ACTION",
    "draft": "UNKNOWN_OR_DISABLED_REMOTE_ACTION",
    "unknown_devices": "INVALID_DEVICE_UID",
}
DELETION_CODES = frozenset(
    {"EMPTY_REQUEST", "BATCH_SIZE_EXCEEDED", "INVALID_REQUEST", "FEATURE_NOT_ENABLED", "INTERNAL_ERROR"}
)
OAUTH_CODES = frozenset({"invalid_request", "invalid_client", "invalid_scope", "unsupported_grant_type", "slow_down"})
SOURCE = "muster"


def respond(surface: Surface, error: Exception) -> Response:
    """The answer to an error on a surface."""
    said = _said(error)
    content = _body(surface, said)
    return Response(
        None if content is None else encode(content),
        said.status,
        headers=said.headers,
        media_type=None if content is None else "application/json",
    )


def _said(error: Exception) -> _Said:
    status, body, headers = answer(error)
    told = body["error"]
    status = INSTEAD.get(status, status)
    message = f"{told['message']} {told['hint']}".strip()
    return _Said(status if status in DOCUMENTED else INTERNAL, told["code"], message, headers)


def _body(surface: Surface, said: _Said) -> dict[str, Any] | None:
    match surface:
        case Surface.TOKEN:
            return {"error": _oauth_code(said), "error_description": said.message}
        case Surface.CAMPAIGNS:
            return {"code": said.code.upper(), "message": said.message}
        case _ if said.status == UNAUTHORIZED:
            return None
        case Surface.ACT:
            return {"code": ACT_CODES.get(said.code, said.code.upper()), "message": said.message}
        case Surface.NQL:
            return {"message": said.message, "code": said.status, "source": SOURCE}
        case Surface.ENRICHMENT:
            return _enrichment(said)
        case Surface.WORKFLOWS:
            return {"code": said.code.upper(), "details": said.message}
        case Surface.DELETIONS:
            return {"code": _deletion_code(said), "message": said.message}
        case Surface.SPARK:
            return {"message": said.message}


def _enrichment(said: _Said) -> dict[str, Any]:
    if said.status == FORBIDDEN:
        return {"message": said.message}
    told = {"message": said.message, "code": said.code}
    return {"status": "error", "errors": [], **told} if said.status == BAD else told


def _oauth_code(said: _Said) -> str:
    if said.code in OAUTH_CODES:
        return said.code
    return "invalid_request" if said.status in (BAD, WRONG_METHOD) else "temporarily_unavailable"


def _deletion_code(said: _Said) -> str:
    if said.code in DELETION_CODES:
        return said.code
    return {BAD: "INVALID_REQUEST", WRONG_METHOD: "INVALID_REQUEST", FORBIDDEN: "FEATURE_NOT_ENABLED"}.get(
        said.status, "INTERNAL_ERROR"
    )
