"""How many different objects go with each key, where both are dense numbers: a mark a pair in place of sets.

In: frames of the two columns, each part's as it lies. Out: a lazy frame with a row a key that occurs. Invariant: the
counts are exact. Marks are made for a range of objects at a time, so that they stay in the processor's cache, and rows
that lie in the order of the objects are only cut; where numbers are too many for marks, sets are made after all.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import polars as pl

from engine.lazyframe.dtypes import INT64, col

_MARKS = 1 << 21  # at once, one byte each
_SPARSE = 64  # marks a row, above which making sets is cheaper


def different(frames: Sequence[pl.LazyFrame], key: str, counted: str, name: str) -> pl.LazyFrame:
    """For each value of `key`, null too, how many values `counted` has, null apart. Both are whole numbers from 0."""
    schema = {key: pl.Int64(), name: pl.Int64()}
    return pl.defer(lambda: _counts(frames, key, counted, name), schema=schema)


def _counts(frames: Sequence[pl.LazyFrame], key: str, counted: str, name: str) -> pl.DataFrame:
    parts = pl.collect_all([frame.select(key, counted) for frame in frames], engine="streaming")
    greatest = pl.concat([part.select(pl.all().max().fill_null(-1)) for part in parts]).max()
    keys, objects = (int(greatest.item(0, name)) + 2 for name in (key, counted))  # one more: null, no row at all
    rows = sum(part.height for part in parts)
    if keys > _MARKS or keys * objects > _SPARSE * rows:
        sets = pl.concat(parts).lazy().group_by(key).agg(col(counted).drop_nulls().n_unique().cast(INT64).alias(name))
        return sets.collect(engine="streaming")
    width = max(1, _MARKS // keys)
    pairs = _Pairs([_ordered(part, key, counted, keys, objects, width) for part in parts], keys, width)
    with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
        totals = sum(threads.map(pairs.marked, range(0, objects, pairs.width)), pl.zeros(keys, pl.Int64, eager=True))
    only_null = pl.concat([part.filter(col(counted).is_null()).select(key) for part in parts])
    known = pl.DataFrame([totals.alias(name)]).with_row_index(key).cast(pl.Int64).filter(col(name) > 0)
    known = known.with_columns(pl.when(col(key) < keys - 1).then(col(key)).alias(key))
    rest = only_null.unique().join(known, on=key, how="anti", nulls_equal=True).with_columns(pl.lit(0).alias(name))
    return pl.concat([known, rest.cast(pl.Int64)])


def _ordered(part: pl.DataFrame, key: str, counted: str, keys: int, objects: int, width: int) -> _Part:
    """The pairs of a part in the order of the objects; a null key is the last."""
    pairs = part.lazy().filter(col(counted).is_not_null()).select(
        col(counted).alias("object"),
        (col(key).fill_null(keys - 1) * width + col(counted)).cast(pl.UInt32).alias("mark"),
    )  # fmt: skip
    frame = pairs.collect(engine="streaming")
    frame = frame if frame["object"].is_sorted() else frame.sort("object")
    edges = frame["object"].search_sorted(pl.int_range(0, objects + width, width, eager=True))
    return _Part(edges.to_list(), frame["mark"])


@dataclass(frozen=True, slots=True)
class _Part:
    """Where the mark of each pair would be if the first object marked were 0, in the order of objects; and where the
    pairs of each range of objects begin."""

    edges: Sequence[int]
    marks: pl.Series


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Pairs in parts. `keys` is how many keys there may be, `width` how many objects are marked at once."""

    parts: Sequence[_Part]
    keys: int
    width: int

    def marked(self, first: int) -> pl.Series:
        """How many objects, of those from `first` on, go with each key."""
        marks = pl.zeros(self.keys * self.width, pl.UInt8, eager=True)
        for part in self.parts:
            start, end = part.edges[first // self.width : first // self.width + 2]
            if start < end:
                marks.scatter(part.marks.slice(start, end - start) - first, 1)
        return marks.reshape((self.keys, self.width)).arr.sum().cast(pl.Int64)
