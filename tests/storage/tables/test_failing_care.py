"""Whatever operation fails while a folder is cared for (erased, repaired, migrated): nothing else is lost, doubled or
half there, and the next start needs no hand."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl
import pytest

from storage.tables.api import open_tables
from storage.tables.compact import tasks as to_compact
from storage.tables.erasing import tasks, touched
from storage.tables.errors import StoreError
from storage.tables.fakes import FaultyFiles, PowerCutError
from storage.tables.files import Files
from storage.tables.manifest import read_manifest
from storage.tables.repair import repair
from storage.tables.rows import Ack
from storage.tables.store import Store
from tests.fixtures.formats.reading import EVENTS
from tests.storage.tables.test_scrub import flip
from tests.storage.tables.world import (
    CATALOG,
    FOREVER,
    NOW,
    batch,
    clock,
    compact,
    damaged,
    executions,
    open_store,
    problems,
)
from tests.storage.tables.world import source_of as source

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

BATCHES = [batch(number, rows=3) for number in range(6)]
LATER = batch(7, rows=3)
GONE = "device-1"
REST = [item for item in BATCHES if item.source != GONE]
FORMAT_1 = Path(__file__).parents[2] / "fixtures" / "formats" / "1" / "data" / "tables"
FAULTS: Mapping[str, Callable[[Path, int], FaultyFiles]] = {
    "an error before": lambda limbo, at: FaultyFiles(limbo, at=at),
    "an error after": lambda limbo, at: FaultyFiles(limbo, at=at, late=True),
    "a full disk": lambda limbo, at: FaultyFiles(limbo, at=at, lasting=True, code=errno.ENOSPC),
    "a power cut before": lambda limbo, at: FaultyFiles(limbo, cut_at=at),
    "a power cut after": lambda limbo, at: FaultyFiles(limbo, cut_at=at, late=True),
}


def each(tmp_path: Path, folder: Path, fault: str, care: Callable[[Path, Files], object]) -> list[Path]:
    """Copies of a folder, each cared for on a disk that fails one operation later than the one before."""
    left: list[Path] = []
    while True:
        files, copy = FAULTS[fault](tmp_path / f"limbo-{len(left)}", len(left) + 1), tmp_path / f"copy-{len(left)}"
        shutil.copytree(folder, copy)
        with contextlib.suppress(OSError, StoreError, PowerCutError):
            care(copy, files)
        if files.dead:
            files.lose(copy, len(left))
        left.append(copy)
        if files.count < len(left):  # it was over before anything failed
            return left


def erase(folder: Path, files: Files) -> None:
    """Erase a device as the writer does: note it, write days anew until none has any of it, note that it is done."""
    store = open_store(folder, files)
    try:
        store.erase("device.devices", GONE)
        by, found = store.compaction(), True
        while found:
            todo = [less for task in tasks(store.manifest, store.schemas) if (less := touched(by, task))]
            found = sum(store.flip(by.run(task)) for task in todo) > 0
        store.erased()
    finally:
        store.abandon()


def filled(folder: Path) -> Path:
    """Days with states, segments and a journal."""
    store = open_store(folder)
    store.commit(BATCHES[:3])
    compact(store)
    store.commit(BATCHES[3:5])
    store.seal()
    store.commit(BATCHES[5:])
    store.abandon()
    return folder


def rows_of(store: Store) -> pl.DataFrame:
    return executions(source(store)).filter(pl.col("devices") != GONE).sort("@row")


async def gone_on(folder: Path) -> None:
    """A start that goes on by itself with what was noted."""
    tables = await open_tables(folder, CATALOG, clock=clock)
    async with asyncio.timeout(60):
        while tables._store.manifest.erasing or tables._store.leaving:
            await tables.seal()
    await tables.close()


@pytest.mark.parametrize("fault", FAULTS)
def test_erasing(tmp_path: Path, fault: str) -> None:
    before = filled(tmp_path / "before")
    store = open_store(before)
    wanted = rows_of(store)
    store.abandon()
    kept = erased = 0
    copies = each(tmp_path, before, fault, erase)
    for copy in copies:
        asyncio.run(gone_on(copy))
        assert damaged(copy) == []
        store = open_store(copy)
        assert rows_of(store).equals(wanted)
        there = GONE in source(store).scan("devices", ["uid"]).collect()["uid"].to_list()
        stored = BATCHES if there else REST
        assert [item for item in problems(source(store), stored) if "gaps" not in item] == []
        assert store.erase("device.devices", GONE) is there
        assert isinstance(store.commit([LATER])[0], Ack)
        store.abandon()
        kept, erased = kept + there, erased + (not there)
    assert kept > 5
    assert erased > 20


@pytest.mark.parametrize("fault", FAULTS)
def test_repairing(tmp_path: Path, fault: str) -> None:
    before = filled(tmp_path / "before")
    open_store(before).close()
    manifest = read_manifest(before)
    assert manifest is not None
    lost, day = manifest.segments[0], manifest.days[0]
    whole = sum(item.rows for item in manifest.segments) + sum(item.rows for item in manifest.days)
    flip(before / lost.file)
    for rollup in day.rollups.values():
        flip(before / rollup.file)
    for entry in (before / "lake" / "execution.events" / "_delta_log").iterdir():
        entry.write_text("{}")
    (before / "segments" / "left.arrow").write_bytes(b"x")
    copies = each(tmp_path, before, fault, lambda copy, files: list(repair(copy, CATALOG, clock, [lost.file], files)))
    for copy in copies:
        again = [name for name in (lost.file,) if copy / name in damaged(copy)]
        list(repair(copy, CATALOG, clock, again))
        assert damaged(copy) == []
        assert (copy / "quarantine" / lost.file.replace("/", "-")).exists()
        store = open_store(copy)
        assert executions(source(store)).height == whole - lost.rows
        store.abandon()
    assert len(copies) > 20


@pytest.mark.parametrize("fault", FAULTS)
def test_giving_up_a_journal(tmp_path: Path, fault: str) -> None:
    before = tmp_path / "before"
    store = open_store(before)
    lengths = []
    for item in BATCHES:
        lengths.append(store.journal.length)
        store.commit([item])
    store.abandon()
    path = before / "journal-00000001.log"
    whole = bytearray(path.read_bytes())
    whole[lengths[3] + 60] ^= 1
    path.write_bytes(whole)
    copies = each(tmp_path, before, fault, lambda copy, files: list(repair(copy, CATALOG, clock, [path.name], files)))
    for copy in copies:
        if copy / path.name in damaged(copy):
            list(repair(copy, CATALOG, clock, [path.name]))
        assert whole in [kept.read_bytes() for kept in (copy / "quarantine").iterdir()]
        store = open_store(copy)
        assert list(problems(source(store), BATCHES[:3])) == []
        assert all(isinstance(outcome, Ack) for outcome in store.commit(BATCHES))
        store.abandon()
    assert len(copies) > 8


@pytest.mark.parametrize("fault", FAULTS)
def test_migrating_format_1(tmp_path: Path, fault: str) -> None:
    before = tmp_path / "before"
    shutil.copytree(FORMAT_1, before)
    held = counted(before)

    def migrate(folder: Path, files: Files) -> None:
        store = Store(folder, CATALOG, zone=None, clock=clock, files=files)
        try:
            store.seal()
            for task in list(to_compact(store.snapshot(), store.schemas, NOW, FOREVER))[:1]:
                store.flip(store.compaction().run(task))
        finally:
            store.abandon()

    copies = each(tmp_path, before, fault, migrate)
    for copy in copies:
        assert counted(copy) == held
        assert damaged(copy) == []
    assert counted(copies[-1]) == held
    manifest = read_manifest(copies[-1])
    assert manifest is not None
    assert manifest.days
    assert len(copies) > 50


def counted(folder: Path) -> dict[str, tuple[int, int]]:
    """Rows of each event table and a sum over their numbers, as a copy of a folder answers them."""
    copy = folder.with_name(folder.name + "-looked-at")
    shutil.copytree(folder, copy)
    store = Store(copy, CATALOG, zone=None, clock=lambda: NOW)
    found = source(store)
    frames = {name: found.scan(name, ["@row"]).collect()["@row"].to_list() for name in EVENTS}
    store.abandon()
    shutil.rmtree(copy)
    return {name: (len(rows), sum(rows)) for name, rows in frames.items() if rows}
