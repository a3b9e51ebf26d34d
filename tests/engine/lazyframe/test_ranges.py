"""Groups made range by range are those of all rows: in order or not, with nulls, in many ranges and in one."""

import random

import polars as pl
import pytest

from engine.lazyframe import ranges
from engine.lazyframe.ranges import Ranges


def drawn(seed: int, rows: int, devices: int) -> pl.DataFrame:
    chance = random.Random(seed)
    columns = {
        "@device": [None if chance.random() < 0.1 else chance.randrange(devices) for _ in range(rows)],
        "@binary": [None if chance.random() < 0.1 else chance.randrange(9) for _ in range(rows)],
        "n": [chance.randrange(100) for _ in range(rows)],
    }
    return pl.DataFrame(columns, schema_overrides=dict.fromkeys(columns, pl.Int64()))


def of(parts: list[pl.DataFrame], most: int | None = None) -> Ranges:
    keys = ["@device", "@binary"]
    bounds = {"@binary": (0, 9), "@device": (0, 1_000)}
    frames = [part.lazy() for part in parts]
    return Ranges(frames, "@device", keys, [pl.col("n").sum()], [pl.col("@binary") // 2], bounds, most)


@pytest.mark.parametrize("devices", [1, 7, 90])
@pytest.mark.parametrize("rows", [1, 40, pytest.param(1 << 17, marks=pytest.mark.slow)])
def test_as_all_rows_together(devices: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "ROWS", rows)
    parts = [drawn(devices, 300, devices), drawn(devices + 1, 200, devices).sort("@device"), drawn(0, 10, 3).clear()]
    found = of(parts).groups()
    plain = pl.concat(parts).with_columns(pl.col("@binary") // 2).group_by("@device", "@binary").agg(pl.col("n").sum())
    assert found.collect_schema() == plain.schema
    assert found.collect().sort("@device", "@binary").equals(plain.sort("@device", "@binary"))


def test_what_is_asked_of_the_groups_is_asked_of_each_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "ROWS", 20)
    parts = [drawn(3, 300, 50).sort("@device")]
    every = of(parts).groups().collect()
    large = of(parts).groups().filter(pl.col("n") > 100).select("n").collect()
    assert sorted(large["n"]) == sorted(every["n"].filter(every["n"] > 100))
    assert of(parts).groups().head(7).collect().height == 7


def test_keys_without_an_object_are_one_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "ROWS", 5)
    rows = pl.DataFrame({"@device": [-1, 2, 2, 90, 91], "@binary": [0, 0, 1, 0, 1], "n": [1, 2, 4, 8, 16]})
    found = of([rows], most=2).groups().collect().sort("@device")
    assert found.rows() == [(None, 0, 25), (2, 0, 6)]


def test_no_rows_have_no_groups() -> None:
    assert of([drawn(0, 5, 3).clear()]).groups().collect().is_empty()
