"""The forms of a select, each as a query of NQL: objects, objects with activity, events, and groups.

In: a select as written. Out: a `Form`: the tree of an NQL query and the columns it lists. Groups are what stands for
objects that NQL has no table of (executables by name, domains by their connections), and for pairs of objects: events
summed up by what tells the objects apart. Invariant: the tree says all; `nql.nxql.bind` only hands it on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from nql.diagnostics import Span
from nql.nxql import ast as nxql
from nql.nxql.answers import Answer, limit_of, nothings
from nql.nxql.columns import Column, Groups, Rows
from nql.nxql.conditions import Place, Test, both, never, restriction
from nql.nxql.dates import point, selection
from nql.nxql.fields import Lookup, Reach
from nql.nxql.fragments import condition, expression
from nql.nxql.mapping import EventMap, FieldMap, ObjectMap, Variant, classic
from nql.nxql.problems import Reported
from nql.nxql.tables import Asked, event_of, event_reaches, linked, object_reach, tables_of
from nql.nxql.variants import asked, chosen
from nql.syntax import ast

_OUTSIDE = "{} is not in from. What restricts events stands inside with."
_PLATFORMS = {"windows": "windows", "mac_os": "macos", "linux": "linux", "mobile": ""}


@dataclass(frozen=True, slots=True)
class Form:
    """A query of NQL and what it shows: `listed` are the values of its list, each column one of them."""

    query: ast.Query
    columns: tuple[Column, ...]
    listed: tuple[ast.Expr, ...]


def form_of(lookup: Lookup, query: nxql.Select) -> Form:
    """The NQL query of a select. Raises Reported if its tables are not known; else all that is wrong is recorded."""
    tables = tables_of(lookup, query.source)
    if tables.event is not None:
        return _events(lookup, query, tables, tables.event)
    if len(tables.objects) == 2 or tables.objects[0].group:
        return _grouped(lookup, query, tables.objects)
    return _objects(lookup, query, tables.objects[0])


def _objects(lookup: Lookup, query: nxql.Select, item: ObjectMap) -> Form:
    """Objects, and objects with activity."""
    source, span = query.source, query.source.tables[0].span
    rows, reach = Rows(), object_reach(lookup, item, span, joins=True)
    _no_between(lookup, source)
    reached = {item.name: reach}
    test = _restricted(Place(lookup, reached, rows.value, _OUTSIDE), source.wheres, [item], {item.name: ""})
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
    joins = list(rows.clauses())
    before = [*_where(test, span), *joins] if early else [*joins, *_where(test, span)]
    table = ast.TableRef(ast.Path(item.table, span), span=span)
    clauses = [*nothings(answer.columns.values()), *before, *activity]
    return _form(lookup, query, table, clauses, answer, order)


def _activity(lookup: Lookup, item: ObjectMap, node: nxql.With, answer: Answer) -> list[ast.Clause]:
    """One `with`: the events that objects need, and what is computed of them."""
    variant, reached = _variant(lookup, event_of(lookup, node.table), [item.name], (), node)
    rows, span = Rows(), node.table.span
    test = _restricted(Place(lookup, reached, rows.value, "{} is not linked to these events."), node.wheres)
    time = _selection(lookup, variant, node.between)
    items: list[ast.Assign] = []
    whole = False

    def named(field: FieldMap, at: Span) -> ast.Expr:
        nonlocal whole
        whole = whole or field.all_rows
        name = ast.Path(f"nxql.with.{len(answer.columns)}", at)
        items.append(ast.Assign(name, expression(field.nql, at), span=at))
        return ast.Path(name.text, at)

    for name in _once(node.computed):
        answer.aggregate(variant, name, named)
    clauses: list[ast.Clause] = [
        ast.Join(ast.TableRef(ast.Path(variant.table, span), time, span=span), False, span),
        *([] if whole else _base(variant, span)),
        *_where(test, span),
    ]
    if whole and variant.where:
        happened = ast.Call(None, "countif", (condition(variant.where, span),), span, span, 3)
        rows_name = ast.Path(f"nxql.with.{len(answer.columns)}.rows", span)
        items.append(ast.Assign(rows_name, happened, span=span))
        some = ast.Comparison(">", rows_name, ast.Number(0, "", span), span, span)
        return [*clauses, ast.Compute(tuple(items), span), ast.Where(some, span)]
    return [*clauses, ast.Compute(tuple(items), span)] if items else clauses


def _events(lookup: Lookup, query: nxql.Select, tables: Asked, event: EventMap) -> Form:
    """Events, plain or with the objects they are linked to."""
    source, span = query.source, query.source.tables[0].span
    for node in source.withs:
        lookup.problems.error("NXQL207", "with restricts objects, and these are events.", node.table.span)
    names = [item.name for item in tables.objects]
    variant, reached = _variant(lookup, event, names, query.shown, source)
    rows = Rows(names=True)
    place = Place(lookup, reached, rows.value, "{} is not linked to these events.")
    test = _restricted(place, source.wheres, _devices(variant), variant.links)
    answer = Answer(lookup, reached, rows.value, reached[event.name])
    answer.show(query.shown)
    order = answer.order(query.orders)
    table = ast.TableRef(ast.Path(variant.table, span), _selection(lookup, variant, source.between), span=span)
    empty = nothings(answer.columns.values())
    clauses = [*_base(variant, span), *empty, *rows.clauses(), *_where(test, span)]
    return _form(lookup, query, table, clauses, answer, order)


def _grouped(lookup: Lookup, query: nxql.Select, objects: tuple[ObjectMap, ...]) -> Form:
    """Objects that are groups of rows, and pairs of objects."""
    source, span = query.source, query.source.tables[0].span
    _no_between(lookup, source)
    if len(source.withs) > 1 or (len(objects) == 2 and not source.withs):
        message = "A pair needs one with." if len(objects) == 2 else f"{objects[0].name} takes one with."
        raise lookup.problems.error("NXQL207", message, span, "Write (with execution ...) inside from.")
    node = source.withs[0] if source.withs else None
    variant = None
    links = {item.name: "" for item in objects}
    table = ast.TableRef(ast.Path(objects[0].table, span), span=span)
    reached = {item.name: object_reach(lookup, item, span) for item in objects}
    clauses: list[ast.Clause] = []
    if node is not None:
        names = list(links)
        variant, inside = _variant(lookup, event_of(lookup, node.table), names, (), node)
        links, reached = dict(variant.links), {name: inside[name] for name in names}
        time = _selection(lookup, variant, node.between)
        table = ast.TableRef(ast.Path(variant.table, span), time, span=span)
        test = _restricted(Place(lookup, inside, Rows().value, "{} is not linked to these events."), node.wheres)
        clauses += [*_base(variant, span), *_where(test, span)]
    test = _restricted(Place(lookup, reached, Rows().value, _OUTSIDE), source.wheres, objects, links)
    keys = tuple(_key(variant, item, links[item.name]) for item in objects)
    known = [ast.Comparison("!=", ast.Path(key, span), ast.Constant(None, span), span, span) for key in keys]
    clauses += [*_where(test, span), *(ast.Where(one, span) for one in known)]
    groups = Groups(keys)
    answer = Answer(lookup, reached, groups.value, reached[objects[0].name] if len(objects) == 1 else None)
    answer.show(query.shown)
    if node is not None and variant is not None:
        for name in _once(node.computed):
            answer.aggregate(variant, name, groups.aggregate)
    order = answer.order(query.orders)
    clauses += [groups.clause(span), *nothings(answer.columns.values())]
    return _form(lookup, query, table, clauses, answer, order)


def _once(names: tuple[nxql.Name, ...]) -> Iterable[nxql.Name]:
    """The names without those that stand there already."""
    found: dict[tuple[str, int | None], nxql.Name] = {}
    for name in names:
        found.setdefault((name.text.lower(), name.parameter), name)
    return found.values()


def _key(variant: Variant | None, item: ObjectMap, prefix: str) -> str:
    """The path that tells one object from another among the rows."""
    if variant is not None and item.name in variant.linked:
        return next(iter(variant.linked[item.name].values())).nql
    path = item.group or item.key
    return f"{prefix}.{path}" if prefix else path


def _variant(
    lookup: Lookup,
    event: EventMap,
    names: list[str],
    shown: tuple[nxql.Decoration, ...],
    node: nxql.With | nxql.Source,
) -> tuple[Variant, dict[str, Reach]]:
    """The NQL table of events, and the tables reached from it. Raises Reported if the objects are not among them."""
    computed = node.computed if isinstance(node, nxql.With) else ()
    span = node.table.span if isinstance(node, nxql.With) else node.tables[0].span
    variant = chosen(lookup, event, asked(lookup, event.name, names, shown, node.wheres, computed, span))
    for name in names:
        linked(lookup, variant, name, span)
    return variant, event_reaches(lookup, variant, span)


def _form(
    lookup: Lookup,
    query: nxql.Select,
    table: ast.TableRef,
    clauses: list[ast.Clause],
    answer: Answer,
    order: list[ast.SortItem],
) -> Form:
    columns = tuple(answer.columns.values())
    listed = tuple(dict.fromkeys(column.value for column in columns))
    limit = limit_of(lookup, query.limits)
    tail: list[ast.Clause] = [ast.ListClause(listed, query.span)]
    tail += [ast.Sort(tuple(order), query.span)] if order else []
    tail += [limit] if limit is not None else []
    return Form(ast.Query(table, (*clauses, *tail), query.span), columns, listed)


def _restricted(
    place: Place,
    wheres: Iterable[nxql.Where],
    objects: Iterable[ObjectMap] = (),
    links: Mapping[str, str] | None = None,
) -> Test:
    """What `where` and the platforms say; nothing where that is broken, which is recorded."""
    try:
        test = restriction(place, wheres)
    except Reported:
        test = True
    return both([test, *_platform(place.lookup, objects, links or {})])


def _platform(lookup: Lookup, objects: Iterable[ObjectMap], links: Mapping[str, str]) -> Iterator[Test]:
    """The restriction to platforms, by the first object that tells its platform."""
    if not lookup.platforms:
        return
    at = Span(0, 0)
    wanted = [ast.Text(_PLATFORMS[name], at) for name in lookup.platforms if _PLATFORMS.get(name)]
    for item in objects:
        if not item.platform:
            continue
        prefix = links.get(item.name, "")
        path = ast.Path(f"{prefix}.{item.platform}" if prefix else item.platform, at)
        yield ast.Comparison("in", path, ast.Items(tuple(wanted), True, at), at, at, 2) if wanted else False
        return


def _devices(variant: Variant) -> list[ObjectMap]:
    """The objects whose platform is that of the events."""
    return [classic().objects[name] for name in ("device", "binary") if variant.links.get(name)]


def _base(variant: Variant, span: Span) -> list[ast.Clause]:
    return [ast.Where(condition(variant.where, span), span)] if variant.where else []


def _where(test: Test, span: Span) -> list[ast.Clause]:
    if isinstance(test, bool):
        return [] if test else [ast.Where(never(span), span)]
    return [ast.Where(test, test.span)]


def _selection(lookup: Lookup, variant: Variant, node: nxql.Between | None) -> ast.Selection | None:
    """The time selection of events; none where it is broken, which is recorded."""
    if node is None:
        return None
    if not variant.timed:
        lookup.problems.error("NXQL212", f"{variant.event} has no time.", node.span, "Leave between out.")
        return None
    try:
        start = point(lookup.text(node.start), node.start.span, lookup.problems)
        end = point(lookup.text(node.end), node.end.span, lookup.problems)
        return selection(node, start, end, lookup.problems)
    except Reported:
        return None


def _no_between(lookup: Lookup, source: nxql.Source) -> None:
    if source.between is not None:
        message = "Objects have no time of their own."
        hint = "Put between inside with: (with execution (between now-7d now))."
        lookup.problems.error("NXQL212", message, source.between.span, hint)
