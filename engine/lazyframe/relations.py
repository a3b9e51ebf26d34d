"""Relations of a plan in Polars, and the whole translation.

In: a resolved plan and a source of tables. Out: one lazy frame with a column an output, named by position (`0`, `1`,
...), and `@device` with the device's uid where the plan has one; values in their physical types. Invariant: nothing
is executed and no text is read. Joins and groupings promise no order of their own; `engine.order` has put a sort
wherever order shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Literal as Choice

import polars as pl
from polars import selectors

from engine.bounds import LOWEST
from engine.buckets import Run, runs
from engine.comparing import picks_few
from engine.lazyframe.dtypes import col, held, orderable, renamed, shown
from engine.lazyframe.exprs import value
from engine.lazyframe.functions import MEASURES, ordering
from engine.lazyframe.grouping import BUCKET, Grouping, grouped
from engine.lazyframe.parts import conjuncts
from engine.lazyframe.scans import Rows, asked_of, of_few, scanned
from engine.lazyframe.states import measured
from engine.order import ordered
from engine.source import CODE, Source, laid
from nql.datatypes import Kind
from nql.plan.expressions import Column, Expr, columns
from nql.plan.plan import ResolvedPlan
from nql.plan.relations import (
    EVENT_KEY,
    OBJECT_KEY,
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
    absolute,
    scans,
)
from nql.plan.windows import Buckets

DEVICE = "@device"
_CONSTANT = "@constant"
_ROWS = "@rows"
_ZERO = pl.lit(0)
_INSIDE = pl.lit(True).alias("@inside")
_EVER = pl.lit(True).alias("@ever")
_IS_INSIDE = col("@inside").is_not_null()
_IS_NEVER = col("@ever").is_null()


def translate(plan: ResolvedPlan, source: Source) -> pl.LazyFrame:
    """The lazy frame of a plan over one snapshot of the tables."""
    return translated(plan, source).frame


def translated(plan: ResolvedPlan, source: Source) -> Rows:
    """The same with what is known of it."""
    wanted = frozenset(output.column for output in plan.outputs) | ({plan.device} if plan.device else set())
    rows = relation(ordered(plan.relation), source, wanted).complete()
    picked = [shown(output.column, output.dtype.physical, str(at)) for at, output in enumerate(plan.outputs)]
    if plan.device is not None:
        picked.append(renamed(plan.device, DEVICE))
    return rows.over(rows.frame.select(picked))


def relation(node: Relation, source: Source, wanted: frozenset[str]) -> Rows:
    """The rows of one relation, columns named as in its schema; `wanted` are those that will be read."""
    match node:
        case Scan():
            return scanned(node, source)
        case Active():
            return _active(node, relation(node.input, source, frozenset(node.schema)).complete())
        case Filter():
            return _filter(node, source, wanted)
        case SemiJoin():
            return _semi_join(node, relation(node.input, source, frozenset(node.schema)).complete())
        case Attach():
            return _attach(node, relation(node.input, source, frozenset(node.input.schema)).complete())
        case Aggregate():
            return _aggregate(node, source)
        case Extend():
            read = wanted.union(*(columns(item) for _, item in node.items))
            return _extend(node, relation(node.input, source, read))
        case Select():
            return _select(node, relation(node.input, source, wanted))
        case Sort():
            keys = [key.column.name for key in node.keys]
            below = relation(node.input, source, wanted.union(keys))
            rows = below.having([name for name in keys if name not in below.coded])
            return replace(rows, frame=_sort(node, rows), ordered=True)
        case Limit():
            if not isinstance(node.count, int) or not isinstance(node.offset, int):
                raise TypeError("the plan is not resolved")
            rows = relation(node.input, source, wanted)
            return rows.over(rows.frame.slice(node.offset, node.count))
        case Latest():
            return _latest(node, relation(node.input, source, frozenset(node.schema)).complete())


def _filter(node: Filter, source: Source, wanted: frozenset[str]) -> Rows:
    """Filters one upon the other are one list of conditions."""
    parts: list[Expr] = []
    below: Relation = node
    while isinstance(below, Filter):
        parts[:0] = conjuncts(below.predicate)
        below = below.input
    asked = [(part, columns(part)) for part in parts]
    read = wanted.union(*(read for _, read in asked))
    if not isinstance(below, Scan):
        return relation(below, source, read).where(asked, wanted)
    rows, others = asked_of(below, source, asked)
    return rows.where(others, wanted)


def _extend(node: Extend, rows: Rows) -> Rows:
    names = {name for name, _ in node.items}
    rows = rows.having([*names, *(name for _, item in node.items for name in columns(item))])
    items = [held(value(item), item.dtype).alias(name) for name, item in node.items]
    return rows.over(rows.frame.with_columns(items))


def _select(node: Select, rows: Rows) -> Rows:
    """Only these columns, and the keys of what is still owed. A linked column that nobody reads may be gone: then a
    condition on its object left rows out without joining it."""
    owed = tuple(column for column in rows.owed if column.name in node.names)
    coded = {name: texts for name, texts in rows.coded.items() if name in node.names}
    later = {*coded, *(column.name for column in owed)}
    keys = [*(name + CODE for name in coded), *(column.link.key for column in owed if column.link is not None)]
    names = [name for name in node.names if name not in later]
    kept = selectors.by_name(*dict.fromkeys([*names, *keys]), require_all=False)
    return replace(rows, frame=rows.frame.select(kept), owed=owed, coded=coded)


def _active(node: Active, rows: Rows) -> Rows:
    window = absolute(scans(node.samples)[0])
    if window is None:
        raise TypeError("activity needs a window")
    inside = _keys(node.samples, node.key, rows.source).with_columns(_INSIDE)
    ever = _keys(node.stored, node.key, rows.source).with_columns(_EVER)
    joined = rows.frame.join(inside, on=col(OBJECT_KEY), how="left").join(ever, on=col(OBJECT_KEY), how="left")
    begun = (col(node.first_seen) < window.end).fill_null(True)
    overlaps = begun & (col(node.last_seen) >= window.start)
    active = _IS_INSIDE | (_IS_NEVER & overlaps)
    return Rows(joined.filter(active).select(*map(col, node.schema)), rows.source)


def _keys(node: Relation, key: str, source: Source) -> pl.LazyFrame:
    """The objects that rows point to, each once, as `@id`."""
    if (groups := grouped(Grouping(node, (key,), ()), source, relation)) is not None:
        return groups.complete().frame.select(renamed(key, OBJECT_KEY))
    return relation(node, source, frozenset({key})).frame.select(renamed(key, OBJECT_KEY)).unique()


def _semi_join(node: SemiJoin, rows: Rows) -> Rows:
    keys = _keys(node.events, node.key, rows.source)
    return Rows(rows.frame.join(keys, on=col(OBJECT_KEY), how="semi"), rows.source)


def _attach(node: Attach, rows: Rows) -> Rows:
    replaced = [measure.name for measure in node.measures if measure.name in node.input.schema]
    frame = rows.frame.drop(replaced) if replaced else rows.frame
    sums = _summed(node, rows.source, frame)
    how: Choice["left", "inner"] = "left" if node.keep_all else "inner"
    joined = frame.join(sums, on=col(OBJECT_KEY), how=how, maintain_order="left")  # which is that of the answer
    filled = _empties(node.measures) if node.keep_all else []
    return Rows(joined.with_columns(filled) if filled else joined, rows.source)


def _summed(node: Attach, source: Source, objects: pl.LazyFrame) -> pl.LazyFrame:
    """The measures of the events of each object, by `@id`."""
    below, measures = _spread(node.events, node.measures)
    narrow = _narrow(node.input)
    if not narrow and (sums := grouped(Grouping(below, (node.key,), measures), source, relation)) is not None:
        return sums.complete().frame.rename({node.key: OBJECT_KEY})
    read = frozenset({node.key}).union(*(item.reads() for item in measures))
    events = relation(below, source, read).having(read).frame
    if narrow:  # summing up the events of the few objects that are left is cheaper than all of them
        few = objects.select(renamed(OBJECT_KEY, node.key))
        known = laid(source) and isinstance(_unfiltered(node.input), Scan)  # objects in memory are picked at once
        events = of_few(events, few.collect(), node.key) if known else events.join(few, on=node.key, how="semi")
    return events.group_by(renamed(node.key, OBJECT_KEY)).agg(*map(_measure, measures))


def _unfiltered(node: Relation) -> Relation:
    while isinstance(node, Filter):
        node = node.input
    return node


def _narrow(node: Relation) -> bool:
    """Whether a relation is likely to hold few of its table's objects."""
    while isinstance(node, Filter):
        if any(map(picks_few, conjuncts(node.predicate))):
            return True
        node = node.input
    return False


