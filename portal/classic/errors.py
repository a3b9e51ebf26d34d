"""What the Act API says when it refuses: a code of its list, the status that belongs to it, and a sentence; and the
page of an error of the NXQL API.

In: a refusal, or whatever rose on the way. Out: an answer in the form of the surface. Invariants: each code
has one status; what nobody foresaw is INTERNAL_ERROR without detail (the log has it); who is not known is told so by
the status and a plain sentence, as no code stands for it.
"""

from __future__ import annotations

from typing import Literal, get_args

import structlog
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from nql.diagnostics import Severity
from nql.nxql.api import NxqlError
from portal import errors as forms
from portal.classic import formats
from portal.errors import ApiError

Code = Literal[
    "INVALID_REQUEST_JSON",
    "INVALID_REQUEST_CONTENT",
    "INTERNAL_ERROR",
    "CONTENT_TYPE",
    "ENCODING",
    "NO_REMOTE_ACTION_UID",
    "NO_DEVICES",
    "TOO_MANY_DEVICES",
    "INVALID_ACTION_UID",
    "INVALID_DEVICE_UID",
    "NO_PERMISSION",
    "UNKNOWN_OR_DISABLED_REMOTE_ACTION",
    "NO_MANUAL_EXECUTION",
    "NO_ENGINES_TO_TARGET",
]
CODES: tuple[Code, ...] = get_args(Code)
STATUS: dict[Code, int] = {"INTERNAL_ERROR": 500, "NO_PERMISSION": 403, "NO_ENGINES_TO_TARGET": 403}  # the others: 400
NOT_THE_BODY = frozenset({401, 404, 421, 429, 503})
log = structlog.get_logger("classic")


class ActError(Exception):
    """A call that is refused."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code

    @property
    def status(self) -> int:
        """The status that belongs to the code."""
        return STATUS.get(self.code, 400)


def answer(error: Exception) -> Response:
    """The answer to an error of the Act API."""
    match error:
        case ActError():
            return _said(error)
        case ApiError() if error.status in NOT_THE_BODY:
            return plain(error)
        case ApiError() if error.status == 403:
            return _said(ActError("NO_PERMISSION", str(error)))
        case ApiError() if error.status < 500:
            return _said(ActError("INVALID_REQUEST_CONTENT", str(error)), error.headers)
        case _:
            log.error("act_failed", exc_info=error)
            return _said(ActError("INTERNAL_ERROR", "The portal failed; its log says why."))


def page_of(error: Exception) -> Response:
    """The answer to an error of the NXQL API: a page, whatever form was asked for, with the words that could have
    stood there."""
    status, said, headers = forms.answer(error)
    if status == 500:
        log.error("nxql_failed", exc_info=error)
    message, hint = said["error"]["message"], said["error"]["hint"]
    options: tuple[str, ...] = ()
    if isinstance(error, NxqlError):
        first = next((item for item in error.diagnostics if item.severity is Severity.ERROR), error.diagnostics[0])
        message, hint, options = f"{first.message} (at character {first.span.start + 1})", first.hint, error.options
    text = f"{message} {hint}".strip()
    return HTMLResponse(formats.page(text, options), status, headers=headers)


def plain(error: ApiError) -> Response:
    """The answer to a refusal for which a surface has no form."""
    return PlainTextResponse(f"{error}\n", error.status, headers=error.headers)


def _said(error: ActError, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"code": error.code, "error": str(error)}, error.status, headers=headers)
