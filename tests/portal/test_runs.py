"""Acting over HTTP: define, preview, run on exactly the devices meant, follow, cancel."""

from __future__ import annotations

import asyncio
import json
from hashlib import sha256
from typing import Any

import pytest

from portal.actions.events import Watchers
from storage.control.executions import Change
from storage.control.outcomes import Outcome
from storage.control.states import State
from tests.portal.conftest import API, HOUR, MANIFEST, House, Play, eventually


async def prepared(house: House, count: int = 3) -> list[str]:
    """Devices and the action."""
    uids = [house.enrol(number).uid for number in range(1, count + 1)]
    await house.settle()
    client = await house.program()
    assert (await client.post(f"{API}/actions", json=MANIFEST)).status_code == 201
    return uids


def test_a_query_target_is_exactly_its_devices(play: Play) -> None:
    async def scene(house: House) -> None:
        uids = await prepared(house)
        client = await house.program()
        target = {"nql": 'devices | where name != "pc-2"'}
        preview = (await client.post(f"{API}/runs/preview", json={"target": target})).json()
        assert preview["count"] == 2
        assert preview["platforms"] == {"unknown": 2}
        assert preview["claimed"] == ["device.name"]
        listed = {"target": {"devices": uids}}
        assert (await client.post(f"{API}/runs/preview", json=listed)).json()["claimed"] == []
        assert [device["name"] for device in preview["sample"]] == ["pc-1", "pc-3"]
        answer = await client.post(
            f"{API}/runs", json={"action": "#clear_cache", "allow_draft": True, "target": target, "reason": "test"}
        )
        assert answer.status_code == 201
        run = answer.json()["run"]
        meant = sorted([uids[0], uids[2]])
        digest = sha256("".join(f"{uid}\n" for uid in meant).encode()).hexdigest()
        assert run["target"] == {"kind": "nql", "text": target["nql"], "count": 2, "digest": digest}
        assert answer.headers["location"] == f"{API}/runs/{run['id']}"
        listed = (await client.get(f"{API}/runs/{run['id']}/executions")).json()["executions"]
        assert [execution["device"]["uid"] for execution in listed] == meant
        dispatch, now = house.portal.control.dispatch, house.time.now
        assert [len(dispatch.claim_work(uid, now=now)) for uid in uids] == [1, 0, 1]
        # frozen: a device that would be meant now gets nothing
        late = house.enrol(9)
        await house.settle()
        assert dispatch.claim_work(late.uid, now=now) == []
        assert (await client.get(f"{API}/runs/{run['id']}")).json()["run"]["target"]["digest"] == digest

    play(scene)


def test_devices_are_nudged_after_the_run_is_stored(play: Play) -> None:
    async def scene(house: House) -> None:
        uids = await prepared(house)
        client = await house.program()
        meant, other = house.listener(uids[0]), house.listener(uids[1])
        asked = {"action": "#clear_cache", "allow_draft": True, "target": {"devices": [uids[0]]}}
        assert (await client.post(f"{API}/runs", json=asked)).status_code == 201
        assert meant.nudges > 0
        assert len(house.portal.control.dispatch.claim_work(uids[0], now=house.time.now)) == 1
        assert other.nudges == 0

    play(scene)


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"target": {}}, 422, "bad_target"),
    ({"target": {"nql": "devices", "devices": ["x"]}}, 422, "bad_target"),
    ({"target": {"devices": []}}, 400, "bad_request"),
    ({"target": {"devices": ["nobody"]}}, 422, "unknown_devices"),
    ({"target": {"devices": ["x"] * 10_001}}, 400, "bad_request"),
    ({"target": {"nql": 'devices | where name == "none"'}}, 422, "no_devices"),
    ({"target": {"nql": "devices | lst name"}}, 400, "query"),
    ({"target": {"nql": "devices | summarize n = count()"}}, 400, "query"),
    ({"target": {"nql": "users"}}, 400, "query"),
    ({"action": "#nothing"}, 404, "unknown_action"),
    ({"action": "clear_cache"}, 400, "bad_request"),
    ({"parameters": {"nope": "x"}}, 422, "bad_parameters"),
    ({"parameters": {"path": 5}}, 400, "bad_request"),
    ({"parameters": {"path": "a\u0000b"}}, 422, "bad_parameters"),
    ({"expires_in": 59}, 400, "bad_request"),
    ({"expires_in": 10**12}, 400, "bad_request"),
    ({"reason": "x" * 501}, 400, "bad_request"),
]


