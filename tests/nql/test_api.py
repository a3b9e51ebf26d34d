"""The public face: what is remembered, what warnings travel, areas, devices, parameters."""

from __future__ import annotations

import pytest

from nql.api import Area, Compiler, Context, compile_query, diagnose, resolve
from nql.catalog.load import builtin
from nql.diagnostics import QueryError, Severity
from nql.plan.text import show

NOW = 1_731_320_775_000_000


def codes(text: str, **options: object) -> list[str]:
    """The codes of a query that does not compile."""
    with pytest.raises(QueryError) as caught:
        compile_query(text, builtin(), **options)  # type: ignore[arg-type]
    return [item.code for item in caught.value.diagnostics]


def test_the_same_text_gives_the_same_plan_object() -> None:
    compiler = Compiler(capacity=2)
    first = compiler.compile("devices", builtin())
    assert compiler.compile("devices", builtin()) is first
    assert compiler.compile("devices", builtin(), devices=True) is not first
    compiler.compile("users", builtin())
    assert compiler.compile("devices", builtin()) is not first


def test_another_catalog_is_another_plan() -> None:
    compiler = Compiler()
    first = compiler.compile("devices", builtin())
    assert compiler.compile("devices", builtin().overlay([], "2")) is not first


def test_broken_texts_are_remembered_and_raised_afresh() -> None:
    compiler = Compiler()
    errors = []
    for _ in range(2):
        with pytest.raises(QueryError) as caught:
            compiler.compile("devices | list nam", builtin())
        errors.append(caught.value)
    assert errors[0] is not errors[1]
    assert errors[0].diagnostics == errors[1].diagnostics


def test_all_findings_come_at_once_in_text_order() -> None:
    text = "devices past 2w | list foo, name | where hardware.type == banana and name == 5 | sort bar | limit 1.5"
    found = diagnose(text, builtin())
    assert [item.code for item in found] == ["NQL303", "NQL202", "NQL305", "NQL301", "NQL202", "NQL421"]
    assert [item.span.start for item in found] == sorted(item.span.start for item in found)


def test_a_broken_name_is_complained_about_once() -> None:
    text = "devices | include execution.crashes | compute n = nothing.sum(), m = count() | where n > 1 | list n, m"
    assert [item.code for item in diagnose(text, builtin())] == ["NQL202"]


def test_warnings_travel_with_the_plan() -> None:
    compiled = compile_query("devices | where operating_system.platform == windoze", builtin())
    (warning,) = compiled.warnings
    assert (warning.code, warning.severity) == ("NQL306", Severity.WARNING)
    assert warning.fixes[0].replacement == "windows"


def test_targets_are_devices() -> None:
    assert codes("users", area=Area.TARGETING) == ["NQL506"]
    assert codes("devices | summarize n = count()", area=Area.TARGETING) == ["NQL507"]
    plan = compile_query("devices | list name", builtin(), area=Area.TARGETING, devices=True).plan
    assert plan.device == "@device.uid"


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("devices", "@device.uid"),
        ("execution.crashes", "@device.uid"),
        ("device.antiviruses", "@device.uid"),
        ("users", None),
        ("devices | summarize n = count() by name", None),
    ],
)
def test_devices_of_rows(text: str, column: str | None) -> None:
    assert compile_query(text, builtin(), devices=True).plan.device == column
    assert compile_query(text, builtin()).plan.device is None


def shown(text: str, **parameters: str | list[str]) -> str:
    """The text of a resolved plan."""
    context = Context(NOW, "America/New_York", "Europe/Zurich", parameters)
    return show(resolve(compile_query(text, builtin()).plan, context))


def test_parameters_take_the_type_of_what_they_stand_beside() -> None:
    text = "devices | where name == $n and hardware.memory > $m and last_seen > $t and hardware.type == $k"
    found = shown(text, n="pc-*", m="8GB", t="2024-11-08 12:00", k="LAPTOP")
    assert "like 'pc-*'" in found
    assert "> 8589934592:bytes" in found
    assert "> 1731063600000000:datetime" in found
    assert "== 'laptop':enum" in found


def test_list_parameters_may_hold_patterns() -> None:
    found = shown("devices | where name in $names", names=["a", "b*"])
    assert "(`name` in ['a':string] (null is a value) or `name` like 'b*':string (null is a value))" in found


@pytest.mark.parametrize(
    ("text", "value", "code"),
    [
        ("devices | where name == $x", None, "NQL508"),
        ("devices | where name == $x", ["a", "b"], "NQL509"),
        ("devices | where hardware.memory > $x", "8 apples", "NQL509"),
        ("devices | where last_seen > $x", "2024-02-31", "NQL509"),
        ("devices | where hardware.type == $x", "banana", "NQL509"),
        ("devices | where collector.local_ip == $x", "1.2.3", "NQL509"),
        ("devices | where collector.version > $x", "new", "NQL509"),
        ("devices | where days_since_last_seen > $x", "9" * 30, "NQL509"),
    ],
)
def test_values_that_do_not_fit(text: str, value: str | list[str] | None, code: str) -> None:
    with pytest.raises(QueryError, match=code):
        shown(text, **({} if value is None else {"x": value}))


def test_unknown_zones_are_refused() -> None:
    with pytest.raises(QueryError, match="NQL313"):
        resolve(compile_query("devices", builtin()).plan, Context(NOW, "UTC", "../etc/passwd"))


def test_now_follows_the_context_not_the_cache() -> None:
    plan = compile_query("devices | where last_seen.time_elapsed() > 2d", builtin()).plan
    assert f"({NOW}:datetime - `last_seen`)" in show(resolve(plan, Context(NOW)))
    assert f"({NOW + 1}:datetime - `last_seen`)" in show(resolve(plan, Context(NOW + 1)))
