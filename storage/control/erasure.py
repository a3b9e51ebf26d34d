"""Erasing a device or a person from the control database, and how far an erasure is. Writes the table `erasures`, and
takes rows and words out of the tables of others, as nothing else does.

In: who is to be forgotten, by which words texts name it. Out: erasures with their state, what went, where people wrote
the name themselves. Invariants: a state is left only when all of it is done, so that an erasure goes on over any crash;
a device is revoked before anything of it goes; when it is done nothing of whom it was is left but a digest; the audit
log says who asked, and stays a chain.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Row, Text, and_, delete, func, insert, or_, select, update

from storage.control import (
    audit,
    schema,
    schema_campaigns,
    schema_erasure,
    schema_schedules,
    schema_trust,
    schema_workflows,
    tombstones,
)
from storage.control.database import Database
from storage.control.errors import NotFoundError, RefusedError
from storage.control.executions import Change
from storage.control.ids import Random, uuid7
from storage.control.records import from_json, to_json
from storage.control.states import State
from storage.control.tombstones import DEVICE
from storage.control.words import mentions
from storage.naming import ERASED, Naming, naming

TABLE = schema_erasure.erasures
ASKED, REVOKED, CONTROL_ERASED, TABLES_ERASED, DONE = STATES = (
    "asked", "revoked", "control_erased", "tables_erased", "done"
)  # fmt: skip
NOTHING = Naming()
MOST_WAITING = 10_000
EMPTIED = ""  # the kind of a message whose row named what is erased
_OF_DEVICE = {  # what goes with a device, by the column that names it
    "executions": schema.executions.c.device,
    "reports": schema.execution_history.c.device,
    "presence": schema.presence.c.device,
    "local_schedules": schema_schedules.local_schedules.c.device,
    "workflow_executions": schema_workflows.workflow_executions.c.device,
    "campaign_responses": schema_campaigns.responses.c.device,
    "people_present": schema_campaigns.people_present.c.device,
}
_OF_PERSON = {  # what goes with a person, and with a device for the accounts that are its own
    "campaign_responses": schema_campaigns.responses.c.person,
    "people_present": schema_campaigns.people_present.c.person,
}
_WORDS = (  # texts of what happened, in which a word may stand
    (schema.runs, ("parameters", "target_text", "reason", "internal_source", "external_source", "external_reference",
                   "idempotency_key", "state_detail", "plan")),
    (schema.executions, ("detail", "outputs", "error")),
    (schema.execution_history, ("body",)),
    (schema.outbox, ("payload",)),
    (schema_schedules.firings, ("detail",)),
    (schema_workflows.workflow_requests, ("parameters", "reason", "external_source", "external_reference",
                                          "idempotency_key")),
    (schema_workflows.workflow_executions, ("detail", "outcome_detail", "outputs")),
    (schema_campaigns.requests, ("parameters", "content", "cause")),
    (schema_campaigns.responses, ("named", "detail", "answers", "comments")),
    (schema_schedules.local_schedules, ("detail",)),
    (schema_trust.webhook_deliveries, ("body", "error")),
)  # fmt: skip
_UNIQUE = frozenset({"idempotency_key"})  # which two that were blanked would share
_WRITTEN = {  # what people wrote and mean, which is told to them and left to them
    "query": (schema.saved_queries.c.nql_id, (schema.saved_queries.c.text, schema.saved_queries.c.description)),
    "schedule": (schema_schedules.schedules.c.nql_id, (schema_schedules.schedules.c.definition,)),
    "campaign": (schema_campaigns.campaigns.c.nql_id, (schema_campaigns.campaigns.c.definition,)),
    "role": (schema.roles.c.name, (schema.roles.c.domain,)),
    "workflow": (schema_workflows.workflow_versions.c.nql_id, (schema_workflows.workflow_versions.c.content,)),
    "configured": (schema.configured_items.c.name, (schema.configured_items.c.definition,)),
    "credential": (schema.api_credentials.c.name, (schema.api_credentials.c.description,)),
}


@dataclass(frozen=True, slots=True)
class Erasure:
    """One erasure. `digest` says whom without saying it; `subject` and `words` are None once the tables have nothing
    of it; `report` is what went. Times are microseconds UTC."""

    id: str
    kind: str
    digest: str
    subject: str | None
    words: Naming | None
    state: str
    report: Mapping[str, Any]
    error: str | None
    asked_by: str
    asked_at: int
    changed_at: int
    done_at: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """What the control database has of somebody: rows and entries by what they are, and what people wrote that names
    it."""

    counts: dict[str, int]
    written: list[str]


class Erasures:
    """Erasures and their way. `tell` hears of runs whose executions went."""

    def __init__(
        self, database: Database, tell: Callable[[Iterable[Change]], None], random: Random = secrets.token_bytes
    ) -> None:
        self._database = database
        self._tell = tell
        self._random = random

    # --- asking --------------------------------------------------------------------------------
    def ask(self, kind: str, key: str, *, by: str, now: int) -> Erasure:
        """Have a device or a person erased; the erasure that is under way already, if one is. Raises RefusedError."""

        def work(connection: Connection) -> Erasure:
            salt = tombstones.salt_of(connection)
            digest = tombstones.digest(salt, kind, key)
            before = connection.execute(select(TABLE).where(TABLE.c.digest == digest, TABLE.c.state != DONE)).first()
            if before is not None:
                return _erasure(before)
            waiting = select(func.count()).select_from(TABLE).where(TABLE.c.state != DONE)
            if (connection.scalar(waiting) or 0) >= MOST_WAITING:
                raise RefusedError("too_many_erasures", f"{MOST_WAITING} erasures are under way; ask again later")
            known = select(schema.devices.c.identity_key).where(schema.devices.c.uid == key)
            identity = connection.scalar(known) if kind == DEVICE else None
            identifier = uuid7(now, self._random)
            values = {
                "id": identifier, "kind": kind, "digest": digest, "subject": key, "state": ASKED,
                "identity": identity and tombstones.digest(salt, tombstones.KEY, identity.hex()), "report": "{}",
                "asked_by": by, "asked_at": now, "changed_at": now,
            }  # fmt: skip
            connection.execute(insert(TABLE).values(values))
            detail = {"kind": kind, "digest": digest}
            audit.record(connection, audit.Entry(now, by, "erasure.asked", f"erasure:{identifier}", detail))
            return _one(connection, identifier)

        return self._database.write(work)

    def erasure(self, identifier: str) -> Erasure:
        """One erasure. Raises NotFoundError."""
        with self._database.read() as connection:
            return _one(connection, identifier)

    def latest(self, limit: int = 1000, *, before: str | None = None) -> list[Erasure]:
        """Erasures, newest first; `before` is the id of one to page on from."""
        query = select(TABLE).order_by(TABLE.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(TABLE.c.id < before)
        with self._database.read() as connection:
            return [_erasure(row) for row in connection.execute(query)]

    def unfinished(self) -> list[Erasure]:
        """Those that are not done, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(TABLE).where(TABLE.c.state != DONE).order_by(TABLE.c.id))
            return [_erasure(row) for row in rows]

    def done(self, kind: str, key: str) -> Erasure | None:
        """The newest erasure of somebody that is done, None if there is none."""
        with self._database.read() as connection:
            digest = tombstones.digest(tombstones.salt_of(connection), kind, key)
            query = select(TABLE).where(TABLE.c.digest == digest, TABLE.c.state == DONE).order_by(TABLE.c.id.desc())
            row = connection.execute(query.limit(1)).first()
        return None if row is None else _erasure(row)

    def among(self, kind: str, keys: Iterable[str], digests: Iterable[str]) -> list[str]:
        """Those of these keys whose digest is among some: who has to be erased again after a backup was restored."""
        wanted = set(digests)
        with self._database.read() as connection:
            salt = tombstones.salt_of(connection)
        return sorted(key for key in set(keys) if tombstones.digest(salt, kind, key) in wanted)

    # --- what there is --------------------------------------------------------------------------
    def names_of(self, uid: str, beside: Naming = NOTHING) -> Naming:
        """By which words a device is or was known here, but for a name that another device has, too; and `beside`."""
        devices, log = schema.devices, audit.TABLE
        mine = select(log.c.detail).where(log.c.subject == f"device:{uid}")
        with self._database.read() as connection:
            row = connection.execute(select(devices).where(devices.c.uid == uid)).one_or_none()
            called = {from_json(detail).get("name") for detail in connection.scalars(mine)}
            called.add(row.name if row else None)
            others = select(devices.c.name).where(devices.c.uid != uid, devices.c.name.in_([*filter(None, called)]))
            shared = set(connection.scalars(others))
        ids = [*beside.ids, uid, row.collector_uid if row else None]
        return naming(ids, [*beside.names, *sorted({*filter(None, called)} - shared)])

    def found(self, kind: str, key: str, words: Naming) -> Found:
        """What would go, and what would stay as people wrote it."""
        with self._database.read() as connection:
            counts = {}
            for what, column in (_OF_DEVICE if kind == DEVICE else _OF_PERSON).items():
                held = select(func.count()).select_from(column.table).where(column == key)
                counts[what] = connection.scalar(held) or 0
            counts["audit_entries"] = len(audit.naming_entries(connection, words))
            return Found(counts, _written(connection, words))

    # --- the way -------------------------------------------------------------------------------
    def revoked(self, identifier: str, words: Naming, *, now: int) -> None:
        """Nobody sends under its name any more; by these words it is known."""
        self._to(identifier, ASKED, REVOKED, now, {"words": to_json(words)})

    def erase_here(self, identifier: str, *, now: int) -> None:
        """Take it out of this database, in one transaction. Raises NotFoundError, UnavailableError."""
        asked = self.erasure(identifier)
        words, key = asked.words or Naming(), asked.subject or ""
        if asked.state != REVOKED:
            return
        with self._database.read() as connection:  # the long look holds nobody up
            newest = connection.scalar(select(func.max(audit.TABLE.c.sequence))) or 0
            named = audit.naming_entries(connection, words)

        def work(connection: Connection) -> list[Change]:
            if _one(connection, identifier).state != REVOKED:
                return []
            entries = [*named, *audit.naming_entries(connection, words, after=newest)]
            erase = _erase_device if asked.kind == DEVICE else _erase_person
            changes, report = erase(connection, key)
            for table, columns in _WORDS:
                report[table.name] = report.get(table.name, 0) + _blank(connection, table, columns, words)
            report["audit_entries"] = audit.blank(
                connection, words, entries, f"erasure:{identifier}", by=asked.asked_by, now=now
            )
            report = {what: count + asked.report.get(what, 0) for what, count in report.items()}
            report["written"] = _written(connection, words)
            values = {"state": CONTROL_ERASED, "changed_at": now, "report": to_json(report), "error": None}
            connection.execute(update(TABLE).where(TABLE.c.id == identifier).values(values))
            return changes

        self._tell(self._database.write(work))

    def tables_erased(self, identifier: str, *, now: int) -> None:
        """No valid file of the tables has anything of it. From now on nothing here says who it was."""
        self._to(identifier, CONTROL_ERASED, TABLES_ERASED, now, {"subject": None, "words": None})

    def again(self, identifier: str, *, now: int) -> None:
        """Something of it came while it was erased: from here on once more."""
        self._to(identifier, CONTROL_ERASED, REVOKED, now, {})

    def finish(self, identifier: str, *, now: int) -> None:
        """No file has anything of it."""

        def work(connection: Connection) -> None:
            asked = _one(connection, identifier)
            if asked.state != TABLES_ERASED:
                return
            values = {"state": DONE, "error": None, "changed_at": now, "done_at": now}
            connection.execute(update(TABLE).where(TABLE.c.id == identifier).values(values))
            detail = {"kind": asked.kind, "digest": asked.digest, "report": dict(asked.report)}
            entry = audit.Entry(now, audit.PORTAL, "erasure.done", f"erasure:{identifier}", detail)
            audit.record(connection, entry)

        self._database.write(work)

    def waits(self, identifier: str, error: str, *, now: int) -> None:
        """It could not go on, and why."""
        change = update(TABLE).where(TABLE.c.id == identifier, TABLE.c.state != DONE)
        self._database.note(lambda c: c.execute(change.values(error=error[:500], changed_at=now)))

    def clean(self) -> bool:
        """Leave no byte of what was deleted in the database's files; False if it is to be tried again."""
        return self._database.clean()

    def _to(self, identifier: str, before: str, state: str, now: int, values: Mapping[str, Any]) -> None:
        """On from a state; nothing where another process has gone on already."""
        change = update(TABLE).where(TABLE.c.id == identifier, TABLE.c.state == before)
        whole = {**values, "state": state, "changed_at": now, "error": None}
        self._database.write(lambda connection: connection.execute(change.values(whole)))