def _empties(measures: tuple[Measure, ...]) -> list[pl.Expr]:
    """The measures that are 0 over nothing, with 0 for null."""
    return [col(item.name).fill_null(_ZERO) for item in measures if item.counts]


def _latest(node: Latest, rows: Rows) -> Rows:
    key = ordering(node.order, LOWEST)
    others = [col(name).max_by(key) for name in node.schema if name not in node.keys]
    frame = rows.frame.group_by(node.keys).agg(others).select(list(node.schema))
    return Rows(frame, rows.source)


def _spread(below: Relation, measures: tuple[Measure, ...]) -> tuple[Relation, tuple[Measure, ...]]:
    """Constants that are summed up become columns: Polars would take a constant for one row, not for one in each."""
    if not any(_is_constant(item.operand) or _is_constant(item.where) for item in measures):
        return below, measures
    constants: dict[str, Expr] = {}

    def named(part: Expr | None) -> Expr | None:
        if part is None or not _is_constant(part):
            return part
        name = f"{_CONSTANT}{len(constants)}"
        constants[name] = part
        return Column(name, part.dtype)

    spread = tuple(replace(item, operand=named(item.operand), where=named(item.where)) for item in measures)
    return Extend(below, tuple(constants.items())), spread


def _is_constant(part: Expr | None) -> bool:
    return part is not None and not isinstance(part, Column) and not columns(part)


