"""A column by blocks does what a list does, from memory and from a file alike.

Comes in: changes at any rows, in any order. Goes out: values and Arrow. Invariant: what is asked is a list's answer.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given
from hypothesis import strategies as st

from storage.tables import columns
from storage.tables.columns import Column

MOST = 3 * columns._BLOCK
changes = st.lists(st.tuples(st.integers(0, MOST), st.integers(-5, 5) | st.none()), max_size=30)


@given(st.integers(0, MOST), changes, changes)
def test_it_is_a_list(held: int, first: list[tuple[int, int | None]], then: list[tuple[int, int | None]]) -> None:
    expected: list[int | None] = list(range(held))
    column = Column(pa.int64(), pa.chunked_array([pa.array(expected, type=pa.int64())])) if held else Column(pa.int64())
    for some in (first, then):
        for row, value in some:
            column.set(row, value)
            expected += [None] * (row + 1 - len(expected))
            expected[row] = value
        assert [column.get(row) for row, _ in some] == [expected[row] for row, _ in some]
        assert column.arrow(len(expected)).to_pylist() == expected
        assert column.get(len(expected)) is None


def test_it_grows_to_what_is_asked_for() -> None:
    column = Column(pa.string())
    column.set(1, "b")
    assert column.arrow(4).to_pylist() == [None, "b", None, None]
    assert (column.get(0), column.get(3), column.get(4)) == (None, None, None)


@given(st.integers(0, MOST), changes, st.dictionaries(st.integers(0, MOST), st.integers(-5, 5), min_size=1))
def test_it_combines_as_a_list_does(held: int, first: list[tuple[int, int | None]], then: dict[int, int]) -> None:
    expected: list[int | None] = [row % 7 for row in range(held)]
    column = Column(pa.int64(), pa.chunked_array([pa.array(expected, type=pa.int64())]))
    for row, value in first:
        column.set(row, value)
        expected += [None] * (row + 1 - len(expected))
        expected[row] = value
    rows = sorted(then)
    column.combine(rows, pa.array([then[row] for row in rows]), pc.min_element_wise)
    expected += [None] * (rows[-1] + 1 - len(expected))
    for row in rows:
        before = expected[row]
        expected[row] = then[row] if before is None else min(before, then[row])
    assert column.arrow(len(expected)).to_pylist() == expected


def test_texts_that_change_often_leave_nothing_behind() -> None:
    kind = pa.string_view()
    expected = [f"the text of row {row}, as it was" for row in range(10_000)]
    column = Column(kind, pa.chunked_array([pa.array(expected, type=kind)]))
    for turn in range(400):
        for row in (5, 4095, 4096, 9_999, turn):
            expected[row] = f"the text of row {row}, set by turn {turn}"
            column.set(row, expected[row])
        made = column.arrow(10_000)
        assert all(len(chunk.buffers()) < 400 for chunk in made.chunks)
    assert made.to_pylist() == expected


def test_what_is_forgotten_is_in_no_buffer() -> None:
    kind = pa.string_view()
    column = Column(kind, pa.chunked_array([pa.array(["a name of before, long", "another name, as long"], type=kind)]))
    column.set(0, None)
    column.forget()
    made = column.arrow(2)
    assert made.to_pylist() == [None, "another name, as long"]
    assert not any(b"of before" in buffer.to_pybytes() for one in made.chunks for buffer in one.buffers() if buffer)


def test_what_was_given_stays_and_is_given_again() -> None:
    column = Column(pa.int64(), pa.chunked_array([pa.array(range(5_000))]))
    first = column.arrow(5_000)
    column.set(7, 7)
    assert column.arrow(5_000) is first
    column.set(7, 8)
    assert (first[7].as_py(), column.arrow(5_000)[7].as_py()) == (7, 8)