def _erase_device(connection: Connection, uid: str) -> tuple[list[Change], dict[str, Any]]:
    """Delete a device's rows; the executions that went, and how many rows of what."""
    runs = connection.scalars(select(schema.executions.c.run).where(schema.executions.c.device == uid))
    changes = [Change(run, uid, State.CANCELLED) for run in runs]
    report: dict[str, Any] = {
        what: connection.execute(delete(column.table).where(column == uid)).rowcount
        for what, column in _OF_DEVICE.items()
    }
    for what, column in _OF_PERSON.items():  # the keys of its own accounts begin with the device
        own = delete(column.table).where(column.startswith(f"{uid}:", autoescape=True))
        report[what] += connection.execute(own).rowcount
    keys, devices = schema.enrol_keys, schema.devices
    connection.execute(delete(keys).where(keys.c.device == uid, keys.c.used_at.is_(None)))
    connection.execute(update(keys).where(or_(keys.c.used_by == uid, keys.c.device == uid)).values(
        used_by=ERASED, device=None
    ))  # fmt: skip
    report["devices"] = connection.execute(delete(devices).where(devices.c.uid == uid)).rowcount
    report["outbox"] = _empty_messages(connection, uid)
    return changes, report


def _erase_person(connection: Connection, key: str) -> tuple[list[Change], dict[str, Any]]:
    """Delete a person's rows; how many rows of what."""
    report: dict[str, Any] = {
        what: connection.execute(delete(column.table).where(column == key)).rowcount
        for what, column in _OF_PERSON.items()
    }
    return [], report | {"outbox": _empty_messages(connection, key)}


