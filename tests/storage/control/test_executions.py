"""The run state machine: what devices report, what time does, and that nothing counts twice."""

from __future__ import annotations

from typing import Any

import pytest

from storage.control.api import Control
from storage.control.deadlines import SETTLED, START_GRACE
from storage.control.dispatch import GRACE, LEASE, Recorded
from storage.control.errors import ConflictError, NotFoundError, RefusedError
from storage.control.executions import Change
from storage.control.outcomes import Outcome
from storage.control.records import digest_of_devices
from storage.control.states import State
from tests.storage.control.conftest import HOUR, NOW, SECOND, ask, manifest

GOOD = Outcome(State.SUCCESS, 0, {"freed": 10, "files": 2}, started_at=NOW + SECOND, finished_at=NOW + 3 * SECOND)


def state(control: Control, run: str, device: str) -> str:
    return control.executions.execution(run, device).state.value


def finals(control: Control) -> list[tuple[str, str]]:
    rows = [message.row for message in control.outbox.after(0) if message.table == "remote_action.executions"]
    return [(row["@device"], row["status"]) for row in rows]


def test_the_whole_way(control: Control) -> None:
    changes: list[Change] = []
    control.listen(changes.append)
    run = ask(control, "a", "b")
    assert (run.device_count, run.digest, run.target_kind) == (2, digest_of_devices(["b", "a"]), "devices")
    [order] = control.dispatch.claim_work("a", now=NOW)
    assert (order.run, order.parameters, order.timeout, order.attempt) == (run.id, {"path": "/tmp"}, 60 * SECOND, 1)
    assert (
        control.dispatch.record_started(run.id, "a", 1, started_at=NOW + SECOND, now=NOW + 2 * SECOND)
        is Recorded.ACCEPTED
    )
    assert control.dispatch.record_finished(run.id, "a", 1, GOOD, now=NOW + 4 * SECOND) is Recorded.ACCEPTED
    done = control.executions.execution(run.id, "a")
    assert (done.state, done.outputs, done.duration, done.exit_code) == (
        "success",
        {"freed": 10.0, "files": 2},
        2 * SECOND,
        0,
    )
    assert control.executions.counts(run.id) == {run.id: {"success": 1, "waiting_on_device": 1}}
    assert [(c.device, c.state.value) for c in changes] == [
        ("a", "waiting_on_device"), ("b", "waiting_on_device"), ("a", "in_progress"), ("a", "success"),
    ]  # fmt: skip
    kinds = [entry.action for entry in control.audit.latest(subject=f"run:{run.id}")]
    assert kinds == ["execution.success", "execution.in_progress", "execution.claimed", "run.created"]


def test_a_report_counts_once(control: Control) -> None:
    run = ask(control, "a")
    control.dispatch.claim_work("a", now=NOW)
    control.dispatch.record_started(run.id, "a", 1, started_at=NOW, now=NOW)
    assert control.dispatch.record_started(run.id, "a", 1, started_at=NOW, now=NOW) is Recorded.DUPLICATE
    control.dispatch.record_finished(run.id, "a", 1, GOOD, now=NOW)
    assert control.dispatch.record_finished(run.id, "a", 1, GOOD, now=NOW) is Recorded.DUPLICATE
    other = Outcome(State.FAILURE, 1)
    assert control.dispatch.record_finished(run.id, "a", 1, other, now=NOW) is Recorded.DUPLICATE
    assert control.dispatch.record_started(run.id, "a", 1, started_at=NOW, now=NOW) is Recorded.DUPLICATE
    assert state(control, run.id, "a") == "success"
    assert finals(control) == [("a", "success")]
    assert [kept["kind"] for kept in control.executions.history(run.id, "a")] == ["after_the_end"]


