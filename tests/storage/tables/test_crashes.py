"""Whatever operation fails, and wherever the power goes: nothing acknowledged is lost, doubled or half there."""

from __future__ import annotations

import contextlib
import errno
import random
from pathlib import Path

import pytest

from storage.tables.errors import StorageFailed, StorageFull, StoreError
from storage.tables.fakes import FaultyFiles, PowerCutError
from storage.tables.rows import Ack, Batch
from storage.tables.state import Cut
from storage.tables.store import Store
from tests.storage.tables.world import batch, compact, open_store, problems, source_of

HISTORY: list[list[int] | str] = [
    [0, 1], [2], "cut", [3, 4], "write", "compact", [5], "reopen", [6], "snapshot", "compact", [7], "seal",
]  # fmt: skip
BATCHES = [batch(number, rows=3) for number in range(8)]


class Run:
    """The history, run over files that fail; what was acknowledged, and what was refused for want of a disk."""

    def __init__(self, folder: Path, files: FaultyFiles) -> None:
        self.folder = folder
        self.files = files
        self.acknowledged: list[Batch] = []
        self.failed: list[Batch] = []
        self.held: object = None
        self.store: Store | None = None
        self.begun: Cut | None = None

    def all(self) -> None:
        """Run it to the end; whatever fails is tried once more at once, as a sender would."""
        self.open()
        for step in HISTORY:
            if isinstance(step, list):
                self.append([BATCHES[number] for number in step])
            elif step == "seal":
                self.seal()
            elif step == "cut":
                self.cut()
            elif step == "write":
                self.write()
            elif step == "compact":
                self.compact()
            elif step == "snapshot":
                assert self.store is not None
                self.held = self.store.snapshot()
            else:
                assert self.store is not None
                self.store.abandon()
                self.open()
        assert self.store is not None
        self.store.close()

    def open(self) -> None:
        """Open the folder, again if it fails."""
        try:
            self.store = open_store(self.folder, self.files)
        except OSError:
            self.store = open_store(self.folder, self.files)

    def append(self, batches: list[Batch]) -> None:
        """Append, and those that failed again."""
        assert self.store is not None
        left = self._try(batches)
        if left and self._try(left):
            self.failed += left

    def _try(self, batches: list[Batch]) -> list[Batch]:
        assert self.store is not None
        outcomes = self.store.commit(batches)
        self.acknowledged += [item for item, outcome in zip(batches, outcomes, strict=True) if isinstance(outcome, Ack)]
        return [item for item, outcome in zip(batches, outcomes, strict=True) if isinstance(outcome, StoreError)]

    def seal(self) -> None:
        """Seal; a failure of it loses nothing."""
        assert self.store is not None
        try:
            self.store.seal()
        except StorageFailed:
            return

    def cut(self) -> None:
        """Begin to seal as the writer does, which goes on appending."""
        assert self.store is not None
        try:
            self.begun = self.store.cut()
        except StorageFailed:
            self.begun = None

    def write(self) -> None:
        """Seal what was cut."""
        assert self.store is not None
        if self.begun is None:
            return
        try:
            made = self.store.write(self.begun)
        except StorageFailed:
            self.store.not_sealed()
            return
        self.store.sealed(made)

    def compact(self) -> None:
        """Compact every day; a failure of it loses nothing."""
        assert self.store is not None
        try:
            compact(self.store)
        except (OSError, StorageFailed):
            return


def operations(tmp_path: Path) -> int:
    """How many operations the history takes when nothing fails."""
    files = FaultyFiles(tmp_path / "limbo")
    run = Run(tmp_path / "dry", files)
    run.all()
    assert run.acknowledged == BATCHES
    return files.count


