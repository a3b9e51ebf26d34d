"""The state of a store in memory, and the one way it changes: applying a durable batch.

In: prepared batches, in the order of the journal. Out: ids, object tables, the tail, marks, the next row number.
Invariant: `apply` depends on nothing but the batch and the state (no clock, no configuration), so that recovery from
the journal ends in the very state that was lost. It does no I/O and knows no files.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import polars as pl
import pyarrow as pa

from storage.tables.frames import BatchPart, Prepared, TablePart
from storage.tables.marks import Marks
from storage.tables.objects import ObjectTable
from storage.tables.quota import Invented
from storage.tables.schema import DEVICES, Schemas, TableSchema, typed
from storage.tables.tail import Tail

PORTAL = "portal"


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

    @property
    def dirty(self) -> bool:
        """Whether there is anything to seal."""
        return self.tail.rows > 0 or self.marks.dirty or any(table.dirty for table in self.objects.values())

    def apply(self, prepared: Prepared) -> None:
        """Take a durable batch in. Raises ValueError for one that does not follow the state, which then must not be
        used further."""
        part = prepared.part
        if part.row != self.next_row:
            raise ValueError(f"the next row is {self.next_row}, the batch begins with {part.row}")
        for name, keys in part.keys.items():
            self.objects[name].introduce(keys.first, keys.keys)
        for table, rows in zip(part.tables, prepared.batches, strict=True):
            schema = self.schemas[table.table]
            if schema.is_object:
                self._upsert(part, schema, table, rows)
            else:
                self._append(part, schema, rows)
        self._see_sender(part)
        self._see_new(part)
        self.marks.add(part.source, part.generation, part.epoch, part.sequence, first=part.first)
        self.invented.note(part)
        self.version += 1

    def sealed(self) -> None:
        """Everything so far is in sealed files."""
        self.tail.clear()
        self.marks.dirty = False
        for table in self.objects.values():
            table.dirty = False
        self.version += 1

    def _append(self, part: BatchPart, schema: TableSchema, rows: Any) -> None:
        numbers = pa.arange(self.next_row, self.next_row + rows.num_rows)
        self.next_row += rows.num_rows
        numbered = pa.record_batch([numbers, *rows.columns], names=["@row", *rows.schema.names])
        frame = pl.from_arrow(numbered)
        assert isinstance(frame, pl.DataFrame)
        self.tail.add(schema.name, schema.time, typed(frame, schema))
        if part.source != PORTAL:  # what the portal computes about an object is no sign of life
            self._see_linked(part, schema, rows)

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
                self._see(
                    schema.links[link], {target.link(link, row): (part.received, part.received) for row in set(ids)}
                )

    def _see_linked(self, part: BatchPart, schema: TableSchema, rows: Any) -> None:
        """The objects that events speak of were seen at these events' times; the sender itself, when the batch came."""
        for link, target in schema.links.items():
            if (
                link in rows.schema.names
                and self.objects[target].schema.seen
                and not (target == DEVICES and self._is_device(part))
            ):
                self._see(target, spans(rows[link], rows[schema.time]))

    def _see_sender(self, part: BatchPart) -> None:
        if self._is_device(part):
            row = self.objects[DEVICES].ids[part.source]
            self.objects[DEVICES].seen(row, part.received, part.received)

    def _see_new(self, part: BatchPart) -> None:
        """New objects that nothing was said of were seen when the batch came."""
        for name, keys in part.keys.items():
            table = self.objects[name]
            if table.schema.seen:
                for row in range(keys.first, keys.first + len(keys.keys)):
                    table.seen_if_never(row, part.received)

    def _see(self, target: str, seen: Mapping[int, tuple[int, int]]) -> None:
        table = self.objects[target]
        if table.schema.seen:
            for row, (first, last) in seen.items():
                table.seen(row, first, last)

    def _is_device(self, part: BatchPart) -> bool:
        return DEVICES in self.objects and part.source in self.objects[DEVICES].ids


def spans(rows: Any, times: Any) -> dict[int, tuple[int, int]]:
    """For each object of a column of ids, the first and last time at which it occurs."""
    grouped = pa.table([rows, times], names=["row", "time"]).group_by("row", use_threads=False)
    found = grouped.aggregate([("time", "min"), ("time", "max")])
    lists = [found[name].to_pylist() for name in ("row", "time_min", "time_max")]
    return {row: (first, last) for row, first, last in zip(*lists, strict=True) if row is not None}
