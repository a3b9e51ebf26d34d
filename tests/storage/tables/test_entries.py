"""Entries of typed maps: what is configured decides the form they are stored in, and names that are not said stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nql.catalog.configured import Campaign, CustomField, Trend, configured
from nql.catalog.model import executions_of
from nql.datatypes import BOOLEAN, FLOAT, INT, IP, STRINGS, VERSION, DataType, Kind
from storage.tables.api import Ack, Batch, Refused, Rows, rows_from_wire
from storage.tables.store import Store
from tests.storage.tables.world import CATALOG, NOW, open_store, source_of

ITEMS = (
    CustomField("device.devices", "Ring", DataType(Kind.ENUM, members=("fast", "slow"), closed=True)),
    CustomField("device.devices", "address", IP),
    CustomField("device.devices", "floor", INT),
    CustomField("device.devices", "owned", BOOLEAN),
    CustomField("device.devices", "labels", STRINGS),
    Campaign("welcome", {"Mood": ""}, ("place",)),
    Trend("remote", {"score": FLOAT, "build": VERSION}),
)
NAMED = configured(CATALOG, ITEMS).overlay([executions_of(CATALOG, "clean", {"Freed": INT})], "clean")


def stored(table: str, columns: dict[str, Any]) -> dict[str, Any]:
    """The stored form of an import's rows."""
    rows = rows_from_wire(NAMED, table, columns, writer="import", device_uid=None, now=NOW)
    return dict(rows.columns)


def custom(*entries: dict[str, Any]) -> list[dict[str, Any]]:
    """What one device's custom fields become."""
    (found,) = stored("device.devices", {"uid": ["u"], "custom_fields": [list(entries)]})["custom_fields"]
    return list(found)


def test_entries_take_the_spelling_and_the_form_of_their_definition() -> None:
    assert custom(
        {"name": "ring", "text": "FAST"},
        {"name": "ADDRESS", "text": "10.0.0.7"},
        {"name": "floor", "number": 3},
        {"name": "owned", "number": 1},
        {"name": "labels", "texts": ["a"]},
        {"name": "undeclared", "text": "x"},
    ) == [
        {"name": "Ring", "text": "fast"},
        {"name": "address", "text": "00000000000000000000ffff0a000007"},
        {"name": "floor", "number": 3},
        {"name": "owned", "number": 1},
        {"name": "labels", "texts": ["a"]},
        {"name": "undeclared", "text": "x"},
    ]
    assert custom({"name": "FLOOR"}) == [{"name": "floor"}]
    assert stored("device.devices", {"uid": ["u"], "custom_fields": [None]})["custom_fields"] == [None]


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"name": "Ring", "text": "medium"}, "none of fast, slow"),
        ({"name": "address", "text": "here"}, "no IP address"),
        ({"name": "floor", "text": "3"}, "holds text under floor, which is a int"),
        ({"name": "floor", "number": 3, "text": "3"}, "holds number and text under floor"),
        ({"name": "owned", "number": 2}, "0 or 1"),
    ],
)
def test_what_does_not_fit_its_definition_is_refused(entry: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused, match=why):
        custom(entry)


def test_rows_of_an_item_are_held_to_the_item_they_name() -> None:
    answers = [[{"name": "mood", "text": "Fine"}], [{"name": "mood", "text": "Fine"}]]
    columns = {"time": [NOW, NOW], "@campaign": ["#Welcome", "#other"], "answers": answers}
    found = stored("campaign.responses", columns)["answers"]
    assert [row[0]["name"] for row in found] == ["Mood", "mood"]
    values = [[{"name": "SCORE", "number": 1}, {"name": "build", "text": "1.2"}]]
    columns = {"start_time": [NOW], "bucket_duration": [900_000_000], "@custom_trend": ["#remote"], "values": values}
    assert stored("custom_trend.snapshots", columns)["values"] == [
        [{"name": "score", "number": 1}, {"name": "build", "text": "1.2"}]
    ]
    columns = {"time": [NOW], "@remote_action": ["#clean"], "outputs": [[{"name": "freed", "real": 0.5}]]}
    with pytest.raises(Refused, match="holds real under Freed"):
        stored("remote_action.executions", columns)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path)


def said(store: Store, number: int, *entries: dict[str, Any] | None) -> None:
    value = None if entries == (None,) else [entry for entry in entries if entry is not None]
    rows = Rows("device.devices", {"uid": ["u"], "custom_fields": [value]})
    (ack,) = store.commit([Batch("import:x", 1, "e", number, NOW, (rows,))])
    assert isinstance(ack, Ack), ack


def held(store: Store) -> dict[str, Any] | None:
    (found,) = source_of(store).scan("device.devices", ["custom_fields"]).collect()["custom_fields"].to_list()
    return None if found is None else {entry["name"]: entry["text"] for entry in found}


def test_custom_fields_are_set_name_by_name_and_survive(store: Store, tmp_path: Path) -> None:
    said(store, 1, {"name": "a", "text": "1"}, {"name": "b", "text": "2"})
    said(store, 2, {"name": "b", "text": "3"}, {"name": "c", "text": "4"})
    assert held(store) == {"a": "1", "b": "3", "c": "4"}
    store.abandon()
    again = open_store(tmp_path)
    assert held(again) == {"a": "1", "b": "3", "c": "4"}
    again.seal()
    said(again, 3, {"name": "a"})
    again.abandon()
    last = open_store(tmp_path)
    assert held(last) == {"a": None, "b": "3", "c": "4"}
    said(last, 4, None)
    assert held(last) is None
