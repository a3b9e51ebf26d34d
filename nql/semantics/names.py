"""What the names of a table mean: own fields in every official spelling, fields of linked objects, and objects.

In: a catalog, a table and a path as written. Out: a `FieldRef` or `ObjectRef`, or nothing. Knows tables only; aliases
and what is in scope belong to `nql.semantics.scope`. Invariant: a path means the same in every query over the same
table; two meanings at one level are `Ambiguous`, never a silent choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from nql.catalog.configured import open_entry
from nql.catalog.model import Catalog, Field, Table, TableKind
from nql.datatypes import Kind
from nql.plan.relations import Link

COMPONENTS = ("avg", "sum", "count", "min", "max")
_MEMO = 20_000


@dataclass(frozen=True, slots=True)
class FieldRef:
    """A field reached from a table: itself or through a `link`. `component` is set for `m.avg` and the like. `path` is
    the canonical path from the table: `hardware.memory`, `device.name`."""

    table: Table
    field: Field
    path: str
    link: Link | None = None
    component: str | None = None

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

    __slots__ = ("_fields", "_links", "_memo", "_objects", "_prefixes", "catalog")

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._fields: dict[str, dict[str, Field]] = {}
        self._prefixes: dict[str, tuple[str, ...]] = {}
        self._objects: dict[str, tuple[tuple[str, str], ...]] = {}
        self._links: dict[tuple[str, str], Link | None] = {}
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

    def dotted(self, table: Table, path: str) -> FieldRef | None:
        """What is meant by an underscore for the dot of a group, as the documents have it once: `hardware_type`,
        `device.hardware_type`. Not among what a path means, so that it never stands in the way of another name."""
        for at in [at for at, sign in enumerate(path[:80]) if sign == "_"]:
            found = self.find(table, f"{path[:at]}.{path[at + 1 :]}")
            if not isinstance(found, FieldRef) or found.component is not None or found.field.within is not None:
                continue
            if found.link is None or "." in path:
                return found
        return None

    def link(self, table: Table, target: Table) -> Link | None:
        """The link from a table to an object table."""
        key = (table.name, target.name)
        if key not in self._links:
            own = {name: Link(f"@{name}", linked) for name, linked in table.links.items() if linked == target.name}
            self._links[key] = own.get(target.record) or next(iter(own.values()), None)
        return self._links[key]

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
        if (linked := self._linked_path(table, path)) is not None:
            return linked
        if f"{path}." in self._own_prefixes(table) or path == table.shortcut:
            return ObjectRef(table)
        found = self._group(table, path) if "." in path or path.startswith("#") else None
        return found or self._behind_own(table, path)

    def _behind_own(self, table: Table, path: str) -> Meaning:
        """A linked object behind the table's own name: `crash.device.name`."""
        rests = (path[len(prefix) :] for prefix in self._own_prefixes(table) if path.startswith(prefix))
        return next((found for rest in rests if (found := self._linked_path(table, rest)) is not None), None)

    def _linked_path(self, table: Table, path: str) -> FieldRef | ObjectRef | None:
        """A linked object, or one of its fields behind it."""
        for word, link in self._linked_words(table):
            if path == word and (linked := self._linked(table, link)) is not None:
                return ObjectRef(linked, Link(f"@{link}", linked.name))
            if path.startswith(f"{word}.") and (found := self._through(table, link, path[len(word) + 1 :])) is not None:
                return found
        return None

    def _through(self, table: Table, link: str, rest: str) -> FieldRef | None:
        """A field of the object at the end of a link."""
        linked = self._linked(table, link)
        found = self._own(linked, rest) if linked is not None else None
        if linked is None or found is None:
            return None
        return replace(found, path=f"{link}.{found.path}", link=Link(f"@{link}", linked.name))

    def _group(self, table: Table, path: str) -> Meaning:
        """A grouped or custom field of one linked object, written without the object: `ad.department`, `#unit`."""
        found = [ref for link in table.links if (ref := self._through(table, link, path)) is not None]
        if len(found) > 1:
            return Ambiguous(tuple(ref.path for ref in found))
        return found[0] if found else None

    def _linked(self, table: Table, link: str) -> Table | None:
        name = table.links.get(link)
        return self.catalog.tables.get(name) if name else None

    def _own(self, table: Table, path: str) -> FieldRef | None:
        found = self._field(table, path)
        if found is None and "." in path:
            for prefix in self._own_prefixes(table):
                if path.startswith(prefix) and (found := self._field(table, path[len(prefix) :])) is not None:
                    break
        return found

    def _own_prefixes(self, table: Table) -> tuple[str, ...]:
        """What may stand before a field for the table itself: `crash.`, `execution.crash.`, the plural for both."""
        prefixes = self._prefixes.get(table.name)
        if prefixes is None:
            prefixes = self._prefixes[table.name] = tuple(f"{word}." for word in _words(table))
        return prefixes

    def _linked_words(self, table: Table) -> tuple[tuple[str, str], ...]:
        """What stands for each linked object, with its link: first the links themselves, then the long forms."""
        words = self._objects.get(table.name)
        if words is None:
            found = {link: link for link in table.links}
            for link, name in table.links.items():
                for word in _words(self.catalog.tables[name]):
                    found.setdefault(word, link)
            words = self._objects[table.name] = tuple(found.items())
        return words

    def _field(self, table: Table, path: str) -> FieldRef | None:
        fields = self._fields.get(table.name)
        if fields is None:
            fields = self._fields[table.name] = {name.lower(): item for name, item in table.fields.items()}
        item = fields.get(path)
        if item is None and path == "timestamp" and table.time:  # an official example says so of every event
            item = fields.get(table.time)
        if item is not None and not item.template:
            return FieldRef(table, item, item.name)
        head, _, last = path.rpartition(".")
        item = fields.get(head)
        if item is not None and item.metric is not None and last in COMPONENTS:
            return FieldRef(table, item, f"{item.name}.{last}", component=last)
        head, _, rest = path.partition(".")
        item = fields.get(head)
        if item is None or item.dtype.kind is not Kind.MAP or not rest:
            return None
        entry = open_entry(item, rest)
        return None if entry is None else FieldRef(table, entry, entry.name)


@lru_cache(maxsize=8)
def names_of(catalog: Catalog) -> Names:
    """The names of a catalog, made once for each."""
    return Names(catalog)


@lru_cache(maxsize=4096)
def label(path: str) -> str:
    """A path for people: `operating_system.name` is "Operating system → Name"."""
    steps = path.replace("()", "").split(".")
    return " → ".join(step.lstrip("#").replace("_", " ").strip().capitalize() or step for step in steps)


def _words(table: Table) -> Iterator[str]:
    """What stands for a table in a path: its record and its plural, alone and behind the namespace. The table of one
    item also takes the name of its general table."""
    name = table.name.lower()
    tail = name.rpartition(".")[2]
    space = name[: -len(tail)]
    spaces = dict.fromkeys(["", space, space.replace("#", ""), f"{table.namespace}."])
    for word in dict.fromkeys([table.record.lower(), tail]):
        yield from (f"{before}{word}" for before in spaces)


def _spelled(table: Table, link: Link | None) -> Iterator[tuple[str, FieldRef]]:
    for name, item in table.fields.items():
        if item.template:
            continue
        ref = FieldRef(table, item, name, link)
        if ref.sampled_gauge:
            for part in COMPONENTS:
                yield f"{name}.{part}", replace(ref, path=f"{name}.{part}", component=part)
        else:
            yield name, ref
