"""Columns of objects are made once for each state of their table, and are let go with it."""

from __future__ import annotations

import gc
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from storage.tables import resident as module
from storage.tables.resident import CODE, resident, texts
from tests.storage.tables.world import batch, open_store, source_of


def test_columns_are_made_once_and_go_with_their_table() -> None:
    table = pa.table({"a": pa.chunked_array([[1, None], [3]]), "b": ["x", "y", None]})
    one, both = resident("x", table, ["a"]), resident("x", table, ["b", "a"])
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


def test_a_column_that_stays_is_not_made_again_with_the_next_state_of_its_table() -> None:
    stays, before, after = (pa.chunked_array([column]) for column in (["x", "y"], [1, 2], [1, 3]))
    first, next_one = pa.table({"s": stays, "c": before}), pa.table({"s": stays, "c": after})
    made, again = resident("stays", first, ["s", "c"]), resident("stays", next_one, ["s", "c"])
    assert again.rows() == [("x", 1), ("y", 3)]
    held, kept = (module._known[id(table)] for table in (first, next_one))
    assert held["s"] is kept["s"]
    assert held["c"] is not kept["c"]
    assert made.rows() == [("x", 1), ("y", 2)]
    assert resident("elsewhere", pa.table({"s": before}), ["s"]).rows() == [(1,), (2,)]


def test_texts_are_told_apart_when_they_are_wanted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_ROWS", 6)
    column = pa.chunked_array([["b", None, "A"], ["a", "b", "Ä"]])
    table = pa.table({"t": column, "n": [1, 2, 3, 4, 5, 6]})
    assert texts("told", table, "t") is None
    with pytest.raises(KeyError):
        resident("told", table, [f"t{CODE}"])
    found = texts("told", table, "t")
    assert found is not None
    assert (found.texts.to_list(), found.folded.to_list()) == (["A", "a", "b", "Ä"], ["a", "a", "b", "ä"])
    frame = resident("told", table, ["t", f"t{CODE}"])
    assert frame.schema == {"t": pl.String, f"t{CODE}": pl.Int64}
    assert frame[f"t{CODE}"].to_list() == [2, None, 0, 1, 2, 3]
    assert texts("told", pa.table({"t": column}), "t") is found
    for _ in range(2):
        assert texts("told", table, "n") is None
        assert texts("few", table.slice(0, 3), "t") is None


def test_only_the_newest_columns_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 2)
    for number in range(5):
        resident(("many", number), pa.table({"a": [number]}), ["a"])
    assert [*module._newest] == [(("many", 3), "a"), (("many", 4), "a")]
