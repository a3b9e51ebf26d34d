"""What the estate needs configured, and that its rows then answer: campaigns, custom trends, custom fields.

Comes in: small estates in data folders and in a running portal. Goes out: nothing. Invariant held here: whoever loads
an estate can ask for its configured items at once, and every one of their fields has values.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import muster
from muster.clock import now
from muster.estate import campaigns, custom_fields, trends
from muster.estate.batches import loads
from muster.estate.configured import items
from muster.estate.history import history
from muster.estate.load import batch_of, planned
from muster.folder import ask
from muster.folder_load import store_estate
from muster.send import declared
from nql.catalog.configured import CUSTOM, configured, item_of, written
from nql.catalog.load import builtin
from nql.catalog.model import Field, Table
from tests.muster.conftest import Running
from tests.muster.estate.conftest import NOW, Tables

pytestmark = pytest.mark.slow
MAPS = {  # where the entries of configured fields are held
    "campaign.responses": ("answers", "comments", "parameters"),
    "custom_trend.snapshots": ("values",),
    **dict.fromkeys(custom_fields.FIELDS, (CUSTOM,)),
}
EXAMPLES = {  # a table and a pattern of the catalog, and how one asks for a field that it stands for
    ("binary.binaries", "#<custom_field>"): ("binaries", "#approved"),
    ("campaign.#<nql_id>.responses", "answers.<question>"): (
        "campaign.#it_satisfaction.responses",
        "answers.sentiment.label",
    ),
    ("campaign.#<nql_id>.responses", "comments.<question>"): (
        "campaign.#it_satisfaction.responses",
        "comments.sentiment",
    ),
    ("campaign.#<nql_id>.responses", "parameters.<name>"): (
        "campaign.#outlook_trouble.responses",
        "parameters.issue_type",
    ),
    ("custom_trend.#<nql_id>.snapshots", "<snapshot_field>"): (
        "custom_trend.#windows_migration.snapshots",
        "operating_system_name",
    ),
    ("device.devices", "#<custom_field>"): ("devices", "#business_unit"),
    ("device.devices", "organization.#<custom>"): ("devices", "organization.#region"),
    ("package.packages", "#<custom_field>"): ("packages", "#required_version"),
    ("user.users", "#<custom_field>"): ("users", "#employment"),
    ("user.users", "organization.#<custom>"): ("users", "organization.#business_area"),
}
QUERIES = (
    "campaign.#it_satisfaction.responses | where state == answered | summarize n = count() by answers.sentiment.label",
    "campaign.#it_satisfaction.responses | where answers.sentiment.comment != null | list user.name",
    "campaign.#outlook_trouble.responses | summarize n = count() by parameters.issue_type",
    "users | with campaign.#it_satisfaction.responses | where state == answered | summarize n = count() by #vip",
    "custom_trend.#windows_migration.snapshots during past 60d | summarize n = count() by operating_system_name, 1d",
    "custom_trend.#disk_space.snapshots during past 7d | where nearly_full == true | list device.name",
    "devices | where #warranty_ends != null | summarize h = #health.avg() by #lifecycle, organization.#region",
    "binaries | where #approved == false | list name, #owner",
    "packages | where version < #required_version | list name, version, #yearly_price",
)


def declared_entries() -> Iterator[tuple[str, str, str]]:
    """Table, map and name of every entry that is declared."""
    for campaign in campaigns.CAMPAIGNS:
        for asked in campaign.questions:
            yield "campaign.responses", "answers", asked["name"]
            if "complaint" in asked or "praise" in asked:
                yield "campaign.responses", "comments", asked["name"]
        yield from (("campaign.responses", "parameters", name) for name in campaign.parameters)
    for fields in trends.FIELDS.values():
        yield from (("custom_trend.snapshots", "values", name) for name in fields)
    for table, own in custom_fields.FIELDS.items():
        yield from ((table, CUSTOM, name) for name in own)


def test_every_declared_field_has_values_and_every_value_is_declared(tables: Tables) -> None:
    found = {
        (table, column, entry["name"])
        for table, columns in MAPS.items()
        for column in columns
        for held in tables[table][column].drop_nulls().to_list()
        for entry in held
        if any(value is not None for slot, value in entry.items() if slot != "name")
    }
    assert found == set(declared_entries())


def test_the_rows_are_held_as_the_fields_are_declared() -> None:
    catalog = configured(builtin(), items())
    whole = planned(20, 1, 1, NOW)
    for load in loads(whole, history(whole)):
        batch_of(load, catalog, NOW)  # raises Refused for an entry of another type


def test_items_keep_their_json_form() -> None:
    assert [item_of(json.loads(json.dumps(written(item)))) for item in items()] == items()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an estate that no portal holds, then or later."""
    data = tmp_path_factory.mktemp("loaded") / "portal"
    store_estate(data, planned(30, 2, 1, now(), connected=30), lambda _: None)
    return data


@pytest.mark.slow
@pytest.mark.parametrize("text", QUERIES)
def test_a_loaded_folder_answers(loaded: Path, text: str) -> None:
    rows = ask(loaded, text, {}, "UTC", 100, "csv").decode().splitlines()
    assert len(rows) > 1


def test_every_pattern_of_the_catalog_stands_for_some_field(running: Running) -> None:
    patterns = {(table.name, item.name) for table in builtin().tables.values() for item in template_fields(table)}
    of_actions = {known for known in patterns if known[0].startswith("remote_action.")}  # tests/muster/test_demo.py
    assert patterns - of_actions == set(EXAMPLES)
    with muster.connect(running.url, running.token) as client:
        for text, path in EXAMPLES.values():
            found = client.query(f"{text} | summarize n = countif({path} != null)").polars().item()
            assert found, (text, path)


def template_fields(table: Table) -> Iterator[Field]:
    return (item for item in table.fields.values() if item.template)


def test_what_the_store_and_the_portal_derive_has_values_too(running: Running) -> None:
    """`days_since_last_seen`, `last_seen`, `entity` and the like: what no row brings under its own name."""
    with muster.connect(running.url, running.token) as client:
        for table in builtin().tables.values():
            known = [item.name for item in table.fields.values() if (item.derived or item.server) and not item.template]
            fields = [name for name in known if name != CUSTOM]
            if fields and "<" not in table.name:
                counted = [f"f{number} = countif({name} != null)" for number, name in enumerate(fields)]
                found = client.query(f"{table.name} | summarize {', '.join(counted)}").polars().row(0)
                assert all(found), (table.name, dict(zip(fields, found, strict=True)))


def test_a_portal_is_told_before_it_gets_rows(running: Running) -> None:
    with muster.connect(running.url, running.token) as client:
        said = client._api.post_packed("/import", declared(planned(1, 1, 1, NOW)))
        assert said["rows"] == 0
        assert client.query(QUERIES[0]).polars().height > 1
