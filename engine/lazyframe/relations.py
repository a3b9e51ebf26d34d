"""Relations of a plan in Polars, and the whole translation.

In: a resolved plan and a source of tables. Out: one lazy frame with a column an output, named by position (`0`, `1`,
...), and `@device` with the device's uid where the plan has one; values in their physical types. Invariant: nothing
is executed and no text is read. Joins and groupings promise no order of their own; `engine.order` has put a sort
wherever order shows.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from engine.buckets import Run, runs
from engine.lazyframe.dtypes import orderable, polars_type
from engine.lazyframe.exprs import expression, value
from engine.lazyframe.functions import MEASURES, Rows
from engine.lazyframe.scans import scanned
from engine.order import ordered
from engine.source import Source
from nql.datatypes import Kind
from nql.functions import MEASURES as FUNCTIONS
from nql.plan.plan import ResolvedPlan
from nql.plan.relations import (
    OBJECT_KEY,
    Active,
    Aggregate,
    Attach,
    Extend,
    Filter,
    Limit,
    Measure,
    Relation,
    Scan,
    Select,
    SemiJoin,
    Sort,
    absolute,
)
from nql.plan.windows import Buckets

DEVICE = "@device"
_BUCKET = "@bucket"
_ROWS = "@rows"


def translate(plan: ResolvedPlan, source: Source) -> pl.LazyFrame:
    """The lazy frame of a plan over one snapshot of the tables."""
    frame = relation(ordered(plan.relation), source)
    shown = [
        pl.col(output.column).cast(polars_type(output.dtype)).alias(str(position))
        for position, output in enumerate(plan.outputs)
    ]
    if plan.device is not None:
        shown.append(pl.col(plan.device).alias(DEVICE))
    return frame.select(shown)


def relation(node: Relation, source: Source) -> pl.LazyFrame:
    """The lazy frame of one relation, columns named as in its schema."""
    match node:
        case Scan():
            return scanned(node, source)
        case Active():
            return _active(node, source)
        case Filter():
            return relation(node.input, source).filter(expression(node.predicate))
        case SemiJoin():
            return _semi_join(node, source)
        case Attach():
            return _attach(node, source)
        case Aggregate():
            return _aggregate(node, relation(node.input, source))
        case Extend():
            items = [value(item).cast(polars_type(item.dtype)).alias(name) for name, item in node.items]
            return relation(node.input, source).with_columns(items)
        case Select():
            return relation(node.input, source).select(node.names)
        case Sort():
            return _sort(node, relation(node.input, source))
        case Limit():
            return relation(node.input, source).head(node.count)


def _active(node: Active, source: Source) -> pl.LazyFrame:
    window = absolute(node.samples)
    if window is None:
        raise TypeError("activity needs a window")
    frame = relation(node.input, source)
    inside = _keys(node.samples, node.key, source).with_columns(pl.lit(True).alias("@inside"))
    ever = _keys(node.stored, node.key, source).with_columns(pl.lit(True).alias("@ever"))
    joined = frame.join(inside, on=OBJECT_KEY, how="left").join(ever, on=OBJECT_KEY, how="left")
    begun = (pl.col(node.first_seen) < window.end).fill_null(True)
    overlaps = begun & (pl.col(node.last_seen) >= window.start)
    active = pl.col("@inside").is_not_null() | (pl.col("@ever").is_null() & overlaps)
    return joined.filter(active).select(list(node.schema))


def _keys(node: Relation, key: str, source: Source) -> pl.LazyFrame:
    """The objects that rows point to, each once, as `@id`."""
    return relation(node, source).select(pl.col(key).alias(OBJECT_KEY)).unique()


def _semi_join(node: SemiJoin, source: Source) -> pl.LazyFrame:
    return relation(node.input, source).join(_keys(node.events, node.key, source), on=OBJECT_KEY, how="semi")


def _attach(node: Attach, source: Source) -> pl.LazyFrame:
    names = [measure.name for measure in node.measures]
    frame = relation(node.input, source).drop([name for name in names if name in node.input.schema])
    events = relation(node.events, source)
    sums = events.group_by(pl.col(node.key).alias(OBJECT_KEY)).agg(_measure(item) for item in node.measures)
    if not node.keep_all:
        return frame.join(sums, on=OBJECT_KEY, how="inner")
    empties = ((item.name, FUNCTIONS[item.function].empty) for item in node.measures)
    filled = [pl.col(name).fill_null(empty) for name, empty in empties if empty is not None]
    return frame.join(sums, on=OBJECT_KEY, how="left").with_columns(filled)


def _measure(measure: Measure) -> pl.Expr:
    operand = None if measure.operand is None else value(measure.operand)
    rows = Rows(
        operand=operand,
        dtype=None if measure.operand is None else measure.operand.dtype,
        where=None if measure.where is None else expression(measure.where),
        order=tuple(pl.col(name) for name in measure.order),
    )
    return MEASURES[measure.function](rows).alias(measure.name)


def _aggregate(node: Aggregate, frame: pl.LazyFrame) -> pl.LazyFrame:
    measures = [_measure(measure) for measure in node.measures]
    if not node.keys and node.period is None:
        return frame.select(*measures, pl.len().alias(_ROWS))  # one row even without measures
    if node.period is None:
        return frame.group_by(node.keys).agg(measures)
    if not isinstance(node.period, Buckets) or node.time is None:
        raise TypeError("the plan is not resolved")
    parts = runs(node.period)
    bucket = _bucket(pl.col(node.time), parts).alias(_BUCKET)
    grouped = frame.group_by(*node.keys, bucket).agg(measures)
    number = pl.col(_BUCKET)
    width = _by_run(number, parts, lambda run: pl.lit(run.step, dtype=pl.Int64))
    start = _by_run(number, parts, lambda run: run.start + (number - run.first) * run.step)
    edges = [start.alias("start_time"), (start + width).alias("end_time"), width.alias("bucket_duration")]
    return grouped.with_columns(edges).select(list(node.schema))


def _bucket(time: pl.Expr, parts: tuple[Run, ...]) -> pl.Expr:
    """The number of the bucket an instant falls in."""
    number = (time - parts[0].start) // parts[0].step
    for run in parts[1:]:
        number = pl.when(time >= run.start).then(run.first + (time - run.start) // run.step).otherwise(number)
    return number


def _by_run(number: pl.Expr, parts: tuple[Run, ...], part: Callable[[Run], pl.Expr]) -> pl.Expr:
    """An expression that differs by the run a bucket's number lies in."""
    chosen = part(parts[0])
    for run in parts[1:]:
        chosen = pl.when(number >= run.first).then(part(run)).otherwise(chosen)
    return chosen


def _sort(node: Sort, frame: pl.LazyFrame) -> pl.LazyFrame:
    """Sorted by the comparable forms; spellings that compare equal come in the order of their text, last of all."""
    keys = [(orderable(pl.col(key.column.name), key.column.dtype), key.descending) for key in node.keys]
    keys += [
        (pl.col(key.column.name), False) for key in node.keys if key.column.dtype.kind in (Kind.STRING, Kind.VERSION)
    ]
    by = [key for key, _ in keys]
    return frame.sort(by, descending=[down for _, down in keys], nulls_last=True)
