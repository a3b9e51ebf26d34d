"""Columns of objects are made once for each state of their table, and are let go with it."""

from __future__ import annotations

import gc
from pathlib import Path

import pyarrow as pa

from storage.tables import resident as module
from storage.tables.resident import resident
from tests.storage.tables.world import batch, open_store, source_of


def test_columns_are_made_once_and_go_with_their_table() -> None:
    table = pa.table({"a": pa.chunked_array([[1, None], [3]]), "b": ["x", "y", None]})
    one, both = resident(table, ["a"]), resident(table, ["b", "a"])
    assert one["a"].to_list() == [1, None, 3]
    assert both.columns == ["b", "a"]
    assert both.rows() == [("x", 1), ("y", None), (None, 3)]
    number = id(table)
    assert sorted(module._known[number]) == ["a", "b"]
    del table
    gc.collect()
    assert number not in module._known
    assert both["a"].to_list() == [1, None, 3]


def test_a_change_is_seen_and_a_snapshot_of_before_stays(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.commit([batch(1)])
    before = source_of(store)
    assert before.scan("device.devices", ["name"]).collect().rows() == [("name 1",)]
    store.commit([batch(4)])
    assert source_of(store).scan("device.devices", ["name"]).collect().rows() == [("name 4",)]
    assert before.scan("device.devices", ["name"]).collect().rows() == [("name 1",)]
    store.close()
