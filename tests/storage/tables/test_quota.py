"""However many things a device invents, it brings a bounded number of ids into being a day; the rest is `other`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from storage.tables.errors import Refused
from storage.tables.rows import Ack, Batch, Rows
from storage.tables.store import Store
from tests.storage.tables.world import NOW, batch, executions, open_store, problems, source_of

DAY = 86_400_000_000


def hostile(number: int, binaries: int, *, device: str = "evil", most: int | None = 100, received: int = NOW) -> Batch:
    """A batch of executions of binaries that nobody ever saw."""
    names = [f"{device} {number}-{each}" for each in range(binaries)]
    columns: dict[str, list[Any]] = {
        "@device": [device] * binaries,
        "@binary": names,
        "start_time": [NOW] * binaries,
        "end_time": [NOW + 1] * binaries,
        "bucket_duration": [1] * binaries,
    }
    return Batch(device, 1, "e", number, received, (Rows("execution.events", columns),), most)


def binaries(store: Store) -> list[str]:
    uids: list[str] = source_of(store).scan("binary.binaries", ["uid"]).collect()["uid"].to_list()
    return uids


def stored(store: Store, *batches: Batch) -> None:
    assert all(isinstance(outcome, Ack) for outcome in store.commit(batches))


def test_a_hostile_device_is_bounded(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    stored(store, hostile(0, 60))
    stored(store, hostile(1, 60), hostile(2, 60))  # in one group
    for number in range(3, 20):
        stored(store, hostile(number, 500))
    assert len(binaries(store)) == 101
    assert binaries(store)[100] == "other"
    rows = executions(source_of(store))
    assert rows.height == 180 + 17 * 500  # no row is lost
    assert rows.filter(pl.col("binaries") == "other").height == rows.height - 100
    store.abandon()


def test_others_are_not_bounded_by_it(tmp_path: Path) -> None:
    store, honest = open_store(tmp_path), [replace(batch(number), most_new=100) for number in range(6)]
    stored(store, hostile(0, 500))
    stored(store, *honest)
    stored(store, hostile(0, 300, device="portal", most=None))
    named = {name for item in honest for name in item.rows[2].columns["@binary"]}
    assert len(binaries(store)) == 101 + len(named) + 300
    known = source_of(store).scan("execution.events", ["@device"]).collect().height
    assert known == 500 + 30 + 300
    store.abandon()


def test_what_is_known_stays_known(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    stored(store, hostile(0, 100))
    again = hostile(0, 100)
    stored(store, replace(again, sequence=1), hostile(2, 1))
    assert len(binaries(store)) == 101
    rows = executions(source_of(store))
    assert rows.filter(pl.col("binaries") == "other").height == 1
    store.abandon()


def test_the_next_day_begins_anew_and_a_clock_set_back_does_not(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    stored(store, hostile(0, 150))
    stored(store, hostile(1, 150, received=NOW - DAY))
    assert len(binaries(store)) == 101
    stored(store, hostile(2, 150, received=NOW + DAY))
    assert len(binaries(store)) == 201
    store.abandon()


def test_a_replayed_journal_counts(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    stored(store, hostile(0, 150))
    store.abandon()
    store = open_store(tmp_path)
    stored(store, hostile(1, 150))
    assert len(binaries(store)) == 101
    store.abandon()
    store = open_store(tmp_path)
    assert len(binaries(store)) == 101
    store.abandon()


def test_what_was_refused_does_not_count(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    wrong = hostile(0, 90)
    broken = replace(wrong, rows=(*wrong.rows, Rows("nothing", {"x": [1]})))
    assert isinstance(store.commit([broken])[0], Refused)
    stored(store, hostile(1, 100))
    assert "other" not in binaries(store)
    store.abandon()


def test_objects_beside_others(tmp_path: Path) -> None:
    """What a device has: its own `other`."""
    store = open_store(tmp_path)
    names = [f"disk {number}" for number in range(150)]
    rows = Rows("device.disks", {"@device": ["evil"] * 150, "name": names})
    stored(store, Batch("evil", 1, "e", 0, NOW, (rows,), 100))
    disks = source_of(store).scan("device.disks", ["@device", "name"]).collect()
    assert sorted(disks["name"]) == sorted([*names[:100], "other"])
    assert disks["@device"].n_unique() == 1
    store.abandon()


def test_pairs_without_a_text_are_refused(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    names = [f"package {number}" for number in range(60)]
    stored(store, Batch("portal", 0, "e", 0, NOW, (Rows("package.packages", {"uid": names}),)))
    rows = Rows("package.installed_packages", {"@device": ["evil"] * 60, "@package": names})
    [outcome] = store.commit([Batch("evil", 1, "e", 0, NOW, (rows,), 50)])
    assert isinstance(outcome, Refused)
    assert "too many new package.installed_packages" in outcome.reason
    store.abandon()


@pytest.mark.parametrize("most", [None, 100])
def test_honest_batches_are_as_ever(tmp_path: Path, most: int | None) -> None:
    store, sent = open_store(tmp_path), [replace(batch(number), most_new=most) for number in range(6)]
    stored(store, *sent)
    assert list(problems(source_of(store), sent)) == []
    store.abandon()
