"""Measures put together from states of parts: what is kept of some rows so that the rows need not be read again.

In: a measure of a plan. Out: expressions over the rows of one part that give its states (sum and count for a mean, the
value and its place in time for `last`), over states that give the states of them all, and over these the measure.
Invariant: however rows are cut into parts, the result is the measure over all of them; a measure of which this is not
known has no states. Which parts there are, and how they are grouped, is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import polars as pl

from engine.bounds import GREATEST, LOWEST
from engine.lazyframe.dtypes import EMPTY, INT64, col, comparable, some
from engine.lazyframe.exprs import expression, value
from engine.lazyframe.functions import MEASURES, Measured, ordering
from engine.lazyframe.runs import Taken
from nql.datatypes import Kind, Physical
from nql.plan.expressions import Expr
from nql.plan.relations import Measure

ROWS = "@rows"
_ANY = pl.lit(True)


@dataclass(frozen=True, slots=True)
class InRuns:
    """The states of runs of rows that lie in an order: what is `taken` of each run, and what is then `made` of that."""

    taken: tuple[Taken, ...]
    made: tuple[pl.Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class States:
    """How a measure is put together: `raw` over rows, `merged` over states, `final` over the merged states of one
    group. `stored` are the states of a rollup that serve, and `rolled` makes `raw` of them; None if a rollup does not
    know. `in_runs` takes the states of runs, `in_order` says that they have to come by the measure's order for that. A
    measure that is known from how often values occur is `told` by these values, of groups in which each stands once."""

    raw: tuple[pl.Expr, ...]
    merged: tuple[pl.Expr, ...]
    final: pl.Expr
    in_runs: InRuns | None = None
    in_order: bool = False
    told: Callable[[pl.Expr], pl.Expr] | None = None

    @property
    def names(self) -> list[str]:
        """The names of the states."""
        return [made.meta.output_name() for made in self.raw]

    stored: tuple[str, ...] = ()
    rolled: tuple[pl.Expr, ...] | None = None


def measured(
    operand: Expr | None,
    where: Expr | None,
    weight: Expr | None,
    order: tuple[str, ...] = (),
    rank: int | None = None,
) -> Measured:
    """What a measure is over, in Polars. Empty arrays, lists of objects and maps are no values."""
    values = None if operand is None else value(operand)
    if values is not None and operand is not None and operand.dtype.kind in EMPTY:
        values = pl.when(some(values, operand.dtype)).then(values)
    return Measured(
        operand=values,
        dtype=None if operand is None else operand.dtype,
        where=None if where is None else expression(where),
        order=order,
        weight=None if weight is None else value(weight),
        rank=rank,
    )


def _of(measure: Measure) -> Measured:
    return measured(measure.operand, measure.where, measure.weight, measure.order, measure.rank)


def states(measure: Measure, stored: str | None = None) -> States | None:
    """The states of a measure; None if it has none. `stored` is the column whose rollup holds all that the operand
    is, None if there is no such."""
    build = _BUILDERS.get(measure.function)
    if build is None or (measure.function == "avg" and measure.dtype.kind is Kind.DATETIME):
        return None  # a mean of instants loses microseconds where it is put together in floats
    whole = measure.where is None and measure.weight is None
    return build(_Named(measure.name, _of(measure), stored if whole else None, whole))


@dataclass(frozen=True, slots=True)
class _Named:
    """A measure with the name of its states, the stored column it is over, and whether it is over whole rows."""

    name: str
    over: Measured
    stored: str | None
    whole: bool

    @property
    def number(self) -> bool:
        """Whether it is over numbers."""
        dtype = self.over.dtype
        return dtype is not None and dtype.physical in (Physical.INT64, Physical.FLOAT64)

    def state(self, part: str) -> str:
        return f"@{self.name}:{part}"

    def kept(self, *parts: str) -> tuple[str, ...]:
        return tuple(f"{self.stored}:{part}" for part in parts)


def _one(of: _Named, raw: pl.Expr, merged: Callable[[pl.Expr], pl.Expr], stored: str | None, runs: Taken) -> States:
    """A measure that is its own only state."""
    name = of.state("is")
    rolled = None if stored is None else (col(stored).alias(name),)
    return States(
        (raw.alias(name),),
        (merged(col(name)),),
        col(name),
        in_runs=InRuns((runs,)) if runs.how in ("length", "count", "sum") or of.number else None,
        stored=(stored,) if stored else (),
        rolled=rolled,
    )


def _rows(of: _Named) -> States:
    name, where = of.state("is"), of.over.where
    runs = Taken(name, "length", _ANY) if where is None else Taken(name, "sum", where)
    return _one(of, MEASURES["rows"](of.over), pl.Expr.sum, ROWS if of.whole else None, runs)


def _count(of: _Named) -> States:
    runs = Taken(of.state("is"), "count", of.over.values)
    kept = of.kept("count")[0] if of.stored else None
    return _one(of, MEASURES["count"](of.over), pl.Expr.sum, kept, runs)


def _least(of: _Named) -> States:
    runs = Taken(of.state("is"), "min", of.over.values)
    return _one(of, of.over.values.min(), pl.Expr.min, of.kept("min")[0] if of.stored else None, runs)


def _most(of: _Named) -> States:
    runs = Taken(of.state("is"), "max", of.over.values)
    return _one(of, of.over.values.max(), pl.Expr.max, of.kept("max")[0] if of.stored else None, runs)


def _added(of: _Named, *, real: bool = False, beside: str = "count") -> States:
    """A sum, and beside it how many values or rows there are. Sums of sizes may be beyond 64 bits in between."""
    total, number = of.state("sum"), of.state(beside)
    sizes = of.over.dtype is not None and of.over.dtype.kind is Kind.BYTES and not of.over.dtype.real
    wide = pl.Float64() if real else pl.Int128() if sizes else None

    def widened(values: pl.Expr) -> pl.Expr:
        return values if wide is None else values.cast(wide)

    counted = pl.len() if beside == "rows" else of.over.values.count()
    rolled, kept = None, of.kept("sum", "count") if beside == "count" else (*of.kept("sum"), ROWS)
    if of.stored is not None:
        rolled = (widened(col(kept[0]).fill_null(0)).alias(total), col(kept[1]).alias(number))
    summed = col(total).cast(INT64, strict=False) if sizes and not real else col(total)
    how = "real_sum" if real else "wide_sum" if sizes else "sum"
    numbered = Taken(number, "length", _ANY) if beside == "rows" else Taken(number, "count", of.over.values)
    return States(
        (widened(of.over.values).sum().alias(total), counted.cast(INT64).alias(number)),
        (col(total).sum(), col(number).sum()),
        summed,
        in_runs=InRuns((Taken(total, how, of.over.values), numbered)) if of.number else None,
        stored=kept if rolled else (),
        rolled=rolled,
    )


def _if_any(found: States, number: str, final: pl.Expr | None = None) -> States:
    """Null over nothing."""
    return replace(found, final=pl.when(col(number) > 0).then(found.final if final is None else final))


def _mean(of: _Named) -> States:
    found = _added(of, real=True)
    return _if_any(found, of.state("count"), found.final / col(of.state("count")))


def _placed(of: _Named, *, newest: bool) -> States:
    """The value at the greatest or smallest place in the order, of the rows that have one."""
    what, at = of.state("is"), of.state("at")
    present = of.over.value.is_not_null()
    present = present if of.over.where is None else present & of.over.where
    missing = LOWEST if newest else GREATEST
    place = pl.when(present).then(ordering(of.over.order, missing))
    best, by = (pl.Expr.max, pl.Expr.max_by) if newest else (pl.Expr.min, pl.Expr.min_by)
    between = tuple(f"{at}.{name}" for name in of.over.order)
    way = "last" if newest else "first"
    ends = [Taken(to, way, col(name), present) for name, to in zip(of.over.order, between, strict=True)]
    return States(
        raw=(by(of.over.value, place).alias(what), best(place).alias(at)),
        merged=(by(col(what), col(at)), best(col(at))),
        final=col(what),
        in_runs=InRuns(
            taken=(Taken(what, way, of.over.value, present), *ends),
            made=(pl.when(col(what).is_not_null()).then(ordering(between, missing)).alias(at),),
        ),
        in_order=True,
    )


_BUILDERS: Mapping[str, Callable[[_Named], States]] = {
    "rows": _rows,
    "count": _count,
    "min": _least,
    "max": _most,
    "sum": lambda of: _if_any(_added(of), of.state("count")),
    "real_sum": lambda of: _if_any(_added(of, real=True), of.state("count")),
    "total": _added,
    "sumif": lambda of: _if_any(_added(of, beside="rows"), of.state("rows")),
    "avg": _mean,
    "last": lambda of: _placed(of, newest=True),
    "first": lambda of: _placed(of, newest=False),
}

COUNTED = frozenset({"percentile", "median", "distinct"})  # known from how often each value occurs


def counted_value(measure: Measure) -> pl.Expr | None:
    """The value whose occurrences tell a measure; None if they do not."""
    over = _of(measure)
    if measure.function not in COUNTED or over.dtype is None or over.dtype.kind is Kind.DATETIME:
        return None
    return comparable(over.value, over.dtype) if measure.function == "distinct" else over.value


def occurrences(measure: Measure) -> States:
    """How often one value occurs, as the state of a measure that is told by that."""
    over, name = _of(measure), f"@{measure.name}:occurs"
    counts = over.value.is_not_null() if over.where is None else over.value.is_not_null() & over.where
    raw = counts.sum() if over.weight is None else pl.when(counts & (over.weight > 0)).then(over.weight).sum()
    if over.weight is None and over.where is None:
        raw = pl.len()  # null stands for a value here, which does not count

    def told(values: pl.Expr) -> pl.Expr:
        if measure.function == "distinct":
            return (values.is_not_null() & (col(name) > 0)).sum().cast(INT64).alias(measure.name)
        weighed = Measured(values, over.dtype, weight=col(name), rank=measure.rank)
        return MEASURES[measure.function](weighed).alias(measure.name)

    return States((raw.cast(INT64).alias(name),), (col(name).sum(),), col(measure.name), told=told)
