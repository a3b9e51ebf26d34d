"""The functions of a plan in SQL: one builder a name, the same names as `nql.functions` (a test holds this).

In: operand, condition and order of a measure, or the operand and zone of a scalar function. Out: a sqlglot node.
Invariant: nulls are skipped, counts over nothing are 0 and everything else is null, whatever SQL would say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from engine.bounds import CALENDAR, GREATEST, LOWEST
from engine.sql.dtypes import BIGINT, DOUBLE, WIDE, call, cast, comparable, sql_type, text, try_cast, whole
from nql.datatypes import MICROSECONDS, DataType, Kind, Physical
from nql.plan.expressions import Call


@dataclass(frozen=True, slots=True)
class Measured:
    """What a measure is over: its operand (None for whole rows) with its type, a condition, what orders rows, how much
    each weighs, and the rank of a percentile."""

    operand: exp.Expr | None
    dtype: DataType | None
    where: exp.Expr | None = None
    order: tuple[exp.Expr, ...] = ()
    weight: exp.Expr | None = None
    rank: int | None = None

    @property
    def value(self) -> exp.Expr:
        """The operand."""
        if self.operand is None:
            raise TypeError("this measure needs an operand")
        return self.operand.copy()

    def kept(self, aggregate: exp.Expr, *, present: bool = False) -> exp.Expr:
        """An aggregate over the rows that the condition keeps; `present` leaves out those whose operand is null, and
        those that weigh nothing."""
        conditions = [] if self.where is None else [self.where.copy()]
        if present:
            conditions.append(exp.Not(this=exp.Is(this=self.value, expression=exp.null())))
        if present and self.weight is not None:
            conditions.append(exp.GT(this=self.weight.copy(), expression=exp.Literal.number(0)))
        return exp.Filter(this=aggregate, expression=exp.Where(this=exp.and_(*conditions))) if conditions else aggregate


def _rows(rows: Measured) -> exp.Expr:
    return rows.kept(exp.Count(this=exp.Star()))


def _distinct(rows: Measured) -> exp.Expr:
    values = rows.value if rows.dtype is None else comparable(rows.value, rows.dtype)
    return rows.kept(exp.Count(this=exp.Distinct(expressions=[values])))


def _sum(rows: Measured) -> exp.Expr:
    return _fitting(rows, rows.kept(exp.Sum(this=rows.value)))


def _total(rows: Measured) -> exp.Expr:
    added = rows.kept(exp.Sum(this=rows.value))
    return _fitting(rows, exp.Coalesce(this=added, expressions=[exp.Literal.number(0)]))


def _fitting(rows: Measured, added: exp.Expr) -> exp.Expr:
    """A sum, null beyond 64 bits."""
    return added if rows.dtype is None else try_cast(added, sql_type(rows.dtype))


def _sumif(rows: Measured) -> exp.Expr:
    some = exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(0))
    return exp.Case().when(some, _total(rows))


def _real_sum(rows: Measured) -> exp.Expr:
    return rows.kept(exp.Sum(this=cast(rows.value, DOUBLE)))


def _edge(function: str, missing: int) -> Callable[[Measured], exp.Expr]:
    """The value of the row at one end of the order, a null in which counts as `missing`."""

    def build(rows: Measured) -> exp.Expr:
        if not rows.order:
            raise TypeError("this measure needs an order")
        order = [exp.Coalesce(this=column, expressions=[whole(missing)]) for column in rows.order]
        return rows.kept(call(function, rows.value, call("row", *order)), present=True)

    return build


def _percentile(rows: Measured) -> exp.Expr:
    """The value at position ceil(rank * n / 100), counted in whole numbers."""
    if rows.rank is None:
        raise TypeError("a percentile needs a rank")
    rank = exp.Literal.number(rows.rank)
    number = exp.Mul(this=_number(rows), expression=rank)
    above = exp.Paren(this=exp.Add(this=number, expression=exp.Literal.number(99)))
    return _at(rows, exp.IntDiv(this=above, expression=exp.Literal.number(100)))


def _median(rows: Measured) -> exp.Expr:
    one, two = exp.Literal.number(1), exp.Literal.number(2)
    low = exp.IntDiv(this=exp.Paren(this=exp.Add(this=_number(rows), expression=one)), expression=two)
    high = exp.Add(this=exp.IntDiv(this=_number(rows), expression=two.copy()), expression=one.copy())
    both = exp.Paren(this=exp.Add(this=_at(rows, low), expression=_at(rows, high)))
    middle = exp.Div(this=both, expression=exp.Literal.number(2.0))
    whole_number = rows.dtype is not None and rows.dtype.kind is Kind.DATETIME
    return cast(exp.Floor(this=middle), BIGINT) if whole_number else middle


def _number(rows: Measured) -> exp.Expr:
    """How many values there are, each as often as it weighs."""
    if rows.weight is None:
        return rows.kept(exp.Count(this=rows.value))
    return rows.kept(exp.Sum(this=rows.weight.copy()), present=True)


def _at(rows: Measured, position: exp.Expr) -> exp.Expr:
    """The value at a position of the ascending order in which each stands as often as it weighs."""
    if rows.weight is None:
        values = call("list_sort", rows.kept(call("list", rows.value), present=True))
        return cast(call("list_extract", values, position), DOUBLE)
    pairs = call("list_sort", rows.kept(call("list", _triple(rows.value, rows.weight, whole(0))), present=True))
    start = _triple(cast(exp.null(), sql_type(rows.dtype)) if rows.dtype else exp.null(), whole(0), position)
    reached = exp.Add(this=_part("a", 2), expression=_part("e", 2))
    further = _triple(_part("e", 1), reached, _part("a", 3))
    there = exp.GTE(this=_part("a", 2), expression=_part("a", 3))
    names = [exp.to_identifier(name) for name in ("a", "e")]
    walk = exp.Lambda(this=exp.Case().when(there, exp.column("a")).else_(further), expressions=names)
    found = call("list_reduce", call("list_prepend", start, pairs), walk)
    return cast(call("struct_extract", found, exp.Literal.number(1)), DOUBLE)


def _triple(value: exp.Expr, reached: exp.Expr, position: exp.Expr) -> exp.Expr:
    """A value, how far the order has come with it, and the position sought: a lambda sees nothing but its elements."""
    return call("row", value, cast(reached.copy(), WIDE), cast(position.copy(), WIDE))


def _part(pair: str, place: int) -> exp.Expr:
    return call("struct_extract", exp.column(pair), exp.Literal.number(place))


def _stddev(rows: Measured) -> exp.Expr:
    return rows.kept(call("stddev_samp", cast(rows.value, DOUBLE)))


MEASURES: Mapping[str, Callable[[Measured], exp.Expr]] = {
    "rows": _rows,
    "count": lambda rows: rows.kept(exp.Count(this=rows.value)),
    "distinct": _distinct,
    "sum": _sum,
    "real_sum": _real_sum,
    "total": _total,
    "sumif": _sumif,
    "avg": lambda rows: rows.kept(exp.Avg(this=rows.value)),
    "min": lambda rows: rows.kept(exp.Min(this=rows.value)),
    "max": lambda rows: rows.kept(exp.Max(this=rows.value)),
    "last": _edge("arg_max", LOWEST),
    "first": _edge("arg_min", GREATEST),
    "percentile": _percentile,
    "median": _median,
    "stddev": _stddev,
}


def _clock(part: str) -> Callable[[exp.Expr, Call], exp.Expr]:
    def build(operand: exp.Expr, scalar: Call) -> exp.Expr:
        if scalar.zone is None:
            raise TypeError("the plan is not resolved")
        inside = exp.Between(this=operand.copy(), low=whole(CALENDAR[0]), high=whole(CALENDAR[1]))
        instant = call("make_timestamp", exp.Case().when(inside, operand))
        local = call("timezone", text(scalar.zone), call("timezone", text("UTC"), instant))
        return cast(call("date_part", text(part), local), BIGINT)

    return build


def _whole_days(operand: exp.Expr, scalar: Call) -> exp.Expr:
    """Division that rounds down, where SQL rounds towards zero."""
    day = exp.Literal.number(MICROSECONDS["d"])
    rest = call("mod", exp.Paren(this=exp.Add(this=call("mod", operand, day), expression=day.copy())), day.copy())
    return exp.IntDiv(
        this=exp.Paren(this=exp.Sub(this=exp.Paren(this=operand.copy()), expression=rest)), expression=day.copy()
    )


def _abs(operand: exp.Expr, scalar: Call) -> exp.Expr:
    """The lowest whole number has none and gives null."""
    if scalar.dtype.physical is Physical.FLOAT64:
        return call("abs", operand)
    return try_cast(call("abs", cast(operand, WIDE)), BIGINT)


def _round(operand: exp.Expr, scalar: Call) -> exp.Expr:
    """Half away from zero, by the same steps in every engine so that their last digits agree."""
    real, scale = cast(operand, DOUBLE), cast(exp.Literal.number(10 ** abs(scalar.digits)), DOUBLE)
    up, down = (exp.Mul, exp.Div) if scalar.digits >= 0 else (exp.Div, exp.Mul)
    steps = call("round", exp.Paren(this=up(this=real, expression=scale)))
    near = exp.Paren(this=down(this=steps, expression=scale.copy()))
    return near if scalar.dtype.physical is Physical.FLOAT64 else try_cast(near, BIGINT)


SCALARS: Mapping[str, Callable[[exp.Expr, Call], exp.Expr]] = {
    "abs": _abs,
    "lower": lambda operand, scalar: exp.Lower(this=operand),
    "upper": lambda operand, scalar: exp.Upper(this=call("replace", operand, text("ß"), text("ss"))),
    "round": _round,
    "hour": _clock("hour"),
    "day": _clock("day"),
    "day_of_week": _clock("isodow"),
    "whole_days": _whole_days,
}
