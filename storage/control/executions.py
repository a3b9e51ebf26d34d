"""The executions of runs: one row a device. Writes the tables `executions` and `execution_history`, and nothing else
does.

In: changes of state, decided by `dispatch` (what devices say) and `deadlines` (what time says). Out: executions, and
their form as rows of `remote_action.executions`. Invariants: a state changes only along `states.NEXT`; with each
change goes an audit row, and with each final one an outbox row, in the same transaction.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, bindparam, case, func, insert, select, update

from storage.control import audit, outbox, schema
from storage.control.database import Database
from storage.control.errors import NotFoundError
from storage.control.execution_rows import ROWS, table_rows
from storage.control.ids import Random, uuid7
from storage.control.outcomes import cut
from storage.control.prepared import Prepared, texts
from storage.control.records import from_json, to_json
from storage.control.states import FINAL, NEXT, OPEN, WELL, State

TABLE, HISTORY, RUNS = schema.executions, schema.execution_history, schema.runs
PIECE = 500
HELD = "held"  # what waits for its wave, or for its run to go on
T = TypeVar("T")
JOINED = "run.joined"  # devices that came to a run later, in the log
TOLD = ("execution.%", JOINED)
HISTORY_MOST = 20  # entries kept of one execution: a hostile device may send any number
_STANDS = case(
    (TABLE.c.open_from.is_(None) & (TABLE.c.state == State.WAITING_ON_DEVICE.value), HELD), else_=TABLE.c.state
)


@dataclass(frozen=True, slots=True)
class Change:
    """An execution went to another state (or came into being)."""

    run: str
    device: str
    state: State


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution. Times are microseconds UTC, `duration` microseconds on the device, `outputs` physical values
    by name."""

    run: str
    device: str
    id: str
    state: State
    detail: str | None
    attempt: int
    nonce: str
    changed_at: int
    expires_at: int
    claimed_at: int | None
    started_at: int | None
    deadline: int | None
    finished_at: int | None
    cancel_at: int | None
    exit_code: int | None
    outputs: Mapping[str, Any]
    error: str | None
    duration: int | None
    wave: int
    open_from: int | None  # when it may be fetched; None: held back

    @property
    def waits(self) -> bool:
        """Whether it was not handed out yet."""
        return self.state is State.WAITING_ON_DEVICE and self.claimed_at is None

    @property
    def held(self) -> bool:
        """Whether it waits for its wave, or for its run to go on."""
        return self.waits and self.open_from is None


