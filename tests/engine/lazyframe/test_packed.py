"""Groups by keys that are packed into one number are those by the keys, at the edges of bounds and without them."""

import polars as pl
import pytest

from engine.lazyframe.packed import Bounds, grouped_by

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


def test_only_known_keys_that_go_into_64_bits_are_packed() -> None:
    def packed(bounds: Bounds) -> bool:
        return "@packed" in grouped_by(ROWS.lazy(), ["a", "b"], [pl.len()], bounds).explain()

    assert packed({"a": (0, 5), "b": (-3, 9)})
    assert not packed({"a": (0, 5)})
    assert not packed({"a": (0, 2**40), "b": (0, 2**40)})


def test_one_group_without_keys() -> None:
    assert grouped_by(ROWS.lazy(), [], [pl.col("n").sum()], {}).collect().rows() == [(28,)]
