"""Relations of a plan in SQL, and the whole translation.

In: a resolved plan. Out: one sqlglot query with a column an output, named by position (`0`, `1`, ...), and `@device`
with the device's uid where the plan has one; and the views it reads, each to be registered under its name with the
rows of one scan of a source. Invariant: nodes are built, never parsed; nothing is executed. The order of rows is
stated by the last `ORDER BY`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlglot import exp

from engine.bounds import LOWEST
from engine.buckets import Run, runs
from engine.order import ordered
from engine.sql.dtypes import INPUT, call, cast, column, orderable, some, sql_type, whole
from engine.sql.exprs import expression, value
from engine.sql.functions import MEASURES, Measured
from engine.sql.scans import View, Views, scanned
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
_BUCKET = "@bucket"
_ROWS = "@rows"
_EMPTY = frozenset({Kind.STRINGS, Kind.OBJECTS, Kind.MAP})  # kinds with an empty value, which is none
_PLACE = "@place"


@dataclass(frozen=True, slots=True)
class Translation:
    """A query and the views it reads."""

    query: exp.Select
    views: tuple[View, ...]


def translate(plan: ResolvedPlan) -> Translation:
    """The SQL of a plan."""
    views = Views()
    inner = relation(ordered(plan.relation), views)
    shown = [
        exp.alias_(cast(column(output.column), sql_type(output.dtype)), str(position), quoted=True)
        for position, output in enumerate(plan.outputs)
    ]
    if plan.device is not None:
        shown.append(exp.alias_(column(plan.device), DEVICE, quoted=True))
    return Translation(_from(inner, shown), tuple(views.held))


def relation(node: Relation, views: Views) -> exp.Select:
    """The query of one relation, columns named as in its schema."""
    match node:
        case Scan():
            return scanned(node, views)
        case Active():
            return _active(node, views)
        case Filter():
            return _all(node, relation(node.input, views)).where(expression(node.predicate), copy=False)
        case SemiJoin():
            present = _present(relation(node.events, views), node.key)
            return _all(node, relation(node.input, views)).where(present, copy=False)
        case Attach():
            return _attach(node, views)
        case Aggregate():
            return _aggregate(node, relation(node.input, views))
        case Extend():
            return _extend(node, relation(node.input, views))
        case Select():
            return _all(node, relation(node.input, views))
        case Sort():
            return _all(node, relation(node.input, views)).order_by(*_order(node), copy=False)
        case Limit():
            return _limited(node, relation(node.input, views))
        case Latest():
            return _latest(node, relation(node.input, views))


def _from(inner: exp.Select, columns: Iterable[exp.Expr]) -> exp.Select:
    """Columns from a query, which is part of it from now on: built anew for each use, nothing is copied."""
    return exp.select(*columns, copy=False).from_(inner.subquery(INPUT, copy=False), copy=False)


def _all(node: Relation, inner: exp.Select) -> exp.Select:
    """All columns of a relation's schema, from a query that has them."""
    return _from(inner, (_named(column(name), name) for name in node.schema))


def _named(node: exp.Expr, name: str) -> exp.Expr:
    return exp.alias_(node, name, quoted=True, copy=False)


def _present(events: exp.Select, key: str) -> exp.Expr:
    """Whether a row of a query points to the object at hand."""
    keys = _from(events, [_named(column(key), key)]).where(
        exp.Not(this=exp.Is(this=column(key), expression=exp.null())), copy=False
    )
    return exp.In(this=column(OBJECT_KEY), query=keys.subquery(copy=False))


def _active(node: Active, views: Views) -> exp.Select:
    window = absolute(scans(node.samples)[0])
    if window is None:
        raise TypeError("activity needs a window")
    inside = _present(relation(node.samples, views), node.key)
    ever = _present(relation(node.stored, views), node.key)
    begun = exp.LT(this=column(node.first_seen), expression=whole(window.end))
    overlaps = exp.and_(
        exp.Not(this=ever),
        exp.Coalesce(this=begun, expressions=[exp.true()]),
        exp.GTE(this=column(node.last_seen), expression=whole(window.start)),
    )
    return _all(node, relation(node.input, views)).where(exp.or_(inside, overlaps, copy=False), copy=False)


