"""Filters that can never hold: what one name is asked to be at the same time cannot be.

In: the conditions of one scope that must all hold. Out: a warning NQL605 at the part that makes the whole impossible.
Invariant: only what is certain from the text is reported, whatever the data; wildcards, parameters and comparisons
between fields are taken to be possible.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from nql.datatypes import FLOAT, INT, DataType, Kind, version_key
from nql.plan.expressions import DateLiteral, Literal
from nql.plan.windows import Moment
from nql.semantics.literals import constant, is_pattern
from nql.semantics.names import FieldRef
from nql.semantics.problems import Problems, Reported
from nql.semantics.scope import State
from nql.syntax import ast

Point = tuple[str, tuple[int | float, ...]]
_MANY = frozenset({Kind.STRINGS, Kind.OBJECTS, Kind.MAP, Kind.NULL})
_RANGES = {"hour": (0, 23), "day": (1, 31), "day_of_week": (1, 7)}
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}
_ENDS = {"<": ("high", True), "<=": ("high", False), ">": ("low", True), ">=": ("low", False)}


@dataclass(slots=True)
class _Facts:
    """What is known of one name so far: the values it may have, those it may not, its bounds, patterns, null."""

    allowed: frozenset[Point] | None = None
    excluded: set[Point] = field(default_factory=set)
    patterns: list[str] = field(default_factory=list)
    low: tuple[Point, bool] | None = None
    high: tuple[Point, bool] | None = None
    null: bool | None = None
    impossible: bool = False

    def only(self, values: frozenset[Point]) -> None:
        self.allowed = values if self.allowed is None else self.allowed & values
        self.present()

    def present(self) -> None:
        self.impossible |= self.null is True
        self.null = False

    def absent(self) -> None:
        self.impossible |= self.null is False
        self.null = True

    def bound(self, side: str, point: Point, strict: bool) -> None:
        known = self.low if side == "low" else self.high
        bounds = [(point, strict), *([known] if known is not None else [])]
        tightest = max if side == "low" else min
        best = tightest(one for one, _ in bounds)
        found = (best, any(strict for one, strict in bounds if one == best))
        if side == "low":
            self.low = found
        else:
            self.high = found
        self.present()

    def never(self) -> bool:
        """Whether no value fits."""
        if self.impossible:
            return True
        if self.low is not None and self.high is not None:
            (low, above), (high, below) = self.low, self.high
            if low > high or (low == high and (above or below)):
                return True
        return self.allowed is not None and not any(map(self._fits, self.allowed))

    def _fits(self, value: Point) -> bool:
        if value in self.excluded or not all(_like(value[0], one) for one in self.patterns):
            return False
        if self.low is not None and (value < self.low[0] or (value == self.low[0] and self.low[1])):
            return False
        return self.high is None or not (value > self.high[0] or (value == self.high[0] and self.high[1]))


def never_holds(state: State, before: Sequence[ast.Expr], condition: ast.Expr) -> None:
    """Warns about the part of a condition that contradicts another, or one of the conditions before it."""
    if not _worth_a_look([*before, condition]):
        return
    quiet = replace(state, problems=Problems(), parameters={})
    facts: dict[object, _Facts] = {}
    for earlier in reversed(before):
        for test in _together(earlier):
            _learn(quiet, facts, test)
    _check(state, quiet, facts, condition)


def _worth_a_look(conditions: Sequence[ast.Expr]) -> bool:
    """Whether a name may be asked for twice, or a test may be impossible alone. Most filters are neither."""
    seen: set[str] = set()
    waiting = list(conditions)
    while waiting:
        part = waiting.pop()
        if isinstance(part, ast.Logic):
            waiting += part.operands
        elif isinstance(part, ast.Comparison):
            if part.op == "between" or (part.op == "in" and isinstance(part.right, ast.Items) and not part.right.items):
                return True
            for side in (part.left, part.right):
                if isinstance(side, ast.Path):
                    name = side.text.rpartition(".")[2].lower()
                    if name in seen:
                        return True
                    seen.add(name)
                elif isinstance(side, ast.Call) and side.function in _RANGES:
                    return True
    return False


def _check(state: State, quiet: State, facts: dict[object, _Facts], condition: ast.Expr) -> None:
    for test in _together(condition):
        if isinstance(test, ast.Logic):
            for operand in test.operands:
                _check(state, quiet, {}, operand)
            continue
        learned = _learn(quiet, facts, test)
        if learned is not None and learned.never():
            message = f"No row can have this: {' '.join(state.written(test.span).split())}."
            hint = "It contradicts another part of the filter, or what the value can be."
            state.problems.warn("NQL605", message, test.span, hint)
            return


def _together(condition: ast.Expr) -> Iterator[ast.Expr]:
    """The parts that must all hold."""
    if isinstance(condition, ast.Logic) and condition.op == "and":
        for operand in condition.operands:
            yield from _together(operand)
    else:
        yield condition


def _learn(state: State, facts: dict[object, _Facts], test: ast.Expr) -> _Facts | None:
    """Adds what a comparison says; gives back what is then known of its name."""
    if not isinstance(test, ast.Comparison):
        return None
    left, op, right = test.left, test.op, test.right
    found = _subject(state, left)
    if found is None and op in _FLIPPED:
        left, op, right = right, _FLIPPED[op], left
        found = _subject(state, left)
    if found is None:
        return None
    key, dtype = found
    known = facts.setdefault(key, _Facts())
    if isinstance(left, ast.Call) and known.low is None and left.function in _RANGES:
        known.low, known.high = ((("", (edge,)), False) for edge in _RANGES[left.function])
    _said(state, known, op, right, dtype)
    return known


def _said(state: State, known: _Facts, op: str, right: ast.Expr, dtype: DataType) -> None:
    match op, right:
        case "==" | "is", ast.Constant(value=None):
            known.absent()
        case "!=" | "is not", ast.Constant(value=None):
            known.present()
        case "in", ast.Items(items):
            values = [_point(state, item, dtype) for item in items]
            if all(value is not None for value in values):
                known.only(frozenset(value for value in values if value is not None))
        case "between", ast.Items((low, high)):
            _said(state, known, ">=", low, dtype)
            _said(state, known, "<=", high, dtype)
        case "==", ast.Text(text) if is_pattern(text):
            known.patterns.append(text)
            known.present()
        case "==" | "!=", _ if (value := _point(state, right, dtype)) is not None:
            if op == "==":
                known.only(frozenset({value}))
            else:
                known.excluded.add(value)
        case "<" | ">" | "<=" | ">=", _ if (edge := _edge(state, op, right, dtype)) is not None:
            known.bound(*edge)


def _subject(state: State, node: ast.Expr) -> tuple[object, DataType] | None:
    """What a comparison is about, the same for every spelling, and its type; None for what is not understood."""
    match node:
        case ast.Path(text):
            alias = state.aliases.get(text.lower()) if state.joined is None else None
            if alias is not None:
                return None if alias.broken else ((alias.column.name, ""), alias.column.dtype)
            found = state.names.find(state.current.table, text) if state.summary is None else None
            if not isinstance(found, FieldRef) or found.field.dtype.kind in _MANY:
                return None
            if found.sampled_gauge and found.component is None:
                return None
            dtype = INT if found.component == "count" else found.field.dtype
            return found.stored_path, dtype
        case ast.Call(ast.Path() as target, "hour" | "day" | "day_of_week", arguments):
            inner = _subject(state, target)
            return ((inner[0], node.function, arguments), INT) if inner is not None else None
        case _:
            return None


def _point(state: State, node: ast.Expr, dtype: DataType) -> Point | None:
    """A value that compares with the others of its type."""
    if isinstance(node, ast.Parameter | ast.Date) or (isinstance(node, ast.Text) and is_pattern(node.value)):
        return None
    if dtype.kind is Kind.ENUM and isinstance(node, ast.Path) and dtype.member(node.text) is None:
        return None
    if dtype.kind in (Kind.STRING, Kind.VERSION) and not isinstance(node, ast.Text | ast.Version):
        return None
    try:
        expr = constant(state, node, FLOAT if dtype.kind is Kind.PERCENTAGE else dtype)
    except Reported:
        return None
    if not isinstance(expr, Literal) or expr.value is None:
        return None
    if isinstance(expr.value, str):
        return (version_key(expr.value) if dtype.kind is Kind.VERSION else expr.value.lower()), ()
    return "", (expr.value,)


def _edge(state: State, op: str, node: ast.Expr, dtype: DataType) -> tuple[str, Point, bool] | None:
    """A bound: its side, its point, and whether the point itself is outside."""
    side, strict = _ENDS[op]
    if not isinstance(node, ast.Date):
        point = _point(state, node, dtype)
        return None if point is None else (side, point, strict)
    try:
        expr = constant(state, node, dtype)
    except Reported:
        return None
    if not isinstance(expr, DateLiteral):
        return None
    when = expr.moment
    if when.year is None or when != Moment(when.year, when.month, when.day, when.hour, when.minute, when.second):
        return None
    day_ends = when.hour is None and op in (">", "<=")
    clock = (24, 0, 0) if day_ends else (when.hour or 0, when.minute, when.second)
    return side, ("", (when.year, when.month, when.day, *clock)), strict if not day_ends else op == "<="


def _like(text: str, pattern: str) -> bool:
    return fnmatchcase(text, pattern.lower().replace("[", "[[]"))
