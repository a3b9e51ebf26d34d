"""The estate in a Muster data folder, brought in by the store's own means: objects through batches, events as batches
that are applied and sealed without a journal, days compacted.

In: the plain files in order of time. Out: a closed data folder. Invariant: what lies there afterwards is what the
store itself would have made of the same rows, sealed a million at a time; ids are the row positions of the plain
files. Rows that come as Arrow are not judged here: they are ours.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.shapes.estate import BUCKET, CRASHES, EVENT_TABLES, EXECUTIONS, SAMPLES
from benchmarks.shapes.plain import files
from nql.catalog.load import builtin
from storage.tables.api import MAX_ROWS, Ack, Batch, Rows, open_tables
from storage.tables.frames import BatchPart, Frame, Prepared, TablePart
from storage.tables.manifest import read_manifest
from storage.tables.store import Store
from storage.tables.writer import SEAL_ROWS

SOURCE = "import:benchmark"
_RUNNING = 60  # binaries that one device runs
OBJECTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "devices": (
        "device.devices",
        {
            "uid": "uid",
            "name": "name",
            "operating_system.platform": "platform",
            "operating_system.name": "os",
            "hardware.memory": "memory",
            "hardware.type": "type",
            "organization.entity": "entity",
        },
    ),
    "binaries": ("binary.binaries", {"uid": "uid", "name": "name"}),
    "users": ("user.users", {"uid": "uid"}),
    "actions": ("remote_action.remote_actions", {"nql_id": "nql_id", "name": "name"}),
}
EVENTS: Mapping[str, Mapping[str, str]] = {
    SAMPLES: {
        "@device": "device",
        "@user": "user",
        "@binary": "binary",
        "start_time": "start_time",
        "execution_duration": "execution_duration",
        "cpu_time": "cpu_time",
        "memory.sum": "memory_sum",
        "memory.count": "memory_count",
        "memory.min": "memory_min",
        "memory.max": "memory_max",
        "number_of_freezes": "number_of_freezes",
        "number_of_page_faults": "number_of_page_faults",
        "incoming_traffic": "incoming_traffic",
        "outgoing_traffic": "outgoing_traffic",
        "highest_process_visibility": "visibility",
        "context.location.country": "country",
    },
    CRASHES: {
        "@device": "device",
        "@user": "user",
        "@binary": "binary",
        "time": "time",
        "number_of_crashes": "number_of_crashes",
        "crash_on_start": "crash_on_start",
    },
    EXECUTIONS: {
        "@device": "device",
        "@remote_action": "remote_action",
        "time": "time",
        "request_time": "request_time",
        "status": "status",
        "trigger_method": "trigger_method",
        "duration": "duration",
    },
}


def load(plain: Path, folder: Path, now: int) -> dict[str, float]:
    """Make the data folder. How long it took, in seconds, by step."""
    taken: dict[str, float] = {}
    began = time.perf_counter()
    store = Store(folder, builtin(), zone="UTC", clock=lambda: now)
    try:
        _objects(store, plain, now)
        for table in EVENT_TABLES:
            for path in files(plain, "time", table):
                _events(store, table, pl.read_parquet(path), now)
    finally:
        store.close()
    taken["load_seconds"] = time.perf_counter() - began
    return taken | asyncio.run(_compacted(folder, now))


async def _compacted(folder: Path, now: int) -> dict[str, float]:
    """Compact with a reader beside it: the rows, the seconds it took, and the longest it waited for a snapshot."""
    tables = await open_tables(folder, builtin(), clock=lambda: now)
    longest, done = 0.0, asyncio.Event()

    async def reader() -> None:
        nonlocal longest
        while not done.is_set():
            began = time.perf_counter()
            await tables.snapshot()
            longest = max(longest, time.perf_counter() - began)
            await asyncio.sleep(0.001)

    reading = asyncio.create_task(reader())
    began = time.perf_counter()
    await tables.compact()
    taken = time.perf_counter() - began
    done.set()
    await reading
    await tables.close()
    manifest = read_manifest(folder)
    rows = sum(day.rows for day in manifest.days) if manifest else 0
    return {"compaction_seconds": taken, "compacted_rows": rows, "reader_seconds": longest}


def _objects(store: Store, plain: Path, now: int) -> None:
    sequence = 0
    for name, (table, columns) in OBJECTS.items():
        frame = pl.read_parquet(plain / "objects" / f"{name}.parquet")
        for piece in frame.iter_slices(MAX_ROWS):
            rows = Rows(table, {ours: piece[theirs].to_list() for ours, theirs in columns.items()})
            sequence += 1
            (outcome,) = store.commit([Batch(SOURCE, 1, "load", sequence, now, (rows,))])
            if not isinstance(outcome, Ack):
                raise outcome
    store.seal()


def _events(store: Store, table: str, frame: pl.DataFrame, now: int) -> None:
    for piece in frame.iter_slices(SEAL_ROWS // 4):
        rows = arrow(table, piece)
        sequence = store.state.next_row + 1
        part = BatchPart(SOURCE, 1, table, sequence, now, store.state.next_row, [TablePart(table, rows.num_rows, 0)])
        with store.state.lock:
            store.state.apply([Frame([Prepared(part, (rows,))])])
        if store.state.tail.rows >= SEAL_ROWS:
            store.seal()


def arrow(table: str, frame: pl.DataFrame) -> Any:
    """Rows as the store keeps them, one record batch."""
    chosen = [_column(theirs, frame.schema[theirs]).alias(ours) for ours, theirs in EVENTS[table].items()]
    if table == SAMPLES:
        start = pl.col("start_time")
        chosen += [(start + BUCKET).alias("end_time"), pl.lit(BUCKET, pl.Int64).alias("bucket_duration")]
    if table == EXECUTIONS:
        chosen.append(pl.lit(1, pl.Int64).alias("number_of_executions"))
    (batch,) = frame.select(chosen).rechunk().to_arrow(compat_level=pl.CompatLevel.newest()).to_batches()
    return batch


def batches(plain: Path, table: str, count: int, size: int, now: int, epoch: str) -> Iterator[Batch]:
    """Batches as devices send them, each of one device and its user, of the last rows of a table: `count` of `size`
    rows, keys as text."""
    frame = pl.concat(pl.read_parquet(path) for path in files(plain, "time", table)[-2:]).tail(count * size)
    devices, users, binaries = (
        pl.read_parquet(plain / "objects" / f"{name}.parquet")["uid"] for name in ("devices", "users", "binaries")
    )
    for number, piece in enumerate(frame.iter_slices(size)):
        device = devices[number % devices.len()]
        columns: dict[str, Sequence[Any]] = {
            ours: piece[theirs].to_list() for ours, theirs in EVENTS[table].items() if ours[0] != "@"
        }
        columns |= {"@device": [device] * piece.height, "@user": [users[number % users.len()]] * piece.height}
        columns["@binary"] = binaries.gather(piece["binary"] % _RUNNING).to_list()
        if table == SAMPLES:
            columns["end_time"] = [start + BUCKET for start in columns["start_time"]]
            columns["bucket_duration"] = [BUCKET] * piece.height
        yield Batch(device, 1, epoch, number // devices.len() + 1, now, (Rows(table, columns),))


def _column(name: str, dtype: pl.DataType) -> pl.Expr:
    return pl.col(name).cast(pl.Int64) if dtype == pl.Int32 else pl.col(name)
