"""A live query as a client sees it: answers as they change, over broken connections and a portal that starts anew.

In: a portal, a text with its parameters. Out: `answer` with the rows, `same` when they are still those, `late` and
`lost` with the reason why nothing newer is known now. Invariants: an answer that is the one before is told as `same`,
also after the connection was opened again; what the portal ended for good is an exception with the portal's words.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from muster.api import Api
from muster.errors import MusterError, NotAllowedError, QueryFailedError, RefusedError, UnreachableError, diagnostic
from muster.shown import SECONDS

PAUSES = (1, 2, 4, 8, *[15] * 40)  # seconds between attempts to reach a portal that was there: ten minutes in all
COMPARED = ("columns", "rows", "truncated")
LATER = frozenset({429, 502, 503, 504})
News = tuple[str, Mapping[str, Any]]


def follow(
    api: Api, text: str, asked: Mapping[str, Any], *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[News]:
    """Everything there is to hear, until the portal ends it. Raises MusterError."""
    body = {"text": text, **{name: item for name, item in asked.items() if item is not None}}
    known: Mapping[str, Any] = {}
    pauses = iter(PAUSES)
    while True:
        try:
            for name, said in _heard(api, body):
                pauses = iter(PAUSES)
                if name == "answer" and all(known.get(part) == said[part] for part in COMPARED):
                    name = "same"
                known = said if name == "answer" else known
                yield name, said
            lost: MusterError = UnreachableError("The connection broke.", "Try again.", "unreachable")
        except NotAllowedError as error:
            if not (known and api.renews and error.code == "bad_token"):
                raise
            lost = error
        except (UnreachableError, RefusedError) as error:
            if not known or (isinstance(error, RefusedError) and error.status not in LATER):
                raise
            lost = error
        pause = next(pauses, None)
        if pause is None:
            raise lost
        yield "lost", {"error": {"code": lost.code, "message": lost.message, "hint": lost.hint}}
        sleep(pause)


def _heard(api: Api, body: Mapping[str, Any]) -> Iterator[News]:
    """What one connection says. Raises what ended it, but for a break."""
    with api.events("/query/live", body) as events:
        for name, said in events:
            if name == "ended":
                raise _end(said, str(body["text"]))
            if name in ("answer", "same", "late"):
                yield name, said


def _end(said: Mapping[str, Any], text: str) -> MusterError:
    message, hint, code = said["message"], said.get("hint", ""), said["code"]
    if said.get("diagnostics"):
        return QueryFailedError(text, [diagnostic(item) for item in said["diagnostics"]])
    if code == "stopping":
        return UnreachableError(message, hint, code)
    if code in ("bad_token", "signed_out", "forbidden"):
        return NotAllowedError(message, hint, code)
    return RefusedError(message, hint, code, 409)


def column_values(answer: Mapping[str, Any], at: int) -> list[Any]:
    """A column of an answer as Python values: durations as such, all else as JSON has it."""
    column, values = answer["columns"][at], [row[at] for row in answer["rows"]]
    if column["type"] != "duration":
        return values
    size = SECONDS.get(column["unit"] or "s", 1.0)
    return [None if value is None else timedelta(seconds=value * size) for value in values]
