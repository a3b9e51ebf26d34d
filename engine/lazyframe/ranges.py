"""Groups of which one key is what rows lie by: made for a range of that key at a time, so that a hash stays small and
every group is whole at once.

In: frames of rows that lie by the key, or any. Out: a lazy frame of the groups, each once. Invariant: the groups are
those of all rows together. Frames that are in memory are only cut; others are put in order first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import polars as pl
from polars.io.plugins import register_io_source

from engine.lazyframe.dtypes import col
from engine.lazyframe.packed import Bounds, grouped_by

ROWS = 1 << 17  # of a range, about


@dataclass(frozen=True, slots=True)
class Ranges:
    """Rows to be grouped by `keys`, of which they lie by `key`; `first` is computed of a range's rows before. Of keys
    that are not from 0 to `most` there is no object: they count as null."""

    frames: Sequence[pl.LazyFrame]
    key: str
    keys: Sequence[str]
    aggregates: Sequence[pl.Expr]
    first: Sequence[pl.Expr]
    bounds: Bounds
    most: int | None = None

    def groups(self) -> pl.LazyFrame:
        """The groups, in any order."""
        read = [*self.keys, *(name for made in self.aggregates for name in made.meta.root_names())]
        frames = [frame.select(*dict.fromkeys(read)) for frame in self.frames]
        schema = self._grouped(frames[0]).collect_schema()

        def batches(
            columns: list[str] | None, predicate: pl.Expr | None, most: int | None, size: int | None
        ) -> Iterator[pl.DataFrame]:
            left = most
            for groups in self._in_turn([self._lying(frame) for frame in frames]):
                found = groups if predicate is None else groups.filter(predicate)
                found = found if columns is None else found.select(columns)
                yield found if left is None else found.head(left)
                if left is not None and (left := left - found.height) <= 0:
                    return

        return register_io_source(batches, schema=schema)

    def _grouped(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return grouped_by(rows.with_columns(self.first), self.keys, self.aggregates, self.bounds)

    def _lying(self, frame: pl.LazyFrame) -> pl.DataFrame:
        rows = frame.collect(engine="in-memory")
        rows = rows if rows[self.key].is_sorted() else rows.sort(self.key)
        known = rows[self.key].slice(rows[self.key].null_count())
        if self.most is None or not len(known) or (known[0] >= 0 and known[-1] <= self.most):
            return rows
        key = col(self.key)
        return rows.with_columns(pl.when(key.is_between(0, self.most)).then(key)).sort(self.key)

    def _in_turn(self, parts: Sequence[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The groups of each range; a few ranges are at work at once."""
        at_once = pl.thread_pool_size()
        with ThreadPoolExecutor(at_once) as threads:
            waiting: deque[Future[pl.DataFrame]] = deque()
            for rows in _cut(parts, self.key):
                waiting.append(threads.submit(self._made, rows))
                if len(waiting) > at_once:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _made(self, rows: pl.DataFrame) -> pl.DataFrame:
        return self._grouped(rows.lazy()).collect(engine="streaming")


def _cut(parts: Sequence[pl.DataFrame], key: str) -> Iterator[pl.DataFrame]:
    """Rows of all parts by ranges of the key, null in the first; at least one range."""
    nulls = [part[key].null_count() for part in parts]
    known = [part[key].slice(count) for part, count in zip(parts, nulls, strict=True)]
    some = [series for series in known if len(series)]
    least = min((int(series[0]) for series in some), default=0)
    most = max((int(series[-1]) for series in some), default=0)
    rows = sum(part.height for part in parts)
    width = max(1, (most - least + 1) * ROWS // max(1, rows))
    starts = [0] * len(parts)
    for edge in range(least + width, most + width + 1, width):
        last = edge > most
        ends = [
            part.height if last else count + int(series.search_sorted(edge))
            for part, count, series in zip(parts, nulls, known, strict=True)
        ]
        yield pl.concat(part.slice(start, end - start) for part, start, end in zip(parts, starts, ends, strict=True))
        starts = ends
