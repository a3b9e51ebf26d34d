"""Groups by keys that are packed into one number are those by the keys, at the edges of bounds and without them."""

import polars as pl
import pytest

from engine.lazyframe.packed import Bounds, Exchange, grouped_by

ROWS = pl.DataFrame(
    {
        "a": [0, 5, 5, None, None, 0, 5],
        "b": [-3, 9, 9, -3, None, None, -3],
        "n": [1, 2, 3, 4, 5, 6, 7],
    }
)


@pytest.mark.parametrize(
    "bounds",
    [
        {},
        {"a": (0, 5)},
        {"a": (0, 5), "b": (-3, 9)},
        {"a": (-7, 10), "b": (-(2**40), 2**40)},
        {"a": (0, 2**40), "b": (-(2**40), 2**40)},
        {"a": (-(2**63), 2**63 - 1), "b": (-3, 9)},
    ],
)
def test_as_the_keys_say(bounds: Bounds) -> None:
    sums = [pl.col("n").sum(), pl.len().alias("rows")]
    found = grouped_by(ROWS.lazy(), ["a", "b"], sums, bounds).collect()
    assert found.columns == ["a", "b", "n", "rows"]
    plain = ROWS.group_by("a", "b").agg(sums)
    assert found.sort("a", "b").equals(plain.sort("a", "b"))


@pytest.mark.parametrize("otherwise", [None, 2])
@pytest.mark.parametrize("bounds", [{}, {"a": (0, 2)}, {"a": (0, 2), "b": (-3, 9)}, {"a": (-1, 4), "b": (-5, 2**59)}])
def test_others_are_taken_in_place_of_a_key(bounds: Bounds, otherwise: int | None) -> None:
    others = {0: 2, 1: 1, 2: None, 3: 0}
    exchange = Exchange("a", pl.Series([*others.values()], dtype=pl.Int64), otherwise)
    sums = [pl.col("n").sum(), pl.len().alias("rows")]
    rows = pl.DataFrame(
        {"a": [0, 1, 2, 3, 5, None, 0, 3, None], "b": [9, -3, 9, None, None, None, 1, None, 9], "n": range(9)}
    )
    plain = [otherwise if key is None or others.get(key) is None else others[key] for key in rows["a"]]
    wanted = rows.with_columns(pl.Series("a", plain, dtype=pl.Int64)).group_by("a", "b").agg(sums)
    for keys in (["a", "b"], ["b", "a"]):
        found = grouped_by(rows.lazy(), keys, sums, bounds, [exchange])
        assert found.collect().sort("a", "b").equals(wanted.select(*keys, "n", "rows").sort("a", "b"))
        assert ("@packed" in found.explain()) is (len(bounds) == 2)


def test_only_known_keys_that_go_into_64_bits_are_packed() -> None:
    def packed(bounds: Bounds) -> bool:
        return "@packed" in grouped_by(ROWS.lazy(), ["a", "b"], [pl.len()], bounds).explain()

    assert packed({"a": (0, 5), "b": (-3, 9)})
    assert not packed({"a": (0, 5)})
    assert not packed({"a": (0, 2**40), "b": (0, 2**40)})


def test_one_group_without_keys() -> None:
    assert grouped_by(ROWS.lazy(), [], [pl.col("n").sum()], {}).collect().rows() == [(28,)]
