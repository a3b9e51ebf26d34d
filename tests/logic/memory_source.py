"""Tables held in memory, as a `Source` for tests: the simplest thing that keeps every promise of `engine.source`.

In: a catalog and frames of stored columns. Out: lazy frames of the rows and columns asked for. Invariant: the rows of
an answer do not depend on the order or the pieces in which the frames are held; `disturbed` shuffles and splits them
to prove it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import polars as pl

from engine.lazyframe.dtypes import polars_type
from nql.catalog.model import Catalog, Table, TableKind

TIMES = ("start_time", "end_time", "bucket_duration")


def stored_schema(table: Table) -> dict[str, pl.DataType]:
    """The stored columns of a table with their Polars types."""
    return {column.name: polars_type(column.dtype) for column in table.stored()}


class MemorySource:
    """One snapshot of tables in memory. `zone` is the instance zone, which cuts days."""

    def __init__(
        self,
        catalog: Catalog,
        frames: Mapping[str, pl.DataFrame],
        *,
        zone: str,
        complete_until: int,
        seed: int | None = None,
    ) -> None:
        self._catalog = catalog
        self._frames = dict(frames)
        self._zone = zone
        self._complete_until = complete_until
        self._seed = seed

    @property
    def complete_until(self) -> int:
        """As given."""
        return self._complete_until

    def scan(
        self,
        table: str,
        columns: Sequence[str],
        *,
        start: int | None = None,
        end: int | None = None,
        daily: bool = False,
    ) -> pl.LazyFrame:
        """Rows of a table, see `engine.source.Source.scan`."""
        known = self._catalog.tables[table]
        schema = stored_schema(known)
        if unknown := [name for name in columns if name not in schema]:
            raise KeyError(f"{table} has no stored column {', '.join(unknown)}")
        frame = self._frames[table] if table in self._frames else pl.DataFrame(schema=schema)
        frame = frame if self._seed is None else _disturbed(frame, self._seed)
        time = known.time
        if time is not None and start is not None and end is not None:
            frame = frame.filter(pl.col(time).is_between(start, end, closed="left"))
        if daily and known.kind is TableKind.SAMPLED:
            frame = by_day(known, frame, self._zone)
        return frame.lazy().select(columns)

    def changed(self, change: Callable[[str, pl.DataFrame], pl.DataFrame]) -> MemorySource:
        """The tables, each by its name as `change` makes it."""
        frames = {name: change(name, frame) for name, frame in self._frames.items()}
        return MemorySource(
            self._catalog, frames, zone=self._zone, complete_until=self._complete_until, seed=self._seed
        )

    def disturbed(self, seed: int) -> MemorySource:
        """The same rows, shuffled, each table in two pieces. Hidden keys stay with their rows."""
        return MemorySource(
            self._catalog, self._frames, zone=self._zone, complete_until=self._complete_until, seed=seed
        )


def _disturbed(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    shuffled = frame.sample(fraction=1, shuffle=True, seed=seed)
    half = shuffled.height // 2
    return pl.concat([shuffled.head(half), shuffled.slice(half)], rechunk=False)


def by_day(table: Table, frame: pl.DataFrame, zone: str) -> pl.DataFrame:
    """One row a day of the zone and dimension set: counters and gauge parts combined, times those of the day."""
    start = pl.col("start_time").cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone).dt.truncate("1d")
    end = start.dt.offset_by("1d")
    stored = table.stored()
    dimensions = [c.name for c in stored if c.metric is None and c.name not in (*TIMES, "@row")]
    days = frame.with_columns(
        start.cast(pl.Int64).alias("start_time"),
        end.cast(pl.Int64).alias("end_time"),
        (end.cast(pl.Int64) - start.cast(pl.Int64)).alias("bucket_duration"),
    )
    combined = [_combined(c.name, c.metric) for c in stored if c.metric is not None]
    grouped = days.group_by([*TIMES, *dimensions]).agg(pl.col("@row").min(), *combined)
    return grouped.select(frame.columns)


def _combined(name: str, metric: str) -> pl.Expr:
    column = pl.col(name)
    match metric:
        case "min":
            return column.min()
        case "max":
            return column.max()
        case _:
            return pl.when(column.count() > 0).then(column.sum()).alias(name)
