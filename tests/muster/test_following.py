"""A live query as a client hears it: what is told twice, what is opened again, what ends it; and how it is shown.

Comes in: connections of a made-up portal, by httpx's own transport for tests. Goes out: nothing. Invariant held here:
a reader hears of every answer once, however often the connection breaks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from muster.api import Api
from muster.errors import NotAllowedError, QueryFailedError, RefusedError, UnreachableError
from muster.following import PAUSES, follow
from muster.live_table import Table

COLUMN: dict[str, Any] = {"name": "n", "label": "n", "type": "int", "unit": None, "format": None, "members": []}


def answer(*numbers: int) -> dict[str, Any]:
    return {
        "columns": [COLUMN], "rows": [[number] for number in numbers], "row_count": len(numbers), "truncated": False,
        "zone": "UTC", "now": "2026-01-01T10:00:00Z",
    }  # fmt: skip


def stream(*events: tuple[str, Any]) -> httpx.Response:
    text = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
    return httpx.Response(200, text=text, headers={"Content-Type": "text/event-stream"})


def refusal(status: int, code: str, **more: Any) -> httpx.Response:
    return httpx.Response(status, json={"error": {"code": code, "message": "So.", "hint": "Do.", **more}})


class Portal:
    """Answers one connection after the other."""

    def __init__(self, *connections: httpx.Response | Exception) -> None:
        self.asked: list[Any] = []
        self.slept: list[float] = []
        self._connections = iter(connections)

    def follow(self) -> Iterator[tuple[str, Any]]:
        api = Api("http://127.0.0.1:1", "secret", transport=httpx.MockTransport(self._answer))
        return follow(api, "devices", {"limit": 5, "zone": None}, sleep=self.slept.append)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((request.method, request.url.path, json.loads(request.content)))
        given = next(self._connections)
        if isinstance(given, Exception):
            raise given
        return given


GONE = ("ended", {"code": "cancelled", "message": "It was ended.", "hint": ""})
STOPPING = ("ended", {"code": "stopping", "message": "The portal is stopping.", "hint": ""})


def test_a_portal_that_starts_anew_is_asked_again() -> None:
    portal = Portal(
        stream(("live", {"id": "x"}), ("answer", answer(1)), ("same", {"now": "b"}), STOPPING),
        httpx.ConnectError("refused"),
        refusal(503, "stopping"),
        stream(("answer", answer(1)), ("answer", answer(2)), GONE),
    )
    heard: list[Any] = []
    with pytest.raises(RefusedError, match="It was ended"):
        heard.extend((name, said.get("rows")) for name, said in portal.follow())
    lost = [("lost", None)] * 3
    assert heard == [("answer", [[1]]), ("same", None), *lost, ("same", [[1]]), ("answer", [[2]])]
    assert portal.slept == [1, 2, 4]
    assert portal.asked[0] == ("POST", "/api/muster/v1/query/live", {"text": "devices", "limit": 5})


def test_a_portal_that_stays_away_is_given_up() -> None:
    portal = Portal(stream(("answer", answer(1))), *[httpx.ConnectError("refused")] * 60)
    with pytest.raises(UnreachableError):
        list(portal.follow())
    assert portal.slept == [*PAUSES]


def test_what_is_wrong_at_the_beginning_is_said_at_once() -> None:
    with pytest.raises(UnreachableError):
        list(Portal(httpx.ConnectError("refused")).follow())
    with pytest.raises(RefusedError) as caught:
        list(Portal(refusal(429, "too_many_live")).follow())
    assert caught.value.code == "too_many_live"
    found = {"code": "NQL1", "severity": "error", "message": "No.", "hint": "", "span": {"start": 0, "end": 2}}
    with pytest.raises(QueryFailedError):
        list(Portal(refusal(400, "query", diagnostics=[found])).follow())


@pytest.mark.parametrize(("code", "kind"), [("forbidden", NotAllowedError), ("live_too_large", RefusedError)])
def test_what_the_portal_ended_is_not_asked_again(code: str, kind: type[Exception]) -> None:
    portal = Portal(stream(("answer", answer(1)), ("ended", {"code": code, "message": "No.", "hint": ""})))
    with pytest.raises(kind):
        list(portal.follow())
    assert portal.slept == []


def test_a_table_fits_the_lines_there_are() -> None:
    table = Table()
    assert (table.text(80, 24), table.footer) == ("", "")
    table.hear("answer", answer(*range(30)))
    assert table.text(80, 10).splitlines()[-2:] == ["4", "… and 25 more rows"]
    assert len(table.text(80, 10).splitlines()) <= 10 - 2
    assert len(table.text(None, None).splitlines()) == 32
    assert table.footer == "30 rows · as of 2026-01-01 10:00:00 UTC · changed 0 times"
    table.hear("late", {"error": {"message": "Too many\x1b wait."}, "now": "2026-01-01T10:00:07Z"})
    assert table.footer.endswith("waiting: Too many\\x1b wait.")
    table.hear("answer", answer(1))
    assert table.footer == "1 row · as of 2026-01-01 10:00:00 UTC · changed 1 time"


def test_a_short_token_that_ends_is_taken_anew() -> None:
    ended = ("ended", {"code": "bad_token", "message": "The token is over.", "hint": ""})
    given = iter([stream(("answer", answer(1)), ended), stream(("answer", answer(2)), GONE)])
    carried: list[str] = []
    slept: list[float] = []

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": f"t{len(carried)}", "expires_in": 61})
        carried.append(request.headers["authorization"])
        return next(given)

    transport = httpx.MockTransport(handle)
    heard = follow(
        Api("http://127.0.0.1:1", credential=("id", "secret"), transport=transport), "devices", {}, sleep=slept.append
    )
    assert [name for name, _ in (next(heard), next(heard), next(heard))] == ["answer", "lost", "answer"]
    with pytest.raises(RefusedError):
        next(heard)
    kept = Portal(stream(("answer", answer(1)), ended))  # a token that stays is not taken anew
    heard = kept.follow()
    next(heard)
    with pytest.raises(NotAllowedError):
        next(heard)
    assert len(carried) == 2
