"""Daily samples of a sampled table, derived from its stored buckets.

In: buckets with their dimensions and metrics. Out: one row for each day of the instance zone and set of dimensions
(links and all columns that are no metric): counters summed, of gauges sums and counts summed, the least of the minima,
the greatest of the maxima; `@row` is the least. Invariant: a total over days equals the total over their buckets. A
bucket counts to the day it begins in.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from storage.tables.days import day_start
from storage.tables.schema import TableSchema

_TIMES = ("start_time", "end_time", "bucket_duration")
_DATE = "@date"


def bucketed(schema: TableSchema) -> bool:
    """Whether a table has buckets that a day's can be made of."""
    return "start_time" in schema.columns and "bucket_duration" in schema.columns


def dimensions(schema: TableSchema) -> list[str]:
    """The columns that tell daily rows of one day apart."""
    combine = metrics(schema)
    return [name for name in schema.columns if name not in combine and name not in _TIMES and name != "@row"]


def one_a_day(
    buckets: pl.LazyFrame, schema: TableSchema, columns: Sequence[str], dimensions: Sequence[str], zone: ZoneInfo
) -> pl.LazyFrame:
    """The daily rows of these buckets, with these columns; what they hold of `dimensions` tells them apart. A bucket's
    day is the one its `start_time` lies in, so that daily rows may be among the buckets."""
    local = (
        pl.from_epoch(pl.col(schema.time), time_unit="us").dt.replace_time_zone("UTC").dt.convert_time_zone(zone.key)
    )
    combine = metrics(schema)
    combined = [_combined(name, combine[name]) for name in columns if name in combine]
    days = (
        buckets.with_columns(local.dt.date().alias(_DATE))
        .group_by(_DATE, *dimensions)
        .agg(pl.col("@row").min(), *combined)
    )
    start = pl.col(_DATE).map_batches(lambda dates: _starts(dates, zone, 0), return_dtype=pl.Int64())
    end = pl.col(_DATE).map_batches(lambda dates: _starts(dates, zone, 1), return_dtype=pl.Int64())
    times = {"start_time": start, "end_time": end, "bucket_duration": end - start}
    return days.select(times[name].alias(name) if name in times else pl.col(name) for name in columns)


def metrics(schema: TableSchema) -> dict[str, str]:
    """The columns that are combined, with how."""
    return {column.name: column.metric for column in schema.stored.values() if column.metric is not None}


def _combined(name: str, how: str) -> pl.Expr:
    column = pl.col(name)
    if how == "min":
        return column.min()
    if how == "max":
        return column.max()
    return pl.when(column.count() > 0).then(column.sum()).alias(name)  # nothing measured is null, not zero


def _starts(dates: pl.Series, zone: ZoneInfo, later: int) -> pl.Series:
    """The first instants of calendar days, or of the days after."""
    known = {day: day_start(day + timedelta(days=later), zone) for day in dates.unique() if isinstance(day, date)}
    found = dates.replace_strict(list(known), list(known.values()), return_dtype=pl.Int64)
    return found.cast(pl.Int64)  # without any days it is still of theirs
