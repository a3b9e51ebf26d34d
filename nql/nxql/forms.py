"""The forms of a select, each as a query of NQL: objects, objects with activity, and events.

In: a select as written. Out: a `Form`: the tree of an NQL query and the columns it lists. Objects that are groups of
rows, and pairs of objects, are `nql.nxql.groups`. Invariant: the tree says all; `nql.nxql.bind` only hands it on.
"""

from __future__ import annotations

from nql.diagnostics import Span
from nql.nxql import ast as nxql
from nql.nxql.answers import Answer, Form, form, nothings
from nql.nxql.columns import Rows
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
from nql.nxql.fragments import expression
from nql.nxql.groups import grouped
from nql.nxql.mapping import EventMap, FieldMap, ObjectMap, Variant, classic
from nql.nxql.problems import Reported
from nql.nxql.tables import Asked, event_of, object_reach, tables_of
from nql.syntax import ast


def form_of(lookup: Lookup, query: nxql.Select) -> Form:
    """The NQL query of a select. Raises Reported if its tables are not known; else all that is wrong is recorded."""
    tables = tables_of(lookup, query.source)
    if tables.event is not None:
        return _events(lookup, query, tables, tables.event)
    if len(tables.objects) == 2 or tables.objects[0].group:
        return grouped(lookup, query, tables.objects)
    return _objects(lookup, query, tables.objects[0])


def _objects(lookup: Lookup, query: nxql.Select, item: ObjectMap) -> Form:
    """Objects, and objects with activity."""
    source, span = query.source, query.source.tables[0].span
    rows, reach = Rows(), object_reach(lookup, item, span, joins=True)
    no_period(lookup, source)
    reached = {item.name: reach}
    test = restricted(Place(lookup, reached, rows.value, OUTSIDE), source.wheres, [item])
    early = not rows.joins
    answer = Answer(lookup, reached, rows.value, reach)
    answer.show(query.shown)
    activity: list[ast.Clause] = []
    for node in source.withs:
        try:
            activity += _activity(lookup, item, node, answer)
        except Reported:
            continue
    order = answer.order(query.orders)
    filters, joins = clauses_of(test, span), list(rows.clauses())
    before = [*filters, *joins] if early else [*joins, *filters]
    table = ast.TableRef(ast.Path(item.table, span), span=span)
    return form(query, table, [*nothings(answer.columns.values()), *before, *activity], answer, order)


def _activity(lookup: Lookup, item: ObjectMap, node: nxql.With, answer: Answer) -> list[ast.Clause]:
    """One `with`: the events that objects need, and what is computed of them."""
    variant, reached = variant_of(lookup, event_of(lookup, node.table), [item.name], (), node)
    span = node.table.span
    test = restricted(Place(lookup, reached, Rows().value, UNLINKED), node.wheres)
    time = period_of(lookup, variant, node.between)
    items: list[ast.Assign] = []
    computed: list[FieldMap] = []

    def named(field: FieldMap, at: Span) -> ast.Path:
        computed.append(field)
        name = ast.Path(f"nxql.with.{len(answer.columns)}", at)
        items.append(ast.Assign(name, expression(field.nql, at), span=at))
        return name

    for name in named_once(node.computed):
        answer.aggregate(variant, name, named)
    base, count = happened(variant, computed, span)
    having: list[ast.Clause] = []
    if count is not None:
        events = ast.Path(f"nxql.with.{len(answer.columns)}.events", span)
        items.append(ast.Assign(events, count, span=span))
        having = [some(events)]
    join = ast.Join(ast.TableRef(ast.Path(variant.table, span), time, span=span), False, span)
    compute = [ast.Compute(tuple(items), span)] if items else []
    return [join, *base, *clauses_of(test, span), *compute, *having]


def _events(lookup: Lookup, query: nxql.Select, tables: Asked, event: EventMap) -> Form:
    """Events, plain or with the objects they are linked to."""
    source, span = query.source, query.source.tables[0].span
    for node in source.withs:
        lookup.problems.error("NXQL207", "with restricts objects, and these are events.", node.table.span)
    names = [item.name for item in tables.objects]
    variant, reached = variant_of(lookup, event, names, query.shown, source)
    rows = Rows(names=True)
    place = Place(lookup, reached, rows.value, UNLINKED)
    test = restricted(place, source.wheres, _with_platform(variant), variant.links)
    answer = Answer(lookup, reached, rows.value, reached[event.name])
    answer.show(query.shown)
    order = answer.order(query.orders)
    table = ast.TableRef(ast.Path(variant.table, span), period_of(lookup, variant, source.between), span=span)
    base, _ = happened(variant, (), span)
    clauses = [*base, *nothings(answer.columns.values()), *rows.clauses(), *clauses_of(test, span)]
    return form(query, table, clauses, answer, order)


def _with_platform(variant: Variant) -> list[ObjectMap]:
    """The objects whose platform is that of the events."""
    return [classic().objects[name] for name in ("device", "binary") if variant.links.get(name)]
