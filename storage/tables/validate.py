"""Judging rows that came over the wire, before anything trusts them.

In: columns as decoded JSON lists, who wrote them, and now. Out: `Rows` in stored form: enums in their canonical
spelling, addresses as 32 digits, a sampled bucket's end and length both there. Raises `Refused` with a reason that
names table and column. Invariant: what an agent sends cannot exceed the bounds below, cannot set what the server
decides, and cannot speak for another device. Keys of objects become ids later, in `storage.tables.encode`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nql.catalog.model import COMPONENTS, Catalog, Table, TableKind
from nql.datatypes import STRING
from storage.tables.entries import declared_form
from storage.tables.errors import Refused
from storage.tables.rows import MAX_ROWS, Rows
from storage.tables.schema import DEVICES, Schemas, TableSchema, schemas_of
from storage.tables.values import checked

MAX_COLUMNS = 200
MAX_MESSAGE = 8 << 20  # bytes of a batch when decompressed; whoever decompresses enforces it
EARLIEST = 30 * 86_400_000_000  # how long before now an agent's event may lie
LATEST = 86_400_000_000  # and how long after
LONGEST_BUCKET = 7 * 86_400_000_000 + 3_600_000_000
WRITERS = ("agent", "portal", "import")


def rows_from_wire(
    catalog: Catalog,
    table: str,
    columns: Mapping[str, Sequence[Any]],
    *,
    writer: str,
    device_uid: str | None,
    now: int,
) -> Rows:
    """Rows fit to be stored. `device_uid` is the sender's identity, needed for an agent. Raises Refused."""
    schemas = schemas_of(catalog)
    schema = schemas.get(table)
    if schema is None:
        raise Refused(f"there is no table {_shown(table)} to write to")
    found = schema.table
    count = _shape(schema, columns)
    if writer == "agent":
        if device_uid is None:
            raise ValueError("an agent's rows need the uid of its device")
        _rights(schemas, schema, columns)
        columns = _as_device(schema, columns, count, device_uid)
    elif writer not in WRITERS:
        raise ValueError(f"an unknown writer {writer!r}")
    strict = writer == "agent"
    result: dict[str, Sequence[Any]] = {
        name: _checked(schema, name, values, strict) for name, values in columns.items()
    }
    if not strict:
        result = _entries(catalog, found, result)
    _keys(schema, result, count)
    if found.kind is not TableKind.OBJECT:
        _times(found, result, count, now, strict)
        _gauges(found, result)
    return Rows(found.name, result)


def check_batch(rows: Iterable[Rows]) -> None:
    """Raise Refused if the tables of one batch have too many rows together."""
    if sum(item.count for item in rows) > MAX_ROWS:
        raise Refused(f"a batch holds at most {MAX_ROWS} rows")


def _shape(schema: TableSchema, columns: Mapping[str, Sequence[Any]]) -> int:
    """Known columns, equally long, not too many of either; how many rows."""
    if not columns or len(columns) > MAX_COLUMNS:
        raise Refused(f"{schema.name} takes 1 to {MAX_COLUMNS} columns")
    for name, values in columns.items():
        if name not in schema.columns or name in ("@id", "@row"):
            raise Refused(f"{schema.name} has no column {_shown(name)} to write to")
        if not isinstance(values, list):
            raise Refused(f"{schema.name}.{name} is no list of values")
    count = len(next(iter(columns.values())))
    if any(len(values) != count for values in columns.values()):
        raise Refused(f"the columns of {schema.name} are not equally long")
    if count > MAX_ROWS:
        raise Refused(f"a batch holds at most {MAX_ROWS} rows")
    return count


def _rights(schemas: Schemas, schema: TableSchema, columns: Iterable[str]) -> None:
    """An agent writes the tables that are its to write, and there no fact that is the server's."""
    if schema.table.writer != "agent":
        raise Refused(f"{schema.name} is not written by agents")
    for name in columns:
        field = schema.table.fields.get(name)
        if field is not None and field.server and name not in schema.key:
            raise Refused(f"{schema.name}.{name} is set by the server")
        if name in schema.links and schemas[schema.links[name]].table.writer != "agent":
            raise Refused(f"{schema.name}.{name} points to objects that are not an agent's to name")


