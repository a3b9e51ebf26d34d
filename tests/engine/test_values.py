"""Values at the edges of what can be held: engines agree with each other and with Python."""

import math

import duckdb
import polars as pl
import pytest

from engine.lazyframe.dtypes import version_keys
from engine.lazyframe.exprs import expression, value
from engine.lazyframe.functions import MEASURES, SCALARS, Measured
from engine.sql import dtypes as sql
from nql.datatypes import BOOLEAN, DATETIME, DURATION, FLOAT, INT, STRING, version_key
from nql.plan.expressions import Arithmetic, Call, Column, Compare, Literal, Now

BIG = 2**62
WEIRD_VERSIONS = [
    "24.4.1",
    "24.10",
    "v9",
    "",
    "beta",
    "0.0",
    "1.0.0",
    "1.0.1",
    "00012",
    "9" * 30,
    "1" + "0" * 25,
    "a1b2",
    None,
]


def computed(expr: Arithmetic, **columns: float | None) -> object:
    """The value of a calculation over one row."""
    return pl.DataFrame(columns).select(expression(expr)).item()


def test_version_keys_are_the_same_in_every_engine() -> None:
    expected = [None if text is None else version_key(text) for text in WEIRD_VERSIONS]
    frame = pl.DataFrame({"v": WEIRD_VERSIONS}, schema={"v": pl.String})
    assert frame.select(version_keys(pl.col("v"))).to_series().to_list() == expected
    with duckdb.connect() as connection:
        connection.register("t", frame.to_arrow())
        keys = sql.version_keys(sql.column("v")).sql(dialect="duckdb")
        assert [row[0] for row in connection.sql(f"SELECT {keys} FROM t").fetchall()] == expected


@pytest.mark.parametrize(("op", "left", "right"), [("+", BIG, BIG), ("-", -BIG, BIG + 1), ("*", BIG, 2)])
def test_whole_numbers_beyond_64_bits_are_null(op: str, left: int, right: int) -> None:
    expr = Arithmetic(op, Column("a", INT), Column("b", INT), INT)  # type: ignore[arg-type]
    assert computed(expr, a=left, b=right) is None
    assert computed(expr, a=3, b=2) == {"+": 5, "-": 1, "*": 6}[op]


@pytest.mark.parametrize(
    ("op", "left", "right"),
    [("/", 1, 0), ("/", 0, 0), ("^", -8, 0.5), ("^", 10, 400), ("*", 1e300, 1e300), ("^", 0, -1)],
)
def test_what_is_no_number_is_null(op: str, left: float, right: float) -> None:
    expr = Arithmetic(op, Column("a", FLOAT), Column("b", FLOAT), FLOAT)  # type: ignore[arg-type]
    assert computed(expr, a=float(left), b=float(right)) is None


def test_division_is_never_whole() -> None:
    assert computed(Arithmetic("/", Column("a", INT), Column("b", INT), FLOAT), a=7, b=2) == 3.5


def test_a_number_beyond_64_bits_can_be_compared_with() -> None:
    expr = Compare("<", Column("a", INT), Literal(2**70, INT))
    assert pl.DataFrame({"a": [BIG]}).select(expression(expr)).item() is True


def test_a_condition_as_a_column_is_never_null() -> None:
    expr = Compare("==", Column("a", STRING), Literal("x", STRING), dtype=BOOLEAN)
    assert pl.DataFrame({"a": [None, "X"]}, schema={"a": pl.String}).select(value(expr)).to_series().to_list() == [
        False,
        True,
    ]


def test_whole_days_round_down() -> None:
    day = 86_400_000_000
    frame = pl.DataFrame({"a": [-1, 0, day - 1, day, None]})
    call = Call("whole_days", Column("a", DURATION), INT)
    assert frame.select(SCALARS["whole_days"](pl.col("a"), call)).to_series().to_list() == [-1, 0, 0, 1, None]


def test_times_outside_the_calendar_have_no_hour() -> None:
    frame = pl.DataFrame({"a": [2**62, -(2**62), 0]})
    call = Call("hour", Column("a", DATETIME), INT, "Asia/Tokyo")
    assert frame.select(SCALARS["hour"](pl.col("a"), call)).to_series().to_list() == [None, None, 9]


@pytest.mark.parametrize("count", [1, 2, 3, 19, 20, 21, 100, 101, 4_999, 10_000, 100_000])
def test_percentiles_are_nearest_rank(count: int) -> None:
    frame = pl.DataFrame({"a": range(1, count + 1)})
    for percent in range(1, 100):
        rows = Measured(pl.col("a"), INT, rank=percent)
        assert frame.select(MEASURES["percentile"](rows)).item() == math.ceil(percent * count / 100)


def test_a_plan_that_is_not_resolved_is_refused() -> None:
    with pytest.raises(TypeError, match="not resolved"):
        expression(Now())
    with pytest.raises(TypeError, match="not resolved"):
        expression(Call("hour", Column("a", DATETIME), INT))
