"""What a target rests on: fields by which devices were chosen and of which nobody knows but the devices themselves.

In: the plan of a targeting query, the catalog. Out: names as people know them (`device.name`, `execution.crashes`).
Invariant: whatever decides whether a device is in the answer is named if agents write it, rows of a table too, where it
matters that there are any; what the portal decides itself (`uid`, `entity`, `first_seen`) is not, nor what is shown
only. Executions are the portal's rows, yet how they ended is what devices reported. Whether a claim is true is
not known here.
"""

from __future__ import annotations

from collections.abc import Iterator

from nql.catalog.model import Catalog, Field, Table, TableKind
from nql.plan.expressions import columns
from nql.plan.plan import Plan
from nql.plan.relations import (
    Active,
    Aggregate,
    Attach,
    Extend,
    Filter,
    Latest,
    Limit,
    Relation,
    Scan,
    ScanColumn,
    Select,
    SemiJoin,
    Sort,
)

REPORTED = "remote_action.executions"
Names = frozenset[str]


def claims(plan: Plan, catalog: Catalog) -> tuple[str, ...]:
    """What decides the target and is said by devices alone, in the order of names."""
    return tuple(sorted(set(_deciding(plan.relation, frozenset(), catalog, cut=False))))


def _deciding(relation: Relation, needed: Names, catalog: Catalog, *, cut: bool) -> Iterator[str]:
    """The claims among what decides which rows there are, and what is in the `needed` columns; `cut` says that the
    order decides, too."""
    match relation:
        case Scan():
            yield from _said(relation, needed, catalog)
            return
        case Filter():
            needed |= columns(relation.predicate)
        case Latest():
            needed |= {*relation.keys, *relation.order}
        case Sort():
            needed |= {key.column.name for key in relation.keys} if cut else set()
        case Limit():
            cut = True
        case Extend():
            made = {name: columns(expr) for name, expr in relation.items if name in needed}
            needed = needed.difference(made).union(*made.values())
        case Aggregate():
            needed = frozenset(relation.keys) | _read(relation, needed) | ({relation.time} if relation.time else set())
        case Attach():
            reads = _read(relation, needed)
            if reads or not relation.keep_all or any(item.name in needed for item in relation.measures):
                yield from _deciding(relation.events, reads, catalog, cut=False)
            needed -= {item.name for item in relation.measures}
        case SemiJoin():
            yield from _deciding(relation.events, frozenset(), catalog, cut=False)
        case Active():
            yield from _deciding(relation.samples, frozenset(), catalog, cut=False)
        case Select():
            pass
    yield from _deciding(relation.input, needed, catalog, cut=cut)


def _read(relation: Attach | Aggregate, needed: Names) -> Names:
    """The columns that the measures read which are needed."""
    return frozenset[str]().union(*(item.reads() for item in relation.measures if item.name in needed))


def _said(scan: Scan, needed: Names, catalog: Catalog) -> Iterator[str]:
    table = catalog.tables[scan.table]
    if table.kind is not TableKind.OBJECT and table.writer == "agent":
        yield table.name
    for column in scan.columns:
        if column.name in needed and not column.stored.startswith("@"):
            told = table if column.link is None else catalog.tables[column.link.table]
            field = _field(told, column)
            if not field.server and (told.writer == "agent" or REPORTED in (told.name, told.base)):
                yield told.header(field.name)


def _field(table: Table, column: ScanColumn) -> Field:
    """The field that a stored column belongs to: a gauge has several."""
    name = column.stored
    return table.fields[name] if name in table.fields else table.fields[name.rpartition(".")[0]]
