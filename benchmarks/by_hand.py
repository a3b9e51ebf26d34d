"""The queries of the benchmark, each in the query language and as a good engineer writes it in Polars.

Invariant: both ask the same of the same frames: objects are filtered before they are joined, text is compared without
regard to case, a sum over nothing but nulls is null (which costs Polars a twentieth), and rows come in a stated
order. They give the same rows, on any data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from benchmarks.events import HOUR, Frames


@dataclass(frozen=True)
class Query:
    """One question in both forms. `written` takes the tables and the events in the window."""

    name: str
    text: str
    written: Callable[[Frames, pl.LazyFrame], pl.LazyFrame]


def total(name: str) -> pl.Expr:
    """A sum that is null over nothing."""
    return pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name)


SIX_LINES = """execution.events during past 168h
| where device.operating_system.platform == windows
| where binary.name == "app1*"
| summarize cpu = cpu_time.sum(), memory = memory.avg(), n = count() by binary.name
| sort cpu desc
| limit 10"""


def six_lines(tables: Frames, events: pl.LazyFrame) -> pl.LazyFrame:
    """Two filters on objects, a weighted mean, a top ten."""
    windows = tables["device.devices"].filter(pl.col("operating_system.platform") == "windows").select("@id")
    apps = tables["binary.binaries"].filter(pl.col("name").str.to_lowercase().str.starts_with("app1"))
    return (
        events.join(windows, left_on="@device", right_on="@id", how="semi")
        .join(apps, left_on="@binary", right_on="@id")
        .group_by("name")
        .agg(
            total("cpu_time"),
            total("memory.sum") / total("memory.count"),
            pl.len().cast(pl.Int64),
        )
        .sort("cpu_time", "name", descending=[True, False])
        .head(10)
    )


def per_device(tables: Frames, events: pl.LazyFrame) -> pl.LazyFrame:
    """A sum in groups by a linked name."""
    names = tables["device.devices"].select("@id", "name")
    joined = events.join(names, left_on="@device", right_on="@id", how="left")
    return joined.group_by("name").agg(total("cpu_time")).sort("name")


def included(tables: Frames, events: pl.LazyFrame) -> pl.LazyFrame:
    """Objects with totals of their events."""
    totals = events.filter(pl.col("cpu_time") > 1_000_000).group_by("@device").agg(total("cpu_time"), n=pl.len())
    joined = tables["device.devices"].select("@id", "name").join(totals, left_on="@id", right_on="@device", how="left")
    counted = joined.with_columns(pl.col("n").fill_null(0)).filter(pl.col("n") > 10)
    best = counted.sort("cpu_time", "@id", descending=[True, False], nulls_last=True).head(100)
    return best.select("name", "cpu_time")


def by_hour(tables: Frames, events: pl.LazyFrame) -> pl.LazyFrame:
    """Distinct devices and a sum in each hour."""
    start = (pl.col("start_time") // HOUR * HOUR).alias("start")
    totals = events.group_by(start).agg(total("cpu_time"), pl.col("@device").n_unique().cast(pl.Int64)).sort("start")
    width = pl.lit(HOUR)
    return totals.select("start", (pl.col("start") + width).alias("end"), width.alias("width"), "cpu_time", "@device")


def newest(tables: Frames, events: pl.LazyFrame) -> pl.LazyFrame:
    """Some rows, with a linked name."""
    rows = events.filter(pl.col("cpu_time") > 9_990_000).sort("@row").head(1_000)
    names = tables["device.devices"].select("@id", "name")
    joined = rows.join(names, left_on="@device", right_on="@id", how="left", maintain_order="left")
    return joined.select("start_time", "name", "cpu_time")


_E = "execution.events during past 168h"
QUERIES = (
    Query("six lines", SIX_LINES, six_lines),
    Query("sum by device", f"{_E} | summarize cpu = cpu_time.sum() by device.name", per_device),
    Query(
        "include",
        f"devices | include {_E} | where cpu_time > 1s | compute cpu = cpu_time.sum(), n = count() | where n > 10 "
        "| list name, cpu | sort cpu desc | limit 100",
        included,
    ),
    Query("by hour", f"{_E} | summarize cpu = cpu_time.sum(), d = device.count() by 1h", by_hour),
    Query("rows", f"{_E} | where cpu_time > 9.99s | list start_time, device.name, cpu_time | limit 1000", newest),
)
