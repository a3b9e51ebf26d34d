"""Schedules and what became of each time they were due. Writes the tables `schedules` and `firings`, and nothing else
does.

In: definitions; decisions of whoever holds the lease of the scheduler. Out: schedules, firings. Invariants: a due time
of a schedule is decided once (it is a primary key); firing, run and the next due time are one transaction that checks
the lease's token and that the schedule is still the one that was decided about; whoever saves a schedule owns it, so
that nobody's rights are lent to another's definition.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, insert, select, update

from storage.control import audit, leases, local_schedules, runs, schema, schema_schedules
from storage.control.database import Database
from storage.control.errors import ConflictError, NotFoundError, RefusedError
from storage.control.executions import Change
from storage.control.records import from_json, to_json
from storage.control.runs import RunRequest
from storage.control.schedule_definition import Definition
from storage.control.schedule_definition import read as read_definition
from storage.control.states import State

TABLE, FIRINGS, ACCOUNTS = schema_schedules.schedules, schema_schedules.firings, schema.accounts
LEASE = "scheduler"
MOST = 2000
KEPT = 400 * 86_400_000_000  # how long a firing is shown
Effect = Literal["run", "empty", "skipped", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule. `owner` is an account's id; `next_at` the oldest due time that is not decided, None for never."""

    nql_id: str
    name: str
    definition: Definition
    local: bool
    owner: str
    owner_name: str
    revision: int
    enabled: bool
    next_at: int | None
    created_at: int
    updated_at: int
    updated_by: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a due time: with a request, a run that may still turn out `failed`."""

    due_at: int
    outcome: Effect
    detail: str | None = None
    request: RunRequest | None = None


@dataclass(frozen=True, slots=True)
class Firing:
    """A due time that was decided. `token` is that of the lease under which it was."""

    schedule: str
    due_at: int
    fired_at: int
    token: int
    outcome: str
    run: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class Saving:
    """A schedule as somebody wants it; `owner` is the account that saves it, `next_at` its first due time."""

    nql_id: str
    name: str
    definition: Definition
    owner: str
    enabled: bool
    next_at: int | None


class Schedules:
    """Keeping schedules and deciding their due times."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, wanted: Saving, *, by: str, now: int, new: bool | None = None) -> Schedule:
        """Make a schedule (`new`), change one (not `new`), or either. Raises ConflictError, NotFoundError,
        RefusedError."""
        definition = to_json(wanted.definition)
        values = {
            "name": wanted.name,
            "definition": definition,
            "local": wanted.definition.local,
            "owner": wanted.owner,
            "enabled": wanted.enabled,
            "next_at": wanted.next_at if wanted.enabled else None,
            "updated_at": now,
            "updated_by": by,
        }

        def work(connection: Connection) -> Schedule:
            row = connection.execute(select(TABLE).where(TABLE.c.nql_id == wanted.nql_id)).one_or_none()
            if row is None and new is False:
                raise NotFoundError("unknown_schedule", f"there is no schedule {wanted.nql_id}")
            if row is not None and new:
                raise ConflictError("schedule_exists", f"there is a schedule {wanted.nql_id} already")
            if row is not None:
                _check_change(read_definition(row.definition), wanted.definition)
            if row is None:
                _check_room(connection)
                first = {"nql_id": wanted.nql_id, "revision": 1, "created_at": now}
                connection.execute(insert(TABLE).values(**first, **values))
            else:
                change = values | {"revision": row.revision + 1}
                connection.execute(update(TABLE).where(TABLE.c.nql_id == wanted.nql_id).values(change))
            saved = load(connection, wanted.nql_id)
            detail = {"revision": saved.revision, "definition": from_json(definition)}
            audit.record(connection, audit.Entry(now, by, "schedule.saved", f"schedule:{saved.nql_id}", detail))
            return saved

        return self._database.write(work)

    def enable(self, nql_id: str, enabled: bool, next_at: int | None, *, by: str, now: int) -> Schedule:
        """Have a schedule go on from `next_at`, or stand still. Raises NotFoundError."""

        def work(connection: Connection) -> Schedule:
            before = load(connection, nql_id)
            if before.enabled == enabled:
                return before
            change = {"enabled": enabled, "next_at": next_at if enabled else None, "revision": before.revision + 1}
            connection.execute(
                update(TABLE).where(TABLE.c.nql_id == nql_id).values(**change, updated_at=now, updated_by=by)
            )
            action = "schedule.enabled" if enabled else "schedule.disabled"
            audit.record(connection, audit.Entry(now, by, action, f"schedule:{nql_id}", {}))
            return load(connection, nql_id)

        return self._database.write(work)

    def delete(self, nql_id: str, *, by: str, now: int) -> None:
        """Remove a schedule with its firings; its runs stay. Raises NotFoundError."""

        def work(connection: Connection) -> None:
            load(connection, nql_id)
            connection.execute(delete(FIRINGS).where(FIRINGS.c.schedule == nql_id))
            local_schedules.forget(connection, nql_id, now=now)
            connection.execute(delete(TABLE).where(TABLE.c.nql_id == nql_id))
            audit.record(connection, audit.Entry(now, by, "schedule.deleted", f"schedule:{nql_id}", {}))

        self._database.write(work)

    def schedule(self, nql_id: str) -> Schedule:
        """One schedule. Raises NotFoundError."""
        with self._database.read() as connection:
            return load(connection, nql_id)

    def everything(self) -> list[Schedule]:
        """All schedules, by id."""
        with self._database.read() as connection:
            return [_schedule(row) for row in connection.execute(_wide().order_by(TABLE.c.nql_id))]

    def due(self, *, now: int, limit: int = MOST) -> list[Schedule]:
        """The schedules with a due time that is not decided, oldest first."""
        query = _wide().where(TABLE.c.enabled, TABLE.c.next_at <= now).order_by(TABLE.c.next_at, TABLE.c.nql_id)
        with self._database.read() as connection:
            return [_schedule(row) for row in connection.execute(query.limit(limit))]

    def firings(self, nql_id: str, *, limit: int = 50, before: int | None = None) -> list[Firing]:
        """What became of the due times of a schedule, newest first; `before` is a due time to page on from."""
        query = select(FIRINGS).where(FIRINGS.c.schedule == nql_id).order_by(FIRINGS.c.due_at.desc()).limit(limit)
        if before is not None:
            query = query.where(FIRINGS.c.due_at < before)
        with self._database.read() as connection:
            return [_firing(row) for row in connection.execute(query)]

    def decide(
        self, schedule: Schedule, decisions: Sequence[Decision], next_at: int | None, *, token: int, now: int
    ) -> tuple[list[Firing], list[Change]]:
        """Store decisions with their runs, and look from `next_at` on: what came to be, nothing where the schedule has
        changed since it was read. Raises LeaseLostError."""

        def work(connection: Connection) -> tuple[list[Firing], list[Change]]:
            leases.check(connection, LEASE, token)
            if not unchanged(connection, schedule):
                return [], []
            made, changes = [], []
            for decision in decisions:
                found = FIRINGS.c.schedule == schedule.nql_id, FIRINGS.c.due_at == decision.due_at
                if connection.scalar(select(FIRINGS.c.outcome).where(*found)) is None:
                    firing, begun = _fire(connection, schedule, decision, token, now)
                    made.append(firing)
                    changes += begun
            move_on(connection, schedule, next_at)
            old = FIRINGS.c.schedule == schedule.nql_id, FIRINGS.c.due_at < now - KEPT
            connection.execute(delete(FIRINGS).where(*old))
            return made, changes

        return self._database.write(work)

    def assign(self, schedule: Schedule, devices: Collection[str], next_at: int, *, token: int, now: int) -> bool:
        """Have exactly these devices follow a local schedule, and look again at `next_at`; whether that changed
        anything. Raises LeaseLostError."""

        def work(connection: Connection) -> bool:
            leases.check(connection, LEASE, token)
            if not unchanged(connection, schedule):
                return False
            move_on(connection, schedule, next_at)
            return local_schedules.assign(connection, schedule.nql_id, schedule.definition.action, devices, now=now)

        return self._database.write(work)

    def look_from(self, nql_id: str, revision: int, next_at: int, *, token: int) -> None:
        """Bring the next due time of a schedule nearer: the clock was set back. Raises LeaseLostError."""

        def work(connection: Connection) -> None:
            leases.check(connection, LEASE, token)
            mine = (TABLE.c.nql_id == nql_id, TABLE.c.revision == revision, TABLE.c.next_at > next_at)
            connection.execute(update(TABLE).where(*mine).values(next_at=next_at))

        self._database.write(work)


