"""States of runs: what is kept of rows with the same key that lie one after the other, taken without hash or sort.

In: frames of rows as they lie, the key, and how each state is taken. Out: a lazy frame with a row a run. Invariant:
every row is in one run; the state of a run is what grouping its rows gives, sums beyond 64 bits too. A key may have
several runs, so that whoever asks puts them together; where only newest (or oldest) values are asked for, runs of older
(newer) days are left out if their key has one. What the states mean is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import groupby

import polars as pl
import pyarrow as pa

from engine.lazyframe.dtypes import INT64, col

_HALF = 1 << 32
_MOST = 1 << 26  # above, keys are not remembered


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
    order (two columns), as far as these are known. `inside`, one column of truths, says which rows count: of each run
    the first ones, or of each the last. `day` is the day that they are of."""

    frame: pl.LazyFrame
    bounds: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    runs: pl.DataFrame | None = None
    inside: pl.LazyFrame | None = None
    day: int | None = None


def of_runs(parts: Sequence[Lying], key: str, states: Sequence[Taken]) -> pl.LazyFrame:
    """The runs of each part. Only whole numbers, floats and truths are summed or compared; `first` and `last` are taken
    of anything, and of days that are known."""
    rows = [part.frame.select(key, *(made for item in states for made in _columns(item))) for part in parts]
    of = _Asked(key, states, rows[0].collect_schema())

    def made() -> pl.DataFrame:
        with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
            return pl.concat([nothing, *of.days([*zip(parts, rows, strict=True)], threads)])

    nothing = of.nothing
    return pl.defer(made, schema=nothing.schema)


