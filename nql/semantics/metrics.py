"""Metrics of sampled tables: the components a sample holds, and the aggregates that weigh them rightly.

A gauge is held as sum, count, min and max of the raw values in a sample. `m.avg` (no brackets) is the mean of one
sample; `m.avg()` is the mean over all raw values, `sum(m.sum) / sum(m.count)`, never a mean of means; percentiles are
those of the samples' means, each as often as the sample has values. In a punctual table a metric is one plain value,
and a `.count` of one. Invariant: nobody else knows how a metric is held.
"""

from __future__ import annotations

from typing import Protocol

from nql.datatypes import INT, Kind
from nql.functions import average_type, percentile_rank
from nql.plan.expressions import Arithmetic, Column, Expr, Literal
from nql.semantics.names import FieldRef
from nql.semantics.scope import Rows


class Measured(Protocol):
    """Makes a measure: a function over an operand, each value as often as it weighs."""

    def __call__(self, function: str, operand: Expr, *, weight: Expr | None = None) -> Expr:
        """The expression that has the measure's value."""
        ...


def component(rows: Rows, ref: FieldRef) -> Expr:
    """`m.avg`, `m.sum`, `m.count`, `m.min` or `m.max` of one row."""
    if not ref.sampled_gauge:
        plain = rows.stored(ref.field.name, ref.field.dtype, ref.link)
        return _one(plain) if ref.component == "count" else plain
    if ref.component == "avg":
        return mean(rows, ref)
    return part(rows, ref, ref.component or "sum")


def part(rows: Rows, ref: FieldRef, name: str) -> Column:
    """One stored column of a sampled metric."""
    return rows.stored(f"{ref.field.name}.{name}", INT if name == "count" else ref.field.dtype, ref.link)


def mean(rows: Rows, ref: FieldRef) -> Expr:
    """The mean of one sample; null if it has no value."""
    return Arithmetic("/", part(rows, ref, "sum"), part(rows, ref, "count"), average_type(ref.field.dtype))


def smart(rows: Rows, ref: FieldRef, function: str, measure: Measured) -> Expr | None:
    """An aggregate of a sampled metric over all its raw values; None if the samples cannot tell it."""
    match function:
        case "avg":
            # a month of memory samples of many devices is more bytes than 64 bits can count
            adding = "real_sum" if ref.field.dtype.kind is Kind.BYTES else "sum"
            total, count = measure(adding, part(rows, ref, "sum")), measure("sum", part(rows, ref, "count"))
            return Arithmetic("/", total, count, average_type(ref.field.dtype))
        case "sum" | "sumif":
            return measure(function, part(rows, ref, "sum"))
        case "count":
            return measure("total", part(rows, ref, "count"))
        case "min" | "max":
            return measure(function, part(rows, ref, function))
        case "last" | "first":
            return measure(function, mean(rows, ref))
        case _ if function == "median" or percentile_rank(function) is not None:
            return measure(function, mean(rows, ref), weight=part(rows, ref, "count"))
        case _:
            return None


def _one(value: Column) -> Expr:
    """1 where there is a value, null elsewhere."""
    return Arithmetic("+", Arithmetic("*", value, Literal(0, INT), INT), Literal(1, INT), INT)
