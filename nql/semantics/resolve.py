"""A plan at one instant: windows become absolute, now and dates become values, parameters get theirs.

In: a `Plan` and a `Context` (now in microseconds UTC, the zones, parameter values). Out: a `ResolvedPlan`, the only
thing an engine translates. Invariant: types and columns stay as they are; a part in which nothing is symbolic is the
same object afterwards. Raises `QueryError` for a parameter without a fitting value and for a time that cannot be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import is_

from nql.datatypes import DATETIME
from nql.diagnostics import NOWHERE, Diagnostic, QueryError
from nql.plan.expressions import (
    And,
    Arithmetic,
    Call,
    Coalesce,
    Column,
    Compare,
    DateLiteral,
    Expr,
    If,
    IsNull,
    Literal,
    Match,
    Matches,
    MemberOf,
    Not,
    Now,
    Or,
    Parameter,
    SameDay,
)
from nql.plan.plan import Plan, ResolvedPlan
from nql.plan.relations import (
    Active,
    Aggregate,
    Attach,
    Extend,
    Filter,
    Latest,
    Limit,
    Measure,
    Relation,
    Scan,
    Select,
    SemiJoin,
    Sort,
)
from nql.plan.windows import Absolute, Buckets, Given, Moment, Past, Period, Precision, Shifted, Weeks, Window
from nql.semantics.infer import known_zone
from nql.semantics.instants import Clock, absolute, buckets, day_range, instant
from nql.semantics.values import Value, given_values

Values = Mapping[str, str | Sequence[str]]
MOST_ROWS = 2**31


@dataclass(frozen=True, slots=True)
class Context:
    """One instant of asking: now in microseconds UTC, the zones' IANA names, and the values of parameters as text."""

    now: int
    instance_zone: str = "UTC"
    user_zone: str = "UTC"
    parameters: Values = field(default_factory=dict)


def resolve(plan: Plan, context: Context) -> ResolvedPlan:
    """The plan at one instant. Raises QueryError."""
    for zone in (context.instance_zone, context.user_zone):
        if not known_zone(zone):
            raise QueryError([Diagnostic("NQL313", f"There is no time zone {zone}.", NOWHERE)])
    clock = Clock(context.now, context.instance_zone, context.user_zone)
    resolver = _Resolver(clock, given_values(plan.parameters, context.parameters, clock))
    try:
        relation = resolver.relation(plan.relation)
        window = resolver.window(plan.window) if plan.window is not None else None
    except (ValueError, OverflowError) as error:
        raise QueryError([Diagnostic("NQL422", str(error), NOWHERE)]) from None
    return ResolvedPlan(relation, plan.outputs, plan.table, context.now, context.user_zone, window, plan.device)


