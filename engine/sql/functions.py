"""The functions of a plan in SQL: one builder a name, the same names as `nql.functions` (a test holds this).

In: operand, condition and order of a measure, or the operand and zone of a scalar function. Out: a sqlglot node.
Invariant: nulls are skipped, counts over nothing are 0 and everything else is null, whatever SQL would say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from engine.bounds import CALENDAR, LOWEST
from engine.sql.dtypes import BIGINT, DOUBLE, call, cast, comparable, sql_type, text, try_cast, whole
from nql.datatypes import MICROSECONDS, DataType


@dataclass(frozen=True, slots=True)
class Measured:
    """What a measure is over: its operand (None for whole rows) with its type, a condition, and what orders rows."""

    operand: exp.Expr | None
    dtype: DataType | None
    where: exp.Expr | None
    order: tuple[exp.Expr, ...]

    @property
    def value(self) -> exp.Expr:
        """The operand."""
        if self.operand is None:
            raise TypeError("this measure needs an operand")
        return self.operand.copy()

    def kept(self, aggregate: exp.Expr, *, present: bool = False) -> exp.Expr:
        """An aggregate over the rows that the condition keeps; `present` leaves out those whose operand is null."""
        conditions = [] if self.where is None else [self.where.copy()]
        if present:
            conditions.append(exp.Not(this=exp.Is(this=self.value, expression=exp.null())))
        return exp.Filter(this=aggregate, expression=exp.Where(this=exp.and_(*conditions))) if conditions else aggregate


def _rows(rows: Measured) -> exp.Expr:
    return rows.kept(exp.Count(this=exp.Star()))


def _distinct(rows: Measured) -> exp.Expr:
    values = rows.value if rows.dtype is None else comparable(rows.value, rows.dtype)
    return rows.kept(exp.Count(this=exp.Distinct(expressions=[values])))


def _sum(rows: Measured) -> exp.Expr:
    total = rows.kept(exp.Sum(this=rows.value))
    return total if rows.dtype is None else try_cast(total, sql_type(rows.dtype))


def _total(rows: Measured) -> exp.Expr:
    return exp.Coalesce(this=_sum(rows), expressions=[exp.Literal.number(0)])


def _sumif(rows: Measured) -> exp.Expr:
    some = exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(0))
    return exp.Case().when(some, _total(rows))


def _last(rows: Measured) -> exp.Expr:
    if not rows.order:
        raise TypeError("last needs an order")
    order = [exp.Coalesce(this=column, expressions=[whole(LOWEST)]) for column in rows.order]
    return rows.kept(call("arg_max", rows.value, call("row", *order)), present=True)


def _percentile(percent: int) -> Callable[[Measured], exp.Expr]:
    """The value at position ceil(percent * n / 100), counted in whole numbers."""

    def build(rows: Measured) -> exp.Expr:
        number = exp.Mul(this=rows.kept(exp.Count(this=rows.value)), expression=exp.Literal.number(percent))
        above = exp.Paren(this=exp.Add(this=number, expression=exp.Literal.number(99)))
        values = call("list_sort", rows.kept(call("list", rows.value), present=True))
        return cast(call("list_extract", values, exp.IntDiv(this=above, expression=exp.Literal.number(100))), DOUBLE)

    return build


MEASURES: Mapping[str, Callable[[Measured], exp.Expr]] = {
    "rows": _rows,
    "count": lambda rows: rows.kept(exp.Count(this=rows.value)),
    "distinct": _distinct,
    "sum": _sum,
    "total": _total,
    "sumif": _sumif,
    "avg": lambda rows: rows.kept(exp.Avg(this=rows.value)),
    "min": lambda rows: rows.kept(exp.Min(this=rows.value)),
    "max": lambda rows: rows.kept(exp.Max(this=rows.value)),
    "last": _last,
    "p05": _percentile(5),
    "p95": _percentile(95),
}


def _clock(part: str) -> Callable[[exp.Expr, str | None], exp.Expr]:
    def build(operand: exp.Expr, zone: str | None) -> exp.Expr:
        if zone is None:
            raise TypeError("the plan is not resolved")
        inside = exp.Between(this=operand.copy(), low=whole(CALENDAR[0]), high=whole(CALENDAR[1]))
        instant = call("make_timestamp", exp.Case().when(inside, operand))
        local = call("timezone", text(zone), call("timezone", text("UTC"), instant))
        return cast(call("date_part", text(part), local), BIGINT)

    return build


def _whole_days(operand: exp.Expr, zone: str | None) -> exp.Expr:
    """Division that rounds down, where SQL rounds towards zero."""
    day = exp.Literal.number(MICROSECONDS["d"])
    rest = call("mod", exp.Paren(this=exp.Add(this=call("mod", operand, day), expression=day.copy())), day.copy())
    return exp.IntDiv(
        this=exp.Paren(this=exp.Sub(this=exp.Paren(this=operand.copy()), expression=rest)), expression=day.copy()
    )


SCALARS: Mapping[str, Callable[[exp.Expr, str | None], exp.Expr]] = {
    "hour": _clock("hour"),
    "day": _clock("day"),
    "day_of_week": _clock("isodow"),
    "whole_days": _whole_days,
}
