"""States of runs are those of groups: with nulls, sums beyond 64 bits, what is known of the rows and what is not."""

import random
from dataclasses import replace

import polars as pl
import pytest

from engine.lazyframe.runs import WAYS, Lying, Taken, of_runs

VALUE, PRESENT, AT = pl.col("value"), pl.col("value").is_not_null(), pl.col("at")
ENDS = {
    way: [Taken(way, way, pl.col("text"), PRESENT), Taken(f"{way}.at", way, AT, PRESENT)] for way in ("first", "last")
}
STATES = [
    Taken("rows", "length", pl.lit(True)),
    Taken("count", "count", VALUE),
    Taken("sum", "sum", VALUE),
    Taken("wide", "wide_sum", VALUE),
    Taken("real", "real_sum", VALUE),
    Taken("least", "min", VALUE),
    Taken("most", "max", VALUE),
    *ENDS["first"],
    *ENDS["last"],
]
FAR = 1 << 40  # an id that is not remembered


def drawn(seed: int, nulls: float = 0.3, far: bool = False, day: int = 0) -> pl.DataFrame:
    chance = random.Random(seed)
    keys = sorted(chance.randrange(12) for _ in range(80))
    rows = pl.DataFrame(
        {
            "key": [(key + FAR * (key > 7 and far)) or None for key in keys],
            "value": [None if chance.random() < nulls else chance.randrange(-50, 50) for _ in keys],
            "at": [(day * 1_000 + at) * 128 + seed for at in chance.sample(range(1_000), len(keys))],
        },
        schema={"key": pl.Int64(), "value": pl.Int64(), "at": pl.Int64()},
    )
    return rows.sort("key", "at").with_columns(pl.format("{} of {}", "at", pl.lit(seed)).alias("text"))


def by_groups(rows: pl.DataFrame) -> pl.DataFrame:
    present, at = pl.col("text").filter(PRESENT), AT.filter(PRESENT)
    return rows.group_by("key", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("rows"),
        VALUE.count().cast(pl.Int64).alias("count"),
        VALUE.sum().alias("sum"),
        VALUE.sum().cast(pl.Int128).alias("wide"),
        VALUE.sum().cast(pl.Float64).alias("real"),
        VALUE.min().alias("least"),
        VALUE.max().alias("most"),
        present.first().alias("first"),
        at.first().alias("first.at"),
        present.last().alias("last"),
        at.last().alias("last.at"),
    )  # fmt: skip


def counted(rows: pl.DataFrame) -> pl.DataFrame:
    return rows["key"].rle().struct.unnest().select(pl.col("value").alias("key"), "len")


def lying(rows: pl.DataFrame, known: bool, day: int | None = None) -> Lying:
    if not known:
        return Lying(rows.lazy(), day=day)
    return Lying(rows.lazy(), {"value": (-50, 50)}, counted(rows), day=day)


def test_every_way_is_tried() -> None:
    assert {state.how for state in STATES} == WAYS.keys()


@pytest.mark.parametrize("nulls", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("known", [False, True])
def test_as_groups_say(seed: int, nulls: float, known: bool) -> None:
    parts = [drawn(seed, nulls), drawn(seed + 100, nulls), drawn(seed, nulls).clear()]
    found = of_runs([lying(part, known) for part in parts], "key", STATES).collect()
    assert found.schema == of_runs([lying(part, known) for part in parts], "key", STATES).collect_schema()
    assert found.rows() == [row for part in parts for row in by_groups(part).rows()]


@pytest.mark.parametrize("edge", [0, 300, 1_000])
@pytest.mark.parametrize("early", [False, True])
def test_rows_that_a_window_cuts_off_do_not_count(edge: int, early: bool) -> None:
    parts = [drawn(seed) for seed in range(3)]
    time = AT // 128
    inside = time < edge if early else time >= edge
    cut = [replace(lying(part, True), inside=part.lazy().select(inside)) for part in parts]
    found = of_runs(cut, "key", STATES).collect()
    assert found.rows() == [row for part in parts for row in by_groups(part.filter(inside)).rows()]


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("way", ["first", "last"])
@pytest.mark.parametrize("nulls", [0.0, 0.9])
@pytest.mark.parametrize("far", [False, True])
def test_values_of_one_end_are_those_of_all_days(known: bool, way: str, nulls: float, far: bool) -> None:
    days = [(day, drawn(10 * day + part, nulls, far, day)) for day in (3, 1, 2) for part in range(2)]
    found = of_runs([lying(rows, known, day) for day, rows in days], "key", ENDS[way]).collect()
    kept = found.sort(f"{way}.at").group_by("key").agg(getattr(pl.col(way, f"{way}.at").drop_nulls(), way)())
    every = by_groups(pl.concat(rows for _, rows in days).sort("at")).select("key", way, f"{way}.at")
    assert sorted(kept.rows(), key=str) == sorted(every.rows(), key=str)


def test_older_days_are_not_read_for_keys_that_newer_ones_have() -> None:
    def never(rows: pl.DataFrame) -> pl.DataFrame:
        raise AssertionError("these rows were read")

    newer, older = drawn(1, 0.0, day=2).drop_nulls("key"), drawn(1, 0.0, day=1).drop_nulls("key")
    unread = Lying(older.lazy().map_batches(never, schema=older.schema), {}, counted(older), day=1)
    assert of_runs([unread, lying(newer, True, 2)], "key", ENDS["last"]).collect().height == newer["key"].n_unique()
    with pytest.raises(Exception, match="these rows were read"):
        of_runs([unread, lying(newer, True, 2)], "key", ENDS["first"]).collect()


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
    assert found.rows() == by_groups(rows).rows()


def test_a_key_that_comes_again_has_another_run() -> None:
    rows = pl.LazyFrame({"key": [1, 1, 2, 1], "value": [1, 2, 3, 4]})
    assert of_runs([Lying(rows)], "key", STATES[2:3]).collect().rows() == [(1, 3), (2, 3), (1, 4)]
