"""What every engine has to read for a shape, and how long that takes this machine's memory at best.

In: the plain files, a window and the measured bandwidth. Out: bytes a shape, and milliseconds. Invariant: a column
counts with the fewest of 1, 2, 4, 8 bytes that its values fit in, so the limit flatters nobody who stores them wider.
Tables of what is grouped and results are not counted.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from benchmarks.shapes.estate import DAY, EVENT_TABLES, TIMES
from benchmarks.shapes.plain import files
from benchmarks.shapes.shapes import Over, Shape


def rows_in(plain: Path, window: tuple[int, int]) -> dict[str, dict[Over, int]]:
    """How many rows each table has in the window, in its last day, and of one device in the mean."""
    devices = pl.scan_parquet(plain / "objects" / "devices.parquet").select(pl.len()).collect().item()
    found: dict[str, dict[Over, int]] = {}
    for table in EVENT_TABLES:
        time, (start, end) = pl.col(TIMES[table]), window
        inside, newest = (time >= start) & (time < end), (time >= end - DAY) & (time < end)
        scanned = pl.scan_parquet(files(plain, "time", table))
        row = scanned.select(inside.sum().alias("window"), newest.sum().alias("day")).collect().row(0, named=True)
        found[table] = {
            "window": row["window"],
            "day": row["day"],
            "devices": devices,
            "one": max(1, row["window"] // devices),
        }
    return found


def widths(plain: Path) -> dict[str, dict[str, int]]:
    """The bytes that values of each whole-number column fit in, times taken from the first one on."""
    found: dict[str, dict[str, int]] = {}
    for table in EVENT_TABLES:
        scanned = pl.scan_parquet(files(plain, "time", table))
        whole = [name for name, dtype in scanned.collect_schema().items() if dtype.is_integer()]
        times = {name for name in whole if name.endswith("time") and name in TIMES.values()}
        ends = scanned.select(
            *(pl.col(name).min().alias(f"{name}<") for name in whole),
            *(pl.col(name).max().alias(f"{name}>") for name in whole),
        ).collect()
        row = ends.row(0, named=True)
        found[table] = {
            name: _width((row[f"{name}>"] - row[f"{name}<"]) // 1_000_000 if name in times else row[f"{name}>"])
            for name in whole
        }
    return found


def least_bytes(shape: Shape, rows: dict[str, dict[Over, int]], wide: dict[str, dict[str, int]]) -> int:
    """The bytes that a shape cannot do without; 0 for one over objects alone."""
    return rows[shape.table][shape.over] * sum(wide[shape.table][name] for name in shape.reads)


def _width(greatest: int) -> int:
    return next(size for size in (1, 2, 4, 8) if greatest < 1 << (8 * size - 1))
