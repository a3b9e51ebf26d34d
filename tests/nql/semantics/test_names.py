"""Names of tables that the shipped catalog does not hold: configured items, custom fields, groups of two objects."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from nql.api import compile_query, diagnose
from nql.catalog.load import builtin
from nql.catalog.model import Catalog, Field, Table, entry_field, executions_of
from nql.datatypes import SIZE, STRING
from nql.plan.relations import Scan, scans
from nql.semantics.names import FieldRef, ObjectRef, names_of


def with_fields(table: str, *fields: Field) -> Table:
    """A shipped table with more fields."""
    known = builtin().tables[table]
    return replace(known, fields=MappingProxyType({**known.fields, **{item.name: item for item in fields}}))


def catalog() -> Catalog:
    """The shipped catalog with an action, a custom field, and one group on two objects."""
    shared = Field("room.floor", STRING)
    tables = [
        executions_of(builtin(), "get_battery", {"BatteryHealth": SIZE}),
        with_fields("device.devices", shared, entry_field("#business_unit", STRING, "custom_fields", "business_unit")),
        with_fields("user.users", shared),
    ]
    return builtin().overlay(tables, "test")


def root(text: str) -> Scan:
    """The scan of a query's root table."""
    return scans(compile_query(text, catalog()).plan.relation)[0]


@pytest.mark.parametrize("name", ["remote_action.#get_battery.executions", "Remote_Action.get_battery.executions"])
def test_an_action_is_a_table_with_and_without_its_sign(name: str) -> None:
    scan = root(f"{name} | list outputs.batteryhealth")
    assert scan.table == "remote_action.executions"
    (output,) = [column for column in scan.columns if column.entry is not None]
    assert (output.name, output.stored, output.entry) == ("outputs.BatteryHealth", "outputs", "BatteryHealth")


def test_an_action_that_is_not_configured_names_those_that_are() -> None:
    (found,) = diagnose("remote_action.#get_batery.executions", catalog())
    assert found.code == "NQL213"
    assert found.fixes[0].replacement == "remote_action.#get_battery.executions"


@pytest.mark.parametrize("path", ["#business_unit", "device.#business_unit"])
def test_custom_fields(path: str) -> None:
    assert root(f"devices | list {path}").columns[0].entry == "business_unit"
    assert diagnose("devices | list #unit", catalog())[0].code == "NQL202"


def test_a_group_of_two_linked_objects_must_be_said() -> None:
    (found,) = diagnose("execution.crashes | list room.floor", catalog())
    assert found.code == "NQL203"
    assert [fix.replacement for fix in found.fixes] == ["device.room.floor", "user.room.floor"]


OUTPUT = "remote_action.get_battery.execution.outputs.BatteryHealth"


def test_the_output_of_an_action_is_attached_once_however_often_it_is_named() -> None:
    text = f"devices | where {OUTPUT} > 5GB | list {OUTPUT}, {OUTPUT.replace('.get', '.#Get')} | sort {OUTPUT}"
    tables = [scan.table for scan in scans(compile_query(text, catalog()).plan.relation)]
    assert tables == ["device.devices", "remote_action.executions"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"users | list {OUTPUT}", "include remote_action.#get_battery.executions"),
        (f"devices | with execution.crashes past 24h | where {OUTPUT} > 5GB", "use it before with and include"),
    ],
)
def test_the_output_of_an_action_elsewhere_says_how(text: str, said: str) -> None:
    (found,) = diagnose(text, catalog())
    assert said in found.hint


@pytest.mark.parametrize("written", ["crashes", "device.crashes", "web.Crashes"])
def test_a_table_of_another_namespace_is_named(written: str) -> None:
    (found,) = diagnose(written, catalog())
    assert (found.code, found.hint) == ("NQL201", "Did you mean execution.crashes?")


TABLES = [table for table in builtin().tables.values() if "<" not in table.name]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_field_of_the_catalog_in_every_spelling(table: Table) -> None:
    names = names_of(builtin())
    tail = table.name.rpartition(".")[2]
    own = (table.record, f"{table.namespace}.{table.record}", tail, table.name)
    for name in _fields(table):
        for spelling in (name, name.upper(), *(f"{word}.{name}" for word in own)):
            found = names.find(table, spelling)
            assert isinstance(found, FieldRef), spelling
            assert (found.path, found.link) == (name, None), spelling


@pytest.mark.parametrize("table", [table for table in TABLES if table.links], ids=lambda table: table.name)
def test_every_field_of_every_linked_object_in_every_spelling(table: Table) -> None:
    names = names_of(builtin())
    for link, target in table.links.items():
        linked = builtin().tables[target]
        words = (link, target.rpartition(".")[2], f"{linked.namespace}.{linked.record}", target)
        behind = (f"{table.record}.{link}", f"{table.namespace}.{table.record}.{link}")
        for word in (*words, *behind):
            assert isinstance(names.find(table, word), ObjectRef), word
            for name in _fields(linked):
                found = names.find(table, f"{word}.{name}")
                assert isinstance(found, FieldRef), f"{word}.{name}"
                assert found.path == f"{link}.{name}", f"{word}.{name}"


def _fields(table: Table) -> list[str]:
    return [name for name, item in table.fields.items() if not item.template]
