"""Queries that run: what they cost, where they run, who sees and cancels them; with real worker processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from portal.caller import Caller
from portal.queries.forms import CSV
from portal.settings import Settings
from storage.control.outcomes import Outcome
from storage.control.states import State
from tests.portal.conftest import API, MANIFEST, House, Scene, eventually, play_in

pytestmark = pytest.mark.slow

DEVICES = "devices | list name | sort name asc"
ID = "a-query-of-ours"


@pytest.fixture
def apart(settings: Settings) -> Callable[[Scene], None]:
    """Run a scene in a portal that runs every query in a process of its own."""
    return lambda scene: play_in(replace(settings, query_here=0), scene)


async def begun(house: House, client: httpx.AsyncClient, **body: Any) -> tuple[asyncio.Task[httpx.Response], int]:
    """A query that does not end by itself, and the process that runs it."""
    await peopled(house)
    asking = asyncio.create_task(client.post(f"{API}/query", json={"text": DEVICES, "id": ID, **body}))
    return asking, await stopped(house)


async def peopled(house: House) -> None:
    """One device at least: a query that reads nothing needs no process."""
    house.enrol(9)
    await house.settle()


async def stopped(house: House) -> int:
    workers = house.portal.execution.workers
    found: list[int] = []

    async def at_work() -> bool:
        held = [worker for worker in workers._every if worker.catalog and worker not in workers._idle]
        found[:] = [worker.process.pid for worker in held]
        return bool(found)

    await eventually(at_work)
    os.kill(found[0], signal.SIGSTOP)
    return found[0]


async def freed(house: House, pid: int) -> None:
    """The process is gone, and what it was handed, too."""

    async def gone() -> bool:
        return pid not in house.portal.execution.workers.processes and not house.portal.execution.workers.spool.files

    await eventually(gone, 5.0)


async def running(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get(f"{API}/queries")).json()["queries"]
    return found


def test_an_answer_says_what_it_cost_and_where_it_ran(apart: Callable[[Scene], None], settings: Settings) -> None:
    async def scene(house: House) -> None:
        for number in range(1, 6):
            house.enrol(number)
        await house.settle()
        client = await house.program()
        told = (await client.post(f"{API}/query/estimate", json={"text": DEVICES})).json()
        expected = "worker" if house.portal.settings.query_here == 0 else "portal"
        assert (told["rows"], told["where"]) == (5, expected)
        assert told["bytes"] > 5
        said = (await client.post(f"{API}/query", json={"text": DEVICES, "id": ID})).json()
        assert (said["id"], said["cost"]) == (ID, told)
        assert [row[0] for row in said["rows"]] == [f"pc-{number}" for number in range(1, 6)]
        assert [device["name"] for device in said["devices"]] == [row[0] for row in said["rows"]]
        file = await client.post(f"{API}/query", json={"text": DEVICES}, headers={"Accept": CSV})
        assert file.text.splitlines() == ["device.name", *(row[0] for row in said["rows"])]
        assert (file.headers["muster-cost-where"], file.headers["muster-cost-rows"]) == (expected, "5")
        assert file.headers["content-type"] == "text/csv; charset=utf-8"
        wrong = await client.post(f"{API}/query/estimate", json={"text": "devices | list nam"})
        assert wrong.status_code == 400
        assert wrong.json()["error"]["diagnostics"]

    apart(scene)
    play_in(settings, scene)


def test_who_sees_a_part_is_not_told_what_the_whole_costs(apart: Callable[[Scene], None]) -> None:
    async def scene(house: House) -> None:
        for number in range(1, 4):
            house.enrol(number)
        await house.settle()
        client = await house.bounded('device.name == "pc-2"', "query")
        nothing = {"rows": None, "bytes": None, "where": None}
        assert (await client.post(f"{API}/query/estimate", json={"text": DEVICES})).json() == nothing
        said = (await client.post(f"{API}/query", json={"text": DEVICES})).json()
        assert (said["rows"], said["cost"]) == ([["pc-2"]], nothing)
        file = await client.post(f"{API}/query", json={"text": DEVICES}, headers={"Accept": CSV})
        assert file.text.splitlines() == ["device.name", "pc-2"]
        assert not [name for name in file.headers if name.startswith("muster-cost")]
        assert house.portal.execution.workers.started > 0

    apart(scene)


def test_who_asks_may_cancel(apart: Callable[[Scene], None]) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        asking, pid = await begun(house, client)
        [known] = await running(client)
        assert (known["id"], known["account"], known["text"], known["purpose"]) == (ID, "ann", DEVICES, "interactive")
        again = await client.post(f"{API}/query", json={"text": DEVICES, "id": ID})
        assert (again.status_code, again.json()["error"]["code"]) == (409, "id_in_use")
        assert (await client.delete(f"{API}/queries/{ID}")).status_code == 204
        answer = await asking
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "cancelled")
        await freed(house, pid)
        assert await running(client) == []
        gone = await client.delete(f"{API}/queries/{ID}")
        assert (gone.status_code, gone.json()["error"]["code"]) == (404, "not_running")
        assert (await client.post(f"{API}/query", json={"text": DEVICES, "id": ID})).status_code == 200
        for bad in ("short", "with spaces in it", "ü" * 8, "x" * 65):
            assert (await client.post(f"{API}/query", json={"text": DEVICES, "id": bad})).status_code == 400

    apart(scene)


def test_nobody_else_may_but_who_administers(apart: Callable[[Scene], None]) -> None:
    async def scene(house: House) -> None:
        asker, other = await house.program("ben", ("query",)), await house.program("eve", ("query", "execute"))
        asking, pid = await begun(house, asker)
        assert await running(other) == []
        assert (await other.delete(f"{API}/queries/{ID}")).status_code == 404
        assert not asking.done()
        chief = await house.program("ann", ("query", "administer"))
        assert [one["account"] for one in await running(chief)] == ["ben"]
        assert (await chief.delete(f"{API}/queries/{ID}")).status_code == 204
        assert (await asking).json()["error"]["code"] == "cancelled"
        await freed(house, pid)
        entry = next(one for one in house.portal.control.audit.latest() if one.action == "query.cancelled")
        assert (entry.actor, entry.subject, entry.detail["account"]) == ("account:ann", f"query:{ID}", "ben")

    apart(scene)


def test_an_asker_who_goes_away_cancels(apart: Callable[[Scene], None]) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        await peopled(house)
        left = asyncio.Event()
        body = [{"type": "http.request", "body": json.dumps({"text": DEVICES}).encode(), "more_body": False}]

        async def receive() -> dict[str, Any]:
            if body:
                return body.pop()
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(_message: Any) -> None:
            """Nobody is there."""

        headers = {**client.headers, "host": "127.0.0.1:8080", "content-type": "application/json"}
        scope = {
            "type": "http", "http_version": "1.1", "method": "POST", "path": f"{API}/query", "raw_path": b"",
            "query_string": b"", "root_path": "", "scheme": "http", "client": ("127.0.0.1", 1), "server": ("x", 1),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }  # fmt: skip
        asking = asyncio.ensure_future(house.app(scope, receive, send))
        pid = await stopped(house)
        left.set()
        await asking
        await freed(house, pid)
        assert await running(client) == []

    apart(scene)


def test_devices_that_a_query_means_are_found_in_a_process_too(apart: Callable[[Scene], None]) -> None:
    async def scene(house: House) -> None:
        devices = [house.enrol(number) for number in range(1, 5)]
        await house.settle()
        caller, queries = Caller(house.account()), house.portal.queries
        text = 'devices | where name != "pc-3"'
        meant = sorted(device.uid for device in devices if device.name != "pc-3")
        assert await queries.meant(caller, text, 10) == meant
        assert await queries.meant(caller, text, 10, await queries.instant()) == meant
        found, facts = await queries.targets(caller, text, 10)
        assert (found, sorted(facts)) == (meant, meant)
        assert house.portal.execution.workers.started > 0

    apart(scene)


def test_open_executions_reach_the_process(apart: Callable[[Scene], None]) -> None:
    async def scene(house: House) -> None:
        devices = [house.enrol(number) for number in (1, 2)]
        await house.settle()
        client = await house.program()
        await client.post(f"{API}/actions", json=MANIFEST)
        asked = {"action": "#clear_cache", "allow_draft": True, "target": {"nql": "devices"}}
        run = (await client.post(f"{API}/runs", json=asked)).json()["run"]
        house.answer(run["id"], devices[0].uid, Outcome(State.SUCCESS, 0, {"freed": 5, "files": 7, "took": 1}))
        text = (
            "remote_action.#clear_cache.executions during past 2h "
            "| list device.name, status, outputs.files | sort device.name asc"
        )
        wanted = [["pc-1", "success", 7], ["pc-2", "waiting_on_device", None]]
        for _ in range(2):  # from the control database, then from the tables
            said = (await client.post(f"{API}/query", json={"text": text})).json()
            assert (said["rows"], said["cost"]["where"]) == (wanted, "worker")
            await house.settle()

    apart(scene)
