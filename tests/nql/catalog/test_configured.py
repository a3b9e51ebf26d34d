"""Configured items: their JSON form, the tables and fields they give, what they refuse."""

from __future__ import annotations

import json

import pytest

from nql.catalog.configured import Campaign, CustomField, Item, Trend, configured, item_of, key_of, written
from nql.catalog.load import builtin
from nql.datatypes import BOOLEAN, FLOAT, INT, STRING, DataType, Kind

ITEMS: tuple[Item, ...] = (
    Campaign("welcome", {"sentiment": "How do you feel?"}, ("issue_type",)),
    Trend("RemoteWork", {"operating_system_name": STRING, "score": FLOAT}),
    CustomField("device.devices", "unit"),
    CustomField("device.devices", "floor", INT, manual=False),
    CustomField("user.users", "organization.region", DataType(Kind.ENUM, members=("north", "south"), closed=True)),
)


def test_every_item_comes_back_from_its_json_form() -> None:
    for item in ITEMS:
        assert item_of(json.loads(json.dumps(written(item)))) == item


def test_the_version_is_that_of_the_items_whatever_their_order() -> None:
    one, other = configured(builtin(), ITEMS), configured(builtin(), reversed(ITEMS))
    assert one.version == other.version != builtin().version
    assert configured(builtin(), ITEMS[:2]).version != one.version
    assert configured(builtin(), ()) is builtin()


@pytest.mark.parametrize("name", ["campaign.#welcome.responses", "Campaign.Welcome.Responses"])
def test_a_campaign_is_a_table_of_responses(name: str) -> None:
    table = configured(builtin(), ITEMS).table(name)
    assert table is not None
    assert (table.base, table.nql_id) == ("campaign.responses", "welcome")
    assert {"answers.sentiment", "answers.sentiment.comment", "comments.sentiment", "parameters.issue_type"} <= set(
        table.fields
    )
    assert {column.name for column in table.stored()} == {
        column.name for column in builtin().tables["campaign.responses"].stored()
    }


def test_a_trend_is_a_table_of_snapshots_found_in_any_case() -> None:
    table = configured(builtin(), ITEMS).table("custom_trend.#remotework.snapshots")
    assert table is not None
    assert table.fields["score"].within == "values"
    assert "custom_trend" in table.links


def test_custom_fields_add_no_column() -> None:
    table = configured(builtin(), ITEMS).tables["device.devices"]
    assert table.fields["#unit"].comparable
    assert not table.fields["#floor"].comparable
    assert table.stored() == builtin().tables["device.devices"].stored()


def test_a_later_definition_takes_the_place_of_an_earlier_one() -> None:
    catalog = configured(builtin(), [CustomField("device.devices", "unit"), CustomField("device.devices", "UNIT", INT)])
    fields = catalog.tables["device.devices"].fields
    assert "#unit" not in fields
    assert fields["#UNIT"].dtype == INT


def test_what_an_item_is_known_by() -> None:
    assert [key_of(item) for item in ITEMS[:3]] == [
        ("campaign", "welcome"),
        ("trend", "remotework"),
        ("custom_field", "device.devices.#unit"),
    ]


@pytest.mark.parametrize(
    "form",
    [
        {"kind": "campaign", "nql_id": "a b", "questions": {}, "parameters": []},
        {"kind": "campaign", "nql_id": "a", "questions": {"q.x": ""}, "parameters": []},
        {"kind": "campaign", "nql_id": 5, "questions": {}, "parameters": []},
        {"kind": "campaign", "nql_id": "a"},
        {"kind": "survey", "nql_id": "a"},
        {"kind": "trend", "nql_id": "a", "fields": {"start_time": {}}},
        {"kind": "trend", "nql_id": "a", "fields": {"n": {"kind": "number"}}},
        {"nql_id": "a"},
    ],
)
def test_what_is_no_item_is_refused(form: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"configured item|names of letters|snapshot"):
        item_of(form)


def test_fields_only_where_there_are_any_and_only_types_that_a_map_holds() -> None:
    with pytest.raises(ValueError, match="has no custom fields"):
        CustomField("web.events", "a")
    with pytest.raises(ValueError, match="has no custom fields"):
        CustomField("binary.binaries", "organization.a")
    with pytest.raises(ValueError, match="a snapshot has its own end_time"):
        Trend("a", {"End_Time": BOOLEAN})
    with pytest.raises(ValueError, match="cannot be of kind map"):
        Trend("a", {"all": DataType(Kind.MAP)})
