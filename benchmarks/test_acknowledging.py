"""How long an acknowledgement waits, by the size of batches, and a reader, while a store seals millions of rows.

In: batches of 100 samples (or 10 to 1,000) of 5,000 devices, 64 in flight. Out: the median, the slowest but one of a
hundred and the longest acknowledgement; how long a reader waited for a snapshot at most, beside a thread which wants
nothing; rows a second, and how many segments were sealed meanwhile; and what a snapshot costs after 25 of 100,000
devices said what they are, for which appends wait too. It measures the table store alone.
`MUSTER_BENCH_ACKNOWLEDGING` is the number of batches.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from nql.catalog.load import builtin
from nql.datatypes import Physical
from storage.tables.api import Ack, Batch, Rows, Tables, open_tables
from storage.tables.store import Store

NOW = 1_700_000_000_000_000
QUARTER = 900_000_000
ROWS, DEVICES, AT_ONCE = 100, 5_000, 64
SIZES = {10: 20_000, 30: 15_000, 50: 12_000, 75: 10_000, 100: 8_000, 300: 3_000, 1_000: 1_000}  # rows: batches
BATCHES = int(os.environ.get("MUSTER_BENCH_ACKNOWLEDGING", "25_000"))


def rows(kind: int, size: int = ROWS) -> Rows:
    """Samples of an hour, as an agent has them."""
    memory = [1_000_000 * (row % 50 + 1) + kind for row in range(size)]
    return Rows(
        "execution.events",
        {
            "@device": ["device"] * size,
            "@user": [f"S-1-5-21-{kind}-{row % 2}" for row in range(size)],
            "@binary": [f"{row % 50:064x}" for row in range(size)],
            "start_time": [NOW - row % 4 * QUARTER for row in range(size)],
            "bucket_duration": [QUARTER] * size,
            "cpu_time": [row * 1_000 + kind for row in range(size)],
            "memory.sum": [value * 15 for value in memory],
            "memory.count": [15] * size,
            "memory.min": list(memory),
            "memory.max": [value + 4_096 for value in memory],
            "number_of_page_faults": [row % 7 for row in range(size)],
            "incoming_traffic": [row * 10 for row in range(size)],
            "outgoing_traffic": [row * 3 for row in range(size)],
            "highest_process_visibility": ["visible" if row % 2 else "background" for row in range(size)],
            "context.device_platform": ["Linux"] * size,
            "context.location.country": ["Switzerland"] * size,
        },
    )


def batch(number: int, kinds: list[Rows]) -> Batch:
    """Batch `number`: the next of its device."""
    kind, device = kinds[number % len(kinds)], f"device-{number % DEVICES:05}"
    columns = {**kind.columns, "@device": [device] * kind.count}
    return Batch(device, 1, "epoch", number // DEVICES, NOW, (Rows(kind.table, columns),))


async def store_all(tables: Tables, waits: list[float], kinds: list[Rows], batches: int) -> None:
    """Append all batches; what each waited to be acknowledged, into `waits`."""
    waiting = iter(range(batches))

    async def sender() -> None:
        for number in waiting:
            made = batch(number, kinds)
            began = time.perf_counter()
            await tables.append(made)
            waits.append(time.perf_counter() - began)

    await asyncio.gather(*(sender() for _ in range(AT_ONCE)))


async def read_all(tables: Tables, waits: list[float]) -> None:
    """Take snapshots until it is cancelled."""
    while True:
        began = time.perf_counter()
        await tables.snapshot()
        waits.append(time.perf_counter() - began)
        await asyncio.sleep(0.01)


def idle(done: threading.Event, waits: list[float]) -> None:
    """What the machine lets a thread wait that wants nothing."""
    while not done.is_set():
        began = time.perf_counter()
        done.wait(0.01)
        waits.append(time.perf_counter() - began - 0.01)


@pytest.mark.timeout(600)
def test_acknowledgements_while_it_seals(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    waits: dict[str, list[float]] = {"acknowledged": [], "reader": [], "idle": []}

    async def all_of_it() -> tuple[float, float]:
        tables = await open_tables(tmp_path / "store", builtin(), clock=lambda: NOW)
        reader, done = asyncio.create_task(read_all(tables, waits["reader"])), threading.Event()
        beside = threading.Thread(target=idle, args=(done, waits["idle"]))
        beside.start()
        began, cpu = time.perf_counter(), time.process_time()
        await store_all(tables, waits["acknowledged"], [rows(kind) for kind in range(100)], BATCHES)
        took = time.perf_counter() - began, time.process_time() - cpu
        reader.cancel()
        done.set()
        beside.join()
        tables.abandon()
        return took

    wall, cpu = benchmark.pedantic(lambda: asyncio.run(all_of_it()), rounds=1)  # type: ignore[no-untyped-call]
    told = sorted(waits["acknowledged"])
    benchmark.extra_info |= {
        "p50_ms": round(told[len(told) // 2] * 1000, 2),
        "p99_ms": round(told[len(told) * 99 // 100] * 1000, 2),
        "longest_ms": round(told[-1] * 1000, 1),
        "reader_longest_ms": round(max(waits["reader"]) * 1000, 1),
        "idle_thread_longest_ms": round(max(waits["idle"]) * 1000, 1),
        "rows_per_second": round(BATCHES * ROWS / wall),
        "rows_per_second_of_cpu": round(BATCHES * ROWS / cpu),
        "segments": len(list((tmp_path / "store" / "segments").iterdir())),
    }
    print(benchmark.extra_info)


@pytest.mark.parametrize("size", SIZES)
def test_acknowledgements_by_the_size_of_batches(benchmark: BenchmarkFixture, tmp_path: Path, size: int) -> None:
    kinds, waits, batches = [rows(kind, size) for kind in range(100)], list[float](), SIZES[size]

    async def all_of_it() -> tuple[float, float]:
        tables = await open_tables(tmp_path / "store", builtin(), clock=lambda: NOW)
        gc.collect()
        gc.freeze()  # what was made here is not the store's to look through
        began, cpu = time.perf_counter(), time.process_time()
        await store_all(tables, waits, kinds, batches)
        took = time.perf_counter() - began, time.process_time() - cpu
        gc.unfreeze()
        tables.abandon()
        return took

    wall, cpu = benchmark.pedantic(lambda: asyncio.run(all_of_it()), rounds=1)  # type: ignore[no-untyped-call]
    told = sorted(waits)
    benchmark.extra_info |= {
        "p50_ms": round(told[len(told) // 2] * 1000, 2),
        "p99_ms": round(told[len(told) * 99 // 100] * 1000, 2),
        "rows_per_second": round(batches * size / wall),
        "rows_per_second_of_cpu": round(batches * size / cpu),
    }
    print(size, benchmark.extra_info)


def test_a_snapshot_after_devices_reported(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    store = Store(tmp_path / "store", builtin(), zone="UTC", clock=lambda: NOW)
    schema, sequence = store.schemas["device.devices"], iter(range(1_000))
    texts = [name for name, physical in schema.columns.items() if physical is Physical.UTF8 and name != "uid"]

    def report(uids: list[str]) -> None:
        turn = next(sequence)
        said = {name: [f"{name} in turn {turn}"] * len(uids) for name in texts}
        [outcome] = store.commit([Batch("import", 1, "e", turn, NOW, (Rows("device.devices", {"uid": uids} | said),))])
        assert isinstance(outcome, Ack)

    uids = [f"device-{number:06}" for number in range(100_000)]
    for first in range(0, len(uids), 5_000):
        report(uids[first : first + 5_000])
    store.snapshot()
    benchmark.pedantic(store.snapshot, setup=lambda: report(uids[::4_000]), rounds=20)  # type: ignore[no-untyped-call]
    benchmark.extra_info["columns"] = len(texts)
    store.abandon()
