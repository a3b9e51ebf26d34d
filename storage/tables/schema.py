"""The Arrow form of catalog tables: which columns a stored table has, of what type, and how its objects are keyed.

In: a catalog. Out: one `TableSchema` for every table that rows can be written to (not for templates such as
`remote_action.#<nql_id>.executions`, nor for tables whose rows are those of another). Invariant: a physical type has
one Arrow type, everywhere; text is the view layout, which the query engine reads without copying.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TypeVar

import polars as pl
import pyarrow as pa

from nql.catalog.model import Catalog, StoredColumn, Table, TableKind
from nql.datatypes import Physical

TEXT = pa.string_view()
_VALUE = pa.struct(
    [
        pa.field("name", TEXT),
        pa.field("number", pa.int64()),
        pa.field("real", pa.float64()),
        pa.field("text", TEXT),
        pa.field("texts", pa.list_(TEXT)),
    ]
)
ARROW = {
    Physical.INT64: pa.int64(),
    Physical.FLOAT64: pa.float64(),
    Physical.BOOL: pa.bool_(),
    Physical.UTF8: TEXT,
    Physical.LIST_UTF8: pa.list_(TEXT),
    Physical.VALUES: pa.list_(_VALUE),
}
POLARS: Mapping[Physical, pl.DataType] = {
    Physical.INT64: pl.Int64(),
    Physical.FLOAT64: pl.Float64(),
    Physical.BOOL: pl.Boolean(),
    Physical.UTF8: pl.String(),
    Physical.LIST_UTF8: pl.List(pl.String()),
    Physical.VALUES: pl.List(
        pl.Struct(
            {
                "name": pl.String(),
                "number": pl.Int64(),
                "real": pl.Float64(),
                "text": pl.String(),
                "texts": pl.List(pl.String()),
            }
        )
    ),
}
DEVICES = "device.devices"
Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)
_ROWS_DAYS = {"execution.events": 14, "connection.events": 14}  # of high resolution; their daily samples have 30
SEPARATOR = "\x1f"  # between the parts of a key: ids of linked objects first, at most one text, last


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A stored table. `columns` maps stored columns, in order, to physical types, `stored` to what the catalog says of
    them; `links` maps link columns to object tables, and `key_links` are those of the key; `owned` marks what a device
    has a whole set of (its antiviruses), which a batch replaces; `seen` marks objects with `first_seen` and
    `last_seen`."""

    table: Table
    columns: Mapping[str, Physical]
    stored: Mapping[str, StoredColumn]
    links: Mapping[str, str]
    key: tuple[str, ...]
    key_links: tuple[str, ...]
    owned: bool
    seen: bool

    @property
    def name(self) -> str:
        """The table's name."""
        return self.table.name

    @property
    def is_object(self) -> bool:
        """Whether rows are objects, upserted by key, and not events."""
        return self.table.kind is TableKind.OBJECT

    @property
    def rows_days(self) -> int | None:
        """For how many days rows are kept whose daily samples are kept longer, None where they are kept as long."""
        return _ROWS_DAYS.get(self.name)

    @property
    def time(self) -> str:
        """The column that says when an event happened."""
        return self.table.time or ""

    @property
    def key_text(self) -> str | None:
        """The text column of the key, None if the key is made of links alone."""
        last = self.key[-1] if self.key else None
        return None if last is None or last.startswith("@") else last


class Schemas:
    """The schemas of a catalog, by table name."""

    __slots__ = ("_schemas", "catalog")

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._schemas = MappingProxyType(
            {table.name: schema_of(table) for table in catalog.tables.values() if is_stored(table)}
        )

    def get(self, name: str) -> TableSchema | None:
        """The schema of a table, None if no rows can be written to it."""
        return self._schemas.get(name)

    def __getitem__(self, name: str) -> TableSchema:
        return self._schemas[name]

    def everything(self) -> tuple[TableSchema, ...]:
        """The schemas of all tables."""
        return tuple(self._schemas.values())

    def objects(self) -> tuple[TableSchema, ...]:
        """The schemas of all object tables."""
        return tuple(schema for schema in self._schemas.values() if schema.is_object)


@lru_cache(maxsize=8)
def schemas_of(catalog: Catalog) -> Schemas:
    """The schemas of a catalog, made once."""
    return Schemas(catalog)


def typed(rows: Frame, schema: TableSchema) -> Frame:
    """Rows that were written in the types of their day in those of today; columns that nobody knows stay."""
    held = rows.collect_schema()
    wanted = {name: POLARS[schema.columns[name]] for name in held.names() if name in schema.columns}
    changed = [pl.col(name).cast(dtype) for name, dtype in wanted.items() if held[name] != dtype]
    return rows.with_columns(changed) if changed else rows


def is_stored(table: Table) -> bool:
    """Whether rows are written to a table under its own name."""
    return "<" not in table.name and table.base is None


def schema_of(table: Table) -> TableSchema:
    """The stored form of one table. Raises ValueError for a key that cannot be written as one text."""
    if any(part.startswith("@") for part in table.key[sum(part.startswith("@") for part in table.key) :]) or (
        sum(not part.startswith("@") for part in table.key) > 1
    ):
        raise ValueError(f"the key of {table.name} must be links and then at most one text")
    columns = table.stored()
    return TableSchema(
        table=table,
        columns=MappingProxyType({column.name: column.dtype.physical for column in columns}),
        stored=MappingProxyType({column.name: column for column in columns}),
        links=MappingProxyType({f"@{link}": target for link, target in table.links.items()}),
        key=table.key,
        key_links=tuple(part for part in table.key if part.startswith("@")),
        owned=len(table.key) > 1 and table.key[0] == "@device",
        seen=table.kind is TableKind.OBJECT and "first_seen" in table.fields and "last_seen" in table.fields,
    )
