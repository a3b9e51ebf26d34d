"""What the core does about local schedules: begins what is due, ends it, has it reported.

In: the core's state, events about jobs that a local schedule began. Out: the state afterwards and commands. Invariants:
a turn's intent is on the disk before its process starts; scripts that were asked for go first: while the portal keeps
some back, local schedules leave a place free; a schedule never runs twice at once; every beginning ends in exactly one
report, which is done with only by the portal's verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from agent import events as e
from agent import recurring, wire
from agent.orders import Denied, Foreign, Job, examine_local
from agent.recurring import Known, Recurring
from agent.state import State, Step
from agent.wire_configuration import LocalOrder

RETRY = 15_000_000  # while there is no room


def begin(state: State, now: int, at_once: int) -> Step:
    """Begin what is due, as far as there is room."""
    if state.local.quiet(now) or state.revoked:
        return state, []
    commands: list[e.Command] = []
    running = {job.run for job in state.running.values() if job.local}
    found = recurring.due(state.local, running, now)
    for order in found:
        if len(state.running) >= at_once - state.more:
            return replace(state, local=replace(state.local, at=now + RETRY, seen=now)), commands
        state, more = _begin(state, order, now)
        commands += more
    return replace(state, local=replace(state.local, at=recurring.next_at(state.local, now), seen=now)), commands


def recovered(state: State, known: Known, now: int) -> Step:
    """What the disk remembers; what was begun and not ended is interrupted."""
    unsent = (*known.unsent, *state.local.unsent)
    local = Recurring(state.local.orders, known.memory, known.sequence, unsent, ready=True)
    state = replace(state, local=recurring.assigned(local, local.orders, now))
    commands: list[e.Command] = []
    for schedule, sequence in known.open:
        detail = "the agent stopped before the script's end was known; it was ended and is not run again"
        state, more = _end(
            state, schedule, sequence, "interrupted", wire.Outcome(state.portal_time(now), detail=detail), now
        )
        commands += more
    return state, commands


def step(state: State, event: Any, now: int) -> Step:
    """What follows from an event about a job that a local schedule began."""
    return _HANDLERS[type(event)](state, event, now)


def stored(state: State, event: e.LocalReportStored, now: int) -> Step:
    """A report is on the disk: it may be sent."""
    return replace(state, local=replace(state.local, unsent=(*state.local.unsent, event.report))), []


def taken(state: State, verdicts: Iterable[wire.Verdict]) -> State:
    """The portal is done with these reports."""
    done = {(verdict.run, verdict.attempt) for verdict in verdicts}
    unsent = tuple(one for one in state.local.unsent if (one.schedule, one.sequence) not in done)
    return state if unsent == state.local.unsent else replace(state, local=replace(state.local, unsent=unsent))


def to_send(state: State, room: int) -> tuple[wire.LocalReport, ...]:
    """The oldest reports, as many as there is room for."""
    return state.local.unsent[: max(room, 0)]


def _begin(state: State, order: LocalOrder, now: int) -> Step:
    turn, sequence = recurring.turn_of(order, now), state.local.next_sequence(state.portal_time(now))
    memory = replace(state.local.of(order.schedule), turn=turn)
    local = replace(state.local.remember(order.schedule, memory), sequence=sequence)
    state = replace(state, local=local)
    match examine_local(order, state.trust, sequence, turn):
        case Foreign(reason):
            return state, [e.Log("warning", f"a local schedule was ignored: {reason}", {"schedule": order.schedule})]
        case Denied(ending, detail):
            outcome = wire.Outcome(state.portal_time(now), detail=detail)
            return _end(state, order.schedule, sequence, ending, outcome, now)
        case job:
            running = {**state.running, (job.run, job.attempt): job}
            return replace(state, running=running, trust=state.trust.seen(job)), [e.StoreIntent(job)]


def _intent_stored(state: State, event: e.IntentStored, now: int) -> Step:
    if (event.job.run, event.job.attempt) in state.stopping:
        outcome = wire.Outcome(state.portal_time(now), detail="stopped before it started")
        return _over(state, event.job, "cancelled", outcome, now)
    return state, [e.StartProcess(event.job)]


def _intent_failed(state: State, event: e.IntentFailed, now: int) -> Step:
    log = e.Log("error", "a turn of a local schedule is left out: the disk is full", {"schedule": event.job.run})
    return _let_go(state, event.job), [log]


def _nothing(state: State, event: e.Event, now: int) -> Step:
    return state, []


def _process_ended(state: State, event: e.ProcessEnded, now: int) -> Step:
    ended = event.ended
    outcome = wire.Outcome(
        state.portal_time(now),
        None if ended.started_at is None else state.portal_time(ended.started_at),
        None if ended.finished_at is None else state.portal_time(ended.finished_at),
        ended.exit_code,
        ended.outputs,
        ended.detail,
        ended.error,
    )
    return _over(state, event.job, ended.state, outcome, now)


def _over(state: State, job: Job, ending: wire.State, outcome: wire.Outcome, now: int) -> Step:
    return _end(_let_go(state, job), job.run, job.attempt, ending, outcome, now)


def _let_go(state: State, job: Job) -> State:
    key = (job.run, job.attempt)
    running = {other: one for other, one in state.running.items() if other != key}
    return replace(state, running=running, stopping=state.stopping - {key})


def _end(state: State, schedule: str, sequence: int, ending: wire.State, outcome: wire.Outcome, now: int) -> Step:
    memory = state.local.of(schedule).after(ending == "success", now)
    local = state.local.remember(schedule, memory)
    state = replace(state, local=replace(local, at=min(local.at, recurring.next_at(local, now))))
    return state, [e.StoreLocalReport(schedule, sequence, ending, outcome, memory)]


_HANDLERS: dict[type[Any], Callable[[State, Any, int], Step]] = {
    e.IntentStored: _intent_stored,
    e.IntentFailed: _intent_failed,
    e.ProcessStarted: _nothing,
    e.UserAwaited: _nothing,
    e.ProcessEnded: _process_ended,
}
