"""States of runs are those of groups: with nulls, sums beyond 64 bits, what is known of the rows and what is not."""

import random
from typing import Any

import polars as pl
import pytest

from engine.lazyframe.runs import WAYS, Lying, Taken, of_runs

VALUE, PRESENT = pl.col("value"), pl.col("value").is_not_null()
STATES = [
    Taken("rows", "length", pl.lit(True)),
    Taken("count", "count", VALUE),
    Taken("sum", "sum", VALUE),
    Taken("wide", "wide_sum", VALUE),
    Taken("real", "real_sum", VALUE),
    Taken("least", "min", VALUE),
    Taken("most", "max", VALUE),
    Taken("first", "first", pl.col("text"), PRESENT),
    Taken("last", "last", pl.col("text"), PRESENT),
]


def drawn(seed: int, nulls: float = 0.3) -> pl.DataFrame:
    chance = random.Random(seed)
    keys = sorted(chance.randrange(12) for _ in range(80))
    return pl.DataFrame(
        {
            "key": [key or None for key in keys],
            "value": [None if chance.random() < nulls else chance.randrange(-50, 50) for _ in keys],
            "text": [str(number) for number in range(len(keys))],
        },
        schema={"key": pl.Int64(), "value": pl.Int64(), "text": pl.String()},
    )


def by_groups(rows: pl.DataFrame) -> list[tuple[Any, ...]]:
    present = pl.col("text").filter(PRESENT)
    groups = rows.group_by("key", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("rows"),
        VALUE.count().cast(pl.Int64).alias("count"),
        VALUE.sum().alias("sum"),
        VALUE.sum().cast(pl.Int128).alias("wide"),
        VALUE.sum().cast(pl.Float64).alias("real"),
        VALUE.min().alias("least"),
        VALUE.max().alias("most"),
        present.first().alias("first"),
        present.last().alias("last"),
    )
    return groups.rows()


def counted(rows: pl.DataFrame) -> pl.DataFrame:
    return rows["key"].rle().struct.unnest().select(pl.col("value").alias("key"), "len")


def test_every_way_is_tried() -> None:
    assert {state.how for state in STATES} == WAYS.keys()


@pytest.mark.parametrize("nulls", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("known", [False, True])
def test_as_groups_say(seed: int, nulls: float, known: bool) -> None:
    parts = [drawn(seed, nulls), drawn(seed + 100, nulls), drawn(seed, nulls).clear()]
    lying = [
        Lying(part.lazy(), {"value": (-50, 50)} if known else {}, counted(part) if known else None) for part in parts
    ]
    found = of_runs(lying, "key", STATES).collect()
    assert found.schema == of_runs(lying, "key", STATES).collect_schema()
    assert found.rows() == [row for part in parts for row in by_groups(part)]


@pytest.mark.parametrize("bounds", [{}, {"value": (-(2**63), 2**63 - 1)}])
def test_sums_beyond_64_bits(bounds: dict[str, tuple[int, int]]) -> None:
    values = [2**62, 2**62, 2**62, None, -(2**63), -(2**63), 7]
    rows = pl.DataFrame(
        {"key": [1, 1, 1, 1, 2, 2, 3], "value": values}, schema={"key": pl.Int64(), "value": pl.Int64()}
    )
    found = of_runs([Lying(rows.lazy(), bounds)], "key", STATES[3:5]).collect()
    assert found["wide"].to_list() == [3 * 2**62, -(2**64), 7]
    assert found["real"].to_list() == [float(3 * 2**62), float(-(2**64)), 7.0]


def test_a_count_of_other_rows_is_not_believed() -> None:
    rows = drawn(1)
    found = of_runs([Lying(rows.lazy(), {}, counted(rows.head(30)))], "key", STATES).collect()
    assert found.rows() == by_groups(rows)


def test_a_key_that_comes_again_has_another_run() -> None:
    rows = pl.LazyFrame({"key": [1, 1, 2, 1], "value": [1, 2, 3, 4]})
    assert of_runs([Lying(rows)], "key", STATES[2:3]).collect().rows() == [(1, 3), (2, 3), (1, 4)]
