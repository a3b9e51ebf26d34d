"""The estate as plain Parquet files, which every peer reads: in order of time, and in the order Muster keeps.

In: an estate and a folder. Out: `time/<table>/<day>-<number>.parquet`, `ids/` alike, and
`objects/<table>.parquet`. Invariant: both orders hold the same rows and columns, compressed alike; files in the order
of their names are in the order of their days.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import polars as pl

from benchmarks.shapes.estate import DAY, EVENT_TABLES, TIMES, Estate, actions, binaries, devices, hours, users

OBJECTS = ("devices", "binaries", "users", "actions")
ORDERS = ("time", "ids")
_AT_ONCE = 8_000_000  # rows that are sorted together
_GROUPS = {"time": 524_288, "ids": 65_536}


def write(estate: Estate, folder: Path) -> None:
    """Write all files."""
    for place in ("objects", *(f"{order}/{table}" for order in ORDERS for table in EVENT_TABLES)):
        (folder / place).mkdir(parents=True, exist_ok=True)
    made = (devices(estate), binaries(), users(estate), actions())
    for name, frame in zip(OBJECTS, made, strict=True):
        frame.write_parquet(folder / "objects" / f"{name}.parquet")
    for table in EVENT_TABLES:
        for number, (name, frame) in enumerate(_parts(estate, table)):
            stem = f"{name}-{number:03}"
            _write(frame, folder / "time" / table / f"{stem}.parquet", "time")
            _write(frame.sort("device", TIMES[table], "row"), folder / "ids" / table / f"{stem}.parquet", "ids")


def files(folder: Path, order: str, table: str) -> list[str]:
    """The files of an event table in one order."""
    return sorted(map(str, (folder / order / table).glob("*.parquet")))


def _parts(estate: Estate, table: str) -> Iterator[tuple[str, pl.DataFrame]]:
    """The days of a table; a very full day in several pieces."""
    for day, found in groupby(hours(estate, table), key=lambda item: item[0] // DAY):
        name = datetime.fromtimestamp(day * DAY // 1_000_000, UTC).date().isoformat()
        for frame in _gathered(frame for _, frame in found):
            yield name, frame


def _gathered(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    held: list[pl.DataFrame] = []
    for frame in frames:
        held.append(frame)
        if sum(item.height for item in held) >= _AT_ONCE:
            yield pl.concat(held)
            held = []
    if held:
        yield pl.concat(held)


def _write(frame: pl.DataFrame, path: Path, order: str) -> None:
    frame.write_parquet(path, compression="zstd", compression_level=3, row_group_size=_GROUPS[order], statistics=True)