def test_history_is_bounded(control: Control) -> None:
    run = ask(control, "a")
    control.dispatch.claim_work("a", now=NOW)
    control.dispatch.record_finished(run.id, "a", 1, GOOD, now=NOW)
    for number in range(40):
        control.dispatch.record_finished(run.id, "a", 1, Outcome(State.FAILURE, number), now=NOW)
    assert len(control.executions.history(run.id, "a")) == 20


def test_what_was_not_ordered_cannot_be_reported(control: Control) -> None:
    run = ask(control, "a")
    for attempt in (1, 2, 0, -1):
        with pytest.raises(RefusedError) as caught:
            control.dispatch.record_finished(run.id, "a", attempt, GOOD, now=NOW)
        assert caught.value.code == "not_ordered"
    with pytest.raises(NotFoundError):
        control.dispatch.record_finished(run.id, "b", 1, GOOD, now=NOW)
    control.dispatch.claim_work("a", now=NOW)
    with pytest.raises(RefusedError) as caught:
        control.dispatch.record_finished(run.id, "a", 1, Outcome(State.LOST_CONTACT), now=NOW)
    assert caught.value.code == "bad_state"
    assert finals(control) == []


def test_leases_and_two_at_once(control: Control) -> None:
    runs = [ask(control, "a", now=NOW + n) for n in range(3)]
    first = control.dispatch.claim_work("a", now=NOW + 10)
    assert [order.run for order in first] == [runs[0].id, runs[1].id]
    assert control.dispatch.claim_work("a", now=NOW + 11, limit=5) != []  # nothing runs yet: the third may go
    assert control.dispatch.claim_work("a", now=NOW + 12) == []
    again = control.dispatch.claim_work("a", now=NOW + 10 + LEASE)
    assert [(order.run, order.attempt, order.nonce) for order in again] == [(o.run, o.attempt, o.nonce) for o in first]
    for order in first:
        control.dispatch.record_started(order.run, "a", 1, started_at=NOW, now=NOW + LEASE)
    assert control.dispatch.claim_work("a", now=NOW + 5 * LEASE) == []
    control.dispatch.record_finished(first[0].run, "a", 1, GOOD, now=NOW + 5 * LEASE)
    assert [order.run for order in control.dispatch.claim_work("a", now=NOW + 5 * LEASE)] == [runs[2].id]


def test_a_lease_does_not_outlive_a_clock_that_was_set_back(control: Control) -> None:
    run = ask(control, "a")
    assert [order.run for order in control.dispatch.claim_work("a", now=NOW)] == [run.id]
    dispatch = control.dispatch
    for now, free in ((NOW, False), (NOW - SECOND, True), (NOW - 24 * HOUR, True)):
        assert dispatch.waiting_devices(now=now) == ({"a"} if free else set())
        assert dispatch.is_waited_for("a", now=now) is free
        assert dispatch.has_work("a", now=now) is free
    back = NOW - 24 * HOUR
    assert [order.run for order in dispatch.claim_work("a", now=back)] == [run.id]
    assert dispatch.claim_work("a", now=back + LEASE - 1) == []  # its lease is of the clock as it is now
    assert not dispatch.is_waited_for("a", now=back + LEASE - 1)
    assert dispatch.record_finished(run.id, "a", 1, GOOD, now=back + SECOND) is Recorded.ACCEPTED


def test_a_device_that_says_what_it_holds_need_not_wait(control: Control) -> None:
    run = ask(control, "a")
    assert [order.run for order in control.dispatch.claim_work("a", now=NOW, held=[])] == [run.id]
    assert [order.run for order in control.dispatch.claim_work("a", now=NOW, held=[])] == [run.id]
    assert control.dispatch.claim_work("a", now=NOW, held=[(run.id, 1)]) == []


def test_people_before_schedules(control: Control) -> None:
    scheduled = ask(control, "a", trigger_method="scheduled")
    manual = ask(control, "a", now=NOW + 1, trigger_method="manual")
    assert [order.run for order in control.dispatch.claim_work("a", now=NOW + 2)] == [manual.id, scheduled.id]


