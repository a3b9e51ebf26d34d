"""Sealing beside the appends: they are acknowledged and visible meanwhile, and what fails or stops at any operation
loses, doubles and shows nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs

from storage.tables.api import JournalCorrupt, SnapshotSource, StorageFailed, open_tables
from storage.tables.fakes import FaultyFiles, PowerCutError
from storage.tables.files import Files
from storage.tables.journal import journal_numbers
from storage.tables.manifest import write_manifest
from storage.tables.rows import Ack, Batch
from storage.tables.store import Store
from tests.storage.tables.world import CATALOG, batch, clock, open_store, problems, source_of

FIRST = [batch(number, rows=3) for number in range(3)]
MEANWHILE = [batch(number, rows=3) for number in range(3, 9)]


class Between(FaultyFiles):
    """A disk on which something happens before each operation, but for those of what happens."""

    then: Callable[[], None] | None = None

    def sync(self, handle: int) -> None:
        self._happen()
        super().sync(handle)

    def sync_folder(self, path: Path) -> None:
        self._happen()
        super().sync_folder(path)

    def rename(self, source: Path, target: Path) -> None:
        self._happen()
        super().rename(source, target)

    def remove(self, path: Path) -> None:
        self._happen()
        super().remove(path)

    def _happen(self) -> None:
        then, self.then = self.then, None
        if then is not None:
            then()
            self.then = then


def sealed_among_appends(folder: Path, files: Between, told: list[Batch]) -> Store:
    """A store that seals, with an append between any two operations of that; what it acknowledged, into `told`."""
    store = open_store(folder, files)
    left = iter(MEANWHILE)

    def append() -> None:
        for item in [*FIRST[len(told) :], *([more] if (more := next(left, None)) else [])]:
            if isinstance(store.commit([item])[0], Ack):
                told.append(item)
            assert list(problems(source_of(store), told)) == []

    try:
        append()
        cut = store.cut()
        assert cut is not None
        files.then = append
        made = store.write(cut)
        files.then = None
        store.sealed(made)
    finally:
        files.then = None
        store.abandon()
    return store


def test_appends_between_the_operations_of_a_sealing(tmp_path: Path) -> None:
    told: list[Batch] = []
    store = sealed_among_appends(tmp_path / "store", Between(tmp_path / "limbo"), told)
    assert told == [*FIRST, *MEANWHILE]
    assert list(problems(source_of(store), told)) == []
    assert sum(item.rows for item in store.manifest.segments) == 3 * (len(FIRST) + 1)
    assert journal_numbers(store.folder) == [2]
    store = open_store(tmp_path / "store")
    assert list(problems(source_of(store), told)) == []
    store.close()
    assert journal_numbers(store.folder) == []


@pytest.mark.slow
@pytest.mark.parametrize("late", [False, True])
def test_power_cut_at_every_operation_of_both(tmp_path: Path, late: bool) -> None:
    at, cut = 0, True
    while cut:
        at += 1
        told: list[Batch] = []
        folder, files = tmp_path / f"store-{at}", Between(tmp_path / f"limbo-{at}", cut_at=at, late=late)
        with contextlib.suppress(PowerCutError):
            sealed_among_appends(folder, files, told)
        if cut := files.dead:
            files.lose(folder, at)
        store = open_store(folder)
        assert list(problems(source_of(store), told, [item for item in [*FIRST, *MEANWHILE] if item not in told])) == []
        store.abandon()
    assert at > 40


def test_what_could_not_be_sealed_is_sealed_by_the_next(tmp_path: Path) -> None:
    files = FaultyFiles(tmp_path / "limbo")
    store = open_store(tmp_path / "store", files)
    for item in FIRST:
        assert isinstance(store.commit([item])[0], Ack)
        cut = store.cut()
        assert cut is not None
        files.fail_from_now()
        with pytest.raises(StorageFailed):
            store.write(cut)
        files.heal()
        store.not_sealed()
    assert journal_numbers(store.folder) == [1, 2, 3]
    assert list(problems(source_of(store), FIRST)) == []
    store.abandon()
    store = open_store(tmp_path / "store", files)
    assert list(problems(source_of(store), FIRST)) == []
    store.seal()
    assert not store.state.dirty
    assert journal_numbers(store.folder) == []
    assert list(problems(source_of(store), FIRST)) == []
    store.abandon()


def test_a_frame_that_does_not_follow_what_is_sealed_is_damage(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.commit(FIRST[:1])
    store.seal()
    store.commit(FIRST[1:])
    store.abandon()
    write_manifest(Files(), tmp_path, structs.replace(store.manifest, next_row=1))
    with pytest.raises(JournalCorrupt, match="does not follow what is stored"):
        open_store(tmp_path)
    write_manifest(Files(), tmp_path, store.manifest)
    store = open_store(tmp_path)
    assert list(problems(source_of(store), FIRST)) == []
    store.abandon()


class Held(Files):
    """A disk on which the thread that seals waits until it may go on."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def create(self, path: Path) -> int:
        if threading.current_thread().name == "muster-sealing":
            self.reached.set()
            assert self.go_on.wait(60)
        return super().create(path)


def test_the_store_goes_on_while_it_seals(tmp_path: Path) -> None:
    async def run() -> None:
        files = Held()
        tables = await open_tables(tmp_path, CATALOG, clock=clock, files=files)
        for item in FIRST:
            await tables.append(item)
        waiting = [asyncio.create_task(tables.seal()), asyncio.create_task(tables.compact())]
        await asyncio.to_thread(files.reached.wait, 60)
        for item in MEANWHILE:
            assert await tables.append(item) == Ack(item.sequence, 6)
            source = SnapshotSource(await tables.snapshot(), CATALOG)
            assert list(problems(source, [*FIRST, *MEANWHILE[: MEANWHILE.index(item) + 1]])) == []
        assert not list(tmp_path.glob("segments/*.arrow"))
        ending = asyncio.create_task(tables.close())
        await asyncio.sleep(0)
        assert not any(task.done() for task in [*waiting, ending])
        files.go_on.set()
        await asyncio.gather(*waiting, ending, return_exceptions=True)
        assert waiting[0].exception() is None

    asyncio.run(run())
    assert journal_numbers(tmp_path) == []
    store = open_store(tmp_path)
    assert list(problems(source_of(store), [*FIRST, *MEANWHILE])) == []
    store.abandon()
