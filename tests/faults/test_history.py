"""The checker of histories finds each kind of fault, also in a store that hides an acknowledged row; and a store at
work, with all its care beside, gives it nothing to find."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from storage.tables.api import Snapshot, Tables, open_tables
from storage.tables.read import SnapshotSource
from tests.faults.history import History
from tests.storage.tables.world import CATALOG, FOREVER, NOW, batch, executions

WRITERS = ("one", "two", "three")
BATCHES = 40
ROWS = 4


def written(history: History, rows: range, *, stored: bool | None = True) -> None:
    write = history.sends("one", rows)
    if stored is not None:
        history.told(write, stored=stored)


def read(history: History, *rows: int, until: int = 0) -> None:
    history.saw("reader", history.now(), rows, until)


def test_what_is_sound_is_explained() -> None:
    history = History()
    read(history)
    written(history, range(3))
    read(history, 0, 1, 2)
    written(history, range(3, 6), stored=None)
    read(history, 0, 1, 2)
    read(history, 0, 1, 2, 3, 4, 5)
    written(history, range(6, 9), stored=False)
    read(history, 5, 4, 3, 2, 1, 0, until=1)
    erasure = history.erases("one")
    read(history, 0, 1, 2, until=1)
    read(history, until=2)
    history.erased(erasure)
    read(history, until=2)
    assert list(history.problems()) == []


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((), "lacks acknowledged rows"),
        ((0, 1), "half a batch"),
        ((0, 1, 1, 2), "more than once"),
        ((0, 1, 2, 99), "nobody had sent"),
    ],
)
def test_what_is_not_is_told(rows: tuple[int, ...], said: str) -> None:
    history = History()
    written(history, range(3))
    read(history, *rows)
    [problem] = history.problems()
    assert said in problem


def test_what_was_seen_stays() -> None:
    history = History()
    written(history, range(3), stored=None)
    read(history, 0, 1, 2, until=2)
    read(history, until=1)
    lost, back = history.problems()
    assert "seen before" in lost
    assert "complete until 1" in back


def test_what_was_refused_is_not_seen() -> None:
    history = History()
    written(history, range(3), stored=False)
    read(history, 0, 1, 2)
    [problem] = history.problems()
    assert "nobody had sent" in problem


def test_what_was_erased_is_not_seen() -> None:
    history = History()
    written(history, range(3))
    history.erased(history.erases("one"))
    read(history, 0, 1, 2)
    [problem] = history.problems()
    assert "erased rows" in problem


class World:
    """A store at work: writers, readers in threads of their own, and care beside. `shown` is what readers get of a
    snapshot."""

    def __init__(self, tables: Tables, shown: Callable[[Snapshot], Snapshot]) -> None:
        self.tables = tables
        self.history = History()
        self.shown = shown
        self.over = threading.Event()
        self.cared = 0

    async def run(self) -> None:
        """Everything at once, until all is written."""
        reading = [asyncio.create_task(self.read(f"reader {number}")) for number in range(2)]
        care = asyncio.create_task(self.care())
        await asyncio.gather(*(self.write(number, name) for number, name in enumerate(WRITERS)))
        erasure = self.history.erases(WRITERS[0])
        assert await self.tables.erase("device.devices", WRITERS[0])
        self.history.erased(erasure)
        self.over.set()
        await asyncio.gather(*reading, care)
        await self.look("the last")

    async def write(self, number: int, name: str) -> None:
        """Send batches, each as soon as the one before is acknowledged."""
        for sequence in range(1, BATCHES + 1):
            item = replace(batch(1000 * number + sequence, device=name, rows=ROWS), sequence=sequence)
            write = self.history.sends(name, item.rows[2].columns["cpu_time"])
            await self.tables.append(item)
            self.history.told(write, stored=True)

    async def read(self, name: str) -> None:
        """Look, again and again."""
        while not self.over.is_set():
            await self.look(name)

    async def look(self, name: str) -> None:
        """Ask for all rows."""
        began = self.history.now()
        held = await self.tables.snapshot()
        snapshot = self.shown(held)  # whose files stay for as long as the true one lives
        rows = await asyncio.to_thread(executions, SnapshotSource(snapshot, CATALOG))
        self.history.saw(name, began, rows["cpu_time"].to_list(), held.complete_until)

    async def care(self) -> None:
        """Seal and compact, in turn."""
        while not self.over.is_set():
            await (self.tables.seal() if self.cared % 3 else self.tables.compact(FOREVER))
            self.cared += 1


async def at_work(folder: Path, shown: Callable[[Snapshot], Snapshot]) -> World:
    """A world that has come to its end."""
    ticks = iter(range(NOW, NOW + 10**9))
    tables = await open_tables(folder, CATALOG, clock=lambda: next(ticks))
    try:
        world = World(tables, shown)
        await world.run()
    finally:
        await tables.close()
    return world


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_store_at_work_is_explained(tmp_path: Path) -> None:
    world = asyncio.run(at_work(tmp_path, lambda snapshot: snapshot))
    assert list(world.history.problems()) == []
    assert len(world.history.reads) > 10
    assert world.cared > 5
    rows = sorted(row for write in world.history.writes if write.writer != WRITERS[0] for row in write.rows)
    assert sorted(world.history.reads[-1].rows) == rows


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_store_that_hides_an_acknowledged_row_is_found_out(tmp_path: Path) -> None:
    def hiding(snapshot: Snapshot) -> Snapshot:
        [*before, last] = snapshot.tail or [None]
        if last is None:
            return snapshot
        return replace(snapshot, tail=(*(part for part in before if part), replace(last, frame=last.frame.head(-1))))

    world = asyncio.run(at_work(tmp_path, hiding))
    found = list(world.history.problems())
    assert any("half a batch" in problem for problem in found)
