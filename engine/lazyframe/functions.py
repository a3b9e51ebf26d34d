"""The functions of a plan in Polars: one builder a name, the same names as `nql.functions` (a test holds this).

In: operand, condition and order of a measure, or the operand and zone of a scalar function. Out: a Polars expression.
Invariant: nulls are skipped, counts over nothing are 0 and everything else is null; no builder relies on the order in
which rows arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from engine.bounds import CALENDAR, GREATEST, LOWEST
from engine.lazyframe.dtypes import FLOAT64, INT64, col, comparable
from nql.datatypes import MICROSECONDS, DataType, Kind, Physical
from nql.plan.expressions import Call


@dataclass(frozen=True, slots=True)
class Measured:
    """What a measure is over: its operand (None for whole rows) with its type, a condition, what orders rows, how much
    each weighs, and the rank of a percentile."""

    operand: pl.Expr | None
    dtype: DataType | None
    where: pl.Expr | None = None
    order: tuple[str, ...] = ()
    weight: pl.Expr | None = None
    rank: int | None = None

    @property
    def value(self) -> pl.Expr:
        """The operand."""
        if self.operand is None:
            raise TypeError("this measure needs an operand")
        return self.operand

    @property
    def values(self) -> pl.Expr:
        """The operand where the condition holds, null elsewhere."""
        return self.value if self.where is None else pl.when(self.where).then(self.value)


def _rows(rows: Measured) -> pl.Expr:
    counted = pl.len() if rows.where is None else rows.where.sum()
    return counted.cast(INT64)


def _count(rows: Measured) -> pl.Expr:
    return rows.values.count().cast(INT64)


def _distinct(rows: Measured) -> pl.Expr:
    values = rows.values if rows.dtype is None else comparable(rows.values, rows.dtype)
    return values.drop_nulls().n_unique().cast(INT64)


def _added(rows: Measured) -> pl.Expr:
    """The sum; one of sizes is null beyond 64 bits. Samples of many devices may hold as many bytes in a month, but no
    count nor duration (292,000 years) comes so far, and 128 bits cost a third more."""
    if rows.dtype is None or rows.dtype.kind is not Kind.BYTES or rows.dtype.real:
        return rows.values.sum()
    return rows.values.cast(pl.Int128).sum().cast(INT64, strict=False)


def _sum(rows: Measured) -> pl.Expr:
    return pl.when(rows.values.count() > 0).then(_added(rows))


def _real_sum(rows: Measured) -> pl.Expr:
    return pl.when(rows.values.count() > 0).then(rows.values.cast(FLOAT64).sum())


def _total(rows: Measured) -> pl.Expr:
    return _added(rows)


def _sumif(rows: Measured) -> pl.Expr:
    return pl.when(pl.len() > 0).then(_added(rows))


def _ordered(rows: Measured, missing: int) -> pl.Expr:
    """What orders the rows that have a value."""
    if not rows.order:
        raise TypeError("this measure needs an order")
    present = rows.value.is_not_null() if rows.where is None else rows.value.is_not_null() & rows.where
    return pl.when(present).then(ordering(rows.order, missing))


@lru_cache(maxsize=256)
def ordering(names: tuple[str, ...], missing: int) -> pl.Expr:
    """What orders rows by one or two columns, null taken for `missing`: two are compared as one number of 128 bits."""
    keys = [col(name).fill_null(missing) for name in names]
    return keys[0] if len(keys) == 1 else keys[0].cast(pl.Int128) * 2**64 + keys[1]


def _percentile(rows: Measured) -> pl.Expr:
    if rows.rank is None:
        raise TypeError("a percentile needs a rank")
    if rows.weight is None:
        # a hair below, because 0.07 * 10000 is more than 700 where numbers are floats
        return rows.values.quantile(rows.rank / 100 - 1e-12, "equiprobable").cast(FLOAT64)
    rank = rows.rank
    return _weighed(rows, lambda total: total // 100 * rank + (total % 100 * rank + 99) // 100)[0]


def _median(rows: Measured) -> pl.Expr:
    if rows.weight is not None:
        low, high = _weighed(rows, lambda total: (total + 1) // 2, lambda total: total // 2 + 1)
        return (low + high) / 2
    middle = rows.values.median()
    return middle.floor().cast(INT64) if rows.dtype is not None and rows.dtype.kind is Kind.DATETIME else middle


def _weighed(rows: Measured, *positions: Callable[[pl.Expr], pl.Expr]) -> list[pl.Expr]:
    """The values at positions of the ascending order in which each value stands as often as it weighs."""
    if rows.weight is None:
        raise TypeError("this measure needs a weight")
    counts = rows.values.is_not_null() & (rows.weight > 0)
    values, weights = rows.values.filter(counts), rows.weight.filter(counts)
    ascending, reached = values.sort(), weights.sort_by(values).cum_sum()
    return [ascending.filter(reached >= at(weights.sum())).first().cast(FLOAT64) for at in positions]


MEASURES: Mapping[str, Callable[[Measured], pl.Expr]] = {
    "rows": _rows,
    "count": _count,
    "distinct": _distinct,
    "sum": _sum,
    "real_sum": _real_sum,
    "total": _total,
    "sumif": _sumif,
    "avg": lambda rows: rows.values.mean(),
    "min": lambda rows: rows.values.min(),
    "max": lambda rows: rows.values.max(),
    "last": lambda rows: rows.value.max_by(_ordered(rows, LOWEST)),
    "first": lambda rows: rows.value.min_by(_ordered(rows, GREATEST)),
    "percentile": _percentile,
    "median": _median,
    "stddev": lambda rows: rows.values.std(),
}


def _clock(operand: pl.Expr, call: Call) -> pl.Expr:
    if call.zone is None:
        raise TypeError("the plan is not resolved")
    inside = pl.when(operand.is_between(*CALENDAR)).then(operand)
    return inside.cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(call.zone)


def _abs(operand: pl.Expr, call: Call) -> pl.Expr:
    """The lowest whole number has none and gives null."""
    if call.dtype.physical is Physical.FLOAT64:
        return operand.abs()
    return operand.cast(pl.Int128).abs().cast(INT64, strict=False)


def _round(operand: pl.Expr, call: Call) -> pl.Expr:
    """Half away from zero, by the same steps in every engine so that their last digits agree."""
    real, scale = operand.cast(FLOAT64), 10.0 ** abs(call.digits)
    steps = (real * scale if call.digits >= 0 else real / scale).round(mode="half_away_from_zero")
    near = steps / scale if call.digits >= 0 else steps * scale
    return near if call.dtype.physical is Physical.FLOAT64 else near.cast(INT64, strict=False)


SCALARS: Mapping[str, Callable[[pl.Expr, Call], pl.Expr]] = {
    "abs": _abs,
    "lower": lambda operand, call: operand.str.to_lowercase(),
    "upper": lambda operand, call: operand.str.to_uppercase(),
    "round": _round,
    "hour": lambda operand, call: _clock(operand, call).dt.hour().cast(INT64),
    "day": lambda operand, call: _clock(operand, call).dt.day().cast(INT64),
    "day_of_week": lambda operand, call: _clock(operand, call).dt.weekday().cast(INT64),
    "whole_days": lambda operand, call: operand // MICROSECONDS["d"],
}
