"""What a process does while its system calls fail, and how somebody else looks at what it left.

In: a folder that `prepare` filled, and shared memory in which `run` notes what it was told: one byte for each batch and
account that was acknowledged. Out of `look`: nothing, or an error that says what is wrong. Invariants: `run` tries once
more what failed, as senders do, and may die anywhere; `look` needs no hand, it does what the next start does.
"""

from __future__ import annotations

import contextlib
import mmap
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from muster import backup
from muster.errors import MusterError, UsageError
from portal.settings import Settings
from storage.control.api import open_control
from storage.control.errors import ControlError
from storage.tables.errors import StoreError
from storage.tables.files import Files
from storage.tables.rows import Ack
from storage.tables.store import Store
from tests.storage.control.template import place
from tests.storage.tables.world import NOW, batch, compact, damaged, open_store, problems, source_of

BATCHES = [batch(number, rows=3) for number in range(8)]
ACCOUNTS = [f"account-{number}" for number in range(4)]
FIRST_ACCOUNT = len(BATCHES)  # in the notes


@dataclass(frozen=True)
class Story:
    """Its three parts."""

    prepare: Callable[[Path], None]
    run: Callable[[Path, mmap.mmap], None]
    look: Callable[[Path, bytes], None]


# --- storing -------------------------------------------------------------------------------------
def _prepare(folder: Path) -> None:
    place(Settings(folder).control)


class _Careless(Files):
    """A disk of which nobody hears when a write fails."""

    def write(self, handle: int, data: bytes | memoryview, offset: int) -> None:
        """As in Files, but for errors."""
        with contextlib.suppress(OSError):
            super().write(handle, data, offset)


def _store_carelessly(folder: Path, notes: mmap.mmap) -> None:
    _store(folder, notes, _Careless())


def _store(folder: Path, notes: mmap.mmap, files: Files | None = None) -> None:
    settings, store = Settings(folder), None
    for step in ([0, 1], ACCOUNTS[0], "seal", [2], "compact", [3, 4], ACCOUNTS[1], "again", [5], "compact", [6],
                 ACCOUNTS[2], "seal", [7], ACCOUNTS[3], "close"):  # fmt: skip
        store = store or _twice(lambda: open_store(settings.tables, files))
        if isinstance(step, list):
            _append(store, step, notes)
        elif step in ACCOUNTS:
            with contextlib.suppress(ControlError, OSError):
                _add(settings.control, step)
                notes[FIRST_ACCOUNT + ACCOUNTS.index(step)] = 1
        elif step == "again":
            store.abandon()
            store = None
        else:
            with contextlib.suppress(StoreError, OSError):
                _care(store, step)


def _care(store: Store, step: str) -> None:
    if step == "compact":
        compact(store)
    elif step == "seal":
        store.seal()
    else:
        store.close()


def _twice(work: Callable[[], Store]) -> Store:
    try:
        return work()
    except (OSError, StoreError):
        return work()


def _append(store: Store, numbers: list[int], notes: mmap.mmap) -> None:
    for _ in range(2):
        outcomes = store.commit([BATCHES[number] for number in numbers])
        for number, outcome in zip(numbers, outcomes, strict=True):
            if isinstance(outcome, Ack):
                notes[number] = 1


def _add(path: Path, name: str) -> None:
    control = open_control(path, now=NOW)
    try:
        control.accounts.create(name, "hash", [], "UTC", by="test", now=NOW)
    finally:
        control.close()


def _look(folder: Path, notes: bytes) -> None:
    """Open what was left, as a start does; send everything again, as senders do."""
    settings = Settings(folder)
    told = [item for number, item in enumerate(BATCHES) if notes[number]]
    store = open_store(settings.tables)
    wrong = list(problems(source_of(store), told, [item for item in BATCHES if item not in told]))
    assert not wrong, wrong
    assert all(isinstance(outcome, Ack) for outcome in store.commit(BATCHES))
    compact(store)
    wrong = [item for item in problems(source_of(store), BATCHES) if "rows" in item or "points" in item]
    assert not wrong, wrong
    store.close()
    assert damaged(settings.tables) == []
    _look_at_control(settings.control, [name for at, name in enumerate(ACCOUNTS) if notes[FIRST_ACCOUNT + at]])


def _look_at_control(path: Path, told: list[str]) -> None:
    control = open_control(path, now=NOW)
    try:
        for name in ACCOUNTS:
            there = control.accounts.by_name(name) is not None
            assert there or name not in told, f"{name} is lost"
            if not there:
                control.accounts.create(name, "hash", [], "UTC", by="test", now=NOW)
        assert control.audit.verify().broken is None
    finally:
        control.close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


# --- backups -------------------------------------------------------------------------------------
def _fill(folder: Path) -> None:
    settings = Settings(folder / "data")
    place(settings.control)
    store = open_store(settings.tables)
    for numbers in ([0, 1, 2], [3, 4], [5, 6, 7]):
        assert all(isinstance(outcome, Ack) for outcome in store.commit([BATCHES[number] for number in numbers]))
        if 0 in numbers:
            compact(store)
        if 3 in numbers:
            store.seal()
    store.abandon()
    (folder / "data" / "portal.key").write_bytes(b"k" * 32)


def _back_up(folder: Path, notes: mmap.mmap) -> None:
    for at, name in enumerate(("whole.tar", "whole")):
        with contextlib.suppress(MusterError, UsageError):
            backup.make(folder / "data", folder / name)
            notes[at] = 1
    for at, name in enumerate(("whole.tar", "whole")):
        with contextlib.suppress(MusterError, UsageError):
            backup.restore(folder / name, folder / f"restored-{at}")
            notes[2 + at] = 1


def _look_at_backups(folder: Path, notes: bytes) -> None:
    """What has its name is whole; what was said to be there is; all works the next time."""
    for at, name in enumerate(("whole.tar", "whole")):
        assert (folder / name).exists() or not notes[at], f"{name} is lost"
        if not (folder / name).exists():
            backup.make(folder / "data", folder / name)
        backup.restore(folder / name, folder / f"again-{at}")
        assert (folder / f"restored-{at}").exists() or not notes[2 + at], f"restored-{at} is lost"
    backup.make(folder / "data", folder / "more")
    assert not list((folder / "data").glob(".backup-*"))
    for data in [folder / "data", *folder.glob("again-*"), *folder.glob("restored-*")]:
        assert (data / "portal.key").read_bytes() == b"k" * 32
        store = open_store(Settings(data).tables)
        wrong = list(problems(source_of(store), BATCHES))
        assert not wrong, (data.name, wrong)
        store.abandon()
        assert damaged(Settings(data).tables) == []
        _look_at_control(Settings(data).control, [])


PLANTED = Story(_prepare, _store_carelessly, _look)  # a fault that must be found
STORIES = {"storing": Story(_prepare, _store, _look), "backups": Story(_fill, _back_up, _look_at_backups)}
