"""The state of a store in memory, and the one way it changes: applying a durable batch.

In: prepared batches, in the order of the journal. Out: ids, object tables, the tail, marks, the next row number.
Invariant: `apply` depends on nothing but the batch and the state (no clock, no configuration), so that recovery from
the journal ends in the very state that was lost. It does no I/O and knows no files.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pyarrow as pa

from storage.tables.frames import BatchPart, Frame, Prepared, Stream, TablePart
from storage.tables.marks import Marks, SourceMarks
from storage.tables.objects import SEEN, ObjectTable, Saved
from storage.tables.quota import Invented
from storage.tables.rows import PORTAL
from storage.tables.schema import DEVICES, Schemas, TableSchema, typed
from storage.tables.tail import Days, Tail


@dataclass(frozen=True, slots=True)
class Cut:
    """What was not sealed at one instant: rows by table and day, the object tables that changed, the marks (None if
    they did not), and the number of the next row. It never changes."""

    days: Days
    objects: Mapping[str, Saved]
    marks: Mapping[str, SourceMarks] | None
    next_row: int


class State:
    """Everything the store knows that is not in a segment. `version` changes with every applied batch."""

    def __init__(self, schemas: Schemas) -> None:
        self.schemas = schemas
        self.objects: Mapping[str, ObjectTable] = {schema.name: ObjectTable(schema) for schema in schemas.objects()}
        self.marks = Marks()
        self.tail = Tail()
        self.invented = Invented()
        self.next_row = 0
        self.version = 0
        self.lock = threading.Lock()  # held by whoever applies, or reads more than one thing
        self._cut: Cut | None = None

    @property
    def dirty(self) -> bool:
        """Whether there is anything to seal."""
        return self.tail.rows > 0 or self.marks.dirty or any(table.dirty for table in self.objects.values())

    def apply(self, frames: Sequence[Frame]) -> None:
        """Take durable batches in. Raises ValueError for one that does not follow the state, which then must not be
        used further."""
        rows = _Rows(self.schemas)
        for frame in frames:
            streams = [_Taken(stream) for stream in frame.streams]
            for prepared in frame.batches:
                self._apply(prepared, streams, rows)
            for taken in streams:
                part = taken.stream.part
                numbers = [pa.arange(first, end) for first, end in taken.runs]
                rows.add(self.schemas[part.table], taken.stream.rows.schema.names, numbers, taken.stream.rows)
                self._see_taken(taken)
        for schema, made in rows.frames():
            self.tail.add(schema.name, schema.time, made)

    def _apply(self, prepared: Prepared, streams: Sequence[_Taken], found: _Rows) -> None:
        part, own = prepared.part, []
        if part.row != self.next_row:
            raise ValueError(f"the next row is {self.next_row}, the batch begins with {part.row}")
        for name, keys in part.keys.items():
            self.objects[name].introduce(keys.first, keys.keys)
        for table, rows in zip(part.tables, prepared.batches, strict=True):
            schema = self.schemas[table.table]
            if schema.is_object:
                for taken in streams if SEEN.intersection(rows.schema.names) else ():
                    self._see_taken(taken)  # what is said of it counts from now on
                self._upsert(part, schema, table, rows)
                continue
            if table.stream is not None:
                streams[table.stream].take(self.next_row, table.rows)
            else:
                names = rows.schema.names
                found.add(schema, names, [pa.arange(self.next_row, self.next_row + rows.num_rows)], rows)
                if part.source != PORTAL:  # what the portal computes about an object is no sign of life
                    self._see_linked(part, schema, names, rows)
            self.next_row += table.rows
            if part.keys:
                own.append((schema, streams[table.stream].last() if table.stream is not None else rows))
        self._see_sender(part)
        if part.keys:
            self._see_new(part, own)
        self.marks.add(part.source, part.generation, part.epoch, part.sequence, first=part.first)
        self.invented.note(part)
        self.version += 1

    def _see_taken(self, taken: _Taken) -> None:
        """The objects that rows of a stream speak of were seen, as far as batches took them."""
        part, rows = taken.stream.part, taken.unseen()
        schema, names = self.schemas[part.table], rows.schema.names
        for link in part.seen if rows.num_rows else ():
            times = rows.column(names.index(schema.time))
            self.objects[schema.links[link]].sighted(rows.column(names.index(link)), times)

    def cut(self) -> Cut:
        """Everything so far, set apart to be sealed; what comes next is changed beside it. `sealed` or `not_sealed`
        must follow."""
        objects = {name: table.saved() for name, table in self.objects.items() if table.dirty}
        marks = self.marks.saved() if self.marks.dirty else None
        self._cut = Cut(self.tail.set_apart(), objects, marks, self.next_row)
        for name in objects:
            self.objects[name].dirty = False
        self.marks.dirty = False
        return self._cut

    def sealed(self) -> None:
        """What was cut is in sealed files."""
        self.tail.drop_apart()
        self._cut = None
        self.version += 1

    def not_sealed(self) -> None:
        """What was cut is not in sealed files: it is part of the next cut."""
        if self._cut is None:
            return
        self.tail.take_back()
        for name in self._cut.objects:
            self.objects[name].dirty = True
        self.marks.dirty = self.marks.dirty or self._cut.marks is not None
        self._cut = None

    def _upsert(self, part: BatchPart, schema: TableSchema, table: TablePart, rows: Any) -> None:
        target = self.objects[schema.name]
        ids = rows["@id"].to_pylist()
        target.upsert(
            ids, {name: rows[name].to_pylist() for name in rows.schema.names if name not in ("@id", *schema.key)}
        )
        if schema.owned:
            target.replace_sets(table.owners, ids, rows["@device"].to_pylist())
        if part.source != PORTAL and schema.owned:
            for link in schema.key_links[1:]:
                linked = self.objects[schema.links[link]]
                for row in {target.link(link, row) for row in ids} if linked.schema.seen else ():
                    linked.seen(row, part.received)

    def _see_linked(self, part: BatchPart, schema: TableSchema, names: Sequence[str], rows: Any) -> None:
        """The objects that events speak of were seen at these events' times; the sender itself, when the batch came."""
        times = rows.column(names.index(schema.time))
        for link, target in schema.links.items():
            known = link in names and self.objects[target].schema.seen
            if known and not (target == DEVICES and self._is_device(part)):
                self.objects[target].sighted(rows.column(names.index(link)), times)

    def _see_sender(self, part: BatchPart) -> None:
        if self._is_device(part):
            row = self.objects[DEVICES].ids[part.source]
            self.objects[DEVICES].seen(row, part.received)

    def _see_new(self, part: BatchPart, batches: Sequence[tuple[TableSchema, Any]]) -> None:
        """New objects that nothing was said of were seen when the batch came."""
        for name, keys in part.keys.items():
            table = self.objects[name]
            if table.schema.seen:
                new = range(keys.first, keys.first + len(keys.keys))
                waiting = self._linked(part, name, batches)
                table.seen_if_never([row for row in new if row not in waiting], part.received)

    def _linked(self, part: BatchPart, name: str, batches: Sequence[tuple[TableSchema, Any]]) -> set[int | None]:
        """The objects of a table that the events of a batch speak of, whose sightings may wait."""
        found: set[int | None] = set()
        if part.source == PORTAL or (name == DEVICES and self._is_device(part)):
            return found
        for schema, rows in batches:
            names = [link for link in rows.schema.names if schema.links.get(link) == name]
            found.update(*(rows.column(link).to_pylist() for link in names))
        return found

    def _is_device(self, part: BatchPart) -> bool:
        """Whether the sender is a device that is known by now: a later group may have allocated an id already."""
        devices = self.objects.get(DEVICES)
        return devices is not None and devices.ids.get(part.source, devices.rows) < devices.rows