class _Resolver:
    """Rebuilds what holds something symbolic."""

    __slots__ = ("clock", "given", "windows")

    def __init__(self, clock: Clock, given: Mapping[str, Value]) -> None:
        self.clock = clock
        self.given = given
        self.windows: dict[Window, Absolute] = {}

    def window(self, window: Window) -> Absolute:
        found = self.windows.get(window)
        if found is None:
            found = self.windows[window] = absolute(self._said(window), self.clock)
        return found

    def relation(self, relation: Relation) -> Relation:
        match relation:
            case Scan():
                return self._scan(relation)
            case Active(below, samples, stored):
                found, kept = self.relation(samples), self.relation(stored)
                return Active(self.relation(below), found, kept, relation.key, relation.first_seen, relation.last_seen)
            case SemiJoin(below, events):
                return SemiJoin(self.relation(below), self.relation(events), relation.key)
            case Attach(below, events):
                inner, rows = self.relation(below), self.relation(events)
                return Attach(inner, rows, relation.key, self._measures(relation), relation.keep_all)
            case _:
                below = self.relation(relation.input)
                return self._above(relation, below)

    def _scan(self, scan: Scan) -> Scan:
        if scan.window is None:
            return scan
        window = self.window(scan.window)
        daily = scan.daily is True or (scan.daily is None and _in_days(window))
        return Scan(scan.table, scan.columns, window, scan.time, daily)

    def _said(self, window: Window) -> Window:
        """The window with a length that is a parameter replaced by its value."""
        match window:
            case Given():
                return self._past(window)
            case Shifted(Given() as inner):
                return replace(window, window=self._past(inner))
            case Weeks(Given() as inner):
                return Weeks(self._past(inner))
            case Weeks(Shifted(Given() as inner) as shifted):
                return Weeks(replace(shifted, window=self._past(inner)))
            case _:
                return window

    def _past(self, window: Given) -> Past:
        length = str(self.given[window.name].literals[0].value)
        digits = length.rstrip("minhd")
        return Past(int(digits), length.removeprefix(digits))

    def _above(
        self, relation: Filter | Aggregate | Extend | Select | Sort | Limit | Latest, below: Relation
    ) -> Relation:
        match relation:
            case Filter(_, predicate):
                now = self.expr(predicate)
                return relation if below is relation.input and now is predicate else Filter(below, now)
            case Extend(_, items):
                return Extend(below, tuple((name, self.expr(expr)) for name, expr in items))
            case Aggregate():
                period = self._period(relation)
                return Aggregate(below, relation.keys, self._measures(relation), period, relation.time)
            case Limit():
                return Limit(below, self._number(relation.count), self._number(relation.offset))
            case Select(_, names):
                return relation if below is relation.input else Select(below, names)
            case Sort(_, keys):
                return relation if below is relation.input else Sort(below, keys)
            case Latest(_, keys, order):
                return relation if below is relation.input else Latest(below, keys, order)

    def _period(self, relation: Aggregate) -> Period | Buckets | None:
        if not isinstance(relation.period, Period):
            return relation.period
        window = _root_window(relation.input)
        if window is None:
            raise TypeError("a period needs rows with a window")
        return buckets(relation.period, self.window(window), self.clock.now)

    def _number(self, number: int | Parameter) -> int:
        if isinstance(number, int):
            return number
        value = self.given[number.name].literals[0].value
        if not isinstance(value, int) or not 0 <= value <= MOST_ROWS:
            raise ValueError(f"${number.name}: a number of rows is whole, from 0 to {MOST_ROWS:,}.")
        return value

    def _measures(self, relation: Attach | Aggregate) -> tuple[Measure, ...]:
        after = tuple(map(self._measure, relation.measures))
        return relation.measures if all(map(is_, relation.measures, after)) else after

    def _measure(self, measure: Measure) -> Measure:
        operand, where, weight = measure.operand, measure.where, measure.weight
        operand = operand and self.expr(operand)
        where = where and self.expr(where)
        weight = weight and self.expr(weight)
        if operand is measure.operand and where is measure.where and weight is measure.weight:
            return measure
        return replace(measure, operand=operand, where=where, weight=weight)

    def expr(self, expr: Expr) -> Expr:
        match expr:  # in the order of how many there are
            case Column() | Literal():
                return expr
            case Compare():
                return self._compare(expr)
            case And(operands):
                after = tuple(map(self.expr, operands))
                return expr if all(map(is_, operands, after)) else And(after)
            case Or(operands):
                after = tuple(map(self.expr, operands))
                return expr if all(map(is_, operands, after)) else Or(after)
            case IsNull(operand) | Not(operand) | Matches(operand):
                inner = self.expr(operand)
                return expr if inner is operand else replace(expr, operand=inner)
            case Match(operand, pattern):
                text = self.given[pattern.name].literals[0] if isinstance(pattern, Parameter) else pattern
                inner = self.expr(operand)
                same = inner is operand and text is pattern
                return expr if same else replace(expr, operand=inner, pattern=text)
            case MemberOf():
                return self._member_of(expr)
            case Arithmetic():
                left, right = self.expr(expr.left), self.expr(expr.right)
                same = left is expr.left and right is expr.right
                return expr if same else replace(expr, left=left, right=right)
            case Now():
                return Literal(self.clock.now, DATETIME)
            case DateLiteral(moment):
                return Literal(instant(moment, self.clock), DATETIME)
            case SameDay():
                return self._same_day(expr)
            case Parameter(name):
                return self.given[name].literals[0]
            case Call():
                return replace(expr, operand=self.expr(expr.operand), zone=expr.zone or self.clock.user)
            case If():
                test, then, otherwise = map(self.expr, (expr.condition, expr.then, expr.otherwise))
                return If(test, then, otherwise, expr.dtype)
            case Coalesce():
                return Coalesce(self.expr(expr.operand), self.expr(expr.other), expr.dtype)

    def _compare(self, expr: Compare) -> Expr:
        if isinstance(expr.right, Parameter) and self.given[expr.right.name].days:
            return self._with_day(expr.op, expr.left, self.given[expr.right.name].days[0], expr)
        left, right = self.expr(expr.left), self.expr(expr.right)
        same = left is expr.left and right is expr.right
        return expr if same else replace(expr, left=left, right=right)

    def _with_day(self, op: str, operand: Expr, day: Moment, expr: Compare) -> Expr:
        """A comparison with a whole day: `<=` and `>` speak of its end, `<` and `>=` of its start."""
        if op in ("==", "!="):
            return self._same_day(SameDay(operand, day, op == "!=", expr.null_is_value))
        first, after = (Literal(at, DATETIME) for at in day_range(day, self.clock))
        match op:
            case "<=":
                return Compare("<", self.expr(operand), after)
            case ">":
                return Compare(">=", self.expr(operand), after)
            case _:
                return replace(expr, left=self.expr(operand), right=first)

    def _same_day(self, expr: SameDay) -> Expr:
        operand = self.expr(expr.operand)
        first, after = (Literal(at, DATETIME) for at in day_range(expr.moment, self.clock))
        if not expr.negated:
            return And((Compare(">=", operand, first), Compare("<", operand, after)))
        outside: tuple[Expr, ...] = (Compare("<", operand, first), Compare(">=", operand, after))
        return Or((*outside, IsNull(operand)) if expr.null_is_value else outside)

    def _member_of(self, expr: MemberOf) -> Expr:
        operand = self.expr(expr.operand)
        if isinstance(expr.values, tuple):
            return expr if operand is expr.operand else replace(expr, operand=operand)
        given = self.given[expr.values.name]
        parts: list[Expr] = [Match(operand, pattern, expr.negated, expr.null_is_value) for pattern in given.patterns]
        parts += [self._same_day(SameDay(expr.operand, day, expr.negated, expr.null_is_value)) for day in given.days]
        if given.literals or not parts:
            parts.insert(0, replace(expr, operand=operand, values=given.literals))
        if len(parts) == 1:
            return parts[0]
        return And(tuple(parts)) if expr.negated else Or(tuple(parts))


def _in_days(window: Absolute) -> bool:
    return window.precision is Precision.DAY


def _root_window(relation: Relation) -> Window | None:
    """The window of the table a relation starts with."""
    while not isinstance(relation, Scan):
        relation = relation.input
    return relation.window
