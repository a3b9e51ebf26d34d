"""The Act API over HTTP: what a call brings about, each answer of an Engine, each code of an error.

Comes in: two sites with a device each, an account with name and password. Goes out: answers, runs. Invariant: each code
comes from the situation that it stands for.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from portal.classic.errors import CODES
from portal.settings import Settings
from portal.sites.serving import Serving
from storage.control.errors import UnavailableError
from storage.control.runs import Run
from tests.authors import Signer
from tests.portal.classic.conftest import World, basic, world
from tests.portal.conftest import API, MANIFEST, NOW, SECOND, House, Play, play_in

pytestmark = pytest.mark.slow
V2, V1 = "/api/remoteaction/v2/run", "/api/remoteaction/v1/run"
UNKNOWN = "0197c3f0-1234-7000-8000-0000000000ff"


def both(made: World, **more: Any) -> dict[str, Any]:
    return {"remoteActionUid": made.action, "deviceUids": [made.here.uid, made.there.uid], **more}


def codes(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 200, answer.text
    assert all(set(one) <= {"databaseUid", "code", "message"} for one in answer.json())
    return {one["databaseUid"]: one["code"] for one in answer.json()}


def runs(house: House) -> list[tuple[Run, list[str]]]:
    """The runs and their devices, newest first; what comes after is later."""
    house.time.now += SECOND
    control = house.portal.control
    return [(run, [one.device for one in control.executions.of_run(run.id)]) for run in control.runs.latest()]


def test_a_call_is_one_run_on_all_engines_or_on_some(play: Play) -> None:
    async def scene(house: House) -> None:
        made = await world(house)
        carl = await basic(house)
        listeners = [house.listener(device.uid) for device in (made.here, made.there)]
        params = [{"name": "path", "value": "/var"}, {"name": "unknown", "value": "x"}]
        answer = await carl.post(V2, json=both(made, requestUid="ticket 7", params=params))
        assert answer.json() == [
            {"databaseUid": made.default, "code": "ok"},
            {"databaseUid": made.lyon, "code": "ok"},
        ]
        [(run, devices)] = runs(house)
        assert (run.action, run.requested_by, run.trigger_method) == ("#clear_cache", "carl", "api")
        assert devices == sorted([made.here.uid, made.there.uid])
        assert dict(run.parameters) == {"path": "/var"}
        assert [listener.nudges for listener in listeners] == [1, 1]
        one = await carl.post(V2, json=both(made, engineDatabaseUids=[made.lyon.upper(), UNKNOWN, "x"]))
        assert codes(one) == {made.lyon: "ok", UNKNOWN: "excluded", "x": "excluded"}
        assert runs(house)[0][1] == [made.there.uid]
        none = await carl.post(V2, json=both(made, deviceUids=[UNKNOWN]))
        assert codes(none) == {made.default: "ok", made.lyon: "ok"}
        assert all("None of the devices" in one["message"] for one in none.json())
        assert len(runs(house)) == 2
        collector = await carl.post(V2, json=both(made, deviceUids=[made.here.collector_uid]))
        assert codes(collector)[made.default] == "ok"
        assert runs(house)[0][1] == [made.here.uid]

    play(scene)


def test_the_forms_of_other_clients(play: Play) -> None:
    async def scene(house: House) -> None:
        made = await world(house)
        carl = await basic(house)
        pascal = {"RemoteActionUid": made.action, "DeviceUids": [made.here.uid]}
        assert codes(await carl.post(V1, json=pascal))[made.default] == "ok"
        assert len(runs(house)) == 1
        exported = "action_" + made.action.replace("-", "")
        braces = {"RemoteActionUid": exported, "DeviceUids": ["{" + made.here.uid.upper() + "}"], "Params": {}}
        body = b"\xef\xbb\xbf" + json.dumps(braces).encode()
        kind = {"Content-Type": 'application/json; charset="UTF-8"'}
        assert codes(await carl.post(V2, content=body, headers=kind))[made.default] == "ok"
        assert [devices for _, devices in runs(house)] == [[made.here.uid]] * 2
        for path in (V1, V2):
            for method in ("GET", "HEAD", "PUT", "DELETE"):
                assert (await carl.request(method, path)).status_code == 404

    play(scene)


def test_an_engine_that_is_not_served_slow_failing_or_not_for_the_caller(settings: Settings) -> None:
    async def scene(house: House) -> None:
        made = await world(house)
        carl, control = await basic(house), house.portal.control
        assert codes(await carl.post(V2, json=both(made))) == {made.default: "ok", made.lyon: "not_connected"}
        assert runs(house)[0][1] == [made.here.uid]
        only = both(made, engineDatabaseUids=[made.lyon])
        assert codes(await carl.post(V2, json=only)) == {made.lyon: "not_connected"}
        token = control.leases.acquire(f"site:{made.lyon}", "a process that is stopped", now=house.time.now)
        assert token is not None
        slow = await carl.post(V2, json=both(made, timeoutSeconds=1))
        assert codes(slow) == {made.default: "ok", made.lyon: "timeout"}
        assert runs(house)[0][1] == sorted([made.here.uid, made.there.uid])  # it is taken when the process goes on
        control.leases.release(f"site:{made.lyon}", token, now=house.time.now)

        def full(_run: str) -> None:
            raise UnavailableError("storage_full", "there is no room")

        other = Serving(control, house.portal.threads, house.time, full, frozenset({"lyon"}), alone=False)
        task = asyncio.create_task(other.run())
        try:
            async with asyncio.timeout(30):
                while codes(failed := await carl.post(V2, json=only)) == {made.lyon: "not_connected"}:
                    await asyncio.sleep(0.02)
        finally:
            task.cancel()
        assert failed.json() == [{"databaseUid": made.lyon, "code": "engine_error", "message": "there is no room"}]
        assert runs(house)[0][1] == [made.there.uid]
        ann = await house.program()
        await ann.put(f"{API}/roles/north", json={"permissions": ["execute", "api"], "sites": ["default"]})
        await ann.patch(f"{API}/accounts/carl", json={"role": "north"})
        named = await carl.post(V2, json=both(made, engineDatabaseUids=[made.lyon, made.default]))
        assert codes(named) == {made.lyon: "no_permission", made.default: "ok"}
        assert codes(await carl.post(V2, json=both(made))) == {made.default: "ok"}
        assert runs(house)[0][1] == [made.here.uid]

    play_in(replace(settings, sites=frozenset({"default"})), scene)


def test_every_code_of_an_error(play: Play) -> None:
    async def scene(house: House) -> None:
        made = await world(house)
        ann, carl, control = await house.program(), await basic(house), house.portal.control
        bob = await basic(house, "bob", ("query", "execute"))
        lea = await basic(house, "lea", ("query", "api"))
        for name, triggers in (("by_schedule", ["schedule"]), ("off", [])):
            await ann.post(f"{API}/actions", json=MANIFEST | {"nql_id": f"#{name}", "triggers": triggers})
        text = {"Content-Type": "text/plain"}
        encodings: list[dict[str, Any]] = [
            {"content": b'{"requestUid": "\xff"}'},
            {"content": json.dumps(both(made)).encode(), "headers": {"Content-Encoding": "gzip"}},
            {"content": b"{}", "headers": {"Content-Type": "application/json; charset=latin-1"}},
        ]
        for one in encodings:
            one["headers"] = {"Content-Type": "application/json"} | one.get("headers", {})
        asked: list[tuple[str, httpx.AsyncClient, dict[str, Any]]] = [
            ("INVALID_REQUEST_JSON", carl, {"content": b"{", "headers": {"Content-Type": "application/json"}}),
            ("INVALID_REQUEST_CONTENT", carl, {"json": both(made, timeoutSeconds=0)}),
            ("INVALID_REQUEST_CONTENT", carl, {"json": both(made, params={"path": "x" * 31_000})}),
            ("INVALID_REQUEST_CONTENT", carl, {"json": both(made, requestUid="x" * (4 << 20))}),
            ("CONTENT_TYPE", carl, {"content": json.dumps(both(made)).encode(), "headers": text}),
            *(("ENCODING", carl, one) for one in encodings),
            ("NO_REMOTE_ACTION_UID", carl, {"json": {"deviceUids": [made.here.uid]}}),
            ("NO_DEVICES", carl, {"json": {"remoteActionUid": made.action}}),
            ("TOO_MANY_DEVICES", carl, {"json": both(made, deviceUids=[UNKNOWN] * 10_001)}),
            ("INVALID_ACTION_UID", carl, {"json": both(made, remoteActionUid="#clear_cache")}),
            ("INVALID_DEVICE_UID", carl, {"json": both(made, deviceUids=["pc-1"])}),
            ("NO_PERMISSION", bob, {"json": both(made)}),
            ("NO_PERMISSION", lea, {"json": both(made)}),
            ("NO_PERMISSION", carl, {"json": both(made), "headers": {"Origin": "https://evil.example"}}),
            ("UNKNOWN_OR_DISABLED_REMOTE_ACTION", carl, {"json": both(made, remoteActionUid=UNKNOWN)}),
            ("UNKNOWN_OR_DISABLED_REMOTE_ACTION", carl, {"json": both(made, remoteActionUid=uid(house, "off"))}),
            ("NO_MANUAL_EXECUTION", carl, {"json": both(made, remoteActionUid=uid(house, "by_schedule"))}),
            ("NO_ENGINES_TO_TARGET", carl, {"json": both(made, engineDatabaseUids=[])}),
        ]
        for code, client, request in asked:
            refused(await client.post(V2, **request), code)
        control._database.write(lambda c: c.exec_driver_sql("ALTER TABLE sites RENAME TO gone"))
        refused(await carl.post(V2, json=both(made)), "INTERNAL_ERROR")
        control._database.write(lambda c: c.exec_driver_sql("ALTER TABLE gone RENAME TO sites"))
        assert {code for code, *_ in asked} | {"INTERNAL_ERROR"} == set(CODES)
        assert runs(house) == []
        entries = await ann.get(f"{API}/audit", params={"subject": f"route:POST {V2}"})
        assert {entry["actor"] for entry in entries.json()["entries"]} == {"account:bob", "account:lea", "account:carl"}

    play(scene)


def uid(house: House, name: str) -> str:
    return house.portal.control.actions.action(f"#{name}").uid


def refused(answer: httpx.Response, code: str) -> None:
    status = {"INTERNAL_ERROR": 500, "NO_PERMISSION": 403, "NO_ENGINES_TO_TARGET": 403}.get(code, 400)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json"), answer.text
    assert set(answer.json()) == {"code", "error"}
    assert (answer.json()["code"], bool(answer.json()["error"])) == (code, True)


def test_an_action_of_which_the_account_or_the_author_says_no(play: Play) -> None:
    async def scene(house: House) -> None:
        made = await world(house)
        ann, carl = await house.program(), await basic(house)
        await ann.post(f"{API}/actions", json=MANIFEST | {"nql_id": "#other"})
        await ann.put(f"{API}/roles/desk", json={"permissions": ["execute", "api"], "actions": ["#other"]})
        await ann.patch(f"{API}/accounts/carl", json={"role": "desk"})
        refused(await carl.post(V2, json=both(made)), "NO_PERMISSION")
        await ann.patch(f"{API}/accounts/carl", json={"role": None})
        author = Signer("ann")
        author.add(house.portal.control, now=NOW)
        author.sign(house.portal.control, house.portal.control.actions.action("#clear_cache"), now=NOW)
        assert codes(await carl.post(V2, json=both(made)))[made.default] == "ok"
        other = await carl.post(V2, json=both(made, remoteActionUid=uid(house, "other")))
        refused(other, "UNKNOWN_OR_DISABLED_REMOTE_ACTION")

    play(scene)
