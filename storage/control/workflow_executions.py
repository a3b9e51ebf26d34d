"""Workflows as they go on on devices. Writes the tables `workflow_requests` and `workflow_executions`, and nothing else
does.

In: requests with their devices; moves that somebody decided on. Out: executions, and those that are ready to go on.
Invariants: a move counts only at the number of moves it was decided for, so that of two at once one is done; the run of
a step comes into being in the transaction of the move that begins it, so that a step begins exactly once; with each
move goes an audit row, and with each end an outbox row.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from storage.control import audit, campaign_responses, deadlines, outbox, runs, schema, schema_campaigns
from storage.control.database import Database
from storage.control.errors import ConflictError, NotFoundError, RefusedError
from storage.control.executions import Change, batched
from storage.control.ids import Random, uuid7
from storage.control.outcomes import cut
from storage.control.records import digest_of_devices, digest_of_json, to_json
from storage.control.runs import RunRequest
from storage.control.states import FINAL, State
from storage.control.workflow_rows import (
    CANCELLED,
    IN_PROGRESS,
    OPEN,
    REQUESTS,
    SECOND,
    TABLE,
    WorkflowExecution,
    found,
    table_row,
    wide,
)
from storage.control.workflows import SavedWorkflow

RUNS_OF, RESPONSES = schema.executions, schema_campaigns.responses
ROWS = "workflow.executions"
MOST_DEVICES = 10_000


@dataclass(frozen=True, slots=True)
class WorkflowRequest:
    """What is asked: a workflow on devices."""

    workflow: SavedWorkflow
    devices: tuple[str, ...]
    parameters: Mapping[str, str]
    requested_by: str
    trigger_method: str = "api"
    reason: str | None = None
    external_source: str | None = None
    external_reference: str | None = None
    idempotency_key: str | None = None
    target_text: str | None = None  # the query that meant the devices: asked again, it may mean others


@dataclass(frozen=True, slots=True)
class Move:
    """How an execution goes on: its new columns; with the `run` that its step begins; `answers` of the step that it
    leaves."""

    execution: WorkflowExecution
    values: Mapping[str, Any]
    run: RunRequest | None = None
    answers: Mapping[str, Any] | None = None


@dataclass(slots=True)
class Moved:
    """What came of moves: changes of executions of runs, devices to tell, runs to look at, responses to campaigns that
    nobody waits for any more."""

    done: int = 0
    changes: list[Change] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    campaigns: list[str] = field(default_factory=list)
    refused: list[tuple[WorkflowExecution, str]] = field(default_factory=list)


class WorkflowExecutions:
    """Asking for them, moving them on, finding them. `tell` hears of changes of runs."""

    def __init__(
        self, database: Database, tell: Callable[[Iterable[Change]], None], random: Random = secrets.token_bytes
    ) -> None:
        self._database = database
        self._tell = tell
        self._random = random

    def begin(self, request: WorkflowRequest, *, now: int) -> tuple[str, list[str], bool]:
        """Store a request: its id, the ids of its executions in the order of its devices; False if its idempotency key
        had made it before. Raises RefusedError, ConflictError."""
        devices = list(dict.fromkeys(request.devices))
        if not devices:
            raise RefusedError("no_devices", "the target has no devices")
        if len(devices) > MOST_DEVICES:
            raise RefusedError("too_many_devices", f"a request takes at most {MOST_DEVICES} devices")

        def work(connection: Connection) -> tuple[str, list[str], bool]:
            if (before := _repeated(connection, request)) is not None:
                return before, _ids_of(connection, before, devices), False
            identifier = uuid7(now, self._random)
            connection.execute(insert(REQUESTS).values(_request_values(request, identifier, now)))
            rows = _new_rows(request, identifier, devices, self._random, now)
            connection.execute(insert(TABLE), rows)
            detail = {
                "workflow": request.workflow.nql_id,
                "version": request.workflow.version,
                "devices": len(devices),
                "digest": digest_of_devices(devices),
            }
            subject = f"workflow_request:{identifier}"
            by = f"account:{request.requested_by}"
            audit.record(connection, audit.Entry(now, by, "workflow.requested", subject, detail))
            return identifier, [row["id"] for row in rows], True

        return self._database.write(work)

    def ready(self, limit: int, *, now: int) -> list[WorkflowExecution]:
        """Executions that can go on: their time has come, or the run of their step is over."""
        state = or_(
            RUNS_OF.c.state.in_([state.value for state in FINAL]),
            and_(RUNS_OF.c.state == State.LOST_CONTACT.value, TABLE.c.until <= now),
        )
        ended = select(TABLE.c.id).join(RUNS_OF, and_(RUNS_OF.c.run == TABLE.c.run, RUNS_OF.c.device == TABLE.c.device))
        ended = ended.where(TABLE.c.run.is_not(None), state).limit(limit)
        answered = select(TABLE.c.id).join(RESPONSES, RESPONSES.c.id == TABLE.c.campaign)
        answered = answered.where(TABLE.c.due_at.is_not(None), RESPONSES.c.state.in_(campaign_responses.FINAL))
        due = select(TABLE.c.id).where(TABLE.c.due_at <= now).order_by(TABLE.c.due_at).limit(limit)
        with self._database.read() as connection:
            over = (*connection.scalars(ended), *connection.scalars(answered.limit(limit)))
            ids = list(dict.fromkeys([*connection.scalars(due), *over]))[:limit]
            return found(connection, wide().where(TABLE.c.id.in_(ids)))

    def apply(self, moves: Sequence[Move], *, now: int) -> Moved:
        """Do what was decided, as far as nobody else has moved the executions since; runs that could not be made are
        told as `refused`, and their executions are where they were."""

        def work(connection: Connection) -> Moved:
            moved = Moved()
            for move in moves:
                _apply(connection, move, moved, self._random, now)
            return moved

        moved = self._database.write(work)
        self._tell(moved.changes)
        return moved

    def postpone(self, executions: Iterable[WorkflowExecution], until: int) -> None:
        """Look at executions again then: what they need cannot be had now."""
        ids = [one.id for one in executions]

        def work(connection: Connection) -> None:
            for some in batched(ids):
                mine = (TABLE.c.id.in_(some), TABLE.c.due_at.is_not(None))
                connection.execute(update(TABLE).where(*mine).values(due_at=until))

        self._database.note(work)

    def cancel(
        self, *, request: str | None = None, execution: str | None = None, devices: Iterable[str] | None = None,
        by: str, now: int,
    ) -> Moved:  # fmt: skip
        """Cancel the open executions of a request, or one, or those of it on some devices; with their runs."""
        mine = wide().where(TABLE.c.state.in_(OPEN))
        mine = mine.where(TABLE.c.request == request) if request is not None else mine.where(TABLE.c.id == execution)

        def work(connection: Connection) -> Moved:
            moved, seen = Moved(), None if devices is None else set(devices)
            for one in found(connection, mine):
                if seen is None or one.device in seen:
                    values = {"state": CANCELLED, "detail": f"cancelled by {by.removeprefix('account:')}"}
                    _apply(connection, Move(one, values), moved, self._random, now, by=by)
            return moved

        moved = self._database.write(work)
        self._tell(moved.changes)
        return moved

    def execution(self, identifier: str) -> WorkflowExecution:
        """One execution. Raises NotFoundError."""
        with self._database.read() as connection:
            for one in found(connection, wide().where(TABLE.c.id == identifier)):
                return one
        raise NotFoundError("unknown_execution", "there is no such execution of a workflow")

    def latest(
        self,
        limit: int = 50,
        *,
        before: str | None = None,
        workflow: str | None = None,
        request: str | None = None,
        state: str | None = None,
        devices: Iterable[str] | None = None,
    ) -> list[WorkflowExecution]:
        """Executions, newest first; `before` is the id of one to page on from."""
        query = wide().order_by(TABLE.c.id.desc()).limit(limit)
        for column, value in ((REQUESTS.c.workflow, workflow), (TABLE.c.request, request), (TABLE.c.state, state)):
            query = query if value is None else query.where(column == value)
        if before is not None:
            query = query.where(TABLE.c.id < before)
        if devices is not None:
            query = query.where(TABLE.c.device.in_(sorted(devices)))
        with self._database.read() as connection:
            return found(connection, query)

    def counts(self, request: str) -> dict[str, int]:
        """How many executions of a request are in each state. Raises NotFoundError."""
        query = select(TABLE.c.state, func.count()).where(TABLE.c.request == request).group_by(TABLE.c.state)
        with self._database.read() as connection:
            counts = {row[0]: row[1] for row in connection.execute(query)}
        if not counts:
            raise NotFoundError("unknown_request", "there is no such request of a workflow")
        return counts

    def rows_after(self, sequence: int) -> list[dict[str, Any]]:
        """Rows of `workflow.executions` that the tables, having all up to `sequence`, lack: open ones and later ends;
        one instant."""
        with self._database.read() as connection:
            later = [message.row for message in outbox.after(connection, sequence, table=ROWS)]
            return [table_row(one) for one in found(connection, wide().where(TABLE.c.due_at.is_not(None)))] + later


def _apply(
    connection: Connection, move: Move, moved: Moved, random: Random, now: int, *, by: str = audit.PORTAL
) -> None:
    one = move.execution
    current = (TABLE.c.id == one.id, TABLE.c.moves == one.moves, TABLE.c.due_at.is_not(None))
    if connection.scalar(select(TABLE.c.id).where(*current)) is None:
        return
    values = {"moves": one.moves + 1, "changed_at": now, "run": None, "until": None, "campaign": None, **move.values}
    if move.run is not None:
        if (run := _begun(connection, move, moved, random, now)) is None:
            return
        values["run"] = run
    elif one.run is not None and _is_open(connection, one.run, one.device):
        changes, asked = deadlines.cancel_in(connection, one.run, by=by, now=now)
        moved.changes += changes
        moved.devices += asked
        moved.runs.append(one.run)
    moved.campaigns += [one.campaign] if one.campaign is not None else []
    if move.answers is not None:
        values["outputs"] = to_json({**one.outputs, one.step: move.answers})
    if (state := values.get("state", one.state)) not in OPEN:
        values |= {"ended_at": now, "due_at": None}
    for name in ("detail", "outcome_detail"):
        if values.get(name):
            values[name] = cut(values[name], 1000)
    connection.execute(update(TABLE).where(*current).values(values))
    detail = {"execution": one.id, "device": one.device, "step": values.get("step", one.step), "run": values["run"]}
    action = "workflow.moved" if state in OPEN else f"workflow.{state}"
    audit.record(connection, audit.Entry(now, by, action, f"workflow_request:{one.request}", detail))
    if state not in OPEN:
        [ended] = found(connection, wide().where(TABLE.c.id == one.id))
        outbox.put(connection, [(ROWS, table_row(ended))], now=now)
    moved.done += 1


def _is_open(connection: Connection, run: str, device: str) -> bool:
    mine = (RUNS_OF.c.run == run, RUNS_OF.c.device == device)
    state = connection.scalar(select(RUNS_OF.c.state).where(*mine))
    return state is not None and State(state) not in FINAL


def _begun(connection: Connection, move: Move, moved: Moved, random: Random, now: int) -> str | None:
    """The run of a step, made now; None where it was refused."""
    if move.run is None:
        return None
    savepoint = connection.begin_nested()
    try:
        key = f"workflow {move.execution.id} {move.execution.moves}"
        run, _ = runs.create(connection, replace(move.run, idempotency_key=key), random, now=now)
        savepoint.commit()
    except (RefusedError, NotFoundError, ConflictError) as error:
        savepoint.rollback()
        moved.refused.append((move.execution, str(error)))
        return None
    moved.changes.append(Change(run.id, move.execution.device, State.WAITING_ON_DEVICE))
    moved.devices.append(move.execution.device)
    moved.runs.append(run.id)
    return run.id


def _new_rows(
    request: WorkflowRequest, identifier: str, devices: Sequence[str], random: Random, now: int
) -> list[dict[str, Any]]:
    said = request.workflow.definition
    common = {
        "request": identifier, "state": IN_PROGRESS, "step": said.steps[0].id, "begun": False, "moves": 0,
        "due_at": now, "expires_at": now + said.longest * SECOND, "outputs": "{}", "changed_at": now,
    }  # fmt: skip
    return [{**common, "id": uuid7(now, random), "device": uid} for uid in devices]


def _request_values(request: WorkflowRequest, identifier: str, now: int) -> dict[str, Any]:
    names = ("trigger_method", "requested_by", "reason", "external_source", "external_reference", "idempotency_key")
    return {
        "id": identifier,
        "workflow": request.workflow.nql_id,
        "version": request.workflow.version,
        "parameters": to_json(dict(request.parameters)),
        "requested_at": now,
        "request_digest": _digest_of(request),
        **{name: getattr(request, name) for name in names},
    }


def _digest_of(request: WorkflowRequest) -> str:
    target = request.target_text or sorted(set(request.devices))
    return digest_of_json([request.workflow.nql_id, dict(request.parameters), target])


def _repeated(connection: Connection, request: WorkflowRequest) -> str | None:
    if request.idempotency_key is None:
        return None
    same = (REQUESTS.c.requested_by == request.requested_by, REQUESTS.c.idempotency_key == request.idempotency_key)
    row = connection.execute(select(REQUESTS).where(*same)).one_or_none()
    if row is not None and row.request_digest != _digest_of(request):
        raise ConflictError("idempotency_key_used", "this idempotency key was used for another request")
    return None if row is None else str(row.id)


def _ids_of(connection: Connection, request: str, devices: Sequence[str]) -> list[str]:
    rows = connection.execute(select(TABLE.c.device, TABLE.c.id).where(TABLE.c.request == request)).all()
    known = {row.device: str(row.id) for row in rows}
    first = [known.pop(uid) for uid in devices if uid in known]
    return first + [known[uid] for uid in sorted(known)]
