"""Values of NXQL in their units, and the forms of answers: whatever is in them, a reader finds it again."""

from __future__ import annotations

import json
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as Xml

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.result import ResultColumn
from nql.datatypes import DataType, Kind
from nql.nxql.api import NxqlColumn
from portal.classic.formats import FORMS, page
from portal.classic.values import texts, values

MOMENT = 1_767_225_600_000_000  # 2026-01-01 00:00 UTC
TEXTS = st.lists(st.lists(st.text(max_size=8), min_size=2, max_size=2), max_size=4)


def shown(kind: Kind, stored: Any, column: NxqlColumn, *, zone: str = "UTC") -> tuple[list[Any], list[str], list[str]]:
    result = ResultColumn(column.name, column.name, DataType(kind))
    found = values(pa.chunked_array([stored]), result, column, zone)
    return found, texts(found, column, people=False), texts(found, column, people=True)


@pytest.mark.parametrize(
    ("kind", "stored", "column", "value", "text", "people"),
    [
        (Kind.STRING, pa.array(["x"]), NxqlColumn("c", "string"), "x", "x", "x"),
        (Kind.BYTES, pa.array([3 << 29]), NxqlColumn("c", "byte"), 3 << 29, "1610612736", "1.5 GB"),
        (Kind.PERCENTAGE, pa.array([85.0]), NxqlColumn("c", "percent", 100), 0.85, "0.85", "85 %"),
        (Kind.PERCENTAGE, pa.array([85.0]), NxqlColumn("c", "permill", 0.1), 850, "850", "85 %"),
        (Kind.FLOAT, pa.array([float("nan")]), NxqlColumn("c", "real"), None, "-", "-"),
        (Kind.FLOAT, pa.array([2.5]), NxqlColumn("c", "real"), 2.5, "2.5", "2.5"),
        (Kind.INT, pa.array([1_200_000]), NxqlColumn("c", "bps"), 1_200_000, "1200000", "1.2 Mbps"),
        (Kind.BOOLEAN, pa.array([True]), NxqlColumn("c", "boolean"), True, "yes", "yes"),
        (Kind.STRINGS, pa.array([["a", "b"]]), NxqlColumn("c", "list"), ["a", "b"], "a, b", "a, b"),
        (Kind.ENUM, pa.array(["macos"]), NxqlColumn("c", "enum", 1, {"macos": "mac_os"}), "mac_os", "mac_os", "mac_os"),
        *(
            (Kind.DURATION, pa.array([timedelta(seconds=90)]), NxqlColumn("c", kind), value, text, "1.5 min")
            for kind, value, text in (
                ("microsecond", 90_000_000, "90000000"),
                ("millisecond", 90_000, "90000"),
                ("second", 90.0, "90"),
                ("minute", 1.5, "1.5"),
                ("hour", 0.025, "0.025"),
            )
        ),
    ],
)
def test_values(kind: Kind, stored: Any, column: NxqlColumn, value: Any, text: str, people: str) -> None:
    assert shown(kind, stored, column) == ([value], [text], [people])
    assert shown(kind, pa.nulls(1, stored.type), column) == ([None], ["-"], ["-"])


def test_dates_are_those_of_the_site() -> None:
    stored, column = pa.array([MOMENT, 0], pa.timestamp("us", tz="UTC")), NxqlColumn("c", "datetime")
    assert shown(Kind.DATETIME, stored, column, zone="Europe/Paris")[1] == [
        "2026-01-01T01:00:00",
        "1970-01-01T01:00:00",
    ]


def whole(name: str, names: list[str], rows: list[list[str]]) -> str:
    """An answer in two pieces."""
    form = FORMS[name]
    first, others = rows[:1], rows[1:]
    parts = [form.head(names)] + ([form.rows(names, first, True)] if first else [])
    parts += [form.rows(names, others, False)] if others else []
    return "".join(parts) + form.end


class Cells(HTMLParser):
    """The texts of the cells of a table."""

    def __init__(self, tag: str) -> None:
        super().__init__()
        self.tag, self.found, self.inside = tag, list[str](), False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag == self.tag
        if self.inside:
            self.found.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.found[-1] += data


@given(TEXTS)
def test_any_text_in_any_form_is_read_again(rows: list[list[str]]) -> None:
    names = ["device/name", "#x"]
    assert json.loads(whole("json", names, rows)) == [dict(zip(names, row, strict=True)) for row in rows]
    lines = whole("csv", names, rows).removesuffix("\n").split("\n")
    assert lines[0] == "device/name\t#x"
    assert [len(line.split("\t")) for line in lines[1:]] == [2] * len(rows)
    table = Xml.fromstring(whole("xml", names, rows).encode("utf-8", "replace"))
    assert [cell.text for cell in table.findall("header/*")] == names
    assert len(table.findall("body/r/c1")) == len(rows)
    cells = Cells("td")
    cells.feed(whole("html", names, rows))
    assert len(cells.found) == 2 * len(rows)


@given(st.text(), st.lists(st.text(), max_size=3))
def test_the_page_of_an_error_holds_its_words_and_nothing_to_run(message: str, options: list[str]) -> None:
    text = page(message, options)
    assert text.startswith("<html>")
    items = Cells("li")
    items.feed(text)
    assert len(items.found) == len(options)
    assert "<script" not in page("<script>", ["<script>"])
