"""Grouping by several whole numbers as by one: a hash of one number is found sooner than one of many.

In: a frame, its keys, what no value of a key is below or above, others to be taken in place of a key's values, and what
is made of each group. Out: a lazy frame of the groups. Invariant: the groups are those of grouping by the keys as they
are, null too. Where not all bounds are known, or the keys do not go into 64 bits together, they are left as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod
from operator import add

import polars as pl

from engine.lazyframe.dtypes import col

_PACKED = "@packed"
_MOST, _SMALL = 1 << 63, 1 << 60
Bounds = Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Exchange:
    """For a key's values from 0 on, `others` in their place; `otherwise` for null, for what is beyond and where
    that is null."""

    key: str
    others: pl.Series
    otherwise: int | None

    @property
    def found(self) -> pl.Expr:
        """The key with others in place of its values."""
        found = pl.lit(self.others).gather(col(self.key), null_on_oob=True)
        return found.fill_null(pl.lit(self.otherwise, dtype=pl.Int64())).alias(self.key)

    def digit(self, low: int, base: int, weight: int, more: int) -> pl.Expr:
        """What the key adds to a number, and `more`: made of each value once and then only looked up."""
        otherwise = base - 1 if self.otherwise is None else self.otherwise - low
        digits = (self.others - low).fill_null(otherwise) * weight + more
        return pl.lit(digits).gather(col(self.key), null_on_oob=True).fill_null(otherwise * weight + more)


def grouped_by(
    frame: pl.LazyFrame,
    keys: Sequence[str],
    aggregates: Sequence[pl.Expr],
    bounds: Bounds,
    exchanged: Sequence[Exchange] = (),
) -> pl.LazyFrame:
    """The groups of a frame's rows; one without keys. `bounds` are those of keys after they were exchanged."""
    if not keys:
        return frame.select(aggregates)
    bases = {key: bounds[key][1] - bounds[key][0] + 2 for key in keys if key in bounds}  # one more: null
    if len(keys) < 2 or len(bases) < len(keys) or prod(bases.values()) >= _MOST:
        plain = frame.with_columns(one.found for one in exchanged) if exchanged else frame
        return plain.group_by(keys).agg(aggregates)
    lows, tables = {key: bounds[key][0] for key in keys}, {one.key: one for one in exchanged}
    packed = sorted(keys, key=lambda key: key in tables)
    groups = frame.group_by(_number(packed, bounds, bases, tables).alias(_PACKED)).agg(aggregates)
    digits, rest = dict[str, pl.Expr](), col(_PACKED)
    for key in packed:
        digit = rest % bases[key]
        digits[key] = pl.when(digit < bases[key] - 1).then(digit + lows[key]).alias(key)
        rest = rest // bases[key]
    return groups.select(*(digits[key] for key in keys), pl.exclude(_PACKED))


def _number(keys: Sequence[str], bounds: Bounds, bases: Mapping[str, int], tables: Mapping[str, Exchange]) -> pl.Expr:
    """The keys as one number, the least digit first; those that are looked up are last and take over what is to be
    subtracted of the others, each of which is a pass over the rows less."""
    number, weight, less = list[pl.Expr](), 1, 0
    for key in keys:
        low, high = bounds[key]
        if key in tables:
            number.append(tables[key].digit(low, bases[key], weight, -less))
            less = 0
        elif tables and (max(abs(low), abs(high)) + 1) * weight < _SMALL:
            digit = col(key).fill_null(high + 1)
            number.append(digit if weight == 1 else digit * weight)
            less += low * weight
        else:
            digit = (col(key) - low).fill_null(bases[key] - 1)
            number.append(digit if weight == 1 else digit * weight)
        weight *= bases[key]
    return reduce(add, number)
