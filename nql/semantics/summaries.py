"""Clauses after which rows are groups: `summarize`, and `list distinct`; and the named metrics that `compute` shares.

In: one clause and the state before it. Out: the state after it, with a `Summary` whose columns are all that is left.
Invariant: a group key is of a kind whose values can be told apart and are worth telling apart.
"""

from __future__ import annotations

from collections.abc import Set
from functools import partial

from nql.datatypes import DATETIME, DURATION, Kind
from nql.diagnostics import Fix, Span
from nql.plan.expressions import Column, Expr
from nql.plan.windows import Period
from nql.semantics.aggregates import Metrics
from nql.semantics.columns import column_of, shown_of
from nql.semantics.fields import meaning, value_of
from nql.semantics.names import FieldRef
from nql.semantics.problems import Reported
from nql.semantics.scope import Shown, State, Summary
from nql.semantics.steps import aggregated
from nql.semantics.times import period_of
from nql.syntax import ast

BUCKET = {"start_time": DATETIME, "end_time": DATETIME, "bucket_duration": DURATION}
_NO_VALUES = frozenset({Kind.STRINGS, Kind.OBJECTS, Kind.MAP})
_NO_KEYS = _NO_VALUES | {Kind.DATETIME, Kind.BYTES, Kind.DURATION, Kind.FLOAT, Kind.PERCENTAGE}


def summarize(state: State, node: ast.Summarize) -> None:
    """Groups the rows, those of an earlier summary too. Raises Reported."""
    if state.summary is not None:
        state.extension("second_summarize", node.span)
    keys, period = _keys(state, node.by, fill=node.fill is not None)
    if node.fill is not None and not any(isinstance(one, ast.Number) for one in node.by):
        hint = "Write by 1d fill."
        raise state.problems.error("NQL405", "fill needs a period.", node.fill.span, hint)
    metrics, items = metrics_of(state, node.items, "summarize")
    time = None
    if period is not None:
        field = state.root.table.fields[state.root.table.time or ""]
        time = state.root.stored(field.name, field.dtype).name
    columns = tuple(dict.fromkeys(shown.column.name for shown in keys.values()))
    extra = tuple((column, expr) for _, column, expr in items if expr != Column(column, expr.dtype))
    state.step(partial(aggregated, columns, tuple(metrics.measures), period, time, extra))
    summary = Summary(keys, list(keys.values()))
    summary.shown += [Shown(name, name, Column(name, dtype)) for name, dtype in BUCKET.items() if period is not None]
    broken = {name: alias for name, alias in state.aliases.items() if alias.broken}
    groups = {name: alias for name, alias in state.aliases.items() if alias.column.name in columns}
    state.aliases = {**groups, **broken}
    for alias in groups.values():
        alias.plain = True
    for name, dtype in BUCKET.items() if period is not None else ():
        state.define(name, Column(name, dtype)).plain = True
    for name, column, expr in items:
        state.define(name, Column(column, expr.dtype))
        summary.shown.append(Shown(name, name, Column(column, expr.dtype)))
    state.summary, state.shown, state.order, state.ordered = summary, None, [], False


def _keys(
    state: State, nodes: tuple[ast.Path | ast.Number, ...], *, fill: bool
) -> tuple[dict[str, Shown], Period | None]:
    keys: dict[str, Shown] = {}
    period: Period | None = None
    periods = [node for node in nodes if isinstance(node, ast.Number)]
    for node in nodes:
        try:
            if isinstance(node, ast.Number):
                period = _period(state, node, first=node is periods[0], fill=fill)
            elif not (periods and node.text.lower() in BUCKET):
                path, shown = key_of(state, node)
                keys[path] = shown
        except Reported:
            continue
    return keys, period


