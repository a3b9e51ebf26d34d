"""When an execution may begin, and whether it begins again: maintenance windows, `once_every`, retries.

In: executions (wide rows, read in the caller's transaction) and the instant. Out: the changes made. Invariants: an
order that was handed out is never put off; an execution goes back to waiting only with a new attempt and a new nonce,
before its run expires, while its run is open and nobody asked to cancel it; what the failed attempt said is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from storage.control import actions, executions, schema
from storage.control.executions import Change, batched
from storage.control.ids import Random
from storage.control.outcomes import ERROR_BYTES, Outcome, cut
from storage.control.plans import SECOND, Plan, backoff, next_open
from storage.control.states import OPEN, State

TABLE, RUNS = schema.executions, schema.runs
RETRIED = "retried"
_OPEN_OR_LOST = [state.value for state in (*OPEN, State.LOST_CONTACT)]


@lru_cache(maxsize=4096)
def plan_of(text: str) -> Plan:
    """The plan that a run's row holds."""
    return msgspec.json.decode(text, type=Plan)


def recent(
    connection: Connection, action: str, devices: Iterable[str], *, since: int, apart_from: str | None = None
) -> set[str]:
    """Which devices began this action after an instant, or may have, in any run but one."""
    began = TABLE.c.started_at > since
    handed = TABLE.c.state.in_(_OPEN_OR_LOST) & ((TABLE.c.claimed_at > since) | (TABLE.c.attempt > 1))
    # When an attempt before the last one began is not on the row: at the latest when the last one ended.
    before = (TABLE.c.attempt > 1) & (TABLE.c.changed_at > since)
    # Its device died before it told of the start, which may have been.
    untold = (TABLE.c.state == State.INTERRUPTED.value) & (TABLE.c.claimed_at > since)
    found: set[str] = set()
    for some in batched(devices):
        for when in (began, handed, before, untold):
            query = select(TABLE.c.device).join(RUNS, RUNS.c.id == TABLE.c.run)
            query = query.where(TABLE.c.device.in_(some), when, RUNS.c.action == action)
            if apart_from is not None:
                query = query.where(TABLE.c.run != apart_from)
            found.update(connection.scalars(query))
    return found


def put_off(connection: Connection, row: Row[Any], *, now: int) -> tuple[bool, list[Change]]:
    """Whether a fresh execution must not begin now: its window is closed, or its device ran the action not long ago
    (and then it is cancelled)."""
    plan = plan_of(row.plan)
    if row.claimed_at is not None:
        return False, []
    opens = next_open(plan.window, now)
    if opens > now:
        executions.note(connection, row, {"open_from": opens})
        return True, []
    if plan.once_every is None:
        return False, []
    since = now - plan.once_every * SECOND
    if not recent(connection, row.action, [row.device], since=since, apart_from=row.run):
        return False, []
    detail = f"another run began this action on the device less than {plan.once_every} s ago"
    changes = executions.move(connection, [row], State.CANCELLED, {}, by=f"device:{row.device}", now=now, detail=detail)
    return True, changes


def again(connection: Connection, row: Row[Any], outcome: Outcome, random: Random, *, now: int) -> list[Change] | None:
    """Have a failed execution wait for its next attempt, where its plan has one left; None where this is its end."""
    plan = plan_of(row.plan)
    if plan.retries is None or row.attempt >= plan.retries.attempts:
        return None
    if row.cancel_at is not None or row.run_state == "ended" or not _repeatable(connection, row, outcome):
        return None
    opens = next_open(plan.window, now + backoff(plan.retries, row.attempt))
    if opens >= row.expires_at:
        return None
    body = {"exit_code": outcome.exit_code, "error": outcome.error and cut(outcome.error, ERROR_BYTES),
            "detail": outcome.detail, "finished_at": now}  # fmt: skip
    executions.keep(connection, row, RETRIED, row.attempt, outcome.state.value, body, now=now)
    values: dict[str, Any] = {
        "attempt": row.attempt + 1, "nonce": random(16).hex(), "claimed_at": None, "lease_until": None,
        "started_at": None, "deadline": None, "progress_at": None,
        "open_from": None if row.run_state == "halted" else opens,
    }  # fmt: skip
    detail = f"attempt {row.attempt} of {plan.retries.attempts} ended with {outcome.state.value}"
    return executions.move(
        connection, [row], State.WAITING_ON_DEVICE, values, by=f"device:{row.device}", now=now, detail=detail
    )


def _repeatable(connection: Connection, row: Row[Any], outcome: Outcome) -> bool:
    if outcome.state is State.INTERRUPTED:  # half of it may be done: only an action that says so runs again
        return bool(msgspec.json.decode(actions.load(connection, row.action, row.version).content).get("idempotent"))
    return outcome.state is State.FAILURE
