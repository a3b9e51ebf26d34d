"""A copy taken beside a store at work is one that the store could have left at one instant."""

from __future__ import annotations

import itertools
import os
import shutil
import threading
from pathlib import Path

import pytest

from storage.tables import copying
from storage.tables.copying import hold, marked
from storage.tables.errors import StorageFailed
from storage.tables.manifest import read_manifest
from storage.tables.store import Store
from tests.storage.tables.world import batch, compact, open_store, problems, source_of


def stored_in(folder: Path) -> int:
    """How many batches a copy holds; it must be sound."""
    store = open_store(folder)
    count = max((marked(store.state.marks, f"device-{n}", "epoch") for n in range(3)), default=-1) + 1
    assert list(problems(source_of(store), [batch(n, rows=2) for n in range(count)])) == []
    store.abandon()
    return count


def test_beside_a_store_at_work(tmp_path: Path) -> None:
    store, over = open_store(tmp_path / "store"), threading.Event()
    store.commit([batch(0, rows=2)])

    def work() -> None:
        for number in itertools.count(1):
            if over.is_set():
                return
            store.commit([batch(number, rows=2)])
            if number % 2 == 0:
                store.seal()
            if number % 5 == 0:
                compact(store)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for number in range(12):
            hold(tmp_path / "store", tmp_path / f"copy-{number}")
    finally:
        over.set()
        thread.join()
    counts = [stored_in(tmp_path / f"copy-{number}") for number in range(12)]
    assert counts == sorted(counts)
    assert counts[0] >= 1
    store.abandon()


def test_a_manifest_that_is_replaced_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(tmp_path / "store")
    store.commit([batch(0, rows=2)])
    whole = copying._copy
    done: list[bool] = []

    def replaced(*given: object) -> None:
        if not done:
            done.append(True)
            store.commit([batch(1, rows=2)])
            store.seal()  # the journal of the former manifest is gone now
        whole(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(copying, "_copy", replaced)
    held = hold(tmp_path / "store", tmp_path / "copy")
    assert held is not None
    assert held == read_manifest(tmp_path / "store")
    store.abandon()
    assert stored_in(tmp_path / "copy") == 2


def test_a_manifest_that_never_rests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, whole, numbers = open_store(tmp_path / "store"), copying._copy, itertools.count()

    def replaced(*given: object) -> None:
        whole(*given)  # type: ignore[arg-type]
        store.commit([batch(next(numbers), rows=1)])
        store.seal()

    monkeypatch.setattr(copying, "_copy", replaced)
    monkeypatch.setattr(copying, "TRIES", 3)
    with pytest.raises(StorageFailed, match="try again later"):
        hold(tmp_path / "store", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    store.abandon()


def test_a_lost_file_is_no_reason_to_wait(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    store.commit([batch(0)])
    store.close()
    next((tmp_path / "store" / "segments").iterdir()).unlink()
    with pytest.raises(FileNotFoundError):
        hold(tmp_path / "store", tmp_path / "copy")


def test_a_frame_that_is_being_written(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    store.commit([batch(0, rows=2)])
    store.commit([batch(1, rows=2)])
    store.abandon()
    journal = next((tmp_path / "store").glob("journal-*"))
    journal.write_bytes(journal.read_bytes()[:-100])
    hold(tmp_path / "store", tmp_path / "copy")
    assert next((tmp_path / "copy").glob("journal-*")).stat().st_size < journal.stat().st_size
    assert stored_in(tmp_path / "copy") == 1


def test_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    store = open_store(tmp_path / "store")
    store.commit([batch(0, rows=2)])
    store.close()
    monkeypatch.setattr(os, "link", refused)
    hold(tmp_path / "store", tmp_path / "copy")
    shutil.rmtree(tmp_path / "store")
    assert stored_in(tmp_path / "copy") == 1


def test_no_store(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    assert hold(tmp_path / "store", tmp_path / "copy") is None
    assert not (tmp_path / "copy").exists()


def test_marks_of_nobody(tmp_path: Path) -> None:
    store: Store = open_store(tmp_path / "store")
    assert marked(store.state.marks, "portal", "epoch") == 0
    store.abandon()
