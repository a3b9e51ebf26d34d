"""From batches of rows to what the journal keeps: checked columns as Arrow, key texts as dense ids.

In: `Batch`es and the present ids. Out: a `Frame`, and new ids allocated in the object tables, which the caller takes
back if the frame does not become durable. Raises Refused, with everything taken back already; the caller then finds
out which batch it is by encoding fewer. Event rows of the same columns are put together before anything is made of
them: many small batches cost what their rows do. Invariant: what comes out fits the schema, so applying it cannot fail.
Rights and bounds of a sender are not judged here but in `storage.tables.validate`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from nql.datatypes import Physical
from storage.tables.errors import Refused
from storage.tables.frames import BatchPart, Frame, NewKeys, Prepared, Stream, StreamPart, TablePart, encode_rows
from storage.tables.objects import ObjectTable
from storage.tables.quota import OTHER
from storage.tables.rows import MAX_EPOCH, MAX_ROWS, MAX_SOURCE, PORTAL, Batch, Rows
from storage.tables.schema import ARROW, DEVICES, SEPARATOR, TEXT, Schemas, TableSchema
from storage.tables.values import wholly

_NONE = type(None)
_TYPES: Mapping[Physical, frozenset[type]] = {
    Physical.INT64: frozenset({int, _NONE}),
    Physical.FLOAT64: frozenset({float, int, _NONE}),
    Physical.BOOL: frozenset({bool, _NONE}),
    Physical.UTF8: frozenset({str, _NONE}),
    Physical.LIST_UTF8: frozenset({list, tuple, _NONE}),
    Physical.VALUES: frozenset({list, tuple, _NONE}),
}
_MOST = (1 << 63) - 1
_PLAIN: Mapping[Physical, Any] = {Physical.INT64: list[int], Physical.UTF8: list[str], Physical.BOOL: list[bool]}
_NEWEST = pl.CompatLevel.newest()
Objects = Mapping[str, ObjectTable]
Left = Callable[[Batch, str, Sequence[Prepared]], int | None]


def encode(
    batches: Iterable[Batch],
    schemas: Schemas,
    objects: Objects,
    row: int,
    streams: int = 0,
    left: Left = lambda *_: None,
) -> Frame:
    """Encode batches whose first event row gets the number `row`, for a frame that has so many streams already; `left`
    tells how many new ids of an object table a batch may bring after others (None: any number). Raises Refused."""
    before = {name: len(table.keys) for name, table in objects.items()}
    try:
        group = _Group(schemas, objects, row, streams, left)
        for batch in batches:
            group.add(batch)
        return Frame(group.prepared, group.streams())
    except BaseException as error:
        take_back(objects, before)
        if isinstance(error, pa.ArrowException | TypeError | ValueError | OverflowError):
            raise Refused(f"rows that cannot be stored: {error}") from error
        raise


def take_back(objects: Objects, counts: Mapping[str, int]) -> None:
    """Forget the ids allocated since the tables had so many keys."""
    for name, count in counts.items():
        objects[name].take_back(count)


def _check_name(batch: Batch) -> None:
    if not 0 < len(batch.source) <= MAX_SOURCE or not len(batch.epoch) <= MAX_EPOCH:
        raise Refused("a batch needs a source and an epoch of reasonable length")
    if not (0 <= batch.generation <= _MOST and 0 <= batch.sequence <= _MOST and 0 <= batch.received <= _MOST):
        raise Refused("generation, sequence and time of a batch are 64-bit numbers, not negative")
    if batch.first is not None and not 0 <= batch.first <= batch.sequence:
        raise Refused("the first number of a batch comes before its sequence")
    if sum(rows.count for rows in batch.rows) > MAX_ROWS:
        raise Refused(f"a batch holds at most {MAX_ROWS} rows")


@dataclass(slots=True)
class _Alike:
    """Event rows of batches with the same columns, in a stream of their own."""

    schema: TableSchema
    stream: int
    seen: list[str]
    links: frozenset[str]
    parts: list[Mapping[str, Sequence[Any]]] = field(default_factory=list)
    rows: int = 0

    def made(self) -> Stream:
        """All of them. Raises Refused, or what Arrow raises."""
        columns = {name: self._column(name) for name in self.parts[0]}
        if columns[self.schema.time].null_count:
            raise Refused(f"every row of {self.schema.name} needs its {self.schema.time}")
        rows = pa.record_batch(list(columns.values()), names=list(columns))
        payload = encode_rows(rows)
        return Stream(StreamPart(self.schema.name, self.rows, payload.size, self.seen), rows, payload)

    def _column(self, name: str) -> Any:
        values = self.parts[0][name]
        if len(self.parts) > 1:
            values = []
            for part in self.parts:
                values += part[name]
        return _whole(values) if name in self.links else array_of(self.schema, name, values)


class _Group:
    """Batches on their way to a frame: what is put together of them, and each one's part of the header."""

    def __init__(self, schemas: Schemas, objects: Objects, row: int, streams: int, left: Left) -> None:
        self.prepared: list[Prepared] = []
        self._schemas = schemas
        self._objects = objects
        self._row = row
        self._first = streams
        self._left = left
        self._alike: dict[tuple[str, bool, bool, tuple[str, ...]], _Alike] = {}

    def add(self, batch: Batch) -> None:
        """Check the shape of a batch's rows, and give ids to what they name."""
        _check_name(batch)
        encoder = _Encoder(batch, self._objects, lambda table: self._left(batch, table, self.prepared))
        for rows in batch.rows:
            schema = self._schemas.get(rows.table)
            if schema is None:
                raise Refused(f"there is no table {rows.table!r} to write to")
            encoder.add(schema, rows)
        tables, row = [], self._row
        own = DEVICES in self._objects and batch.source in self._objects[DEVICES].ids
        for found in encoder.tables:
            if not isinstance(found, TablePart):
                schema, count, columns = found
                stream = self._put(batch.source == PORTAL, own, schema, count, columns)
                found = TablePart(schema.name, count, 0, stream=stream)
                self._row += count
            tables.append(found)
        part_of_header = BatchPart(
            batch.source, batch.generation, batch.epoch, batch.sequence, batch.received, row, tables,
            encoder.new_keys(), batch.first,
        )  # fmt: skip
        self.prepared.append(Prepared(part_of_header, tuple(encoder.batches), tuple(encoder.payloads)))

    def streams(self) -> list[Stream]:
        """What was put together. Raises Refused, or what Arrow raises."""
        return [alike.made() for alike in self._alike.values()]

    def _put(
        self, portal: bool, own: bool, schema: TableSchema, count: int, columns: Mapping[str, Sequence[Any]]
    ) -> int:
        """Put rows to those like them, that is of senders that see the same in them; in which stream."""
        key = schema.name, portal, own, tuple(columns)
        alike = self._alike.get(key)
        if alike is None:
            if schema.time not in columns:
                raise Refused(f"every row of {schema.name} needs its {schema.time}")
            links = [link for link in schema.links if link in columns]
            seen = [link for link in links if self._objects[schema.links[link]].schema.seen]
            # What the portal computes about an object is no sign of life, and a device was seen when its batch came.
            seen = [link for link in seen if not portal and not (own and schema.links[link] == DEVICES)]
            alike = _Alike(schema, self._first + len(self._alike), seen, frozenset(links))
            self._alike[key] = alike
        alike.parts.append(columns)
        alike.rows += count
        return alike.stream