def _measure(measure: Measure) -> pl.Expr:
    plain = measure.where is None and measure.weight is None and isinstance(measure.operand, Column | None)
    summed = _of_column if plain else _of_rows
    one = summed(measure.function, measure.operand, measure.order, measure.rank, measure.where, measure.weight)
    return one.alias(measure.name)


def _of_rows(
    function: str,
    operand: Expr | None,
    order: tuple[str, ...],
    rank: int | None,
    where: Expr | None,
    weight: Expr | None,
) -> pl.Expr:
    """A measure without its name."""
    return MEASURES[function](measured(operand, where, weight, order, rank))


_of_column = lru_cache(maxsize=1024)(_of_rows)  # of rows or a column as it is, which most measures are


def _aggregate(node: Aggregate, source: Source) -> Rows:
    below, measures = _spread(node.input, node.measures)
    if node.period is None:
        return _groups(Grouping(below, node.keys, measures), source)
    if not isinstance(node.period, Buckets) or node.time is None:
        raise TypeError("the plan is not resolved")
    parts = runs(node.period)
    bucket = _bucket(col(node.time), parts).alias(BUCKET)
    groups = _groups(Grouping(below, node.keys, measures, node.period, node.time, bucket), source).complete().frame
    return Rows(_with_edges(node, node.period, parts, groups), source)


def _groups(of: Grouping, source: Source) -> Rows:
    if (of.keys or of.measures) and (groups := grouped(of, source, relation)) is not None:
        return groups
    read = of.read.union(of.keys)
    frame = relation(of.rows, source, read).having(read).frame
    measures = map(_measure, of.measures)
    if of.bucket is not None:
        return Rows(frame.group_by(*of.keys, of.bucket).agg(*measures), source)
    if not of.keys:
        return Rows(frame.select(*measures, pl.len().alias(_ROWS)), source)  # one row even without measures
    return Rows(frame.group_by(of.keys).agg(*measures), source)


def _with_edges(node: Aggregate, period: Buckets, parts: tuple[Run, ...], groups: pl.LazyFrame) -> pl.LazyFrame:
    """Groups with the start, end and width of their bucket, and with empty ones if they are asked for."""
    if period.filled:
        groups = _filled(node, period.filled, groups)
    number = col(BUCKET)
    width = _by_run(number, parts, lambda run: pl.lit(run.step, dtype=pl.Int64))
    start = _by_run(number, parts, lambda run: run.start + (number - run.first) * run.step)
    edges = [start.alias("start_time"), (start + width).alias("end_time"), width.alias("bucket_duration")]
    return groups.with_columns(edges).select(list(node.schema))


def _filled(node: Aggregate, count: int, grouped: pl.LazyFrame) -> pl.LazyFrame:
    """The groups, and for each combination of keys the first `count` buckets it has no row in."""
    numbers = pl.LazyFrame({BUCKET: range(count)}, schema={BUCKET: pl.Int64})
    on = [*node.keys, BUCKET]
    grid = grouped.select(node.keys).unique().join(numbers, how="cross") if node.keys else numbers
    every = pl.concat([grid.select(on), grouped.select(on)]).unique()
    return every.join(grouped, on=on, how="left", nulls_equal=True).with_columns(_empties(node.measures))


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


def _sort(node: Sort, rows: Rows) -> pl.LazyFrame:
    """Sorted by the comparable forms; spellings that compare equal come in the order of their text, last of all. Where
    there are numbers of texts, no two of which compare equal, these are sorted by."""
    by = [
        col(key.column.name + CODE)
        if key.column.name in rows.coded
        else orderable(col(key.column.name), key.column.dtype)
        for key in node.keys
    ]
    spelt = (key.column for key in node.keys if key.column.dtype.kind in (Kind.STRING, Kind.VERSION))
    text = [column.name for column in spelt if column.name not in rows.coded]
    descending = [key.descending for key in node.keys] + [False] * len(text)
    # row keys are never null, and a frame known to be sorted by one is sorted again only if nulls have to come last
    nulls = [key.column.name not in (OBJECT_KEY, EVENT_KEY) for key in node.keys] + [True] * len(text)
    return rows.frame.sort([*by, *map(col, text)], descending=descending, nulls_last=nulls)
