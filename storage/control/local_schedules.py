"""Which device follows which local schedule, and what came of it there. Writes the table `local_schedules`, and
nothing else does.

In: the devices that a schedule's query means; ends of executions that devices reported. Out: what a device has to
follow; final rows of `remote_action.executions` and rows of `remote_action.local_schedules` for the tables.
Invariants: a result is known by (schedule, device, sequence) and counts once; sequences of a device only grow, so a
lower one has been taken; a device reports only what it was told to follow.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from storage.control import actions, audit, execution_rows, outbox, schema_schedules
from storage.control.database import Database
from storage.control.dispatch import Recorded
from storage.control.errors import RefusedError
from storage.control.outcomes import ERROR_BYTES, Outcome, cut, texts, typed, values
from storage.control.prepared import Prepared
from storage.control.schedule_definition import read
from storage.control.states import State

TABLE, SCHEDULES = schema_schedules.local_schedules, schema_schedules.schedules
ROWS = "remote_action.local_schedules"
DAY = 86_400_000_000
OLDEST = 30 * DAY  # an end that a device reports from before that is taken for one of now
SILENT_AFTER, SILENT_FOR = 10, DAY // 2
ENDS = frozenset({
    State.SUCCESS, State.FAILURE, State.INTERRUPTED, State.CANCELLED,
    State.NO_SCRIPT, State.OLD_COLLECTOR, State.POLICY_DENIED,
})  # fmt: skip
PIECE = 500
_FOLLOWED = Prepared(  # every device asks it with every look for work
    select(SCHEDULES.c.nql_id, SCHEDULES.c.revision, SCHEDULES.c.definition)
    .join(TABLE, TABLE.c.schedule == SCHEDULES.c.nql_id)
    .where(TABLE.c.device == bindparam("of_device"), TABLE.c.assigned, SCHEDULES.c.enabled, SCHEDULES.c.local)
    .order_by(SCHEDULES.c.nql_id)
)


@dataclass(frozen=True, slots=True)
class Followed:
    """A local schedule as one device has to follow it: its content as JSON text, and which revision that is."""

    schedule: str
    revision: int
    definition: str


class LocalSchedules:
    """What devices follow, and what they report of it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_device(self, device: str) -> list[Followed]:
        """What a device has to follow now, by id."""
        with self._database.read() as connection:
            return [Followed(*row) for row in _FOLLOWED.all(connection, of_device=device)]

    def state(self, schedule: str, device: str) -> tuple[str, str | None] | None:
        """How a schedule goes on a device, and more about it; None where it never was."""
        mine = (TABLE.c.schedule == schedule, TABLE.c.device == device)
        with self._database.read() as connection:
            row = connection.execute(select(TABLE.c.status, TABLE.c.detail).where(*mine)).one_or_none()
        return None if row is None else (row.status, row.detail)

    def take(self, schedule: str, device: str, sequence: int, outcome: Outcome, *, now: int) -> Recorded:
        """An execution of a local schedule ended on a device. Raises RefusedError."""
        if outcome.state not in ENDS:
            raise RefusedError("bad_state", f"a local schedule does not end in the state {outcome.state.value}")

        def work(connection: Connection) -> Recorded:
            mine = (TABLE.c.schedule == schedule, TABLE.c.device == device)
            row = connection.execute(select(TABLE).where(*mine)).one_or_none()
            if row is None:
                raise RefusedError("not_followed", "this device was never told to follow this schedule")
            if sequence <= row.sequence:
                return Recorded.DUPLICATE
            definition = connection.scalar(select(SCHEDULES.c.definition).where(SCHEDULES.c.nql_id == schedule)) or ""
            content = read(definition)
            ended = _execution(connection, row, sequence, outcome, content, now)
            outbox.put(connection, [(execution_rows.ROWS, ended)], now=now)
            connection.execute(update(TABLE).where(*mine).values(sequence=sequence))
            _judge(connection, row, content.action, outcome, now)
            detail = {"device": device, "sequence": sequence, "state": outcome.state.value}
            audit.record(
                connection, audit.Entry(now, f"device:{device}", "schedule.local_end", f"schedule:{schedule}", detail)
            )
            return Recorded.ACCEPTED

        return self._database.write(work)


