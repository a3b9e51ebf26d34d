"""Each clause of a query, in turn: what it adds to the `State`.

In: one clause and the state before it. Out: the state after it; relations are added as steps, built bottom-up once
all columns are known. Invariant: a clause that fails leaves a state in which the clauses after it can still be
checked, and says so once.
"""

from __future__ import annotations

from functools import partial

from nql.datatypes import DATETIME, DURATION, INT, Kind
from nql.diagnostics import Fix, Span
from nql.plan.expressions import And, Column, Expr
from nql.plan.relations import (
    Aggregate,
    Attach,
    Extend,
    Filter,
    Limit,
    Measure,
    Relation,
    SemiJoin,
    Sort,
    SortKey,
)
from nql.plan.windows import Period
from nql.semantics.aggregates import Metrics
from nql.semantics.columns import column_of, shown_of
from nql.semantics.conditions import condition
from nql.semantics.fields import value_of
from nql.semantics.problems import Reported
from nql.semantics.scope import Rows, Shown, State, Summary
from nql.semantics.tables import events_of
from nql.semantics.times import period_of
from nql.syntax import ast

_BUCKET = (("start_time", DATETIME), ("end_time", DATETIME), ("bucket_duration", DURATION))
_NO_KEYS = frozenset(
    {Kind.DATETIME, Kind.BYTES, Kind.DURATION, Kind.FLOAT, Kind.PERCENTAGE, Kind.STRINGS, Kind.OBJECTS, Kind.MAP}
)
_NO_ORDER = frozenset({Kind.STRINGS, Kind.OBJECTS, Kind.MAP})


def clause(state: State, node: ast.Clause) -> None:
    """Adds one clause. Raises Reported if it has no meaning."""
    if not isinstance(node, ast.Where | ast.Compute):
        close_join(state)
    if not isinstance(node, ast.Compute):
        state.reusable = None
    match node:
        case ast.Where(test):
            _where(state, test)
        case ast.Join():
            _join(state, node)
        case ast.Compute():
            _compute(state, node)
        case ast.Summarize():
            _summarize(state, node)
        case ast.ListClause(items):
            state.shown = shown_of(state, items)
        case ast.Sort(keys):
            _sort(state, keys)
        case ast.Limit(count):
            _limit(state, count)


def close_join(state: State) -> None:
    """Ends an open `with` or `include` that computes nothing: the first filters, the second changes nothing."""
    joined = state.joined
    if joined is None:
        return
    state.joined = None
    if joined.keep_all:
        hint = "Add compute to get something from it, or use with to keep only the objects that have such events."
        state.problems.warn("NQL416", "include without compute changes nothing.", joined.span, hint)
        return
    state.step(partial(_semi_join, joined))


def in_order(state: State) -> None:
    """Makes the rows ordered as last asked; by identity if nobody asked."""
    if state.ordered:
        return
    asked = {key.column.name for key in state.order}
    keys = (*state.order, *(SortKey(column) for column in identity(state) if column.name not in asked))
    if keys:
        state.step(partial(_sorted, keys))
    state.ordered = True


def identity(state: State) -> list[Column]:
    """The columns that tell rows apart: a hidden key, or the groups of a summary."""
    if state.summary is None:
        return [state.root.identity()]
    keys = [shown.column for shown in state.summary.keys.values()]
    if any(shown.column.name == "start_time" for shown in state.summary.shown):
        keys.append(Column("start_time", DATETIME))
    return [key for key in keys if key.dtype.kind not in _NO_ORDER]


def _where(state: State, test: ast.Expr) -> None:
    predicate = condition(state, test, "where")
    if state.joined is not None:
        state.joined.filters.append(predicate)
    else:
        state.step(partial(_filter, predicate))


def _join(state: State, node: ast.Join) -> None:
    word = "include" if node.keep_all else "with"
    if state.summary is not None:
        raise state.problems.error(
            "NQL417", f"{word} cannot follow summarize.", node.span, "Join first, then summarize."
        )
    joined = events_of(state, node, word)
    state.joined = joined
    state.first_join = state.first_join or joined


