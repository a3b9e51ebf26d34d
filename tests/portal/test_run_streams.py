"""Following a run from outside: a stream that goes on where it was cut, and executions page by page.

Comes in: a portal of its own. Goes out: nothing. Invariants held here: whoever comes back with the id of the last event
misses no change; whoever loses the right to see a run hears nothing more of it; pages hold each execution once.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from portal.actions import stream
from portal.actions.service import Actions
from storage.control.outcomes import Outcome
from storage.control.states import State
from tests.portal.conftest import API, MANIFEST, House, Play, eventually

pytestmark = pytest.mark.slow
DONE = Outcome(State.SUCCESS, 0, {"freed": 1})


async def begun(house: House, client: httpx.AsyncClient, count: int) -> tuple[str, list[str]]:
    """A run over new devices: its id, and their uids."""
    uids = sorted(house.enrol(number).uid for number in range(1, count + 1))
    await house.settle()
    assert (await client.post(f"{API}/actions", json=MANIFEST)).status_code == 201
    asked = {"action": "#clear_cache", "allow_draft": True, "target": {"devices": uids}}
    return (await client.post(f"{API}/runs", json=asked)).json()["run"]["id"], uids


def events_of(text: str) -> list[tuple[int, str, Any]]:
    """The ids, names and data of a stream."""
    pieces = [
        dict(line.split(": ", 1) for line in piece.splitlines()) for piece in text.split("\n\n") if piece[:3] == "id:"
    ]
    return [(int(piece["id"]), piece["event"], json.loads(piece["data"])) for piece in pieces]


async def heard(client: httpx.AsyncClient, run: str, after: int | None = None) -> list[tuple[int, str, Any]]:
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    answer = await asyncio.wait_for(client.get(f"{API}/runs/{run}/events", headers=headers), 20)
    assert answer.status_code == 200, answer.text
    return events_of(answer.text)


def states(events: list[tuple[int, str, Any]]) -> dict[str, str]:
    return {data["device"]["uid"]: data["state"] for _, name, data in events if name == "execution"}


def test_a_stream_goes_on_after_the_last_event_that_was_seen(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        run, uids = await begun(house, client, 5)
        before = house.portal.control.executions.position()
        for uid in uids[:2]:
            house.answer(run, uid, DONE)
        cut = house.portal.control.executions.position()
        for uid in uids[2:]:
            house.answer(run, uid, DONE)
        assert states(await heard(client, run, before)) == dict.fromkeys(uids, "success")
        later = await heard(client, run, cut)
        assert states(later) == dict.fromkeys(uids[2:], "success")
        assert [name for _, name, _ in later[-2:]] == ["run", "done"]
        assert states(await heard(client, run, later[-1][0])) == {}
        monkeypatch.setattr(stream, "MOST", 2)  # in pieces: each event's id is a place to go on from
        monkeypatch.setattr(stream, "LONGEST", 1)
        seen: dict[str, str] = {}
        at, streams = before, 0
        while seen.keys() != set(uids):
            pieces = await heard(client, run, at)
            at, streams = pieces[-1][0], streams + 1
            seen |= states(pieces)
        assert streams > 1

    play(scene)


def test_an_id_of_no_event_is_refused(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        run, _ = await begun(house, client, 1)
        for odd in ("x", "-1", "9" * 19, "9" * 40):
            answer = await client.get(f"{API}/runs/{run}/events", headers={"Last-Event-ID": odd})
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_event_id")

    play(scene)


def test_who_may_not_see_it_any_more_hears_nothing_further(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        run, uids = await begun(house, client, 2)
        reader = await house.program("rea", ("query",))
        following = asyncio.create_task(reader.get(f"{API}/runs/{run}/events"))

        async def watching() -> bool:
            return run in house.portal.watchers._runs

        await eventually(watching)
        house.portal.control.accounts.set_permissions("rea", ("execute",), by="portal", now=house.time.now)
        await asyncio.to_thread(house.answer, run, uids[0], DONE)
        said = events_of((await asyncio.wait_for(following, 20)).text)
        assert [name for _, name, _ in said] == ["run"]
        assert not house.portal.watchers._runs

    play(scene)


def test_what_was_read_before_the_right_was_lost_is_not_sent(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Actions.changed_after

    async def scene(house: House) -> None:
        client = await house.program()
        run, uids = await begun(house, client, 1)
        before = house.portal.control.executions.position()
        house.answer(run, uids[0], DONE)
        reader = await house.program("rea", ("query",))

        async def read_and_lost(actions: Actions, *about: Any) -> Any:
            found = await read(actions, *about)
            house.portal.control.accounts.set_permissions("rea", ("execute",), by="portal", now=house.time.now)
            return found

        assert [name for _, name, _ in await heard(client, run, before)] == ["run", "execution", "run", "done"]
        monkeypatch.setattr(Actions, "changed_after", read_and_lost)
        assert [name for _, name, _ in await heard(reader, run, before)] == ["run"]

    play(scene)


def test_executions_page_by_page(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        run, uids = await begun(house, client, 5)
        found: list[str] = []
        after: dict[str, str] = {}
        for _ in range(10):
            page = (await client.get(f"{API}/runs/{run}/executions", params={"limit": 2, **after})).json()
            found += [one["device"]["uid"] for one in page["executions"]]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        assert found == uids

    play(scene)