def test_expiry_bounds_the_start(control: Control) -> None:
    run = ask(control, "never", "handed", "running")
    for device in ("handed", "running"):
        control.dispatch.claim_work(device, now=NOW)
    control.dispatch.record_started(run.id, "running", 1, started_at=NOW + HOUR - SECOND, now=NOW + HOUR - SECOND)
    assert control.deadlines.expire(now=NOW + HOUR - 1) == []
    assert [(c.device, c.state.value) for c in control.deadlines.expire(now=NOW + HOUR)] == [("never", "expired")]
    assert [(c.device, c.state.value) for c in control.deadlines.expire(now=NOW + HOUR + START_GRACE)] == [
        ("handed", "lost_contact")
    ]
    assert control.dispatch.claim_work("never", now=NOW + HOUR) == []
    assert state(control, run.id, "running") == "in_progress"
    # the device is asked what became of the order, and says that it never began
    [order] = control.dispatch.claim_work("handed", now=NOW + 2 * HOUR)
    assert order.expires_at == NOW + HOUR
    control.dispatch.record_finished(run.id, "handed", 1, Outcome(State.EXPIRED), now=NOW + 2 * HOUR)
    assert finals(control) == [("never", "expired"), ("handed", "expired")]


def test_lost_contact_is_replaced_once(control: Control) -> None:
    run = ask(control, "a")
    control.dispatch.claim_work("a", now=NOW)
    control.dispatch.record_started(run.id, "a", 1, started_at=NOW, now=NOW)
    assert control.deadlines.overdue(now=NOW + 60 * SECOND + GRACE - 1) == []
    control.deadlines.tick(now=NOW + 60 * SECOND + GRACE)
    assert state(control, run.id, "a") == "lost_contact"
    assert finals(control) == []
    assert control.dispatch.record_finished(run.id, "a", 1, GOOD, now=NOW + HOUR) is Recorded.ACCEPTED
    assert (
        control.dispatch.record_finished(run.id, "a", 1, Outcome(State.FAILURE), now=NOW + HOUR + 1)
        is Recorded.DUPLICATE
    )
    assert finals(control) == [("a", "success")]
    assert [kept["kind"] for kept in control.executions.history(run.id, "a")] == ["replaced", "after_the_end"]


def test_a_contact_lost_for_long_is_the_end(control: Control) -> None:
    run = ask(control, "a")
    control.dispatch.claim_work("a", now=NOW)
    control.dispatch.record_started(run.id, "a", 1, started_at=NOW, now=NOW)
    control.deadlines.tick(now=NOW + HOUR)
    control.deadlines.tick(now=NOW + HOUR + SETTLED)
    control.deadlines.tick(now=NOW + 2 * HOUR + SETTLED)
    assert finals(control) == [("a", "lost_contact")]
    assert control.dispatch.record_finished(run.id, "a", 1, GOOD, now=NOW + 2 * SETTLED) is Recorded.STALE
    assert finals(control) == [("a", "lost_contact")]
    assert control.executions.rows_after(10**9) == []


def test_cancel_is_asked_and_answered(control: Control) -> None:
    run = ask(control, "a", "b")
    control.dispatch.claim_work("a", now=NOW)
    changes, asked = control.deadlines.cancel(run.id, by="account:ann", now=NOW + 1)
    assert ([c.device for c in changes], asked) == (["b"], ["a"])
    assert state(control, run.id, "a") == "waiting_on_device"
    [cancel] = control.dispatch.cancellations("a")
    assert (cancel.run, cancel.attempt) == (run.id, 1)
    control.dispatch.record_finished(run.id, "a", 1, Outcome(State.CANCELLED), now=NOW + 2)
    assert control.dispatch.cancellations("a") == []
    assert sorted(finals(control)) == [("a", "cancelled"), ("b", "cancelled")]
    assert control.deadlines.cancel(run.id, by="account:ann", now=NOW + 3) == ([], [])


