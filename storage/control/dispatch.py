"""The device's side of executions: what it may run now, and what it says of it. The caller has checked who speaks,
and the signature.

In: a device uid, and reports by (run, device, attempt). Out: orders; for each report whether it counted. Invariants:
the attempt is a fencing token (reports of another one are kept as history and change nothing); a report may come any
number of times; only an execution that was handed out can be reported; `lost_contact` is replaced by one result,
once.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
    or_,
    select,
)

from storage.control import actions, audit, executions, schema
from storage.control.database import Database
from storage.control.errors import RefusedError
from storage.control.executions import Change
from storage.control.ids import Random
from storage.control.outcomes import ERROR_BYTES, Outcome, cut, typed
from storage.control.pacing import RETRIED, again, put_off
from storage.control.prepared import Prepared, among, texts
from storage.control.records import from_json, to_json
from storage.control.states import FINAL, NEXT, OPEN, REPORTED, RUNNING, State

TABLE = schema.executions
SECOND = 1_000_000
# An order whose start was not reported by then is handed out again; the device knows it by run and attempt.
LEASE = 15 * SECOND
GRACE = 300 * SECOND  # after start + timeout, before contact is lost
AT_ONCE = 2
LONGEST_WAIT = 86_400 * SECOND  # that a script may wait for its user at a time
LONGEST = 49 * 86_400 * SECOND


class Recorded(Enum):
    """What became of a report: it counted, it had counted before, or it came too late or of an older attempt and
    is history."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Order:
    """What a device is told to run. `content` is the canonical JSON whose SHA-256 is `version`; times in
    microseconds UTC."""

    run: str
    device: str
    execution: str
    attempt: int
    nonce: str
    action: str
    version: str
    content: str
    parameters: dict[str, str]
    expires_at: int
    timeout: int
    priority: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """A run that the device shall stop. It answers with a finished report of state `cancelled` (or the end that
    came first)."""

    run: str
    attempt: int
    nonce: str