def _extend(node: Extend, inner: exp.Select) -> exp.Select:
    items = {name: cast(value(item), sql_type(item.dtype)) for name, item in node.items}
    return _from(inner, (_named(items.get(name) or column(name), name) for name in node.schema))


def _limited(node: Limit, inner: exp.Select) -> exp.Select:
    if not isinstance(node.count, int) or not isinstance(node.offset, int):
        raise TypeError("the plan is not resolved")
    rows = inner if isinstance(node.input, Sort) else _all(node, inner)
    rows = rows.limit(node.count, copy=False)
    return rows.offset(node.offset, copy=False) if node.offset else rows


def _latest(node: Latest, inner: exp.Select) -> exp.Select:
    newest = [
        exp.Ordered(this=exp.Coalesce(this=column(name), expressions=[whole(LOWEST)]), desc=True) for name in node.order
    ]
    place = exp.Window(
        this=call("row_number"), partition_by=[column(key) for key in node.keys], order=exp.Order(expressions=newest)
    )
    placed = _from(inner, [*(_named(column(name), name) for name in node.schema), _named(place, _PLACE)])
    return _all(node, placed).where(exp.EQ(this=column(_PLACE), expression=whole(1)), copy=False)


def _measure(measure: Measure) -> exp.Expr:
    operand = None if measure.operand is None else value(measure.operand)
    if operand is not None and measure.operand is not None and measure.operand.dtype.kind in _EMPTY:
        operand = exp.Case().when(some(operand, measure.operand.dtype), operand.copy())
    over = Measured(
        operand=operand,
        dtype=None if measure.operand is None else measure.operand.dtype,
        where=None if measure.where is None else expression(measure.where),
        order=tuple(column(name) for name in measure.order),
        weight=None if measure.weight is None else value(measure.weight),
        rank=measure.rank,
    )
    return MEASURES[measure.function](over)


def _attach(node: Attach, views: Views) -> exp.Select:
    key = _named(column(node.key), OBJECT_KEY)
    measures = {measure.name: measure for measure in node.measures}
    shown = [key, *(_named(_measure(measure), name) for name, measure in measures.items())]
    sums = _from(relation(node.events, views), shown).group_by(column(node.key), copy=False).subquery("s", copy=False)
    columns = (_named(_attached(name, measures, keep_all=node.keep_all), name) for name in node.schema)
    same = exp.EQ(this=column(OBJECT_KEY), expression=exp.column(OBJECT_KEY, table="s", quoted=True))
    kind = "left" if node.keep_all else "inner"
    return _from(relation(node.input, views), columns).join(sums, on=same, join_type=kind, copy=False)


def _attached(name: str, measures: dict[str, Measure], *, keep_all: bool) -> exp.Expr:
    if name not in measures:
        return column(name)
    aggregate = exp.column(name, table="s", quoted=True)
    empty = FUNCTIONS[measures[name].function].empty
    if empty is None or not keep_all:
        return aggregate
    return exp.Coalesce(this=aggregate, expressions=[exp.Literal.number(empty)])


def _aggregate(node: Aggregate, inner: exp.Select) -> exp.Select:
    measures = [_named(_measure(measure), measure.name) for measure in node.measures]
    if not node.keys and node.period is None:
        return _from(inner, [*measures, _named(exp.Count(this=exp.Star()), _ROWS)])  # one row even without measures
    keys = [column(key) for key in node.keys]
    named = [_named(column(key), key) for key in node.keys]
    if node.period is None:
        return _from(inner, [*named, *measures]).group_by(*keys, copy=False)
    if not isinstance(node.period, Buckets) or node.time is None:
        raise TypeError("the plan is not resolved")
    parts = runs(node.period)
    bucket = _bucket(column(node.time), parts)
    grouped = _from(inner, [*named, _named(bucket, _BUCKET), *measures]).group_by(*keys, bucket.copy(), copy=False)
    if node.period.filled:
        grouped = _filled(node, node.period.filled, grouped)
    number = column(_BUCKET)
    width = _by_run(number, parts, lambda run: whole(run.step))
    start = _by_run(number, parts, lambda run: _start(number, run))
    edges = {
        "start_time": start,
        "end_time": exp.Add(this=start.copy(), expression=width.copy()),
        "bucket_duration": width,
    }
    return _from(grouped, (_named(edges.get(name) or column(name), name) for name in node.schema))