def test_requests_that_are_refused(play: Play) -> None:
    async def scene(house: House) -> None:
        await prepared(house, 1)
        client = await house.program()
        for change, status, code in REFUSED:
            asked = {"action": "#clear_cache", "allow_draft": True, "target": {"nql": "devices"}} | change
            answer = await client.post(f"{API}/runs", json=asked)
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), (change, answer.text)
            assert (await client.get(f"{API}/runs")).json()["runs"] == [], change

    play(scene)


def test_triggers(play: Play) -> None:
    async def scene(house: House) -> None:
        await prepared(house, 2)
        program, browser = await house.program(), await house.browser()
        asked = {"action": "#by_hand", "allow_draft": True, "target": {"nql": "devices"}}
        await program.post(f"{API}/actions", json=MANIFEST | {"nql_id": "#by_hand", "triggers": ["manual"]})
        assert (await program.post(f"{API}/runs", json=asked)).json()["error"]["code"] == "trigger_not_allowed"
        by_hand = await browser.post(f"{API}/runs", json=asked)
        assert by_hand.json()["run"]["trigger"] == "manual_multiple"
        await program.post(f"{API}/actions", json=MANIFEST | {"nql_id": "#by_hand", "triggers": ["api"]})
        assert (await browser.post(f"{API}/runs", json=asked)).json()["error"]["code"] == "trigger_not_allowed"
        assert (await program.post(f"{API}/runs", json=asked)).json()["run"]["trigger"] == "api"

    play(scene)


