"""Completion offers what can stand at the cursor, on broken text too, and what it offers is no mistake."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nql.api import complete, diagnose
from nql.catalog.load import builtin
from nql.diagnostics import Span
from nql.functions import FUNCTIONS


def offered(text: str) -> list[str]:
    """What is put in by each choice at the sign ¦, or at the end."""
    at = text.find("¦") if "¦" in text else len(text)
    return [item.insert for item in complete(text.replace("¦", ""), at, builtin()).items]


@pytest.mark.parametrize(
    ("text", "some", "none"),
    [
        pytest.param("", ["devices", "users", "execution.crashes"], ["name", "where"], id="tables"),
        pytest.param("dev", ["devices"], ["users"], id="tables-by-prefix"),
        pytest.param("devices ", ["during past", "from", "on"], ["where", "name"], id="time"),
        pytest.param("devices during past ", ["7d", "24h"], ["name"], id="lengths"),
        pytest.param("execution.crashes from 2d ", ["ago"], ["to"], id="ago"),
        pytest.param("execution.crashes from 2d ago ", ["to"], ["ago"], id="to"),
        pytest.param("devices | ", ["where", "include", "summarize"], ["compute", "devices"], id="clauses"),
        pytest.param("execution.crashes | ", ["where", "summarize"], ["with", "include"], id="clauses-of-events"),
        pytest.param("devices | with execution.crashes | ", ["compute"], [], id="compute-after-with"),
        pytest.param(
            "devices | summarize n = count() | ", ["sort"], ["with", "summarize", "compute"], id="after-summarize"
        ),
        pytest.param("devices | where ", ["name", "hardware.memory"], ["count()", "time"], id="fields"),
        pytest.param("devices | where hardware.", ["hardware.memory"], ["name"], id="group"),
        pytest.param("users | include session.logins | where device.na", ["device.name"], ["name"], id="linked"),
        pytest.param("execution.crashes | list ", ["time", "device.", "binary."], ["device.name"], id="objects"),
        pytest.param("devices | where hardware.type ", ["==", "in"], ["<", "contains"], id="operators-of-enum"),
        pytest.param("devices | where tags ", ["contains"], ["==", "<"], id="operators-of-array"),
        pytest.param("devices | where last_seen ", [">="], ["contains"], id="operators-of-time"),
        pytest.param("devices | where hardware.type == ", ["laptop", "null"], ["name"], id="members"),
        pytest.param("devices | where hardware.type in [laptop, ", ["desktop"], ["name"], id="members-in-list"),
        pytest.param("execution.crashes | where crash_on_start = ", ["true", "false"], ["time"], id="booleans"),
        pytest.param('devices | where name == "x" ', ["and", "or"], ["=="], id="logic"),
        pytest.param('devices | where name == "x" an', ["and"], ["or"], id="logic-by-prefix"),
        pytest.param("devices | where last_seen.", ["last_seen.time_elapsed()"], ["last_seen.last()"], id="scalars"),
        pytest.param(
            "execution.crashes past 7d | where time.", ["time.day()"], ["time.hour()"], id="no-hour-over-days"
        ),
        pytest.param("execution.events | list memory.", ["memory.avg"], ["memory.avg()"], id="components"),
        pytest.param(
            "execution.events | summarize m = memory.",
            ["memory.avg()", "memory.avg", "memory.p95()"],
            ["memory.stddev()"],
            id="smart",
        ),
        pytest.param("devices | summarize n = ", ["count()", "countif("], ["sum()"], id="aggregates"),
        pytest.param("devices | summarize ", [], ["name", "count()"], id="a-new-name"),
        pytest.param("devices | summarize n ", ["="], [], id="equals"),
        pytest.param("devices | summarize n = countif(hardware.type ", ["=="], [], id="operators-in-countif"),
        pytest.param("devices | summarize n = countif(hardware.type == ", ["laptop"], [], id="members-in-countif"),
        pytest.param(
            "devices | include session.logins | compute t = time.last().", [".time_elapsed()"], [], id="chain"
        ),
        pytest.param("devices | summarize n = count() by ", ["entity"], ["hardware.memory", "1d"], id="groups"),
        pytest.param("execution.crashes | summarize n = count() by ", ["1d"], ["time"], id="periods"),
        pytest.param(
            "devices | summarize n = count() by entity | list ", ["n", "device.entity"], ["name"], id="summary"
        ),
        pytest.param(
            "devices | with session.logins | compute k = count() | where ", ["k", "name"], ["time"], id="aliases"
        ),
        pytest.param("devices | include ", ["execution.crashes", "antiviruses"], ["devices"], id="joinable"),
        pytest.param(
            "users | with ", ["session.logins"], ["execution.system_crashes", "antiviruses"], id="joinable-users"
        ),
        pytest.param("devices | sort name ", ["asc", "desc"], ["=="], id="direction"),
        pytest.param("devices | lost name | where hardware.ty", ["hardware.type"], [], id="after-a-broken-clause"),
        pytest.param("devices | where a == b c | list na", ["name"], [], id="after-a-broken-condition"),
        pytest.param("devices | list na¦ | limit ten", ["name"], [], id="before-a-broken-clause"),
        pytest.param('devices | where name == "na', [], ["name"], id="in-quotes"),
        pytest.param("devices /* na", [], ["name"], id="in-a-comment"),
        pytest.param("nothing | where na", [], ["name"], id="unknown-table"),
    ],
)
def test_offers(text: str, some: list[str], none: list[str]) -> None:
    found = offered(text)
    assert [item for item in some if item not in found] == []
    assert [item for item in none if item in found] == []


def test_span_covers_the_typed_name_on_both_sides_of_the_cursor() -> None:
    assert complete("devices | list hardw.foo, name", 20, builtin()).span == Span(15, 24)


def test_items_say_what_they_are() -> None:
    items = {item.insert: item for item in complete("devices | list ", 15, builtin()).items}
    assert (items["hardware.memory"].detail, items["hardware.memory"].kind.value) == ("bytes", "field")
    assert items["last_seen"].doc


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("devices | with ", ""),
        ("users | include ", " | compute n = count()"),
        ("devices | where ", " != null"),
        ("execution.events past 2h | where user.", " != null"),
        ("execution.events past 2h | list memory.", ""),
        ("devices | where hardware.type in [laptop, ", "]"),
        ("devices | summarize n = count() by ", ""),
        ("execution.crashes past 2h | summarize n = count() by ", ""),
        ("execution.events past 2h | summarize m = memory.avg.", ""),
        ("devices | where last_seen.", " != null"),
        ("devices | summarize n = count() by entity | list ", ""),
        ("devices ", ""),
    ],
)
def test_what_is_offered_is_no_mistake(before: str, after: str) -> None:
    completion = complete(before, len(before), builtin())
    assert completion.items
    unfinished = ("during past", "past", "from", "on", "by")
    for item in completion.items:
        if item.insert.endswith((".", "(")) or item.insert in unfinished:
            continue
        text = before[: completion.span.start] + item.insert + after
        assert [found.code for found in diagnose(text, builtin()) if found.severity.value == "error"] == [], text


@given(st.text(alphabet="devics |wher=nam.\"'[](),/*#$ \n17d", max_size=40), st.integers(-5, 60))
def test_never_raises(text: str, offset: int) -> None:
    completion = complete(f"devices | where {text}", offset, builtin())
    assert 0 <= completion.span.start <= completion.span.end <= len(text) + 16


def test_functions_are_offered_only_where_they_may_stand() -> None:
    assert all(function.clauses for function in FUNCTIONS.values())


def test_completion_is_quick() -> None:
    text = "devices past 7d | include execution.crashes past 7d | compute n = count() | where n > 1 | list "
    complete(text, len(text), builtin())
    start = time.process_time()
    for _ in range(10):
        complete(text, len(text), builtin())
    assert (time.process_time() - start) / 10 < 0.02
