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
        pytest.param("devices | ", ["where", "include", "summarize", "compute"], ["devices", "latest"], id="clauses"),
        pytest.param(
            "execution.crashes | ", ["where", "summarize", "latest"], ["with", "include"], id="clauses-of-events"
        ),
        pytest.param("devices | with execution.crashes | ", ["compute"], [], id="compute-after-with"),
        pytest.param(
            "devices | summarize n = count() | ",
            ["sort", "summarize", "compute"],
            ["with", "latest"],
            id="after-summarize",
        ),
        pytest.param("devices |\n", ["where", "include"], ["devices"], id="clauses-in-a-new-line"),
        pytest.param("devices\n| where name\n", ["==", "contains"], ["name"], id="operators-in-a-new-line"),
        pytest.param("devices | where hardware.sha-", [], ["name"], id="a-dash"),
        pytest.param("devices | where collector.local_ip in ", ["["], ["10.0.0.0/8"], id="networks-in-a-list"),
        pytest.param("devices | where collector.local_ip > ", [], ["10.0.0.0/8"], id="no-order-of-networks"),
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
            ["memory.avg()", "memory.avg.", "memory.p95()"],
            ["memory.avg", "memory.stddev()"],
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
        pytest.param("devices // na", [], ["name"], id="in-a-comment-to-the-end"),
        pytest.param("devices // all\n| ", ["where"], [], id="after-a-comment"),
        pytest.param("devices | /* which */ where /* now */ na", ["name"], [], id="between-comments"),
        pytest.param("let big = 8GB;\ndev", ["devices"], ["users"], id="after-let"),
        pytest.param("let big = 8GB; devices | where hardware.m", ["hardware.memory"], [], id="in-a-query-with-let"),
        pytest.param("devices past | where na", ["name"], [], id="after-a-broken-selection"),
        pytest.param("devices past 3", ["3d", "3h", "3min"], ["7d"], id="a-number-before-its-unit"),
        pytest.param("devices past 7d ", ["shift"], ["from", "by"], id="shift"),
        pytest.param("session.vdi_events past 2h ", ["by", "shift"], [], id="resolution"),
        pytest.param("session.vdi_events past 2h by ", ["30s"], [], id="30s"),
        pytest.param("devices on ", ["2025-01-31"], [], id="day"),
        pytest.param("devices from ", ["7d ago", "2025-01-31 13:00"], [], id="moment"),
        pytest.param("campaigns ", [], ["during past", "on"], id="table-without-time"),
        pytest.param("devices | with antiviruses ", [], ["during past"], id="joined-objects-have-no-time"),
        pytest.param("devices | list ", ["distinct", "if("], ["not"], id="distinct"),
        pytest.param("devices | list distinct ", ["name"], ["distinct", "tags"], id="after-distinct"),
        pytest.param("devices | where not ", ["name"], ["not", "=="], id="after-not"),
        pytest.param("devices | where name not ", ["in", "like", "starts with"], ["==", "is null"], id="not-in"),
        pytest.param("devices | where name ", ["starts with", "is null"], ["between"], id="operators-of-text"),
        pytest.param("devices | where hardware.memory ", ["between", "<"], ["contains"], id="operators-of-sizes"),
        pytest.param("devices | where hardware.memory between ", ["4GB"], ["null", "name"], id="between"),
        pytest.param("devices | where hardware.memory between 1GB ", ["and"], ["or", "=="], id="and-of-between"),
        pytest.param("devices | where hardware.memory between 1GB and ", ["8GB"], ["not"], id="end-of-between"),
        pytest.param("devices | where hardware.memory between 1GB and 2GB ", ["and", "or"], ["=="], id="after-between"),
        pytest.param("devices | where last_seen.time_elapsed() > ", ["7d"], ["name", "last_seen"], id="durations"),
        pytest.param("devices | where last_seen > ", ["2025-01-31", "first_seen"], ["name", "7d"], id="dates"),
        pytest.param("devices | where name in ", ["["], ["name"], id="a-list-to-come"),
        pytest.param("devices | where name contains ", [], ["name", "null"], id="contains-takes-text"),
        pytest.param("devices | where entity == ", ["name", "null"], ["hardware.memory"], id="names-alike"),
        pytest.param('devices | where (entity == "a") ', ["and", "or"], ["=="], id="after-a-bracket"),
        pytest.param("devices | summarize n = countif(", ["hardware.type", "not"], ["count()"], id="in-countif"),
        pytest.param("devices | summarize n = count(", [], ["name", "count()"], id="in-count"),
        pytest.param("devices | summarize n = count() ", ["by", "+", "/"], ["and", "=="], id="after-a-metric"),
        pytest.param("devices | summarize n = ", ["hardware.memory."], ["hardware.memory"], id="names-to-sum-up"),
        pytest.param("devices | summarize n = count(), ", [], ["name", "count()"], id="another-new-name"),
        pytest.param("devices | summarize n = count() | list n.", ["n.as(format = "], ["n.sum()"], id="formats"),
        pytest.param("devices | summarize n = count() | list n.as(", ["format = "], ["code = ", "n"], id="in-as"),
        pytest.param("devices | summarize n = count() | list n.as(format = ", ["currency"], ["n"], id="format"),
        pytest.param("devices | list hardware.memory.as(format = currency, ", ["code = "], ["format = "], id="code"),
        pytest.param("devices | list hardware.memory.as(format = currency, code = ", ["usd"], ["percent"], id="codes"),
        pytest.param("execution.crashes past 2h | where time.hour(", ["timezone = "], ["time"], id="in-hour"),
        pytest.param(
            "execution.crashes past 2h | where time.hour(timezone = 'Europe/Zu", ["Europe/Zurich'"], ["UTC'"], id="zone"
        ),
        pytest.param("execution.crashes past 2h | where time.hour(timezone = ", ["'Europe/Zurich'"], [], id="zones"),
        pytest.param("execution.crashes | summarize n = count() by 1d, ", ["binary."], ["1h", "1d"], id="one-period"),
        pytest.param("execution.crashes | summarize n = count() by 1d ", ["fill"], ["by"], id="fill"),
        pytest.param("execution.crashes | summarize n = count() by binary.name ", [], ["fill"], id="no-fill"),
        pytest.param("devices | sort ", ["name", "hardware.memory"], ["tags"], id="sort"),
        pytest.param("devices | sort name desc, ", ["entity"], ["desc"], id="second-key"),
        pytest.param("devices | limit ", ["10"], ["name"], id="limit"),
        pytest.param("devices | limit 10 ", ["offset"], ["10"], id="offset"),
        pytest.param("session.logins | latest ", ["by"], ["device"], id="latest"),
        pytest.param("session.logins | latest by ", ["device", "user"], ["1d"], id="latest-by"),
        pytest.param(
            "devices | compute gb = ", ["hardware.memory"], ["count()", "hardware.memory."], id="values-of-rows"
        ),
        pytest.param('devices | where name = "a" and ent¦ity == 3 oops', ["entity"], ["name"], id="in-a-word"),
        pytest.param(
            "devices | summarize n = hardware.memory.av¦g()",
            ["hardware.memory.avg"],
            ["hardware.memory.avg()"],
            id="before-a-bracket",
        ),
        pytest.param("devices | where last_seen > 2024-1¦1-08", [], ["name", "null"], id="in-a-date"),
        pytest.param("binaries | list sha-256_h", ["sha-256_hash_hex"], [], id="a-name-with-a-dash"),
        pytest.param("remote_action.#clean_up.", [], ["name"], id="unknown-action"),
    ],
)
def test_offers(text: str, some: list[str], none: list[str]) -> None:
    found = offered(text)
    assert [item for item in some if item not in found] == []
    assert [item for item in none if item in found] == []


