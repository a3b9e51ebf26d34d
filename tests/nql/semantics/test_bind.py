"""Meaning: names at every depth, types and units, headers, scopes, and what each place refuses."""

from __future__ import annotations

import pytest

from nql.api import compile_query, diagnose
from nql.catalog.load import builtin
from nql.datatypes import DataType, Kind
from nql.plan.plan import Format, Plan


def plan(text: str) -> Plan:
    """The plan of a query."""
    return compile_query(text, builtin()).plan


def headers(text: str) -> list[str]:
    """The headers of a query's columns."""
    return [output.header for output in plan(text).outputs]


def dtype(text: str) -> DataType:
    """The type of the last column."""
    return plan(text).outputs[-1].dtype


def codes(text: str) -> list[str]:
    """The codes of everything said about a text."""
    return [item.code for item in diagnose(text, builtin())]


@pytest.mark.parametrize(
    ("written", "header"),
    [
        ("time", "execution.crash.time"),
        ("crash.time", "execution.crash.time"),
        ("crashes.time", "execution.crash.time"),
        ("execution.crash.time", "execution.crash.time"),
        ("execution.crashes.time", "execution.crash.time"),
        ("TIME", "execution.crash.time"),
        ("device.name", "device.name"),
        ("Device.Operating_System.Name", "device.operating_system.name"),
        ("device.device.name", "device.name"),
        ("user.ad.department", "user.ad.department"),
        ("ad.department", "user.ad.department"),
        ("context.location.country", "execution.crash.context.location.country"),
    ],
)
def test_names_at_every_depth(written: str, header: str) -> None:
    assert headers(f"execution.crashes | list {written}") == [header]


def test_own_fields_of_objects_with_and_without_the_record() -> None:
    assert headers("devices | list name, device.name, device.hardware.memory") == [
        "device.name",
        "device.hardware.memory",
    ]


def test_aliases_keep_their_spelling_and_are_found_in_any_case() -> None:
    text = "devices | with execution.crashes | compute MyCount = count() | where mycount > 1 | list name, MYCOUNT"
    assert headers(text) == ["device.name", "MyCount"]


def test_default_columns_and_computed_ones() -> None:
    assert headers("users") == ["user.name", "user.ad.full_name"]
    assert headers("users | include session.logins | compute n = count()") == ["user.name", "user.ad.full_name", "n"]
    assert headers("devices | summarize n = count() by entity, name") == ["device.entity", "device.name", "n"]


def test_the_last_list_wins() -> None:
    assert headers("devices | list name | list entity") == ["device.entity"]


def test_headers_are_unique() -> None:
    text = 'devices | with execution.crashes | compute device.name = count() | list device.devices.name, "device.name"'
    assert len(set(headers(text))) == len(headers(text))


@pytest.mark.parametrize(
    ("expression", "kind", "real"),
    [
        ("count()", Kind.INT, False),
        ("count() / 2", Kind.FLOAT, False),
        ("count() * 2", Kind.INT, False),
        ("count() ^ 2", Kind.FLOAT, False),
        ("cpu_time.sum()", Kind.DURATION, False),
        ("cpu_time.avg()", Kind.DURATION, True),
        ("cpu_time.sum() / 3600", Kind.DURATION, True),
        ("cpu_time.sum() * 2", Kind.DURATION, False),
        ("cpu_time.sum() + 5", Kind.DURATION, False),
        ("cpu_time.sum() / execution_duration.sum()", Kind.FLOAT, False),
        ("cpu_time.sum() * execution_duration.sum()", Kind.FLOAT, False),
        ("cpu_time.sum() ^ 1 / 3600", Kind.FLOAT, False),
        ("memory.avg()", Kind.BYTES, True),
        ("memory.max()", Kind.BYTES, False),
        ("memory.count()", Kind.INT, False),
        ("memory.avg() / 1GB", Kind.FLOAT, False),
        ("memory.max() - memory.min()", Kind.BYTES, False),
        ("device.count()", Kind.INT, False),
        ("binary.name.last()", Kind.STRING, False),
        ("start_time.max()", Kind.DATETIME, False),
        ("start_time.last().time_elapsed()", Kind.DURATION, False),
        ("start_time.max() - start_time.min()", Kind.DURATION, False),
        ("gpu_usage.avg()", Kind.PERCENTAGE, False),
        ("-count()", Kind.INT, False),
        ("1GB", Kind.BYTES, False),
    ],
)
def test_types_and_units(expression: str, kind: Kind, real: bool) -> None:
    found = dtype(f"execution.events past 2h | summarize x = {expression}")
    assert (found.kind, found.real) == (kind, real)


def test_formats() -> None:
    (output,) = plan("devices | summarize c = count() * 2 | list c.as(format = currency, code = usd)").outputs
    assert (output.header, output.format) == ("c", Format("currency", "USD"))


