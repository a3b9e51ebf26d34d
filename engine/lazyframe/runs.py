"""States of runs: what is kept of rows with the same key that lie one after the other, taken without hash or sort.

In: frames of rows as they lie, the key, and how each state is taken. Out: a lazy frame with a row a run. Invariant:
every row is in one run; the state of a run is what grouping its rows gives, sums beyond 64 bits too. A key may have
several runs, so that whoever asks puts them together. What the states mean is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import polars as pl
import pyarrow as pa

from engine.lazyframe.dtypes import INT64, col

_HALF = 1 << 32


@dataclass(frozen=True, slots=True)
class Taken:
    """How the state `name` is taken from a run: `how`, a name in `WAYS`, over a value a row. Of `first` and `last`,
    `among` says which rows count; the state is null where none does."""

    name: str
    how: str
    row: pl.Expr
    among: pl.Expr | None = None


@dataclass(frozen=True, slots=True)
class Lying:
    """Rows as they lie. `bounds` has what no number of a column is below or above, `runs` how many rows each key has in
    order (two columns), as far as these are known."""

    frame: pl.LazyFrame
    bounds: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    runs: pl.DataFrame | None = None


def of_runs(parts: Sequence[Lying], key: str, states: Sequence[Taken]) -> pl.LazyFrame:
    """The runs of each part, in order. Only whole numbers, floats and truths are summed or compared; `first` and
    `last` are taken of anything."""
    rows = [part.frame.select(key, *(made for item in states for made in _columns(item))) for part in parts]
    nothing = pl.DataFrame(schema=rows[0].collect_schema())
    schema = _states(nothing, Lying(nothing.lazy()), key, states).schema

    def made() -> pl.DataFrame:
        with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
            found = threads.map(
                lambda one, part: _states(one.collect(engine="in-memory"), part, key, states), rows, parts
            )
            return pl.concat(found)

    return pl.defer(made, schema=schema)


def _columns(state: Taken) -> list[pl.Expr]:
    among = [] if state.among is None else [state.among.alias(_among(state))]
    return [state.row.alias(state.name), *among]


def _among(state: Taken) -> str:
    return f"{state.name}?"


def _states(rows: pl.DataFrame, part: Lying, key: str, states: Sequence[Taken]) -> pl.DataFrame:
    known = part.runs
    if known is None or known["len"].sum() != rows.height:
        known = rows[key].rle().struct.unnest().select(col("value").alias(key), "len")
    plain = {item.name: item.row.meta.output_name() for item in states if item.row.meta.is_column()}
    bounds = {name: part.bounds[column] for name, column in plain.items() if column in part.bounds}
    runs = _Runs(rows, known["len"].cast(pl.Int64).cum_sum(), bounds)
    return pl.DataFrame([known[key], *(WAYS[item.how](runs, item).alias(item.name) for item in states)])


@dataclass(frozen=True, slots=True)
class _Runs:
    """Rows, and where each run of them ends."""

    rows: pl.DataFrame
    ends: pl.Series
    bounds: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def lengths(self) -> pl.Series:
        """How many rows each run has."""
        return self.ends.diff().fill_null(self.ends.head(1)).cast(pl.Int64)

    def lists(self, values: pl.Series) -> pl.Series:
        """The values of each run; nothing is copied where they lie in one piece."""
        edges = pl.concat([pl.Series([0], dtype=pl.Int64), self.ends]).rechunk()
        made = pl.Series(pa.LargeListArray.from_arrays(edges.to_arrow(), values.to_arrow()))
        return made.cast(pl.List(values.dtype))

    def sums(self, values: pl.Series) -> pl.Series:
        """The sums; null where there are no values is 0."""
        return self.lists(values).list.sum()


def _length(runs: _Runs, state: Taken) -> pl.Series:
    return runs.lengths


def _sum(runs: _Runs, state: Taken) -> pl.Series:
    values = runs.rows[state.name]
    return runs.sums(values).cast(pl.Float64 if values.dtype == pl.Float64 else pl.Int64)


def _wide_sum(runs: _Runs, state: Taken) -> pl.Series:
    """Sums of 128 bits. Of numbers that are too great for sums of 64 the halves are added up apart."""
    values = runs.rows[state.name]
    known = runs.bounds.get(state.name) or (int(str(values.min() or 0)), int(str(values.max() or 0)))
    most = max(map(abs, known))
    if most * max(1, len(values)) < 2**63:
        return runs.sums(values).cast(pl.Int128)
    halves = (runs.sums(half).cast(pl.Int128) for half in (values // _HALF, values % _HALF))
    return (
        pl.DataFrame(dict(zip(("high", "low"), halves, strict=True)))
        .select(col("high") * _HALF + col("low"))
        .to_series()
    )


def _real_sum(runs: _Runs, state: Taken) -> pl.Series:
    """Sums as floats; those of whole numbers are added up as such."""
    values = runs.rows[state.name]
    return (runs.sums(values) if values.dtype == pl.Float64 else _wide_sum(runs, state)).cast(pl.Float64)


def _count(runs: _Runs, state: Taken) -> pl.Series:
    values = runs.rows[state.name]
    return runs.sums(values.is_not_null()).cast(pl.Int64) if values.null_count() else runs.lengths


def _least(runs: _Runs, state: Taken) -> pl.Series:
    return runs.lists(runs.rows[state.name]).list.min()


def _most(runs: _Runs, state: Taken) -> pl.Series:
    return runs.lists(runs.rows[state.name]).list.max()


def _end(*, last: bool) -> Callable[[_Runs, Taken], pl.Series]:
    def taken(runs: _Runs, state: Taken) -> pl.Series:
        values, among = runs.rows[state.name], runs.rows[_among(state)]
        if among.all():
            return values.gather(runs.ends - 1 if last else runs.ends - runs.lengths)
        numbered = runs.rows.select(pl.when(col(_among(state))).then(pl.int_range(pl.len(), dtype=INT64))).to_series()
        return values.gather((_most if last else _least)(_Runs(numbered.to_frame(state.name), runs.ends), state))

    return taken


WAYS: Mapping[str, Callable[[_Runs, Taken], pl.Series]] = {
    "length": _length,
    "count": _count,
    "sum": _sum,
    "real_sum": _real_sum,
    "wide_sum": _wide_sum,
    "min": _least,
    "max": _most,
    "first": _end(last=False),
    "last": _end(last=True),
}
