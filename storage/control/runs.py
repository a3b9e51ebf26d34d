"""Runs: requests to run an action on a frozen set of devices. Writes the table `runs`, and nothing else does.

In: a request with its devices. Out: runs. Invariants: a run and one execution for each of its devices come into being
in one transaction; the device set never changes and is known by its digest; the same idempotency key of the same
requester gives the same run, never two. How executions go on is the matter of `executions`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from storage.control import actions, audit, executions, plans, schema
from storage.control.database import Database
from storage.control.errors import ConflictError, NotFoundError, RefusedError
from storage.control.ids import Random, uuid7
from storage.control.manifest import check_parameters
from storage.control.pacing import plan_of, recent
from storage.control.plans import Plan, check, check_time, next_open, waves_of
from storage.control.prepared import Prepared
from storage.control.records import digest_of_devices, digest_of_json, from_json, to_json

TABLE = schema.runs
MOST_DEVICES = plans.MOST_DEVICES
SECOND = 1_000_000
SCHEDULED = frozenset({"automatic", "scheduled"})
EVERYONE_AT_ONCE = Plan()


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What is asked. `devices` is the frozen set; `target_text` the NQL it came from; `expires_at` bounds the start."""

    action: str
    devices: tuple[str, ...]
    requested_by: str
    expires_at: int
    parameters: Mapping[str, str] = field(default_factory=dict)
    target_text: str | None = None
    trigger_method: str = "api"
    reason: str | None = None
    internal_source: str | None = None
    external_source: str | None = None
    external_reference: str | None = None
    idempotency_key: str | None = None
    schedule: str | None = None  # the schedule whose firing asks
    plan: Plan = EVERYONE_AT_ONCE
    retry_of: str | None = None  # the run whose failed devices it is for


@dataclass(frozen=True, slots=True)
class Run:
    """One run. Times are microseconds UTC; `digest` is SHA-256 over the sorted device uids, one a line."""

    id: str
    action: str
    version: str
    parameters: Mapping[str, str]
    target_kind: str
    target_text: str | None
    device_count: int
    digest: str
    trigger_method: str
    requested_by: str
    requested_at: int
    expires_at: int
    reason: str | None
    plan: Plan
    state: str  # running | halted | ended
    state_detail: str | None
    wave: int  # the newest that was released, counted from 0
    wave_at: int
    ended_at: int | None
    schedule: str | None
    retry_of: str | None
    skipped: int  # devices left out because they ran the action not long ago


