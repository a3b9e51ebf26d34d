"""Answers page by page: each row once whatever is stored meanwhile, and cursors that are good for nobody else.

Comes in: a portal of its own, in one case one that runs every query in a process. Goes out: nothing. Invariant held
here: the pages together are the answer of the instant of the first one, in every form.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pyarrow.ipc
import pytest

from portal.queries import pages
from portal.queries.forms import ARROW, CSV
from portal.settings import Settings
from tests.portal.conftest import API, HOUR, NOW, SECOND, House, Play, Scene, play_in

pytestmark = pytest.mark.slow
DEVICES = "devices | list name | sort name asc"
NAMES = [f"pc-{number}" for number in range(1, 6)]


@pytest.fixture
def apart(settings: Settings) -> Callable[[Scene], None]:
    """Run a scene in a portal that runs every query in a process of its own."""
    return lambda scene: play_in(replace(settings, query_here=0), scene)


async def peopled(house: House) -> httpx.AsyncClient:
    for number in range(1, 6):
        house.enrol(number)
    await house.settle()
    return await house.program()


async def first(client: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    answer = await client.post(f"{API}/query", json={"text": DEVICES, "page": 2, **more})
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def refused(client: httpx.AsyncClient, cursor: str) -> tuple[int, str]:
    answer = await client.post(f"{API}/query/next", json={"cursor": cursor})
    assert answer.json()["error"]["hint"], answer.text
    return answer.status_code, answer.json()["error"]["code"]


def test_pages_are_of_one_answer(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await peopled(house)
        page = await first(client)
        found, told = [row[0] for row in page["rows"]], [one["name"] for one in page["devices"]]
        house.enrol(0)  # would stand before all others
        await house.settle()
        house.time.now += SECOND
        repeated = (await client.post(f"{API}/query/next", json={"cursor": page["next"]})).json()
        while page["next"] is not None:
            page = (await client.post(f"{API}/query/next", json={"cursor": page["next"]})).json()
            found += [row[0] for row in page["rows"]]
            told += [one["name"] for one in page["devices"]]
        assert found == told == NAMES
        assert [row[0] for row in repeated["rows"]] == NAMES[2:4]
        assert (await first(client, page=6))["next"] is None

    play(scene)


def test_pages_of_a_worker_in_other_forms(apart: Callable[[Scene], None]) -> None:
    async def scene(house: House) -> None:
        client = await peopled(house)
        for media in (CSV, ARROW):
            found: list[str] = []
            answer = await client.post(
                f"{API}/query", json={"text": DEVICES, "page": 2}, headers={"Accept": media}, timeout=60
            )
            while True:
                assert answer.status_code == 200, answer.text
                if media == CSV:
                    found += answer.text.splitlines()[1:]
                else:
                    found += pyarrow.ipc.open_stream(io.BytesIO(answer.content)).read_all().column(0).to_pylist()
                cursor = answer.headers.get("muster-next")
                if cursor is None:
                    break
                answer = await client.post(f"{API}/query/next", json={"cursor": cursor}, headers={"Accept": media})
            assert found == NAMES
        assert list(house.portal.settings.spool.glob("*.pages")) == []

    apart(scene)


def test_cursors_that_count_for_nothing(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await peopled(house)
        cursor = (await first(client))["next"]
        other = await house.program("bob")
        assert await refused(other, cursor) == (400, "bad_cursor")
        for odd in (cursor[:-2], "A" + cursor[1:], "x", "\u00e4", "=" * 9, cursor + "A" * 40):
            assert await refused(client, odd) == (400, "bad_cursor"), odd
        house.time.now += 901 * SECOND
        assert await refused(client, cursor) == (410, "cursor_expired")
        cursor = (await first(client))["next"]
        house.portal.execution.forget()
        assert await refused(client, cursor) == (410, "cursor_expired")
        house.account("ann")
        cursor = (await first(client))["next"]
        house.portal.control.accounts.set_permissions("ann", ("query",), by="portal", now=house.time.now)
        assert await refused(client, cursor) == (410, "cursor_expired")

    play(scene)


def test_what_is_kept_has_bounds(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(house: House) -> None:
        client = await peopled(house)
        monkeypatch.setattr(pages, "MOST_OF_ONE", 2)
        one, two = (await first(client))["next"], (await first(client))["next"]
        assert (await client.post(f"{API}/query/next", json={"cursor": one})).status_code == 200
        await first(client)
        assert await refused(client, two) == (410, "cursor_expired")
        assert (await client.post(f"{API}/query/next", json={"cursor": one})).status_code == 200
        monkeypatch.setattr(pages, "MOST_BYTES", 1)
        full = await (await house.program("bob")).post(f"{API}/query", json={"text": DEVICES, "page": 2})
        assert (full.status_code, full.headers["retry-after"]) == (503, "60")

    play(scene)


def test_a_query_at_an_instant_that_has_been(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await peopled(house)
        text = "devices | where first_seen.time_elapsed() < 90min | list name"
        house.time.now = NOW + 2 * HOUR
        for now, rows in (("2026-01-01T12:40:00Z", 0), ("2026-01-01T11:40:00+01:00", 5)):
            said = (await client.post(f"{API}/query", json={"text": text, "now": now})).json()
            assert said["row_count"] == rows, said
        for now, status in (("2026-01-01T12:40:01Z", 422), ("1999-12-31T00:00:00Z", 422), ("2026-01-01T10:40:00", 400)):
            assert (await client.post(f"{API}/query", json={"text": text, "now": now})).status_code == status

    play(scene)
