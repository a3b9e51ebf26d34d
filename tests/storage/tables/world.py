"""A small fleet that reports: batches whose every row can be told from all others, and the check of what is stored of
them.

In: numbers of batches. Out: batches, and after storing them, a sentence for everything that is not as it must be.
Invariant: what is expected follows from the batches alone, by plain Python; nothing of the store's own logic is used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl

from nql.catalog.load import builtin
from storage.tables.compact import tasks
from storage.tables.doctor import findings
from storage.tables.files import Files
from storage.tables.read import SnapshotSource
from storage.tables.rows import Batch, Rows
from storage.tables.store import Store

NOW = 1_700_000_000_000_000  # 14 November 2023, 22:13:20 UTC
QUARTER = 900_000_000
FOREVER = 1 << 62
CATALOG = builtin()


def clock() -> int:
    """It is always NOW."""
    return NOW


def open_store(folder: Path, files: Files | None = None, *, zone: str | None = None, now: int = NOW) -> Store:
    """The store of a folder."""
    return Store(folder, CATALOG, zone=zone, clock=lambda: now, files=files)


def batch(number: int, *, device: str | None = None, rows: int = 5) -> Batch:
    """Batch `number` of its device: the device itself, its antiviruses, and executions, the last in another table's
    day."""
    uid = device or f"device-{number % 3}"
    markers = [number * 1000 + row for row in range(rows)]
    starts = [NOW - marker % 200 * QUARTER for marker in markers]
    return Batch(
        uid,
        1,
        "epoch",
        number,
        NOW + number,
        (
            Rows("device.devices", {"uid": [uid], "name": [f"name {number}"], "hardware.memory": [number]}),
            Rows("device.antiviruses", {"@device": [uid] * 2, "name": ["always", f"only in {number}"]}),
            Rows(
                "execution.events",
                {
                    "@device": [uid] * rows,
                    "@user": [None if marker % 2 else f"user-{marker % 7}" for marker in markers],
                    "@binary": [f"binary-{marker % 11}" for marker in markers],
                    "start_time": starts,
                    "end_time": [start + QUARTER for start in starts],
                    "bucket_duration": [QUARTER] * rows,
                    "cpu_time": markers,
                    "highest_process_visibility": ["visible"] * rows,
                },
            ),
        ),
    )


def compact(store: Store, *, until: int = FOREVER, most_rows: int = 4_000_000, rollup_rows: int = 0) -> int:
    """Seal, and compact all days that end until then, with rollups of the smallest; how many."""
    store.seal()
    compaction = replace(store.compaction(), most_rows=most_rows, rollup_rows=rollup_rows)
    found = list(tasks(store.snapshot(), store.schemas, NOW, until))
    return sum(store.flip(compaction.run(task)) for task in found)


def damaged(folder: Path) -> list[Path]:
    """The files that are called damaged."""
    return [Path(finding.file) for finding in findings(folder) if finding.problem]


def source_of(store: Store) -> SnapshotSource:
    """What the store has now, to be asked."""
    return SnapshotSource(store.snapshot(), CATALOG)


def executions(source: SnapshotSource) -> pl.DataFrame:
    """The executions with the keys of what they point to."""

    def keys(table: str) -> pl.LazyFrame:
        return source.scan(table, ["@id", "uid"]).rename({"uid": table})

    frame = source.scan(
        "execution.events",
        ["@row", "@device", "@user", "@binary", "start_time", "cpu_time", "highest_process_visibility"],
    )
    for column, table in (("@device", "devices"), ("@user", "users"), ("@binary", "binaries")):
        frame = frame.join(keys(table), left_on=column, right_on="@id", how="left")
    return frame.collect()


def problems(source: SnapshotSource, stored: Iterable[Batch], maybe: Iterable[Batch] = ()) -> Iterator[str]:
    """What is wrong if the batches of `stored` must be there and those of `maybe` may, each wholly and once or not at
    all."""
    must, may = list(stored), list(maybe)
    frame = executions(source)
    found = Counter(frame["cpu_time"])
    if frame["@row"].n_unique() != frame.height:
        yield "a row number is used twice"
    for item in [*must, *may]:
        counts = {found.pop(marker, 0) for marker in item.rows[2].columns["cpu_time"]}
        if counts != {1} and not (item in may and counts == {0}):
            yield f"rows of batch {item.sequence} are there {sorted(counts)} times"
    if found:
        yield f"rows of nobody: {sorted(found)}"
    yield from wrong_links(frame)
    if not may:
        yield from wrong_objects(source, must)


def wrong_links(frame: pl.DataFrame) -> Iterator[str]:
    """Rows whose ids do not lead to the objects they spoke of."""
    for marker, device, user, binary in frame.select("cpu_time", "devices", "users", "binaries").iter_rows():
        wanted = (None if marker % 2 else f"user-{marker % 7}", f"binary-{marker % 11}")
        if (user, binary) != wanted or device is None:
            yield f"row {marker} points to {device}, {user}, {binary}"


def wrong_objects(source: SnapshotSource, stored: list[Batch]) -> Iterator[str]:
    """Devices and antiviruses that are not what the last of their batches said."""
    devices = source.scan("devices", ["@id", "uid", "name", "hardware.memory", "first_seen", "last_seen"]).collect()
    if devices["@id"].to_list() != list(range(devices.height)):
        yield "ids of devices have gaps"
    antiviruses: dict[int, list[str]] = {}
    for device, name in source.scan("device.antiviruses", ["@device", "name"]).collect().iter_rows():
        antiviruses.setdefault(device, []).append(name)
    said: dict[str, list[Batch]] = {}
    for item in stored:
        said.setdefault(item.source, []).append(item)
    for uid, items in said.items():
        number = items[-1].sequence
        found = [row for row in devices.iter_rows() if row[1] == uid]
        seen = [item.received for item in items]
        if [row[2:] for row in found] != [(f"name {number}", number, min(seen), max(seen))]:
            yield f"{uid} is {found}, not as batch {number} says, seen from {min(seen)} to {max(seen)}"
        elif sorted(antiviruses.get(found[0][0], [])) != ["always", f"only in {number}"]:
            yield f"{uid} has {antiviruses.get(found[0][0])}"
