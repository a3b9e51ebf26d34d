"""Groups of rows as objects: executables by name, domains by their connections, and pairs of objects.

In: a select over objects that NQL has no table of, or over two objects linked by events. Out: a `Form` over the events,
or over the table that the group is of, summed up by what tells the objects apart. Invariant: rows in which one of the
objects is not known make no group.
"""

from __future__ import annotations

from nql.diagnostics import Span
from nql.nxql import ast as nxql
from nql.nxql.answers import Answer, Form, form, nothings
from nql.nxql.columns import Groups, Rows
from nql.nxql.conditions import Place
from nql.nxql.events import (
    OUTSIDE,
    UNLINKED,
    clauses_of,
    happened,
    named_once,
    no_period,
    period_of,
    restricted,
    some,
    variant_of,
)
from nql.nxql.fields import Lookup
from nql.nxql.mapping import ObjectMap, Variant
from nql.nxql.tables import event_of, object_reach
from nql.syntax import ast


def grouped(lookup: Lookup, query: nxql.Select, objects: tuple[ObjectMap, ...]) -> Form:
    """The form of a group, or of a pair. Raises Reported."""
    source, span = query.source, query.source.tables[0].span
    no_period(lookup, source)
    if len(source.withs) > 1 or (len(objects) == 2 and not source.withs):
        message = "A pair needs one with." if len(objects) == 2 else f"{objects[0].name} takes one with."
        raise lookup.problems.error("NXQL207", message, span, "Write (with execution ...) inside from.")
    if source.withs:
        return _linked(lookup, query, objects, source.withs[0])
    (item,) = objects
    reached = {item.name: object_reach(lookup, item, span)}
    test = restricted(Place(lookup, reached, Rows().value, OUTSIDE), source.wheres, objects)
    groups = Groups((item.group,))
    answer = Answer(lookup, reached, groups.value, reached[item.name])
    answer.show(query.shown)
    table = ast.TableRef(ast.Path(item.table, span), span=span)
    return _summed(query, table, [*clauses_of(test, span), *_known(groups, span)], answer, groups)


def _linked(lookup: Lookup, query: nxql.Select, objects: tuple[ObjectMap, ...], node: nxql.With) -> Form:
    """Groups among the events that link the objects."""
    names, span = [item.name for item in objects], query.source.tables[0].span
    variant, inside = variant_of(lookup, event_of(lookup, node.table), names, (), node)
    reached = {name: inside[name] for name in names}
    groups = Groups(tuple(_key(variant, item) for item in objects))
    answer = Answer(lookup, reached, groups.value, reached[names[0]] if len(names) == 1 else None)
    events = restricted(Place(lookup, inside, Rows().value, UNLINKED), node.wheres)
    test = restricted(Place(lookup, reached, Rows().value, OUTSIDE), query.source.wheres, objects, variant.links)
    time = period_of(lookup, variant, node.between)
    answer.show(query.shown)
    for name in named_once(node.computed):
        answer.aggregate(variant, name, groups.aggregate)
    base, count = happened(variant, (column.field for column in answer.columns.values()), span)
    clauses = [*base, *clauses_of(events, span), *clauses_of(test, span), *_known(groups, span)]
    table = ast.TableRef(ast.Path(variant.table, span), time, span=span)
    return _summed(query, table, clauses, answer, groups, count)


def _summed(
    query: nxql.Select,
    table: ast.TableRef,
    clauses: list[ast.Clause],
    answer: Answer,
    groups: Groups,
    count: ast.Expr | None = None,
) -> Form:
    span = table.span
    order = answer.order(query.orders)
    having = [some(groups.named("nxql.events", count, span))] if count is not None else []
    empty = nothings(answer.columns.values())
    return form(query, table, [*clauses, groups.clause(span), *having, *empty], answer, order)


def _key(variant: Variant, item: ObjectMap) -> str:
    """The path that tells one object from another among the rows of events."""
    if item.name in variant.linked:
        return next(iter(variant.linked[item.name].values())).nql
    path, prefix = item.group or item.key, variant.links[item.name]
    return f"{prefix}.{path}" if prefix else path


def _known(groups: Groups, span: Span) -> list[ast.Clause]:
    """The clauses that leave out rows in which an object is not known."""
    return [
        ast.Where(ast.Comparison("!=", ast.Path(key, span), ast.Constant(None, span), span, span), span)
        for key in groups.keys
    ]
