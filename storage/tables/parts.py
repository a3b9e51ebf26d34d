"""The event rows of one table in a snapshot, in parts that lie together: compacted files, segments of a day, memory.

In: columns and a window. Out: lazy frames of exactly these columns, cut to the window, each with what is known of its
rows. Invariant: the parts of a scan share no row and are all rows; no file is read whose digest this process has not
checked. Columns that a file was written without are null, and those that have another type today are turned into it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from storage.tables.at_hand import StatesAtHand
from storage.tables.hot import HotColumns
from storage.tables.manifest import DayFile, Segment
from storage.tables.schema import POLARS, TableSchema
from storage.tables.sealed import Checked, scanned
from storage.tables.snapshot import Snapshot
from storage.tables.tail import TailPart

Start = int | None  # of a window, in microseconds UTC; None is open
End = int | None


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one table that lie together: exactly the columns asked for, cut to the window. `rows` bounds how many,
    `day` is the UTC day (since 1970) that all lie in, None for none; `by_device` tells that they are sorted by
    `@device`, then time, and that `@device` is marked as sorted. `bounds` has what no whole number of a column is below
    or above, as far as that is known, `runs` how many rows each device has, in order (`@device`, `len`). Where a window
    cuts rows at hand at one end, these are the runs of `whole`, all rows, and `inside` says which the window has."""

    frame: pl.LazyFrame
    rows: int
    day: int | None
    by_device: bool
    bounds: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    runs: pl.DataFrame | None = None
    whole: pl.LazyFrame | None = None
    inside: pl.LazyFrame | None = None


@dataclass(frozen=True, slots=True)
class Extent:
    """What a scan touches: at most so many rows, in these sealed files, whose names are never given twice, and `fresh`
    ones in memory."""

    rows: int
    files: tuple[str, ...]
    fresh: int


