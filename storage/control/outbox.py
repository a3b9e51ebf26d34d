"""What the tables have to be told. Writes the table `outbox`, and nothing else does.

In: rows for the tables, on the connection of the change they come from. Out: the same rows in sequence, for a relay
that appends them to the tables and then marks them. Invariants: sequence numbers only grow and are given inside the
one writer, so a reader that sees number n sees all before it; a marked row stays for a while, so that whoever cuts at
an older number still finds it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from storage.control import schema
from storage.control.database import Database
from storage.control.prepared import Prepared
from storage.control.records import from_json, to_json

TABLE = schema.outbox
_INSERT = Prepared(insert(TABLE), ("kind", "payload", "created_at"))
KEPT = 3_600_000_000  # how long a relayed row stays


@dataclass(frozen=True, slots=True)
class Message:
    """A row for a table: `table` is its catalog name, `row` maps stored columns and links (`@device`: key text) to
    physical values."""

    sequence: int
    table: str
    row: dict[str, Any]


def put(connection: Connection, rows: Iterable[tuple[str, dict[str, Any]]], *, now: int) -> None:
    """Append (table, row) pairs in the transaction of the change they tell of."""
    values = [{"kind": table, "payload": to_json(row), "created_at": now} for table, row in rows]
    if values:
        _INSERT.many(connection, values)


def after(
    connection: Connection, sequence: int, *, limit: int | None = None, table: str | None = None
) -> list[Message]:
    """The messages with a greater sequence number, oldest first; of one table if asked."""
    query = (
        select(TABLE.c.sequence, TABLE.c.kind, TABLE.c.payload)
        .where(TABLE.c.sequence > sequence)
        .order_by(TABLE.c.sequence)
    )
    if table is not None:
        query = query.where(TABLE.c.kind == table)
    return [Message(row.sequence, row.kind, from_json(row.payload)) for row in connection.execute(query.limit(limit))]


class Outbox:
    """The relay's side."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def relayed(self) -> int:
        """The greatest number up to which everything is marked as relayed; 0 before the first."""
        with self._database.read() as connection:
            first = connection.scalar(select(func.min(TABLE.c.sequence)).where(TABLE.c.relayed_at.is_(None)))
            if first is not None:
                return int(first) - 1
            return connection.scalar(select(func.max(TABLE.c.sequence))) or 0

    def next_batch(self, limit: int = 1000) -> list[Message]:
        """The oldest messages that are not relayed, at most `limit`; empty if all are.

        The group is fixed before it is handed out: until it is marked, also after a crash, the same messages come
        again, so that the number of the last one names the group for whoever must recognise it.
        """
        waiting = TABLE.c.relayed_at.is_(None)
        with self._database.read() as connection:
            if connection.scalar(select(TABLE.c.sequence).where(waiting).limit(1)) is None:
                return []

        def work(connection: Connection) -> list[Message]:
            query = select(TABLE).where(waiting).order_by(TABLE.c.sequence).limit(limit)
            rows = connection.execute(query).all()
            if rows and rows[0].batch is not None:
                again = select(TABLE).where(TABLE.c.batch == rows[0].batch).order_by(TABLE.c.sequence)
                rows = connection.execute(again).all()
            elif rows:
                last = rows[-1].sequence
                connection.execute(update(TABLE).where(waiting, TABLE.c.sequence <= last).values(batch=last))
            return [Message(row.sequence, row.kind, from_json(row.payload)) for row in rows]

        return self._database.write(work)

    def after(self, sequence: int, limit: int = 1000) -> list[Message]:
        """Up to `limit` messages with a greater sequence number, oldest first."""
        with self._database.read() as connection:
            return after(connection, sequence, limit=limit)

    def mark(self, sequence: int, *, now: int) -> None:
        """Everything up to this number is in the tables. The newest row always stays, so that `relayed` never
        falls back."""

        def work(connection: Connection) -> None:
            connection.execute(
                update(TABLE).where(TABLE.c.sequence <= sequence, TABLE.c.relayed_at.is_(None)).values(relayed_at=now)
            )
            connection.execute(
                delete(TABLE).where(
                    TABLE.c.relayed_at.is_not(None), TABLE.c.relayed_at < now - KEPT, TABLE.c.sequence < sequence
                )
            )

        self._database.write(work)

    def rewind(self, sequence: int) -> None:
        """The tables were set back to a backup and have everything up to this number: what comes after is sent
        again."""
        gone = update(TABLE).where(TABLE.c.sequence > sequence).values(relayed_at=None)
        self._database.write(lambda connection: connection.execute(gone))