class Runs:
    """Asking for runs and finding them."""

    def __init__(self, database: Database, random: Random = secrets.token_bytes) -> None:
        self._database = database
        self._random = random

    def create_run(self, request: RunRequest, *, now: int) -> tuple[Run, bool]:
        """As `create`, in a transaction of its own."""
        return self._database.write(lambda connection: create(connection, request, self._random, now=now))

    def run(self, identifier: str) -> Run:
        """One run. Raises NotFoundError."""
        with self._database.read() as connection:
            return load(connection, identifier)

    def repeated(self, request: RunRequest) -> Run | None:
        """The run that this request's idempotency key has made already. Raises ConflictError."""
        with self._database.read() as connection:
            return _repeated(connection, request)

    def stopped(self, request: RunRequest, detail: Mapping[str, Any], *, now: int) -> None:
        """Log that a guard stopped a request before anything was stored."""
        subject = f"action:{request.action}"
        entry = audit.Entry(now, f"account:{request.requested_by}", "run.stopped", subject, detail)
        self._database.write(lambda connection: audit.record(connection, entry))

    def latest(self, limit: int = 50, *, before: str | None = None) -> list[Run]:
        """Runs, newest first; `before` is the id of a run to page on from."""
        query = select(TABLE).order_by(TABLE.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(TABLE.c.id < before)
        with self._database.read() as connection:
            return [_run(row) for row in connection.execute(query)]


def create(
    connection: Connection, request: RunRequest, random: Random = secrets.token_bytes, *, now: int
) -> tuple[Run, bool]:
    """Store a run with its executions, in the caller's transaction; False if the idempotency key had made it before.
    Raises NotFoundError, RefusedError, ConflictError."""
    devices = sorted(set(request.devices))
    if not devices:
        raise RefusedError("no_devices", "the target has no devices")
    if len(devices) > MOST_DEVICES:
        raise RefusedError(
            "too_many_devices", f"a run takes at most {MOST_DEVICES} devices, the target has {len(devices)}"
        )
    if request.expires_at <= now:
        raise RefusedError("expired", "the run would expire before it begins")
    if (before := _repeated(connection, request)) is not None:
        return before, False
    check(request.plan)
    check_time(request.plan, now, request.expires_at)
    action = actions.load(connection, request.action)
    parameters = check_parameters(action.inputs, request.parameters)
    due = _due(connection, request, devices, now)
    values = _values(request, action, parameters, due, now, uuid7(now, random)) | {"skipped": len(devices) - len(due)}
    _setting(tuple(values)).run(connection, values)
    waves = waves_of(request.plan, due, values["id"])
    executions.add(connection, values, waves, {0: next_open(request.plan.window, now)}, random, now=now)
    run = load(connection, values["id"])
    detail = {
        "action": run.action,
        "version": run.version,
        "devices": run.device_count,
        "skipped": run.skipped,
        "digest": run.digest,
        "target": run.target_text,
        "plan": values["plan"],
    }
    audit.record(connection, audit.Entry(now, f"account:{run.requested_by}", "run.created", f"run:{run.id}", detail))
    return run, True


@lru_cache(maxsize=8)
def _setting(columns: tuple[str, ...]) -> Prepared:
    return Prepared(insert(TABLE), columns)


_ONE = Prepared(select(TABLE).where(TABLE.c.id == bindparam("of_id")))


def load(connection: Connection, identifier: str) -> Run:
    """One run, read in the caller's transaction. Raises NotFoundError."""
    row = _ONE.first(connection, of_id=identifier)
    if row is None:
        raise NotFoundError("unknown_run", "there is no such run")
    return _run(row)


def change(
    connection: Connection, run: str, values: Mapping[str, Any], entry: audit.Entry, *, only_from: Iterable[str]
) -> bool:
    """Change columns of a run that is in one of some states, with the audit entry; False if it is in another."""
    done = connection.execute(update(TABLE).where(TABLE.c.id == run, TABLE.c.state.in_(only_from)).values(**values))
    if done.rowcount:
        audit.record(connection, entry)
    return bool(done.rowcount)


def _due(connection: Connection, request: RunRequest, devices: list[str], now: int) -> list[str]:
    if request.plan.once_every is None:
        return devices
    done = recent(connection, request.action, devices, since=now - request.plan.once_every * SECOND)
    if due := [uid for uid in devices if uid not in done]:
        return due
    last = timedelta(seconds=request.plan.once_every)
    message = f"all of {plans.counted(len(devices))} ran {request.action} not long ago (in the last {last})"
    raise RefusedError("no_devices", message)


def _digest_of(request: RunRequest) -> str:
    # A query, or the failed of a run, is the same request although its devices may differ by now.
    target = request.retry_of or request.target_text or sorted(set(request.devices))
    return digest_of_json(
        [request.action, dict(request.parameters), target, request.internal_source, request.reason, request.plan]
    )


def _repeated(connection: Connection, request: RunRequest) -> Run | None:
    if request.idempotency_key is None:
        return None
    same = (TABLE.c.requested_by == request.requested_by, TABLE.c.idempotency_key == request.idempotency_key)
    row = connection.execute(select(TABLE).where(*same)).one_or_none()
    if row is not None and row.request_digest != _digest_of(request):
        raise ConflictError("idempotency_key_used", "this idempotency key was used for another request")
    return None if row is None else _run(row)


def _values(
    request: RunRequest,
    action: actions.Action,
    parameters: dict[str, str],
    devices: list[str],
    now: int,
    identifier: str,
) -> dict[str, Any]:
    return {
        "id": identifier,
        "action": action.nql_id,
        "version": action.version,
        "parameters": to_json(parameters),
        "target_kind": "devices" if request.target_text is None else "nql",
        "target_text": request.target_text,
        "device_count": len(devices),
        "digest": digest_of_devices(devices),
        "trigger_method": request.trigger_method,
        "priority": 1 if request.trigger_method in SCHEDULED else 0,
        "requested_by": request.requested_by,
        "requested_at": now,
        "expires_at": request.expires_at,
        "timeout": action.timeout * SECOND,
        "purpose": action.purpose[0],
        "reason": request.reason,
        "internal_source": request.internal_source,
        "external_source": request.external_source,
        "external_reference": request.external_reference,
        "idempotency_key": request.idempotency_key,
        "request_digest": _digest_of(request),
        "schedule": request.schedule,
        "plan": to_json(request.plan),
        "wave_at": now,
        "retry_of": request.retry_of,
    }


def _run(row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        action=row.action,
        version=row.version,
        parameters=from_json(row.parameters),
        target_kind=row.target_kind,
        target_text=row.target_text,
        device_count=row.device_count,
        digest=row.digest,
        trigger_method=row.trigger_method,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        expires_at=row.expires_at,
        reason=row.reason,
        plan=plan_of(row.plan),
        state=row.state,
        state_detail=row.state_detail,
        wave=row.wave,
        wave_at=row.wave_at or row.requested_at,
        ended_at=row.ended_at,
        schedule=row.schedule,
        retry_of=row.retry_of,
        skipped=row.skipped,
    )
