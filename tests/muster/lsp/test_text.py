"""Positions of editors and characters of texts: the same place there and back, whatever is counted.

Comes in: texts with every kind of line end and character. Goes out: nothing. Invariant held here: any position, however
wrong, gives an offset inside the text.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.lsp.text import Document, Units

MIXED = st.text(st.sampled_from(["a", "\n", "\r", "\u00e9", "\U0001f600", "\u2028", "\x0b", "\x85"]), max_size=30)


@pytest.mark.parametrize(("units", "unit"), [(Units.UTF8, 3 + 4), (Units.UTF16, 3 + 2), (Units.UTF32, 3 + 1)])
def test_what_a_unit_is(units: Units, unit: int) -> None:
    document = Document("devices\r\n/* \U0001f600 */", units)
    assert document.position(13) == (1, unit)
    assert document.offset(1, unit) == 13


def test_accents_count_two_bytes() -> None:
    assert Document("\u00e9a", Units.UTF8).position(1) == (0, 2)
    assert Document("\u00e9a", Units.UTF16).position(1) == (0, 1)


def test_lines_end_as_the_protocol_says() -> None:
    document = Document("a\nb\r\nc\rd\u2028e\x0bf\x85g")
    assert [document.position(document.text.index(letter)) for letter in "abcdefg"] == [
        (0, 0), (1, 0), (2, 0), (3, 0), (3, 2), (3, 4), (3, 6),
    ]  # fmt: skip


def test_no_place_is_between_the_two_characters_of_a_line_end() -> None:
    assert Document("a\r\nb").position(2) == (0, 1)
    assert Document("a\r\nb").offset(0, 9) == 1


def test_a_unit_inside_a_character_is_before_it() -> None:
    assert Document("\U0001f600a").offset(0, 1) == 0


def test_the_end_of_a_text_that_ends_a_line() -> None:
    document = Document("a\n")
    assert document.position(2) == (1, 0)
    assert (document.offset(1, 0), document.offset(7, 7)) == (2, 2)


def test_a_change() -> None:
    document = Document("devices | list naem", version=1).changed(15, 19, "name", 2)
    assert (document.text, document.version) == ("devices | list name", 2)


def test_the_line_end_of_a_document() -> None:
    assert [Document(text).line_end for text in ("a", "a\nb", "a\r\nb\n", "a\rb")] == ["\n", "\n", "\r\n", "\r"]


@given(MIXED, st.sampled_from(Units))
def test_there_and_back(text: str, units: Units) -> None:
    document = Document(text, units)
    for offset in range(len(text) + 1):
        if text[max(0, offset - 1) : offset + 1] != "\r\n":
            assert document.offset(*document.position(offset)) == offset


@given(MIXED, MIXED, st.sampled_from(Units), st.data())
def test_a_change_by_positions_is_one_of_the_text(text: str, insert: str, units: Units, data: st.DataObject) -> None:
    document = Document(text, units)
    places = [at for at in range(len(text) + 1) if text[max(0, at - 1) : at + 1] != "\r\n"]
    start, end = sorted((data.draw(st.sampled_from(places)), data.draw(st.sampled_from(places))))
    changed = document.changed(
        document.offset(*document.position(start)), document.offset(*document.position(end)), insert, 2
    )
    assert changed.text == text[:start] + insert + text[end:]


@given(MIXED, st.sampled_from(Units), st.integers(-5, 50), st.integers(-5, 90))
def test_any_position_is_inside(text: str, units: Units, line: int, unit: int) -> None:
    assert 0 <= Document(text, units).offset(line, unit) <= len(text)