def _period(state: State, node: ast.Number, *, first: bool, fill: bool) -> Period:
    if not first:
        raise state.problems.error("NQL405", "There can be only one period.", node.span)
    if state.summary is not None:
        hint = "Group by start_time, or write the longer period in the first summarize."
        raise state.problems.error("NQL405", "The rows of a summary have no time of their own.", node.span, hint)
    if not state.root.events:
        message = "A period needs rows with a time, such as events."
        raise state.problems.error("NQL405", message, node.span, f"{state.root.table.name} has none.")
    return period_of(state, node, state.root, fill=fill)


def key_of(state: State, node: ast.Path) -> tuple[str, Shown]:
    """A group key: its canonical path and its column. Raises Reported."""
    value = value_of(state, node)
    bucket = state.summary is not None and node.text.lower() in BUCKET
    if value.dtype.kind in _NO_KEYS and not bucket:
        kind = value.dtype.kind.value.replace("_", " ")
        hint = "To group by time write a period, such as by 1d." if value.dtype.kind is Kind.DATETIME else ""
        raise state.problems.error("NQL419", f"{node.text} is a {kind} and cannot be a group.", node.span, hint)
    column = column_of(state, value)
    path = value.ref.stored_path if value.ref is not None else node.text.lower()
    return path, Shown(value.header, value.label, column)


def metrics_of(state: State, nodes: tuple[ast.Assign, ...], word: str) -> tuple[Metrics, list[tuple[str, str, Expr]]]:
    """The measures of a clause and its names, each with its column and expression."""
    names = [node.name.text.lower() for node in nodes]
    metrics = Metrics(state, word, frozenset(names))
    items: list[tuple[str, str, Expr]] = []
    broken: list[str] = []
    before: set[str] = set()
    for node, name in zip(nodes, names, strict=True):
        try:
            check_name(state, node, before)
            column = state.free(node.name.text)
            items.append((node.name.text, column, metrics.item(node.value, column)))
        except Reported:
            broken.append(node.name.text)
        before.add(name)
    for name in broken:
        state.broken(name)
    return metrics, items


def check_name(state: State, node: ast.Assign, before: Set[str]) -> None:
    """Whether a new name may be given. Raises Reported for one given twice; a field's name is only warned of."""
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
    if isinstance(state.names.find(state.root.table, name.text), FieldRef):  # names of tables stay free
        hint = "From here on the name means the new value."
        problems.warn("NQL210", f"{name.text} is also a field of {state.root.table.name}.", name.span, hint)


def _path_of(state: State, item: ast.Expr | ast.Assign) -> str | None:
    """The canonical path of a field that is listed, None for all else."""
    found = meaning(state, item) if isinstance(item, ast.Path) else None
    return found.stored_path if isinstance(found, FieldRef) else None


def listed(state: State, node: ast.ListClause) -> None:
    """Chooses the columns; `distinct` groups by them. Raises Reported."""
    names = [item.name for item in node.items if isinstance(item, ast.Assign)]
    before: set[str] = set()
    for name in names:
        if name.text.lower() in before:
            state.problems.error("NQL209", f"{name.text} is defined twice.", name.span, "Give the second another name.")
        before.add(name.text.lower())
    if node.distinct is None:
        state.shown = shown_of(state, node.items)
        return
    keys: dict[str, Shown] = {}
    for item in node.items:
        for one in shown_of(state, (item,)):
            if one.column.dtype.kind in _NO_VALUES:
                kind = one.column.dtype.kind.value.replace("_", " ")
                raise state.problems.error("NQL419", f"Values of kind {kind} cannot be told apart.", item.span)
            keys.setdefault(_path_of(state, item) or one.header.lower(), one)
    shown = list(keys.values())
    columns = tuple(dict.fromkeys(one.column.name for one in shown))
    state.step(partial(aggregated, columns, (), None, None, ()))
    state.aliases = {name: alias for name, alias in state.aliases.items() if alias.broken}
    for one in shown:
        state.define(one.header, one.column).plain = True
    state.summary, state.shown, state.order, state.ordered = Summary(keys, shown), None, [], False