def assign(connection: Connection, schedule: str, action: str, devices: Collection[str], *, now: int) -> bool:
    """Have exactly these devices follow a schedule, in the caller's transaction; whether that changed anything."""
    rows = connection.execute(select(TABLE.c.device, TABLE.c.assigned).where(TABLE.c.schedule == schedule)).all()
    known, following = {row.device for row in rows}, {row.device for row in rows if row.assigned}
    wanted = set(devices)
    new, back, gone = wanted - known, (wanted & known) - following, following - wanted
    first = {"schedule": schedule, "assigned": True, "sequence": 0, "status": "active", "changed_at": now}
    if new:
        connection.execute(insert(TABLE), [first | {"device": device} for device in sorted(new)])
    for some, values_ in ((back, {"assigned": True, "status": "active"}), (gone, _REMOVED)):
        for piece in _pieces(some):
            mine = (TABLE.c.schedule == schedule, TABLE.c.device.in_(piece))
            connection.execute(update(TABLE).where(*mine).values(**values_, detail=None, failures=0, changed_at=now))
    told = [_shown(device, action, "active", None, now) for device in sorted(new | back)]
    told += [_shown(device, action, "removed", None, now) for device in sorted(gone)]
    outbox.put(connection, [(ROWS, row) for row in told], now=now)
    if told:
        detail = {"added": len(new | back), "removed": len(gone), "devices": len(wanted)}
        entry = audit.Entry(now, audit.PORTAL, "schedule.assigned", f"schedule:{schedule}", detail)
        audit.record(connection, entry)
    return bool(told)


_REMOVED = {"assigned": False, "status": "removed"}


def forget(connection: Connection, schedule: str, *, now: int) -> None:
    """Have no device follow a schedule that goes, in the caller's transaction. Results that come later are refused."""
    definition = connection.scalar(select(SCHEDULES.c.definition).where(SCHEDULES.c.nql_id == schedule))
    if definition is not None:
        assign(connection, schedule, read(definition).action, (), now=now)
    connection.execute(delete(TABLE).where(TABLE.c.schedule == schedule))


def _judge(connection: Connection, row: Row[Any], action: str, outcome: Outcome, now: int) -> None:
    """How the schedule goes on the device after an end: as the device itself sees it (agent/recurring.py)."""
    failures = 0 if outcome.state is State.SUCCESS else row.failures + 1
    said = outcome.detail or outcome.error or outcome.state.value
    if failures == 0:
        status, detail = "active", None
    elif failures < SILENT_AFTER:
        status, detail = "failing", cut(f"{failures} failures in a row: {said}", 1024)
    else:
        status, detail = "silent", cut(f"silent for 12 h after {failures} failures in a row: {said}", 1024)
    if not row.assigned:
        status, detail = row.status, row.detail
    mine = (TABLE.c.schedule == row.schedule, TABLE.c.device == row.device)
    change = {"failures": failures, "status": status, "detail": detail}
    if (status, detail) != (row.status, row.detail):
        change["changed_at"] = now
        outbox.put(connection, [(ROWS, _shown(row.device, action, status, detail, now))], now=now)
    connection.execute(update(TABLE).where(*mine).values(change))


def _shown(device: str, action: str, status: str, detail: str | None, now: int) -> dict[str, Any]:
    return {
        "@device": device, "@remote_action": action, "status": status, "status_details": detail, "time": now,
    }  # fmt: skip


def _execution(
    connection: Connection, row: Row[Any], sequence: int, outcome: Outcome, content: Any, now: int
) -> dict[str, Any]:
    """The final row of `remote_action.executions`: of the device's end, at the time it says, if that can be."""
    action = actions.load(connection, content.action)
    kept, problems = typed(action.outputs, outcome.outputs)
    types = execution_rows.output_types(connection, content.action)
    ended = outcome.finished_at or now
    ended = ended if now - OLDEST <= ended <= now else now
    began = outcome.started_at if outcome.started_at is not None and outcome.finished_at is not None else None
    took = (outcome.finished_at or 0) - began if began is not None else None
    said = "; ".join([*([outcome.detail] if outcome.detail else []), *problems[:20]])
    return {
        "@device": row.device,
        "@remote_action": content.action,
        "time": ended,
        "request_time": ended if took is None or not 0 <= took <= DAY else ended - took,
        "request_id": row.schedule,
        "execution_id": _id(row.schedule, row.device, sequence),
        "status": outcome.state.value,
        "status_details": said or (outcome.error and cut(outcome.error, ERROR_BYTES)) or None,
        "outputs": values(types, kept),
        "inputs": texts(dict(content.parameters)),
        "trigger_method": "scheduled",
        "internal_source": f"local schedule {row.schedule}",
        "external_source": None,
        "external_reference": None,
        "trigger_reason": None,
        "purpose": action.purpose[0],
        "number_of_executions": 1,
        "triggered_by": None,
        "duration": took if took is not None and 0 <= took <= DAY else None,
    }


def _id(schedule: str, device: str, sequence: int) -> str:
    """The same id for the same execution, however often its end comes."""
    return str(UUID(bytes=sha256(f"{schedule}\n{device}\n{sequence}".encode()).digest()[:16]))


def _pieces(devices: Collection[str]) -> list[list[str]]:
    whole = sorted(devices)
    return [whole[start : start + PIECE] for start in range(0, len(whole), PIECE)]
