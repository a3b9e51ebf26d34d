"""A column by blocks does what a list does, from memory and from a file alike.

Comes in: changes at any rows, in any order. Goes out: values and Arrow. Invariant: what is asked is a list's answer.
"""

from __future__ import annotations

import pyarrow as pa
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