def _as_device(
    schema: TableSchema, columns: Mapping[str, Sequence[Any]], count: int, uid: str
) -> Mapping[str, Sequence[Any]]:
    """The columns with the sender's identity filled in. A device speaks of itself alone."""
    own = "uid" if schema.name == DEVICES else "@device" if "@device" in schema.links else None
    if own is None:
        return columns
    if own == "uid" and count > 1:
        raise Refused(f"{schema.name} takes one row of a device, its own")
    if any(value is not None and value != uid for value in columns.get(own, ())):
        raise Refused(f"{schema.name}.{own} names another device than the sender")
    return {**columns, own: [uid] * count}


def _checked(schema: TableSchema, name: str, values: Sequence[Any], strict: bool) -> Sequence[Any]:
    dtype = STRING if name in schema.links else schema.stored[name].dtype
    try:
        return checked(dtype, values, strict=strict)
    except ValueError as error:
        raise Refused(f"{schema.name}.{name} {error}") from error


def _entries(catalog: Catalog, table: Table, columns: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    try:
        return declared_form(catalog, table, columns)
    except ValueError as error:
        raise Refused(f"{table.name} {error}") from error


def _keys(schema: TableSchema, columns: Mapping[str, Sequence[Any]], count: int) -> None:
    for name in schema.key:
        values = columns.get(name, ())
        if count and (not values or None in values or "" in values):
            raise Refused(f"every row of {schema.name} needs its {name}")


def _times(table: Table, columns: dict[str, Sequence[Any]], count: int, now: int, strict: bool) -> None:
    """Every event has its time, in bounds; every bucket its end and length."""
    name = table.time or ""
    times = columns.get(name, ())
    if count and (not times or None in times):
        raise Refused(f"every row of {table.name} needs its {name}")
    if table.kind is TableKind.SAMPLED and count:
        _buckets(table, columns)
    for bounded in (name, "end_time") if table.kind is TableKind.SAMPLED else (name,):
        instants = columns.get(bounded, ())
        if instants and max(instants) > now + LATEST:
            raise Refused(f"{table.name}.{bounded} lies more than a day in the future")
        if instants and min(instants) < (now - EARLIEST if strict else 0):
            raise Refused(f"{table.name}.{bounded} lies too far in the past")


def _buckets(table: Table, columns: dict[str, Sequence[Any]]) -> None:
    starts = columns["start_time"]
    ends, lengths = columns.get("end_time"), columns.get("bucket_duration")
    given = ends if ends is not None else lengths
    if given is None or None in given or (lengths is not None and None in lengths):
        raise Refused(f"every row of {table.name} needs its end_time or its bucket_duration")
    if ends is None:
        ends = columns["end_time"] = [start + length for start, length in zip(starts, given, strict=True)]
    found = [end - start for start, end in zip(starts, ends, strict=True)]
    if lengths is not None and list(lengths) != found:
        raise Refused(f"a row of {table.name} does not last from its start_time to its end_time")
    if min(found) <= 0 or max(found) > LONGEST_BUCKET:
        raise Refused(f"a row of {table.name} lasts less than nothing or more than a week")
    columns["bucket_duration"] = found


def _gauges(table: Table, columns: Mapping[str, Sequence[Any]]) -> None:
    """A gauge is its four columns or none of them: an average needs both sum and count."""
    if table.kind is not TableKind.SAMPLED:
        return
    for field in table.fields.values():
        if field.metric != "gauge" or not field.own_column:
            continue
        lacking = [part for part in COMPONENTS if f"{field.name}.{part}" not in columns]
        if lacking and len(lacking) < len(COMPONENTS):
            raise Refused(f"{table.name}.{field.name} lacks its {lacking[0]}")


def _shown(name: object) -> str:
    """A name from outside, fit for a message."""
    text = repr(name)
    return text if len(text) <= 80 else text[:77] + "..."