class Dispatch:
    """Handing out work and taking reports. `listen` is told of every change after it is durable, in the thread
    that made it."""

    def __init__(
        self, database: Database, tell: Callable[[Iterable[Change]], None], random: Random = secrets.token_bytes
    ) -> None:
        self._database = database
        self._tell = tell
        self._random = random

    def claim_work(
        self, device: str, *, now: int, limit: int = AT_ONCE, held: Collection[tuple[str, int]] | None = None
    ) -> list[Order]:
        """Orders for a device, at most as many as may run beside what runs there; persons' runs before schedules'.

        Leased for LEASE, unless the device says which (run, attempt) it has under way: then what it lacks is handed
        out again at once.
        """
        if not self.has_work(device, now=now, held=held):
            return []

        def work(connection: Connection) -> tuple[list[Order], list[Change]]:
            free = min(limit, AT_ONCE) - _RUNNING.first(connection, of_device=device).count
            rows, changes = _claim(connection, device, now, free, held)
            return [_order(connection, row) for row in rows], changes

        orders, changes = self._database.write(work)
        self._tell(changes)
        return orders

    def cancellations(self, device: str) -> list[Cancel]:
        """What the device is asked to stop and has not answered yet."""
        with self._database.read() as connection:
            return [Cancel(*row) for row in _CANCELS.all(connection, of_device=device)]

    def waiting_devices(self, *, now: int) -> set[str]:
        """Devices that have something to fetch, an order or a cancel: what the slow tick nudges again."""
        with self._database.read() as connection:
            return {row.device for row in _WAITING.all(connection, now=now)}

    def is_waited_for(self, device: str, *, now: int) -> bool:
        """Whether a device is one of them: what it is told when it comes."""
        with self._database.read() as connection:
            return _WAITED_FOR.first(connection, of_device=device, now=now) is not None

    def opened(self, after: int, until: int) -> set[str]:
        """Devices with something that may be fetched since an instant in (after, until]: a window opened, or a retry
        is due."""
        with self._database.read() as connection:
            found = _OPENED.all(connection, after=after, until=until)
        # What may be fetched from its beginning on was told by whoever made it.
        late = [row for row in found if row.open_from > row.changed_at or row.attempt > 1]
        return {row.device for row in late if row.state == State.WAITING_ON_DEVICE.value}

    def record_started(
        self, run: str, device: str, attempt: int, *, started_at: int, now: int, nonce: str | None = None
    ) -> Recorded:
        """The script runs. `started_at` is the device's clock, brought between the claim and now; `nonce` that of the
        order, looked at where it is given. Raises NotFoundError, RefusedError."""

        def work(connection: Connection) -> tuple[Recorded, list[Change]]:
            row = _reported(connection, run, device, attempt, nonce)
            if attempt < row.attempt:
                return _older(connection, row, attempt, State.IN_PROGRESS, {"started_at": started_at}, now), []
            began = min(max(started_at, row.claimed_at), now)
            if row.state != State.WAITING_ON_DEVICE.value:
                if row.state == State.LOST_CONTACT.value and row.started_at is None:
                    executions.note(connection, row, {"started_at": began})
                return Recorded.DUPLICATE, []
            values = {"started_at": began, "deadline": max(began + row.timeout, now) + GRACE, "lease_until": None}
            return Recorded.ACCEPTED, executions.move(
                connection, [row], State.IN_PROGRESS, values, by=f"device:{device}", now=now
            )

        return self._record(work)

    def record_progress(
        self,
        run: str,
        device: str,
        attempt: int,
        state: State,
        *,
        changed_at: int,
        now: int,
        until: int | None = None,
        nonce: str | None = None,
    ) -> Recorded:
        """The script waits for its user, `until` then at the most, or goes on. Both are of the device's clock;
        `changed_at` orders what it says. The wait does not count towards the time that the script may take. Raises
        NotFoundError, RefusedError."""
        if state not in RUNNING:
            raise RefusedError("bad_state", f"{state.value} is not how a running script stands")

        def work(connection: Connection) -> tuple[Recorded, list[Change]]:
            row = _reported(connection, run, device, attempt, nonce)
            if attempt < row.attempt or State(row.state) not in OPEN:
                return Recorded.STALE, []
            if row.progress_at is not None and changed_at <= row.progress_at:
                return Recorded.DUPLICATE, []
            values: dict[str, Any] = {"progress_at": changed_at, "lease_until": None}
            values["started_at"] = row.started_at or min(max(changed_at, row.claimed_at), now)
            wait = min(max(0, (until or changed_at) - changed_at), LONGEST_WAIT)
            values["deadline"] = now + wait + row.timeout + GRACE
            if row.state == state.value:
                executions.note(connection, row, values)
                return Recorded.DUPLICATE, []
            by = f"device:{device}"
            return Recorded.ACCEPTED, executions.move(connection, [row], state, values, by=by, now=now)

        return self._record(work)

    def record_finished(
        self, run: str, device: str, attempt: int, outcome: Outcome, *, now: int, nonce: str | None = None
    ) -> Recorded:
        """The execution ended. Outputs that are not declared or not of their type are left out and said so. Raises
        NotFoundError, RefusedError."""
        if outcome.state not in REPORTED:
            raise RefusedError("bad_state", f"a device does not report the state {outcome.state.value}")
        body = _body(outcome)

        def work(connection: Connection) -> tuple[Recorded, list[Change]]:
            row = _reported(connection, run, device, attempt, nonce)
            if attempt < row.attempt:
                return _older(connection, row, attempt, outcome.state, body, now), []
            if State(row.state) in FINAL:
                if row.state != outcome.state.value:
                    executions.keep(connection, row, "after_the_end", attempt, outcome.state.value, body, now=now)
                return Recorded.DUPLICATE, []
            if row.settled_at is not None:
                executions.keep(connection, row, "after_the_end", attempt, outcome.state.value, body, now=now)
                return Recorded.STALE, []
            if row.state == State.LOST_CONTACT.value:
                before = {"detail": row.detail, "changed_at": row.changed_at}
                executions.keep(connection, row, "replaced", attempt, row.state, before, now=now)
            if outcome.state not in NEXT[State(row.state)]:
                raise RefusedError("bad_state", f"what is {row.state} does not become {outcome.state.value}")
            if (changes := again(connection, row, outcome, self._random, now=now)) is not None:
                return Recorded.ACCEPTED, changes
            values, detail = _ended(connection, row, outcome, now)
            return Recorded.ACCEPTED, executions.move(
                connection, [row], outcome.state, values, by=f"device:{device}", now=now, detail=detail
            )

        return self._record(work)

    def _record(self, work: Callable[[Connection], tuple[Recorded, list[Change]]]) -> Recorded:
        recorded, changes = self._database.write(work)
        self._tell(changes)
        return recorded

    def has_work(self, device: str, *, now: int, held: Collection[tuple[str, int]] | None = None) -> bool:
        """Whether `claim_work` would find something."""
        with self._database.read() as connection:  # most pulls find nothing, and then nothing is written
            return _ANY[held is None].first(connection, of_device=device, now=now, apart=_apart(held or ())) is not None