def _compute(state: State, node: ast.Compute) -> None:
    if state.summary is not None:
        raise state.problems.error(
            "NQL417", "compute cannot follow summarize.", node.span, "Compute first, then summarize."
        )
    joined = state.joined or state.reusable
    if joined is None:
        hint = "Write with or include and a table of events before it; for totals over all rows use summarize."
        raise state.problems.error("NQL418", "compute needs the events of a with or include.", node.span, hint)
    state.joined = joined
    metrics, items = _metrics(state, node.items, "compute")
    state.joined, state.reusable = None, joined
    extra = tuple((column, expr) for _, column, expr in items if not _is(expr, column))
    if not metrics.measures:
        metrics.measures.append(Measure("@rows", "rows", None, INT))
    state.step(partial(_attach, joined, tuple(metrics.measures), extra))
    for name, column, expr in items:
        state.define(name, Column(column, expr.dtype))


def _metrics(state: State, nodes: tuple[ast.Assign, ...], word: str) -> tuple[Metrics, list[tuple[str, str, Expr]]]:
    """The measures of a clause and its names, each with its column and expression."""
    names = [node.name.text.lower() for node in nodes]
    metrics = Metrics(state, word, frozenset(names))
    items: list[tuple[str, str, Expr]] = []
    broken: list[str] = []
    for place, node in enumerate(nodes):
        try:
            _check_name(state, node, names[:place])
            column = state.free(node.name.text)
            items.append((node.name.text, column, metrics.item(node.value, column)))
        except Reported:
            broken.append(node.name.text)
    for name in broken:
        state.broken(name)
    return metrics, items


def _check_name(state: State, node: ast.Assign, before: list[str]) -> None:
    name, problems = node.name, state.problems
    if node.op == "==":
        end = node.name.span.end
        start = state.text.find("==", end, node.value.span.start)
        span = Span(start, start + 2) if start >= 0 else node.span
        problems.error("NQL108", "A name is given with a single =.", span, fixes=[Fix("Use =", span, "=")])
    if name.text.lower() in before:
        raise problems.error("NQL209", f"{name.text} is defined twice.", name.span, "Give the second another name.")
    if state.joined is None and name.text.lower() in state.aliases:
        return
    if state.names.find(state.root.table, name.text) is not None:
        hint = "From here on the name means the new value."
        problems.warn("NQL210", f"{name.text} is also a field of {state.root.table.name}.", name.span, hint)


def _summarize(state: State, node: ast.Summarize) -> None:
    if state.summary is not None:
        raise state.problems.error("NQL417", "There can be only one summarize.", node.span)
    keys, period = _keys(state, node.by)
    metrics, items = _metrics(state, node.items, "summarize")
    time = None
    if period is not None:
        field = state.root.table.fields[state.root.table.time or ""]
        time = state.root.stored(field.name, field.dtype).name
    columns = tuple(shown.column.name for shown in keys.values())
    extra = tuple((column, expr) for _, column, expr in items if not _is(expr, column))
    state.step(partial(_aggregate, columns, tuple(metrics.measures), period, time, extra))
    summary = Summary(keys, list(keys.values()))
    summary.shown += [Shown(name, name, Column(name, dtype)) for name, dtype in _BUCKET if period is not None]
    broken = {name: alias for name, alias in state.aliases.items() if alias.broken}
    groups = {name: alias for name, alias in state.aliases.items() if alias.column.name in columns}
    state.aliases = {**groups, **broken}
    for alias in groups.values():
        alias.group = True
    for name, dtype in _BUCKET if period is not None else ():
        state.define(name, Column(name, dtype)).group = True
    for name, column, expr in items:
        state.define(name, Column(column, expr.dtype))
        summary.shown.append(Shown(name, name, Column(column, expr.dtype)))
    state.summary, state.shown, state.order, state.ordered = summary, None, [], False


