"""Values and tables for people: readable, aligned, and unable to do anything to a terminal.

Comes in: values. Goes out: nothing. Invariant held here: no character of a value reaches a terminal that could move
its cursor.
"""

import pytest

from muster.shown import duration_text, fitted, printable, result_table, size_text, table, text_width, value_text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1,023 B"), (1536, "1.5 KB"), (16 << 30, "16.0 GB"), (-2048, "-2.0 KB")]
)
def test_sizes(size: float, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.34, "340ms"), (12.34, "12.3s"), (61, "1min 1s"), (7500, "2h 5min"), (200_000, "2d 7h"), (-61, "-1min 1s")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("value", "name", "code", "text"),
    [
        (0.4166666, "percent", None, "41.67 %"),
        (1, "percent", None, "100 %"),
        (8000, "currency", "usd", "$8,000"),
        (-12.5, "currency", "CHF", "-CHF 12.5"),
        (1_250_000, "energy", None, "1.25 MWh"),
        (999, "weight", None, "999 g"),
        (5e12, "bitrate", None, "5,000 Gbps"),
    ],
)
def test_formats_that_a_query_asks_for(value: float, name: str, code: str | None, text: str) -> None:
    assert value_text(value, {**column("float"), "format": {"name": name, "code": code}}, "UTC") == text
    assert value_text(None, {**column("float"), "format": {"name": name, "code": code}}, "UTC") == "-"


def column(kind: str, unit: str | None = None) -> dict[str, object]:
    return {"name": "x", "type": kind, "unit": unit}


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "int", "-"),
        (1234567, "int", "1,234,567"),
        (2.5, "percentage", "2.5 %"),
        (True, "boolean", "yes"),
        (["a", "b"], "string_array", "a, b"),
        ("2026-11-22T03:00:00Z", "datetime", "2026-11-22 04:00:00"),
    ],
)
def test_values(value: object, kind: str, text: str) -> None:
    assert value_text(value, column(kind), "Europe/Zurich") == text


def test_a_duration_is_in_its_columns_unit() -> None:
    assert value_text(1500, column("duration", "ms"), "UTC") == "1.5s"


def test_control_characters_are_shown_as_escapes() -> None:
    assert printable("a\x1b[31mred\nline\u202e") == "a\\x1b[31mred\\nline\\u202e"


def test_wide_characters_take_two_columns() -> None:
    assert text_width("日本e\u0301") == 5


def test_a_table_is_aligned_and_numbers_stand_right() -> None:
    text = table(["name", "n"], [["a", "5"], ["bcdef", "12"]], [False, True], None)
    assert text.split("\n") == ["name    n", "-----  --", "a       5", "bcdef  12"]


def test_a_table_fits_its_width() -> None:
    text = table(["name", "other"], [["x" * 100, "y" * 50]], [False, False], 40)
    assert max(map(len, text.split("\n"))) <= 40
    assert "…" in text


def test_columns_never_vanish() -> None:
    assert fitted([100] * 30, 40) == [6] * 30


def test_an_empty_result_still_has_its_columns() -> None:
    result = {"columns": [{"name": "device.name", "type": "string", "unit": None}], "rows": [], "zone": "UTC"}
    assert result_table(result, 80) == "device.name\n-----------"
