"""What a catalog is made of: tables with fields and links, and the stored columns that follow from them.

A field is what a query names; a stored column is what a table holds. They differ where a sampled table keeps a gauge
as four columns (`memory.sum`, `.count`, `.min`, `.max`), where a field is derived from another
(`days_since_last_seen`), and where a template stands for many (`#<custom_field>`). Links become hidden integer
columns `@device`, `@user`, ...; every object table has `@id`, every event table `@row`. Invariant: a catalog is
immutable; the overlay of configured items makes a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType

from nql.datatypes import INT, STRING, DataType

COMPONENTS = ("sum", "count", "min", "max")


class TableKind(Enum):
    """Objects have current properties; events happen (`punctual`, one instant) or are sampled in buckets."""

    OBJECT = "object"
    PUNCTUAL = "punctual"
    SAMPLED = "sampled"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a table. `metric` is `gauge`, `counter` or None; `days_since` and `same_as` name the field it is
    derived from; `server` facts are never taken from an agent; `guess` marks fields inferred, not documented; `ours`
    marks additions. `template` marks a pattern (`outputs.<name>`) that stands for the fields of configured items. Such
    a field is the value under the name `entry` in the typed map `within`; `entries` is the type of whatever name is
    asked of a map that needs no configuration. `comparable` is false for custom fields that are not manual: they are
    compared with constants only.
    """

    name: str
    dtype: DataType
    doc: str = ""
    metric: str | None = None
    days_since: str | None = None
    same_as: str | None = None
    server: bool = False
    template: bool = False
    guess: bool = False
    ours: bool = False
    confidence: str = "high"
    within: str | None = None
    entry: str | None = None
    entries: DataType | None = None
    comparable: bool = True

    @property
    def derived(self) -> bool:
        """Whether the field is computed from another one and not stored."""
        return self.days_since is not None or self.same_as is not None

    @property
    def own_column(self) -> bool:
        """Whether a table holds columns for this field alone."""
        return not (self.derived or self.template or self.within is not None)


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """One column as a table holds it."""

    name: str
    dtype: DataType
    metric: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `record` is the singular used in paths; `links` maps link names to object tables; `time` is the field
    a window is about; `key` identifies an object row (`@device` means the linked object); `activity` is the event
    table that `during` uses; `nql_id` is set on the table of one configured item, whose rows are the rows of `base`
    for that item.
    """

    name: str
    kind: TableKind
    record: str
    fields: Mapping[str, Field]
    doc: str = ""
    shortcut: str | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    time: str | None = None
    key: tuple[str, ...] = ()
    default: tuple[str, ...] = ()
    activity: str | None = None
    writer: str = "agent"
    retention_days: int | None = None
    resolution: tuple[str, ...] = ()
    context: bool = False
    base: str | None = None
    nql_id: str | None = None

    @property
    def namespace(self) -> str:
        """The part before the first dot."""
        return self.name.partition(".")[0]

    @property
    def row_key(self) -> str:
        """The hidden column that identifies a row."""
        return "@id" if self.kind is TableKind.OBJECT else "@row"

    def header(self, path: str) -> str:
        """The canonical result header of an own field: `device.name`, `execution.event.cpu_time`."""
        space = self.namespace
        return f"{space}.{path}" if space == self.record else f"{space}.{self.record}.{path}"

    def stored(self) -> tuple[StoredColumn, ...]:
        """All columns the table holds, hidden keys first."""
        columns = [StoredColumn(self.row_key, INT)]
        columns += [StoredColumn(f"@{link}", INT) for link in self.links]
        for item in self.fields.values():
            if not item.own_column:
                continue
            if item.metric == "gauge" and self.kind is TableKind.SAMPLED:
                columns += [
                    StoredColumn(f"{item.name}.{part}", INT if part == "count" else item.dtype, part)
                    for part in COMPONENTS
                ]
            else:
                columns.append(StoredColumn(item.name, item.dtype, item.metric and "sum"))
        return tuple(columns)


class Catalog:
    """All tables, looked up by name, shortcut or singular, without regard to case. `version` keys every cache."""

    __slots__ = ("_names", "tables", "version")

    def __init__(self, tables: Iterable[Table], version: str) -> None:
        self.tables: Mapping[str, Table] = MappingProxyType({table.name: table for table in tables})
        self.version = version
        self._names = {name.lower(): table for table in self.tables.values() for name in _names(table)}

    def table(self, name: str) -> Table | None:
        """The table of a written name (`devices`, `device.devices`, `antiviruses`), None if there is none."""
        return self._names.get(name.lower())

    def names(self) -> tuple[str, ...]:
        """Every name a query may start with, for completion and suggestions."""
        return tuple(table.shortcut or table.name for table in self.tables.values() if "<" not in table.name)

    def overlay(self, tables: Iterable[Table], version: str) -> Catalog:
        """A new catalog with the tables of configured items added or replaced. `version` names the overlay alone."""
        merged = {**self.tables, **{table.name: table for table in tables}}
        return Catalog(merged.values(), f"{self.version}+{version}")


def entry_field(path: str, dtype: DataType, within: str, entry: str, doc: str = "") -> Field:
    """The field `path` that is the value under the name `entry` in the typed map `within`."""
    return Field(path, dtype, doc, within=within, entry=entry)


def executions_of(catalog: Catalog, nql_id: str, outputs: Mapping[str, DataType], inputs: Iterable[str] = ()) -> Table:
    """The table `remote_action.#<id>.executions` of one action, with its typed outputs. `nql_id` is given without
    `#`.
    """
    general = catalog.tables["remote_action.#<nql_id>.executions"]
    base = catalog.tables["remote_action.executions"]
    own = {name: item for name, item in general.fields.items() if not item.template}
    for name, dtype in outputs.items():
        own[f"outputs.{name}"] = entry_field(f"outputs.{name}", dtype, "outputs", name, f"Output {name} of the action.")
    for name in inputs:
        own[f"inputs.{name}"] = entry_field(f"inputs.{name}", STRING, "inputs", name, f"Input {name}.")
    return replace(
        general,
        name=f"remote_action.#{nql_id}.executions",
        fields=MappingProxyType({**base.fields, **own}),
        links=base.links,
        base=base.name,
        nql_id=nql_id,
    )


def _names(table: Table) -> Iterable[str]:
    yield table.name
    if table.shortcut:
        yield table.shortcut
    if table.nql_id:
        yield table.name.replace("#", "")
    tail = table.name.split(".", 1)[1]
    if table.kind is TableKind.OBJECT and "." not in tail and (table.links or table.namespace == table.record):
        yield tail  # `with antiviruses`, `workflows`
    if table.kind is TableKind.OBJECT and table.namespace == table.record:
        yield f"{table.namespace}.{table.record}"  # `user.user`, as the documents have it once
