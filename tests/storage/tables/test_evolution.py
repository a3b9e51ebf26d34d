"""A catalog that grew or widened a field reads what was written before, wherever it lies, without writing it again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from nql.catalog.model import Catalog, Field
from nql.datatypes import FLOAT, INT, STRING, DataType
from storage.tables.days import DAY
from storage.tables.read import SnapshotSource
from storage.tables.rows import Ack, Batch, Rows
from storage.tables.store import Store
from tests.storage.tables.world import CATALOG, NOW, compact, damaged

TABLE, DEVICES = "execution.events", "device.devices"
FIRST = NOW // DAY * DAY - 2 * DAY


def catalog(cost: DataType, *more: str) -> Catalog:
    """The catalog with a field `cost` of events and of devices, and with further fields."""

    def changed(name: str) -> dict[str, Field]:
        fields = dict(CATALOG.tables[name].fields)
        fields["cost"] = Field("cost", cost, "")
        return fields | {item: Field(item, STRING, "") for item in more}

    tables = [replace(CATALOG.tables[name], fields=MappingProxyType(changed(name))) for name in (TABLE, DEVICES)]
    return CATALOG.overlay(tables, f"{cost.kind}{more}")


def opened(folder: Path, known: Catalog) -> Store:
    """The store of a folder under a catalog."""
    return Store(folder, known, zone=None, clock=lambda: NOW)


def commit(store: Store, sequence: int, cost: float, **more: str) -> None:
    """Store three events and what they say of their device."""
    rows: dict[str, Any] = {
        "@device": ["one"] * 3,
        "start_time": [FIRST + sequence, FIRST + DAY, NOW],
        "cost": [cost] * 3,
    }
    rows |= {name: [value] * 3 for name, value in more.items()}
    device: dict[str, Any] = {"uid": ["one"], "cost": [cost]}
    outcome = store.commit([Batch("import:x", 0, "e", sequence, NOW, (Rows(TABLE, rows), Rows(DEVICES, device)))])
    assert isinstance(outcome[0], Ack), outcome


@pytest.mark.parametrize("before", ["journal", "segments", "days"])
@pytest.mark.parametrize("after", ["journal", "segments", "days"])
def test_a_widened_and_a_new_field(tmp_path: Path, before: str, after: str) -> None:
    old, new = catalog(INT), catalog(FLOAT, "team")
    store = opened(tmp_path, old)
    for sequence in range(9):  # so many that segments of a day are merged
        commit(store, sequence, sequence)
        if before != "journal":
            store.seal()
    if before == "days":
        compact(store)
    store.abandon()
    written = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}

    store = opened(tmp_path, new)
    if before == "days":
        assert {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")} == written
    commit(store, 10, 0.5, team="blue")
    if after != "journal":
        store.seal()
    if after == "days":
        compact(store)
    source = SnapshotSource(store.snapshot(), new)
    frame = source.scan(TABLE, ["cost", "team"]).collect()
    assert sorted(frame["cost"]) == sorted([*range(9), 0.5] * 3)
    assert sorted(map(str, frame["team"])) == sorted(["None"] * 27 + ["blue"] * 3)
    assert all(part.frame.collect_schema() == frame.schema for part in source.parts(TABLE, ["cost", "team"]))
    found = source.rollup(TABLE, "device", ["cost:sum", "cost:count", "cost:max"], start=FIRST, end=FIRST + DAY)
    if "days" in (before, after):
        assert found is not None
        assert found.frame.collect().select("cost:sum", "cost:count").sum().rows() == [(36.5, 10)]
    else:
        assert found is None
    assert source.scan("devices", ["cost"]).collect()["cost"].to_list() == [0.5]
    commit(store, 11, 0.25)
    store.close()
    store = opened(tmp_path, new)
    assert SnapshotSource(store.snapshot(), new).scan("devices", ["cost"]).collect()["cost"].to_list() == [0.25]
    store.abandon()
    assert damaged(tmp_path) == []
