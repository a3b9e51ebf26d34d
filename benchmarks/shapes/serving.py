"""What is measured of a store at work: the first answer after a start, ingest, many users.

In: folders. Out: figures. Invariant: nothing here touches the folder of the made estate; it is given copies
(`copies.py`). Each function runs in a process of its own (`child.py`).
"""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.shapes.estate import SAMPLES
from benchmarks.shapes.loading import batches
from benchmarks.shapes.shapes import SHAPES, named
from benchmarks.shapes.sides import Muster
from nql.catalog.load import builtin
from storage.tables.api import Batch, open_tables

UNSEALED = (999, 1_000)  # batches and rows in each: as many rows as the store lets lie before it seals


def first(data: str, now: int, shape: str) -> dict[str, float]:
    """Open a data folder and answer one question. `opened` and `answered` are seconds after its imports, `at` the
    instant of the answer by the clock that all processes of a machine share."""
    began = time.perf_counter()
    side = Muster(Path(data), now, rollups=True)
    opened = time.perf_counter() - began
    side.ask(named(shape)[0])
    at = time.perf_counter()
    side.close()
    return {"opened": opened, "answered": at - began, "at": at}


def fill(data: str, plain: str, now: int, ready: str) -> None:
    """Store a million rows that are not sealed, say so in the file `ready`, and wait to be killed."""
    asyncio.run(_fill(Path(data), Path(plain), now, Path(ready)))


async def _fill(data: Path, plain: Path, now: int, ready: Path) -> None:
    tables = await open_tables(data / "store", builtin(), clock=lambda: now)
    for batch in batches(plain, SAMPLES, *UNSEALED, now, "unsealed"):
        await tables.append(batch)
    ready.touch()
    await asyncio.Event().wait()


def ingest(data: str, plain: str, now: int, size: int, count: int, flying: int) -> dict[str, float]:
    """Durable rows a second through the table API, and how long acknowledgements take (milliseconds)."""
    waiting = list(batches(Path(plain), SAMPLES, count, size, now, "ingest"))
    return asyncio.run(_ingest(Path(data), now, waiting, flying))


async def _ingest(data: Path, now: int, waiting: list[Batch], flying: int) -> dict[str, float]:
    tables = await open_tables(data / "store", builtin(), clock=lambda: now)
    rows = sum(batch.rows[0].count for batch in waiting)
    taken: list[float] = []
    left = iter(waiting)

    async def sender() -> None:
        for batch in left:
            began = time.perf_counter()
            await tables.append(batch)
            taken.append(time.perf_counter() - began)

    gc.collect()
    gc.freeze()  # the batches, millions of values, are not the store's to look through
    cpu, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(flying)))
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    await tables.close()
    taken.sort()
    return {
        "rows_per_second": rows / wall,
        "rows_per_cpu_second": rows / cpu,
        "p50_ms": median(taken) * 1_000,
        "p99_ms": taken[int(len(taken) * 0.99)] * 1_000,
    }


def users(data: str, now: int, count: int, seconds: float) -> dict[str, Any]:
    """So many users, each asking one question after the other, all of q1 to q9 in turn."""
    side = Muster(Path(data), now, rollups=True)
    asked = [shape for shape in SHAPES if shape.name.startswith("q")]
    taken: defaultdict[str, list[float]] = defaultdict(list)
    for shape in asked:
        side.ask(shape)
    until = time.perf_counter() + seconds

    def user(number: int) -> None:
        at = number
        while time.perf_counter() < until:
            shape, began = asked[at % len(asked)], time.perf_counter()
            side.ask(shape)
            taken[shape.name].append(time.perf_counter() - began)
            at += 1

    began = time.perf_counter()
    threads = [threading.Thread(target=user, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    passed = time.perf_counter() - began
    side.close()
    return {
        "answers_per_second": sum(map(len, taken.values())) / passed,
        "median_ms": {name: median(times) * 1_000 for name, times in sorted(taken.items())},
    }
