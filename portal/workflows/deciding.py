"""How a workflow goes on on one device: from where it stands and what is known now to the next move.

In: an execution, what became of the run of its step, what a query says of its device, the instant. Out: a move, None
where there is nothing to do. Pure. Invariants: every execution ends: it has a time by which it is over, and a number of
moves that it may make; a step is left by the way that its definition names for what became of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from portal.workflows.values import as_text, holds, kept, meant
from storage.control.runs import RunRequest
from storage.control.states import State
from storage.control.workflow_definition import (
    STOP,
    ActionStep,
    CampaignStep,
    ConditionStep,
    Definition,
    StopStep,
    WaitStep,
)
from storage.control.workflow_executions import Move
from storage.control.workflow_rows import EXPIRED, FAILURE, IN_PROGRESS, SECOND, SUCCESS, WAITING, WorkflowExecution

MOST_MOVES = 1000
REPORT_GRACE = 600 * SECOND  # for an answer that comes at the last moment
FAILED = "failed"
TRIGGER = "workflow"  # how runs are triggered, and which trigger their actions allow


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a question: `answered`, `declined` or `expired`, and the answers by question."""

    state: str
    answers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of the run of a step: its state, outputs as people read them, and what was said of an error."""

    state: State
    outputs: Mapping[str, Any] = field(default_factory=dict)
    said: str | None = None


def decide(
    definition: Definition,
    one: WorkflowExecution,
    *,
    ran: Ran | None = None,
    among: bool | None = None,
    reply: Reply | None = None,
    now: int,
) -> Move | None:
    """The next move. `ran` and `reply` are what became of its run and of its question, if that is over; `among` says
    whether its device is among those of its condition's query."""
    if one.expires_at <= now:
        return _end(one, EXPIRED, "it was not over in the time that the workflow may take", FAILED)
    if one.moves >= MOST_MOVES:
        return _end(one, FAILURE, f"it made {MOST_MOVES} moves and was not over", FAILED)
    step = definition.step(one.step)
    match step:
        case StopStep():
            state = FAILURE if step.outcome == FAILED else SUCCESS
            return _end(one, state, f"step {step.id}", step.outcome, step.details or None)
        case ConditionStep():
            met = (among is None or among) and all(holds(comparison, one) for comparison in step.compare)
            return go(definition, one, step.then if met else step.otherwise, now)
        case WaitStep() if not one.begun:
            lasts = step.within if step.seconds is None else step.seconds
            due = min(now + lasts * SECOND, one.expires_at)
            what = "listens" if step.seconds is None else "waits"
            return Move(one, {"begun": True, "state": WAITING, "detail": f"step {step.id} {what}", "due_at": due})
        case WaitStep() if _is_due(one, now):
            if step.seconds is not None:
                return go(definition, one, step.next, now)
            return missed(definition, one, step, "expired", "nobody gave what it listens for", now)
        case ActionStep() if not one.begun:
            return _begin(definition, one, step, now)
        case ActionStep() if ran is not None:
            return _ran(definition, one, step, ran, now)
        case CampaignStep() if one.begun and (reply is not None or _is_due(one, now)):
            return _replied(definition, one, step, reply or Reply("expired"), now)
    return None


def go(
    definition: Definition, one: WorkflowExecution, way: str, now: int, answers: Mapping[str, Any] | None = None
) -> Move:
    """On to the step that a way leads to, or to the end of the list."""
    following = definition.following(one.step, way)
    if following is None:
        return _end(one, SUCCESS, "all steps are done", None, answers=answers)
    values = {"step": following, "begun": False, "state": IN_PROGRESS, "detail": f"step {following}", "due_at": now}
    return Move(one, values, answers=answers)


def missed(
    definition: Definition,
    one: WorkflowExecution,
    step: ActionStep | WaitStep | CampaignStep,
    state: str,
    said: str,
    now: int,
    outputs: Mapping[str, Any] | None = None,
) -> Move:
    """Out of a step that did not end well, by its way for that."""
    answers = {"state": state, "outputs": dict(outputs or {})}
    expired = state == "expired"
    way = step.on_expiry if expired or isinstance(step, WaitStep) else step.on_failure
    if way == STOP:
        return _end(one, EXPIRED if expired else FAILURE, f"step {step.id}: {said}", FAILED, answers=answers)
    return go(definition, one, way, now, answers)


