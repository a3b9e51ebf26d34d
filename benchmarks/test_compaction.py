"""How fast closed days are compacted, what a row takes then, how long readers wait beside it, and how fast the files
are read.

In: half a million samples of 20,000 devices in segments of one day. Out: rows a second by CPU and by the clock, bytes
a row, the longest wait for a snapshot beside that of a thread which wants nothing, and the time of a sum a device from
segments, from Parquet, from hot columns and from stored states. It measures the table store alone: the engine's choice
among these is measured by `benchmarks.shapes`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from msgspec.structs import replace
from pytest_benchmark.fixture import BenchmarkFixture

from nql.catalog.load import builtin
from storage.tables.api import Tables, open_tables
from storage.tables.compact import tasks
from storage.tables.days import DAY
from storage.tables.hot import HotColumns
from storage.tables.manifest import write_manifest
from storage.tables.read import SnapshotSource
from storage.tables.seal import Sealing
from storage.tables.store import Store

TABLE = "execution.events"
TODAY, QUARTER = 19_675, 900_000_000
ROWS, DEVICES, SEGMENT = 500_000, 20_000, 125_000
COLUMNS = ["@device", "memory.sum", "memory.count"]


def samples(first: int, count: int) -> pl.DataFrame:
    """Rows in order of time: every device has each of some binaries in most quarters of an hour."""
    row = pl.int_range(first, first + count, dtype=pl.Int64)

    def some(seed: int, most: int) -> pl.Expr:
        return (row.hash(seed) % most).cast(pl.Int64)

    device, start = some(1, DEVICES), row * 96 // ROWS * QUARTER + TODAY * DAY
    columns = {
        "@row": row, "@device": device, "@user": device, "@binary": some(2, 12), "start_time": start,
        "end_time": start + QUARTER, "bucket_duration": pl.lit(QUARTER, pl.Int64), "cpu_time": some(3, 3_000_000),
        "memory.sum": some(4, 1_000_000) * 1024, "memory.count": pl.lit(15, pl.Int64),
        "memory.min": some(5, 100_000) * 1024, "memory.max": some(6, 200_000) * 1024,
        "incoming_traffic": some(7, 1_000_000), "outgoing_traffic": some(8, 1_000_000),
        "highest_process_visibility": pl.when(some(9, 3) == 0).then(pl.lit("foreground")).otherwise(pl.lit("system")),
    }  # fmt: skip
    return pl.select([value.alias(name) for name, value in columns.items()])


def later() -> int:
    """When the day is over."""
    return (TODAY + 2) * DAY


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder whose segments hold the rows."""
    store = Store(tmp_path, builtin(), zone="UTC", clock=later)
    work = Sealing(store.files, tmp_path, store.schemas, store.manifest.next_file)
    segments = [work.segment(TABLE, TODAY, [samples(first, SEGMENT)], 0) for first in range(0, ROWS, SEGMENT)]
    manifest = replace(
        store.manifest, number=store.manifest.number + 1, segments=segments, next_row=ROWS, next_file=work.next_file
    )
    write_manifest(store.files, tmp_path, manifest)
    store.abandon()
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    """A store of that folder."""
    store = Store(folder, builtin(), zone=None, clock=later)
    yield store
    store.abandon()


@pytest.mark.timeout(600)
def test_compaction(benchmark: BenchmarkFixture, store: Store) -> None:
    (task,) = tasks(store.snapshot(), store.schemas, store.clock())
    cpu: list[float] = []
    wall: list[float] = []

    def once() -> None:
        before, started = time.process_time(), time.perf_counter()
        made = store.compaction().run(task)
        cpu.append(time.process_time() - before)
        wall.append(time.perf_counter() - started)
        benchmark.extra_info["bytes_a_row"] = round(sum(day.bytes for day in made.days) / ROWS, 1)
        benchmark.extra_info["bytes_a_row_of_states"] = round(
            sum(item.bytes for day in made.days for item in day.rollups.values()) / ROWS, 1
        )
        made.undo(store.files, store.folder)

    benchmark.pedantic(once, rounds=3)  # type: ignore[no-untyped-call]
    benchmark.extra_info["bytes_a_row_of_segments"] = round(sum(item.bytes for item in task.segments) / ROWS, 1)
    benchmark.extra_info["rows_per_second_of_one_core"] = round(ROWS / min(cpu))
    benchmark.extra_info["rows_per_second_by_the_clock"] = round(ROWS / min(wall))
    print(benchmark.extra_info)


def test_readers_beside_it(benchmark: BenchmarkFixture, folder: Path) -> None:
    waits: dict[str, list[float]] = {"a reader": [], "a thread that wants nothing": []}

    async def reader(tables: Tables, compacting: asyncio.Task[None]) -> None:
        while not compacting.done():
            began = time.perf_counter()
            await tables.snapshot()
            waits["a reader"].append(time.perf_counter() - began)
            await asyncio.sleep(0.001)

    def nothing(done: threading.Event) -> None:
        while not done.is_set():
            began = time.perf_counter()
            done.wait(0.001)
            waits["a thread that wants nothing"].append(time.perf_counter() - began - 0.001)

    async def both() -> None:
        tables = await open_tables(folder, builtin(), clock=later)
        compacting, done = asyncio.create_task(tables.compact()), threading.Event()
        beside = threading.Thread(target=nothing, args=(done,))
        beside.start()
        await reader(tables, compacting)
        done.set()
        beside.join()
        await tables.close()

    benchmark.pedantic(lambda: asyncio.run(both()), rounds=1)  # type: ignore[no-untyped-call]
    benchmark.extra_info["longest_milliseconds"] = {name: round(max(some) * 1000, 1) for name, some in waits.items()}
    print(benchmark.extra_info)


@pytest.mark.timeout(600)
def test_reading(benchmark: BenchmarkFixture, store: Store) -> None:
    def least(work: Callable[[], pl.DataFrame]) -> float:
        times = []
        for _ in range(5):
            before = time.process_time()
            assert work().height == DEVICES
            times.append(time.process_time() - before)
        return round(min(times) * 1000, 1)

    def summed(hot: HotColumns) -> pl.DataFrame:
        source = SnapshotSource(store.snapshot(), builtin(), hot=hot)
        return source.scan(TABLE, COLUMNS).group_by("@device").agg(pl.all().sum()).collect()

    def states() -> pl.DataFrame:
        source = SnapshotSource(store.snapshot(), builtin())
        wanted = ["memory.sum:sum", "memory.count:sum"]
        found = source.rollup(TABLE, "device", wanted, start=TODAY * DAY, end=(TODAY + 1) * DAY)
        assert found is not None
        return found.frame.group_by("@device").agg(pl.all().sum()).collect()

    cold, hot = HotColumns(0), HotColumns()
    told = {"segments": least(lambda: summed(cold))}
    (task,) = tasks(store.snapshot(), store.schemas, store.clock())
    assert store.flip(store.compaction().run(task))
    told["parquet"] = least(lambda: summed(cold))
    for _ in range(2):
        summed(hot)
        hot.settle()
    told["hot columns"] = least(lambda: summed(hot))
    told["states"] = least(states)
    benchmark.pedantic(states, rounds=3)  # type: ignore[no-untyped-call]
    benchmark.extra_info["milliseconds_of_cpu"] = told
    print(benchmark.extra_info)
