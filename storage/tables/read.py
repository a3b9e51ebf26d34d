"""Answers of the table store to the query engine: lazy frames over a snapshot.

In: a snapshot and the catalog. Out: for a table, columns and a window, a lazy frame of exactly these columns.
Invariant: a scan reads only files and frames of its snapshot, only days the window touches, and no file whose digest
this process has not checked. It satisfies `engine.source.Source` and does not know it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

import polars as pl

from nql.catalog.model import Catalog, Table
from storage.tables.daily import bucketed, dimensions, one_a_day
from storage.tables.days import next_start
from storage.tables.manifest import Segment
from storage.tables.objects import LIVE
from storage.tables.schema import POLARS, TableSchema, schemas_of
from storage.tables.sealed import Checked
from storage.tables.snapshot import Snapshot
from storage.tables.tail import TailPart

_CHECKED = Checked()


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one table that lie together: exactly the columns asked for, cut to the window. `rows` bounds how many,
    `day` is the UTC day (since 1970) that all lie in, None for none; `by_device` tells that they are sorted by
    `@device`, then time, and that `@device` is marked as sorted."""

    frame: pl.LazyFrame
    rows: int
    day: int | None
    by_device: bool


@dataclass(frozen=True, slots=True)
class Rollup:
    """States of whole spans of time: the key column, `@rows`, and `<column>:<state>`. `covers` are the spans
    `[start, end)` that they stand for, ascending and disjoint."""

    frame: pl.LazyFrame
    covers: tuple[tuple[int, int], ...]


class SnapshotSource:
    """One snapshot of all tables, to be asked by queries. Keeps the snapshot, and so its files, alive."""

    def __init__(self, snapshot: Snapshot, catalog: Catalog, *, checked: Checked = _CHECKED) -> None:
        self.snapshot = snapshot
        self.catalog = catalog
        self._checked = checked
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
        _check_columns(schema, columns)
        if schema.is_object:
            return self._objects(schema, columns)
        if daily and bucketed(schema):
            return self._daily(schema, columns, start, end)
        return self._events(schema, columns, start, end)

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
        held = self.snapshot.objects.get(schema.name)
        if held is None:
            return _nothing(schema, columns)
        present = [
            name for name in dict.fromkeys([*columns, *([LIVE] if schema.owned else [])]) if name in held.column_names
        ]
        frame = pl.from_arrow(held.select(present or ["@id"]))
        assert isinstance(frame, pl.DataFrame)
        if schema.owned:
            frame = frame.filter(pl.col(LIVE))
        return _complete(frame.lazy(), schema, frame.schema, columns)

    def parts(
        self, table: str, columns: Sequence[str], *, start: int | None = None, end: int | None = None
    ) -> Sequence[Part]:
        """What `scan` gives, in parts that share no row, the newest day first; see `engine.source.Source.parts`.

        Raises KeyError and SegmentCorrupt as `scan` does.
        """
        found = self._table(table)
        schema = self._schemas.get(found.name)
        if schema is None or schema.is_object:
            held = self.snapshot.objects.get(found.name)
            most = sum(self._rows(found.base or found.name)) if held is None else held.num_rows
            return [Part(self.scan(table, columns, start=start, end=end), most, None, False)]
        _check_columns(schema, columns)
        return sorted(self._parts(schema, columns, start, end), key=lambda part: -(part.day or 0))

    def rollup(
        self, table: str, grain: Literal["device", "quarter"], states: Sequence[str], *, start: int, end: int
    ) -> Rollup | None:
        """Stored states of a table's rows in `[start, end)`, None where there are none; see
        `engine.source.Source.rollup`.

        Raises KeyError and SegmentCorrupt as `scan` does.
        """
        self._table(table)
        return None

    def _table(self, name: str) -> Table:
        found = self.catalog.tables.get(name) or self.catalog.table(name)
        if found is None:
            raise KeyError(name)
        return found

    def _rows(self, table: str) -> Iterator[int]:
        yield from (item.rows for item in self.snapshot.days if item.table == table)
        yield from (item.rows for item in self.snapshot.segments if item.table == table)
        yield from (part.frame.height for part in self.snapshot.tail if part.table == table)

    def _events(self, schema: TableSchema, columns: Sequence[str], start: int | None, end: int | None) -> pl.LazyFrame:
        return _together([part.frame for part in self._parts(schema, columns, start, end)], schema, columns)

    def _parts(self, schema: TableSchema, columns: Sequence[str], start: int | None, end: int | None) -> Iterator[Part]:
        yield from self._days(schema, columns, start, end)
        yield from self._segments(schema, columns, start, end)
        yield from self._tail(schema, columns, start, end)

    def _days(self, schema: TableSchema, columns: Sequence[str], start: int | None, end: int | None) -> Iterator[Part]:
        """Compacted days, file by file."""
        for item in self.snapshot.days:
            if item.table == schema.name and _meets(item.min_time, item.max_time, start, end):
                held = self._checked.columns(self.snapshot.folder, item.file, item.sha256)
                scanned = pl.scan_parquet(self.snapshot.folder / item.file, glob=False, hive_partitioning=False)
                inside = _inside(item.min_time, item.max_time, start, end)
                frame = _complete(_cut(scanned, schema.time, start, end, inside), schema, held, columns)
                by_device = "@device" in held
                if by_device and "@device" in columns:
                    frame = frame.set_sorted("@device")
                yield Part(frame, item.rows, item.day, by_device)

    def _segments(
        self, schema: TableSchema, columns: Sequence[str], start: int | None, end: int | None
    ) -> Iterator[Part]:
        """Segments of a day that hold the same columns and stand alike to the window are scanned together."""
        folder = self.snapshot.folder
        alike: dict[tuple[int, tuple[tuple[str, pl.DataType], ...], bool], list[Segment]] = {}
        for item in self.snapshot.segments:
            if item.table == schema.name and _meets(item.min_time, item.max_time, start, end):
                held = self._checked.columns(folder, item.file, item.sha256)
                inside = _inside(item.min_time, item.max_time, start, end)
                alike.setdefault((item.day, tuple(held.items()), inside), []).append(item)
        for (day, types, inside), items in alike.items():
            scanned = pl.scan_ipc([str(folder / item.file) for item in items], glob=False)
            frame = _complete(_cut(scanned, schema.time, start, end, inside), schema, dict(types), columns)
            yield Part(frame, sum(item.rows for item in items), day, False)

    def _tail(self, schema: TableSchema, columns: Sequence[str], start: int | None, end: int | None) -> Iterator[Part]:
        """What is in memory, by day."""
        days: dict[int, list[TailPart]] = {}
        for part in self.snapshot.tail:
            if part.table == schema.name and _meets(part.min_time, part.max_time, start, end):
                days.setdefault(part.day, []).append(part)
        for day, parts in days.items():
            frames = [_of_tail(part, schema, columns, start, end) for part in parts]
            yield Part(_together(frames, schema, columns), sum(part.frame.height for part in parts), day, False)

    def _daily(self, schema: TableSchema, columns: Sequence[str], start: int | None, end: int | None) -> pl.LazyFrame:
        """Days that begin in the window, each made of all its rows."""
        zone = ZoneInfo(self.snapshot.zone)
        first = None if start is None else next_start(start, zone)
        last = None if end is None else next_start(end, zone)
        needed = list(dict.fromkeys(["@row", schema.time, *dimensions(schema), *columns]))
        return one_a_day(self._events(schema, needed, first, last), schema, columns, dimensions(schema), zone)


