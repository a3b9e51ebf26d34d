"""Runs: requests to run an action on a frozen set of devices. Writes the table `runs`, and nothing else does.

In: a request with its devices. Out: runs. Invariants: a run and one execution for each of its devices come into being
in one transaction; the device set never changes and is known by its digest; the same idempotency key of the same
requester gives the same run, never two. How executions go on is the matter of `executions`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from storage.control import actions, audit, executions, schema
from storage.control.database import Database
from storage.control.errors import ConflictError, NotFoundError, RefusedError
from storage.control.ids import Random, uuid7
from storage.control.manifest import check_parameters
from storage.control.records import digest_of_devices, digest_of_json, from_json, to_json

TABLE = schema.runs
MOST_DEVICES = 10_000
SECOND = 1_000_000
SCHEDULED = frozenset({"automatic", "scheduled"})


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
            row = connection.execute(select(TABLE).where(TABLE.c.id == identifier)).one_or_none()
        if row is None:
            raise NotFoundError("unknown_run", "there is no such run")
        return _run(row)

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
    asked = _digest_of(request)
    if (before := _repeated(connection, request, asked)) is not None:
        return before, False
    action = actions.load(connection, request.action)
    parameters = check_parameters(action.inputs, request.parameters)
    values = _values(request, action, parameters, devices, now, uuid7(now, random)) | {"request_digest": asked}
    connection.execute(insert(TABLE).values(values))
    executions.add(connection, values, devices, random)
    run = _run(connection.execute(select(TABLE).where(TABLE.c.id == values["id"])).one())
    detail = {
        "action": run.action,
        "version": run.version,
        "devices": len(devices),
        "digest": run.digest,
        "target": run.target_text,
    }
    audit.record(connection, audit.Entry(now, f"account:{run.requested_by}", "run.created", f"run:{run.id}", detail))
    return run, True


def _digest_of(request: RunRequest) -> str:
    # A target given as NQL is the same request although its devices may differ by now.
    target = request.target_text if request.target_text is not None else sorted(set(request.devices))
    return digest_of_json([request.action, dict(request.parameters), target, request.trigger_method, request.reason])


def _repeated(connection: Connection, request: RunRequest, asked: str) -> Run | None:
    if request.idempotency_key is None:
        return None
    same = (TABLE.c.requested_by == request.requested_by, TABLE.c.idempotency_key == request.idempotency_key)
    row = connection.execute(select(TABLE).where(*same)).one_or_none()
    if row is not None and row.request_digest != asked:
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
        "schedule": request.schedule,
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
    )
