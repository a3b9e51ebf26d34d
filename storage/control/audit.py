"""The audit log: who changed what, when. Writes the table `audit`, and nothing else does.

In: facts of a change, on the connection of that change, so that the two stand or fall together. Out: entries, newest
first. Invariant: append only (the database itself refuses updates and deletes). No secret is ever handed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from storage.control import schema
from storage.control.database import Database
from storage.control.records import from_json, to_json

PORTAL = "portal"  # the actor of what happens by itself: expiry, lost contact


@dataclass(frozen=True, slots=True)
class Entry:
    """One change. `actor` is `account:<name>`, `device:<uid>` or `portal`; `action` such as `run.created`;
    `subject` what it is about."""

    time: int
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    sequence: int = 0


def record(connection: Connection, entry: Entry) -> None:
    """Append one entry in the transaction of the change."""
    record_all(connection, [entry])


def record_all(connection: Connection, entries: Iterable[Entry]) -> None:
    """Append many entries in the transaction of their change."""
    rows = [
        {"time": e.time, "actor": e.actor, "action": e.action, "subject": e.subject, "detail": to_json(e.detail)}
        for e in entries
    ]
    if rows:
        connection.execute(insert(schema.audit), rows)


class Audit:
    """Reading the log, and noting what happens outside the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, entry: Entry) -> None:
        """Append the entry of a change that is no change of the database."""
        self._database.write(lambda connection: record(connection, entry))

    def latest(self, limit: int = 100, *, before: int | None = None, subject: str | None = None) -> list[Entry]:
        """Entries, newest first; `before` is a sequence to page on."""
        table = schema.audit
        query = select(table).order_by(table.c.sequence.desc()).limit(limit)
        if before is not None:
            query = query.where(table.c.sequence < before)
        if subject is not None:
            query = query.where(table.c.subject == subject)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [Entry(r.time, r.actor, r.action, r.subject, from_json(r.detail), r.sequence) for r in rows]
