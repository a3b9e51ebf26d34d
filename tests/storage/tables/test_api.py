"""The store as the portal uses it: many appends at once, snapshots beside them, one holder of a folder, an end
without loss.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from storage.tables.api import (
    Ack,
    Batch,
    Closed,
    LockHeld,
    Refused,
    Rows,
    SnapshotSource,
    StorageFull,
    Tables,
    open_tables,
)
from storage.tables.fakes import FaultyFiles
from storage.tables.writer import SEAL_AFTER
from tests.storage.tables.world import CATALOG, NOW, batch, clock, open_store, problems


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now

    def jumping(self) -> int:
        """The time, later by more than the store waits at every look."""
        self.now += SEAL_AFTER + 1
        return self.now


@asynccontextmanager
async def opened(
    folder: Path, clock: Callable[[], int] = clock, files: FaultyFiles | None = None
) -> AsyncIterator[Tables]:
    """A store that is closed at the end."""
    tables = await open_tables(folder, CATALOG, clock=clock, files=files)
    try:
        yield tables
    finally:
        await tables.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that must come, 20 seconds at most."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.002)


async def wrong(tables: Tables, batches: list[Batch]) -> list[str]:
    """What is wrong with a snapshot taken now, if exactly these batches were acknowledged."""
    source = SnapshotSource(await tables.snapshot(), CATALOG)
    return await asyncio.to_thread(lambda: list(problems(source, batches)))


def test_many_appends_at_once_share_the_disk(tmp_path: Path) -> None:
    batches = [batch(number, device=f"device-{number % 7}") for number in range(300)]

    async def run() -> int:
        files = FaultyFiles(tmp_path / "limbo")
        async with opened(tmp_path / "store", files=files) as tables:
            before = files.count
            acks = await asyncio.gather(*(tables.append(item) for item in batches))
            operations = files.count - before
            assert acks == [Ack(item.sequence, 8) for item in batches]
            assert await wrong(tables, batches) == []
        return operations

    assert asyncio.run(run()) < len(batches)  # alone, each would write and sync
    store = open_store(tmp_path / "store")
    store.abandon()


def test_a_batch_is_visible_when_it_is_acknowledged(tmp_path: Path) -> None:
    batches = [batch(number) for number in range(12)]

    async def run() -> None:
        async with opened(tmp_path) as tables:
            for number, item in enumerate(batches):
                await tables.append(item)
                if number % 5 == 4:
                    await tables.seal()
                assert await wrong(tables, batches[: number + 1]) == []

    asyncio.run(run())


@pytest.mark.slow
def test_snapshots_beside_appends_see_whole_batches(tmp_path: Path) -> None:
    batches = [batch(number, device="one") for number in range(90)]

    async def run() -> None:
        async with opened(tmp_path) as tables:
            acknowledged = 0

            async def write() -> None:
                nonlocal acknowledged
                for number, item in enumerate(batches):
                    await tables.append(item)
                    acknowledged = number + 1
                    if number % 25 == 24:
                        await tables.seal()

            async def look() -> None:
                while acknowledged < len(batches):
                    before = acknowledged
                    source = SnapshotSource(await tables.snapshot(), CATALOG)
                    rows = source.scan("execution.events", ["cpu_time"]).collect()["cpu_time"]
                    known = {marker // 1000 for marker in rows}
                    assert rows.len() == 5 * len(known)
                    assert known >= set(range(before))

            await asyncio.gather(write(), look())
            assert await wrong(tables, batches) == []

    asyncio.run(run())


def test_a_refused_batch_harms_no_other(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as tables:
            bad = Batch("x", 0, "e", 0, NOW, (Rows("no.such", {"a": [1]}),))
            waiting: list[Awaitable[Ack]] = [tables.append(item) for item in (batch(0), bad, batch(1), bad, batch(2))]
            answers = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(answer) for answer in answers] == [Ack, Refused, Ack, Refused, Ack]
            assert await wrong(tables, [batch(0), batch(1), batch(2)]) == []

    asyncio.run(run())


def test_a_full_disk_refuses_and_recovers_by_itself(tmp_path: Path) -> None:
    async def run() -> None:
        files = FaultyFiles(tmp_path / "limbo", lasting=True, code=28)
        async with opened(tmp_path / "store", files=files) as tables:
            await tables.append(batch(0))
            files.fail_from_now()
            for number in (1, 2):
                with pytest.raises(StorageFull, match="no room"):
                    await tables.append(batch(number))
                assert await wrong(tables, [batch(0)]) == []
            files.heal()
            assert await tables.append(batch(1)) == Ack(1, 8)
            assert await wrong(tables, [batch(0), batch(1)]) == []

    asyncio.run(run())


def test_it_seals_by_itself_after_a_while(tmp_path: Path) -> None:
    async def run() -> None:
        time = Clock()
        async with opened(tmp_path, time) as tables:
            await tables.append(batch(0))
            assert not list(tmp_path.glob("segments/*"))
            time.now += SEAL_AFTER + 1
            await tables.append(batch(1))
            await until(lambda: any(tmp_path.glob("segments/*")))
            assert await wrong(tables, [batch(0), batch(1)]) == []

    asyncio.run(run())


def test_what_was_recovered_is_sealed_by_itself(tmp_path: Path) -> None:
    async def run() -> None:
        time = Clock()
        (await open_tables(tmp_path, CATALOG, clock=time)).abandon()
        tables = await open_tables(tmp_path, CATALOG, clock=time)
        await tables.append(batch(0))
        tables.abandon()
        assert any(tmp_path.glob("journal-*"))
        async with opened(tmp_path, time.jumping) as again:
            await until(lambda: any(tmp_path.glob("segments/*")))
            assert await wrong(again, [batch(0)]) == []

    asyncio.run(run())


def test_snapshot_says_until_when_it_is_complete(tmp_path: Path) -> None:
    async def run() -> None:
        time = Clock()
        async with opened(tmp_path, time) as tables:
            first = await tables.snapshot()
            time.now += 5
            second = await tables.snapshot()
            assert (first.complete_until, second.complete_until) == (NOW, NOW + 5)
            assert SnapshotSource(second, CATALOG).complete_until == NOW + 5

    asyncio.run(run())


def test_a_folder_has_one_holder(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path):
            with pytest.raises(LockHeld, match=f"process {os.getpid()}") as caught:
                await open_tables(tmp_path, CATALOG, clock=clock)
            assert (caught.value.holder.pid, caught.value.holder.since) == (os.getpid(), NOW)
        async with opened(tmp_path):
            pass

    asyncio.run(run())


def test_after_close_everything_is_sealed_and_nothing_is_taken(tmp_path: Path) -> None:
    async def run() -> None:
        tables = await open_tables(tmp_path, CATALOG, clock=clock)
        waiting = [asyncio.create_task(tables.append(batch(number))) for number in range(20)]
        await asyncio.sleep(0)
        await tables.close()
        assert await asyncio.gather(*waiting) == [Ack(number, 8) for number in range(20)]
        with pytest.raises(Closed):
            await tables.append(batch(21))
        await tables.close()
        assert not list(tmp_path.glob("journal-*"))
        async with opened(tmp_path) as again:
            assert await wrong(again, [batch(number) for number in range(20)]) == []

    asyncio.run(run())


def test_one_who_stops_waiting_does_not_stop_the_batch(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as tables:
            task = asyncio.create_task(tables.append(batch(0)))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await tables.append(batch(0)) == Ack(0, 0, duplicate=True)

    asyncio.run(run())


WRITER = """
import asyncio, sys
from storage.tables.api import open_tables
from tests.storage.tables.world import CATALOG, batch, clock

