"""Each clause of a query, in turn: what it adds to the `State`.

In: one clause and the state before it. Out: the state after it; relations are added as steps, built bottom-up once
all columns are known. Invariant: a clause that fails leaves a state in which the clauses after it can still be
checked, and says so once.
"""

from __future__ import annotations

from functools import partial

from nql.datatypes import DATETIME, INT, Kind
from nql.plan.expressions import Column, Expr, Parameter
from nql.plan.relations import Measure, SortKey
from nql.semantics.aggregates import sums_up
from nql.semantics.columns import shown_of
from nql.semantics.conditions import condition
from nql.semantics.fields import meaning
from nql.semantics.infer import row_value
from nql.semantics.literals import parameter
from nql.semantics.names import ObjectRef
from nql.semantics.problems import Reported
from nql.semantics.scope import Shown, State, Summary
from nql.semantics.steps import attached, extended, filtered, in_order_of, limited, newest, semi_joined
from nql.semantics.summaries import BUCKET, check_name, key_of, listed, metrics_of, summarize
from nql.semantics.tables import events_of
from nql.semantics.times import given_length
from nql.syntax import ast

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
            summarize(state, node)
        case ast.ListClause():
            listed(state, node)
        case ast.Sort(keys):
            _sort(state, keys)
        case ast.Limit():
            _limit(state, node)
        case ast.Latest():
            _latest(state, node)


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
    state.step(partial(semi_joined, joined))


def in_order(state: State) -> None:
    """Makes the rows ordered as last asked; by identity if nobody asked."""
    if state.ordered:
        return
    asked = {key.column.name for key in state.order}
    keys = (*state.order, *(SortKey(column) for column in identity(state) if column.name not in asked))
    if keys:
        state.step(partial(in_order_of, keys))
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
        state.step(partial(filtered, predicate))


def _join(state: State, node: ast.Join) -> None:
    word = "include" if node.keep_all else "with"
    if state.summary is not None:
        raise state.problems.error(
            "NQL417", f"{word} cannot follow summarize.", node.span, "Join first, then summarize."
        )
    given_length(state, node.table)
    joined = events_of(state, node, word)
    state.joined = joined
    state.first_join = state.first_join or joined


def _compute(state: State, node: ast.Compute) -> None:
    joined = state.joined or state.reusable
    if state.joined is None and not state.rules.strict and not any(sums_up(item.value) for item in node.items):
        joined = None  # the events of an earlier compute are there to be summed up again, all else is about the objects
    if state.summary is not None or joined is None:
        _compute_rows(state, node)
        return
    state.joined = joined
    metrics, items = metrics_of(state, node.items, "compute")
    state.joined, state.reusable = None, joined
    extra = tuple([(column, expr) for _, column, expr in items if not _is(expr, column)])
    if not metrics.measures:
        metrics.measures.append(Measure("@rows", "rows", None, INT))
    state.step(partial(attached, joined, tuple(metrics.measures), extra))
    for name, column, expr in items:
        state.define(name, Column(column, expr.dtype))


def _is(expr: Expr, column: str) -> bool:
    return isinstance(expr, Column) and expr.name == column


def _compute_rows(state: State, node: ast.Compute) -> None:
    """Values of the rows at hand, where no events are open: of each object or event, or of each group of a summary."""
    summed = [item for item in node.items if sums_up(item.value)]
    if summed and state.summary is None:
        hint = "Write with or include and a table of events before it; for totals over all rows use summarize."
        raise state.problems.error("NQL418", "compute needs the events of a with or include.", node.span, hint)
    if summed:
        hint = "The rows are summed up already: summarize once more, or use the columns as they are."
        raise state.problems.error("NQL417", "No aggregate can follow summarize in compute.", node.span, hint)
    try:
        state.extension("compute_row" if state.summary is None else "compute_after_summarize", node.span)
    except Reported:
        for item in node.items:
            state.broken(item.name.text)
        raise
    found: list[tuple[str, Column, bool]] = []
    values: list[tuple[str, Expr]] = []
    before: set[str] = set()
    for item in node.items:
        try:
            check_name(state, item, before)
            value = row_value(state, item.value, "compute")
            column = Column(state.free(item.name.text), value.dtype)
            values.append((column.name, value.expr))
            found.append((item.name.text, column, value.computed))
        except Reported:
            state.broken(item.name.text)
        before.add(item.name.text.lower())
    if values:
        state.step(partial(extended, tuple(values)), keeps_order=True)  # one step, for they do not see each other
    for name, column, computed in found:
        state.define(name, column).plain = not computed
    if state.summary is not None:
        _show(state.summary, [Shown(name, name, column) for name, column, _ in found])


def _show(summary: Summary, computed: list[Shown]) -> None:
    """Shows columns, each in the place of an earlier one of its name: the name means the new value from here on. Those
    of a period stay, since they tell rows apart."""
    places: dict[str, int] = {}
    for place, old in enumerate(summary.shown):
        if old.column.name not in BUCKET:
            places.setdefault(old.header.lower(), place)
    for new in computed:
        if (at := places.get(new.header.lower())) is None:
            summary.shown.append(new)
        else:
            summary.shown[at] = new


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


def _limit(state: State, node: ast.Limit) -> None:
    count = _number_of_rows(state, node.count)
    offset = _number_of_rows(state, node.offset) if node.offset is not None else 0
    in_order(state)
    state.step(partial(limited, count, offset), keeps_order=True)


def _number_of_rows(state: State, node: ast.Number | ast.Parameter) -> int | Parameter:
    if isinstance(node, ast.Parameter):
        state.extension("parameter", node.span)
        return parameter(state, node, INT)
    if node.unit or not isinstance(node.value, int) or node.value > 2**31:
        raise state.problems.error("NQL421", "limit takes a whole number of rows.", node.span, "Write limit 100.")
    return node.value


def _latest(state: State, node: ast.Latest) -> None:
    rows = state.root
    if state.summary is not None or not rows.events or rows.table.time is None:
        message = "latest by needs rows with a time, such as events."
        raise state.problems.error("NQL417", message, node.span, "Use it before summarize, over a table of events.")
    keys = dict.fromkeys(_newest_of(state, path).name for path in node.by)
    time = rows.table.fields[rows.table.time]
    order = (rows.stored(time.name, time.dtype).name, rows.identity().name)
    state.step(partial(newest, tuple(keys), order))


def _newest_of(state: State, path: ast.Path) -> Column:
    """What `latest by` tells apart: an object by its key, or a field."""
    found = meaning(state, path)
    if isinstance(found, ObjectRef) and found.link is not None:
        return state.root.hidden(found.link.key)
    return key_of(state, path)[1].column
