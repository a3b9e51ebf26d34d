"""Worker processes: their answers, and what happens to one that is given up, killed, too slow or too greedy."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from portal.errors import ApiError
from portal.queries.admission import Bounds, Purpose
from portal.queries.execution import Execution, Ran, Where
from portal.queries.forms import CSV
from storage.tables.api import SnapshotSource
from tests.portal.workers.conftest import CATALOG, CODES, COUNT, LONG, MIB, asked, executing, heavy, snapshot

pytestmark = pytest.mark.slow

LARGE = 6_000_000


def source(rows: int) -> SnapshotSource:
    return SnapshotSource(snapshot(rows), CATALOG)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.005)


async def working(execution: Execution, run: Awaitable[Ran]) -> tuple[asyncio.Task[Ran], psutil.Process]:
    """A query on its way, and the process that computes it and has spent time on it."""
    task = asyncio.ensure_future(run)
    assert isinstance(task, asyncio.Task)
    workers = execution.workers

    def at_work() -> list[psutil.Process]:
        held = [worker for worker in workers._every if worker.catalog and worker not in workers._idle]
        return [psutil.Process(worker.process.pid) for worker in held if workers.spool.files]

    await until(lambda: bool(at_work()) or task.done())
    [process] = at_work()
    spent = sum(process.cpu_times()[:2])
    await until(lambda: sum(process.cpu_times()[:2]) > spent + 0.1 or task.done())
    assert not task.done()
    return task, process


def test_the_answer_is_that_of_the_serving_process(tmp_path: Path) -> None:
    async def scene() -> None:
        async with executing(tmp_path) as execution:
            base = source(500)
            for text in (COUNT, CODES, "device_performance.system_crashes during past 24h | list time, error_code"):
                here = await execution.run(asked(text, base))
                there = await execution.run(heavy(asked(text, base)))
                assert (here.where, there.where) == (Where.PORTAL, Where.WORKER)
                assert there.result == here.result, text
            second = await execution.run(heavy(asked(CODES, base, limit=7, offset=3)))
            assert second.result.table == (await execution.run(asked(CODES, base, limit=7, offset=3))).result.table
            assert second.result.truncated
            assert execution.workers.started <= 2  # one at work, one warm

    asyncio.run(scene())


def test_an_export_is_written_by_the_worker(tmp_path: Path) -> None:
    async def scene() -> None:
        async with executing(tmp_path) as execution:
            ran = await execution.run(heavy(asked(COUNT, source(12), media=CSV, purpose=Purpose.EXPORT)))
            assert ran.written is not None
            assert ran.written.to_pybytes().splitlines() == [b"n", b"12"]

    asyncio.run(scene())


def test_a_cancelled_query_frees_its_process_within_a_second(tmp_path: Path) -> None:
    async def scene() -> None:
        async with executing(tmp_path, memory=8192 * MIB) as execution:
            await execution.run(heavy(asked(COUNT, source(1))))  # a process is warm
            task, process = await working(execution, execution.run(heavy(asked(LONG, source(LARGE)))))
            began = time.perf_counter()
            task.cancel()
            await until(lambda: not psutil.pid_exists(process.pid))
            took = time.perf_counter() - began
            assert took < max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))  # others want the processor, too
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: not execution.workers.spool.files)
            print(f"the process was gone {took * 1000:.0f} ms after the cancel")

    asyncio.run(scene())


def test_a_query_that_wants_too_much_memory_harms_nobody_else(tmp_path: Path) -> None:
    async def scene() -> None:
        async with executing(tmp_path, memory=384 * MIB) as execution:
            greedy = asyncio.create_task(execution.run(heavy(asked(CODES, source(LARGE)))))
            modest = await execution.run(heavy(asked(COUNT, source(5))))
            assert modest.result.table.to_pylist() == [{"n": 5}]
            with pytest.raises(ApiError, match="needs more memory than one query may have") as refused:
                await greedy
            assert refused.value.code == "query_memory"
            assert "export" in refused.value.hint
            again = await execution.run(heavy(asked(COUNT, source(6))))
            assert again.result.table.to_pylist() == [{"n": 6}]

    asyncio.run(scene())


def test_a_query_beyond_its_time_is_ended(tmp_path: Path) -> None:
    async def scene() -> None:
        async with executing(tmp_path, bounds={Purpose.EXPORT: Bounds(1, 1, 0.2)}, memory=8192 * MIB) as execution:
            await execution.run(heavy(asked(COUNT, source(1))))
            with pytest.raises(ApiError, match=r"longer than 0\.2 seconds") as refused:
                await execution.run(heavy(asked(LONG, source(LARGE), purpose=Purpose.EXPORT)))
            assert (refused.value.status, refused.value.code) == (504, "query_timeout")
            assert refused.value.hint
            assert (await execution.run(heavy(asked(COUNT, source(2))))).result.table.to_pylist() == [{"n": 2}]

    asyncio.run(scene())


def test_a_killed_process_is_told_and_the_next_query_works(tmp_path: Path) -> None:
    async def scene() -> None:
        async with executing(tmp_path, memory=8192 * MIB) as execution:
            task, process = await working(execution, execution.run(heavy(asked(LONG, source(LARGE)))))
            os.kill(process.pid, signal.SIGKILL)
            with pytest.raises(ApiError, match="ended unexpectedly \\(SIGKILL\\)") as told:
                await task
            assert (told.value.status, told.value.code) == (503, "query_crashed")
            assert "Ask again" in told.value.hint
            assert (await execution.run(heavy(asked(COUNT, source(3))))).result.table.to_pylist() == [{"n": 3}]

    asyncio.run(scene())


def test_an_idle_process_that_died_is_not_used(tmp_path: Path) -> None:
    async def scene() -> None:
        async with executing(tmp_path) as execution:
            await execution.run(heavy(asked(COUNT, source(1))))
            await until(lambda: execution.workers.started == 2)
            killed = execution.workers.processes
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
            await until(lambda: not set(execution.workers.processes) & set(killed))
            assert (await execution.run(heavy(asked(COUNT, source(3))))).result.table.to_pylist() == [{"n": 3}]

    asyncio.run(scene())


def test_a_process_ends_with_its_portal(tmp_path: Path) -> None:
    async def scene() -> None:
        async with executing(tmp_path) as execution:
            await execution.run(heavy(asked(COUNT, source(1))))
            [worker, *_] = execution.workers._every
            assert worker.process.stdin is not None
            worker.process.stdin.close()  # what a dead portal leaves behind
            await until(lambda: not psutil.pid_exists(worker.process.pid))

    asyncio.run(scene())


def test_rows_in_memory_are_written_once_and_removed(tmp_path: Path) -> None:
    spool_folder = tmp_path / "spool"

    async def scene() -> None:
        async with executing(tmp_path) as execution:
            spool, held = execution.workers.spool, snapshot(10)
            first, second = (spool.lease(held, {part.table for part in held.tail}) for _ in range(2))
            assert first.tail == second.tail
            assert first.snapshot.tail[0].frame.height == 0
            assert spool.lease(held, {"device.devices"}).tail == ()
            spool.release(first)
            assert len([*spool_folder.glob("*.arrow")]) == spool.files == 1
            spool.release(second)
            assert [*spool_folder.glob("*.arrow")] == []

    asyncio.run(scene())


def test_what_a_worker_knows_of_the_catalog_is_the_newest(tmp_path: Path) -> None:
    async def scene() -> None:
        async with executing(tmp_path) as execution:
            first = asked(COUNT, source(4))
            await execution.run(heavy(first))
            newer = CATALOG.overlay([], "newer")
            assert newer.version != CATALOG.version
            assert (await execution.run(heavy(replace(first, catalog=newer)))).result.table.to_pylist() == [{"n": 4}]

    asyncio.run(scene())
