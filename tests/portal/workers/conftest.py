"""Work for real worker processes: crashes of devices as rows in memory, as many as wanted.

In: how many rows. Out: a snapshot of them, questions about it, an execution with a pool. Invariant: every process is a
real one, and none outlives its test.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import polars as pl

from engine.cost import Cost, cost
from nql import api as nql
from nql.catalog.load import builtin
from portal.queries.admission import BOUNDS, Admission, Bounds, Purpose
from portal.queries.answers import Answers
from portal.queries.execution import Execution, Question
from portal.threads import Threads
from portal.workers.pool import Limits, Workers
from portal.workers.spool import Spool
from storage.tables.api import Snapshot, SnapshotSource
from storage.tables.tail import Tail

NOW = 1_767_264_000_000_000
CATALOG = builtin()
TABLE = "device_performance.system_crashes"
COUNT = f"{TABLE} during past 24h | summarize n = count()"
COUNTS = ", ".join(f"n{one} = countif(error_code > {one} and error_code != {one * 7})" for one in range(60))
LONG = f"{TABLE} during past 24h | summarize {COUNTS}"  # seconds over millions of rows, in little memory
CODES = f"{TABLE} during past 24h | summarize n = count() by error_code | sort n desc"
MIB = 1 << 20


def snapshot(rows: int, *, version: int = 1, first_code: int = 0) -> Snapshot:
    """Crashes of the last second, each with an error code of its own."""
    numbers = pl.int_range(rows, eager=True)
    frame = pl.DataFrame(
        {"@row": numbers, "time": pl.repeat(NOW - 1_000_000, rows, eager=True), "error_code": numbers + first_code}
    )
    tail = Tail()
    tail.add(TABLE, "time", frame)
    return Snapshot(Path("/nowhere"), "UTC", 1, version, NOW, (), tail.parts(), {})


def asked(text: str, source: SnapshotSource, *, now: int = NOW, limit: int = 100, **more: object) -> Question:
    """A question about a source."""
    plan = nql.resolve(nql.compile_query(text, CATALOG).plan, nql.Context(now, "UTC", "UTC", {}))
    question = Question(plan, source, CATALOG, cost(plan, source), limit)
    return replace(question, **more)  # type: ignore[arg-type]


def heavy(question: Question) -> Question:
    """The same, estimated at more than the serving process takes."""
    return replace(question, cost=Cost(question.cost.rows, 1 << 40))


@asynccontextmanager
async def executing(
    folder: Path, *, memory: int = 1024 * MIB, bounds: dict[Purpose, Bounds] | None = None, kept: int = MIB
) -> AsyncIterator[Execution]:
    """An execution with its pool; afterwards no process and no file is left."""
    spool, threads = Spool(folder / "spool"), Threads()
    spool.clear()
    workers = Workers(spool, Limits(threads=2, memory=memory))
    execution = Execution(threads, workers, Admission({**BOUNDS, **(bounds or {})}), Answers(kept), here=MIB)
    try:
        yield execution
    finally:
        await workers.close()
        threads.close()
        assert workers.processes == []
        assert [*(folder / "spool").iterdir()] == []
