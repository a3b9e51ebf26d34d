"""What a record covers: which aggregates over what kind of operand and nulls, which operators, which time selections.

In: a record that expects rows, with its fixture. Out: cells, each a tuple of words; `tests.logic.coverage` lays them
out and says which are missing. Nulls are counted, not guessed: each aggregate's operand is looked at in the rows of
every group. Invariant: a cell is covered only by a query that runs, and whose answer the record states.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from engine.lazyframe.relations import translate
from nql.api import Context, Rules, resolve
from nql.datatypes import INT
from nql.functions import Role, function_named, percentile_rank
from nql.plan.expressions import Expr, columns
from nql.plan.plan import Output, ResolvedPlan
from nql.plan.relations import Aggregate, Attach, Extend, Measure, Relation, Select, inputs
from nql.semantics.bind import bind, read
from nql.semantics.fields import meaning, value_of
from nql.semantics.lets import without_lets
from nql.semantics.names import FieldRef, Names, ObjectRef, names_of
from nql.semantics.problems import Problems, Reported
from nql.semantics.scope import State
from nql.syntax import ast
from nql.syntax.parse import parse
from tests.logic.check import context_of, fixture_of, rules_of
from tests.logic.fixture import Fixture
from tests.logic.records import Record

Cell = tuple[str, ...]
NOTHING, WHOLE, SOME, ONLY = "no rows", "no nulls", "some nulls", "only nulls"
OTHER = "pNN"


class Covered:
    """The cells of one record."""

    def __init__(self, record: Record) -> None:
        self.fixture: Fixture = fixture_of(record.settings)
        self.rules: Rules = rules_of(record.settings)
        self.context: Context = context_of(record.settings, self.fixture)
        self.names: Names = names_of(self.fixture.catalog)
        self.text = record.query
        self.query = without_lets(parse(record.query), Problems())

    def functions(self) -> Iterator[Cell]:
        """Function, operand, nulls and clause of each aggregate."""
        for at, clause in enumerate(self.query.clauses):
            if not isinstance(clause, ast.Compute | ast.Summarize):
                continue
            calls = [call for item in clause.items for call in _aggregates(item.value)]
            if not calls:
                continue
            state = self._before(at)
            label = _label(clause, state)
            patterns = self._patterns(at, clause, calls)
            for call, found in zip(calls, patterns, strict=True):
                for pattern in found:
                    yield (written(call.function), _operand(state, call), pattern, label)

    def operators(self) -> Iterator[Cell]:
        """Operator and type of each comparison."""
        for at, clause in enumerate(self.query.clauses):
            roots: tuple[ast.Expr, ...] = ()
            if isinstance(clause, ast.Where):
                roots = (clause.condition,)
            elif isinstance(clause, ast.Compute | ast.Summarize):
                calls = [call for item in clause.items for call in _aggregates(item.value)]
                roots = tuple(argument for call in calls for argument in call.arguments)
            if not roots:
                continue
            state = self._before(at)
            for node in (found for root in roots for found in _comparisons(root)):
                kind = _compared(state, node)
                if kind is not None:
                    yield (_sign(node), kind)

    def times(self) -> Iterator[Cell]:
        """Form of each time selection, and what is special about its zone."""
        joined = [clause.table for clause in self.query.clauses if isinstance(clause, ast.Join)]
        for ref in (self.query.table, *joined):
            plan, _ = bind(ast.Query(ref), self.text, self.names, rules=self.rules)
            window = resolve(plan, self.context).window
            form = _form(ref, events=window is not None)
            one = self.fixture.user_zone == self.fixture.instance_zone
            yield (form, "one zone" if one else "two zones")
            if window is not None and _offset(window.start, window.zone) != _offset(window.end, window.zone):
                yield (form, "clock change")

    def _before(self, at: int) -> State:
        """What is known before a clause, in the scope of the clause's names."""
        state = read(replace(self.query, clauses=self.query.clauses[:at]), self.text, self.names, rules=self.rules)
        if isinstance(self.query.clauses[at], ast.Compute):
            state.joined = state.joined or state.reusable
        elif not isinstance(self.query.clauses[at], ast.Where):
            state.joined = None
        return state

    def _patterns(self, at: int, clause: ast.Compute | ast.Summarize, calls: list[ast.Call]) -> list[set[str]]:
        """For each call, the patterns of nulls that its operand has in the groups of the clause."""
        probes = tuple(ast.Assign(ast.Path(f"probe{n}"), call) for n, call in enumerate(calls))
        query = replace(self.query, clauses=(*self.query.clauses[:at], replace(clause, items=probes)))
        plan, _ = bind(query, self.text, self.names, rules=self.rules)
        resolved = resolve(plan, self.context)
        node, extra = _grouping(resolved.relation)
        firsts = [_measure(node, extra, f"probe{n}") for n in range(len(calls))]
        counts = [
            Measure(f"@{n}", "count", first.operand, INT)
            for n, first in enumerate(firsts)
            if first is not None and first.operand is not None
        ]
        asked = replace(node, measures=(Measure("@all", "rows", None, INT), *counts))
        outputs = tuple(Output(one.name, one.name, one.name, INT) for one in asked.measures)
        rows = translate(
            ResolvedPlan(asked, outputs, resolved.table, resolved.now, resolved.zone), self.fixture.source()
        ).collect()
        found: list[dict[str, int]] = [
            dict(zip([one.name for one in asked.measures], row, strict=True)) for row in rows.iter_rows()
        ]
        return [{_pattern(row["@all"], row.get(f"@{n}", row["@all"])) for row in found} for n in range(len(calls))]