def _check_columns(schema: TableSchema, columns: Sequence[str]) -> None:
    if missing := [name for name in columns if name not in schema.columns]:
        raise KeyError(f"{schema.name}.{missing[0]}")


def _of_tail(
    part: TailPart, schema: TableSchema, columns: Sequence[str], start: int | None, end: int | None
) -> pl.LazyFrame:
    inside = _inside(part.min_time, part.max_time, start, end)
    return _complete(_cut(part.frame.lazy(), schema.time, start, end, inside), schema, part.frame.schema, columns)


def _meets(first: int, last: int, start: int | None, end: int | None) -> bool:
    return (end is None or first < end) and (start is None or last >= start)


def _inside(first: int, last: int, start: int | None, end: int | None) -> bool:
    return (end is None or last < end) and (start is None or first >= start)


def _cut(frame: pl.LazyFrame, time: str, start: int | None, end: int | None, inside: bool) -> pl.LazyFrame:
    if inside:
        return frame
    if start is not None:
        frame = frame.filter(pl.col(time) >= start)
    return frame if end is None else frame.filter(pl.col(time) < end)


def _complete(
    frame: pl.LazyFrame, schema: TableSchema, held: Mapping[str, pl.DataType], columns: Sequence[str]
) -> pl.LazyFrame:
    """Exactly the columns asked for, in the types of today; null where the rows were written without."""
    return frame.select(_column(name, POLARS[schema.columns[name]], held.get(name)) for name in columns)


def _column(name: str, wanted: pl.DataType, held: pl.DataType | None) -> pl.Expr:
    if held is None:
        return pl.lit(None, dtype=wanted).alias(name)
    return pl.col(name) if held == wanted else pl.col(name).cast(wanted)


def _together(frames: Sequence[pl.LazyFrame], schema: TableSchema, columns: Sequence[str]) -> pl.LazyFrame:
    if not frames:
        return _nothing(schema, columns)
    return frames[0] if len(frames) == 1 else pl.concat(frames, how="vertical")


def _nothing(schema: TableSchema, columns: Sequence[str]) -> pl.LazyFrame:
    return pl.LazyFrame(schema={name: POLARS[schema.columns[name]] for name in columns})
