"""What queries read: the tables, and beside their final executions and ended presences those that are still open in the
control database.

In: a snapshot of the tables and the rows that it lacks, both cut at one outbox sequence number. Out: a `Source`.
Invariant: every execution is there exactly once, in its newest state, from the moment it was asked for, and so is
every time that a device was connected. Open rows get row numbers above all stored ones, because they are the newest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import polars as pl

from engine.lazyframe.dtypes import polars_type
from engine.source import Source
from nql.catalog.model import Catalog, Table
from portal.queries.catalogs import Catalogs
from portal.relay import Relay
from portal.threads import Threads
from storage.control.api import Control
from storage.tables.api import Snapshot, Tables

EXECUTIONS, PRESENCES = "remote_action.executions", "device.presences"
OPEN = frozenset({EXECUTIONS, PRESENCES})  # what is not in the tables before it is over
FIRST_ROW = 1 << 62
SourceOf = Callable[[Snapshot, Catalog], Source]


class Sources:
    """Opens a source for each query."""

    def __init__(
        self, tables: Tables, control: Control, catalogs: Catalogs, relay: Relay, threads: Threads, source_of: SourceOf
    ) -> None:
        self._tables = tables
        self._control = control
        self._catalogs = catalogs
        self._relay = relay
        self._threads = threads
        self._source_of = source_of

    @property
    def zone(self) -> str:
        """The instance zone."""
        return self._tables.zone

    async def open(self, asked: Collection[str]) -> Source:
        """Everything known at this instant, with what is open of the tables that are asked for."""
        # The relay holds still, so that what it has moved is in the snapshot and nowhere else.
        async with self._relay.still() as position:
            snapshot = await self._tables.snapshot()
            rows = await self._threads.control(self._beside, asked, position)
        catalog = self._catalogs.current
        base = self._source_of(snapshot, catalog)
        return UnionSource(base, catalog, rows) if any(rows.values()) else base

    def _beside(self, asked: Collection[str], position: int) -> dict[str, list[dict[str, Any]]]:
        rows = {
            EXECUTIONS: self._control.executions.rows_after,
            PRESENCES: self._control.presence.rows_after,
        }
        return {table: rows[table](position) for table in asked}

    async def stored(self) -> Source:
        """The tables alone: enough for facts of objects, and cheap."""
        return self._source_of(await self._tables.snapshot(), self._catalogs.current)


class UnionSource:
    """A source with rows added to some tables. Rows name objects by key text (`@device`: uid)."""

    def __init__(self, base: Source, catalog: Catalog, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        self._base = base
        self._catalog = catalog
        self._rows = rows

    @property
    def complete_until(self) -> int:
        """As the tables say: what is open is newer than anything."""
        return self._base.complete_until

    def scan(
        self,
        table: str,
        columns: Sequence[str],
        *,
        start: int | None = None,
        end: int | None = None,
        daily: bool = False,
    ) -> pl.LazyFrame:
        """See `engine.source.Source.scan`."""
        frame = self._base.scan(table, columns, start=start, end=end, daily=daily)
        if not (beside := self._rows.get(table.lower())):
            return frame
        known = self._catalog.tables[table.lower()]
        rows = [row for row in _numbered(beside) if _inside(row[known.time or "time"], start, end)]
        return pl.concat([frame, self._frame(known, rows, columns)], how="vertical") if rows else frame

    def _frame(self, table: Table, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pl.LazyFrame:
        types = {column.name: polars_type(column.dtype) for column in table.stored()}
        links = [name for name in columns if name.removeprefix("@") in table.links]
        series = [
            pl.Series(
                name, [row.get(name) for row in rows], dtype=pl.String() if name in links else types[name], strict=False
            )
            for name in dict.fromkeys(columns)
        ]
        frame = pl.LazyFrame(series)
        for name in links:
            target = self._catalog.tables[table.links[name[1:]]]
            frame = frame.join(self._ids(target, name), on=name, how="left").drop(name).rename({f"{name} id": name})
        return frame.select(columns)

    def _ids(self, target: Table, name: str) -> pl.LazyFrame:
        """Key texts of an object table with their ids."""
        (key,) = target.key
        return self._base.scan(target.name, ["@id", key]).select(
            pl.col(key).alias(name), pl.col("@id").alias(f"{name} id")
        )


def _numbered(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "@row": FIRST_ROW + number} for number, row in enumerate(rows)]


def _inside(time: int, start: int | None, end: int | None) -> bool:
    return (start is None or time >= start) and (end is None or time < end)
