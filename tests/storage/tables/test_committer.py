"""A group that is written while the next one is encoded: what is stored and told is as if each had come alone, also
where writing fails."""

from __future__ import annotations

import errno
import random
from pathlib import Path

import pytest

from storage.tables.committer import Append, Committer
from storage.tables.errors import Refused, StorageFailed, StoreError
from storage.tables.files import Files
from storage.tables.rows import Ack, Batch, Rows
from storage.tables.store import Store
from tests.storage.tables.test_groups import drawn, held
from tests.storage.tables.world import NOW, batch, open_store

Told = list[tuple[Batch, Ack | StoreError]]


class Failing(Files):
    """A disk that fails the next write when it is told to."""

    fails = False

    def write(self, handle: int, data: bytes | memoryview, offset: int) -> None:
        if self.fails:
            self.fails = False
            raise OSError(errno.EIO, "Input/output error")
        super().write(handle, data, offset)


class World:
    """A store, and what was told of each batch."""

    def __init__(self, folder: Path) -> None:
        self.files, self.folder, self.told = Failing(), folder, Told()
        self.store = open_store(folder, self.files)
        self.committer = Committer(self.store, lambda: None)

    def commit(self, *batches: Batch, more: bool = False, fails: bool = False) -> None:
        """Have a group stored; `fails` tells that writing it will."""
        self.committer.land()
        self.files.fails = fails
        self.committer.commit([self._append(item) for item in batches], more=more)

    def begin(self, *batches: Batch) -> None:
        """Have a group stored after the one that is being written."""
        self.committer.commit([self._append(item) for item in batches], more=False)

    def _append(self, item: Batch) -> Append:
        return Append(item, lambda outcome: self.told.append((item, outcome)))

    def opened_anew(self) -> Store:
        """The store as a crash would leave it."""
        self.committer.land()
        self.committer.close()
        self.store.abandon()
        return open_store(self.folder)


def test_answers_come_in_order_and_what_they_say_is_kept(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.commit(batch(0), batch(1), more=True)
    assert (world.committer.under_way, world.told) == (True, [])
    world.begin(batch(2), batch(0))
    assert [outcome for _, outcome in world.told] == [Ack(0, 8), Ack(1, 8), Ack(2, 8), Ack(0, 0, duplicate=True)]
    expected = held(world.store)
    store = world.opened_anew()
    assert held(store) == expected
    store.abandon()


def test_what_was_encoded_after_a_failed_group_is_encoded_anew(tmp_path: Path) -> None:
    world, alone = World(tmp_path / "a"), open_store(tmp_path / "b")
    world.commit(batch(0), batch(1), more=True, fails=True)
    world.begin(batch(2), batch(0))  # one that is there already, if only the first group were
    assert [type(outcome) for _, outcome in world.told] == [StorageFailed, StorageFailed, Ack, Ack]
    assert alone.commit([batch(2), batch(0)]) == [outcome for _, outcome in world.told[2:]]
    assert held(world.store) == held(alone)
    store = world.opened_anew()
    assert held(store) == held(alone)
    store.abandon()
    alone.abandon()


def test_a_device_is_known_from_its_own_group_on(tmp_path: Path) -> None:
    world, alone = World(tmp_path / "a"), open_store(tmp_path / "b")
    boots = Rows("device_performance.boots", {"@device": ["other"], "time": [NOW]})
    early = Batch("late", 1, "e", 0, NOW - 5, (boots,))
    late = Batch("import:x", 1, "e", 0, NOW, (Rows("device.devices", {"uid": ["late"]}),))
    world.commit(early, more=True)
    world.begin(late)
    alone.commit([early])
    alone.commit([late])
    assert held(world.store) == held(alone)
    store = world.opened_anew()
    assert held(store) == held(alone)
    store.abandon()
    alone.abandon()


@pytest.mark.parametrize("seed", range(4))
def test_groups_under_way_change_nothing(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    world, alone = World(tmp_path / "a"), open_store(tmp_path / "b")
    left = [drawn(chance, number) for number in range(60)]
    while left:
        group, left = left[: (size := chance.randrange(1, 9))], left[size:]
        if chance.random() < 0.3:
            world.commit(*group, more=True, fails=chance.random() < 0.5)
        else:
            world.begin(*group)
    world.committer.land()
    for item, outcome in world.told:
        if not isinstance(outcome, StorageFailed):
            [expected] = alone.commit([item])
            assert str(outcome) == str(expected)
    kinds = {type(outcome) for _, outcome in world.told}
    assert kinds == {Ack, Refused, StorageFailed}
    assert held(world.store) == held(alone)
    store = world.opened_anew()
    assert held(store) == held(alone)
    store.abandon()
    alone.abandon()