def _claim(
    connection: Connection, device: str, now: int, free: int, held: Collection[tuple[str, int]] | None
) -> tuple[list[Row[Any]], list[Change]]:
    """Lease what a device may fetch; what must not begin now is put off, and what comes after it is looked at."""
    taken: list[Row[Any]] = []
    changes: list[Change] = []
    late = True
    while late and len(taken) < free:
        late = False
        apart = _apart([*(held or ()), *((row.run, row.attempt) for row in taken)])
        most = free - len(taken)
        for row in _NEXT[held is None].all(connection, of_device=device, now=now, apart=apart, most=most):
            put, changed = put_off(connection, row, now=now)
            late, changes = late or put, changes + changed
            if not put:
                _lease(connection, row, now)
                taken.append(row)
    return taken, changes


def _lease(connection: Connection, row: Row[Any], now: int) -> None:
    executions.note(connection, row, {"claimed_at": row.claimed_at or now, "lease_until": now + LEASE})
    if row.claimed_at is None:
        detail = {"device": row.device, "attempt": row.attempt}
        entry = audit.Entry(now, f"device:{row.device}", "execution.claimed", f"run:{row.run}", detail)
        audit.record(connection, entry)


def _apart(named: Iterable[tuple[str, int]]) -> str:
    """Executions that are not meant, as one parameter."""
    return to_json([f"{run} {attempt}" for run, attempt in named])


def _claimable(leased: bool) -> tuple[Any, ...]:
    """What a device may fetch; where it does not say what it has, what was handed out shortly ago is `leased`."""
    now: BindParameter[int] = bindparam("now", type_=BigInteger)
    fresh = (
        (TABLE.c.state == State.WAITING_ON_DEVICE.value)
        & (TABLE.c.expires_at > now)
        & TABLE.c.cancel_at.is_(None)
        & (TABLE.c.open_from <= now)
    )
    handed = (TABLE.c.state == State.WAITING_ON_DEVICE.value) & TABLE.c.claimed_at.is_not(None)
    unknown = (TABLE.c.state == State.LOST_CONTACT.value) & TABLE.c.started_at.is_(None) & TABLE.c.settled_at.is_(None)
    states = among(TABLE.c.state, (State.WAITING_ON_DEVICE, State.LOST_CONTACT))
    apart = texts(bindparam("apart", type_=Text))
    other = (TABLE.c.run + " " + cast(TABLE.c.attempt, Text)).not_in(apart)
    mine = (TABLE.c.device == bindparam("of_device"), states, other, or_(fresh, handed, unknown))
    return (*mine, _unleased(now)) if leased else mine


def _unleased(now: BindParameter[int]) -> ColumnElement[bool]:
    """Not handed out shortly ago. No lease ends further ahead than LEASE, unless the clock was set back meanwhile."""
    until = TABLE.c.lease_until
    return or_(until.is_(None), until <= now, until > now + LEASE)


def _to_fetch() -> tuple[Any, ...]:
    """What a device is nudged for."""
    now: BindParameter[int] = bindparam("now", type_=BigInteger)
    open_now = (TABLE.c.open_from <= now) | TABLE.c.claimed_at.is_not(None)  # as `_claimable` has it
    waiting = (TABLE.c.state == State.WAITING_ON_DEVICE.value) & _unleased(now) & open_now
    lost = (TABLE.c.state == State.LOST_CONTACT.value) & _unleased(now) & TABLE.c.started_at.is_(None)
    states = among(TABLE.c.state, (State.WAITING_ON_DEVICE, State.LOST_CONTACT, *RUNNING))
    stop = (TABLE.c.state != State.LOST_CONTACT.value) & TABLE.c.cancel_at.is_not(None)
    return states, or_(waiting, lost & TABLE.c.settled_at.is_(None), stop)


