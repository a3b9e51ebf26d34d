"""Warnings that prevent the well-known wrong answers: queries that run and do not say what their author means.

In: a query, one of its clauses, and the state before that clause. Out: warnings NQL601 to NQL605 among the state's
problems. Invariant: nothing here changes what a query means, and nothing is said about a clause that has an error of
its own there. Filters that can never hold are found by `nql.semantics.contradictions`.
"""

from __future__ import annotations

from collections.abc import Iterator

from nql.catalog.model import Table, TableKind
from nql.diagnostics import Fix
from nql.semantics.contradictions import never_holds
from nql.semantics.names import FieldRef
from nql.semantics.problems import replacements
from nql.semantics.scope import Rows, State
from nql.syntax import ast

_MINUTES = {"d": 1440, "h": 60, "min": 1, "m": 1}
_ORDERS = ("<", ">", "<=", ">=", "==", "!=", "between")
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


def advise(state: State, query: ast.Query, at: int) -> None:
    """Warns about the clause at a place of the query; `state` is what is known before it."""
    node = query.clauses[at]
    if isinstance(node, ast.Where):
        if state.joined is not None and state.joined.table.kind is TableKind.SAMPLED:
            _single_samples(state, state.joined, query, at)
        never_holds(state, list(_filters_before(query, at)), node.condition)
    elif isinstance(node, ast.Compute):
        rows = state.joined or state.reusable
        if rows is not None and state.summary is None:
            _counted_samples(state, rows, node.items)
    elif isinstance(node, ast.Summarize) and state.summary is None and state.root.events:
        _counted_samples(state, state.root, node.items)


def days_beside_hours(state: State, query: ast.Query) -> None:
    """Warns where the same length of time is selected once in days and once in hours."""
    tables = [query.table, *(clause.table for clause in query.clauses if isinstance(clause, ast.Join))]
    lengths = [length for table in tables if (length := _length(table.selection)) is not None]
    days = {_minutes(length): length for length in lengths if length.unit == "d"}
    for length in lengths:
        same = days.get(_minutes(length))
        if length.unit == "d" or same is None:
            continue
        message = f"past {_written(length)} is not the same time as past {_written(same)}."
        hint = "Days are whole calendar days, today included; hours and minutes go back from now."
        state.problems.warn("NQL603", message, length.span, hint, replacements(length.span, [_written(same)]))


def _filters_before(query: ast.Query, at: int) -> Iterator[ast.Expr]:
    """The conditions of the same scope: those of the `where` clauses right before it."""
    while at > 0 and isinstance(clause := query.clauses[at - 1], ast.Where):
        yield clause.condition
        at -= 1


def _length(selection: ast.Selection | None) -> ast.Number | None:
    if isinstance(selection, ast.Past) and isinstance(selection.length, ast.Number):
        return selection.length
    return None


def _minutes(length: ast.Number) -> float:
    return length.value * _MINUTES.get(length.unit, 0) or -1


def _written(length: ast.Number) -> str:
    return f"{length.value}{length.unit}"


# --- single samples ---------------------------------------------------------------------------


def _single_samples(state: State, rows: Rows, query: ast.Query, at: int) -> None:
    """Warns where one sample is compared with what was probably meant for all of them."""
    node = query.clauses[at]
    assert isinstance(node, ast.Where)
    following = next((clause for clause in query.clauses[at + 1 :] if not isinstance(clause, ast.Where)), None)
    for test in _comparisons(node.condition):
        path, op, limit = _sides(test)
        found = state.names.find(rows.table, path.text) if path is not None else None
        if path is None or limit is None or not isinstance(found, FieldRef) or found.link is not None:
            continue
        if found.field.metric == "counter" and not _any_at_all(op, limit):
            fixes = _total_first(rows, node, following, test, found, op, state.written(limit.span))
            message = f"{path.text} is compared in each sample of {_sample(rows)}, not in total."
            name = _total_name(found)
            hint = f"For the total write compute {name} = {found.field.name}.sum(), and where {name} ... after it."
            state.problems.warn("NQL601", message, test.span, hint, fixes)
        elif found.component == "avg" and (not rows.keep_all or _sums_up(following, found.field.name)):
            metric = found.field.name
            message = f"{path.text} is the mean of one sample of {_sample(rows)}."
            hint = f"For the mean of all samples write compute m = {metric}.avg(), and where m ... after it."
            state.problems.warn("NQL604", message, path.span, hint)