def _keys(state: State, nodes: tuple[ast.Path | ast.Number, ...]) -> tuple[dict[str, Shown], Period | None]:
    keys: dict[str, Shown] = {}
    period: Period | None = None
    periods = [node for node in nodes if isinstance(node, ast.Number)]
    for node in nodes:
        try:
            if isinstance(node, ast.Number):
                period = _period(state, node, first=node is periods[0])
            elif not (periods and node.text.lower() in dict(_BUCKET)):
                path, shown = _key(state, node)
                keys[path] = shown
        except Reported:
            continue
    return keys, period


def _period(state: State, node: ast.Number, *, first: bool) -> Period:
    if not first:
        raise state.problems.error("NQL405", "There can be only one period.", node.span)
    if not state.root.events:
        message = "A period needs rows with a time, such as events."
        raise state.problems.error("NQL405", message, node.span, f"{state.root.table.name} has none.")
    return period_of(state.problems, node, state.root)


def _key(state: State, node: ast.Path) -> tuple[str, Shown]:
    value = value_of(state, node)
    if value.dtype.kind in _NO_KEYS:
        kind = value.dtype.kind.value.replace("_", " ")
        hint = "To group by time write a period, such as by 1d." if value.dtype.kind is Kind.DATETIME else ""
        raise state.problems.error("NQL419", f"{node.text} is a {kind} and cannot be a group.", node.span, hint)
    column = column_of(state, value)
    path = value.ref.stored_path if value.ref is not None else node.text.lower()
    return path, Shown(value.header, value.label, column)


def _sort(state: State, nodes: tuple[ast.SortItem, ...]) -> None:
    keys: list[SortKey] = []
    for node in nodes:
        try:
            keys.append(SortKey(_sort_column(state, node.value), node.descending))
        except Reported:
            continue
    state.order, state.ordered = keys, False


def _sort_column(state: State, node: ast.Expr) -> Column:
    (shown,) = shown_of(state, (node,)) or (None,)
    if shown is None:
        raise Reported
    if shown.column.dtype.kind in _NO_ORDER:
        kind = shown.column.dtype.kind.value.replace("_", " ")
        raise state.problems.error("NQL420", f"Rows cannot be sorted by a {kind}.", node.span)
    return shown.column


def _limit(state: State, node: ast.Number) -> None:
    if node.unit or not isinstance(node.value, int) or node.value > 2**31:
        raise state.problems.error("NQL421", "limit takes a whole number of rows.", node.span, "Write limit 100.")
    in_order(state)
    state.step(partial(_limited, node.value), keeps_order=True)


def _is(expr: Expr, column: str) -> bool:
    return isinstance(expr, Column) and expr.name == column


# --- relations, built once every scan knows its columns ----------------------------------------


def rows_of(rows: Rows) -> Relation:
    """The scan of some rows under their filters."""
    scan = rows.scan()
    if not rows.filters:
        return scan
    return Filter(scan, rows.filters[0] if len(rows.filters) == 1 else And(tuple(rows.filters)))


def _filter(predicate: Expr, relation: Relation) -> Relation:
    return Filter(relation, predicate)


def _semi_join(joined: Rows, relation: Relation) -> Relation:
    return SemiJoin(relation, rows_of(joined), joined.key)


def _attach(
    joined: Rows, measures: tuple[Measure, ...], extra: tuple[tuple[str, Expr], ...], relation: Relation
) -> Relation:
    attached = Attach(relation, rows_of(joined), joined.key, measures, joined.keep_all)
    return Extend(attached, extra) if extra else attached


def _aggregate(
    keys: tuple[str, ...],
    measures: tuple[Measure, ...],
    period: Period | None,
    time: str | None,
    extra: tuple[tuple[str, Expr], ...],
    relation: Relation,
) -> Relation:
    grouped = Aggregate(relation, keys, measures, period, time)
    return Extend(grouped, extra) if extra else grouped


def _sorted(keys: tuple[SortKey, ...], relation: Relation) -> Relation:
    return Sort(relation, keys)


def _limited(count: int, relation: Relation) -> Relation:
    return Limit(relation, count)
