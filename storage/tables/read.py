"""Answers of the table store to the query engine: lazy frames over a snapshot.

In: a snapshot and the catalog. Out: for a table, columns and a window, a lazy frame of exactly these columns.
Invariant: a scan reads only files and frames of its snapshot, only days the window touches, and no file whose digest
this process has not checked. It satisfies `engine.source.Source` and does not know it.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from nql.catalog.model import Catalog, Table
from storage.tables.at_hand import StatesAtHand
from storage.tables.daily import bucketed
from storage.tables.hot import HotColumns
from storage.tables.objects import LIVE
from storage.tables.parts import Extent, Part, Stored, as_today, nothing, together
from storage.tables.resident import CODE, Texts, resident, texts
from storage.tables.rollups import Grain, Rollup, Stated, rollup, stated
from storage.tables.rollups import daily as daily_rows
from storage.tables.schema import TableSchema, schemas_of
from storage.tables.sealed import Checked
from storage.tables.snapshot import Snapshot

_CHECKED = Checked()
HOT = HotColumns()
STATES = StatesAtHand()


class SnapshotSource:
    """One snapshot of all tables, to be asked by queries. Keeps the snapshot, and so its files, alive."""

    def __init__(
        self,
        snapshot: Snapshot,
        catalog: Catalog,
        *,
        checked: Checked = _CHECKED,
        hot: HotColumns = HOT,
        states: StatesAtHand = STATES,
    ) -> None:
        self.snapshot = snapshot
        self.catalog = catalog
        self._checked = checked
        self._hot = hot
        self._states = states
        self._schemas = schemas_of(catalog)

    @property
    def complete_until(self) -> int:
        """The instant, in microseconds UTC, up to which everything acknowledged is visible here."""
        return self.snapshot.complete_until

    def scan(
        self,
        table: str,
        columns: Sequence[str],
        *,
        start: int | None = None,
        end: int | None = None,
        daily: bool = False,
    ) -> pl.LazyFrame:
        """Rows of a table whose time lies in `[start, end)`, all rows without a window; see
        `engine.source.Source.scan`.

        Raises KeyError for a table or column the catalog does not know, SegmentCorrupt for a damaged file.
        """
        found = self._table(table)
        schema = self._schemas.get(found.name)
        if schema is None:
            return self._scan_item(found, columns, start, end)
        if schema.is_object:
            return self._objects(schema, columns)
        _check_columns(schema, columns)
        stored = self._stored(schema)
        if daily and bucketed(schema):
            return daily_rows(stored, columns, start, end)
        return together([part.frame for part in stored.parts(columns, start, end)], schema, columns)

    def _scan_item(self, table: Table, columns: Sequence[str], start: int | None, end: int | None) -> pl.LazyFrame:
        """The rows of the general table that belong to one configured item."""
        base = None if table.base is None else self.catalog.tables.get(table.base)
        if base is None or table.nql_id is None:
            raise KeyError(table.name)
        link, target = next(
            (link, name) for link, name in base.links.items() if self.catalog.tables[name].key == ("nql_id",)
        )
        items = self.scan(target, ["@id", "nql_id"])
        wanted = items.filter(pl.col("nql_id").str.strip_chars_start("#") == table.nql_id).select(
            pl.col("@id").alias(f"@{link}")
        )
        rows = self.scan(base.name, list(dict.fromkeys([*columns, f"@{link}"])), start=start, end=end)
        return rows.join(wanted, on=f"@{link}", how="semi").select(columns)

    def _objects(self, schema: TableSchema, columns: Sequence[str]) -> pl.LazyFrame:
        _check_columns(schema, [name.removesuffix(CODE) for name in columns])
        held = self.snapshot.objects.get(schema.name)
        if held is None:
            return nothing(schema, columns)
        present = [name for name in dict.fromkeys([*columns, LIVE]) if name.removesuffix(CODE) in held.column_names]
        frame = resident(self._place(schema), held, present or ["@id"])
        if LIVE in frame.columns:
            frame = frame.filter(pl.col(LIVE))
        rows = frame.lazy().select(
            pl.col(name) if name.endswith(CODE) else as_today(name, schema, frame.schema) for name in columns
        )
        return rows.set_sorted("@id") if "@id" in columns else rows

    def texts(self, table: str, column: str) -> Texts | None:
        """The different texts of a column of objects; see `engine.source.Telling.texts`. Raises KeyError."""
        schema = self._schemas.get(self._table(table).name)
        held = None if schema is None else self.snapshot.objects.get(schema.name)
        if schema is None or held is None or column not in held.column_names:
            return None
        return texts(self._place(schema), held, column)

    def _place(self, schema: TableSchema) -> object:
        return self.snapshot.folder, schema.name

    def parts(
        self, table: str, columns: Sequence[str], *, start: int | None = None, end: int | None = None
    ) -> Sequence[Part]:
        """What `scan` gives, in parts that share no row, the newest day first; see `engine.source.Source.parts`.

        Raises KeyError and SegmentCorrupt as `scan` does.
        """
        found = self._table(table)
        schema = self._schemas.get(found.name)
        if schema is None:
            base = self._schemas.get(found.base or "")
            most = 0 if base is None else self._stored(base).rows()
            return [Part(self.scan(table, columns, start=start, end=end), most, None, False)]
        if schema.is_object:
            held = self.snapshot.objects.get(schema.name)
            rows = 0 if held is None else held.num_rows
            return [Part(self.scan(table, columns), rows, None, False)]
        _check_columns(schema, columns)
        parts = self._stored(schema).parts(columns, start, end)
        return sorted(parts, key=lambda part: -(part.day or 0))

    def extent(self, table: str, *, start: int | None = None, end: int | None = None) -> Extent:
        """What a scan touches at most, known without opening a file. Raises KeyError as `scan` does."""
        found = self._table(table)
        schema = self._schemas.get(found.name) or self._schemas.get(found.base or "")
        if schema is None:
            raise KeyError(table)
        if schema.is_object:
            held = self.snapshot.objects.get(schema.name)
            rows = 0 if held is None else held.num_rows
            return Extent(rows, (), rows)
        return self._stored(schema).extent(start, end)

    def stated(self, table: str, grain: Stated, *, start: int, end: int) -> int:
        """How many rows a question for states, or a scan for daily rows, reads: these where there are some; known
        without opening a file."""
        schema = self._schemas.get(self._table(table).name)
        if schema is None or schema.is_object:
            return self.extent(table, start=start, end=end).rows
        return stated(self._stored(schema), grain, start, end)

    def rollup(self, table: str, grain: Grain, states: Sequence[str], *, start: int, end: int) -> Rollup | None:
        """Stored states of a table's rows in `[start, end)`, None where there are none; see
        `engine.source.Source.rollup`.

        Raises KeyError and SegmentCorrupt as `scan` does.
        """
        schema = self._schemas.get(self._table(table).name)
        if schema is None or schema.is_object:
            return None
        return rollup(self._stored(schema), grain, states, start, end)

    def _table(self, name: str) -> Table:
        found = self.catalog.tables.get(name) or self.catalog.table(name)
        if found is None:
            raise KeyError(name)
        return found

    def _stored(self, schema: TableSchema) -> Stored:
        return Stored(self.snapshot, schema, self._checked, self._hot, self._states)


def _check_columns(schema: TableSchema, columns: Sequence[str]) -> None:
    if missing := [name for name in columns if name not in schema.columns]:
        raise KeyError(f"{schema.name}.{missing[0]}")
