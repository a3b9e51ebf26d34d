"""Groupings that follow how a table's rows lie: part by part, and from states that were stored where these will do.

In: the rows below a grouping, its keys and measures, and a source that tells its parts. Out: a lazy frame of the
groups, or None where rows are to be grouped in the plain way. Invariant: the answer is that of the plain way, however
rows are cut into parts and whichever spans of time have stored states; only its cost differs. Parts sorted by device
are grouped by their order, without a hash; attributes of objects are joined to the groups and not to the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from engine.lazyframe.dtypes import col
from engine.lazyframe.parts import Below, OnePart, below
from engine.lazyframe.scans import Rows
from engine.lazyframe.states import States, states
from engine.source import Grain, Laid, Part, Source, laid
from nql.datatypes import NUMERIC
from nql.plan.expressions import Column
from nql.plan.relations import EVENT_KEY, Measure, Relation
from nql.plan.windows import Buckets

BUCKET = "@bucket"
LARGE = 200_000  # rows; below, looking at the parts costs more than it saves
_DEVICE, _QUARTER = "@device", "@quarter"
_STEP = 900_000_000  # a quarter of an hour
Build = Callable[[Relation, Source, frozenset[str]], Rows]


@dataclass(frozen=True, slots=True)
class Grouping:
    """Rows to be grouped by `keys` and, of a period, by the number of the bucket that `time` falls in: `bucket`, an
    expression under the name BUCKET."""

    rows: Relation
    keys: tuple[str, ...]
    measures: tuple[Measure, ...]
    period: Buckets | None = None
    time: str | None = None
    bucket: pl.Expr | None = None

    @property
    def read(self) -> frozenset[str]:
        """The columns that are read beside the keys."""
        return frozenset((self.time,) if self.time else ()).union(*(item.reads() for item in self.measures))


def grouped(of: Grouping, source: Source, build: Build) -> pl.LazyFrame | None:
    """The groups, with a column a measure; None where the plain way is the one to go."""
    if not laid(source):
        return None
    under = below(of.rows, of.keys, of.read)
    if under is None or under.window is None:
        return None
    start, end = under.window
    if sum(part.rows for part in source.parts(under.scan.table, [], start=start, end=end)) < LARGE:
        return None
    found = [states(item, _stored(item, under)) for item in of.measures]
    known = [item for item in found if item is not None]
    return _Parted(of, under, known, source, build).groups() if len(known) == len(found) else None


def _stored(measure: Measure, under: Below) -> str | None:
    """The stored column of numbers that a measure is over."""
    if not isinstance(measure.operand, Column) or measure.operand.dtype.kind not in NUMERIC:
        return None
    own = {column.name: column.stored for column in under.scan.columns if column.link is None and column.entry is None}
    return None if measure.operand.name in under.computed else own.get(measure.operand.name)


@dataclass(frozen=True, slots=True)
class _Parted:
    """One grouping at work."""

    of: Grouping
    under: Below
    states: Sequence[States]
    source: Laid
    build: Build

    def groups(self) -> pl.LazyFrame:
        keys = [*self.of.keys, *([BUCKET] if self.of.bucket is not None else [])]
        frame = self._merged([*self._of_rollup_and_rows()], [*self.under.ids, *self._when])
        frame = self._regrouped(frame, keys)
        measures = [item.final.alias(to.name) for item, to in zip(self.states, self.of.measures, strict=True)]
        return frame.select(*map(col, keys), *measures)

    @property
    def _coarse(self) -> bool:
        """Whether rows are grouped by their instant at first: those of samples are few, and no bucket is computed."""
        return self.of.bucket is not None and not self.of.keys and self.under.scan.time == "start_time"

    @property
    def _when(self) -> list[str]:
        """The column of time that rows are grouped by."""
        if self.of.bucket is None:
            return []
        return [self.of.time or ""] if self._coarse else [BUCKET]

    def _merged(self, parts: list[pl.LazyFrame], keys: Sequence[str]) -> pl.LazyFrame:
        return _by(pl.concat(parts), keys, [merged for item in self.states for merged in item.merged])

    def _regrouped(self, frame: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
        """The groups of ids and instants as groups of attributes and buckets."""
        if self.under.owed:
            rows = Rows(frame, self.source, self.under.owed).where(self.under.waiting, frozenset(self.of.keys))
            frame = rows.having(self.of.keys).frame
        if self._coarse and self.of.bucket is not None:
            frame = frame.with_columns(self.of.bucket)
        return frame if [*self.under.ids, *self._when] == [*keys] else self._merged([frame], keys)

    def _of_rollup_and_rows(self) -> Iterator[pl.LazyFrame]:
        """States by id and instant: stored ones, and those of the rows that these leave out; each key once or more."""
        start, end = self.under.window or (0, 0)
        gaps = [(start, end)]
        if (grain := self._grain()) is not None:
            wanted = dict.fromkeys(name for item in self.states for name in item.stored)
            rollup = self.source.rollup(self.under.scan.table, grain, [*wanted], start=start, end=end)
            if rollup is not None and rollup.covers:
                rolled = [made for item in self.states for made in item.rolled or ()]
                keys = [col(_QUARTER).alias(name) for name in self._when] if grain == "quarter" else [col(_DEVICE)]
                yield rollup.frame.select(*keys, *rolled)
                gaps = [*_gaps(start, end, rollup.covers)]
        columns = self.under.columns
        parts = [
            part
            for first, last in gaps
            for part in self.source.parts(self.under.scan.table, columns, start=first, end=last)
        ]
        for part in parts:
            yield self._of_part(part)
        if not parts and not gaps:
            return
        if not parts:
            yield self._of_part(
                Part(self.source.scan(self.under.scan.table, columns, start=end, end=end), 0, None, False)
            )

    def _of_part(self, part: Part) -> pl.LazyFrame:
        """The states of one part's rows."""
        in_order = part.by_device and self.under.ids == (_DEVICE,) and not self._when and not self.under.linked
        frame = part.frame.set_sorted(_DEVICE) if in_order else part.frame
        one = OnePart(self.source, self.under.scan.table, frame)
        read = self.of.read | frozenset(self.under.ids)
        rows = self.build(self.under.relation, one, read).having(read).frame
        if BUCKET in self._when and self.of.bucket is not None:
            rows = rows.with_columns(self.of.bucket)
        raw = [
            made
            for item, to in zip(self.states, self.of.measures, strict=True)
            for made in (item.sorted if item.sorted and in_order and self._by_time(to) else item.raw)
        ]
        return _by(rows, [*self.under.ids, *self._when], raw)

    def _by_time(self, measure: Measure) -> bool:
        """Whether a measure's order is that of sorted parts."""
        stored = {column.name: column.stored for column in self.under.scan.columns if column.link is None}
        return tuple(map(stored.get, measure.order)) == (self.under.scan.time, EVENT_KEY)

    def _grain(self) -> Grain | None:
        """The rollup whose keys will do, if all states are there and every row counts."""
        if not self.under.plain or any(item.rolled is None for item in self.states):
            return None
        if self.under.ids == (_DEVICE,) and self.of.bucket is None:
            return "device"
        if self.under.ids or (self.of.bucket is not None and not self._coarse):
            return None
        edges = () if self.of.period is None else self.of.period.edges
        return "quarter" if all(edge % _STEP == 0 for edge in edges) else None


def _by(frame: pl.LazyFrame, keys: Sequence[str], aggregates: Sequence[pl.Expr]) -> pl.LazyFrame:
    return frame.group_by(keys).agg(aggregates) if keys else frame.select(aggregates)


def _gaps(start: int, end: int, covers: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What of a window is not covered."""
    edges = [start, *(edge for span in covers for edge in span), end]
    for first, last in [*pairwise(edges)][::2]:
        if first < last:
            yield first, last