class _Keys:
    """A set of keys. What is null, below 0 or very great is never in it."""

    def __init__(self) -> None:
        self._marks = pl.Series([], dtype=pl.Boolean)

    def add(self, keys: pl.Series) -> None:
        """Put keys into it."""
        keys = keys.filter(keys.is_between(0, _MOST))
        more = int(str(keys.max() or 0)) + 1 - len(self._marks)
        if more > 0:
            self._marks = self._marks.extend_constant(False, more)
        self._marks.scatter(keys, True)

    def lacks(self, keys: pl.Series) -> pl.Series:
        """For each key whether it is not in it."""
        if int(str(keys.min() or 0)) < 0:
            return pl.repeat(True, len(keys), dtype=pl.Boolean, eager=True)
        return ~self._marks.gather(keys, null_on_oob=True).fill_null(False)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The states that are asked for, and the columns that they are taken of."""

    key: str
    states: Sequence[Taken]
    schema: pl.Schema

    @property
    def nothing(self) -> pl.DataFrame:
        """No run."""
        none = pl.DataFrame(schema=self.schema)
        return self._states(none, Lying(none.lazy()), _cut(none[self.key], None))

    def days(self, parts: Sequence[tuple[Lying, pl.LazyFrame]], threads: Executor) -> Iterator[pl.DataFrame]:
        """The runs of all parts, day by day if that saves some."""
        ways = {item.how for item in self.states}
        if ways not in ({"first"}, {"last"}) or any(part.day is None for part, _ in parts):
            yield from threads.map(lambda part: self._of(part[0], part[1]), parts)
            return
        known = _Keys()
        ordered = sorted(parts, key=lambda item: item[0].day or 0, reverse=ways == {"last"})
        for _, day in groupby(ordered, key=lambda item: item[0].day):
            wanted = [part for part in day if part[0].runs is None or known.lacks(part[0].runs[self.key]).any()]
            found = [*threads.map(lambda part: self._of(part[0], part[1], known), wanted)]
            yield from found
            for frame in found:
                known.add(frame.drop_nulls([item.name for item in self.states])[self.key])

    def _of(self, part: Lying, frame: pl.LazyFrame, known: _Keys | None = None) -> pl.DataFrame:
        """The runs of a part, but for those of known keys."""
        rows = frame.collect(engine="in-memory")
        cut = _cut(rows[self.key], part.runs)
        cut = cut if known is None else cut.where(known.lacks(cut.keys))
        if part.inside is not None:
            cut = cut.inside(part.inside.collect(engine="in-memory").to_series())
        return self._states(rows, part, cut)

    def _states(self, rows: pl.DataFrame, part: Lying, cut: _Cut) -> pl.DataFrame:
        plain = {item.name: item.row.meta.output_name() for item in self.states if item.row.meta.is_column()}
        bounds = {name: part.bounds[column] for name, column in plain.items() if column in part.bounds}
        runs = _Runs(rows, cut, bounds)
        return pl.DataFrame([cut.keys, *(WAYS[item.how](runs, item).alias(item.name) for item in self.states)])


def _columns(state: Taken) -> list[pl.Expr]:
    among = [] if state.among is None else [state.among.alias(_among(state))]
    return [state.row.alias(state.name), *among]


def _among(state: Taken) -> str:
    return f"{state.name}?"


def _cut(keys: pl.Series, known: pl.DataFrame | None) -> _Cut:
    """The runs of these keys, which may be known."""
    if known is None or known["len"].sum() != len(keys):
        known = keys.rle().struct.unnest().select(col("value").alias(keys.name), "len")
    lengths = known["len"].cast(pl.Int64)
    ends = lengths.cum_sum()
    return _Cut(known[keys.name], ends - lengths, ends)


@dataclass(frozen=True, slots=True)
class _Cut:
    """Runs, ascending: the key of each, its first row, and the row after its last. Between them may be other rows."""

    keys: pl.Series
    starts: pl.Series
    ends: pl.Series

    @property
    def lengths(self) -> pl.Series:
        """How many rows each run has."""
        return self.ends - self.starts

    def where(self, wanted: pl.Series) -> _Cut:
        """Those that are wanted."""
        return self if wanted.all() else _Cut(*(one.filter(wanted) for one in (self.keys, self.starts, self.ends)))

    def inside(self, rows: pl.Series) -> _Cut:
        """What of each is inside, which are its last rows if its very last is."""
        counts = self.each(rows, lambda lists: lists.list.sum()).cast(pl.Int64)
        starts = (self.ends - counts).zip_with(rows.gather(self.ends - 1), self.starts)
        return _Cut(self.keys, starts, starts + counts).where(counts > 0)

    def each(self, values: pl.Series, take: Callable[[pl.Series], pl.Series]) -> pl.Series:
        """What is taken of the values of each run, as lists; nothing is copied where they lie in one piece."""
        whole = int(self.lengths.sum()) == len(values)
        edges = pl.concat([pl.Series(self.ends.name, [0], dtype=pl.Int64), self.ends]).rechunk()
        if not whole:
            edges = pl.zeros(2 * len(self.ends) + 1, pl.Int64, eager=True)
            edges.scatter(pl.int_range(1, len(edges), 2, eager=True), self.starts)
            edges.scatter(pl.int_range(2, len(edges), 2, eager=True), self.ends)
        made = pl.Series(pa.LargeListArray.from_arrays(edges.to_arrow(), values.to_arrow()))
        taken = take(made.cast(pl.List(values.dtype)))
        return taken if whole else taken.gather_every(2, 1)


@dataclass(frozen=True, slots=True)
class _Runs:
    """Rows, and their runs."""

    rows: pl.DataFrame
    cut: _Cut
    bounds: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def sums(self, values: pl.Series) -> pl.Series:
        """The sums; null where there are no values is 0."""
        return self.cut.each(values, lambda lists: lists.list.sum())


def _length(runs: _Runs, state: Taken) -> pl.Series:
    return runs.cut.lengths


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
    return runs.sums(values.is_not_null()).cast(pl.Int64) if values.null_count() else runs.cut.lengths


def _least(runs: _Runs, state: Taken) -> pl.Series:
    return runs.cut.each(runs.rows[state.name], lambda lists: lists.list.min())


def _most(runs: _Runs, state: Taken) -> pl.Series:
    return runs.cut.each(runs.rows[state.name], lambda lists: lists.list.max())


def _end(*, last: bool) -> Callable[[_Runs, Taken], pl.Series]:
    def taken(runs: _Runs, state: Taken) -> pl.Series:
        values, among = runs.rows[state.name], runs.rows[_among(state)]
        if among.all():
            return values.gather(runs.cut.ends - 1 if last else runs.cut.starts)
        numbered = runs.rows.select(pl.when(col(_among(state))).then(pl.int_range(pl.len(), dtype=INT64))).to_series()
        return values.gather((_most if last else _least)(replace(runs, rows=numbered.to_frame(state.name)), state))

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