def _empty_messages(connection: Connection, uid: str) -> int:
    """Messages keep their numbers, by which the tables know what they have; those of a device or a person say nothing
    more."""
    outbox, emptied = schema.outbox, 0
    for row in connection.execute(select(outbox).where(mentions(naming([uid]), outbox.c.payload))).all():
        said = from_json(row.payload)
        if uid in (said.get("@device"), said.get("@user"), said.get("uid")):
            change = update(outbox).where(outbox.c.sequence == row.sequence)
            emptied += connection.execute(change.values(kind=EMPTIED, payload="{}")).rowcount
    return emptied


def _blank(connection: Connection, table: Any, names: Iterable[str], words: Naming) -> int:
    """Take words out of texts of a table; how many rows."""
    columns: list[Column[Any]] = [table.c[name] for name in names]
    assert all(isinstance(column.type, Text) for column in columns)
    changed = 0
    for row in connection.execute(select(table).where(mentions(words, *columns))).all():
        before = {column.name: row._mapping[column.name] for column in columns}
        after = {name: words.blanked(text) for name, text in before.items() if text is not None}
        less = {name: None if name in _UNIQUE else text for name, text in after.items() if text != before[name]}
        if less:
            mine = and_(*(column == row._mapping[column.name] for column in table.primary_key.columns))
            changed += connection.execute(update(table).where(mine).values(less)).rowcount
    return changed


def _written(connection: Connection, words: Naming) -> list[str]:
    """What people wrote that holds the words, as `query:#x`."""
    return sorted({
        f"{what}:{row[0]}"
        for what, (name, texts) in _WRITTEN.items()
        for row in connection.execute(select(name, *texts).where(mentions(words, *texts)))
        if any(text and words.blanked(text) != text for text in row[1:])
    })  # fmt: skip


def _one(connection: Connection, identifier: str) -> Erasure:
    row = connection.execute(select(TABLE).where(TABLE.c.id == identifier)).one_or_none()
    if row is None:
        raise NotFoundError("unknown_erasure", "there is no such erasure")
    return _erasure(row)


def _erasure(row: Row[Any]) -> Erasure:
    return Erasure(
        id=row.id,
        kind=row.kind,
        digest=row.digest,
        subject=row.subject,
        words=None if row.words is None else msgspec.json.decode(row.words, type=Naming),
        state=row.state,
        report=from_json(row.report),
        error=row.error,
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        changed_at=row.changed_at,
        done_at=row.done_at,
    )
