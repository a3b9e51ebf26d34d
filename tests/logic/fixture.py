"""Reads `.fixture` files: the tables, clock and zones that logic tests speak about.

In: a text of settings (`now: ...`), configured items, and tables with aligned columns. Out: a `Fixture` with a catalog
and frames of stored columns. Items stand before the tables:

    action #clean_up: freed bytes, ok boolean
    campaign #welcome: mood, place; parameters issue
    trend #remote: score float, os_name string
    field device.#unit string manual
    field device.#ring enum fast slow computed

The first column of a table names its rows; a link column (`@device`) holds such a name, and a custom field stands under
its own (`#unit`). Objects get dense ids and events row numbers in the order written. A column that is not written is
null. Invariant: cells are read by the catalog's type of the column, so that a fixture cannot hold what a table could
not.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from nql.catalog.configured import CUSTOMIZED, Campaign, CustomField, Item, Trend, configured
from nql.catalog.load import builtin
from nql.catalog.model import Catalog, Field, Table, executions_of
from nql.datatypes import BYTES, MICROSECONDS, DataType, Kind, enum_text, ip_text
from tests.logic.memory_source import MemorySource, stored_schema

NULL = "∅"
KINDS = {kind.value: kind for kind in Kind}


@dataclass(frozen=True)
class Fixture:
    """Tables at one instant (microseconds UTC), seen from a user's zone on an instance with its own."""

    now: int
    user_zone: str
    instance_zone: str
    catalog: Catalog
    frames: dict[str, pl.DataFrame] = field(compare=False)

    def source(self) -> MemorySource:
        """The tables as a source."""
        return MemorySource(self.catalog, self.frames, zone=self.instance_zone, complete_until=self.now)


@cache
def load(name: str) -> Fixture:
    """The fixture of a name, from the folder `fixtures`."""
    return parse((Path(__file__).parent / "fixtures" / f"{name}.fixture").read_text(encoding="utf-8"))


def parse(text: str) -> Fixture:
    """The fixture of a text."""
    settings: dict[str, str] = {}
    catalog = builtin()
    items: list[Item] = []
    written: list[tuple[str, list[list[str]]]] = []
    for line in text.splitlines():
        stripped = line.split("# ", 1)[0].strip()
        if not stripped:
            continue
        if stripped.startswith("table "):
            written.append((stripped.removeprefix("table ").strip(), []))
        elif stripped.startswith("action "):
            catalog = _with_action(catalog, stripped.removeprefix("action "))
        elif (word := stripped.partition(" ")[0]) in ITEMS:
            items.append(ITEMS[word](stripped.removeprefix(word).strip()))
        elif written:
            written[-1][1].append([cell.strip() for cell in stripped.split("|")])
        else:
            key, value = stripped.split(":", 1)
            settings[key] = value.strip()
    catalog = configured(catalog, items)
    names = {table: {row[0]: at for at, row in enumerate(rows[1:])} for table, rows in written}
    frames = {table: _frame(catalog.tables[table], rows, names) for table, rows in written}
    now = instant(settings["now"])
    return Fixture(now, settings["user zone"], settings["instance zone"], catalog, frames)


def _with_action(catalog: Catalog, line: str) -> Catalog:
    """`action #id: output type, output type`: the catalog with the executions table of a remote action."""
    nql_id, outputs = line.split(":", 1)
    table = executions_of(catalog, nql_id.strip().lstrip("#"), _types(outputs))
    return catalog.overlay([table], line)


def _types(text: str) -> dict[str, DataType]:
    """`name type, name type real`: types by name."""
    types: dict[str, DataType] = {}
    for item in text.split(","):
        name, kind, *real = item.split()
        types[name] = DataType(KINDS[kind], real=bool(real))
    return types


def _campaign(line: str) -> Campaign:
    """`#id: question, question; parameters name, name`."""
    nql_id, asked = line.split(":", 1)
    questions, _, parameters = asked.partition("; parameters ")
    named = [name.strip() for name in parameters.split(",") if name.strip()]
    return Campaign(nql_id.strip("# "), {name.strip(): "" for name in questions.split(",")}, tuple(named))


def _trend(line: str) -> Trend:
    """`#id: field type, field type`."""
    nql_id, fields = line.split(":", 1)
    return Trend(nql_id.strip("# "), _types(fields))


