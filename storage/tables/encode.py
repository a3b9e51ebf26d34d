"""From a batch of rows to what the journal keeps: checked columns as Arrow, key texts as dense ids.

In: a `Batch` and the present ids. Out: `Prepared`, and new ids allocated in the object tables, which the caller takes
back if the batch does not become durable. Raises Refused, with everything taken back already. Invariant: what comes out
fits the schema, so applying it cannot fail. Rights and bounds of a sender are not judged here but in
`storage.tables.validate`.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from nql.datatypes import Physical
from storage.tables.errors import Refused
from storage.tables.frames import BatchPart, NewKeys, Prepared, TablePart, encode_rows
from storage.tables.objects import ObjectTable
from storage.tables.quota import OTHER
from storage.tables.rows import MAX_EPOCH, MAX_ROWS, MAX_SOURCE, Batch, Rows
from storage.tables.schema import ARROW, DEVICES, SEPARATOR, Schemas, TableSchema
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
Objects = Mapping[str, ObjectTable]


def prepare(
    batch: Batch, schemas: Schemas, objects: Objects, row: int, left: Callable[[str], int | None] = lambda _: None
) -> Prepared:
    """Encode a batch whose first event row gets the number `row`; `left` tells of an object table how many new ids the
    batch may bring (None: any number). Raises Refused."""
    _check_name(batch)
    before = {name: len(table.keys) for name, table in objects.items()}
    try:
        encoder = _Encoder(batch, objects, left)
        for rows in batch.rows:
            schema = schemas.get(rows.table)
            if schema is None:
                raise Refused(f"there is no table {rows.table!r} to write to")
            encoder.add(schema, rows)
        return encoder.finish(before, row)
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
class _Encoder:
    batch: Batch
    objects: Objects
    bound: Callable[[str], int | None]
    left: dict[str, int | None] = field(default_factory=dict)
    tables: list[TablePart] = field(default_factory=list)
    batches: list[Any] = field(default_factory=list)
    payloads: list[Any] = field(default_factory=list)

    def add(self, schema: TableSchema, rows: Rows) -> None:
        """Encode the rows of one table."""
        if unknown := [name for name in rows.columns if name not in schema.columns or name in ("@id", "@row")]:
            raise Refused(f"{schema.name} has no column {unknown[0]!r} to write to")
        count = rows.count
        if any(len(values) != count for values in rows.columns.values()):
            raise Refused(f"the columns of {schema.name} are not equally long")
        links = self._links(schema, rows.columns)
        columns = {
            name: links[name] if name in links else array_of(schema, name, rows.columns[name]) for name in rows.columns
        }
        owners: list[int] = []
        if schema.is_object:
            columns, owners = self._objects(schema, rows, columns)
        elif count and (schema.time not in columns or columns[schema.time].null_count):
            raise Refused(f"every row of {schema.name} needs its {schema.time}")
        if count == 0 and not owners:
            return
        encoded = pa.record_batch(list(columns.values()), names=list(columns))
        payload = encode_rows(encoded)
        self.tables.append(TablePart(schema.name, count, payload.size, owners))
        self.batches.append(encoded)
        self.payloads.append(payload)

    def finish(self, before: Mapping[str, int], row: int) -> Prepared:
        """The batch, with the keys that got ids since `before`."""
        fresh = {
            name: NewKeys(before[name], table.keys[before[name] :])
            for name, table in self.objects.items()
            if len(table.keys) > before[name]
        }
        batch = self.batch
        part = BatchPart(
            batch.source, batch.generation, batch.epoch, batch.sequence, batch.received, row, self.tables, fresh,
            batch.first,
        )  # fmt: skip
        return Prepared(part, tuple(self.batches), tuple(self.payloads))

    def _links(self, schema: TableSchema, columns: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        """The link columns as ids; an object nobody spoke of gets one. Those with a simple key come first, for the
        others' keys."""
        found: dict[str, Any] = {}
        ids: dict[str, list[int | None]] = {}
        wanted = [name for name in schema.links if name in columns]
        for name in sorted(wanted, key=lambda item: len(self.objects[schema.links[item]].schema.key)):
            target = self.objects[schema.links[name]]
            texts = columns[name]
            if not wholly(texts, list[str]):
                _check_types(schema, name, texts, _TYPES[Physical.UTF8])
            if target.schema.key_links:
                texts = [_joined(target.schema, name, ids, row, text) for row, text in enumerate(texts)]
            ids[name] = self._ids(target, texts)
            found[name] = pa.array(ids[name], type=pa.int64())
        return found

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

    def _ids(self, target: ObjectTable, texts: Sequence[str | None]) -> list[int | None]:
        ids: list[int | None] = list(map(target.ids.get, texts))  # type: ignore[arg-type]
        if None not in ids or ids.count(None) == list(texts).count(None):
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
    plain = form is not None and wholly(values, form)
    if not plain:
        _check_types(schema, name, values, _TYPES[physical])
    elif physical is Physical.INT64:
        return _whole(values)
    made = pa.array(values, type=ARROW[physical])
    if physical is Physical.FLOAT64 and not pc.all(pc.is_finite(made)).as_py() and made.null_count < len(made):
        raise Refused(f"{schema.name}.{name} holds a number that is not finite")
    return made


def _whole(values: Sequence[int]) -> Any:
    """Whole numbers as Arrow, twice as fast as Arrow takes them. Raises OverflowError."""
    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(array("q", values))])


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
