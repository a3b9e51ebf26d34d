"""What the names of a table mean: own fields in every official spelling, fields of linked objects, and objects.

In: a catalog, a table and a path as written. Out: a `FieldRef` or `ObjectRef`, or nothing. Knows tables only; aliases
and what is in scope belong to `nql.semantics.scope`. Invariant: a path means the same in every query over the same
table; two meanings at one level are `Ambiguous`, never a silent choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from nql.catalog.model import Catalog, Field, Table, TableKind
from nql.datatypes import STRING, Kind
from nql.plan.relations import Link

COMPONENTS = ("avg", "sum", "count", "min", "max")
_MEMO = 20_000


@dataclass(frozen=True, slots=True)
class FieldRef:
    """A field reached from a table: itself or through a `link`. `component` is set for `m.avg` and the like, `entry`
    for one name of a typed map. `path` is the canonical path from the table: `hardware.memory`, `device.name`."""

    table: Table
    field: Field
    path: str
    link: Link | None = None
    component: str | None = None
    entry: str | None = None

    @property
    def stored_path(self) -> str:
        """The path of the stored field: the same for two names of one field."""
        return self.path if self.field.same_as is None else self.path.replace(self.field.name, self.field.same_as)

    @property
    def sampled_gauge(self) -> bool:
        """Whether it is held as sum, count, min and max."""
        return self.field.metric == "gauge" and self.table.kind is TableKind.SAMPLED


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """The rows' own objects (no link), or the objects at the end of a link."""

    table: Table
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """A path with several meanings; each spelled in full."""

    paths: tuple[str, ...]


Meaning = FieldRef | ObjectRef | Ambiguous | None


class Names:
    """The names of one catalog. Answers are remembered, so that a name costs one look-up the second time."""

    __slots__ = ("_fields", "_memo", "catalog")

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._fields: dict[str, dict[str, Field]] = {}
        self._memo: dict[tuple[str, str], Meaning] = {}

    def find(self, table: Table, path: str) -> Meaning:
        """What a path means over the rows of a table."""
        key = (table.name, path.lower())
        try:
            return self._memo[key]
        except KeyError:
            if len(self._memo) > _MEMO:
                self._memo.clear()
            found = self._memo[key] = self._find(table, key[1])
            return found

    def link(self, table: Table, target: Table) -> Link | None:
        """The link from a table to an object table."""
        own = {name: Link(f"@{name}", linked) for name, linked in table.links.items() if linked == target.name}
        return own.get(target.record) or next(iter(own.values()), None)

    def spellings(self, table: Table) -> Iterator[tuple[str, FieldRef]]:
        """Every field that a query may name over a table, in its shortest spelling: own fields, then linked ones."""
        yield from _spelled(table, None)
        for link in table.links:
            linked = self._linked(table, link)
            if linked is not None:
                yield from ((f"{link}.{path}", ref) for path, ref in _spelled(linked, Link(f"@{link}", linked.name)))

    def _find(self, table: Table, path: str) -> Meaning:
        own = self._own(table, path)
        if own is not None:
            return own
        head, _, rest = path.partition(".")
        if (linked := self._linked(table, head)) is not None:
            link = Link(f"@{head}", linked.name)
            if not rest:
                return ObjectRef(linked, link)
            return self._through(table, head, rest)
        if not rest:
            return ObjectRef(table) if path in _own_words(table) else None
        return self._group(table, path)

    def _through(self, table: Table, link: str, rest: str) -> FieldRef | None:
        """A field of the object at the end of a link."""
        linked = self._linked(table, link)
        found = self._own(linked, rest) if linked is not None else None
        if linked is None or found is None:
            return None
        return replace(found, path=f"{link}.{found.path}", link=Link(f"@{link}", linked.name))

    def _group(self, table: Table, path: str) -> Meaning:
        """A grouped field of one linked object, written without the object: `ad.department`."""
        found = [ref for link in table.links if (ref := self._through(table, link, path)) is not None]
        if len(found) > 1:
            return Ambiguous(tuple(ref.path for ref in found))
        return found[0] if found else None

    def _linked(self, table: Table, link: str) -> Table | None:
        name = table.links.get(link)
        return self.catalog.tables.get(name) if name else None

    def _own(self, table: Table, path: str) -> FieldRef | None:
        for spelling in _stripped(table, path):
            found = self._field(table, spelling)
            if found is not None:
                return found
        return None

    def _field(self, table: Table, path: str) -> FieldRef | None:
        fields = self._fields.get(table.name)
        if fields is None:
            fields = self._fields[table.name] = {name.lower(): item for name, item in table.fields.items()}
        item = fields.get(path)
        if item is not None and (not item.template or _configured(item)):
            entry = item.name.partition(".")[2] if item.template and not item.name.startswith("#") else None
            return FieldRef(table, item, item.name, entry=entry)
        head, _, last = path.rpartition(".")
        item = fields.get(head)
        if item is None:
            return None
        if item.metric is not None and last in COMPONENTS and (item.metric == "gauge" or last == "sum"):
            return FieldRef(table, item, f"{item.name}.{last}", component=last)
        if item.dtype.kind is Kind.MAP and item.name in ("inputs", "answers"):
            text = Field(f"{item.name}.{last}", STRING, f"Entry {last} of {item.name}.", template=True)
            return FieldRef(table, text, text.name, entry=last)
        return None


@lru_cache(maxsize=8)
def names_of(catalog: Catalog) -> Names:
    """The names of a catalog, made once for each."""
    return Names(catalog)


def label(path: str) -> str:
    """A path for people: `operating_system.name` is "Operating system → Name"."""
    steps = path.replace("()", "").split(".")
    return " → ".join(step.lstrip("#").replace("_", " ").strip().capitalize() or step for step in steps)


def _configured(item: Field) -> bool:
    return "<" not in item.name and "*" not in item.name


def _own_words(table: Table) -> tuple[str, ...]:
    return (table.record, table.name.rpartition(".")[2], table.shortcut or table.record)


def _stripped(table: Table, path: str) -> Iterator[str]:
    """A path without each prefix that stands for the table itself, the path as it is first."""
    yield path
    if "." not in path:
        return
    record = table.record.lower()
    tail = table.name.rpartition(".")[2]
    space = table.name[: -len(tail)]
    spaces = (space, space.replace("#", "")) if "#" in space else (space,)
    for word in (record, tail):
        if path.startswith(f"{word}."):
            yield path[len(word) + 1 :]
        for namespace in spaces:
            prefix = f"{namespace}{word}."
            if path.startswith(prefix):
                yield path[len(prefix) :]


def _spelled(table: Table, link: Link | None) -> Iterator[tuple[str, FieldRef]]:
    for name, item in table.fields.items():
        if item.template and not _configured(item):
            continue
        ref = FieldRef(table, item, name, link)
        if ref.sampled_gauge:
            for part in COMPONENTS:
                yield f"{name}.{part}", replace(ref, path=f"{name}.{part}", component=part)
        else:
            yield name, ref