class Executions:
    """Reading executions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def execution(self, run: str, device: str) -> Execution:
        """One execution. Raises NotFoundError."""
        with self._database.read() as connection:
            return _execution(one(connection, run, device))

    def of_run(
        self,
        run: str,
        *,
        limit: int = 1000,
        offset: int = 0,
        after: str | None = None,
        devices: Sequence[str] | None = None,
    ) -> list[Execution]:
        """The executions of a run, or those of some devices in it, in the order of their devices; those `after` one, if
        it is named."""
        query = select(TABLE).where(TABLE.c.run == run).order_by(TABLE.c.device).limit(limit).offset(offset)
        if after is not None:
            query = query.where(TABLE.c.device > after)
        if devices is not None:
            query = query.where(TABLE.c.device.in_(texts(to_json(list(devices)))))
        with self._database.read() as connection:
            return [_execution(row) for row in connection.execute(query)]

    def changed_after(self, run: str, position: int, most: int) -> tuple[int, list[str], bool]:
        """The devices whose execution of a run came into being or changed its state after a position, the position up
        to which these are all of them, and whether there are more; so many changes at most. Whoever goes on from there
        misses none."""
        with self._database.read() as connection:
            head = audit.head(connection)
            found = audit.about(connection, f"run:{run}", (position, head), TOLD, most)
        devices = dict.fromkeys(uid for entry in found for uid in _devices_in(entry.detail))
        more = len(found) == most
        return (found[-1].sequence if more else head), list(devices), more

    def position(self) -> int:
        """The position after all changes that are made by now."""
        with self._database.read() as connection:
            return audit.head(connection)

    def counts(self, *runs: str) -> dict[str, dict[str, int]]:
        """For each of these runs, how many of its executions are in each state that any is in; those that are held
        back are counted as `held`."""
        query = select(TABLE.c.run, _STANDS, func.count()).where(TABLE.c.run.in_(runs))
        found: dict[str, dict[str, int]] = {run: {} for run in runs}
        with self._database.read() as connection:
            for run, name, count in connection.execute(query.group_by(TABLE.c.run, _STANDS)):
                found[run][name] = count
        return found

    def waves(self, run: str) -> dict[int, dict[str, int]]:
        """For each wave of a run, how many of its executions are in each state; those that are held back are counted
        as `held`."""
        query = select(TABLE.c.wave, _STANDS, func.count()).where(TABLE.c.run == run).group_by(TABLE.c.wave, _STANDS)
        found: dict[int, dict[str, int]] = {}
        with self._database.read() as connection:
            for wave, name, count in connection.execute(query.order_by(TABLE.c.wave)):
                found.setdefault(wave, {})[name] = count
        return found

    def waves_among(self, runs: Sequence[str], devices: Collection[str]) -> dict[str, dict[int, dict[str, int]]]:
        """As `waves`, of several runs, counting the executions of some devices alone; runs without any are left out."""
        query = (
            select(TABLE.c.run, TABLE.c.wave, _STANDS, func.count())
            .where(TABLE.c.run.in_(runs), TABLE.c.device.in_(texts(to_json(sorted(devices)))))
            .group_by(TABLE.c.run, TABLE.c.wave, _STANDS)
        )
        found: dict[str, dict[int, dict[str, int]]] = {}
        with self._database.read() as connection:
            for run, wave, name, count in connection.execute(query.order_by(TABLE.c.wave)):
                found.setdefault(run, {}).setdefault(wave, {})[name] = count
        return found

    def devices_of(self, run: str) -> list[str]:
        """The devices of a run, in order."""
        query = select(TABLE.c.device).where(TABLE.c.run == run).order_by(TABLE.c.device)
        with self._database.read() as connection:
            return list(connection.scalars(query))

    def ended_badly(self, run: str) -> list[str]:
        """The devices of a run whose execution is over and did not end well."""
        bad = [state.value for state in State if state is State.EXPIRED or state not in OPEN | WELL]
        query = select(TABLE.c.device).where(TABLE.c.run == run, TABLE.c.state.in_(bad)).order_by(TABLE.c.device)
        with self._database.read() as connection:
            return list(connection.scalars(query))

    def open_counts(self) -> dict[str, int]:
        """How many executions are in each state that is not final, over all runs."""
        states = sorted(state.value for state in (*OPEN, State.LOST_CONTACT))
        query = select(TABLE.c.state, func.count()).where(TABLE.c.state.in_(states)).group_by(TABLE.c.state)
        with self._database.read() as connection:
            return dict.fromkeys(states, 0) | {row[0]: row[1] for row in connection.execute(query)}

    def history(self, run: str, device: str) -> list[dict[str, Any]]:
        """What was reported of an execution and did not become, or no longer is, its state; oldest first."""
        query = (
            select(HISTORY)
            .where(HISTORY.c.run == run, HISTORY.c.device == device)
            .order_by(HISTORY.c.received_at, HISTORY.c.id)
        )
        with self._database.read() as connection:
            return [dict(row._mapping) | {"body": from_json(row.body)} for row in connection.execute(query)]

    def rows_after(self, sequence: int) -> list[dict[str, Any]]:
        """Rows of `remote_action.executions` that the tables, having all up to `sequence`, lack: open ones and
        later finals; one instant."""
        provisional = [state.value for state in (*OPEN, State.LOST_CONTACT)]
        with self._database.read() as connection:
            later = [message.row for message in outbox.after(connection, sequence, table=ROWS)]
            found = connection.execute(wide().where(TABLE.c.state.in_(provisional), TABLE.c.settled_at.is_(None))).all()
            return table_rows(connection, found) + later


def add(
    connection: Connection,
    run: Mapping[str, Any],
    waves: Mapping[str, int],
    opens: Mapping[int, int],
    random: Random,
    *,
    now: int,
) -> None:
    """Executions of a run (its columns) in their waves, all waiting on their device; in the caller's transaction. A
    wave that `opens` does not name is held back."""
    common = {
        "run": run["id"], "state": State.WAITING_ON_DEVICE.value, "attempt": 1, "priority": run["priority"],
        "changed_at": now, "expires_at": run["expires_at"],
    }  # fmt: skip
    rows = [
        common | {"device": uid, "id": uuid7(now, random), "nonce": random(16).hex(), "wave": wave,
                  "open_from": opens.get(wave)}
        for uid, wave in waves.items()
    ]  # fmt: skip
    _INSERT.many(connection, rows)


def set_open(connection: Connection, run: str, waves: range, open_from: int | None) -> list[str]:
    """Let devices fetch what was never handed out in these waves, from an instant on, or hold it back (None); the
    devices that it is about."""
    mine = (
        TABLE.c.run == run,
        TABLE.c.state == State.WAITING_ON_DEVICE.value,
        TABLE.c.claimed_at.is_(None),
        TABLE.c.wave.between(waves.start, waves.stop - 1),
        TABLE.c.open_from.is_(None) if open_from is not None else TABLE.c.open_from.is_not(None),
    )
    devices = list(connection.scalars(select(TABLE.c.device).where(*mine).order_by(TABLE.c.device)))
    connection.execute(update(TABLE).where(*mine).values(open_from=open_from))
    return devices


def known_devices(connection: Connection, run: str) -> set[str]:
    """The devices that have an execution in a run."""
    return set(connection.scalars(select(TABLE.c.device).where(TABLE.c.run == run)))


def count_states(connection: Connection, run: str, waves: range | None = None) -> dict[str, int]:
    """How many executions of a run, or of some of its waves, are in each state."""
    query = select(TABLE.c.state, func.count()).where(TABLE.c.run == run).group_by(TABLE.c.state)
    if waves is not None:
        query = query.where(TABLE.c.wave.between(waves.start, waves.stop - 1))
    return {row[0]: row[1] for row in connection.execute(query)}


_INSERT = Prepared(
    insert(TABLE),
    ("run", "device", "id", "state", "attempt", "nonce", "priority", "changed_at", "expires_at", "wave", "open_from"),
)


def wide() -> Select[Any]:
    """Executions with the columns of their run beside them."""
    beside = ("action", "version", "parameters", "trigger_method", "requested_by", "requested_at", "timeout", "purpose",
              "reason", "internal_source", "external_source", "external_reference")  # fmt: skip
    names = (*(RUNS.c[name] for name in beside), RUNS.c.plan, RUNS.c.state.label("run_state"))
    return select(TABLE, *names).join(RUNS, RUNS.c.id == TABLE.c.run)


_ONE = Prepared(wide().where(TABLE.c.run == bindparam("of_run"), TABLE.c.device == bindparam("of_device")))
_Wide: Any = namedtuple("_Wide", wide().selected_columns.keys())  # type: ignore[misc]  # the columns of the table and of the run


def one(connection: Connection, run: str, device: str) -> Row[Any]:
    """The wide row of one execution. Raises NotFoundError."""
    row: Row[Any] | None = _ONE.first(connection, of_run=run, of_device=device)
    if row is None:
        raise NotFoundError("unknown_execution", "this device has no execution in this run")
    return row


def move(
    connection: Connection,
    rows: Iterable[Row[Any]],
    state: State,
    values: Mapping[str, Any],
    *,
    by: str,
    now: int,
    detail: str | None = None,
) -> list[Change]:
    """Bring executions (wide rows, read in this transaction) to another state, with audit and outbox. `values` are
    other columns."""
    rows = list(rows)
    for row in rows:
        if state not in NEXT[State(row.state)]:
            raise ValueError(f"an execution does not go from {row.state} to {state.value}")
    change = {**values, "state": state.value, "changed_at": now, "detail": detail and cut(detail, 4096)}
    _setting(tuple(change)).many(connection, [{**change, "of_id": row.id} for row in rows])
    audit.record_all(
        connection,
        [
            audit.Entry(
                now,
                by,
                f"execution.{state.value}",
                f"run:{row.run}",
                {"device": row.device, "attempt": row.attempt, "before": row.state},
            )
            for row in rows
        ],
    )
    if state in FINAL:
        _put(connection, [_Wide._make(row)._replace(**change) for row in rows], now)
    return [Change(row.run, row.device, state) for row in rows]


def put_final(connection: Connection, rows: Iterable[Row[Any]], *, now: int) -> None:
    """Send the rows of these executions, as they are now, to the tables."""
    for some in batched(rows):
        _put(connection, connection.execute(wide().where(TABLE.c.id.in_([row.id for row in some]))).all(), now)


def _put(connection: Connection, rows: Iterable[Any], now: int) -> None:
    outbox.put(connection, [(ROWS, row) for row in table_rows(connection, rows)], now=now)


@lru_cache(maxsize=64)
def _setting(columns: tuple[str, ...]) -> Prepared:
    return Prepared(update(TABLE).where(TABLE.c.id == bindparam("of_id")), columns)


def batched(rows: Iterable[T]) -> Iterator[list[T]]:
    """The rows (or keys) in pieces small enough for one statement."""
    whole = list(rows)
    for start in range(0, len(whole), PIECE):
        yield whole[start : start + PIECE]


def note(connection: Connection, row: Row[Any], values: Mapping[str, Any]) -> None:
    """Change columns of an execution that are not its state."""
    _setting(tuple(values)).run(connection, {**values, "of_id": row.id})


def keep(connection: Connection, row: Row[Any], kind: str, attempt: int, state: str, body: object, *, now: int) -> None:
    """Put a report beside the execution that does not (or no longer) decide its state; a bounded number of them."""
    mine = (HISTORY.c.run == row.run, HISTORY.c.device == row.device)
    kept = connection.scalar(select(func.count()).select_from(HISTORY).where(*mine)) or 0
    same = select(HISTORY.c.id).where(
        *mine, HISTORY.c.kind == kind, HISTORY.c.attempt == attempt, HISTORY.c.body == to_json(body)
    )
    if kept >= HISTORY_MOST or connection.scalar(same) is not None:
        return
    values = {
        "id": uuid7(now), "run": row.run, "device": row.device, "attempt": attempt, "kind": kind, "state": state,
        "body": to_json(body), "received_at": now,
    }  # fmt: skip
    connection.execute(insert(HISTORY).values(values))


def kept_state(connection: Connection, row: Row[Any], kind: str, attempt: int) -> str | None:
    """The state of what is kept of an attempt, None if nothing of this kind is."""
    mine = (HISTORY.c.run == row.run, HISTORY.c.device == row.device)
    query = select(HISTORY.c.state).where(*mine, HISTORY.c.kind == kind, HISTORY.c.attempt == attempt)
    return connection.scalar(query)


def _devices_in(detail: Mapping[str, Any]) -> Iterator[str]:
    """The devices that an entry of the log is about; none where an erasure took them out."""
    found = [detail.get("device"), *detail.get("devices", ())]
    return (uid for uid in found if isinstance(uid, str))


def _execution(row: Row[Any]) -> Execution:
    return Execution(
        run=row.run,
        device=row.device,
        id=row.id,
        state=State(row.state),
        detail=row.detail,
        attempt=row.attempt,
        nonce=row.nonce,
        changed_at=row.changed_at,
        expires_at=row.expires_at,
        claimed_at=row.claimed_at,
        started_at=row.started_at,
        deadline=row.deadline,
        finished_at=row.finished_at,
        cancel_at=row.cancel_at,
        exit_code=row.exit_code,
        outputs=from_json(row.outputs) or {},
        error=row.error,
        duration=row.duration,
        wave=row.wave,
        open_from=row.open_from,
    )