def test_device_clocks_do_not_move_ours(control: Control) -> None:
    run = ask(control, "a")
    control.dispatch.claim_work("a", now=NOW)
    decade = 10 * 365 * 24 * HOUR
    control.dispatch.record_started(run.id, "a", 1, started_at=NOW + decade, now=NOW + 5)
    wrong = Outcome(State.SUCCESS, 0, started_at=NOW - decade, finished_at=NOW - decade + 7)
    control.dispatch.record_finished(run.id, "a", 1, wrong, now=NOW + 9)
    done = control.executions.execution(run.id, "a")
    assert (done.started_at, done.finished_at, done.duration) == (NOW + 5, NOW + 5, 7)


def test_wrong_outputs_are_left_out_and_said(control: Control) -> None:
    run = ask(control, "a")
    control.dispatch.claim_work("a", now=NOW)
    outputs = {"freed": "much", "files": True, "extra": 1}
    control.dispatch.record_finished(run.id, "a", 1, Outcome(State.SUCCESS, 0, outputs), now=NOW)
    done = control.executions.execution(run.id, "a")
    assert (done.state, done.outputs) == ("success", {})
    assert done.detail == "output freed is no size; output files is no uint32; output 'extra' is not declared"


def test_rows_for_the_tables(control: Control) -> None:
    run = ask(control, "a", "b")
    control.dispatch.claim_work("a", now=NOW)
    control.dispatch.record_finished(run.id, "a", 1, GOOD, now=NOW + 7)
    control.outbox.mark(0, now=NOW)
    rows = {row["@device"]: row for row in control.executions.rows_after(0)}
    assert rows["b"] | {"execution_id": ""} == {
        "@device": "b",
        "@remote_action": "#clear_cache",
        "time": NOW,
        "request_time": NOW,
        "request_id": run.id,
        "execution_id": "",
        "status": "waiting_on_device",
        "status_details": None,
        "outputs": [],
        "inputs": [{"name": "path", "text": "/tmp"}],
        "trigger_method": "api",
        "internal_source": None,
        "external_source": None,
        "external_reference": None,
        "trigger_reason": None,
        "purpose": "data_collection",
        "number_of_executions": 1,
        "triggered_by": "ann",
        "duration": None,
    }
    assert rows["a"]["outputs"] == [{"name": "files", "number": 2}, {"name": "freed", "real": 10.0}]
    last = control.outbox.after(0)[-1].sequence
    assert [row["@device"] for row in control.executions.rows_after(last)] == ["b"]


def test_an_idempotency_key_gives_the_same_run(control: Control) -> None:
    first = ask(control, "a", idempotency_key="k")
    assert ask(control, "a", now=NOW + 5, idempotency_key="k").id == first.id
    with pytest.raises(ConflictError):
        ask(control, "b", idempotency_key="k")
    assert ask(control, "b", idempotency_key="k", requested_by="bob").id != first.id


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"devices": ()}, "no_devices"),
        ({"devices": tuple(map(str, range(200_001)))}, "too_many_devices"),
        ({"expires_at": NOW}, "expired"),
        ({"parameters": {"nope": "x"}}, "bad_parameters"),
        ({"parameters": {"path": "a\0b"}}, "bad_parameters"),
        ({"parameters": {"path": "x" * 30_001}}, "bad_parameters"),
    ],
)
def test_refused_requests_leave_nothing(control: Control, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(RefusedError) as caught:
        ask(control, "a", **changes)
    assert caught.value.code == code
    assert control.runs.latest() == []


def test_allowed_values(control: Control) -> None:
    inputs = [{"name": "path", "allowed": ["/a", "/b"]}]
    control.actions.save_action(manifest(nql_id="#other", inputs=inputs), by="account:ann", now=NOW)
    assert ask(control, "a", action="#other").parameters == {"path": "/a"}
    with pytest.raises(RefusedError):
        ask(control, "a", action="#other", parameters={"path": "/c"})
