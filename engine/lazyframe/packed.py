"""Grouping by several whole numbers as by one: a hash of one number is found sooner than one of many.

In: a frame, its keys, what no value of a key is below or above, and what is made of each group. Out: a lazy frame of
the groups. Invariant: the groups are those of grouping by the keys as they are, null too. Where not all bounds are
known, or the keys do not go into 64 bits together, they are left as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import polars as pl

from engine.lazyframe.dtypes import col

_PACKED = "@packed"
Bounds = Mapping[str, tuple[int, int]]


def grouped_by(frame: pl.LazyFrame, keys: Sequence[str], aggregates: Sequence[pl.Expr], bounds: Bounds) -> pl.LazyFrame:
    """The groups of a frame's rows; one without keys."""
    if not keys:
        return frame.select(aggregates)
    if len(keys) < 2 or any(key not in bounds for key in keys):
        return frame.group_by(keys).agg(aggregates)
    lows = {key: bounds[key][0] for key in keys}
    bases = {key: bounds[key][1] - bounds[key][0] + 2 for key in keys}  # one more: null
    if prod(bases.values()) >= 1 << 63:
        return frame.group_by(keys).agg(aggregates)
    number: pl.Expr = pl.lit(0)
    for key in keys:
        number = number * bases[key] + (col(key) - lows[key]).fill_null(bases[key] - 1)
    groups = frame.group_by(number.alias(_PACKED)).agg(aggregates)
    digits, rest = list[pl.Expr](), col(_PACKED)
    for key in reversed(keys):
        digit = rest % bases[key]
        digits.append(pl.when(digit < bases[key] - 1).then(digit + lows[key]).alias(key))
        rest = rest // bases[key]
    return groups.select(*reversed(digits), pl.exclude(_PACKED))
