"""The relations that clauses add, each a function of the relation below it.

In: what a clause decided (predicates, measures, columns), bound early, and a relation. Out: a relation on top of it.
They are called once the whole text is read, since only then every scan knows its columns (`Rows.scan`).
"""

from __future__ import annotations

from nql.plan.expressions import And, Expr, Parameter
from nql.plan.relations import (
    Aggregate,
    Attach,
    Extend,
    Filter,
    Latest,
    Limit,
    Measure,
    Relation,
    SemiJoin,
    Sort,
    SortKey,
)
from nql.plan.windows import Period
from nql.semantics.scope import Rows


def rows_of(rows: Rows) -> Relation:
    """The scan of some rows under their filters."""
    scan = rows.scan()
    if not rows.filters:
        return scan
    return Filter(scan, rows.filters[0] if len(rows.filters) == 1 else And(tuple(rows.filters)))


def filtered(predicate: Expr, relation: Relation) -> Relation:
    """The rows that fulfil a condition."""
    return Filter(relation, predicate)


def semi_joined(joined: Rows, relation: Relation) -> Relation:
    """The objects that have rows in a joined table."""
    return SemiJoin(relation, rows_of(joined), joined.key)


def attached(
    joined: Rows, measures: tuple[Measure, ...], extra: tuple[tuple[str, Expr], ...], relation: Relation
) -> Relation:
    """The objects with measures of a joined table's rows, and what is computed from these."""
    attached = Attach(relation, rows_of(joined), joined.key, measures, joined.keep_all)
    return Extend(attached, extra) if extra else attached


def aggregated(
    keys: tuple[str, ...],
    measures: tuple[Measure, ...],
    period: Period | None,
    time: str | None,
    extra: tuple[tuple[str, Expr], ...],
    relation: Relation,
) -> Relation:
    """The groups of the rows with their measures, and what is computed from these."""
    grouped = Aggregate(relation, keys, measures, period, time)
    return Extend(grouped, extra) if extra else grouped


def in_order_of(keys: tuple[SortKey, ...], relation: Relation) -> Relation:
    """The rows in an order."""
    return Sort(relation, keys)


def limited(count: int | Parameter, offset: int | Parameter, relation: Relation) -> Relation:
    """Some rows after others."""
    return Limit(relation, count, offset)


def newest(keys: tuple[str, ...], order: tuple[str, ...], relation: Relation) -> Relation:
    """The newest row of each combination of keys."""
    return Latest(relation, keys, order)


def extended(items: tuple[tuple[str, Expr], ...], relation: Relation) -> Relation:
    """The rows with more columns."""
    return Extend(relation, items)