@dataclass(slots=True)
class _Encoder:
    """One batch: `tables` has each one's part of the header, or of event rows schema, count and columns, with ids for
    links."""

    batch: Batch
    objects: Objects
    bound: Callable[[str], int | None]
    left: dict[str, int | None] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)
    tables: list[TablePart | tuple[TableSchema, int, Mapping[str, Sequence[Any]]]] = field(default_factory=list)
    batches: list[Any] = field(default_factory=list)
    payloads: list[Any] = field(default_factory=list)

    def add(self, schema: TableSchema, rows: Rows) -> None:
        """Look at the rows of one table; objects are encoded."""
        names, count = rows.columns.keys(), rows.count
        if not names <= schema.columns.keys() or "@id" in names or "@row" in names:
            unknown = [name for name in names if name not in schema.columns or name in ("@id", "@row")]
            raise Refused(f"{schema.name} has no column {unknown[0]!r} to write to")
        if set(map(len, rows.columns.values())) - {count}:
            raise Refused(f"the columns of {schema.name} are not equally long")
        links = self._links(schema, rows.columns)
        if schema.is_object:
            self._add_objects(schema, rows, links)
        elif count:
            self.tables.append((schema, count, {**rows.columns, **links}))
            self.batches.append(None)

    def _add_objects(self, schema: TableSchema, rows: Rows, links: Mapping[str, list[int | None]]) -> None:
        columns = {
            name: _whole(links[name]) if name in links else array_of(schema, name, values)
            for name, values in rows.columns.items()
        }
        columns, owners = self._objects(schema, rows, columns)
        if rows.count == 0 and not owners:
            return
        encoded = pa.record_batch(list(columns.values()), names=list(columns))
        payload = encode_rows(encoded)
        self.tables.append(TablePart(schema.name, rows.count, payload.size, owners))
        self.batches.append(encoded)
        self.payloads.append(payload)

    def new_keys(self) -> dict[str, NewKeys]:
        """The keys that got ids, by object table."""
        found = {name: NewKeys(first, self.objects[name].keys[first:]) for name, first in self.first.items()}
        return {name: keys for name, keys in found.items() if keys.keys}

    def _links(self, schema: TableSchema, columns: Mapping[str, Sequence[Any]]) -> dict[str, list[int | None]]:
        """The link columns as ids; an object nobody spoke of gets one. Those with a simple key come first, for the
        others' keys."""
        ids: dict[str, list[int | None]] = {}
        wanted = [(name, self.objects[target]) for name, target in schema.links.items() if name in columns]
        for name, target in wanted:
            if not target.schema.key_links:
                ids[name] = self._ids(schema, name, target, columns[name])
        joined = [item for item in wanted if item[1].schema.key_links] if len(ids) < len(wanted) else []
        for name, target in sorted(joined, key=lambda item: len(item[1].schema.key)):
            _check_types(schema, name, columns[name], _TYPES[Physical.UTF8])
            texts = [_joined(target.schema, name, ids, row, text) for row, text in enumerate(columns[name])]
            ids[name] = self._ids(schema, name, target, texts)
        return ids

    def _objects(self, schema: TableSchema, rows: Rows, columns: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
        """The rows of an object table: ids instead of keys; and the devices whose set they are."""
        parts = [self._key_part(schema, name, rows, columns) for name in schema.key]
        table = self.objects[schema.name]
        keys = parts[0] if len(parts) == 1 else [SEPARATOR.join(key) for key in zip(*parts, strict=True)]
        ids = [self._id(table, key) for key in keys]
        result = {"@id": pa.array(ids, type=pa.int64())}
        result |= {name: values for name, values in columns.items() if name not in schema.key}
        if not schema.owned:
            return result, []
        result["@device"] = columns.get("@device", pa.array([], type=pa.int64()))
        return result, sorted(set(result["@device"].to_pylist())) or self._own_device()

    def _ids(
        self, schema: TableSchema, name: str, target: ObjectTable, texts: Sequence[str | None]
    ) -> list[int | None]:
        if texts and texts[0] is texts[-1] and texts.count(texts[0]) == len(texts):  # all of one device or person
            return self._ids_of(schema, name, target, texts[:1]) * len(texts)
        return self._ids_of(schema, name, target, texts)

    def _ids_of(
        self, schema: TableSchema, name: str, target: ObjectTable, texts: Sequence[str | None]
    ) -> list[int | None]:
        try:
            ids: list[int | None] = list(map(target.ids.get, texts))  # type: ignore[arg-type]
        except TypeError:  # no text, but a list
            ids = [None]
        if None not in ids:
            return ids
        _check_types(schema, name, texts, _TYPES[Physical.UTF8])
        if ids.count(None) == texts.count(None):
            return ids
        if "" in texts:
            raise Refused(f"an empty key for {target.schema.name}")
        return [None if text is None else self._id(target, text) for text in texts]

    def _id(self, target: ObjectTable, key: str) -> int:
        """The id of a key; that of `other` if it is a new one and there were too many."""
        found = target.ids.get(key)
        if found is not None:
            return found
        name = target.schema.name
        self.first.setdefault(name, len(target.keys))
        if name not in self.left:
            self.left[name] = self.bound(name)
        left = self.left[name]
        if left is not None:
            if left <= 0:
                return target.allocate(_other(target.schema, key))
            self.left[name] = left - 1
        return target.allocate(key)

    def _key_part(self, schema: TableSchema, name: str, rows: Rows, columns: Mapping[str, Any]) -> list[str]:
        values = rows.columns.get(name)
        if values is None and rows.count:
            raise Refused(f"rows of {schema.name} need their key {name}")
        if None in (values or ()) or "" in (values or ()):
            raise Refused(f"a row of {schema.name} has no {name}")
        if name.startswith("@"):
            return list(map(str, columns[name].to_pylist())) if values else []
        return list(values or ())

    def _own_device(self) -> list[int]:
        """Whose set an empty one is: the sender's, if it is a device."""
        own = self.objects[DEVICES].ids.get(self.batch.source) if DEVICES in self.objects else None
        return [] if own is None else [own]


def array_of(schema: TableSchema, name: str, values: Sequence[Any]) -> Any:
    """A column as Arrow. Raises Refused, or what Arrow raises, for values of another type."""
    physical = schema.columns[name]
    form = _PLAIN.get(physical)
    if form is None or not wholly(values, form):
        _check_types(schema, name, values, _TYPES[physical])
    if physical is Physical.INT64:
        return _whole(values)
    if physical is Physical.UTF8:  # Polars takes texts twice as fast as Arrow
        return pl.Series(values, dtype=pl.String).to_arrow(compat_level=_NEWEST) if values else pa.array([], type=TEXT)
    made = pa.array(values, type=ARROW[physical])
    if physical is Physical.FLOAT64 and not pc.all(pc.is_finite(made)).as_py() and made.null_count < len(made):
        raise Refused(f"{schema.name}.{name} holds a number that is not finite")
    return made


def _whole(values: Sequence[int | None]) -> Any:
    """Whole numbers as Arrow, thrice as fast as Arrow takes them; nulls cost as much as there. Raises Refused."""
    try:
        packed = struct.pack(f"{len(values)}q", *values)
    except struct.error:
        return pa.array(values, type=pa.int64())
    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(packed)])


def _check_types(schema: TableSchema, name: str, values: Sequence[Any], allowed: frozenset[type]) -> None:
    if wrong := set(map(type, values)) - allowed:
        raise Refused(f"{schema.name}.{name} cannot hold {wrong.pop().__name__} values")


def _other(schema: TableSchema, key: str) -> str:
    """The key of what stands for all that is beyond the bound, beside the same objects. Raises Refused where a key has
    no text that could say so."""
    if schema.key_text is None:
        raise Refused(f"too many new {schema.name} from one sender in a day")
    return SEPARATOR.join([*key.split(SEPARATOR)[: len(schema.key_links)], OTHER])


def _joined(
    target: TableSchema, name: str, ids: Mapping[str, list[int | None]], row: int, text: str | None
) -> str | None:
    """The key of an object that is known by another one and its own name, such as a page of an application."""
    if text is None:
        return None
    parts = [ids[link][row] if link in ids else None for link in target.key_links]
    if None in parts:
        raise Refused(f"{name} needs {' and '.join(target.key_links)} in the same row")
    return SEPARATOR.join([*map(str, parts), text])
