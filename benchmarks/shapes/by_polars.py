"""The shapes as a good engineer writes them in Polars over plain Parquet files.

In: the files in one order, and the window. Out: a lazy frame a shape, columns in the order of the shape's `shown`.
Invariant: the same rows as the query language gives; nothing is taken from our own engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from benchmarks.shapes.estate import CRASHES, DAY, EXECUTIONS, HOUR, SAMPLES, TIMES
from benchmarks.shapes.plain import files
from benchmarks.shapes.shapes import ONE


@dataclass(frozen=True, slots=True)
class Plain:
    """Plain files in one order, cut to a window (microseconds UTC)."""

    folder: Path
    order: str
    start: int
    end: int

    def rows(self, table: str = SAMPLES, start: int | None = None) -> pl.LazyFrame:
        """The events of a table in the window, or of its end."""
        time = pl.col(TIMES[table])
        inside = (time >= (self.start if start is None else start)) & (time < self.end)
        return pl.scan_parquet(files(self.folder, self.order, table)).filter(inside)

    def objects(self, name: str) -> pl.LazyFrame:
        """An object table."""
        return pl.scan_parquet(self.folder / "objects" / f"{name}.parquet")

    def names(self) -> pl.LazyFrame:
        """Names of devices by id."""
        return self.objects("devices").select("id", "name")

    def binaries(self) -> pl.LazyFrame:
        """Names of binaries by id."""
        return self.objects("binaries").select("id", pl.col("name").alias("binary_name"))


_HOUR = (pl.col("start_time") // HOUR * HOUR).alias("hour")


def _filtered(data: Plain) -> pl.LazyFrame:
    wanted = (pl.col("platform") == "windows") & (pl.col("entity") == "Pune/6")
    return data.objects("devices").filter(wanted).select("name", "os", "memory")


def _by_platform(data: Plain) -> pl.LazyFrame:
    return data.objects("devices").group_by("platform").agg(pl.len())


def _more_than_three(data: Plain, table: str, column: str) -> pl.LazyFrame:
    totals = data.rows(table).group_by("device").agg(pl.col(column).sum()).filter(pl.col(column) > 3)
    return totals.join(data.names(), left_on="device", right_on="id").select("name", column)


def _cpu_of_a_day(data: Plain) -> pl.LazyFrame:
    totals = data.rows(start=data.end - DAY).group_by("device").agg(pl.col("cpu_time").sum())
    windows = data.objects("devices").filter(pl.col("platform") == "windows").select("id", "name")
    return windows.join(totals, left_on="id", right_on="device", how="left").select("name", "cpu_time")


def _by_hour(data: Plain) -> pl.LazyFrame:
    return data.rows().group_by(_HOUR).agg(pl.col("cpu_time").sum())


def _most_memory(data: Plain) -> pl.LazyFrame:
    mean = (pl.col("memory_sum").sum() / pl.col("memory_count").sum()).alias("mean")
    means = data.rows().group_by("device").agg(mean)
    named = means.join(data.names(), left_on="device", right_on="id").select("name", "mean")
    return named.sort("mean", "name", descending=[True, False]).head(10)


def _devices_of_binaries(data: Plain) -> pl.LazyFrame:
    rows = data.rows().select("device", "binary").join(data.binaries(), left_on="binary", right_on="id")
    counted = rows.group_by("binary_name").agg(pl.col("device").n_unique().alias("d"))
    return counted.sort("d", "binary_name", descending=[True, False]).head(20)


def _durations(data: Plain) -> pl.LazyFrame:
    platforms = data.objects("devices").select("id", "platform")
    rows = data.rows().select("device", "execution_duration").join(platforms, left_on="device", right_on="id")
    return rows.group_by("platform").agg(_p95("execution_duration"))


def _newest(data: Plain) -> pl.LazyFrame:
    newest = data.rows().group_by("device").agg(pl.col("number_of_page_faults").max_by("row"))
    return newest.join(data.names(), left_on="device", right_on="id").select("name", "number_of_page_faults")


def _cpu_of_binaries(data: Plain) -> pl.LazyFrame:
    rows = data.rows().select("binary", "cpu_time").join(data.binaries(), left_on="binary", right_on="id")
    return (
        rows.group_by("binary_name")
        .agg(_p95("cpu_time"))
        .sort("cpu_time", "binary_name", descending=[True, False])
        .head(20)
    )


def _pairs(data: Plain) -> pl.LazyFrame:
    rows = data.rows().select("device", "binary", "incoming_traffic")
    rows = rows.join(data.binaries(), left_on="binary", right_on="id")
    traffic = pl.col("incoming_traffic")
    totals = rows.group_by("device", "binary_name").agg(pl.when(traffic.count() > 0).then(traffic.sum()).alias("t"))
    named = totals.join(data.names(), left_on="device", right_on="id").select("name", "binary_name", "t")
    return named.sort("t", "name", "binary_name", descending=[True, False, False], nulls_last=True).head(20)


def _entities(data: Plain) -> pl.LazyFrame:
    wanted = data.binaries().filter(pl.col("binary_name").str.contains("office", literal=True))
    entities = data.objects("devices").select("id", "entity")
    rows = data.rows().select("device", "binary", "start_time", "cpu_time")
    rows = rows.join(wanted, left_on="binary", right_on="id", how="semi")
    rows = rows.join(entities, left_on="device", right_on="id")
    return rows.group_by("entity", _HOUR).agg(pl.col("device").n_unique(), pl.col("cpu_time").sum())


def _executions(data: Plain) -> pl.LazyFrame:
    actions = data.objects("actions").select("id", "name")
    rows = data.rows(EXECUTIONS).filter(pl.col("trigger_method") == "scheduled")
    rows = rows.join(actions, left_on="remote_action", right_on="id")
    return rows.group_by("name", "status").agg(pl.len(), _p95("duration"))


def _timeline(data: Plain) -> pl.LazyFrame:
    device = data.names().filter(pl.col("name") == ONE).select("id").collect().item()
    rows = data.rows().filter(pl.col("device") == device)
    rows = rows.join(data.binaries(), left_on="binary", right_on="id", how="left")
    mean = (pl.col("memory_sum") / pl.col("memory_count")).alias("mean")
    return rows.select("start_time", "binary_name", "cpu_time", mean)


def _p95(name: str) -> pl.Expr:
    """By nearest rank; a hair below, because 0.95 times a number may be more than a whole number in floats."""
    return pl.col(name).quantile(0.95 - 1e-12, "equiprobable")


WRITTEN: Mapping[str, Callable[[Plain], pl.LazyFrame]] = {
    "q1": _filtered,
    "q2": _by_platform,
    "q3": lambda data: _more_than_three(data, CRASHES, "number_of_crashes"),
    "q4": _cpu_of_a_day,
    "q5": _by_hour,
    "q6": _most_memory,
    "q7": _devices_of_binaries,
    "q8": _durations,
    "q9": _newest,
    "h1": lambda data: _more_than_three(data, SAMPLES, "number_of_freezes"),
    "h2": _cpu_of_binaries,
    "h3": _pairs,
    "h4": _entities,
    "x1": _executions,
    "t1": _timeline,
}