def seen(table: str, column: str, typed: str) -> list[str]:
    """Values of the data, of one column; a field is asked for by the name under which it is stored."""
    values = (
        ["Boston", "Lausanne", 'the "old" site', "it's"]
        if (table, column) == ("device.devices", "organization.entity")
        else []
    )
    return [value for value in values if value.lower().startswith(typed.lower())]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("devices | where entity == ", ['"Boston"', '"Lausanne"', "'the \"old\" site'", '"it\'s"']),
        ("execution.crashes | where device.entity in [", ['"Boston"', '"Lausanne"', "'the \"old\" site'", '"it\'s"']),
        ('devices | where entity == "bo', ['Boston"']),
        ("devices | where entity == 'i", []),
        ('devices | where entity == "bo¦ost" | list name', ["Boston"]),
        ('devices | summarize n = countif(entity != "L', ['Lausanne"']),
        ('devices | where name == "b', []),
        ("devices | where entity contains b", ['"Boston"']),
        ('devices | where operating_system.platform == "win', ['windows"']),
        ("devices | list entity", []),
    ],
)
def test_values_seen_in_the_data(text: str, found: list[str]) -> None:
    at = text.find("¦") if "¦" in text else len(text)
    items = complete(text.replace("¦", ""), at, builtin(), values=seen).items
    assert [item.insert for item in items if item.kind.value == "value" and item.detail == "value"] == found


def test_a_choice_replaces_the_whole_text_between_quotes() -> None:
    text = 'devices | where entity == "bost" | list name'
    span = complete(text, text.index("st"), builtin(), values=seen).span
    assert text[span.start : span.end] == "bost"


def test_at_most_fifty_values_are_offered() -> None:
    text = "devices | where entity == "
    many = complete(text, len(text), builtin(), values=lambda table, column, typed: [f"v{n}" for n in range(500)])
    assert sum(item.detail == "value" for item in many.items) == 50


def test_extensions_say_that_they_are_ours() -> None:
    offered = complete("devices | ", 10, builtin()).items
    docs = {item.insert: item.doc for item in (*offered, *complete("devices | list ", 15, builtin()).items)}
    assert docs["compute"].endswith("Muster extension.")
    assert docs["distinct"].endswith("Muster extension.")
    assert "Muster" not in docs["where"]


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
    unfinished = ("during past", "past", "from", "on", "by", "let", "not", "distinct")
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


def test_only_the_clauses_that_cannot_be_read_are_left_out() -> None:
    broken = (
        "devices | include execution.crashes past 7d | where binary.name == | compute n = count() | list n, m = ) | "
    )
    assert "n" in offered(f"{broken}sort ")
    assert "n" in offered(f"let a = ; {broken}{'| where == ' * 10} | sort ")


def test_of_too_many_clauses_the_first_are_known() -> None:
    begun = "devices | include execution.crashes past 7d | compute n = count()"
    assert "n" in offered(f"{begun}{' | limit 1' * 200} | sort ")
    assert "n" not in offered(f"devices{' | limit 1' * 200}{begun.removeprefix('devices')} | sort ")