def load(connection: Connection, nql_id: str) -> Schedule:
    """A schedule on the caller's connection. Raises NotFoundError."""
    row = connection.execute(_wide().where(TABLE.c.nql_id == nql_id)).one_or_none()
    if row is None:
        raise NotFoundError("unknown_schedule", f"there is no schedule {nql_id}")
    return _schedule(row)


def unchanged(connection: Connection, schedule: Schedule) -> bool:
    """Whether a schedule is still the one that was read, and nobody has decided in the meantime."""
    same = (TABLE.c.nql_id == schedule.nql_id, TABLE.c.revision == schedule.revision, TABLE.c.enabled)
    return connection.scalar(select(TABLE.c.next_at).where(*same)) == schedule.next_at


def move_on(connection: Connection, schedule: Schedule, next_at: int | None) -> None:
    """Look for due times from `next_at` on, in the caller's transaction."""
    connection.execute(update(TABLE).where(TABLE.c.nql_id == schedule.nql_id).values(next_at=next_at))


def _fire(
    connection: Connection, schedule: Schedule, decision: Decision, token: int, now: int
) -> tuple[Firing, list[Change]]:
    outcome, detail, run, changes = str(decision.outcome), decision.detail, None, list[Change]()
    if decision.request is not None:
        savepoint = connection.begin_nested()
        try:
            made, new = runs.create(connection, decision.request, now=now)
            savepoint.commit()
            run = made.id
            devices = decision.request.devices if new else ()
            changes = [Change(made.id, device, State.WAITING_ON_DEVICE) for device in sorted(set(devices))]
        except (RefusedError, NotFoundError, ConflictError) as error:
            savepoint.rollback()
            outcome, detail = "failed", str(error)
    firing = Firing(schedule.nql_id, decision.due_at, now, token, outcome, run, detail)
    connection.execute(insert(FIRINGS).values({name: getattr(firing, name) for name in Firing.__slots__}))
    told = {"due_at": decision.due_at, "outcome": outcome, "run": run, "detail": detail}
    audit.record(connection, audit.Entry(now, audit.PORTAL, "schedule.fired", f"schedule:{schedule.nql_id}", told))
    return firing, changes


def _check_change(before: Definition, after: Definition) -> None:
    # What devices report of a local schedule names the schedule alone, and may come days later.
    if (before.local or after.local) and (before.local, before.action) != (after.local, after.action):
        raise RefusedError("other_schedule", "a local schedule keeps its action and stays local: make another one")


def _check_room(connection: Connection) -> None:
    if len(connection.execute(select(TABLE.c.nql_id)).all()) >= MOST:
        raise RefusedError("too_many_schedules", f"there are at most {MOST} schedules; delete one first")


def _wide() -> Any:
    return select(TABLE, ACCOUNTS.c.name.label("owner_name")).join(ACCOUNTS, ACCOUNTS.c.id == TABLE.c.owner)


def _schedule(row: Row[Any]) -> Schedule:
    return Schedule(
        nql_id=row.nql_id,
        name=row.name,
        definition=read_definition(row.definition),
        local=row.local,
        owner=row.owner,
        owner_name=row.owner_name,
        revision=row.revision,
        enabled=row.enabled,
        next_at=row.next_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
    )


def _firing(row: Row[Any]) -> Firing:
    return Firing(row.schedule, row.due_at, row.fired_at, row.token, row.outcome, row.run, row.detail)
