"""Columns and constants are made once and kept; what is kept for one value never stands for another that equals it."""

import polars as pl
import pytest

from engine.lazyframe.dtypes import constant, held, renamed
from nql.datatypes import BOOLEAN, FLOAT, INT, STRING, DataType
from nql.plan.expressions import Value


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (1, INT, pl.Int64()),
        (True, BOOLEAN, pl.Boolean()),
        (1, FLOAT, pl.Float64()),
        (1.0, FLOAT, pl.Float64()),
        ("1", STRING, pl.String()),
        ("1" * 1000, STRING, pl.String()),
        (2**63, INT, pl.Float64()),
        (None, STRING, pl.String()),
    ],
)
def test_constants_that_are_equal_keep_their_own_types(value: Value, dtype: DataType, expected: pl.DataType) -> None:
    for _ in range(2):
        column = pl.select(constant(value, dtype)).to_series()
        assert column.dtype == expected
        assert column.to_list() == [value]


def test_a_zero_keeps_its_sign() -> None:
    signs = [str(pl.select(constant(zero, FLOAT)).item()) for zero in (0.0, -0.0)]
    assert signs == ["0.0", "-0.0"]


def test_a_column_is_read_under_its_name_and_under_another() -> None:
    frame = pl.DataFrame({"a": [1], "b": [2]})
    assert frame.select(renamed("a", "a"), renamed("b", "c")).to_dicts() == [{"a": 1, "c": 2}]


def test_a_value_is_held_in_its_type() -> None:
    assert pl.select(held(pl.lit(2, dtype=pl.Int8()), INT)).to_series().dtype == pl.Int64()
