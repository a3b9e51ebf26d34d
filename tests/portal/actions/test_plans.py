"""Runs with a plan over HTTP: guards before they start, waves with soak and gate, following, retry, halt and resume.

Comes in: a portal whose clock the test moves. Goes out: nothing. Invariant: the portal's own tick goes on with runs;
a test waits for what it says, never for time to pass.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from portal.settings import Settings
from storage.control.outcomes import Outcome
from storage.control.states import State
from tests.portal.conftest import API, HOUR, MANIFEST, SECOND, House, Play, eventually, play_in

pytestmark = pytest.mark.slow
GOOD, BAD = Outcome(State.SUCCESS, 0), Outcome(State.FAILURE, 1)
GATE = "remote_action.executions | where request_id == $run and status == failure | list device.name"


async def prepared(house: House, count: int = 3) -> tuple[httpx.AsyncClient, list[str]]:
    """A program, and devices, by name."""
    uids = [house.enrol(number).uid for number in range(1, count + 1)]
    await house.settle()
    client = await house.program()
    assert (await client.post(f"{API}/actions", json=MANIFEST)).status_code == 201
    return client, uids


async def begun(client: httpx.AsyncClient, plan: dict[str, Any], **more: Any) -> dict[str, Any]:
    asked = {"action": "#clear_cache", "allow_draft": True, "target": {"nql": "devices"}, "plan": plan, **more}
    answer = await client.post(f"{API}/runs", json=asked)
    assert answer.status_code == 201, answer.text
    run: dict[str, Any] = answer.json()["run"]
    return run


async def shown(client: httpx.AsyncClient, run: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = (await client.get(f"{API}/runs/{run['id']}")).json()["run"]
    return said


async def until(client: httpx.AsyncClient, run: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """The run once it is as said."""

    async def holds() -> bool:
        said = await shown(client, run)
        return all(said[name] == value for name, value in parts.items())

    await eventually(holds)
    return await shown(client, run)


def fetchable(house: House, uids: list[str]) -> set[str]:
    return house.portal.control.dispatch.waiting_devices(now=house.time.now) & set(uids)


# --- guards ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"devices": 2}, "the target has 3 devices, the limit is 2"),
        ({"preview": 2, "growth": 10}, "the target has 3 devices, the preview had 2 and 10 % more are allowed"),
    ],
)
def test_a_guard_stops_a_run_before_anything_is_stored(play: Play, limits: dict[str, int], words: str) -> None:
    async def scene(house: House) -> None:
        client, _ = await prepared(house)
        asked = {
            "action": "#clear_cache",
            "allow_draft": True,
            "target": {"nql": "devices"},
            "plan": {"limits": limits},
        }
        answer = await client.post(f"{API}/runs", json=asked)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "guard_stopped")
        assert words in answer.json()["error"]["message"]
        assert (await client.get(f"{API}/runs")).json()["runs"] == []
        [entry] = [entry for entry in house.portal.control.audit.latest(50) if entry.action == "run.stopped"]
        assert (entry.actor, entry.detail["devices"], entry.detail["limits"]) == ("account:ann", 3, limits)

    play(scene)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"plan": {"waves": ["50%"]}}, 422, "bad_plan"),
        ({"plan": {"waves": ["x"]}}, 400, "bad_request"),
        ({"plan": {"gate": "devices | lst", "waves": ["1", "100%"]}}, 400, "query"),
        ({"plan": {"gate": "devices | where name == $other", "waves": ["1", "100%"]}}, 400, "query"),
        ({"plan": {"mode": "follow"}, "target": {"devices": ["UID"]}}, 422, "bad_plan"),
        ({"plan": {"window": {"days": ["mon"], "from": "1:00", "to": "02:00"}}}, 400, "bad_request"),
        ({"plan": {"retries": {"attempts": 1000}}}, 400, "bad_request"),
        ({"plan": {"waves": ["1", "100%"], "soak": 600}, "expires_in": 600}, 422, "expires_too_soon"),
        ({"plan": {"window": {"days": ["mon"], "from": "01:00", "to": "02:00"}}}, 422, "expires_too_soon"),
        ({"plan": {"unknown": 1}}, 400, "bad_request"),
    ],
)
def test_plans_that_are_refused(play: Play, change: dict[str, Any], status: int, code: str) -> None:
    async def scene(house: House) -> None:
        client, uids = await prepared(house, 1)
        if "target" in change:
            change["target"] = {"devices": uids}
        asked = {"action": "#clear_cache", "allow_draft": True, "target": {"nql": "devices"}} | change
        answer = await client.post(f"{API}/runs", json=asked)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
        assert (await client.get(f"{API}/runs")).json()["runs"] == []

    play(scene)


def test_a_repeated_request_gives_its_run_although_the_target_grew_over_the_limit(play: Play) -> None:
    async def scene(house: House) -> None:
        client, _ = await prepared(house, 2)
        asked = {
            "action": "#clear_cache", "allow_draft": True, "target": {"nql": "devices"},
            "plan": {"limits": {"devices": 2}}, "idempotency_key": "k",
        }  # fmt: skip
        first = await client.post(f"{API}/runs", json=asked)
        house.enrol(7)
        await house.settle()
        again = await client.post(f"{API}/runs", json=asked)
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json()["run"]["id"] == first.json()["run"]["id"]
        other = await client.post(f"{API}/runs", json=asked | {"plan": {}})
        assert other.json()["error"]["code"] == "idempotency_key_used"

    play(scene)


def test_once_every_leaves_devices_out_and_says_so(play: Play) -> None:
    async def scene(house: House) -> None:
        client, uids = await prepared(house, 2)
        first = await begun(client, {}, target={"devices": uids[:1]})
        house.answer(first["id"], uids[0], GOOD)
        run = await begun(client, {"once_every": 3600})
        assert (run["target"]["count"], run["skipped"], run["counts"]) == (1, 1, {"waiting_on_device": 1})

    play(scene)


# --- waves -------------------------------------------------------------------------------------
def test_waves_go_on_after_soak_while_the_gate_holds(play: Play) -> None:
    async def scene(house: House) -> None:
        client, uids = await prepared(house, 4)
        run = await begun(client, {"waves": ["1", "50%", "100%"], "soak": 600, "gate": GATE})
        assert [(w["size"], w["held"], w["released"]) for w in run["waves"]] == [
            ("1", 0, True),
            ("50%", 1, False),
            ("100%", 2, False),
        ]
        assert (run["wave"], run["next_at"], run["state"]) == (1, None, "running")
        [first] = fetchable(house, uids)
        house.answer(run["id"], first, GOOD)
        said = await shown(client, run)
        assert (said["next_at"], said["wave"]) == ("2026-01-01T10:50:00Z", 1)
        house.time.now += 599 * SECOND
        await house.portal.progress.tick()
        assert (await shown(client, run))["wave"] == 1
        house.time.now += SECOND
        said = await until(client, run, wave=2)
        [second] = fetchable(house, uids)
        assert second != first
        house.answer(run["id"], second, GOOD)
        await house.portal.progress.tick()
        house.time.now += 600 * SECOND
        await until(client, run, wave=3)
        for uid in fetchable(house, uids):
            house.answer(run["id"], uid, GOOD)
        said = await until(client, run, state="ended")
        assert (said["counts"], said["complete"], said["ended_at"]) == ({"success": 4}, True, "2026-01-01T11:00:00Z")

    play(scene)


def test_what_waits_says_for_what(play: Play) -> None:
    async def scene(house: House) -> None:
        client, uids = await prepared(house, 3)

        async def waits(run: dict[str, Any]) -> set[str | None]:
            found = (await client.get(f"{API}/runs/{run['id']}/executions")).json()["executions"]
            return {one["waits_for"] for one in found}

        waves = await begun(client, {"waves": ["1", "100%"], "soak": 60})
        assert await waits(waves) == {None, "wave"}
        [listed] = (await client.get(f"{API}/runs")).json()["runs"]
        assert (listed["held"], listed["counts"], waves["held"]) == (2, {"waiting_on_device": 3}, 2)
        await client.post(f"{API}/runs/{waves['id']}/halt", json={})
        assert await waits(waves) == {"run", "wave"}
        night = {"days": ["thu"], "from": "22:00", "to": "23:00"}
        late = await begun(client, {"window": night}, expires_in=86_400)
        assert (await waits(late), late["opens_at"]) == ({"window"}, "2026-01-01T22:00:00Z")
        again = await begun(client, {"retries": {"attempts": 2}}, target={"devices": uids[:1]})
        assert again["opens_at"] is None
        house.answer(again["id"], uids[0], BAD)
        assert await waits(again) == {"attempt"}
        house.time.now += 60 * SECOND
        assert await waits(again) == {None}

    play(scene)


def test_a_gate_that_finds_something_halts_the_run_and_resume_goes_on(play: Play) -> None:
    async def scene(house: House) -> None:
        client, uids = await prepared(house, 3)
        run = await begun(client, {"waves": ["1", "100%"], "gate": GATE})
        [first] = fetchable(house, uids)
        house.answer(run["id"], first, BAD)
        name = f"pc-{uids.index(first) + 1}"
        said = await until(client, run, state="halted")
        assert said["state_detail"] == f"the gate after wave 1 found: device.name {name}"
        assert (said["waves"][1]["held"], said["counts"], said["complete"]) == (
            2,
            {"failure": 1, "waiting_on_device": 2},
            False,
        )
        await house.portal.progress.tick()
        assert fetchable(house, uids) == set()
        resumed = await client.post(f"{API}/runs/{run['id']}/resume", json={})
        assert (resumed.status_code, resumed.json()["run"]["wave"]) == (200, 2)
        assert len(fetchable(house, uids)) == 2
        assert (await client.post(f"{API}/runs/{run['id']}/resume", json={})).json()["error"]["code"] == "not_halted"

    play(scene)


def test_a_requester_who_lost_the_right_halts_the_run(play: Play) -> None:
    async def scene(house: House) -> None:
        client, uids = await prepared(house, 3)
        other = await house.program("bob", ("query", "execute"))
        run = await begun(other, {"waves": ["1", "100%"], "gate": GATE})
        house.portal.control.accounts.disable("bob", by="account:ann", now=house.time.now)
        [first] = fetchable(house, uids)
        house.answer(run["id"], first, GOOD)
        said = await until(client, run, state="halted")
        assert said["state_detail"] == "the account bob may not run #clear_cache any more"

    play(scene)


def test_halting_and_resuming_by_hand(play: Play) -> None:
    async def scene(house: House) -> None:
        client, uids = await prepared(house, 2)
        run = await begun(client, {})
        path = f"{API}/runs/{run['id']}"
        halted = (await client.post(f"{path}/halt", json={"reason": "wrong target"})).json()["run"]
        assert (halted["state"], halted["state_detail"]) == ("halted", "ann: wrong target")
        assert fetchable(house, uids) == set()
        assert (await client.post(f"{path}/halt", json={})).json()["error"]["code"] == "not_running"
        connection = house.listener(uids[0])
        assert (await client.post(f"{path}/resume", json={})).status_code == 200
        await connection.wait()
        assert fetchable(house, uids) == set(uids)
        await client.post(f"{path}/cancel", json={})
        await until(client, run, state="ended")
        for verb in ("halt", "resume", "retry"):
            assert (
                await client.post(f"{API}/runs/00000000-0000-7000-8000-000000000000/{verb}", json={})
            ).status_code == 404

    play(scene)


def test_runs_go_on_after_a_restart(settings: Settings) -> None:
    kept: dict[str, Any] = {}

    async def before(house: House) -> None:
        client, kept["uids"] = await prepared(house, 2)
        kept["run"] = await begun(client, {"waves": ["1", "100%"], "soak": 600})
        [kept["first"]] = fetchable(house, kept["uids"])
        house.answer(kept["run"]["id"], kept["first"], GOOD)

    async def after(house: House) -> None:
        client = await house.program()
        house.time.now += 600 * SECOND
        await until(client, kept["run"], wave=2)
        assert fetchable(house, kept["uids"]) == set(kept["uids"]) - {kept["first"]}

    play_in(settings, before)
    play_in(settings, after)


# --- following ---------------------------------------------------------------------------------
def test_devices_that_enter_the_query_join_until_expiry(play: Play) -> None:
    async def scene(house: House) -> None:
        client, uids = await prepared(house, 2)
        run = await begun(client, {"mode": "follow"}, target={"nql": 'devices | where name != "pc-2"'})
        assert run["target"]["count"] == 1
        house.answer(run["id"], uids[0], GOOD)
        assert not (await shown(client, run))["complete"]
        late = house.enrol(9).uid
        await house.settle()
        house.time.now += 31 * SECOND
        connection = house.listener(late)

        async def joined() -> bool:
            return bool((await shown(client, run))["target"]["count"] == 2)

        await eventually(joined)
        await connection.wait()
        house.answer(run["id"], late, GOOD)
        house.time.now += HOUR
        said = await until(client, run, state="ended")
        assert said["counts"] == {"success": 2}

    play(scene)


def test_the_rights_of_who_follows_are_those_of_now(play: Play) -> None:
    async def scene(house: House) -> None:
        client, _ = await prepared(house, 1)
        other = await house.program("bob", ("query", "execute"))
        run = await begun(other, {"mode": "follow"})
        house.portal.control.accounts.disable("bob", by="account:ann", now=house.time.now)
        late = house.enrol(9).uid
        await house.settle()
        house.time.now += 31 * SECOND
        await until(client, run, state="halted")
        assert house.portal.control.dispatch.claim_work(late, now=house.time.now) == []

    play(scene)


# --- retry -------------------------------------------------------------------------------------
def test_only_the_failed_are_retried(play: Play) -> None:
    async def scene(house: House) -> None:
        client, uids = await prepared(house, 3)
        run = await begun(client, {"limits": {"devices": 3}}, parameters={"path": "/x"}, reason="why")
        path = f"{API}/runs/{run['id']}/retry"
        asked = {"allow_draft": True}
        assert (await client.post(path, json=asked)).json()["error"]["code"] == "nothing_failed"
        house.answer(run["id"], uids[0], BAD)
        house.answer(run["id"], uids[1], GOOD)
        answer = await client.post(path, json=asked | {"idempotency_key": "again"})
        again = answer.json()["run"]
        assert (answer.status_code, again["retry_of"], again["target"]["count"]) == (201, run["id"], 1)
        assert (again["parameters"], again["reason"], again["expires_at"]) == ({"path": "/x"}, "why", run["expires_at"])
        assert house.portal.control.dispatch.claim_work(uids[1], now=house.time.now) == []
        house.answer(run["id"], uids[2], BAD)
        repeated = await client.post(path, json=asked | {"idempotency_key": "again"})
        assert (repeated.status_code, repeated.json()["run"]["id"]) == (200, again["id"])

    play(scene)


def test_a_failed_attempt_waits_and_the_device_is_nudged_when_its_time_comes(play: Play) -> None:
    async def scene(house: House) -> None:
        client, uids = await prepared(house, 1)
        run = await begun(client, {"retries": {"attempts": 2, "backoff": 60}})
        house.answer(run["id"], uids[0], BAD)
        [waiting] = (await client.get(f"{API}/runs/{run['id']}/executions")).json()["executions"]
        assert (waiting["state"], waiting["attempt"], waiting["detail"]) == (
            "waiting_on_device",
            2,
            "attempt 1 of 2 ended with failure",
        )
        assert (waiting["wave"], waiting["held"], waiting["begins_at"]) == (1, False, "2026-01-01T10:41:00Z")
        connection = house.listener(uids[0])
        house.time.now += 60 * SECOND
        await connection.wait()
        assert len(house.portal.control.dispatch.claim_work(uids[0], now=house.time.now)) == 1

    play(scene)