def _filled(node: Aggregate, count: int, grouped: exp.Select) -> exp.Select:
    """The groups, and for each combination of keys the first `count` buckets it has no row in."""
    on = [*node.keys, _BUCKET]
    numbers = exp.select(_named(call("unnest", call("range", whole(0), whole(count))), _BUCKET)).subquery("b")
    keys = _from(grouped.copy(), (_named(column(key), key) for key in node.keys)).distinct(copy=False)
    grid = exp.select(
        *(_named(exp.column(name, table="b" if name == _BUCKET else INPUT, quoted=True), name) for name in on)
    )
    grid = grid.from_(keys.subquery(INPUT)).join(numbers, join_type="cross") if node.keys else grid.from_(numbers)
    every = exp.union(
        grid, _from(grouped.copy(), (_named(column(name), name) for name in on)), distinct=True, copy=False
    )
    same = (exp.NullSafeEQ(this=column(name), expression=exp.column(name, table="g", quoted=True)) for name in on)
    shown = [_named(column(name), name) for name in on]
    for measure in node.measures:
        found: exp.Expr = exp.column(measure.name, table="g", quoted=True)
        empty = FUNCTIONS[measure.function].empty
        if empty is not None:
            found = exp.Coalesce(this=found, expressions=[exp.Literal.number(empty)])
        shown.append(_named(found, measure.name))
    filled = exp.select(*shown, copy=False).from_(every.subquery(INPUT, copy=False), copy=False)
    return filled.join(grouped.subquery("g", copy=False), on=exp.and_(*same), join_type="left", copy=False)


def _bucket(time: exp.Expr, parts: tuple[Run, ...]) -> exp.Expr:
    """The number of the bucket an instant falls in."""

    def number(run: Run) -> exp.Expr:
        since = exp.Paren(this=exp.Sub(this=time.copy(), expression=whole(run.start)))
        return exp.Add(this=whole(run.first), expression=exp.IntDiv(this=since, expression=whole(run.step)))

    chosen = number(parts[0])
    for run in parts[1:]:
        later = exp.GTE(this=time.copy(), expression=whole(run.start))
        chosen = exp.Case().when(later, number(run)).else_(chosen)
    return chosen


def _start(number: exp.Expr, run: Run) -> exp.Expr:
    since = exp.Paren(this=exp.Sub(this=number.copy(), expression=whole(run.first)))
    return exp.Paren(this=exp.Add(this=whole(run.start), expression=exp.Mul(this=since, expression=whole(run.step))))


def _by_run(number: exp.Expr, parts: tuple[Run, ...], part: Callable[[Run], exp.Expr]) -> exp.Expr:
    """An expression that differs by the run a bucket's number lies in."""
    chosen = part(parts[0])
    for run in parts[1:]:
        chosen = exp.Case().when(exp.GTE(this=number.copy(), expression=whole(run.first)), part(run)).else_(chosen)
    return chosen


def _order(node: Sort) -> list[exp.Expr]:
    """The comparable forms; spellings that compare equal come in the order of their text, last of all."""
    keys = [(orderable(column(key.column.name), key.column.dtype), key.descending) for key in node.keys]
    text = [key.column.name for key in node.keys if key.column.dtype.kind in (Kind.STRING, Kind.VERSION)]
    keys += [(column(name), False) for name in text]
    return [exp.Ordered(this=key, desc=down, nulls_first=False) for key, down in keys]
