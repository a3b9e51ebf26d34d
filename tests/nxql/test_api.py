"""The public face: one plan for both languages, columns with their classic types, options for clients, updates."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from nql.api import compile_query
from nql.catalog.configured import CustomField, configured
from nql.catalog.load import builtin
from nql.datatypes import PERCENTAGE, DataType, Kind
from nql.nxql.api import NxqlError, NxqlPlan, NxqlUpdate, compile_nxql

RING = DataType(Kind.ENUM, members=("Fast ring", "Slow ring"), closed=True)
CATALOG = configured(
    builtin(),
    [
        CustomField("device.devices", "site_group"),
        CustomField("device.devices", "ring", RING),
        CustomField("device.devices", "share", PERCENTAGE, manual=False),
        CustomField("user.users", "cost_center"),
    ],
)


def compiled(text: str, *, parameters: Sequence[str] = (), platforms: Sequence[str] = ()) -> NxqlPlan:
    """The plan of a select."""
    found = compile_nxql(text, CATALOG, parameters=parameters, platforms=platforms)
    assert isinstance(found, NxqlPlan)
    return found


def updated(text: str) -> NxqlUpdate:
    """The meaning of an update."""
    found = compile_nxql(text, CATALOG)
    assert isinstance(found, NxqlUpdate)
    return found


def refused(text: str, *, parameters: Sequence[str] = (), platforms: Sequence[str] = ()) -> NxqlError:
    """What is raised for a text."""
    with pytest.raises(NxqlError) as caught:
        compile_nxql(text, CATALOG, parameters=parameters, platforms=platforms)
    return caught.value


@pytest.mark.parametrize(
    ("classic", "nql"),
    [
        ("(select (name) (from device))", "devices | list name"),
        (
            '(select (name entity) (from device (where device (eq name (pattern "a*")) (ne device_type laptop))))',
            'devices | where name == "a*" and hardware.type != laptop | list name, entity',
        ),
        (
            """(select (start_time incoming_traffic) (from execution (where device (eq entity (string b)))
            (where execution (gt focus_time (second 5))) (between now-7d now)) (order_by start_time desc) (limit 9))""",
            """execution.events during past 7d | where device.entity == "b" and focus_time > 5s
            | list start_time, incoming_traffic | sort start_time desc | limit 9""",
        ),
        (
            "(select (name) (from device (with execution (where binary (eq company m)) (between now-2h now))))",
            'devices | with execution.events past 2h | where binary.company == "m" | list name',
        ),
    ],
)
def test_both_languages_have_one_plan(classic: str, nql: str) -> None:
    one, two = compiled(classic).plan, compile_query(nql, CATALOG).plan
    assert one.relation == two.relation
    assert (one.table, one.window, one.parameters) == (two.table, two.window, two.parameters)
    assert [output.column for output in one.outputs] == [output.column for output in two.outputs]


def test_headers_are_classic_names() -> None:
    plan = compiled("(select (entity NAME #Ring) (from device (with execution (compute number_of_events))))").plan
    assert [output.header for output in plan.outputs] == ["entity", "name", "Ring", "number_of_events"]
    plan = compiled("(select ((user (name)) (execution (start_time))) (from (execution user)))").plan
    assert [output.label for output in plan.outputs] == ["user/name", "execution/start_time"]


def test_columns_tell_how_values_become_classic_again() -> None:
    columns = compiled("(select (name platform system_drive_usage #share) (from device))").columns
    assert [(column.name, column.type, column.factor) for column in columns] == [
        ("name", "string", 1), ("platform", "enum", 1), ("system_drive_usage", "percent", 1), ("share", "percent", 100),
    ]  # fmt: skip
    assert columns[1].words == {"windows": "windows", "macos": "mac_os", "linux": "linux"}
    (share,) = compiled("(select (average_cpu_usage) (from binary))").columns
    assert (share.type, share.factor) == ("permill", 0.001)


def test_options_are_the_nearest_names() -> None:
    assert refused("(select (nam) (from device))").options == ("name",)
    assert "device_uid" in refused("(select (device_id) (from device))").options


def test_options_are_every_field_where_none_is_near() -> None:
    options = refused("(select (xyzzy) (from user))").options
    assert options[:3] == ("id", "user_uid", "name")
    assert options[-1] == "#cost_center"
    assert "total_active_days" not in options


def test_options_of_other_things() -> None:
    assert refused("(select (name) (from devise))").options == ("device",)
    assert "execution" in refused("(select (name) (from device (with service)))").options
    assert refused("(select (name) (from device (where device (eqq name 1))))").options == ("eq",)
    assert refused("(select (name) (from device (where device (eq #ring (enum quick)))))").options == RING.members
    assert refused("(select (#sitegroup) (from device))").options == ("#site_group",)


def test_options_are_those_of_the_first_error() -> None:
    error = refused("(select (nam) (from device (where device (eq device_typ (enum laptop)))))")
    assert [item.code for item in error.diagnostics] == ["NXQL203", "NXQL203"]
    assert error.options == ("name",)


def test_a_place_without_words_has_no_options() -> None:
    assert refused("(select (name) (from device (where device (gt total_ram (byte x)))))").options == ()


def test_tables_that_nql_lacks_are_told_in_words() -> None:
    for name in ("service", "printer", "print_job", "port_scan"):
        (item,) = refused(f"(select (name) (from {name}))").diagnostics
        assert item.code == "NXQL202"
        assert "does not exist" in item.message
        assert item.hint.endswith(".")


def test_parameters_from_outside_are_bounded() -> None:
    text = "(select (name) (from device (where device (eq name (string %1)))))"
    assert compiled(text, parameters=["x" * 4096]).columns
    assert refused(text, parameters=["x" * 4097]).diagnostics[0].code == "NXQL214"
    assert refused(text, parameters=["x"] * 100).diagnostics[0].code == "NXQL214"
    assert refused(text.replace("%1", "%0"), parameters=["x"]).diagnostics[0].code == "NXQL214"


def test_a_parameter_is_exact_unless_it_is_a_pattern() -> None:
    exact = compiled("(select (name) (from device (where device (eq name (string %1)))))", parameters=["a*"])
    assert exact.plan.relation == compiled('(select (name) (from device (where device (eq name "a*"))))').plan.relation
    wild = compiled("(select (name) (from device (where device (eq name (pattern %1)))))", parameters=["a*"])
    assert wild.plan.relation != exact.plan.relation


def test_platforms_in_any_case_and_unknown_ones() -> None:
    assert compiled("(select (name) (from device))", platforms=["Windows", "MAC_OS"]).columns
    error = refused("(select (name) (from device))", platforms=["window"])
    assert error.options == ("windows",)


def test_an_update_is_checked_and_selects_its_objects() -> None:
    change = updated(
        '(update (set #"Site group" (enum "North wing")) (from device (where device (eq name (string a)))))'
    )
    assert (change.table, change.field, change.type, change.value) == (
        "device.devices", "#site_group", "enum", "North wing",
    )  # fmt: skip
    assert [output.column for output in change.plan.outputs] == ["uid"]
    assert change.plan.device is not None


def test_an_update_takes_the_stored_spelling_of_a_keyword() -> None:
    change = updated("(update (set #ring (enum fast_ring)) (from device (where device (eq name (string a)))))")
    assert change.value == "Fast ring"


def test_an_update_of_users() -> None:
    change = updated("(update (set #cost_center (string 7)) (from user (where user (eq name (string ann)))))")
    assert (change.table, change.field) == ("user.users", "#cost_center")
    assert change.plan.device is None


def test_an_update_keeps_the_warnings_of_its_condition() -> None:
    change = updated("(update (set #ring 'slow ring') (from device (where device (eq device_type (enum mobile)))))")
    assert [item.code for item in change.warnings] == ["NXQL306"]