@dataclass(frozen=True, slots=True)
class Stored:
    """The rows of one event table."""

    snapshot: Snapshot
    schema: TableSchema
    checked: Checked
    hot: HotColumns
    states: StatesAtHand

    def parts(self, columns: Sequence[str], start: Start, end: End) -> Iterator[Part]:
        """All of them."""
        for item in self.days(start, end):
            yield self.day(item, columns, start, end)
        yield from self.fresh(columns, start, end)

    def rows(self) -> int:
        """How many rows there are."""
        return self.extent(None, None).rows

    def extent(self, start: Start, end: End) -> Extent:
        """What a scan of a window touches, by the manifest alone."""
        sealed: list[DayFile | Segment] = [*self.days(start, end), *self._segments(start, end)]
        fresh = self._in_memory(start, end)
        return Extent(sum(item.rows for item in sealed) + fresh, tuple(item.file for item in sealed), fresh)

    def days(self, start: Start, end: End) -> Iterator[DayFile]:
        """The compacted files with rows in a window."""
        for item in self.snapshot.days:
            if item.table == self.schema.name and meets(item.min_time, item.max_time, start, end):
                yield item

    def by_day(self, start: Start, end: End) -> Mapping[int, Sequence[DayFile]]:
        """The same, by their days."""
        days: dict[int, list[DayFile]] = {}
        for item in self.days(start, end):
            days.setdefault(item.day, []).append(item)
        return days

    def large(self, start: Start, end: End) -> Mapping[int, Sequence[Segment]]:
        """The segments in order, which are large, with rows in a window, by their days."""
        days: dict[int, list[Segment]] = {}
        for item in self._segments(start, end):
            if item.in_order:
                days.setdefault(item.day, []).append(item)
        return days

    def times(self, day: int) -> tuple[int, int]:
        """No row of a day is before the first of these or after the second. There have to be rows."""
        name, snapshot = self.schema.name, self.snapshot
        parts: list[DayFile | Segment | TailPart] = [*snapshot.days, *snapshot.segments, *snapshot.tail]
        lie = [(item.min_time, item.max_time) for item in parts if (item.table, item.day) == (name, day)]
        return min(first for first, _ in lie), max(last for _, last in lie)

    def not_compacted(self, start: Start, end: End) -> int:
        """How many rows a window touches beside compacted files, by the manifest alone."""
        return sum(item.rows for item in self._segments(start, end)) + self._in_memory(start, end)

    def _in_memory(self, start: Start, end: End) -> int:
        return sum(part.frame.height for part in self._tail(start, end))

    def day(self, item: DayFile | Segment, columns: Sequence[str], start: Start, end: End) -> Part:
        """The rows of one file in which they lie in order."""
        held = self.held(item.file, item.sha256)
        read = [name for name in dict.fromkeys(columns) if name in held]
        whole = inside(item.min_time, item.max_time, start, end)
        if not whole:
            read = list(dict.fromkeys([*read, self.schema.time]))
        kept = self.hot.columns(self.snapshot.folder, item, read)
        at_hand = [] if kept is None else kept
        rows = pl.LazyFrame([column.series for column in at_hand])
        if kept is None:
            rows = scanned(self.snapshot.folder / item.file)
        frame = complete(self._cut(rows, item.min_time, item.max_time, start, end), self.schema, held, columns)
        by_device = "@device" in held
        if by_device and "@device" in columns:
            frame = frame.set_sorted("@device")
        bounds = {column.series.name: column.bounds for column in at_hand if column.bounds is not None}
        runs = next((column.runs for column in at_hand if column.runs is not None), None)
        part = Part(frame, item.rows, item.day, by_device, bounds, runs)
        if whole or runs is None:
            return part
        time, late, early = pl.col(self.schema.time), start is not None and item.min_time < start, end is not None
        if late and early and item.max_time >= (end or 0):
            return replace(part, runs=None)  # what the window has is neither the first nor the last rows of a device
        cut = rows.select(time >= start if late else time < end)
        return replace(part, whole=complete(rows, self.schema, held, columns), inside=cut)

    def fresh(
        self, columns: Sequence[str], start: Start, end: End, without: Collection[Segment] = ()
    ) -> Iterator[Part]:
        """What is not compacted, but for some segments. Small segments of a day that hold the same columns and stand
        alike to the window are scanned together."""
        alike: dict[tuple[int, tuple[tuple[str, pl.DataType], ...], bool], list[Segment]] = {}
        for item in self._segments(start, end):
            if item in without:
                continue
            if item.in_order:
                yield self.day(item, columns, start, end)
                continue
            held = tuple(self.held(item.file, item.sha256).items())
            whole = inside(item.min_time, item.max_time, start, end)
            alike.setdefault((item.day, held, whole), []).append(item)
        for (day, types, _), items in alike.items():
            scanned = pl.scan_ipc([str(self.snapshot.folder / item.file) for item in items], glob=False)
            cut = self._cut(scanned, items[0].min_time, items[0].max_time, start, end)
            yield Part(complete(cut, self.schema, dict(types), columns), sum(item.rows for item in items), day, False)
        yield from self._memory(columns, start, end)

    def late(self, day: int, without: Collection[Segment] = ()) -> int:
        """How many rows of a day are not compacted, but for some segments."""
        rows = sum(item.rows for item in self._segments(None, None) if item.day == day and item not in without)
        return rows + sum(part.frame.height for part in self._tail(None, None) if part.day == day)

    def held(self, file: str, digest: str) -> Mapping[str, pl.DataType]:
        """The columns of a file."""
        return self.checked.columns(self.snapshot.folder, file, digest)

    def _memory(self, columns: Sequence[str], start: Start, end: End) -> Iterator[Part]:
        days: dict[int, list[TailPart]] = {}
        for part in self._tail(start, end):
            days.setdefault(part.day, []).append(part)
        for day, parts in days.items():
            frames = [
                complete(
                    self._cut(part.frame.lazy(), part.min_time, part.max_time, start, end),
                    self.schema,
                    part.frame.schema,
                    columns,
                )
                for part in parts
            ]
            yield Part(together(frames, self.schema, columns), sum(part.frame.height for part in parts), day, False)

    def _segments(self, start: Start, end: End) -> Iterator[Segment]:
        for item in self.snapshot.segments:
            if item.table == self.schema.name and meets(item.min_time, item.max_time, start, end):
                yield item

    def _tail(self, start: Start, end: End) -> Iterator[TailPart]:
        for part in self.snapshot.tail:
            if part.table == self.schema.name and meets(part.min_time, part.max_time, start, end):
                yield part

    def _cut(self, frame: pl.LazyFrame, first: int, last: int, start: Start, end: End) -> pl.LazyFrame:
        time = pl.col(self.schema.time)
        if start is not None and first < start:
            frame = frame.filter(time >= start)
        return frame.filter(time < end) if end is not None and last >= end else frame


def meets(first: int, last: int, start: Start, end: End) -> bool:
    """Whether times from `first` to `last` may lie in a window."""
    return (end is None or first < end) and (start is None or last >= start)


def inside(first: int, last: int, start: Start, end: End) -> bool:
    """Whether times from `first` to `last` all lie in a window."""
    return (end is None or last < end) and (start is None or first >= start)


def complete(
    frame: pl.LazyFrame, schema: TableSchema, held: Mapping[str, pl.DataType], columns: Sequence[str]
) -> pl.LazyFrame:
    """Exactly the columns asked for, in the types of today; null where the rows were written without."""
    return frame.select(as_today(name, schema, held) for name in columns)


def together(frames: Sequence[pl.LazyFrame], schema: TableSchema, columns: Sequence[str]) -> pl.LazyFrame:
    """Frames of the same columns as one."""
    if not frames:
        return nothing(schema, columns)
    return frames[0] if len(frames) == 1 else pl.concat(frames, how="vertical")


def nothing(schema: TableSchema, columns: Sequence[str]) -> pl.LazyFrame:
    """No rows, with these columns."""
    return pl.LazyFrame(schema={name: POLARS[schema.columns[name]] for name in columns})


def as_today(name: str, schema: TableSchema, held: Mapping[str, pl.DataType]) -> pl.Expr:
    """A column in the type of today, of rows that were written with these columns."""
    before, wanted = held.get(name), POLARS[schema.columns[name]]
    if before is None:
        return pl.lit(None, dtype=wanted).alias(name)
    return pl.col(name) if before == wanted else pl.col(name).cast(wanted)