def _comparisons(node: ast.Expr) -> Iterator[ast.Comparison]:
    match node:
        case ast.Comparison(op) if op in _ORDERS:
            yield node
        case ast.Logic(_, operands):
            for operand in operands:
                yield from _comparisons(operand)


def _sides(test: ast.Comparison) -> tuple[ast.Path | None, str, ast.Number | ast.Items | None]:
    """The name, the operator and the limit of a comparison, turned so that the name is first."""
    match test.left, test.right:
        case ast.Path() as path, (ast.Number() | ast.Items()) as limit:
            return path, test.op, limit
        case ast.Number() as limit, ast.Path() as path:
            return path, _FLIPPED.get(test.op, test.op), limit
        case _:
            return None, test.op, None


def _any_at_all(op: str, limit: ast.Number | ast.Items) -> bool:
    """Whether a comparison only asks if there is any: then one sample says as much as the total."""
    if not isinstance(limit, ast.Number):
        return False
    return (limit.value == 0 and op in (">", "!=", ">=")) or (limit.value == 1 and not limit.unit and op == ">=")


def _total_first(
    rows: Rows, node: ast.Where, following: ast.Clause | None, test: ast.Comparison, ref: FieldRef, op: str, limit: str
) -> tuple[Fix, ...]:
    """The edit that compares the total, where nothing else is in the way."""
    if rows.keep_all or node.condition is not test or isinstance(following, ast.Compute) or op == "between":
        return ()
    name = _total_name(ref)
    put = f"compute {name} = {ref.field.name}.sum() | where {name} {op} {limit}"
    return (Fix("Compare the total", node.span, put),)


def _total_name(ref: FieldRef) -> str:
    return f"total_{ref.field.name.replace('.', '_')}"


def _sums_up(following: ast.Clause | None, metric: str) -> bool:
    """Whether the clause after the filter sums up the metric that was filtered."""
    if not isinstance(following, ast.Compute):
        return False
    return any(metric.lower() in path.text.lower() for item in following.items for path in _paths(item.value))


def _paths(node: ast.Expr) -> Iterator[ast.Path]:
    if isinstance(node, ast.Path):
        yield node
    for inner in ast.inside(node):
        yield from _paths(inner)


def _sample(rows: Rows) -> str:
    if rows.daily:
        return "one day"
    return rows.table.resolution[0].partition(" ")[0] if rows.table.resolution else "one period"


# --- counting samples -------------------------------------------------------------------------


def _counted_samples(state: State, rows: Rows, items: tuple[ast.Assign, ...]) -> None:
    table = rows.table
    if table.kind is not TableKind.SAMPLED or not any(item.metric for item in table.fields.values()):
        return
    for item in items:
        if not (isinstance(item.value, ast.Call) and item.value.target is None and item.value.function == "count"):
            continue
        message = f"count() counts the samples of {table.name}, a row for each {_sample(rows)} and more."
        better = _better_counts(state, table, objects=rows is state.root)
        hint = f"Say what to count, such as {' or '.join(better)}." if better else "Say what to count."
        state.problems.warn("NQL602", message, item.value.span, hint, replacements(item.value.span, better))


def _better_counts(state: State, table: Table, *, objects: bool) -> list[str]:
    """What was probably meant: the objects that the samples are about, or the events in them."""
    links = [link for link in table.links if link not in ("device", "user")] if not objects else list(table.links)
    counters = [item.name for item in table.fields.values() if item.metric == "counter" and "number_of" in item.name]
    found = [f"{link}.count()" for link in links[:1] if state.names.find(table, link) is not None]
    totals = [f"{name}.sum()" for name in counters[:1]]
    return found + totals if objects else totals + found
