"""Workflows in the control database: what is refused, versions, requests, moves that count once, cancelling, erasure.

Comes in: an empty control database. Goes out: nothing. Invariant: time moves only where a test says so; a move is what
the portal would decide.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from storage.control.api import Control
from storage.control.errors import ConflictError, NotFoundError, RefusedError
from storage.control.outcomes import Outcome
from storage.control.runs import RunRequest
from storage.control.states import State
from storage.control.workflow_definition import Workflow, check
from storage.control.workflow_executions import MOST_DEVICES, Move, WorkflowRequest
from storage.control.workflow_rows import FAILURE, IN_PROGRESS, SUCCESS, WorkflowExecution
from storage.naming import naming
from tests.storage.control.conftest import HOUR, NOW, SECOND, enrol, manifest

ACTION = {"kind": "action", "id": "clear", "action": "#clear_cache"}
STOP = {"kind": "stop", "id": "done", "outcome": "action_taken"}


def said(*steps: dict[str, Any], **changes: Any) -> Workflow:
    """A workflow of these steps, or of an action and a stop."""
    whole = {"nql_id": "#tidy", "name": "Tidy", "steps": list(steps) or [ACTION, STOP], **changes}
    return msgspec.convert(whole, Workflow)


def begun(control: Control, *devices: str, **changes: Any) -> list[WorkflowExecution]:
    control.actions.save_action(manifest(), by="account:ann", now=NOW)
    saved = control.workflows.save(said(), by="account:ann", now=NOW)
    request = WorkflowRequest(saved, devices, changes.pop("parameters", {}), "ann", **changes)
    _, ids, _ = control.workflow_executions.begin(request, now=NOW)
    return [control.workflow_executions.execution(one) for one in ids]


def runs(one: WorkflowExecution, **changes: Any) -> Move:
    """The move that begins the run of the first step."""
    values = {"begun": True, "state": IN_PROGRESS, "due_at": one.expires_at, "until": NOW + HOUR}
    asked = {"action": "#clear_cache", "devices": (one.device,), "requested_by": "ann", "expires_at": NOW + HOUR}
    return Move(one, values, run=RunRequest(**{**asked, **changes}))


def finish(control: Control, run: str, device: str, state: State = State.SUCCESS, now: int = NOW) -> None:
    control.dispatch.claim_work(device, now=now)
    control.dispatch.record_started(run, device, 1, started_at=now, now=now)
    control.dispatch.record_finished(run, device, 1, Outcome(state, 0), now=now)


def again(control: Control, one: WorkflowExecution) -> WorkflowExecution:
    return control.workflow_executions.execution(one.id)


COMPARED = {"value": "steps.clear.state", "operator": "is", "than": "success"}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (said(dependency="user"), "dependency user"),
        (said(triggers=["scheduler"]), "scheduler"),
        (said(ACTION, ACTION), "two steps are called clear"),
        (said(ACTION | {"id": "stop"}), "no step can be called stop"),
        (said(ACTION | {"next": "nowhere"}), "leads to nowhere"),
        (said(ACTION | {"next": "stop"}), "leads to stop"),
        (said(ACTION | {"parameters": {"path": "$where"}}), "no parameter where"),
        (said(ACTION | {"parameters": {"path": "steps.done.outputs.files"}}, STOP), "no step done that answers"),
        (said({"kind": "condition", "id": "if"}), "a query"),
        (said(ACTION, {"kind": "condition", "id": "if", "compare": [COMPARED]}), "lead to the same step"),
        (
            said(ACTION, {"kind": "condition", "id": "if", "then": "clear", "compare": [COMPARED | {"than": ""}]}),
            "takes something",
        ),
        (
            said({"kind": "condition", "id": "if", "then": "if", "compare": [COMPARED | {"value": "free"}]}),
            "is no value",
        ),
        (said({"kind": "wait", "id": "pause"}), "either seconds or parameters"),
        (said({"kind": "wait", "id": "ear", "listen": ["a", "A"]}), "two parameters are called a"),
        (
            said({"kind": "wait", "id": "ear", "listen": []}, ACTION | {"parameters": {"path": "steps.ear.outputs.a"}}),
            "does not listen for a",
        ),
    ],
)
def test_what_cannot_be_carried_out(wrong: Workflow, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        check(wrong)


def test_versions_are_named_by_what_they_say(control: Control) -> None:
    save = control.workflows.save
    first = save(said(), by="account:ann", now=NOW)
    assert save(said(), by="account:bob", now=NOW + 1) == first
    words = save(said(description="Tidies", active=False), by="account:bob", now=NOW + 2)
    assert (words.version, words.number, words.active, words.updated_by) == (first.version, 1, False, "account:bob")
    second = save(said(STOP), by="account:ann", now=NOW + 3)
    assert second.number == 2
    assert control.workflows.workflow("#tidy", first.version).content == first.content
    assert save(said(), by="account:ann", now=NOW + 4).number == 1
    assert [one.nql_id for one in control.workflows.everything()] == ["#tidy"]
    assert control.workflows.workflow("#tidy").workflow == said()
    shown = [message.row for message in control.outbox.next_batch() if message.table == "workflow.workflows"]
    assert [(row["status"], row["version"]) for row in shown] == [
        ("active", "1"), ("inactive", "1"), ("active", "2"), ("active", "1"),
    ]  # fmt: skip
    with pytest.raises(NotFoundError):
        control.workflows.workflow("#none")


def test_a_request_is_made_once(control: Control) -> None:
    made = begun(control, "pc-1", "pc-2", idempotency_key="k")
    assert [one.device for one in made] == ["pc-1", "pc-2"]
    assert begun(control, "pc-1", "pc-2", idempotency_key="k") == made
    with pytest.raises(ConflictError):
        begun(control, "pc-1", idempotency_key="k")
    asked = begun(control, "pc-2", "pc-1", idempotency_key="q", target_text="devices")
    assert begun(control, "pc-1", idempotency_key="q", target_text="devices") == list(reversed(asked))
    with pytest.raises(RefusedError, match="no devices"):
        begun(control)
    with pytest.raises(RefusedError, match=str(MOST_DEVICES)):
        begun(control, *map(str, range(MOST_DEVICES + 1)))
    with pytest.raises(NotFoundError):
        control.workflow_executions.counts("none")
    assert control.workflow_executions.counts(made[0].request) == {"in_progress": 2}


def test_a_step_begins_once_whoever_decides(control: Control, address: str) -> None:
    [one] = begun(control, "pc-1")
    other = Control(address, now=NOW)
    try:
        seen = other.workflow_executions.ready(10, now=NOW)
        assert seen == control.workflow_executions.ready(10, now=NOW) == [one]
        assert control.workflow_executions.apply([runs(one)], now=NOW).done == 1
        late = other.workflow_executions.apply([runs(seen[0])], now=NOW)
        assert (late.done, late.changes, late.refused) == (0, [], [])
        assert [run.id for run in other.runs.latest()] == [again(other, one).run]
        assert other.workflow_executions.ready(10, now=NOW) == []
    finally:
        other.close()


def test_what_breaks_in_the_midst_leaves_no_run(control: Control, address: str) -> None:
    one, two = begun(control, "pc-1", "pc-2")
    with pytest.raises(Exception, match="nonsense"):
        control.workflow_executions.apply([runs(one), Move(two, {"nonsense": 1})], now=NOW)
    control.close()
    opened = Control(address, now=NOW)  # as after a crash: what is there is what was committed
    assert opened.runs.latest() == []
    assert {found.id for found in opened.workflow_executions.ready(10, now=NOW)} == {one.id, two.id}
    assert opened.workflow_executions.apply([runs(one), runs(two)], now=NOW).done == 2
    opened.close()
    opened = Control(address, now=NOW)
    assert opened.workflow_executions.ready(10, now=NOW) == []
    assert len(opened.runs.latest()) == 2
    run = again(opened, one).run
    assert run is not None
    finish(opened, run, "pc-1")
    assert [found.id for found in opened.workflow_executions.ready(10, now=NOW)] == [one.id]
    opened.close()


def test_a_run_that_is_refused_leaves_the_execution_where_it_was(control: Control) -> None:
    one, two = begun(control, "pc-1", "pc-2")
    moved = control.workflow_executions.apply([runs(one, action="#none"), runs(two)], now=NOW)
    assert (moved.done, moved.devices) == (1, ["pc-2"])
    assert moved.refused == [(one, "there is no action #none")]
    assert again(control, one) == one


def test_the_end_is_told_once_and_open_ones_are_rows(control: Control) -> None:
    one, two = begun(control, "pc-1", "pc-2", reason="full", parameters={"a": "b"})
    sequence = control.outbox.relayed()
    rows = control.workflow_executions.rows_after(sequence)
    assert sorted((row["@device"], row["status"], row["duration_seconds"]) for row in rows) == [
        ("pc-1", "in_progress", None), ("pc-2", "in_progress", None),
    ]  # fmt: skip
    end = Move(one, {"state": SUCCESS, "outcome": "action_taken", "outcome_detail": "x" * 2000})
    later = NOW + 90 * SECOND
    assert control.workflow_executions.apply([end, end], now=later).done == 1
    rows = control.workflow_executions.rows_after(sequence)
    [ended] = [row for row in rows if row["status"] == "success"]
    assert len(rows) == 2
    assert (ended["execution_id"], ended["duration_seconds"], ended["inputs"]) == (
        one.id, 90, [{"name": "a", "text": "b"}],
    )  # fmt: skip
    assert len(ended["outcome_details"]) == 1000
    [message] = [found for found in control.outbox.next_batch() if found.table == "workflow.executions"]
    assert message.row == ended
    assert control.workflow_executions.latest(state="success")[0].ended_at == later
    assert control.workflow_executions.latest(before=max(one.id, two.id))[0].id == min(one.id, two.id)
    actions = [entry.action for entry in control.audit.latest(9, subject=f"workflow_request:{one.request}")]
    assert actions == ["workflow.success", "workflow.requested"]


def test_cancelling_ends_the_run_too(control: Control) -> None:
    one, two, three = begun(control, "pc-1", "pc-2", "pc-3")
    control.workflow_executions.apply([runs(one), runs(two)], now=NOW)
    running = again(control, two).run
    assert running is not None
    control.dispatch.claim_work("pc-2", now=NOW)
    told = control.workflow_executions.cancel(execution=one.id, by="account:ann", now=NOW)
    assert (told.done, [change.state for change in told.changes]) == (1, [State.CANCELLED])
    told = control.workflow_executions.cancel(request=one.request, by="account:ann", now=NOW)
    assert (told.done, told.devices, told.runs) == (2, ["pc-2"], [running])
    assert control.executions.execution(running, "pc-2").cancel_at == NOW
    assert control.workflow_executions.counts(one.request) == {"cancelled": 3}
    assert control.workflow_executions.cancel(request=one.request, by="account:ann", now=NOW).done == 0
    assert again(control, three).detail == "cancelled by ann"
    late = Move(again(control, two), {"state": FAILURE})
    assert control.workflow_executions.apply([late], now=NOW).done == 0


def test_a_lost_contact_counts_from_when_its_run_is_over(control: Control) -> None:
    [one] = begun(control, "pc-1")
    control.workflow_executions.apply([runs(one)], now=NOW)
    control.dispatch.claim_work("pc-1", now=NOW)
    later = NOW + 3 * HOUR
    control.deadlines.tick(now=later)
    run = again(control, one).run
    assert run is not None
    assert control.executions.execution(run, "pc-1").state is State.LOST_CONTACT
    assert control.workflow_executions.ready(10, now=NOW + HOUR - 1) == []
    assert [found.id for found in control.workflow_executions.ready(10, now=NOW + HOUR)] == [one.id]


def test_an_erasure_takes_a_devices_executions_and_words(control: Control) -> None:
    device = enrol(control)
    one, other = begun(control, device.uid, "pc-2", reason="pc-1 of anna.meier", parameters={"a": "anna.meier"})
    control.workflow_executions.apply([Move(one, {"state": SUCCESS, "detail": "on pc-1"})], now=NOW)
    words = naming([device.uid], ["pc-1", "anna.meier"])
    found = control.erasures.ask("device", device.uid, by="account:ann", now=NOW)
    control.revoke_device(device.uid, by="portal", now=NOW)
    control.erasures.revoked(found.id, words, now=NOW)
    control.erasures.erase_here(found.id, now=NOW)
    assert [left.device for left in control.workflow_executions.latest()] == ["pc-2"]
    left = again(control, other)
    assert "anna.meier" not in f"{left.reason}{left.parameters}"
    assert control.erasures.erasure(found.id).report["workflow_executions"] == 1