_WAITING = Prepared(select(TABLE.c.device).where(*_to_fetch()).distinct())
_WAITED_FOR = Prepared(select(TABLE.c.device).where(TABLE.c.device == bindparam("of_device"), *_to_fetch()).limit(1))
# The index holds only such instants and is used only where that is said; the state is looked at afterwards, as SQLite
# would rather go through all that waits.
_OPENED = Prepared(
    select(TABLE.c.device, TABLE.c.state, TABLE.c.open_from, TABLE.c.changed_at, TABLE.c.attempt).where(
        TABLE.c.open_from > literal_column("0"),
        TABLE.c.open_from > bindparam("after", type_=BigInteger),
        TABLE.c.open_from <= bindparam("until", type_=BigInteger),
    )
)
# A lost contact comes last: it only asks what became of an order whose start nobody heard of.
_ORDER = ((TABLE.c.state == State.LOST_CONTACT.value), TABLE.c.priority, TABLE.c.run)
_NEXT = {
    leased: Prepared(executions.wide().where(*_claimable(leased)).order_by(*_ORDER).limit(bindparam("most")))
    for leased in (False, True)
}
_ANY = {leased: Prepared(select(TABLE.c.run).where(*_claimable(leased)).limit(1)) for leased in (False, True)}
_MINE = TABLE.c.device == bindparam("of_device")
_RUNNING = Prepared(select(func.count().label("count")).where(_MINE, among(TABLE.c.state, RUNNING)))
_CANCELS = Prepared(
    select(TABLE.c.run, TABLE.c.attempt, TABLE.c.nonce)
    .where(_MINE, among(TABLE.c.state, (State.WAITING_ON_DEVICE, *RUNNING)), TABLE.c.cancel_at.is_not(None))
    .limit(100)
)


def _order(connection: Connection, row: Row[Any]) -> Order:
    return Order(
        run=row.run,
        device=row.device,
        execution=row.id,
        attempt=row.attempt,
        nonce=row.nonce,
        action=row.action,
        version=row.version,
        content=actions.content_of(connection, row.action, row.version),
        parameters=from_json(row.parameters),
        expires_at=row.expires_at,
        timeout=row.timeout,
        priority=row.priority,
    )


def _reported(connection: Connection, run: str, device: str, attempt: int, nonce: str | None) -> Row[Any]:
    row = executions.one(connection, run, device)
    if nonce is not None and attempt == row.attempt and nonce != row.nonce:
        raise RefusedError("bad_nonce", "the report is not about the order that was handed out")
    claimed = row.claimed_at is not None or attempt < row.attempt  # an attempt is followed only by one that ended
    if not claimed or not 0 < attempt <= row.attempt:
        raise RefusedError("not_ordered", "this execution was never handed to this device")
    return row


def _older(
    connection: Connection, row: Row[Any], attempt: int, state: State, body: Mapping[str, Any], now: int
) -> Recorded:
    """A report of an attempt that another one followed: said again, or something else and kept beside."""
    ended = executions.kept_state(connection, row, RETRIED, attempt)
    if ended is not None and state in (State.IN_PROGRESS, State(ended)):
        return Recorded.DUPLICATE
    executions.keep(connection, row, "older_attempt", attempt, state.value, body, now=now)
    return Recorded.STALE


def _body(outcome: Outcome) -> dict[str, Any]:
    return asdict(outcome) | {"state": outcome.state.value, "outputs": dict(outcome.outputs)}


def _ended(connection: Connection, row: Row[Any], outcome: Outcome, now: int) -> tuple[dict[str, Any], str | None]:
    declared = actions.outputs_of(actions.content_of(connection, row.action, row.version))
    outputs, problems = typed(declared, outcome.outputs)
    detail = "; ".join([outcome.detail, *problems[:20]] if outcome.detail else problems[:20])
    values: dict[str, Any] = {"outputs": to_json(outputs), "exit_code": outcome.exit_code, "lease_until": None}
    values["error"] = outcome.error and cut(outcome.error, ERROR_BYTES)
    if outcome.started_at is not None and row.started_at is None:
        values["started_at"] = min(max(outcome.started_at, row.claimed_at), now)
    if outcome.started_at is not None and outcome.finished_at is not None:
        took = outcome.finished_at - outcome.started_at  # by one clock, however wrong it is
        values["duration"] = took if 0 <= took <= LONGEST else None
    began = values.get("started_at", row.started_at) or row.claimed_at
    values["finished_at"] = min(max(outcome.finished_at or now, began), now)
    return values, detail or None
