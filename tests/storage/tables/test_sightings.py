"""When objects were seen: however batches are grouped, whoever looks between them, and after a crash, it is the same.

Comes in: batches of devices, of the portal and of an import, in a drawn order. Goes out: `first_seen` and `last_seen`
of every object. Invariant: they are those of one batch after the other, told by plain Python.
"""

from __future__ import annotations

import random
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from storage.tables.objects import MOST_SIGHTINGS
from storage.tables.rows import MAX_ROWS, Ack, Batch, Rows
from storage.tables.store import Store
from tests.storage.tables.world import NOW, open_store

EVENTS, DEVICES, USERS, BINARIES = "execution.events", "device.devices", "user.users", "binary.binaries"
KEYS = {DEVICES: "device", USERS: "user", BINARIES: "binary"}
QUARTER = 900_000_000
Seen = dict[str, dict[str, tuple[int, int]]]


def drawn(chance: random.Random, number: int) -> Batch:
    """A batch of events, perhaps with a user of whom it is said when it was first seen."""
    device = f"device-{chance.randrange(4)}"
    source = chance.choice([device, device, "import:test", "portal"])
    size = chance.randrange(1, 5)
    events: dict[str, list[Any]] = {
        "@device": [device, *(f"device-{chance.randrange(6)}" for _ in range(size - 1))],
        "@user": [chance.choice([None, *(f"user-{at}" for at in range(6))]) for _ in range(size)],
        "@binary": [f"binary-{chance.randrange(8)}" for _ in range(size)],
        "start_time": [NOW - chance.randrange(300) * QUARTER for _ in range(size)],
    }
    rows = [Rows(EVENTS, events)]
    if chance.random() < 0.3:
        said: dict[str, list[Any]] = {
            "uid": [f"user-{chance.randrange(6)}"],
            "first_seen": [NOW - chance.randrange(10**9)],
        }
        rows.insert(chance.randrange(2), Rows(USERS, said))
    return Batch(source, 1, "epoch", number, NOW + number, tuple(rows))


def keys(rows: Rows, table: str) -> set[str]:
    """The objects of a table that rows name."""
    named = rows.columns["uid"] if rows.table == table else rows.columns.get(f"@{KEYS[table]}", ())
    return {key for key in named if key is not None}


def told(batches: list[Batch]) -> Seen:
    """What is to be there, object by object."""
    found: dict[str, dict[str, list[int | None]]] = {table: {} for table in KEYS}

    def saw(table: str, key: str, time: int) -> None:
        first, last = found[table][key]
        found[table][key] = [time if first is None else min(first, time), time if last is None else max(last, time)]

    for item in batches:
        known = {table: set(held) for table, held in found.items()}
        named = [(table, key) for rows in item.rows for table in KEYS for key in keys(rows, table)]
        for table, key in named:
            found[table].setdefault(key, [None, None])
        device = item.source in found[DEVICES]
        for rows in item.rows:
            if rows.table == USERS:
                found[USERS][rows.columns["uid"][0]][0] = rows.columns["first_seen"][0]
            elif item.source != "portal":
                for table in KEYS:
                    for key, time in zip(rows.columns[f"@{KEYS[table]}"], rows.columns["start_time"], strict=True):
                        if key is not None and not (table == DEVICES and device):
                            saw(table, key, time)
        if device:
            saw(DEVICES, item.source, item.received)
        for table, key in named:
            if key not in known[table]:
                found[table][key] = [item.received if value is None else value for value in found[table][key]]
    return {
        table: {key: (first or 0, last or 0) for key, (first, last) in held.items()} for table, held in found.items()
    }


def seen(store: Store) -> Seen:
    """What is there."""
    objects = store.snapshot().objects
    return {
        table: {
            row["uid"]: (row["first_seen"], row["last_seen"])
            for row in objects[table].select(["uid", "first_seen", "last_seen"]).to_pylist()
        }
        for table in KEYS
        if table in objects
    }


@pytest.mark.parametrize("seed", range(12))
def test_groups_looks_and_crashes_change_nothing(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    batches = [drawn(chance, number) for number in range(40)]
    store, left = open_store(tmp_path), list(batches)
    while left:
        group, left = left[: (size := chance.randrange(1, 9))], left[size:]
        assert all(isinstance(outcome, Ack) for outcome in store.commit(group))
        match chance.randrange(5):
            case 0:
                seen(store)
            case 1:
                store.seal()
            case 2:
                store.abandon()
                store = open_store(tmp_path)
    expected = told(batches)
    assert seen(store) == {table: held for table, held in expected.items() if held}
    store.abandon()
    store = open_store(tmp_path)
    assert seen(store) == {table: held for table, held in expected.items() if held}
    store.abandon()


def test_sightings_that_nobody_asks_for_do_not_pile_up(tmp_path: Path) -> None:
    store, numbers = open_store(tmp_path), count(1)
    users = [f"user-{row % 100}" for row in range(MAX_ROWS)]
    for _ in range(MOST_SIGHTINGS // MAX_ROWS + 1):
        number = next(numbers)
        rows = Rows(EVENTS, {"@user": users, "start_time": [NOW + number] * MAX_ROWS})
        store.commit([Batch("import:test", 1, "epoch", number, NOW, (rows,))])
    assert store.state.objects[USERS].waiting < MOST_SIGHTINGS
    assert set(seen(store)[USERS].values()) == {(NOW + 1, NOW + number)}
    store.abandon()
