"""A light model of the table store: rows in memory, batches known by their numbers, and a disk that says no.

In: batches of the relay. Out: snapshots, and sources that the real engine asks. Invariant: a batch is stored whole and
once, as the real store promises (`storage.tables.marks` decides what is a duplicate); the model stays when the portal
that writes to it is killed. It keeps no files, and windows and days are what `MemorySource` makes of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from engine.lazyframe.dtypes import polars_type
from nql.catalog.model import Catalog, Table
from storage.tables.api import Ack, Batch, Snapshot, StorageFailed, Tables
from storage.tables.marks import Marks
from tests.logic.memory_source import MemorySource, stored_schema

Row = dict[str, Any]
FOREVER = 1 << 62


class ModelTables(Tables):
    """The model. `turn` lets others go first, `fails` says whether the disk refuses now."""

    def __init__(self, turn: Callable[[], Awaitable[None]], fails: Callable[[], bool]) -> None:
        self._turn, self._fails = turn, fails
        self._marks = Marks()
        self._frames: dict[str, tuple[int, pl.DataFrame]] = {}
        self.rows: defaultdict[str, list[Row]] = defaultdict(list)

    @property
    def zone(self) -> str:
        """The instance zone."""
        return "UTC"

    async def append(self, batch: Batch) -> Ack:
        """Store a batch, as `Tables.append`."""
        await self._turn()
        if self._fails():
            raise StorageFailed("the disk says no")
        named = (batch.source, batch.generation, batch.epoch, batch.sequence)
        if self._marks.seen(*named):
            return Ack(batch.sequence, 0, duplicate=True)
        count = 0
        for piece in batch.rows:
            names = list(piece.columns)
            for values in zip(*piece.columns.values(), strict=True):
                self.rows[piece.table].append(dict(zip(names, values, strict=True)))
                count += 1
        self._marks.add(*named)
        await self._turn()
        return Ack(batch.sequence, count)

    async def snapshot(self) -> Snapshot:
        """Everything stored so far."""
        await self._turn()
        rows = {table: list(rows) for table, rows in self.rows.items()}
        await self._turn()
        return Snapshot(Path(), self.zone, 0, 0, FOREVER, (), (), rows)

    def source_of(self, snapshot: Snapshot, catalog: Catalog) -> MemorySource:
        """A snapshot as the engine reads it."""
        held: Mapping[str, list[Row]] = snapshot.objects
        keys = {name: catalog.tables[name].key for name in held}
        objects = {name: _latest(key[0], held[name]) for name, key in keys.items() if key}
        ids = {name: {row[keys[name][0]]: at for at, row in enumerate(rows)} for name, rows in objects.items()}
        frames = {name: self._kept(catalog.tables[name], len(held[name]), rows, {}) for name, rows in objects.items()}
        for name in keys.keys() - objects.keys():
            links = {f"@{link}": ids.get(target, {}) for link, target in catalog.tables[name].links.items()}
            frames[name] = self._kept(catalog.tables[name], len(held[name]), held[name], links)
        return MemorySource(catalog, frames, zone="UTC", complete_until=FOREVER)

    def _kept(self, table: Table, count: int, rows: list[Row], links: Mapping[str, Mapping[str, int]]) -> pl.DataFrame:
        """A frame, made once for each number of rows: they only grow."""
        known = self._frames.get(table.name)
        if known is None or known[0] != count:
            known = self._frames[table.name] = (count, _frame(table, rows, links))
        return known[1]


def _latest(key: str, rows: list[Row]) -> list[Row]:
    found: dict[str, Row] = {}
    for row in rows:
        found[row[key]] = {**found.get(row[key], {}), **row}
    return list(found.values())


def _frame(table: Table, rows: list[Row], links: Mapping[str, Mapping[str, int]]) -> pl.DataFrame:
    schema = stored_schema(table)
    columns = []
    for column in table.stored():
        if column.name in ("@id", "@row"):
            columns.append(pl.Series(column.name, range(len(rows)), dtype=schema[column.name]))
            continue
        values = [row.get(column.name) for row in rows]
        if column.name in links:
            values = [links[column.name].get(str(value)) for value in values]
        columns.append(pl.Series(column.name, values, dtype=polars_type(column.dtype), strict=False))
    return pl.DataFrame(columns)
