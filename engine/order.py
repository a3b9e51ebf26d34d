"""A repeatable order for every query: where the text asks for none, rows come by their identity.

In: the relation of a plan. Out: the same relation with `Sort` nodes put where order shows: at the top, and below each
`Limit` whose rows are in no stated order. Identity is the hidden key of a table's rows, or the keys of a grouping.
Invariant: the set of rows and the columns the outputs read stay the same; scans may deliver one hidden key more. It
never sorts what is sorted.
"""

from __future__ import annotations

from dataclasses import replace

from nql.plan.expressions import Column
from nql.plan.relations import (
    EVENT_KEY,
    ID,
    OBJECT_KEY,
    Aggregate,
    Extend,
    Filter,
    Limit,
    Relation,
    Scan,
    ScanColumn,
    Select,
    Sort,
    SortKey,
)


def ordered(relation: Relation) -> Relation:
    """The relation with a total, repeatable order at its top and below its limits."""
    match relation:
        case Sort():
            return replace(relation, input=_limits(relation.input))
        case Limit():
            return replace(relation, input=ordered(relation.input))
        case Filter() | Extend() | Select() if _sorts(relation.input):
            return replace(relation, input=ordered(relation.input))
        case Select():
            return replace(relation, input=ordered(relation.input))
        case _:
            return _by_identity(_limits(relation))


def _sorts(relation: Relation) -> bool:
    """Whether the order of the rows is fixed already, by a sort or by what a limit below will get."""
    match relation:
        case Sort() | Limit():
            return True
        case Filter() | Extend() | Select():
            return _sorts(relation.input)
        case _:
            return False


def _limits(relation: Relation) -> Relation:
    """The relation with an order only where a limit inside it needs one."""
    match relation:
        case Scan():
            return relation
        case Limit():
            return ordered(relation)
        case _:
            below = _limits(relation.input)
            return relation if below is relation.input else replace(relation, input=below)


def _by_identity(relation: Relation) -> Relation:
    keyed = _with_key(relation)
    names = _identity(keyed)
    keys = tuple(SortKey(Column(name, keyed.schema[name])) for name in names)
    return Sort(keyed, keys) if keys else keyed


def _identity(relation: Relation) -> tuple[str, ...]:
    """The columns that tell the rows of a relation apart; none if there is only one row."""
    match relation:
        case Scan():
            return (scan_key(relation),)
        case Aggregate():
            return (*relation.keys, *(("start_time",) if relation.period else ()))
        case _:
            return _identity(relation.input)


def _with_key(relation: Relation) -> Relation:
    """The relation with its hidden key delivered by the scan, should pruning have left it out."""
    match relation:
        case Scan():
            key = scan_key(relation)
            if key in relation.schema:
                return relation
            return replace(relation, columns=(*relation.columns, ScanColumn(key, ID, key)))
        case Aggregate():
            return relation
        case Select():
            inner = _with_key(relation.input)
            kept = [name for name in _identity(inner) if name not in relation.names]
            if inner is relation.input and not kept:
                return relation
            return replace(relation, input=inner, names=(*relation.names, *kept))
        case _:
            below = _with_key(relation.input)
            return relation if below is relation.input else replace(relation, input=below)


def scan_key(scan: Scan) -> str:
    """The hidden column that tells the rows of a scan apart."""
    return OBJECT_KEY if scan.time is None else EVENT_KEY
