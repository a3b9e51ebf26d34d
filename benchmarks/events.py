"""Ten million events over five thousand devices, in memory, made in a few seconds and always the same.

Out: frames of three tables, and a `Source` over them whose scans are lazy. Invariant: whoever is measured against the
query language reads the very same frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from nql.catalog.load import builtin

HOUR = 3_600_000_000
NOW = 1_731_320_775_000_000
HOURS = 168
DEVICES, BINARIES = 5_000, 400


@dataclass(frozen=True)
class Frames:
    """Tables as they lie in memory."""

    tables: Mapping[str, pl.DataFrame]
    complete_until: int = NOW

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
        frame = self.tables[table].lazy()
        time = builtin().tables[table].time
        if time is not None and start is not None and end is not None:
            frame = frame.filter(pl.col(time).is_between(start, end, closed="left"))
        return frame.select(columns)

    def __getitem__(self, table: str) -> pl.LazyFrame:
        return self.tables[table].lazy()


def frames(rows: int) -> Frames:
    """The tables, with this many rows of `execution.events` over the last week."""
    devices = pl.DataFrame(
        {
            "@id": range(DEVICES),
            "name": [f"pc-{at:05d}" for at in range(DEVICES)],
            "uid": [f"uid-{at}" for at in range(DEVICES)],
            "operating_system.platform": [("windows", "macos", "linux")[at % 3] for at in range(DEVICES)],
        }
    )
    binaries = pl.DataFrame({"@id": range(BINARIES), "name": [f"App{at % 100}.exe" for at in range(BINARIES)]})
    first = NOW - HOURS * HOUR
    row = pl.col("@row")
    events = pl.select(pl.int_range(rows).alias("@row")).select(
        row,
        (first + row * (HOURS * HOUR) // rows).alias("start_time"),
        _spread(row.hash(1), DEVICES).alias("@device"),
        _spread(row.hash(2), BINARIES).alias("@binary"),
        _spread(row.hash(3), 10_000_000).alias("cpu_time"),
        _spread(row.hash(4), 7).alias("memory.count"),
        _spread(row.hash(5), 1_000_000_000).alias("memory.sum"),
    )
    held = pl.when(pl.col("memory.count") > 0).then(pl.col("memory.sum"))
    events = events.with_columns(held.alias("memory.sum"))
    return Frames({"device.devices": devices, "binary.binaries": binaries, "execution.events": events})


def _spread(hashed: pl.Expr, size: int) -> pl.Expr:
    return (hashed % size).cast(pl.Int64)