def _custom_field(line: str) -> CustomField:
    """`device.#name type manual`, or `computed`; the members of an enum stand behind its type."""
    path, kind, *members, how = line.split()
    record, _, name = path.partition(".")
    table = next(table for table in CUSTOMIZED if table.startswith(f"{record}."))
    dtype = DataType(KINDS[kind], members=tuple(members), closed=bool(members))
    return CustomField(table, name.replace("#", ""), dtype, {"manual": True, "computed": False}[how])


ITEMS: dict[str, Callable[[str], Item]] = {"campaign": _campaign, "trend": _trend, "field": _custom_field}


def _frame(table: Table, rows: list[list[str]], names: dict[str, dict[str, int]]) -> pl.DataFrame:
    schema = stored_schema(table)
    types = {column.name: column.dtype for column in table.stored()}
    header, *body = rows
    data: dict[str, list[Any]] = {table.row_key: list(range(len(body)))}
    for at, name in enumerate(header[1:], start=1):
        cells = [row[at] for row in body]
        if name.startswith("@"):
            ids = names[table.links[name[1:]]]
            data[name] = [None if cell == NULL else ids[cell] for cell in cells]
        elif (held := table.fields.get(name)) is not None and held.within is not None:
            entries = [_custom(held, cell) for cell in cells]
            data[held.within] = [
                [*before, *new] for before, new in zip(data.get(held.within) or [()] * len(cells), entries, strict=True)
            ]
        else:
            stored = name if name in types else table.fields[name].same_as or name
            data[stored] = [value_of(cell, types[stored]) for cell in cells]
    missing = {name: [None] * len(body) for name in schema if name not in data}
    return pl.DataFrame({**data, **missing}, schema_overrides=schema).select(list(schema)).cast(schema)  # type: ignore[arg-type]


def _custom(item: Field, cell: str) -> list[dict[str, Any]]:
    """A custom field of one object, as an entry of its map; none where there is no value."""
    value = value_of(cell, item.dtype)
    if value is None:
        return []
    slot = {int: "number", bool: "number", float: "real", list: "texts"}.get(type(value), "text")
    return [{**_entry(item.entry or "", None), slot: int(value) if isinstance(value, bool) else value}]


def value_of(cell: str, dtype: DataType) -> Any:
    """The physical value of a written cell. Raises ValueError if the cell is not of the type."""
    if cell == NULL:
        return None
    match dtype.kind:
        case Kind.INT:
            return int(cell)
        case Kind.FLOAT | Kind.PERCENTAGE:
            return float(cell.removesuffix("%"))
        case Kind.BOOLEAN:
            return {"true": True, "false": False}[cell]
        case Kind.DATETIME:
            return instant(cell)
        case Kind.DURATION:
            return _quantity(cell, MICROSECONDS, dtype.real)
        case Kind.BYTES:
            return _quantity(cell, BYTES, dtype.real)
        case Kind.ENUM:
            if (member := enum_text(dtype, cell)) is None:
                raise ValueError(f"{cell} is not one of {', '.join(dtype.members)}")
            return member
        case Kind.IP:
            return ip_text(cell)
        case Kind.STRINGS:
            return [item.strip() for item in cell.strip("[]").split(",") if item.strip()]
        case Kind.MAP:
            return [_entry(name, value) for name, value in json.loads(cell).items()]
        case _:
            return json.loads(cell) if cell.startswith('"') else cell


def instant(text: str) -> int:
    """Microseconds since 1970 of a UTC time such as `2024-11-11T10:05:00Z`, `2024-11-11 10:05` or a day alone."""
    return (
        round(datetime.fromisoformat(text.removesuffix("Z") + "+00:00").timestamp() * 1_000_000)
        if len(text) > 10
        else (instant(f"{text} 00:00"))
    )


def _quantity(cell: str, units: dict[str, int], real: bool) -> int | float:
    unit = max((name for name in units if cell.endswith(name)), key=len, default="")
    exact = float(cell.removesuffix(unit)) * units.get(unit, 1)
    return exact if real else round(exact)


def _entry(name: str, value: Any) -> dict[str, Any]:
    """An entry of a typed map: a JSON number with a point is real, `true` is the number 1."""
    entry: dict[str, Any] = {"name": name, "number": None, "real": None, "text": None, "texts": None}
    match value:
        case bool() | int():
            entry["number"] = int(value)
        case float():
            entry["real"] = value
        case list():
            entry["texts"] = value
        case _:
            entry["text"] = value
    return entry
