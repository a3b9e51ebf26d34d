"""Queries that people keep under an id. Writes the table `saved_queries`, and nothing else does.

In: an id with its leading `#`, a name, a description, the text. Out: the same with who changed it when. Invariants: a
text is kept as it was written, but for blanks around it, and never run from here; what says nothing new writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from storage.control import audit, schema
from storage.control.database import Database
from storage.control.errors import NotFoundError, RefusedError

TABLE = schema.saved_queries
MOST = 10_000


@dataclass(frozen=True, slots=True)
class SavedQuery:
    """A query that was kept."""

    nql_id: str
    name: str
    description: str
    text: str
    updated_at: int
    updated_by: str


class SavedQueries:
    """Keeping, finding and removing them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, nql_id: str, name: str, description: str, text: str, *, by: str, now: int) -> SavedQuery:
        """Keep a query under an id, in the place of what was there. Raises RefusedError."""
        said = {"name": name.strip(), "description": description.strip(), "text": text.strip()}
        if not said["text"] or not said["name"]:
            raise RefusedError("bad_saved_query", "a saved query has a name and a text")

        def work(connection: Connection) -> SavedQuery:
            known = _row(connection, nql_id)
            if known is None and (connection.scalar(select(func.count()).select_from(TABLE)) or 0) >= MOST:
                raise RefusedError("too_many", f"there can be at most {MOST} saved queries")
            if known is not None and all(getattr(known, name) == value for name, value in said.items()):
                return _saved(known)
            values: dict[str, Any] = {**said, "updated_at": now, "updated_by": by}
            if known is None:
                connection.execute(insert(TABLE).values(nql_id=nql_id, created_at=now, **values))
            else:
                connection.execute(update(TABLE).where(TABLE.c.nql_id == nql_id).values(values))
            audit.record(connection, audit.Entry(now, by, "saved_query.saved", f"saved_query:{nql_id}", said))
            return SavedQuery(nql_id, **values)

        return self._database.write(work)

    def query(self, nql_id: str) -> SavedQuery:
        """One query. Raises NotFoundError."""
        with self._database.read() as connection:
            row = _row(connection, nql_id)
        if row is None:
            raise _unknown(nql_id)
        return _saved(row)

    def everything(self) -> list[SavedQuery]:
        """All queries, by id."""
        with self._database.read() as connection:
            return [_saved(row) for row in connection.execute(select(TABLE).order_by(TABLE.c.nql_id))]

    def delete(self, nql_id: str, *, by: str, now: int) -> None:
        """Remove a query. Raises NotFoundError."""

        def work(connection: Connection) -> None:
            known = _row(connection, nql_id)
            if known is None:
                raise _unknown(nql_id)
            connection.execute(delete(TABLE).where(TABLE.c.nql_id == nql_id))
            detail = {"name": known.name, "text": known.text}
            audit.record(connection, audit.Entry(now, by, "saved_query.deleted", f"saved_query:{nql_id}", detail))

        self._database.write(work)


def _row(connection: Connection, nql_id: str) -> Row[Any] | None:
    return connection.execute(select(TABLE).where(TABLE.c.nql_id == nql_id)).one_or_none()


def _saved(row: Row[Any]) -> SavedQuery:
    return SavedQuery(row.nql_id, row.name, row.description, row.text, row.updated_at, row.updated_by)


def _unknown(nql_id: str) -> NotFoundError:
    return NotFoundError("unknown_saved_query", f"there is no saved query {nql_id[:300]}")