def check_after(folder: Path, acknowledged: list[Batch], failed: list[Batch]) -> None:
    """Open the folder on a sound disk: all is well; and what was never acknowledged can be sent again."""
    store = open_store(folder)
    assert list(problems(source_of(store), acknowledged, failed)) == []
    outcomes = store.commit(BATCHES)
    assert all(isinstance(outcome, Ack) for outcome in outcomes)
    known = [
        item for item, outcome in zip(BATCHES, outcomes, strict=True) if isinstance(outcome, Ack) and outcome.duplicate
    ]
    assert all(item in known for item in acknowledged)
    assert not [item for item in problems(source_of(store), BATCHES) if "rows" in item or "points" in item]
    store.close()
    store = open_store(folder)
    assert not [item for item in problems(source_of(store), BATCHES) if "rows" in item or "points" in item]
    store.abandon()


def cut_and_check(tmp_path: Path, files: FaultyFiles, seed: int) -> bool:
    """Run the history until the power goes, and open what is left; whether the power went before the end."""
    run = Run(tmp_path / f"store-{seed}", files)
    with contextlib.suppress(PowerCutError):
        run.all()
    if run.store is not None:
        run.store.abandon()
    files.lose(run.folder, seed)
    check_after(run.folder, run.acknowledged, [item for item in BATCHES if item not in run.acknowledged])
    return files.dead


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", range(3))
def test_power_cut_at_every_operation(tmp_path: Path, seed: int) -> None:
    for at in range(1, operations(tmp_path) + 1):
        files = FaultyFiles(tmp_path / f"limbo-{at}", cut_at=at, late=bool((at + seed) % 2))
        assert cut_and_check(tmp_path, files, seed * 10_000 + at)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_power_cut_after_an_error(tmp_path: Path) -> None:
    total, chance, cuts = operations(tmp_path), random.Random(7), 0
    for seed in range(120):
        at = chance.randint(1, total * 3 // 4)
        files = FaultyFiles(
            tmp_path / f"limbo-{seed}", at=at, cut_at=chance.randint(at + 1, total), late=chance.random() < 0.5
        )
        cuts += cut_and_check(tmp_path, files, seed)
    assert cuts > 80  # the others were over before: what fails takes fewer operations


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("late", [False, True])
def test_error_at_every_operation(tmp_path: Path, late: bool) -> None:
    for at in range(1, operations(tmp_path) + 1):
        run = Run(tmp_path / f"store-{at}", FaultyFiles(tmp_path / f"limbo-{at}", at=at, late=late))
        run.all()
        assert run.acknowledged == BATCHES
        check_after(run.folder, BATCHES, [])


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_full_disk_at_every_operation(tmp_path: Path) -> None:
    for at in range(1, operations(tmp_path) + 1):
        files = FaultyFiles(tmp_path / f"limbo-{at}", at=at, lasting=True, code=errno.ENOSPC)
        run = Run(tmp_path / f"store-{at}", files)
        try:
            run.all()
        except OSError:  # no room even to make the folder
            assert run.acknowledged == []
        if run.store is not None:
            run.store.abandon()
        check_after(run.folder, run.acknowledged, run.failed)


def test_full_disk_and_room_again(tmp_path: Path) -> None:
    files = FaultyFiles(tmp_path / "limbo", code=errno.ENOSPC, lasting=True)
    store = open_store(tmp_path / "store", files)
    assert isinstance(store.commit([BATCHES[0]])[0], Ack)
    files.fail_from_now()
    outcome = store.commit([BATCHES[1], BATCHES[2]])
    assert all(isinstance(item, StorageFull) for item in outcome)
    with pytest.raises(StorageFull):
        store.seal()
    assert list(problems(source_of(store), [BATCHES[0]])) == []
    files.heal()
    assert all(isinstance(item, Ack) for item in store.commit([BATCHES[1], BATCHES[2]]))
    store.seal()
    assert list(problems(source_of(store), BATCHES[:3])) == []
    store.close()
    store = open_store(tmp_path / "store")
    assert list(problems(source_of(store), BATCHES[:3])) == []
    store.close()
