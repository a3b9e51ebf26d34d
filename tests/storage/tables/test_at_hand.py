"""States at hand are kept once they were wanted before, within a budget; dense ones added up are those of all."""

from __future__ import annotations

import random

import polars as pl
import pytest

from storage.tables.at_hand import MOST_BUDGET, StatesAtHand
from storage.tables.dense import added, dense

STATES = {
    "@rows": pl.Int64,
    "a:sum": pl.Int64,
    "b:sum": pl.Float64,
    "b:count": pl.Int64,
    "a:min": pl.Int64,
    "b:max": pl.Float64,
}


def some(first: int, last: int, seed: int) -> pl.DataFrame:
    """States of two thirds of the devices from the first to the last."""
    chance = random.Random(seed)
    devices = [device for device in range(first, last) if chance.random() < 0.66]
    extreme = [None if chance.random() < 0.2 else chance.randrange(-99, 99) for _ in devices]
    columns = {"@device": devices, "@rows": [chance.randrange(1, 9) for _ in devices]}
    columns |= {name: [chance.randrange(-99, 99) for _ in devices] for name in ("a:sum", "b:sum", "b:count")}
    return pl.DataFrame(columns | {"a:min": extreme, "b:max": extreme}, schema={"@device": pl.Int64, **STATES})


def test_what_is_wanted_again_is_kept() -> None:
    kept, frame, made = StatesAtHand(asked=2), some(0, 9, 1), list[int]()

    def make() -> pl.DataFrame:
        made.append(1)
        return frame

    assert kept.states("one", make) is None
    assert not made
    assert kept.states("one", make) is kept.states("one", make) is frame
    assert made == [1]
    assert kept.states("none", lambda: None) is None
    assert kept.states("none", lambda: None) is None
    assert kept.states("none", make) is None  # that there are none is known


def test_what_was_not_used_for_longest_goes() -> None:
    frame = some(0, 1_000, 1)
    kept = StatesAtHand(int(frame.estimated_size() * 2.5), asked=1)
    for name in ("one", "two", "one", "three"):
        assert kept.states(name, lambda: frame) is frame
    assert kept.states("one", lambda: None) is frame
    assert kept.states("two", lambda: None) is None
    assert StatesAtHand(0).states("one", lambda: frame) is None
    assert StatesAtHand(10, asked=1).states("large", lambda: frame) is frame
    for budget in (-1, MOST_BUDGET + 1):
        with pytest.raises(ValueError, match="budget"):
            StatesAtHand(budget)


@pytest.mark.parametrize("seed", range(4))
def test_dense_states_added_up_are_those_of_all(seed: int) -> None:
    frames = [some(5, 300, seed), some(300, 500, seed + 1), some(100, 400, seed + 2), some(0, 30, seed + 3)]
    pieces = [dense(frame) for frame in frames]
    close = [piece for piece in pieces if piece is not None]
    assert len(close) == len(pieces)
    assert all(piece.sparse().equals(frame) for piece, frame in zip(close, frames, strict=True))
    how = {"sum": pl.Expr.sum, "count": pl.Expr.sum, "@rows": pl.Expr.sum, "min": pl.Expr.min, "max": pl.Expr.max}
    exprs = [how[name.rpartition(":")[2]](pl.col(name)) for name in STATES]
    wanted = pl.concat(frames).group_by("@device").agg(exprs).sort("@device")
    found = added(close)
    assert found is not None
    assert found.sort("@device").equals(wanted)


def test_what_is_not_dense_or_might_leave_64_bits_is_not_added() -> None:
    frame = some(0, 50, 1)
    assert dense(frame.clear()) is None
    assert dense(pl.concat([frame, frame]).sort("@device")) is None
    assert dense(frame.reverse()) is None
    assert dense(frame.with_columns(pl.col("@device") * 10)) is None
    assert (
        dense(frame.with_columns(pl.when(pl.col("@device") > frame["@device"][0]).then("@device").alias("@device")))
        is None
    )
    for most in (1 << 62, -(1 << 62)):
        piece = dense(frame.with_columns(pl.lit(most).alias("a:sum")))
        assert piece is not None
        assert added([piece]) is not None
        assert added([piece, piece]) is None