@dataclass(slots=True)
class _Taken:
    """How much of a stream the batches so far have: as runs of row numbers, `[first, end]`."""

    stream: Stream
    runs: list[list[int]] = field(default_factory=list)
    rows: int = 0
    newest: int = 0
    seen: int = 0

    def take(self, first: int, rows: int) -> None:
        """The next rows are those of a batch, numbered from `first` on."""
        if self.runs and self.runs[-1][1] == first:
            self.runs[-1][1] = first + rows
        else:
            self.runs.append([first, first + rows])
        self.rows, self.newest = self.rows + rows, rows

    def unseen(self) -> Any:
        """The rows that were taken since this was asked."""
        first, self.seen = self.seen, self.rows
        return self.stream.rows.slice(first, self.rows - first)

    def last(self) -> Any:
        """The rows that were taken last."""
        return self.stream.rows.slice(self.rows - self.newest, self.newest)


class _Rows:
    """Event rows of frames, those of the same columns put together: a frame costs what a thousand rows do."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._alike: dict[tuple[str, tuple[str, ...]], tuple[list[Any], list[Any]]] = {}

    def add(self, schema: TableSchema, names: Sequence[str], numbered: Sequence[Any], rows: Any) -> None:
        """Rows of one table with columns of these names, and their numbers, in pieces."""
        numbers, batches = self._alike.setdefault((schema.name, tuple(names)), ([], []))
        numbers += numbered
        batches.append(rows)

    def frames(self) -> Iterator[tuple[TableSchema, pl.DataFrame]]:
        """All of them, each table's in order of arrival but for those of other columns."""
        for (table, _), (numbers, batches) in self._alike.items():
            rows = pa.Table.from_batches(batches).add_column(0, "@row", pa.chunked_array(numbers))
            [batch] = rows.combine_chunks().to_batches()  # thrice as fast as chunk by chunk
            # As one series: of a whole table Polars would take the columns with its threads (see `tail.merged`).
            frame = pl.Series(batch.to_struct_array()).struct.unnest()
            yield self._schemas[table], typed(frame, self._schemas[table])
