"""Chance that repeats: plain Python and Polars draw the same numbers, evenly spread.

Comes in: states. Goes out: nothing. Invariant held here: an estate is the same on every machine, because the two ways
of drawing agree to the bit.
"""

from statistics import fmean, pstdev

import polars as pl

from muster.estate import dice
from muster.estate.dice import Dice, mix, word

STATES = [0, 1, 7, word("a"), (1 << 64) - 1]
FRAME = pl.DataFrame({"state": pl.Series(STATES, dtype=pl.UInt64)})


def column(expression: pl.Expr) -> list[object]:
    return FRAME.select(expression.alias("drawn"))["drawn"].to_list()


def test_a_known_state_stays_what_it_is() -> None:
    assert word("estate", 1, "device") == 8_204_090_156_987_711_410
    assert mix(1, 2) == 2_092_789_425_003_139_053


def test_both_ways_give_equal_shares() -> None:
    assert column(dice.share("label")) == [Dice(state).share("label") for state in STATES]


def test_both_ways_give_equal_whole_numbers() -> None:
    assert column(dice.whole("label", -3, 9)) == [Dice(state).whole("label", -3, 9) for state in STATES]


def test_both_ways_choose_the_same_item() -> None:
    items = ("a", "b", "c")
    assert column(dice.pick("label", items)) == [Dice(state).pick("label", items) for state in STATES]
    weighted = (("a", 1.0), ("b", 5.0), ("c", 2.0))
    assert column(dice.weighted("label", weighted)) == [Dice(state).weighted("label", weighted) for state in STATES]


def test_shares_are_evenly_spread() -> None:
    many = pl.DataFrame({"state": pl.int_range(0, 20_000, dtype=pl.UInt64, eager=True)}).select(
        share=dice.share("label"), bell=dice.bell("label")
    )
    by_tenth = many.group_by((pl.col("share") * 10).cast(pl.Int64)).len()["len"]
    assert len(by_tenth) == 10
    assert by_tenth.min() > 1_800  # type: ignore[operator]  # 2,000 expected
    bell = many["bell"].to_list()
    assert abs(fmean(bell)) < 0.03
    assert 0.95 < pstdev(bell) < 1.05


def test_uids_look_like_uuids_and_differ() -> None:
    uids = {Dice(state).uid("uid") for state in range(100)}
    assert len(uids) == 100
    assert all(len(uid) == 36 and uid[14] == "8" and uid[19] in "89ab" for uid in uids)
