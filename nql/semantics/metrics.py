"""Metrics of sampled tables: the components a sample holds, and the aggregates that weigh them rightly.

A gauge is held as sum, count, min and max of the raw values in a sample. `m.avg` (no brackets) is the mean of one
sample; `m.avg()` is the mean over all raw values, `sum(m.sum) / sum(m.count)`, never a mean of means. In a punctual
table a metric is one plain value. Invariant: nobody else knows how a metric is held.
"""

from __future__ import annotations

from collections.abc import Callable

from nql.datatypes import INT
from nql.functions import average_type
from nql.plan.expressions import Arithmetic, Column, Expr
from nql.semantics.names import FieldRef
from nql.semantics.scope import Rows

Measured = Callable[[str, Expr], Expr]


def component(rows: Rows, ref: FieldRef) -> Expr:
    """`m.avg`, `m.sum`, `m.count`, `m.min` or `m.max` of one row."""
    if not ref.sampled_gauge:
        return rows.stored(ref.field.name, ref.field.dtype, ref.link)
    if ref.component == "avg":
        average = average_type(ref.field.dtype)
        return Arithmetic("/", part(rows, ref, "sum"), part(rows, ref, "count"), average)
    return part(rows, ref, ref.component or "sum")


def part(rows: Rows, ref: FieldRef, name: str) -> Column:
    """One stored column of a sampled metric."""
    return rows.stored(f"{ref.field.name}.{name}", INT if name == "count" else ref.field.dtype, ref.link)


def smart(rows: Rows, ref: FieldRef, function: str, measure: Measured) -> Expr | None:
    """An aggregate of a sampled metric over all its raw values; None if the function has no such reading."""
    match function:
        case "avg":
            total, count = measure("sum", part(rows, ref, "sum")), measure("sum", part(rows, ref, "count"))
            return Arithmetic("/", total, count, average_type(ref.field.dtype))
        case "sum" | "sumif":
            return measure(function, part(rows, ref, "sum"))
        case "count":
            return measure("total", part(rows, ref, "count"))
        case "min" | "max":
            return measure(function, part(rows, ref, function))
        case "last":
            mean = Arithmetic("/", part(rows, ref, "sum"), part(rows, ref, "count"), average_type(ref.field.dtype))
            return measure("last", mean)
        case _:
            return None
