"""The functions of a plan in Polars: one builder a name, the same names as `nql.functions` (a test holds this).

In: operand, condition and order of a measure, or the operand and zone of a scalar function. Out: a Polars expression.
Invariant: nulls are skipped, counts over nothing are 0 and everything else is null; no builder relies on the order in
which rows arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from engine.bounds import CALENDAR, LOWEST
from engine.lazyframe.dtypes import comparable
from nql.datatypes import MICROSECONDS, DataType


@dataclass(frozen=True, slots=True)
class Measured:
    """What a measure is over: its operand (None for whole rows) with its type, a condition, and what orders rows."""

    operand: pl.Expr | None
    dtype: DataType | None
    where: pl.Expr | None
    order: tuple[pl.Expr, ...]

    @property
    def values(self) -> pl.Expr:
        """The operand where the condition holds, null elsewhere."""
        if self.operand is None:
            raise TypeError("this measure needs an operand")
        return self.operand if self.where is None else pl.when(self.where).then(self.operand)


def _rows(rows: Measured) -> pl.Expr:
    counted = pl.len() if rows.where is None else rows.where.sum()
    return counted.cast(pl.Int64)


def _count(rows: Measured) -> pl.Expr:
    return rows.values.count().cast(pl.Int64)


def _distinct(rows: Measured) -> pl.Expr:
    values = rows.values if rows.dtype is None else comparable(rows.values, rows.dtype)
    return values.drop_nulls().n_unique().cast(pl.Int64)


def _sum(rows: Measured) -> pl.Expr:
    return pl.when(rows.values.count() > 0).then(rows.values.sum())


def _total(rows: Measured) -> pl.Expr:
    return rows.values.sum()


def _sumif(rows: Measured) -> pl.Expr:
    return pl.when(pl.len() > 0).then(rows.values.sum())


def _last(rows: Measured) -> pl.Expr:
    """The value of the row with the greatest order columns; two whole numbers are compared as one of 128 bits."""
    if rows.operand is None or not rows.order:
        raise TypeError("last needs an operand and an order")
    present = rows.operand.is_not_null() if rows.where is None else rows.operand.is_not_null() & rows.where
    order = [column.fill_null(LOWEST) for column in rows.order]
    key = order[0] if len(order) == 1 else order[0].cast(pl.Int128) * 2**64 + order[1]
    return rows.operand.max_by(pl.when(present).then(key))


def _percentile(share: float) -> Callable[[Measured], pl.Expr]:
    return lambda rows: rows.values.quantile(share, "equiprobable").cast(pl.Float64)


MEASURES: Mapping[str, Callable[[Measured], pl.Expr]] = {
    "rows": _rows,
    "count": _count,
    "distinct": _distinct,
    "sum": _sum,
    "total": _total,
    "sumif": _sumif,
    "avg": lambda rows: rows.values.mean(),
    "min": lambda rows: rows.values.min(),
    "max": lambda rows: rows.values.max(),
    "last": _last,
    "p05": _percentile(0.05),
    "p95": _percentile(0.95),
}


def _clock(operand: pl.Expr, zone: str | None) -> pl.Expr:
    if zone is None:
        raise TypeError("the plan is not resolved")
    inside = pl.when(operand.is_between(*CALENDAR)).then(operand)
    return inside.cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone)


SCALARS: Mapping[str, Callable[[pl.Expr, str | None], pl.Expr]] = {
    "hour": lambda operand, zone: _clock(operand, zone).dt.hour().cast(pl.Int64),
    "day": lambda operand, zone: _clock(operand, zone).dt.day().cast(pl.Int64),
    "day_of_week": lambda operand, zone: _clock(operand, zone).dt.weekday().cast(pl.Int64),
    "whole_days": lambda operand, zone: operand // MICROSECONDS["d"],
}
