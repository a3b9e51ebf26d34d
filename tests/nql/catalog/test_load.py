"""The shipped catalog: its size, its links, what it stores. A table or field that goes missing shows here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import nql.catalog
from nql.catalog.load import builtin
from nql.catalog.model import TableKind, executions_of
from nql.datatypes import INT, Kind

FOLDER = Path(nql.catalog.__file__).parent


def test_counts_of_the_reconstructed_model() -> None:
    tables = builtin().tables
    assert len(tables) == 78  # 75 of the model, 3 of ours
    of_the_model = [
        field
        for table in tables.values()
        for field in table.fields.values()
        if not field.ours and not field.name.startswith("context.")
    ]
    assert len(of_the_model) == 590  # 580 of the model, 10 of further official examples


def test_links_name_object_tables() -> None:
    catalog = builtin()
    for table in catalog.tables.values():
        for target in table.links.values():
            assert catalog.tables[target].kind is TableKind.OBJECT, (table.name, target)


def test_every_event_table_has_its_time_and_every_object_its_key() -> None:
    for table in builtin().tables.values():
        if table.kind is TableKind.OBJECT:
            assert table.key, table.name
            for part in table.key:
                assert part[1:] in table.links if part.startswith("@") else part in table.fields, (table.name, part)
        else:
            assert table.time in table.fields, table.name
            assert table.retention_days, table.name
        if table.kind is TableKind.SAMPLED:
            assert {"start_time", "end_time", "bucket_duration"} <= set(table.fields), table.name


def test_derived_fields_name_a_stored_field_and_are_not_stored() -> None:
    for table in builtin().tables.values():
        stored = {column.name for column in table.stored()}
        for field in table.fields.values():
            if field.derived:
                assert (field.same_as or field.days_since) in stored
                assert field.name not in stored


def test_defaults_can_be_read_from_the_table_or_a_linked_object() -> None:
    catalog = builtin()
    for table in catalog.tables.values():
        names = set(table.fields) | {column.name for column in table.stored()}
        names |= {f"{name}.avg" for name, field in table.fields.items() if field.metric == "gauge"}
        for path in table.default:
            link, _, rest = path.partition(".")
            linked = catalog.tables[table.links[link]].fields if link in table.links else {}
            assert path in names or rest in linked, (table.name, path)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("DEVICES", "device.devices"),
        ("device.devices", "device.devices"),
        ("sessions", "collaboration.sessions"),
        ("antiviruses", "device.antiviruses"),
        ("Web.Page_views", "web.page_views"),
    ],
)
def test_names_and_shortcuts(written: str, name: str) -> None:
    table = builtin().table(written)
    assert table is not None
    assert table.name == name


def test_unknown_name_is_none() -> None:
    assert builtin().table("service.services") is None


def test_gauges_of_sampled_tables_are_four_columns() -> None:
    stored = {column.name: column.dtype for column in builtin().tables["execution.events"].stored()}
    assert {"memory.sum", "memory.count", "memory.min", "memory.max"} <= set(stored)
    assert stored["memory.count"] == INT
    assert "memory" not in stored
    assert "@binary" in stored
    assert "@row" in stored


def test_closed_enums_are_the_three_the_source_calls_complete() -> None:
    closed = {
        (table.name, field.name)
        for table in builtin().tables.values()
        for field in table.fields.values()
        if field.dtype.closed
    }
    assert {name for _, name in closed} == {"hardware.type", "process_visibility", "status"}


def test_the_table_of_one_action_has_its_typed_outputs() -> None:
    catalog = builtin()
    table = executions_of(catalog, "free_space", {"free": INT})
    extended = catalog.overlay([table], "1")
    found = extended.table("remote_action.free_space.executions")
    assert found is extended.table("remote_action.#free_space.executions")
    assert found is not None
    assert found.fields["outputs.free"].dtype.kind is Kind.INT
    assert extended.version != catalog.version
    assert catalog.table("remote_action.#free_space.executions") is None


def test_files_are_one_namespace_each() -> None:
    for path in FOLDER.glob("*.json"):
        if path.stem != "context":
            names = [table["name"] for table in json.loads(path.read_text())["tables"]]
            assert all(name.startswith(path.stem + ".") for name in names), path.name
