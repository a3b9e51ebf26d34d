"""From a domain error to the own API's answer: `{"error": {"code", "message", "hint", "diagnostics"?}}` with a
fitting status.

In: an exception that a service or the framework raised. Out: status and body. Invariant: what is not foreseen becomes
a 500 that says nothing about its cause (the log does); no traceback and no value of a request leaves here.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException

from engine.formats import diagnostic_json
from nql.diagnostics import QueryError, Severity
from storage.control.errors import ConflictError, ControlError, NotFoundError, RefusedError, UnavailableError
from storage.tables.api import Closed, Corrupt, LakeAway, Refused, SegmentCorrupt, StorageFailed, StorageFull


class ApiError(Exception):
    """A refusal that a slice words itself. `headers` go with the answer."""

    def __init__(
        self, status: int, code: str, message: str, hint: str = "", *, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.hint = hint
        self.headers = headers or {}


CONTROL: dict[type, int] = {NotFoundError: 404, RefusedError: 422, ConflictError: 409, UnavailableError: 503}
FRAMEWORK = {
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take this method."),
    413: ("too_large", "The request is too large."),
}


def answer(error: Exception) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, body and headers for an error. An unforeseen one is a 500 without detail."""
    match error:
        case ApiError():
            return error.status, body(error.code, str(error), error.hint), error.headers
        case QueryError():
            found = [diagnostic_json(item) for item in error.diagnostics]
            errors = [item for item in error.diagnostics if item.severity is Severity.ERROR]
            message, hint = (errors[0].message, errors[0].hint) if errors else ("The query cannot run.", "")
            return 400, body("query", message, hint, found), {}
        case ControlError():
            status = CONTROL.get(type(error), 500)
            full = error.code == "storage_full"
            return (507 if full else status), body(error.code, _sentence(str(error))), _retry(full or status == 503)
        case Refused():
            return 422, body("refused_rows", _sentence(error.reason)), {}
        case StorageFull():
            return 507, body("storage_full", _sentence(error.reason), "Make room on the portal's disk."), _retry(True)
        case StorageFailed() | Closed():
            return 503, body("storage_unavailable", _sentence(str(error))), _retry(True)
        case SegmentCorrupt() if error.holds:
            said = f"Stored rows of {error.holds} are damaged, so there is no answer."
            return 500, body("damaged_file", said, "A window without that day has one. `muster doctor` says more."), {}
        case LakeAway():
            said = f"Stored rows of {error.holds or 'a day'} lie in the lake, which cannot give them now."
            way = "A window without that day has an answer; ask again later. `muster doctor` says more."
            return 503, body("lake_away", said, way), _retry(True)
        case Corrupt():
            return 500, body("damaged_file", "A stored file is damaged; the portal's log names it."), {}
        case HTTPException():
            code, message = FRAMEWORK.get(error.status_code, ("http", HTTPStatus(error.status_code).phrase))
            return error.status_code, body(code, message), dict(error.headers or {})
        case _:
            return 500, body("internal", "The portal failed; its log says why under this request's id."), {}


def body(code: str, message: str, hint: str = "", diagnostics: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """The JSON of an error."""
    said: dict[str, Any] = {"code": code, "message": message, "hint": hint}
    if diagnostics is not None:
        said["diagnostics"] = diagnostics
    return {"error": said}


def _sentence(text: str) -> str:
    whole = text[:1].upper() + text[1:]
    return whole if whole.endswith((".", "!", "?")) else f"{whole}."


def _retry(later: bool) -> dict[str, str]:
    return {"Retry-After": "10"} if later else {}
