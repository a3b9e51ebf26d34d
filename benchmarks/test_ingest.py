"""How fast rows are stored durably, and how fast a store is back after a crash.

In: batches of 1,000 execution samples as an agent sends them, decoded from JSON. Out: rows a second by the clock and
by CPU, with validation, Arrow encoding, ids, fsync and acknowledgement in it, and how long an acknowledgement takes, of
a hundred the slowest but one; what of the CPU is the store's own; recovery of a journal in rows a second.
It measures the table store alone: HTTP and signatures are not in it.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from nql.catalog.load import builtin
from storage.tables.api import Batch, Tables, open_tables, rows_from_wire
from storage.tables.store import Store

NOW = 1_700_000_000_000_000
QUARTER = 900_000_000
ROWS = 1_000
CATALOG = builtin()


def message(number: int) -> bytes:
    """One batch as JSON: 1,000 samples of 50 binaries over 20 buckets, 17 columns."""
    buckets = [NOW - (row // 50) * QUARTER for row in range(ROWS)]
    memory = [1_000_000 * (row % 50 + 1) + number for row in range(ROWS)]
    columns: dict[str, list[object]] = {
        "@user": [f"S-1-5-21-{number % 500}-{row % 2}" for row in range(ROWS)],
        "@binary": [f"{row % 50:064x}" for row in range(ROWS)],
        "start_time": list(buckets),
        "bucket_duration": [QUARTER] * ROWS,
        "execution_duration": [QUARTER - row for row in range(ROWS)],
        "cpu_time": [row * 1_000 + number for row in range(ROWS)],
        "memory.sum": [value * 15 for value in memory],
        "memory.count": [15] * ROWS,
        "memory.min": list(memory),
        "memory.max": [value + 4_096 for value in memory],
        "number_of_page_faults": [row % 7 for row in range(ROWS)],
        "incoming_traffic": [row * 10 for row in range(ROWS)],
        "outgoing_traffic": [row * 3 for row in range(ROWS)],
        "number_of_started_processes": [row % 3 for row in range(ROWS)],
        "highest_process_visibility": ["visible" if row % 2 else "background" for row in range(ROWS)],
        "context.device_platform": ["Linux"] * ROWS,
        "context.location.country": ["Switzerland"] * ROWS,
    }
    return msgspec.json.encode(columns)


def decoded(number: int, text: bytes, sequence: int) -> Batch:
    """What ingest does with a message before it appends it."""
    device = f"device-{number:04}"
    columns = msgspec.json.decode(text, type=dict[str, list[object]])
    rows = rows_from_wire(CATALOG, "execution.events", columns, writer="agent", device_uid=device, now=NOW)
    return Batch(device, 1, "epoch", sequence, NOW, (rows,))


async def store_all(tables: Tables, messages: list[bytes], sequence: int, at_once: int) -> list[float]:
    """Append all messages, `at_once` of them in flight; the seconds that each waited to be acknowledged."""
    waiting, waited = iter(enumerate(messages)), list[float]()

    async def sender() -> None:
        for number, text in waiting:
            batch, began = decoded(number, text, sequence), time.perf_counter()
            await tables.append(batch)
            waited.append(time.perf_counter() - began)

    await asyncio.gather(*(sender() for _ in range(at_once)))
    return waited


@pytest.mark.parametrize("at_once", [1, 64])
def test_durable_ingest(benchmark: BenchmarkFixture, tmp_path: Path, at_once: int) -> None:
    messages = [message(number) for number in range(200)]
    cpu: list[float] = []
    wall: list[float] = []
    waited: list[float] = []
    with asyncio.Runner() as runner:
        tables = runner.run(open_tables(tmp_path / "store", CATALOG))
        sequence = iter(range(1_000))

        def once() -> None:
            before, started = time.process_time(), time.perf_counter()
            waited.extend(runner.run(store_all(tables, messages, next(sequence), at_once)))
            cpu.append(time.process_time() - before)
            wall.append(time.perf_counter() - started)

        benchmark.pedantic(once, rounds=5, warmup_rounds=1)  # type: ignore[no-untyped-call]
        runner.run(tables.close())
    rows = ROWS * len(messages)
    benchmark.extra_info["rows_per_second_of_one_core"] = round(rows / sorted(cpu)[len(cpu) // 2])
    benchmark.extra_info["rows_per_second_by_the_clock"] = round(rows / sorted(wall)[len(wall) // 2])
    benchmark.extra_info["p99_ms"] = round(sorted(waited)[len(waited) * 99 // 100] * 1000, 2)
    print(benchmark.extra_info)


def test_the_stores_own_part(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    store, least = Store(tmp_path / "store", CATALOG, zone="UTC", clock=lambda: NOW), list[float]()
    messages = [message(number) for number in range(64)]
    sequence = iter(range(1_000))

    def once() -> None:
        at = next(sequence)
        batches = [decoded(number, text, at) for number, text in enumerate(messages)]
        before = time.process_time()
        store.commit(batches)
        least.append(time.process_time() - before)

    benchmark.pedantic(once, rounds=8, warmup_rounds=1)  # type: ignore[no-untyped-call]
    benchmark.extra_info["rows_per_second_of_one_core"] = round(ROWS * len(messages) / min(least))
    print(benchmark.extra_info)
    store.abandon()


def test_recovery(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    messages = [message(number) for number in range(500)]
    with asyncio.Runner() as runner:
        tables = runner.run(open_tables(tmp_path / "store", CATALOG))
        runner.run(store_all(tables, messages, 0, 16))
        tables.abandon()
        wall: list[float] = []

        def once() -> None:
            started = time.perf_counter()
            opened = runner.run(open_tables(tmp_path / "store", CATALOG))
            wall.append(time.perf_counter() - started)
            opened.abandon()

        benchmark.pedantic(once, rounds=3, warmup_rounds=1)  # type: ignore[no-untyped-call]
    rows = ROWS * len(messages)
    benchmark.extra_info["rows_per_second"] = round(rows / sorted(wall)[len(wall) // 2])
    print(benchmark.extra_info)
