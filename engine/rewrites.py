"""The view domain in a plan: the same question about the devices that somebody may see, and nothing beyond.

In: a resolved plan, the resolved plan of the domain (a condition on `device.devices`, as targeting compiles it), the
catalog. Out: a plan with the same outputs, in which every scan gives only what is visible, so that joins, totals,
orders and limits cannot tell of the rest: devices for which the domain holds, and rows of any table that point to one
of them; objects that devices report (users, binaries, packages) when a visible row points to them; what the portal
defines (remote actions, monitors, applications); of every other table nothing. Invariants: a table that is new shows
nothing until it is linked; the plan's outputs stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from nql.catalog.model import Catalog, Table, TableKind
from nql.datatypes import BOOLEAN
from nql.plan.expressions import And, Column, Expr, IsNull, Literal
from nql.plan.plan import ResolvedPlan
from nql.plan.relations import (
    ID,
    OBJECT_KEY,
    Active,
    Attach,
    Filter,
    Link,
    Relation,
    Scan,
    ScanColumn,
    Select,
    SemiJoin,
)
from nql.plan.windows import Absolute, Precision

DEVICES = "device.devices"
HIDDEN = "@domain."
KEPT_DAYS = 30  # of a table that does not say how long it is kept
_DAY = 86_400_000_000
_DEVICE = Link("@device", DEVICES)


def restrict(plan: ResolvedPlan, domain: ResolvedPlan, catalog: Catalog) -> ResolvedPlan:
    """The plan for somebody who sees the devices of `domain` alone. Raises TypeError for a domain that is more than a
    condition on devices."""
    return replace(plan, relation=_Bound(*_condition(domain.relation), catalog, plan.now).relation(plan.relation))


def _condition(relation: Relation) -> tuple[tuple[ScanColumn, ...], Expr]:
    """The columns a domain reads, and its condition."""
    predicates: list[Expr] = []
    while isinstance(relation, Select | Filter):
        if isinstance(relation, Filter):
            predicates.append(relation.predicate)
        relation = relation.input
    if not isinstance(relation, Scan) or relation.table != DEVICES or not predicates:
        raise TypeError("a view domain is a condition on devices")
    return relation.columns, And(tuple(predicates))


@dataclass(frozen=True, slots=True)
class _Bound:
    """One domain at work."""

    columns: tuple[ScanColumn, ...]
    predicate: Expr
    catalog: Catalog
    now: int

    def relation(self, node: Relation) -> Relation:
        match node:
            case Scan():
                return self._scan(node)
            case Active():
                below, samples, stored = map(self.relation, (node.input, node.samples, node.stored))
                return replace(node, input=below, samples=samples, stored=stored)
            case SemiJoin() | Attach():
                return replace(node, input=self.relation(node.input), events=self.relation(node.events))
            case _:
                return replace(node, input=self.relation(node.input))

    def _scan(self, node: Scan) -> Relation:
        table = self.catalog.tables[node.table]
        if table.name == DEVICES:
            return self._where(node, None)
        if table.links.get("device") == DEVICES:
            return self._where(node, _DEVICE)
        if is_defined(table):
            return node
        if (witness := witness_of(table, self.catalog)) is None:
            return Filter(node, Literal(False, BOOLEAN))
        return _as_before(node, SemiJoin(_with(node, [ScanColumn(OBJECT_KEY, ID, OBJECT_KEY)]), *self._seen(witness)))

    def _where(self, node: Scan, link: Link | None) -> Relation:
        """The rows of a scan whose device, which must be there, is in the domain."""
        read = [replace(column, name=HIDDEN + column.name, link=link) for column in self.columns]
        there = ScanColumn(f"{HIDDEN}@there", ID, OBJECT_KEY, link)
        present = IsNull(Column(there.name, there.dtype), negated=True)
        return _as_before(node, Filter(_with(node, [*read, there]), And((present, _read(self.predicate)))))

    def _seen(self, witness: tuple[Table, str]) -> tuple[Relation, str]:
        """The visible rows of a table, and their key that points to the objects they show."""
        table, key = witness
        window = None
        if table.time is not None:
            kept = (table.retention_days or KEPT_DAYS) + 1
            window = Absolute(self.now - kept * _DAY, self.now + _DAY, Precision.CLOCK, "UTC")
        rows = Scan(table.name, (ScanColumn(key, ID, key),), window, None if window is None else table.time)
        return self._where(rows, _DEVICE), key


def is_defined(table: Table) -> bool:
    """Whether a table holds what the portal defines, which says nothing of a device."""
    return table.kind is TableKind.OBJECT and table.writer == "portal" and "device" not in table.links


def witness_of(table: Table, catalog: Catalog) -> tuple[Table, str] | None:
    """The table whose rows show which devices an object was seen on, with its key to the object; None for none.

    That is the one that tells the object's activity, else the first that links it with devices; objects before events.
    What is then shown of an object are facts about it as a whole, wherever they were seen.
    """
    if table.kind is not TableKind.OBJECT:
        return None
    found = list(_witnesses(table, catalog))
    active = [one for one in found if one[0].name == table.activity]
    return next(iter(active or sorted(found, key=lambda one: one[0].kind is not TableKind.OBJECT)), None)


def _witnesses(table: Table, catalog: Catalog) -> Iterator[tuple[Table, str]]:
    for other in catalog.tables.values():
        if other.base is not None or "<" in other.name or other.links.get("device") != DEVICES:
            continue
        for name, target in other.links.items():
            if target == table.name:
                yield other, f"@{name}"


def _with(node: Scan, more: list[ScanColumn]) -> Scan:
    """The scan with columns more."""
    have = {column.name for column in node.columns}
    return replace(node, columns=(*node.columns, *(column for column in more if column.name not in have)))


def _as_before(node: Scan, bounded: Relation) -> Relation:
    """With the columns that the scan had, and no others."""
    names = tuple(column.name for column in node.columns)
    return Select(bounded, names) if names else bounded


def _read(part: Any) -> Any:
    """A condition over the hidden columns that a bounded scan delivers."""
    if isinstance(part, Column):
        return replace(part, name=HIDDEN + part.name)
    if isinstance(part, tuple):
        return tuple(map(_read, part))
    if not is_dataclass(part) or isinstance(part, type) or not isinstance(part, Expr):
        return part
    return replace(part, **{item.name: _read(getattr(part, item.name)) for item in fields(part) if item.init})