def test_a_run_is_begun_once(play: Play) -> None:
    async def scene(house: House) -> None:
        await prepared(house, 2)
        client = await house.program()
        asked = {"action": "#clear_cache", "allow_draft": True, "target": {"nql": "devices"}, "idempotency_key": "k1"}
        answers = await asyncio.gather(*(client.post(f"{API}/runs", json=asked) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [200] * 4 + [201]
        assert len({answer.json()["run"]["id"] for answer in answers}) == 1
        other = await client.post(f"{API}/runs", json=asked | {"reason": "other"})
        assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_key_used")
        assert len((await client.get(f"{API}/runs")).json()["runs"]) == 1

    play(scene)


def test_results_are_shown(play: Play) -> None:
    async def scene(house: House) -> None:
        uids = await prepared(house, 2)
        client = await house.program()
        asked = {
            "action": "#clear_cache",
            "allow_draft": True,
            "target": {"devices": uids},
            "parameters": {"path": "/var/<b>"},
        }
        run = (await client.post(f"{API}/runs", json=asked)).json()["run"]
        outputs = {"freed": 10, "took": 1_500_000, "other": 1}
        now = house.time.now
        house.answer(
            run["id"], uids[0], Outcome(State.FAILURE, 3, outputs, error="<script>", started_at=now, finished_at=now)
        )
        shown = (await client.get(f"{API}/runs/{run['id']}")).json()["run"]
        assert shown["counts"] == {"failure": 1, "waiting_on_device": 1}
        assert (shown["complete"], shown["parameters"]) == (False, {"path": "/var/<b>"})
        listed = (await client.get(f"{API}/runs/{run['id']}/executions", params={"limit": 1000})).json()["executions"]
        assert [one["device"]["uid"] for one in listed] == sorted(uids)
        assert next(one for one in listed if one["device"]["uid"] == uids[0]) | {"id": ""} == {
            "id": "",
            "device": {"uid": uids[0], "name": "pc-1", "simulated": False},
            "state": "failure",
            "detail": "output 'other' is not declared",
            "attempt": 1,
            "wave": 1,
            "held": False,
            "begins_at": None,
            "waits_for": None,
            "changed_at": "2026-01-01T10:40:00Z",
            "started_at": "2026-01-01T10:40:00Z",
            "finished_at": "2026-01-01T10:40:00Z",
            "duration": 0.0,
            "exit_code": 3,
            "outputs": {"freed": 10.0, "took": 1.5},
            "error": "<script>",
        }
        assert [one["id"] for one in (await client.get(f"{API}/runs")).json()["runs"]] == [run["id"]]

    play(scene)


def test_cancel(play: Play) -> None:
    async def scene(house: House) -> None:
        uids = await prepared(house, 3)
        client = await house.program()
        run = (
            await client.post(
                f"{API}/runs", json={"action": "#clear_cache", "allow_draft": True, "target": {"devices": uids}}
            )
        ).json()["run"]
        house.portal.control.dispatch.claim_work(uids[0], now=house.time.now)
        path = f"{API}/runs/{run['id']}/cancel"
        assert (await client.post(path, json={"device": uids[1]})).json() == {"cancelled": 1, "asked": 0}
        connection = house.listener(uids[0])
        assert (await client.post(path, json={})).json() == {"cancelled": 1, "asked": 1}
        assert connection.nudges == 1
        assert (await client.post(path, json={"device": "nobody"})).status_code == 404

    play(scene)


@pytest.mark.slow
def test_expiry_by_the_slow_tick(play: Play) -> None:
    async def scene(house: House) -> None:
        await prepared(house, 1)
        client = await house.program()
        run = (
            await client.post(
                f"{API}/runs", json={"action": "#clear_cache", "allow_draft": True, "target": {"nql": "devices"}}
            )
        ).json()["run"]
        house.time.now += HOUR

        async def expired() -> bool:
            said = (await client.get(f"{API}/runs/{run['id']}")).json()["run"]
            return bool(said["complete"] and said["counts"] == {"expired": 1})

        await eventually(expired)

    play(scene)


def events_of(text: str) -> list[tuple[str, Any]]:
    pieces = [
        dict(line.split(": ", 1) for line in piece.splitlines())
        for piece in text.split("\n\n")
        if piece[:1] not in ("", ":")
    ]
    return [(piece["event"], json.loads(piece["data"])) for piece in pieces]


def test_events_end_with_the_run(play: Play) -> None:
    async def scene(house: House) -> None:
        uids = await prepared(house, 3)
        client = await house.browser()
        run = (
            await client.post(
                f"{API}/runs", json={"action": "#clear_cache", "allow_draft": True, "target": {"devices": uids}}
            )
        ).json()["run"]
        stream = asyncio.create_task(client.get(f"{API}/runs/{run['id']}/events"))

        async def watching() -> bool:
            return run["id"] in house.portal.watchers._runs

        await eventually(watching)
        for uid in uids:
            await asyncio.to_thread(house.answer, run["id"], uid, Outcome(State.SUCCESS, 0, {"freed": 1}))
        answer = await asyncio.wait_for(stream, 10)
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = events_of(answer.text)
        assert events[0][0] == "run"
        assert events[-1][0] == "done"
        assert events[-1][1]["counts"] == {"success": 3}
        last = {data["device"]["uid"]: data["state"] for name, data in events if name == "execution"}
        assert last == dict.fromkeys(uids, "success")
        assert not house.portal.watchers._runs
        again = events_of((await client.get(f"{API}/runs/{run['id']}/events")).text)
        assert [name for name, _ in again] == ["run", "done"]
        assert (await client.get(f"{API}/runs/00000000-0000-7000-8000-000000000000/events")).status_code == 404

    play(scene)


def test_watchers_end_when_the_portal_stops(play: Play) -> None:
    async def scene(house: House) -> None:
        await prepared(house, 1)
        client = await house.program()
        run = (
            await client.post(
                f"{API}/runs", json={"action": "#clear_cache", "allow_draft": True, "target": {"nql": "devices"}}
            )
        ).json()["run"]
        stream = asyncio.create_task(client.get(f"{API}/runs/{run['id']}/events"))

        async def watching() -> bool:
            return run["id"] in house.portal.watchers._runs

        await eventually(watching)
        house.portal.stop_waiting()
        assert "done" not in (await asyncio.wait_for(stream, 5)).text

    play(scene)


def test_a_watcher_wakes_once_for_what_came_together() -> None:
    async def scene() -> None:
        watchers = Watchers()
        watchers.start()
        with watchers.watching("r") as watcher:
            for _ in range(100):
                watchers.told(Change("r", "a", State.IN_PROGRESS))
                watchers.told(Change("other", "a", State.IN_PROGRESS))
            watchers.told(Change("r", "b", State.SUCCESS))
            await asyncio.sleep(0)
            assert await watcher.wait(1)
            assert not await watcher.wait(0.01)
        watchers.told(Change("r", "a", State.SUCCESS))

    asyncio.run(scene())
