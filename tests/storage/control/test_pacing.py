"""When executions begin and begin again: retries, once in a while, maintenance windows, progress; and what a look-up
costs.

Comes in: an empty control database. Goes out: nothing. Invariant: a device does what a real one does, through
`dispatch`; time moves only where a test says so.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from storage.control.api import Control
from storage.control.dispatch import GRACE, Recorded, _claimable
from storage.control.errors import RefusedError
from storage.control.execution_rows import ROWS
from storage.control.executions import wide
from storage.control.outcomes import Outcome
from storage.control.plans import Plan
from storage.control.runs import Run, RunRequest
from storage.control.states import FINAL, NEXT, State
from tests.storage.control.conftest import HOUR, NOW, SECOND, ask, manifest, on_sqlite

GOOD, BAD, CUT = Outcome(State.SUCCESS, 0), Outcome(State.FAILURE, 3, error="boom"), Outcome(State.INTERRUPTED)
THRICE = {"retries": {"attempts": 3, "backoff": 60}}


def planned(control: Control, *devices: str, now: Any = NOW, **parts: Any) -> Run:
    return ask(control, *devices, now=now, plan=msgspec.convert(parts, Plan))


def attempt(control: Control, run: str, number: int, outcome: Outcome, now: int) -> Recorded:
    """The device fetches the order, starts it, and says how it ended."""
    [order] = control.dispatch.claim_work("a", now=now)
    assert (order.run, order.attempt) == (run, number)
    control.dispatch.record_started(run, "a", number, started_at=now, now=now)
    return control.dispatch.record_finished(run, "a", number, outcome, now=now)


def finals(control: Control) -> list[str]:
    return [message.row["status"] for message in control.outbox.after(0) if message.table == ROWS]


# --- retries -----------------------------------------------------------------------------------
def test_a_failure_is_tried_again_until_attempts_are_used_up(control: Control) -> None:
    run, now, nonces = planned(control, "a", **THRICE), NOW, set()
    for number, pause in ((1, 60), (2, 120)):
        assert attempt(control, run.id, number, BAD, now) is Recorded.ACCEPTED
        waiting = control.executions.execution(run.id, "a")
        assert (waiting.state, waiting.attempt) == (State.WAITING_ON_DEVICE, number + 1)
        assert (waiting.open_from, waiting.started_at) == (now + pause * SECOND, None)
        assert waiting.detail == f"attempt {number} of 3 ended with failure"
        nonces.add(waiting.nonce)
        assert finals(control) == []
        assert control.dispatch.claim_work("a", now=now + pause * SECOND - 1) == []
        assert control.dispatch.opened(now, now + pause * SECOND) == {"a"}
        now += pause * SECOND
    assert attempt(control, run.id, 3, BAD, now) is Recorded.ACCEPTED
    assert (control.executions.execution(run.id, "a").state, len(nonces)) == (State.FAILURE, 2)
    assert finals(control) == ["failure"]
    kept = control.executions.history(run.id, "a")
    assert [(item["kind"], item["attempt"], item["body"]["exit_code"], item["body"]["error"]) for item in kept] == [
        ("retried", 1, 3, "boom"),
        ("retried", 2, 3, "boom"),
    ]


def test_a_success_at_the_second_try_is_the_end(control: Control) -> None:
    run = planned(control, "a", **THRICE)
    attempt(control, run.id, 1, BAD, NOW)
    attempt(control, run.id, 2, GOOD, NOW + 60 * SECOND)
    assert finals(control) == ["success"]


def test_reports_of_a_failed_attempt_that_come_again_change_nothing(control: Control) -> None:
    run = planned(control, "a", **THRICE)
    attempt(control, run.id, 1, BAD, NOW)
    again = [
        control.dispatch.record_started(run.id, "a", 1, started_at=NOW, now=NOW),
        control.dispatch.record_finished(run.id, "a", 1, BAD, now=NOW),
        control.dispatch.record_finished(run.id, "a", 1, GOOD, now=NOW),
    ]
    assert again == [Recorded.DUPLICATE, Recorded.DUPLICATE, Recorded.STALE]
    with pytest.raises(RefusedError, match="never handed"):
        control.dispatch.record_finished(run.id, "a", 2, GOOD, now=NOW)
    assert {item["kind"] for item in control.executions.history(run.id, "a")} == {"retried", "older_attempt"}
    attempt(control, run.id, 2, GOOD, NOW + 60 * SECOND)


def test_a_device_that_holds_the_old_attempt_gets_the_new_one(control: Control) -> None:
    run = planned(control, "a", **THRICE)
    attempt(control, run.id, 1, BAD, NOW)
    later = NOW + 60 * SECOND
    [order] = control.dispatch.claim_work("a", now=later, held=[(run.id, 1)])
    assert order.attempt == 2
    assert control.dispatch.claim_work("a", now=later, held=[(run.id, 2)]) == []


@pytest.mark.parametrize(("idempotent", "state"), [(False, "interrupted"), (True, "waiting_on_device")])
def test_only_what_may_be_repeated_is_tried_again_after_an_interruption(
    control: Control, idempotent: bool, state: str
) -> None:
    said = manifest(nql_id="#fix", **({"idempotent": True} if idempotent else {}))
    control.actions.save_action(said, by="account:ann", now=NOW)
    request = RunRequest("#fix", ("a",), "ann", NOW + HOUR, plan=msgspec.convert(THRICE, Plan))
    run, _ = control.create_run(request, now=NOW)
    attempt(control, run.id, 1, CUT, NOW)
    assert control.executions.execution(run.id, "a").state == state


@pytest.mark.parametrize("state", sorted(FINAL - {State.FAILURE, State.INTERRUPTED}))
def test_other_ends_are_ends(control: Control, state: State) -> None:
    run = planned(control, "a", **THRICE)
    control.dispatch.claim_work("a", now=NOW)
    control.dispatch.record_finished(run.id, "a", 1, Outcome(state), now=NOW)
    assert finals(control) == [state.value]


def test_there_is_no_retry_after_expiry_cancel_or_the_end_of_the_run(control: Control) -> None:
    late = planned(control, "a", **THRICE)
    attempt(control, late.id, 1, BAD, NOW + HOUR - 30 * SECOND)
    asked = planned(control, "a", **THRICE)
    control.dispatch.claim_work("a", now=NOW)
    control.deadlines.cancel(asked.id, "a", by="account:ann", now=NOW)
    control.dispatch.record_finished(asked.id, "a", 1, BAD, now=NOW)
    ended = planned(control, "a", **THRICE)
    control.dispatch.claim_work("a", now=NOW)
    control.dispatch.record_started(ended.id, "a", 1, started_at=NOW, now=NOW)
    lost = NOW + 60 * SECOND + GRACE
    control.deadlines.overdue(now=lost)
    assert control.progress.end(ended.id, now=lost)
    control.dispatch.record_finished(ended.id, "a", 1, BAD, now=lost)
    assert finals(control) == ["failure"] * 3


def test_a_lost_contact_that_failed_is_tried_again_while_its_run_is_open(control: Control) -> None:
    run = planned(control, "a", "b", **THRICE)
    control.dispatch.claim_work("a", now=NOW)
    control.dispatch.record_started(run.id, "a", 1, started_at=NOW, now=NOW)
    lost = NOW + 60 * SECOND + GRACE
    control.deadlines.overdue(now=lost)
    assert control.dispatch.record_finished(run.id, "a", 1, BAD, now=lost) is Recorded.ACCEPTED
    attempt(control, run.id, 2, GOOD, lost + 60 * SECOND)
    assert finals(control) == ["success"]


def test_a_retry_that_is_never_fetched_expires_and_says_what_was_before(control: Control) -> None:
    run = planned(control, "a", **THRICE)
    attempt(control, run.id, 1, BAD, NOW)
    control.deadlines.tick(now=NOW + HOUR)
    ended = control.executions.execution(run.id, "a")
    assert (ended.state, ended.detail) == (
        State.EXPIRED,
        "attempt 1 of 3 ended with failure; attempt 2 did not begin in time",
    )


def test_the_retry_of_a_halted_run_waits_until_it_is_resumed(control: Control) -> None:
    run = planned(control, "a", **THRICE)
    control.dispatch.claim_work("a", now=NOW)
    control.progress.halt(run.id, "x", by="portal", now=NOW)
    control.dispatch.record_finished(run.id, "a", 1, BAD, now=NOW)
    assert control.dispatch.claim_work("a", now=NOW + 90 * SECOND) == []
    control.progress.resume(run.id, by="portal", now=NOW + 90 * SECOND)
    attempt(control, run.id, 2, GOOD, NOW + 90 * SECOND)


# --- once in a while ---------------------------------------------------------------------------
def test_a_device_that_ran_the_action_is_left_out_and_counted(control: Control) -> None:
    first = planned(control, "a")
    attempt(control, first.id, 1, BAD, NOW)
    later = planned(control, "a", "b", now=NOW + 60 * SECOND, once_every=600)
    assert (later.device_count, later.skipped) == (1, 1)
    assert [item.device for item in control.executions.of_run(later.id)] == ["b"]
    with pytest.raises(RefusedError, match=r"all of 1 device ran #clear_cache not long ago \(in the last 0:10:00\)"):
        planned(control, "a", now=NOW + 60 * SECOND, once_every=600)
    assert planned(control, "a", now=NOW + 600 * SECOND, once_every=600).skipped == 0


def test_what_another_run_began_meanwhile_cancels_the_execution(control: Control) -> None:
    waiting = planned(control, "a", once_every=600)
    other = planned(control, "a", now=NOW + 1)
    orders = control.dispatch.claim_work("a", now=NOW + 2, limit=1)
    assert [order.run for order in orders] == [waiting.id]  # it comes first, and nothing ran before
    control.dispatch.record_finished(waiting.id, "a", 1, GOOD, now=NOW + 3)
    attempt(control, other.id, 1, GOOD, NOW + 4)
    third = planned(control, "b", "a", now=NOW + 700 * SECOND, once_every=60)
    fourth = planned(control, "a", now=NOW + 700 * SECOND + 1)
    control.progress.halt(third.id, "x", by="portal", now=NOW + 700 * SECOND)
    attempt(control, fourth.id, 1, GOOD, NOW + 701 * SECOND)
    control.progress.resume(third.id, by="portal", now=NOW + 702 * SECOND)
    assert control.dispatch.claim_work("a", now=NOW + 702 * SECOND) == []
    ended = control.executions.execution(third.id, "a")
    assert (ended.state, ended.detail) == (
        State.CANCELLED,
        "another run began this action on the device less than 60 s ago",
    )


def test_two_runs_fetched_at_once_are_one(control: Control) -> None:
    runs = [planned(control, "a", now=NOW + number, once_every=600) for number in range(2)]
    orders = control.dispatch.claim_work("a", now=NOW + 5)
    assert [order.run for order in orders] == [runs[0].id]
    assert control.executions.execution(runs[1].id, "a").state is State.CANCELLED


def test_an_attempt_counts_although_the_next_one_never_began(control: Control) -> None:
    first = planned(control, "a", retries={"attempts": 2, "backoff": 60})
    attempt(control, first.id, 1, BAD, NOW)
    control.deadlines.cancel(first.id, by="account:ann", now=NOW + SECOND)
    assert control.executions.execution(first.id, "a").state is State.CANCELLED
    with pytest.raises(RefusedError, match="ran #clear_cache"):
        planned(control, "a", now=NOW + 60 * SECOND, once_every=600)
    assert planned(control, "a", now=NOW + 700 * SECOND, once_every=600).skipped == 0


def test_a_start_that_was_never_told_of_may_have_been(control: Control) -> None:
    first = planned(control, "a")
    assert control.dispatch.claim_work("a", now=NOW)
    control.dispatch.record_finished(first.id, "a", 1, Outcome(State.INTERRUPTED), now=NOW + 50 * SECOND)
    with pytest.raises(RefusedError, match="ran #clear_cache"):
        planned(control, "a", now=NOW + 60 * SECOND, once_every=600)
    assert planned(control, "a", now=NOW + 700 * SECOND, once_every=600).skipped == 0


def test_another_action_does_not_count(control: Control) -> None:
    attempt(control, planned(control, "a").id, 1, GOOD, NOW)
    control.actions.save_action(manifest(nql_id="#other"), by="account:ann", now=NOW)
    request = RunRequest("#other", ("a",), "ann", NOW + HOUR, plan=Plan(once_every=600))
    assert control.create_run(request, now=NOW)[0].skipped == 0


# --- windows -----------------------------------------------------------------------------------
NIGHT = {"window": {"days": ["thu"], "from": "00:30", "to": "00:40"}}  # NOW is a Thursday, midnight in UTC
MINUTE = 60 * SECOND


def test_orders_are_fetched_only_while_the_window_is_open(control: Control) -> None:
    run = planned(control, "a", **NIGHT)
    assert control.executions.execution(run.id, "a").open_from == NOW + 30 * MINUTE
    assert control.dispatch.claim_work("a", now=NOW + 29 * MINUTE) == []
    assert control.dispatch.opened(NOW + 29 * MINUTE, NOW + 30 * MINUTE) == {"a"}
    [order] = control.dispatch.claim_work("a", now=NOW + 30 * MINUTE)
    assert order.run == run.id
    again = control.dispatch.claim_work("a", now=NOW + 41 * MINUTE)  # handed out in time: it may come again
    assert [item.nonce for item in again] == [order.nonce]


def test_a_window_that_closed_puts_the_order_off_and_others_pass_it(control: Control) -> None:
    run = planned(control, "a", **NIGHT)
    other = planned(control, "a", now=NOW + 1)
    orders = control.dispatch.claim_work("a", now=NOW + 45 * MINUTE, limit=1)
    assert [order.run for order in orders] == [other.id]
    week = 7 * 24 * HOUR
    assert control.executions.execution(run.id, "a").open_from == NOW + week + 30 * MINUTE


def test_a_retry_waits_for_the_window(control: Control) -> None:
    plan = NIGHT | {"retries": {"attempts": 2, "backoff": 900}}
    control.actions.save_action(manifest(), by="account:ann", now=NOW)
    request = RunRequest("#clear_cache", ("a",), "ann", NOW + 10 * 24 * HOUR, plan=msgspec.convert(plan, Plan))
    run, _ = control.create_run(request, now=NOW)
    attempt(control, run.id, 1, BAD, NOW + 30 * MINUTE)
    assert control.executions.execution(run.id, "a").open_from == NOW + 7 * 24 * HOUR + 30 * MINUTE


# --- progress ----------------------------------------------------------------------------------
def test_a_script_that_waits_for_its_user_and_goes_on(control: Control) -> None:
    run = planned(control, "a")
    control.dispatch.claim_work("a", now=NOW)
    control.dispatch.record_started(run.id, "a", 1, started_at=NOW, now=NOW)

    def progress(state: State, at: int) -> Recorded:
        return control.dispatch.record_progress(run.id, "a", 1, state, changed_at=at, now=NOW + at)

    assert progress(State.WAITING_ON_USER, 10) is Recorded.ACCEPTED
    assert control.executions.execution(run.id, "a").state is State.WAITING_ON_USER
    assert progress(State.WAITING_ON_USER, 10) is Recorded.DUPLICATE
    assert progress(State.IN_PROGRESS, 5) is Recorded.DUPLICATE  # said before, come late
    assert progress(State.IN_PROGRESS, 20) is Recorded.ACCEPTED
    assert control.executions.execution(run.id, "a").state is State.IN_PROGRESS
    assert control.dispatch.record_finished(run.id, "a", 1, GOOD, now=NOW + 30) is Recorded.ACCEPTED
    assert progress(State.WAITING_ON_USER, 40) is Recorded.STALE
    with pytest.raises(RefusedError, match="not how a running script stands"):
        progress(State.SUCCESS, 50)


def test_progress_is_a_sign_of_life_also_where_the_start_was_not_heard_of(control: Control) -> None:
    run = planned(control, "a")
    control.dispatch.claim_work("a", now=NOW)
    control.dispatch.record_progress(run.id, "a", 1, State.WAITING_ON_USER, changed_at=NOW, now=NOW)
    waiting = control.executions.execution(run.id, "a")
    assert (waiting.state, waiting.started_at, waiting.deadline) == (
        State.WAITING_ON_USER,
        NOW,
        NOW + 60 * SECOND + GRACE,
    )
    control.dispatch.record_progress(run.id, "a", 1, State.IN_PROGRESS, changed_at=NOW + 1, now=NOW + 50 * SECOND)
    assert control.executions.execution(run.id, "a").deadline == NOW + 110 * SECOND + GRACE


def test_waiting_for_the_user_takes_nothing_from_the_scripts_time(control: Control) -> None:
    run = planned(control, "a")
    control.dispatch.claim_work("a", now=NOW)
    control.dispatch.record_started(run.id, "a", 1, started_at=NOW, now=NOW)

    def deadline(state: State, at: int, until: int | None = None) -> int | None:
        control.dispatch.record_progress(run.id, "a", 1, state, changed_at=at, now=NOW + at, until=until)
        return control.executions.execution(run.id, "a").deadline

    allowed = NOW + 60 * SECOND + GRACE
    assert deadline(State.WAITING_ON_USER, 10, 10 + HOUR) == allowed + 10 + HOUR
    assert deadline(State.IN_PROGRESS, 20 * MINUTE) == allowed + 20 * MINUTE
    assert deadline(State.WAITING_ON_USER, HOUR, 400 * 24 * HOUR) == allowed + 25 * HOUR  # no device waits for longer
    assert deadline(State.IN_PROGRESS, 2 * HOUR, 3 * HOUR - 1) is not None
    assert deadline(State.WAITING_ON_USER, 3 * HOUR, 5) == allowed + 3 * HOUR  # a time before its own is none
    control.deadlines.tick(now=allowed + 3 * HOUR)
    assert control.executions.execution(run.id, "a").state is State.LOST_CONTACT


def test_an_end_that_cannot_follow_is_refused(control: Control) -> None:
    run = planned(control, "a")
    control.dispatch.claim_work("a", now=NOW)
    control.dispatch.record_started(run.id, "a", 1, started_at=NOW, now=NOW)
    with pytest.raises(RefusedError, match="what is in_progress does not become expired"):
        control.dispatch.record_finished(run.id, "a", 1, Outcome(State.EXPIRED), now=NOW)


def test_every_state_can_be_reached_and_left() -> None:
    reached = {State.WAITING_ON_DEVICE}.union(*NEXT.values())
    assert reached == set(State) == set(NEXT)
    assert {state for state in State if not NEXT[state]} == FINAL


# --- the price of a look-up --------------------------------------------------------------------
@on_sqlite
def test_looking_for_work_goes_by_the_device_alone(control: Control) -> None:
    query = wide().where(*_claimable(False)).limit(2).params(of_device="a", now=NOW, apart='["r 1"]')
    with control._database.read() as connection:
        compiled = query.compile(connection.engine, compile_kwargs={"literal_binds": True})
        steps = [row.detail for row in connection.execute(text(f"EXPLAIN QUERY PLAN {compiled}"))]
    assert any("USING INDEX ix_executions_device (device=? AND state=?)" in step for step in steps), steps
    assert not any(step.startswith("SCAN ") and "VIRTUAL TABLE" not in step for step in steps), steps


@on_sqlite
def test_what_opens_now_is_found_by_its_instant(control: Control) -> None:
    asked = "SELECT device, state FROM executions WHERE open_from > 0 AND open_from > 5 AND open_from <= 9"
    with control._database.read() as connection:
        [step] = [row.detail for row in connection.execute(text(f"EXPLAIN QUERY PLAN {asked}"))]
    assert "ix_executions_open_from" in step


def test_who_was_told_when_a_run_began_is_not_told_again_as_its_window_opens(control: Control) -> None:
    planned(control, "a", now=NOW)
    assert control.dispatch.opened(NOW - MINUTE, NOW + MINUTE) == set()
    assert control.dispatch.waiting_devices(now=NOW) == {"a"}  # if it did not hear, the repair tells it again