async def main():
    tables = await open_tables(sys.argv[1], CATALOG, clock=clock)
    async def device(name, first):
        number = first
        while True:
            ack = await tables.append(batch(number, device=name))
            print(number, int(ack.duplicate), flush=True)
            number += 10
            if number % 200 == first:
                await tables.seal()
    await asyncio.gather(*(device(f"device-{k}", int(sys.argv[2]) + k) for k in range(10)))

asyncio.run(main())
"""


def killed_after(folder: Path, first: int, lines: int) -> set[int]:
    """Run a writing process, kill it after so many acknowledgements; the batches that it was told are stored."""
    command = [sys.executable, "-c", WRITER, str(folder), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.readlines()
    return {int(line.split()[0]) for line in told if line.endswith("\n")}


@pytest.mark.slow
def test_kill_9_loses_nothing_acknowledged(tmp_path: Path) -> None:
    acknowledged: set[int] = set()
    for turn, lines in enumerate((1, 37, 250, 400, 90)):
        told = killed_after(tmp_path, turn * 10_000, lines)
        assert len(told) >= lines
        acknowledged |= told
        store = open_store(tmp_path)
        frame = SnapshotSource(store.snapshot(), CATALOG).scan("execution.events", ["@row", "cpu_time"]).collect()
        store.abandon()
        counts = frame.group_by(frame["cpu_time"] // 1000).len()
        assert set(counts["len"]) == {5}
        assert frame["cpu_time"].n_unique() == frame["@row"].n_unique() == frame.height
        assert acknowledged <= set(counts["cpu_time"])