def ended(one: WorkflowExecution, said: str) -> Move:
    """To the end, as it cannot go on whatever its steps say."""
    return _end(one, FAILURE, f"step {one.step}: {said}", FAILED)


def answered(
    definition: Definition, one: WorkflowExecution, step: WaitStep, given: Mapping[str, str], now: int
) -> Move:
    """On from a step that listens, with what somebody gave."""
    return go(definition, one, step.next, now, {"state": "success", "outputs": dict(given)})


def _is_due(one: WorkflowExecution, now: int) -> bool:
    return one.due_at is not None and one.due_at <= now


def asking(definition: Definition, one: WorkflowExecution, step: CampaignStep, now: int) -> dict[str, str] | Move:
    """The values with which a campaign is sent; out of the step where there are none, or its time is over."""
    if now >= one.changed_at + step.within * SECOND:
        return missed(definition, one, step, "expired", "nobody was there to be asked", now)
    values = {name: meant(text, one) for name, text in step.parameters.items()}
    if missing := [name for name, value in values.items() if value is None]:
        said = f"there is no value for its parameter {missing[0]}: {step.parameters[missing[0]]} has none"
        return missed(definition, one, step, "failure", said, now)
    return {name: as_text(value) for name, value in values.items()}


def asked(one: WorkflowExecution, step: CampaignStep, response: str, expires_at: int) -> Move:
    """A question was asked, and its answer is waited for, some minutes longer than it may take."""
    detail = f"step {step.id} asks {step.campaign}"
    due = min(expires_at + REPORT_GRACE, one.expires_at)
    return Move(one, {"begun": True, "state": WAITING, "detail": detail, "due_at": due, "campaign": response})


def _replied(definition: Definition, one: WorkflowExecution, step: CampaignStep, reply: Reply, now: int) -> Move:
    outputs = kept(reply.answers, definition.read.get(step.id, ()))
    if reply.state == "answered":
        return go(definition, one, step.next, now, {"state": reply.state, "outputs": outputs})
    return missed(definition, one, step, reply.state, f"{step.campaign} ended as {reply.state}", now, outputs)


def _begin(definition: Definition, one: WorkflowExecution, step: ActionStep, now: int) -> Move:
    values = {name: meant(text, one) for name, text in step.parameters.items()}
    if missing := [name for name, value in values.items() if value is None]:
        said = f"there is no value for its parameter {missing[0]}: {step.parameters[missing[0]]} has none"
        return missed(definition, one, step, "failure", said, now)
    expires = min(now + step.within * SECOND, one.expires_at)
    request = RunRequest(
        action=step.action,
        devices=(one.device,),
        requested_by=one.requested_by,
        expires_at=expires,
        parameters={name: as_text(value) for name, value in values.items()},
        trigger_method=TRIGGER,
        reason=one.reason,
        internal_source=one.workflow,
        external_source=one.external_source,
        external_reference=one.external_reference,
    )
    detail = f"step {step.id} runs {step.action}"
    begun = {"begun": True, "state": IN_PROGRESS, "detail": detail, "due_at": one.expires_at, "until": expires}
    return Move(one, begun, run=request)


def _ran(definition: Definition, one: WorkflowExecution, step: ActionStep, ran: Ran, now: int) -> Move:
    outputs = kept(ran.outputs, definition.read.get(step.id, ()))
    if ran.state is State.SUCCESS:
        return go(definition, one, step.next, now, {"state": ran.state.value, "outputs": outputs})
    said = f"{step.action} ended as {ran.state.value}" + (f": {ran.said}" if ran.said else "")
    return missed(definition, one, step, ran.state.value, said, now, outputs)


def _end(
    one: WorkflowExecution,
    state: str,
    detail: str,
    outcome: str | None,
    outcome_detail: str | None = None,
    *,
    answers: Mapping[str, Any] | None = None,
) -> Move:
    values = {"state": state, "detail": detail, "outcome": outcome, "outcome_detail": outcome_detail}
    return Move(one, values, answers=answers)
