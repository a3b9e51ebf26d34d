"""Runs as a whole: waves, soak, halting and resuming, joining, ending, and who is told of it.

Comes in: an empty control database. Goes out: nothing. Invariant: time moves only where a test says so; a device does
what a real one does, through `dispatch`.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from storage.control.api import Control
from storage.control.errors import NotFoundError, RefusedError
from storage.control.outcomes import Outcome
from storage.control.plans import Plan
from storage.control.runs import Run
from storage.control.states import State
from storage.control.webhooks import GIVEN_UP, MOST_WAITING, SECOND, put
from tests.storage.control.conftest import HOUR, NOW, ask

GOOD, BAD = Outcome(State.SUCCESS, 0), Outcome(State.FAILURE, 1)
TEN = tuple(f"pc-{number}" for number in range(10))


def planned(control: Control, *devices: str, now: int = NOW, **parts: Any) -> Run:
    """A run with a plan; `changes` are other parts of the request."""
    changes = parts.pop("changes", {})
    return ask(control, *devices, now=now, plan=msgspec.convert(parts, Plan), **changes)


def fetchable(control: Control, devices: tuple[str, ...] = TEN, now: int = NOW) -> set[str]:
    """The devices that would get an order now (nothing is handed out)."""
    return control.dispatch.waiting_devices(now=now) & set(devices)


def finish(control: Control, run: str, *devices: str, outcome: Outcome = GOOD, now: int = NOW) -> None:
    for device in devices:
        assert control.dispatch.claim_work(device, now=now), device
        attempt = control.executions.execution(run, device).attempt
        control.dispatch.record_started(run, device, attempt, started_at=now, now=now)
        control.dispatch.record_finished(run, device, attempt, outcome, now=now)


def audited(control: Control, run: str) -> list[str]:
    return [entry.action for entry in control.audit.latest(500, subject=f"run:{run}") if entry.action[:4] == "run."]


def test_waves_are_released_one_after_the_other(control: Control) -> None:
    run = planned(control, *TEN, waves=["1", "50%", "100%"], soak=60)
    first = fetchable(control)
    assert len(first) == 1
    assert control.executions.waves(run.id) == {0: {"waiting_on_device": 1}, 1: {"held": 4}, 2: {"held": 5}}
    assert control.progress.standing(run.id).next_at is None
    assert control.progress.release(run.id, 1, now=NOW) == []  # the first one is not over
    finish(control, run.id, *first, now=NOW + SECOND)
    standing = control.progress.standing(run.id)
    assert (standing.following, standing.over_at, standing.next_at) == (1, NOW + SECOND, NOW + 61 * SECOND)
    assert control.progress.release(run.id, 2, now=NOW) == []  # not the one that comes next
    second = set(control.progress.release(run.id, 1, now=NOW + HOUR // 2))
    assert len(second) == 4
    assert fetchable(control, now=NOW + HOUR // 2) == second
    assert control.progress.release(run.id, 1, now=NOW) == []  # said twice
    assert (control.runs.run(run.id).wave, control.runs.run(run.id).wave_at) == (1, NOW + HOUR // 2)
    assert audited(control, run.id) == ["run.wave_released", "run.created"]


def test_a_wave_without_devices_is_passed_over(control: Control) -> None:
    run = planned(control, *TEN[:2], waves=["1", "2%", "3%", "100%"])
    finish(control, run.id, *fetchable(control))
    assert control.progress.standing(run.id).following == 3
    assert len(control.progress.release(run.id, 3, now=NOW)) == 1


def test_what_is_held_back_cannot_be_fetched_and_expires(control: Control) -> None:
    run = planned(control, *TEN, waves=["1", "100%"])
    held = set(TEN) - fetchable(control)
    assert all(control.dispatch.claim_work(uid, now=NOW) == [] for uid in held)
    control.deadlines.tick(now=NOW + HOUR)
    details = {execution.detail for execution in control.executions.of_run(run.id) if execution.device in held}
    assert details == {"the run expired before the wave of this device was released"}
    assert control.progress.end(run.id, now=NOW + HOUR)


def test_a_halted_run_hands_out_nothing_until_it_is_resumed(control: Control) -> None:
    run = planned(control, *TEN[:3])
    [order] = control.dispatch.claim_work(TEN[0], now=NOW)
    assert control.progress.halt(run.id, "2 devices are slow", by="portal", now=NOW)
    assert not control.progress.halt(run.id, "again", by="portal", now=NOW)
    halted = control.runs.run(run.id)
    assert (halted.state, halted.state_detail) == ("halted", "2 devices are slow")
    assert fetchable(control) == set()  # but what was handed out goes on
    control.dispatch.record_finished(run.id, TEN[0], order.attempt, GOOD, now=NOW)
    assert control.dispatch.claim_work(TEN[1], now=NOW) == []
    assert control.progress.resume(run.id, by="account:ann", now=NOW) == [TEN[1], TEN[2]]
    assert control.progress.resume(run.id, by="account:ann", now=NOW) is None
    assert fetchable(control) == {TEN[1], TEN[2]}
    assert audited(control, run.id) == ["run.resumed", "run.halted", "run.created"]


def test_resuming_where_a_gate_halted_releases_the_next_wave(control: Control) -> None:
    run = planned(control, *TEN, waves=["1", "50%", "100%"])
    finish(control, run.id, *fetchable(control), outcome=BAD)
    control.progress.halt(run.id, "the gate", by="portal", now=NOW)
    assert control.progress.release(run.id, 1, now=NOW) == []
    assert len(control.progress.resume(run.id, by="account:ann", now=NOW) or []) == 4
    assert control.runs.run(run.id).wave == 1


def test_cancelling_a_halted_run_ends_it(control: Control) -> None:
    run = planned(control, *TEN, waves=["1", "100%"])
    control.progress.halt(run.id, "no", by="portal", now=NOW)
    assert len(control.deadlines.cancel(run.id, by="account:ann", now=NOW)[0]) == 10
    assert control.progress.end(run.id, now=NOW)
    assert control.runs.run(run.id).state == "ended"


def test_a_run_ends_once_and_with_its_counts(control: Control) -> None:
    run = planned(control, *TEN[:2])
    finish(control, run.id, TEN[0])
    assert not control.progress.end(run.id, now=NOW)
    assert control.progress.unended() == [run.id]
    finish(control, run.id, TEN[1], outcome=BAD)
    assert control.progress.end(run.id, now=NOW + 5)
    assert not control.progress.end(run.id, now=NOW + 6)
    ended = control.runs.run(run.id)
    assert (ended.state, ended.ended_at) == ("ended", NOW + 5)
    [entry] = [entry for entry in control.audit.latest(100) if entry.action == "run.ended"]
    assert entry.detail == {"counts": {"success": 1, "failure": 1}}
    assert control.progress.unended() == []
    assert not control.progress.halt(run.id, "late", by="portal", now=NOW)
    assert control.progress.resume(run.id, by="portal", now=NOW) is None


def test_unknown_runs(control: Control) -> None:
    with pytest.raises(NotFoundError):
        control.progress.standing("none")
    with pytest.raises(NotFoundError):
        control.progress.end("none", now=NOW)
    with pytest.raises(NotFoundError):
        control.progress.halt("none", "x", by="portal", now=NOW)
    with pytest.raises(NotFoundError):
        control.progress.resume("none", by="portal", now=NOW)


def test_devices_join_a_run_that_follows(control: Control) -> None:
    run = planned(control, "a", mode="follow", changes={"target_text": "devices"})
    finish(control, run.id, "a")
    assert not control.progress.end(run.id, now=NOW + SECOND)  # others may join until it expires
    assert control.progress.join(run.id, ["a", "b"], now=NOW) == ["b"]
    assert control.progress.join(run.id, ["a", "b"], now=NOW) == []
    assert control.progress.join(run.id, ["b"], now=NOW) == []  # nobody is removed
    followed = control.runs.run(run.id)
    assert followed.device_count == 2
    assert followed.digest == ask(control, "a", "b").digest
    finish(control, run.id, "b")
    assert control.progress.join(run.id, ["c"], now=NOW + HOUR) == []
    assert control.progress.end(run.id, now=NOW + HOUR)


def test_who_joins_is_in_the_last_wave(control: Control) -> None:
    run = planned(control, "a", "b", mode="follow", waves=["1", "100%"])
    assert control.progress.join(run.id, ["c"], now=NOW) == ["c"]
    assert len(fetchable(control, ("a", "b", "c"))) == 1
    finish(control, run.id, *fetchable(control, ("a", "b")))
    assert len(control.progress.release(run.id, 1, now=NOW)) == 2
    control.progress.join(run.id, ["d"], now=NOW)
    assert "d" in fetchable(control, ("d",))


def test_a_frozen_or_halted_run_takes_nobody(control: Control) -> None:
    frozen = planned(control, "a")
    assert control.progress.join(frozen.id, ["b"], now=NOW) == []
    halted = planned(control, "a", mode="follow")
    control.progress.halt(halted.id, "x", by="portal", now=NOW)
    assert control.progress.join(halted.id, ["b"], now=NOW) == []


@pytest.mark.parametrize("limits", [{"devices": 3}, {"preview": 2, "growth": 50}])
def test_limits_hold_for_those_who_join(control: Control, limits: dict[str, int]) -> None:
    run = planned(control, "a", mode="follow", limits=limits)
    assert control.progress.join(run.id, ["b", "c", "d", "e"], now=NOW) == ["b", "c"]
    assert control.progress.join(run.id, ["d", "e"], now=NOW) == []
    full = control.runs.run(run.id)
    assert (full.state, full.state_detail) == (
        "running",
        "2 more devices are meant, but the run takes at most 3; begin another run for them",
    )
    assert audited(control, run.id) == ["run.joined", "run.full", "run.created"]


def test_a_cancelled_run_follows_nobody(control: Control) -> None:
    run = planned(control, "a", mode="follow")
    control.deadlines.cancel(run.id, by="account:ann", now=NOW + SECOND)
    assert control.progress.join(run.id, ["b"], now=NOW + SECOND) == []
    assert control.progress.end(run.id, now=NOW + SECOND)


# --- webhooks ----------------------------------------------------------------------------------
def hook(control: Control, *events: str, name: str = "hook-1") -> str:
    return control.webhooks.create(name, "https://x.test/", events, b"sealed", by="account:ann", now=NOW).id


def told(control: Control, webhook: str) -> list[str]:
    return [delivery.event for delivery in control.webhooks.deliveries(webhook)][::-1]


def test_webhooks_are_told_of_what_they_asked_for(control: Control) -> None:
    everything, ends = hook(control, "run.ended", "run.failed", "run.halted"), hook(control, "run.ended", name="hook-2")
    good, bad = planned(control, "a"), planned(control, "b")
    finish(control, good.id, "a")
    control.progress.end(good.id, now=NOW)
    control.progress.halt(bad.id, "why", by="portal", now=NOW)
    control.progress.resume(bad.id, by="portal", now=NOW)
    finish(control, bad.id, "b", outcome=BAD)
    control.progress.end(bad.id, now=NOW)
    assert sorted(told(control, everything)) == ["run.ended", "run.ended", "run.failed", "run.halted"]
    assert told(control, ends) == ["run.ended", "run.ended"]
    [failed] = [delivery for delivery in control.webhooks.deliveries(everything) if delivery.event == "run.failed"]
    body = json.loads(failed.body)
    assert (body["id"], body["event"], body["time"]) == (failed.id, "run.failed", "2026-01-01T00:00:00.000Z")
    assert (body["run"]["id"], body["run"]["state"], body["run"]["counts"]) == (bad.id, "ended", {"failure": 1})
    assert "parameters" not in body["run"]


@pytest.mark.parametrize(("state", "failed"), [("success", 0), ("cancelled", 0), ("interrupted", 1), ("no_script", 1)])
def test_what_counts_as_a_failed_run(control: Control, state: str, failed: int) -> None:
    webhook, run = hook(control, "run.failed"), planned(control, "a")
    control.dispatch.claim_work("a", now=NOW)
    control.dispatch.record_finished(run.id, "a", 1, Outcome(State(state)), now=NOW)
    control.progress.end(run.id, now=NOW)
    assert len(told(control, webhook)) == failed


def test_a_delivery_is_tried_for_a_day_with_growing_pauses(control: Control) -> None:
    webhook, run = hook(control, "run.halted"), planned(control, "a")
    control.progress.halt(run.id, "x", by="portal", now=NOW)
    now, pauses = NOW, []
    while due := control.webhooks.due(now=now):
        control.webhooks.failed(due[0], "no answer", now=now)
        [waiting] = control.webhooks.deliveries(webhook)
        if waiting.next_at is None:
            break
        assert control.webhooks.due(now=waiting.next_at - 1) == []
        pauses.append((waiting.next_at - now) // SECOND)
        now = waiting.next_at
    assert pauses[:4] == [10, 20, 40, 80]
    assert max(pauses) == 3600
    assert now <= NOW + GIVEN_UP < now + HOUR
    assert (waiting.error or "").startswith("given up after")


def test_a_delivery_that_was_taken_is_over(control: Control) -> None:
    webhook, run = hook(control, "run.halted"), planned(control, "a")
    control.progress.halt(run.id, "x", by="portal", now=NOW)
    [due] = control.webhooks.due(now=NOW)
    control.webhooks.delivered(due.id, now=NOW + 1)
    assert control.webhooks.due(now=NOW + HOUR) == []
    [kept] = control.webhooks.deliveries(webhook)
    assert (kept.delivered_at, kept.tries) == (NOW + 1, 1)


def test_a_deleted_webhook_is_told_nothing_more(control: Control) -> None:
    webhook, run = hook(control, "run.halted"), planned(control, "a")
    control.progress.halt(run.id, "x", by="portal", now=NOW)
    [due] = control.webhooks.due(now=NOW)
    control.webhooks.delete(webhook, by="account:ann", now=NOW)
    control.webhooks.failed(due, "no answer", now=NOW)
    assert control.webhooks.due(now=NOW + HOUR) == []
    assert control.webhooks.everything() == []
    with pytest.raises(NotFoundError):
        control.webhooks.delete(webhook, by="account:ann", now=NOW)


@pytest.mark.slow
def test_what_waits_for_one_webhook_is_bounded(control: Control) -> None:
    webhook, run = hook(control, "run.halted"), planned(control, "a")

    def many(connection: Connection) -> None:
        for _ in range(MOST_WAITING):
            put(connection, "run.halted", {"id": run.id}, now=NOW)

    control._database.write(many)
    control.progress.halt(run.id, "x", by="portal", now=NOW + SECOND)
    assert len(control.webhooks.due(now=NOW + HOUR, limit=5000)) == MOST_WAITING
    assert len(control.webhooks.due(now=NOW + HOUR, limit=3)) == 3
    assert "waiting for this webhook already" in (control.webhooks.deliveries(webhook)[0].error or "")


def test_there_is_a_bounded_number_of_webhooks(control: Control) -> None:
    for number in range(50):
        hook(control, "run.ended", name=f"hook-{number}")
    with pytest.raises(RefusedError, match="delete one first"):
        hook(control, "run.ended", name="one more")


def test_who_goes_on_from_a_position_misses_no_change(control: Control) -> None:
    before = control.executions.position()
    run = planned(control, *TEN, mode="follow")
    other = planned(control, "elsewhere")
    at = control.executions.position()
    assert control.executions.changed_after(run.id, at, 100) == (at, [], False)
    for device in TEN[:6]:
        finish(control, run.id, device)
    control.progress.join(run.id, ["late"], now=NOW)
    finish(control, other.id, "elsewhere")
    position, devices, more = control.executions.changed_after(run.id, before, 1000)
    assert (set(devices), more) == ({*TEN[:6], "late"}, False)
    assert position == control.executions.position()
    seen: set[str] = set()
    place, more = at, True
    while more:  # in pieces
        place, some, more = control.executions.changed_after(run.id, place, 3)
        seen |= set(some)
    assert (seen, place) == (set(devices), position)
    assert control.executions.changed_after(run.id, position, 3) == (position, [], False)
    pages = [control.executions.of_run(run.id, limit=4, after=after) for after in (None, "pc-2", "pc-6")]
    assert [[one.device for one in page] for page in pages] == [
        ["late", "pc-0", "pc-1", "pc-2"],
        ["pc-3", "pc-4", "pc-5", "pc-6"],
        ["pc-7", "pc-8", "pc-9"],
    ]
    many = ["pc-3", *(f"other-{number}" for number in range(40_000))]
    assert [one.device for one in control.executions.of_run(run.id, devices=many)] == ["pc-3"]
