"""Schedules at work in a running portal: under whose rights, for whom, how often, and what is written down."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from portal.schedules.scheduler import Parts, Scheduler
from storage.control.outcomes import Outcome
from storage.control.states import State
from tests.portal.conftest import API, HOUR, MANIFEST, NOW, SECOND, House, Play

pytestmark = pytest.mark.slow
SCHEDULE = {
    "nql_id": "#hourly_facts",
    "name": "Hourly facts",
    "definition": {
        "action": "#clear_cache",
        "target": "devices",
        "cadence": {"hourly": {"minute": 0}},
        "allow_draft": True,
    },
}
FULL = NOW - NOW % HOUR  # the full hour before the scene begins
ACTION = MANIFEST | {"triggers": ["api", "schedule"]}
Scene = Callable[[House, httpx.AsyncClient], Awaitable[None]]


def body(**changes: Any) -> dict[str, Any]:
    return SCHEDULE | {"definition": {**SCHEDULE["definition"], **changes}}  # type: ignore[dict-item]


def staged(play: Play, scene: Scene, *, devices: int = 2) -> None:
    """A scene with devices, the action, and Ann, who keeps the schedules."""

    async def whole(house: House) -> None:
        for number in range(1, devices + 1):
            house.enrol(number)
        await house.settle()
        client = await house.program()
        assert (await client.post(f"{API}/actions", json=ACTION)).status_code == 201
        await scene(house, client)

    play(whole)


async def make(client: httpx.AsyncClient, **changes: Any) -> None:
    answer = await client.post(f"{API}/schedules", json=body(**changes))
    assert answer.status_code == 201, answer.text


async def at(house: House, now: int) -> None:
    house.time.now = now
    await house.portal.scheduler.tick()
    await house.settle()


async def firings(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get(f"{API}/schedules/hourly_facts/firings")).json()["firings"]
    return found


def test_a_schedule_makes_one_run_a_due_time(play: Play) -> None:
    async def scene(house: House, client: httpx.AsyncClient) -> None:
        await make(client)
        await at(house, FULL + HOUR - SECOND)
        assert await firings(client) == []
        for step in (0, SECOND, 60 * SECOND, HOUR - SECOND):
            await at(house, FULL + HOUR + step)
        [one] = await firings(client)
        assert (one["outcome"], one["due_at"]) == ("run", "2026-01-01T11:00:00Z")
        run = (await client.get(f"{API}/runs/{one['run']}")).json()["run"]
        assert (run["trigger"], run["requested_by"], run["target"]["count"]) == ("scheduled", "ann", 2)
        assert run["expires_at"] == "2026-01-01T12:00:00Z"
        await at(house, FULL + 2 * HOUR)
        assert len(await firings(client)) == 2
        assert len((await client.get(f"{API}/runs")).json()["runs"]) == 2

    staged(play, scene)


def test_two_schedulers_make_one_run(play: Play) -> None:
    async def scene(house: House, client: httpx.AsyncClient) -> None:
        await make(client)
        p = house.portal
        parts = Parts(p.control, p.access, p.queries, p.nudges, p.threads, house.time)
        others = [Scheduler(parts, f"other-{number}") for number in range(3)]
        for hour in range(1, 13):
            house.time.now = FULL + hour * HOUR  # each hour the lease is over, and any of them may take it
            await asyncio.gather(*(one.tick() for one in [*others, p.scheduler]))
        found = await firings(client)
        assert len(found) == len({one["due_at"] for one in found}) == 12
        assert len((await client.get(f"{API}/runs")).json()["runs"]) == 12

    staged(play, scene)


@pytest.mark.parametrize("step", [HOUR, 24 * HOUR])
def test_a_clock_that_is_set_forward_and_back_fires_nothing_twice(play: Play, step: int) -> None:
    async def scene(house: House, client: httpx.AsyncClient) -> None:
        await make(client, missed="skip")
        await at(house, FULL + HOUR)
        await at(house, FULL + HOUR + step)  # set forward
        await at(house, FULL + HOUR + 10 * SECOND)  # and back: the next due time of this clock counts
        await at(house, FULL + 2 * HOUR)
        await at(house, FULL + 3 * HOUR)
        found = [one["due_at"] for one in await firings(client) if one["outcome"] == "run"]
        assert len(found) == len(set(found))
        expected = {f"2026-01-01T{hour}:00:00Z" for hour in (11, 12, 13)}
        assert expected <= set(found)
        assert len(found) == 3 + (step > HOUR)

    staged(play, scene)


@pytest.mark.parametrize("step", [HOUR, 24 * HOUR])
def test_a_clock_that_is_set_back_and_forward_holds_up_nothing(play: Play, step: int) -> None:
    async def scene(house: House, client: httpx.AsyncClient) -> None:
        await make(client, missed="skip")
        await at(house, FULL + HOUR)
        await at(house, FULL + HOUR + 10 * SECOND - step)  # set back: the next hour of this clock is the next
        await at(house, FULL + 2 * HOUR - step)
        await at(house, FULL + 3 * HOUR)  # and forward again: what lies between was missed
        await at(house, FULL + 4 * HOUR)
        runs = [one["due_at"] for one in await firings(client) if one["outcome"] == "run"]
        expected = {"2026-01-01T11:00:00Z", "2026-01-01T13:00:00Z", "2026-01-01T14:00:00Z"}
        if step > HOUR:
            expected.add("2025-12-31T12:00:00Z")
        assert (set(runs), len(runs)) == (expected, len(expected))

    staged(play, scene)


def test_the_missed_run_policy_after_a_portal_that_was_off(play: Play) -> None:
    async def scene(house: House, client: httpx.AsyncClient) -> None:
        for name, missed in (("skipping", "skip"), ("newest", "once"), ("each", "all")):
            asked = body(missed=missed) | {"nql_id": f"#{name}"}
            assert (await client.post(f"{API}/schedules", json=asked)).status_code == 201
        await at(house, FULL + 4 * HOUR + HOUR // 2)
        counts = {}
        for name in ("skipping", "newest", "each"):
            found = (await client.get(f"{API}/schedules/{name}/firings")).json()["firings"]
            counts[name] = sorted(one["outcome"] for one in found)
        assert counts == {"skipping": ["skipped"], "newest": ["run", "skipped"], "each": ["run"] * 4}
        [skipped] = (await client.get(f"{API}/schedules/skipping/firings")).json()["firings"]
        assert skipped["detail"] == "4 due times passed while nothing could fire"

    staged(play, scene)


def test_a_device_that_was_off_still_runs_until_the_next_due_time(play: Play) -> None:
    async def scene(house: House, client: httpx.AsyncClient) -> None:
        await make(client, target='devices | where name == "pc-1"')
        [device] = await _uids(client, "pc-1")
        await at(house, FULL + HOUR)
        house.time.now = FULL + 2 * HOUR - SECOND
        dispatch = house.portal.control.dispatch
        assert len(dispatch.claim_work(device, now=house.time.now)) == 1
        await at(house, FULL + 2 * HOUR)
        house.time.now = FULL + 3 * HOUR + SECOND  # off for the whole of the second hour
        house.portal.control.deadlines.tick(now=house.time.now)
        [newest] = [one for one in await firings(client) if one["due_at"].startswith("2026-01-01T12")]
        counts = house.portal.control.executions.counts(newest["run"])[newest["run"]]
        assert counts == {"expired": 1}

    staged(play, scene)


async def _uids(client: httpx.AsyncClient, name: str) -> list[str]:
    asked = {"text": f'devices | where name == "{name}" | list uid'}
    rows = (await client.post(f"{API}/query", json=asked)).json()["rows"]
    return [row[0] for row in rows]


def test_an_owner_who_may_not_any_more(play: Play) -> None:
    async def scene(house: House, client: httpx.AsyncClient) -> None:
        bob = await house.program("bob", ("query", "execute"))
        await make(bob)
        accounts = house.portal.control.accounts
        accounts.set_permissions("bob", ["query"], by="account:ann", now=NOW)
        await at(house, FULL + HOUR)
        accounts.set_permissions("bob", ["query", "execute"], by="account:ann", now=NOW)
        await at(house, FULL + 2 * HOUR)
        accounts.disable("bob", by="account:ann", now=NOW)
        await at(house, FULL + 3 * HOUR)
        third, second, first = await firings(client)
        assert (first["outcome"], first["detail"]) == ("failed", "the owner bob lacks the permission execute")
        assert second["outcome"] == "run"
        assert third["outcome"] == "failed"
        assert "disabled" in third["detail"]
        kept = (await client.get(f"{API}/schedules/hourly_facts")).json()["schedule"]
        assert (kept["enabled"], kept["owner"], kept["next_at"]) == (True, "bob", "2026-01-01T14:00:00Z")

    staged(play, scene)


def test_an_action_without_the_trigger(play: Play) -> None:
    async def scene(house: House, client: httpx.AsyncClient) -> None:
        await make(client)
        await client.post(f"{API}/actions", json=MANIFEST)
        await at(house, FULL + HOUR)
        [one] = await firings(client)
        assert one["outcome"] == "failed"
        assert "trigger schedule" in one["detail"]
        again = await client.put(
            f"{API}/schedules/hourly_facts", json={"name": "x", "definition": body()["definition"]}
        )
        assert (again.status_code, again.json()["error"]["code"]) == (422, "not_allowed")

    staged(play, scene)


def test_guards_and_queries_without_devices(play: Play) -> None:
    async def scene(house: House, client: httpx.AsyncClient) -> None:
        asked: dict[str, dict[str, Any]] = {
            "#guarded": {"plan": {"limits": {"devices": 1}}},
            "#nobody": {"target": 'devices | where name == "x"'},
        }
        for nql_id, changes in asked.items():
            assert (await client.post(f"{API}/schedules", json=body(**changes) | {"nql_id": nql_id})).status_code == 201
        await at(house, FULL + HOUR)
        [guarded] = (await client.get(f"{API}/schedules/guarded/firings")).json()["firings"]
        [nobody] = (await client.get(f"{API}/schedules/nobody/firings")).json()["firings"]
        assert (guarded["outcome"], nobody["outcome"]) == ("stopped", "empty")
        assert "the target has 2 devices, the limit is 1" in guarded["detail"]
        assert (await client.get(f"{API}/runs")).json()["runs"] == []

    staged(play, scene)


def test_a_new_fact_is_collected_hourly_and_asked_for(play: Play) -> None:
    """The acceptance of schedules: collected, queried from both sides, exported."""

    async def scene(house: House, client: httpx.AsyncClient) -> None:
        await make(client)
        uids = await _uids(client, "pc-1") + await _uids(client, "pc-2")
        for hour in range(1, 4):
            await at(house, FULL + hour * HOUR)
            run = (await firings(client))[0]["run"]
            for number, uid in enumerate(uids):
                house.time.now += SECOND
                outcome = Outcome(State.SUCCESS, 0, {"files": 10 * hour + number, "freed": 1024.0})
                house.answer(run, uid, outcome)
            await house.settle()
        asked = {
            "text": "remote_action.#clear_cache.executions during past 1d | list device.name, outputs.files, "
            "trigger_method | sort outputs.files asc"
        }
        answer = (await client.post(f"{API}/query", json=asked)).json()
        assert [row[1] for row in answer["rows"]] == [10, 11, 20, 21, 30, 31]
        assert {row[2] for row in answer["rows"]} == {"scheduled"}
        asked = {
            "text": "devices | include remote_action.#clear_cache.executions during past 1d "
            "| compute most = outputs.files.max() | list name, most | sort name asc"
        }
        answer = (await client.post(f"{API}/query", json=asked)).json()
        assert answer["rows"] == [["pc-1", 30], ["pc-2", 31]]
        asked = {
            "text": "remote_action.#clear_cache.executions during past 6h "
            "| summarize files = outputs.files.sum() by 1h | list start_time, files"
        }
        answer = (await client.post(f"{API}/query", json=asked)).json()
        assert [row[1] for row in answer["rows"] if row[1]] == [21, 41, 61]
        export = await client.post(f"{API}/query", json=asked, headers={"Accept": "text/csv"})
        assert export.headers["content-type"].startswith("text/csv")
        assert len(export.text.splitlines()) >= 4

    staged(play, scene)


def test_schedules_are_kept_over_http(play: Play) -> None:
    async def scene(house: House, client: httpx.AsyncClient) -> None:
        answer = await client.post(f"{API}/schedules", json=body(zone="Europe/Zurich", jitter=60))
        assert answer.status_code == 201
        assert answer.headers["location"] == f"{API}/schedules/hourly_facts"
        assert answer.json()["schedule"]["next_at"] == "2026-01-01T11:00:00Z"
        assert (await client.post(f"{API}/schedules", json=body())).status_code == 409
        times = (await client.get(f"{API}/schedules/hourly_facts/next")).json()
        assert (times["zone"], len(times["times"])) == ("Europe/Zurich", 10)
        assert times["times"][0]["local"] == "Thu 2026-01-01 12:00 CET"
        assert times["times"][0]["fires_at"] > times["times"][0]["due_at"]
        changed = {"name": "Daily", "definition": body(cadence={"daily": {"at": "03:00"}})["definition"]}
        answer = await client.put(f"{API}/schedules/hourly_facts", json=changed)
        assert (answer.json()["schedule"]["revision"], answer.json()["schedule"]["name"]) == (2, "Daily")
        assert (await client.post(f"{API}/schedules/hourly_facts/disable")).json()["schedule"]["next_at"] is None
        assert (await client.post(f"{API}/schedules/hourly_facts/enable")).json()["schedule"]["enabled"]
        assert [one["nql_id"] for one in (await client.get(f"{API}/schedules")).json()["schedules"]] == [
            "#hourly_facts"
        ]
        assert (await client.delete(f"{API}/schedules/hourly_facts")).status_code == 204
        assert (await client.get(f"{API}/schedules/hourly_facts")).status_code == 404
        asked = {"cadence": {"cron": "0 3 * * 1-5"}, "zone": "Europe/Zurich", "count": 2}
        preview = (await client.post(f"{API}/schedules/preview", json=asked)).json()
        assert [one["local"] for one in preview["times"]] == ["Fri 2026-01-02 03:00 CET", "Mon 2026-01-05 03:00 CET"]

    staged(play, scene)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"target": "devices | lst name"}, 400, "query"),
        ({"target": "devices | summarize n = count()"}, 400, "query"),
        ({"action": "#unknown"}, 404, "unknown_action"),
        ({"parameters": {"nonsense": "1"}}, 422, "bad_parameters"),
        ({"cadence": {"every": "1s"}}, 422, "bad_cadence"),
        ({"cadence": {}}, 400, "bad_request"),
        ({"jitter": -1}, 400, "bad_request"),
        ({"plan": {"waves": ["5%"]}}, 422, "bad_plan"),
        ({"plan": {"waves": ["1", "100%"], "soak": 3600}}, 422, "expires_too_soon"),
        ({"plan": {"window": {"days": ["mon"], "from": "02:10", "to": "02:50"}}}, 422, "expires_too_soon"),
    ],
)
def test_what_cannot_be_saved(play: Play, changes: dict[str, Any], status: int, code: str) -> None:
    async def scene(house: House, client: httpx.AsyncClient) -> None:
        answer = await client.post(f"{API}/schedules", json=body(**changes))
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text

    staged(play, scene, devices=1)


def test_identical_queries_are_evaluated_once_in_a_tick(play: Play) -> None:
    async def scene(house: House, client: httpx.AsyncClient) -> None:
        for number in range(5):
            asked = body() | {"nql_id": f"#number_{number}"}
            assert (await client.post(f"{API}/schedules", json=asked)).status_code == 201
        p = house.portal
        asked_for: list[str] = []

        class Counting:
            instant = p.queries.instant

            async def meant(self, caller: Any, text: str, most: int, at: Any) -> Any:
                asked_for.append(text)
                return await p.queries.meant(caller, text, most, at)

        parts = Parts(p.control, p.access, Counting(), p.nudges, p.threads, house.time)  # type: ignore[arg-type]
        assert p.control.leases.acquire("scheduler", "counting", now=FULL + HOUR)  # the portal's own has run out
        house.time.now = FULL + HOUR
        await Scheduler(parts, "counting").tick()
        assert len(p.control.runs.latest()) == 5
        assert asked_for == ["devices"]

    staged(play, scene)


def test_a_draft_does_not_fire_unless_that_is_allowed(play: Play) -> None:
    async def scene(house: House, client: httpx.AsyncClient) -> None:
        await make(client, allow_draft=False)
        await at(house, FULL + HOUR)
        [first] = await firings(client)
        assert first["outcome"] == "failed"
        assert first["detail"].startswith("no trusted author signed version 1 of #clear_cache")

    staged(play, scene, devices=1)


def test_a_failure_that_nobody_foresaw_holds_up_no_other_schedule(play: Play) -> None:
    async def scene(house: House, client: httpx.AsyncClient) -> None:
        for nql_id, target in (("#broken", 'devices | where name == "pc-1"'), ("#sound", "devices")):
            asked = body(target=target) | {"nql_id": nql_id}
            assert (await client.post(f"{API}/schedules", json=asked)).status_code == 201
        p = house.portal

        class Breaking:
            instant = p.queries.instant

            async def meant(self, caller: Any, text: str, most: int, at: Any) -> Any:
                if "pc-1" in text:
                    raise RuntimeError("a defect")
                return await p.queries.meant(caller, text, most, at)

        parts = Parts(p.control, p.access, Breaking(), p.nudges, p.threads, house.time)  # type: ignore[arg-type]
        assert p.control.leases.acquire("scheduler", "breaking", now=FULL + HOUR)  # the portal's own has run out
        house.time.now = FULL + HOUR
        breaking = Scheduler(parts, "breaking")
        await breaking.tick()
        assert [run.schedule for run in p.control.runs.latest()] == ["#sound"]

    staged(play, scene)