def written(function: str) -> str:
    """The name under which a function is laid out: all percentiles NQL lacks are one."""
    return OTHER if percentile_rank(function) is not None and function not in ("p05", "p95") else function


def _aggregates(node: ast.Expr) -> Iterator[ast.Call]:
    if isinstance(node, ast.Call):
        function = function_named(node.function)
        if function is not None and function.role is Role.AGGREGATE:
            yield node
            return
    for part in ast.inside(node):
        yield from _aggregates(part)


def _comparisons(node: ast.Expr) -> Iterator[ast.Comparison]:
    if isinstance(node, ast.Comparison):
        yield node
    for part in ast.inside(node):
        yield from _comparisons(part)


def _label(clause: ast.Compute | ast.Summarize, state: State) -> str:
    if isinstance(clause, ast.Summarize):
        return "summarize by" if clause.by else "summarize"
    return "include" if state.joined is not None and state.joined.keep_all else "with"


def _operand(state: State, call: ast.Call) -> str:
    """What an aggregate stands on: rows, objects, a metric, a computed name, or a field of some type."""
    if call.target is None:
        return "rows"
    if not isinstance(call.target, ast.Path):
        return "expression"
    found = meaning(state, call.target)
    if isinstance(found, ObjectRef):
        return "objects"
    if not isinstance(found, FieldRef) or state.summary is not None:
        return "computed name"
    if found.sampled_gauge:
        return "sampled metric" if found.component is None else "component"
    return "component" if found.component is not None else found.field.dtype.kind.value


def _grouping(relation: Relation) -> tuple[Aggregate | Attach, dict[str, Expr]]:
    """The last grouping of a relation, and what is computed from its measures."""
    extra: dict[str, Expr] = {}
    while not isinstance(relation, Aggregate | Attach):
        if isinstance(relation, Extend):
            extra |= dict(relation.items)
        if not isinstance(relation, Extend | Select):
            raise TypeError(f"{type(relation).__name__} above a grouping")
        (relation,) = inputs(relation)
    return relation, extra


def _measure(node: Aggregate | Attach, extra: dict[str, Expr], name: str) -> Measure | None:
    """The first measure that makes up a value."""
    names = {name} if name not in extra else columns(extra[name])
    return next((measure for measure in node.measures if measure.name in names), None)


def _pattern(rows: int, values: int) -> str:
    if rows == 0:
        return NOTHING
    return WHOLE if values == rows else SOME if values else ONLY


def _compared(state: State, node: ast.Comparison) -> str | None:
    """The type of the name in a comparison, None if there is none."""
    for side in (node.left, node.right):
        if isinstance(side, ast.Path):
            try:
                return value_of(state, side).dtype.kind.value
            except Reported:
                continue
    return None


def _sign(node: ast.Comparison) -> str:
    none = any(isinstance(side, ast.Constant) and side.value is None for side in (node.left, node.right))
    return f"{node.op} null" if none else node.op


def _form(ref: ast.TableRef, *, events: bool) -> str:
    """How a selection is written, with what stands behind it."""
    form = _selection(ref, events=events)
    if ref.resolution is not None:
        return f"{form} by {ref.resolution.unit}"
    return f"{form} shift" if ref.shift is not None else form


def _selection(ref: ast.TableRef, *, events: bool) -> str:
    match ref.selection:
        case None:
            return "no selection, events" if events else "no selection, objects"
        case ast.Past(length):
            return f"past {length.unit if isinstance(length, ast.Number) else '$'}"
        case ast.OnDay():
            return "on day"
        case ast.Between(start, end):
            return f"from {_point(start)} to {_point(end)}"


def _point(point: ast.Date | ast.Ago) -> str:
    if isinstance(point, ast.Ago):
        return f"{point.length.unit} ago"
    return "day" if point.hour is None else "clock"


def _offset(instant: int, zone: str) -> timedelta | None:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant)).astimezone(ZoneInfo(zone)).utcoffset()
