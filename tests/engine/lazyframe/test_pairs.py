"""Different objects a key, counted by marks: against sets, in any order and cut, with nulls."""

import random

import polars as pl
import pytest

from engine.lazyframe import pairs
from engine.lazyframe.pairs import different


def drawn(seed: int, rows: int, keys: int, objects: int) -> pl.DataFrame:
    chance = random.Random(seed)

    def some(count: int) -> list[int | None]:
        return [None if chance.random() < 0.1 else chance.randrange(count) for _ in range(rows)]

    return pl.DataFrame({"@binary": some(keys), "@device": some(objects)}, schema_overrides={"@binary": pl.Int64()})


def by_sets(rows: pl.DataFrame) -> dict[int | None, int]:
    found: dict[int | None, set[int]] = {}
    for key, counted in rows.select("@binary", "@device").rows():
        found.setdefault(key, set()).update(() if counted is None else (counted,))
    return {key: len(values) for key, values in found.items()}


def counted(frames: list[pl.DataFrame]) -> dict[int | None, int]:
    answer = different([frame.lazy() for frame in frames], "@binary", "@device", "n").collect()
    assert answer["@binary"].n_unique() == answer.height
    return dict(answer.select("@binary", "n").rows())


@pytest.mark.parametrize(("keys", "objects"), [(1, 1), (3, 40), (40, 3), (9, 1_000)])
@pytest.mark.parametrize("marks", [1, 64, 1 << 22])
def test_as_sets_say(keys: int, objects: int, marks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "_MARKS", marks)
    monkeypatch.setattr(pairs, "_SPARSE", 10**6)
    rows = drawn(keys + objects, 600, keys, objects)
    parts = [rows.head(200).sort("@device"), rows.slice(200, 250), rows.tail(150).sort("@device", nulls_last=True)]
    assert counted(parts) == by_sets(rows)


def test_numbers_far_apart_are_counted_by_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = drawn(1, 50, 5, 5).with_columns(pl.col("@device") * 10**12)
    monkeypatch.setattr(pl, "zeros", None)  # no marks are made
    assert counted([rows]) == by_sets(rows)


def test_of_no_rows_there_is_no_key() -> None:
    empty = drawn(1, 0, 1, 1)
    assert counted([empty.cast(pl.Int64), empty.cast(pl.Int64)]) == {}


def test_a_key_whose_objects_are_all_null_counts_none() -> None:
    rows = pl.DataFrame({"@binary": [1, 1, None, 2], "@device": [None, None, None, 7]})
    assert counted([rows]) == {1: 0, None: 0, 2: 1}
