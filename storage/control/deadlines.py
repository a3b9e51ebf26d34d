"""What time, and people who cancel, do to executions.

In: the instant of a tick, or a person's cancel. Out: the changes made. Invariants: an execution that was never handed
out expires or is cancelled for good; one that was handed out may be running, so silence makes it `lost_contact` and a
cancel is a request that the device answers. Only so is a final state never contradicted by what the device says
later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, or_, select

from storage.control import audit, executions, runs, schema
from storage.control.database import Database
from storage.control.executions import Change
from storage.control.states import OPEN, RUNNING, State

TABLE = schema.executions
SECOND = 1_000_000
START_GRACE = 120 * SECOND  # for the report of a start just before expiry
SETTLED = 30 * 86_400 * SECOND  # a contact lost for so long is the end
BATCH = 1000


class Deadlines:
    """Expiry, lost contact, settling, cancelling."""

    def __init__(self, database: Database, tell: Callable[[Iterable[Change]], None]) -> None:
        self._database = database
        self._tell = tell

    def tick(self, *, now: int) -> int:
        """Do all that is due; returns the number of executions changed."""
        return sum(len(step(now=now)) for step in (self.expire, self.overdue, self.settle))

    def expire(self, *, now: int) -> list[Change]:
        """Waiting executions past their expiry: expired, or of unknown fate where the order was handed out."""
        due = (TABLE.c.state == State.WAITING_ON_DEVICE.value, TABLE.c.expires_at <= now)
        quiet = or_(TABLE.c.claimed_at.is_(None), TABLE.c.expires_at <= now - START_GRACE)

        def work(connection: Connection, rows: Sequence[Row[Any]]) -> list[Change]:
            changes: list[Change] = []
            for (state, detail), some in _expired(rows).items():
                changes += executions.move(connection, some, state, {}, by=audit.PORTAL, now=now, detail=detail)
            return changes

        return self._each((*due, quiet), work)

    def overdue(self, *, now: int) -> list[Change]:
        """Started executions past start + timeout + grace: contact is lost, until a later signed result."""
        due = (TABLE.c.state.in_([state.value for state in RUNNING]), TABLE.c.deadline <= now)
        detail = "no result came within the time the script may take"

        def work(connection: Connection, rows: Sequence[Row[Any]]) -> list[Change]:
            return executions.move(connection, rows, State.LOST_CONTACT, {}, by=audit.PORTAL, now=now, detail=detail)

        return self._each(due, work)

    def settle(self, *, now: int) -> list[Change]:
        """Contacts lost for longer than any device is away: that is their end, and goes to the tables."""
        due = (
            TABLE.c.state == State.LOST_CONTACT.value,
            TABLE.c.settled_at.is_(None),
            TABLE.c.changed_at <= now - SETTLED,
        )

        def work(connection: Connection, rows: Sequence[Row[Any]]) -> list[Change]:
            for row in rows:
                executions.note(connection, row, {"settled_at": now})
                entry = audit.Entry(now, audit.PORTAL, "execution.settled", f"run:{row.run}", {"device": row.device})
                audit.record(connection, entry)
            executions.put_final(connection, rows, now=now)
            return [Change(row.run, row.device, State.LOST_CONTACT) for row in rows]

        return self._each(due, work)

    def cancel(
        self, run: str, device: str | None = None, *, only: Sequence[str] | None = None, by: str, now: int
    ) -> tuple[list[Change], list[str]]:
        """Cancel a run, or one device of it, or `only` some: what was cancelled at once, and the devices that are asked
        to stop. Raises NotFoundError."""

        def work(connection: Connection) -> tuple[list[Change], list[str]]:
            return cancel_in(connection, run, device, only=only, by=by, now=now)

        changes, asked = self._database.write(work)
        self._tell(changes)
        return changes, asked

    def _each(
        self, due: tuple[Any, ...], work: Callable[[Connection, Sequence[Row[Any]]], list[Change]]
    ) -> list[Change]:
        with self._database.read() as connection:  # most ticks find nothing, and then nothing is written
            if connection.scalar(select(TABLE.c.run).where(*due).limit(1)) is None:
                return []
        every: list[Change] = []
        while True:
            changes = self._database.write(
                lambda c: work(c, c.execute(executions.wide().where(*due).limit(BATCH)).all())
            )
            self._tell(changes)
            every += changes
            if len(changes) < BATCH:
                return every


def _expired(rows: Iterable[Row[Any]]) -> dict[tuple[State, str], list[Row[Any]]]:
    """Executions past their expiry, by what becomes of them and why."""
    found: dict[tuple[State, str], list[Row[Any]]] = {}
    for row in rows:
        if row.claimed_at is not None:
            what = State.LOST_CONTACT, "the order was handed to the device, but no start was reported before it expired"
        elif row.attempt > 1:
            what = State.EXPIRED, f"{row.detail}; attempt {row.attempt} did not begin in time"
        elif row.open_from is None:
            what = State.EXPIRED, "the run expired before the wave of this device was released"
        else:
            what = State.EXPIRED, "the device did not fetch it in time"
        found.setdefault(what, []).append(row)
    return found


def cancel_in(
    connection: Connection,
    run: str,
    device: str | None = None,
    *,
    only: Sequence[str] | None = None,
    by: str,
    now: int,
) -> tuple[list[Change], list[str]]:
    """As `Deadlines.cancel`, in the caller's transaction. Raises NotFoundError."""
    asked = runs.load(connection, run)
    if device is None and only is None and now < asked.expires_at:  # nothing may begin any more, nor a device join
        entry = audit.Entry(now, by, "run.cancelled", f"run:{run}", {})
        runs.change(connection, run, {"expires_at": now}, entry, only_from=("running", "halted"))
    mine = executions.wide().where(TABLE.c.run == run)
    if only is not None:
        mine = mine.where(TABLE.c.device.in_(only))
    if device is not None:
        executions.one(connection, run, device)
        mine = mine.where(TABLE.c.device == device)
    return _cancel(connection, connection.execute(mine).all(), by, now)


def cancel_all_of(connection: Connection, device: str, *, by: str, now: int) -> list[Change]:
    """Cancel what a device that leaves has not begun, in the caller's transaction."""
    states = [state.value for state in OPEN]
    rows = connection.execute(executions.wide().where(TABLE.c.device == device, TABLE.c.state.in_(states))).all()
    return _cancel(connection, rows, by, now)[0]


def _cancel(connection: Connection, rows: Iterable[Row[Any]], by: str, now: int) -> tuple[list[Change], list[str]]:
    live = [row for row in rows if State(row.state) in OPEN]
    never = [row for row in live if row.claimed_at is None]
    changes = executions.move(
        connection, never, State.CANCELLED, {}, by=by, now=now, detail=f"cancelled by {by.removeprefix('account:')}"
    )
    asked = [row for row in live if row.claimed_at is not None and row.cancel_at is None]
    for row in asked:
        executions.note(connection, row, {"cancel_at": now})
        entry = audit.Entry(
            now, by, "execution.cancel_asked", f"run:{row.run}", {"device": row.device, "attempt": row.attempt}
        )
        audit.record(connection, entry)
    return changes, [row.device for row in asked]