@pytest.mark.parametrize(
    "text",
    [
        "devices | where hardware.type == 'Laptop'",
        "devices | where device.hardware.type = LAPTOP",
        "connectivity.events | where wifi.band == 2.4GHz or wifi.band == '5ghz'",
        "devices | where 8GB < hardware.memory",
        "devices | where hardware.memory > 1000",
        "session.logins | where time_until_desktop_is_ready > 30",
        "devices | where first_seen < last_seen",
        "devices | where name == hardware.model",
        "devices | where antiviruses != null and monitors contains 'dell'",
        "devices | where last_seen in [2024-11-08, Nov 9]",
        "devices | where collector.local_ip in [10.0.0.0/8, 192.168.1.1, null]",
        "remote_action.executions | where outputs != null and inputs.mode == 'x'",
        "devices | with device.antiviruses | with sessions | with package.installed_packages",
        "alerts past 7d | where context contains 'x' | list monitor.name",
        "devices | include session.logins | where device.entity == 'x' and hardware.memory > 8GB | compute n = count()",
        "session.vdi_events past 48h by 30s",
        "devices | sort hardware.memory desc, name | limit 0 | limit 5",
        "execution.crashes | summarize web.page_views = count() | list web.page_views | sort web.page_views",
        "devices | with execution.crashes | compute v1 = count() | where v1 > 2 | list v1",
        "devices | summarize n = count() by entity | where device.entity == 'x' | sort organization.entity",
        "execution.crashes past 24h | summarize n = count() by 1h, device.name | list start_time, bucket_duration, n",
        "devices | include execution.events | compute u = memory.avg() * 100 / device.hardware.memory.avg()",
        "devices | summarize n = device.count(), c = device.countif(name == 'x'), k = entity.count()",
        "devices | list name, hardware.memory / 1GB, last_seen.hour()",
    ],
)  # fmt: skip
def test_accepted(text: str) -> None:
    assert codes(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("devices | with execution.crashes | compute n = count() | list binary.name", ["NQL202"]),
        ("execution.crashes | with web.events", ["NQL211"]),
        ("devices | summarize n = count() by hardware.memory, last_seen, name", ["NQL419", "NQL419"]),
        ("devices | summarize n = count() by 1d", ["NQL405"]),
        ("execution.crashes | summarize n = count() by 1d, 1h", ["NQL405"]),
        ("devices | where hardware.type > laptop", ["NQL302"]),
        ("devices | where name contains 5", ["NQL301"]),
        ("devices | where hardware.memory == 5min", ["NQL301"]),
        ("devices | where last_seen > '2024-11-08'", ["NQL301"]),
        ("devices | where collector.version > '24.1'", ["NQL301"]),
        ("devices | where name == laptop", ["NQL301"]),
        ("devices | where name == last_seen", ["NQL301"]),
        ("devices | where hardware.memory > null", ["NQL302"]),
        ("devices | where a == 1 == 2", ["NQL314"]),
        ("devices | where name == 'a' == true", ["NQL314"]),
        ("devices | where tags == 'vip'", ["NQL302"]),
        ("devices | where number_of_crashes > 1", ["NQL202"]),
        ("devices | summarize n = hardware.model.sum()", ["NQL414"]),
        ("devices | summarize n = last_seen.avg()", ["NQL414"]),
        ("devices | summarize n = name.countif(name == 'x')", ["NQL414"]),
        ("devices | summarize n = countif()", ["NQL312"]),
        ("devices | summarize n = sum()", ["NQL312"]),
        ("devices | summarize n = device.sum()", ["NQL414"]),
        ("devices | summarize n = foremost(name)", ["NQL207"]),
        ("devices | list name.as(format = percent)", ["NQL414"]),
        ("devices | list hardware.memory.as(format = currency)", ["NQL315"]),
        ("devices | list hardware.memory.as(percent)", ["NQL312"]),
        ("devices past 7d | with antiviruses past 7d", ["NQL410"]),
        ("devices during past 7d | summarize n = count() | with execution.crashes", ["NQL417"]),
        ("device.antiviruses during past 7d", ["NQL410"]),
        ("remote_action.nothing.executions | list outputs.x", ["NQL213"]),
        ("remote_action.executions | list outputs.x", ["NQL202"]),
    ],
)
def test_refused(text: str, expected: list[str]) -> None:
    assert codes(text) == expected


def test_an_unknown_field_says_where_it_lives() -> None:
    (found,) = diagnose("devices | where number_of_crashes > 1", builtin())
    assert found.hint == "It is a field of execution.crashes."


def test_a_field_of_ended_events_says_so() -> None:
    (found,) = diagnose("devices | with execution.crashes | compute n = count() | list binary.name", builtin())
    assert "execution.crashes" in found.hint
    assert "compute" in found.hint


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("devices | list hardwaer.memory", "devices | list hardware.memory"),
        ("devices | list memory", "devices | list hardware.memory"),
        ("execution.crashes | list devcie.name", "execution.crashes | list device.name"),
        ("device", "devices"),
        ("execution.crash", "execution.crashes"),
        ("devices | where hardware.type == labtop", "devices | where hardware.type == laptop"),
        ("devices past 7 days", "devices past 7d"),
        ("devices past 2 weeks", "devices past 14d"),
        ("devices | where name == 5", 'devices | where name == "5"'),
        ("devices | where collector.version > '24.1'", "devices | where collector.version > v24.1"),
        ("execution.events past 2h | where memory.avg() > 1GB", "execution.events past 2h | where memory.avg > 1GB"),
    ],
)
def test_fixes(wrong: str, right: str) -> None:
    (found,) = diagnose(wrong, builtin())
    texts = [wrong[: fix.span.start] + fix.replacement + wrong[fix.span.end :] for fix in found.fixes]
    assert right in texts
