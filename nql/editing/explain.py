"""A query in plain English, a sentence for each step, beside the text of its plan.

In: a text, a catalog, and for dates as they are an instant and zones. Out: an `Explanation`. Invariant: each clause is
told from the binder's own state before it (tables, windows, types, the rules for missing values), and nothing is told
of a text that does not compile: then `QueryError` is raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from nql.catalog.model import Catalog
from nql.datatypes import DataType, Kind
from nql.diagnostics import QueryError
from nql.editing.times import in_window, period_words
from nql.editing.values import condition, kind_of, listed, literal, noun, one, plain, value
from nql.plan.plan import Output, Plan
from nql.plan.text import show
from nql.plan.windows import Period
from nql.rules import DEFAULT, Rules
from nql.semantics.bind import bind, read
from nql.semantics.clauses import clause
from nql.semantics.lets import without_lets
from nql.semantics.names import Names, names_of
from nql.semantics.problems import Problems
from nql.semantics.resolve import Context, resolve
from nql.semantics.scope import Rows, State
from nql.syntax import ast
from nql.syntax.parse import parse

_FIRST = {Kind.DATETIME: ("oldest first", "newest first"), Kind.STRING: ("from A to Z", "from Z to A")}
_SIZE = ("smallest first", "largest first")
_LOW = ("lowest first", "highest first")
_COUNTS = frozenset({"count", "countif"})


@dataclass(frozen=True, slots=True)
class Explanation:
    """A sentence for each step of a query, and its plan."""

    sentences: tuple[str, ...]
    plan: str


def explain(text: str, catalog: Catalog, context: Context | None = None, rules: Rules = DEFAULT) -> Explanation:
    """What a query does. With a context its windows are dates, without one they are as written. Raises QueryError."""
    query, names = parse(text), names_of(catalog)
    plan, _ = bind(query, text, names, rules=rules)
    shown = show(plan)
    if context is not None:
        with suppress(QueryError):  # parameters without values: what can be told is told
            shown = show(resolve(plan, context))
    return Explanation(tuple(_Telling(text, names, context, rules).query(query, plan)), shown)


class _Telling:
    """One query being told."""

    __slots__ = ("context", "names", "rules", "text")

    def __init__(self, text: str, names: Names, context: Context | None, rules: Rules) -> None:
        self.text = text
        self.names = names
        self.context = context
        self.rules = rules

    def query(self, query: ast.Query, plan: Plan) -> Iterator[str]:
        """The sentences, in the order of the clauses."""
        meant = without_lets(query, Problems())
        state = read(replace(meant, clauses=()), self.text, self.names, rules=self.rules)
        for let in query.lets:
            yield f"{let.name.text} stands for {value(state, let.value)}."
        yield self._table(state)
        for node in meant.clauses:
            if isinstance(node, ast.Join):
                clause(state, node)
                yield self._join(state, node)
            else:
                yield from self._clause(state, node)
                clause(state, node)
        if not any(isinstance(node, ast.ListClause) for node in meant.clauses):
            yield f"Shown: {listed([_shown(output) for output in plan.outputs])}."

    def _table(self, state: State) -> str:
        rows = state.root
        if rows.events:
            return f"All {self._events(rows)}."
        if rows.window is None:
            return f"All {noun(rows)}."
        return f"All {noun(rows)} active {in_window(rows.window, self.context)}."

    def _events(self, rows: Rows) -> str:
        """The rows of a table with its name and its time."""
        said = f"{noun(rows)} ({rows.table.name})"
        if rows.window is None:
            return said
        daily = ", as one sample a day" if rows.daily else ""
        return f"{said} {in_window(rows.window, self.context)}{daily}"

    def _clause(self, state: State, node: ast.Clause) -> Iterator[str]:
        """A clause, told from the state before it."""
        match node:
            case ast.Where(test):
                yield self._where(state, test)
            case ast.Compute(items):
                yield from self._compute(state, items)
            case ast.Summarize():
                yield from self._summarize(state, node)
            case ast.ListClause(items, _, distinct):
                columns = listed([self._column(state, item) for item in items])
                yield f"Shown: {columns}{', each combination once' if distinct is not None else ''}."
            case ast.Sort(keys):
                yield self._sort(state, keys)
            case ast.Limit(count, _, offset):
                yield self._limit(count, offset)
            case ast.Latest(by):
                of = listed([self._object(path) for path in by])
                yield f"Of each {of} only the newest {one(state.root)} is kept."

    def _where(self, state: State, test: ast.Expr) -> str:
        if state.joined is not None:
            return f"Of these {noun(state.joined)} only those count for which {condition(state, test)}."
        return f"Kept if {condition(state, test)}."

    def _join(self, state: State, node: ast.Join) -> str:
        """A join, told from the state after it."""
        rows = state.joined
        assert rows is not None
        root = state.root
        if node.keep_all:
            return (
                f"Each {one(root)} is looked at together with its {self._events(rows)}; {noun(root)} without any stay."
            )
        return f"Only {noun(root)} with at least one of these: {self._events(rows)}."

    def _compute(self, state: State, items: tuple[ast.Assign, ...]) -> Iterator[str]:
        rows = state.joined or state.reusable
        told = replace(state, joined=rows) if rows is not None else state
        named = "; ".join(f"{item.name.text} is {value(told, item.value)}" for item in items)
        each = one(state.root) if state.summary is None else "row"
        yield f"For each {each}: {named}."
        if rows is None or not rows.keep_all or not items:
            return
        counts = [item.name.text for item in items if _counts(item.value)]
        others = [item.name.text for item in items if not _counts(item.value)]
        parts = [f"{listed(counts)} {'is' if len(counts) == 1 else 'are'} 0"] if counts else []
        parts += [f"{listed(others)} {'has' if len(others) == 1 else 'have'} no value"] if others else []
        yield f"For {noun(state.root)} without such {noun(rows)}, {' and '.join(parts)}."

    def _summarize(self, state: State, node: ast.Summarize) -> Iterator[str]:
        named = "; ".join(f"{item.name.text} is {value(state, item.value)}" for item in node.items)
        keys = [self._key(state, key) for key in node.by]
        rows = f"One row for each {listed(keys)}" if keys else "One row for all"
        yield f"{rows}: {named}."
        if node.fill is not None:
            yield "Times without any get a row too: counts are 0 there, all else has no value."

    def _key(self, state: State, key: ast.Path | ast.Number) -> str:
        if isinstance(key, ast.Number):
            return period_words(Period(int(key.value), key.unit))
        return value(state, key)

    def _column(self, state: State, item: ast.Expr | ast.Assign) -> str:
        if isinstance(item, ast.Assign):
            return f"{value(state, item.value)} as {item.name.text}"
        if isinstance(item, ast.Call) and item.function == "as" and item.target is not None:
            return f"{value(state, item.target)} as {_format(item)}"
        return value(state, item)

    def _sort(self, state: State, keys: tuple[ast.SortItem, ...]) -> str:
        said = [
            f"{self._column(state, key.value)}, {_direction(kind_of(state, key.value)[0], key.descending)}"
            for key in keys
        ]
        return f"Sorted by {'; then by '.join(said)}; rows without a value come last."

    def _limit(self, count: ast.Number | ast.Parameter, offset: ast.Number | ast.Parameter | None) -> str:
        if isinstance(count, ast.Number):
            most = "No rows" if count.value == 0 else f"At most {count.value} {'row' if count.value == 1 else 'rows'}"
        else:
            most = f"At most as many rows as {literal(count)}"
        return f"{most}." if offset is None else f"{most}, after leaving out the first {literal(offset)}."

    def _object(self, path: ast.Path) -> str:
        return plain(path.text)


def _shown(output: Output) -> str:
    return output.label if output.label == output.header else output.label.replace(" → ", " ").lower()


def _counts(node: ast.Expr) -> bool:
    """Whether a metric is a count, which is 0 over nothing."""
    return isinstance(node, ast.Call) and node.function in _COUNTS


def _format(node: ast.Call) -> str:
    given = [
        argument.right.value if isinstance(argument.right, ast.Text) else argument.right.text
        for argument in node.arguments
        if isinstance(argument, ast.Comparison) and isinstance(argument.right, ast.Path | ast.Text)
    ]
    return " ".join(given)


def _direction(dtype: DataType | None, descending: bool) -> str:
    if dtype is None:
        return "descending" if descending else "ascending"
    return _FIRST.get(dtype.kind, _SIZE if dtype.numeric else _LOW)[descending]
