"""The records cover every aggregate, operator and time selection in all that matters about them, or say why not."""

from __future__ import annotations

from textwrap import dedent

import pytest

from tests.logic.coverage import Reason, Table, function_cells, operator_cells, tables
from tests.logic.covered import Covered
from tests.logic.records import parse

HEAD = "fixture: metrics\n\n=== title\n"
ROWS = "\n--- rows\nn int\n1\n"


def covered(query: str) -> Covered:
    """What a query over the fixture covers."""
    (record,) = parse(HEAD + dedent(query) + ROWS)
    return Covered(record)


@pytest.mark.slow
def test_no_cell_is_empty_without_a_reason() -> None:
    for table in tables():
        assert not table.missing, f"{table.name}\n" + "\n".join(map(", ".join, table.missing))
        assert not table.stale, f"{table.name}\n" + "\n".join(reason.reason for reason in table.stale)


def test_nulls_are_counted_in_each_group() -> None:
    found = set(
        covered("devices | include execution.crashes past 24h | compute n = number_of_crashes.p33()").functions()
    )
    assert found == {("pNN", "int", nulls, "include") for nulls in ("no rows", "no nulls", "some nulls", "only nulls")}


def test_aggregates_are_found_inside_arithmetic_and_chains() -> None:
    query = "execution.crashes past 24h | summarize n = 2 * count() + time.last().time_elapsed() by device.name"
    assert set(covered(query).functions()) == {
        ("count", "rows", "no nulls", "summarize by"),
        ("last", "datetime", "no nulls", "summarize by"),
    }


@pytest.mark.parametrize(
    ("path", "operand"),
    [
        ("free_memory", "sampled metric"),
        ("free_memory.avg", "component"),
        ("device", "objects"),
        ("device.name", "string"),
    ],
)
def test_operands_are_told_apart(path: str, operand: str) -> None:
    query = f"device_performance.events past 24h | summarize n = {path}.count()"
    assert {cell[1] for cell in covered(query).functions()} == {operand}


def test_a_name_of_the_query_is_an_operand_of_its_own() -> None:
    query = "devices | with execution.crashes past 24h | compute n = count() | summarize m = n.sum(), k = name.count()"
    assert {cell[:2] for cell in covered(query).functions()} == {
        ("count", "rows"),
        ("sum", "computed name"),
        ("count", "string"),
    }


def test_operators_have_the_type_of_the_name() -> None:
    query = 'devices | where 8GB <= hardware.memory and tags contains "blue" | summarize n = countif(entity != null)'
    assert set(covered(query).operators()) == {("<=", "bytes"), ("contains", "string_array"), ("!= null", "string")}


def test_times_say_their_form_and_zone() -> None:
    assert set(covered("devices | with execution.crashes past 7d").times()) == {
        ("no selection, objects", "one zone"),
        ("past d", "one zone"),
    }
    (record,) = parse(
        "fixture: metrics\nuser zone: Europe/Zurich\n\n=== title\n"
        "execution.crashes from 2024-10-26 12:00 to 2024-10-28 12:00 | summarize n = count()" + ROWS
    )
    assert set(Covered(record).times()) == {
        ("from clock to clock", "two zones"),
        ("from clock to clock", "clock change"),
    }


def test_what_is_in_the_function_table_has_cells() -> None:
    cells = function_cells()
    assert ("stddev", "component", "no nulls", "summarize") in cells
    assert ("stddev", "sampled metric", "no nulls", "summarize") not in cells
    assert ("<", "version") in operator_cells()


def test_empty_cells_need_a_reason_and_reasons_an_empty_cell() -> None:
    empty, full = ("sum", "int", "no rows", "with"), ("sum", "int", "no nulls", "with")
    fits = Reason((None, frozenset({"int", "float"}), frozenset({"no rows"}), None), "with drops them")
    other = Reason((frozenset({"avg"}), None, None, None), "never")
    assert Table("function", (empty, full), frozenset({full}), ()).missing == (empty,)
    table = Table("function", (empty, full), frozenset({full}), (fits, other))
    assert table.missing == ()
    assert table.stale == (other,)
    assert [table.mark(cell) for cell in (empty, full, ("sum",))] == ["-", "x", " "]
