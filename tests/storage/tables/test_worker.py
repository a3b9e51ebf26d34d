"""A process of its own compacts as a thread does; whatever ends it leaves nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nql.catalog.load import builtin
from storage.tables.compact import Stopped, Task, tasks
from storage.tables.errors import SegmentCorrupt, StorageFailed
from storage.tables.fakes import FaultyFiles
from storage.tables.files import Files
from storage.tables.store import Store
from storage.tables.worker import Worker, can_do
from tests.storage.tables.world import CATALOG, FOREVER, NOW, batch, damaged, open_store, problems, source_of

pytestmark = pytest.mark.slow

BATCHES = [batch(number, rows=150) for number in range(4)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with segments of two days."""
    store = open_store(tmp_path)
    store.commit(BATCHES)
    store.seal()
    yield store
    store.abandon()


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()


def waiting(store: Store) -> list[Task]:
    """The days to compact."""
    return list(tasks(store.snapshot(), store.schemas, NOW, FOREVER))


def made(store: Store) -> list[Path]:
    """The files that compaction made."""
    return sorted([*(store.folder / "lake").rglob("*.parquet"), *(store.folder / "rollups").iterdir()])


def test_it_makes_what_a_thread_makes(store: Store, worker: Worker) -> None:
    by = replace(store.compaction(), rollup_rows=0, most_rows=200)
    for task in waiting(store):
        here, there = by.run(task), worker.run(by, task)
        assert [(day.rows, day.sha256) for day in there.days] == [(day.rows, day.sha256) for day in here.days]
        assert [day.rollups.keys() for day in there.days] == [day.rollups.keys() for day in here.days]
        here.undo(store.files, store.folder)
        assert store.flip(there)
    assert list(problems(source_of(store), BATCHES)) == []
    assert damaged(store.folder) == []


def test_a_damaged_segment_is_told(store: Store, worker: Worker) -> None:
    task, other = waiting(store)
    path = store.folder / task.segments[0].file
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SegmentCorrupt, match=path.name):
        worker.run(store.compaction(), task)
    assert made(store) == []
    assert store.flip(worker.run(store.compaction(), other))  # it goes on


def test_a_disk_that_says_no_is_told(store: Store, worker: Worker) -> None:
    task = waiting(store)[0]
    (store.folder / "lake").rmdir()
    (store.folder / "lake").write_text("in the way")
    with pytest.raises(OSError, match="directory"):
        worker.run(store.compaction(), task)


def test_stopping_ends_it(store: Store, worker: Worker) -> None:
    with pytest.raises(Stopped):
        worker.run(store.compaction(lambda: True), waiting(store)[0])
    assert made(store) == []


def test_its_death_is_told_and_the_next_task_has_another(store: Store, worker: Worker) -> None:
    first, second = waiting(store)
    assert store.flip(worker.run(store.compaction(), first))
    kept = made(store)
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    killed = [
        int(child) for child in children if b"storage.tables.worker" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]
    assert len(killed) == 1
    os.kill(killed[0], signal.SIGKILL)
    with pytest.raises(StorageFailed, match="-9"):
        worker.run(store.compaction(), second)
    assert made(store) == kept
    assert store.flip(worker.run(store.compaction(), second))
    assert list(problems(source_of(store), BATCHES)) == []


def test_who_may_do_it(tmp_path: Path) -> None:
    assert can_do(Files(), builtin())
    assert not can_do(FaultyFiles(tmp_path), builtin())
    assert not can_do(Files(), CATALOG.overlay([], "1"))
