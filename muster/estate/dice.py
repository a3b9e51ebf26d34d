"""Repeatable chance: numbers that depend on a seed, a label and keys alone, one at a time or a whole column at once.

In: a seed, a label that says what the number is for, keys (texts or whole numbers). Out: 64-bit states and numbers
drawn from them. Invariant: only whole-number arithmetic modulo 2^64 decides, written twice here (plain Python and
Polars) with equal results, so the same seed gives the same estate on every machine and release. Not for secrets.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate
from typing import TypeVar

import polars as pl

T = TypeVar("T")
WORD = (1 << 64) - 1
ODD = 0x9E3779B97F4A7C15
FIRST, SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
UNIT = 1 << 53


@lru_cache(maxsize=4096)
def word(*keys: str | int) -> int:
    """A 64-bit state from keys of any kind."""
    text = "\x1f".join(str(key) for key in keys)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def mix(state: int, key: int) -> int:
    """The state that follows when a whole number joins it."""
    mixed = ((state ^ key & WORD) + ODD) & WORD
    mixed = (mixed ^ mixed >> 30) * FIRST & WORD
    mixed = (mixed ^ mixed >> 27) * SECOND & WORD
    return mixed ^ mixed >> 31


def mixed(state: pl.Expr, key: pl.Expr | int) -> pl.Expr:
    """`mix` for columns: unsigned 64-bit integers in, the same out."""
    other = _literal(key & WORD) if isinstance(key, int) else key.cast(pl.UInt64)
    step = (state ^ other) + _literal(ODD)
    step = (step ^ _right(step, 30)) * _literal(FIRST)
    step = (step ^ _right(step, 27)) * _literal(SECOND)
    return step ^ _right(step, 31)


class Dice:
    """Draws for one thing, known by its state: a device, a user, a day."""

    __slots__ = ("state",)

    def __init__(self, state: int) -> None:
        self.state = state

    def share(self, label: str) -> float:
        """A number in [0, 1)."""
        return (mix(self.state, word(label)) >> 11) / UNIT

    def between(self, label: str, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * self.share(label)

    def whole(self, label: str, low: int, high: int) -> int:
        """A whole number from low to high, both possible."""
        return low + mix(self.state, word(label)) % (high - low + 1)

    def pick(self, label: str, items: Sequence[T]) -> T:
        """One of the items, all alike."""
        return items[mix(self.state, word(label)) % len(items)]

    def weighted(self, label: str, items: Sequence[tuple[T, float]]) -> T:
        """One of the items, by weight."""
        left = self.share(label) * sum(weight for _, weight in items)
        for item, weight in items:
            left -= weight
            if left < 0:
                return item
        return items[-1][0]

    def digits(self, label: str, length: int) -> str:
        """That many hexadecimal digits, at most 64."""
        parts = (mix(mix(self.state, word(label)), part) for part in range((length + 15) // 16))
        return "".join(f"{part:016x}" for part in parts)[:length]

    def uid(self, label: str) -> str:
        """A UUID (version 8: made by our own rule)."""
        text = self.digits(label, 32)
        return f"{text[:8]}-{text[8:12]}-8{text[13:16]}-{'89ab'[int(text[16], 16) % 4]}{text[17:20]}-{text[20:]}"


def share(label: str, state: str = "state") -> pl.Expr:
    """A column of numbers in [0, 1), drawn from a column of states."""
    return _right(mixed(pl.col(state), word(label)), 11).cast(pl.Float64) / UNIT


def between(label: str, low: float, high: float, state: str = "state") -> pl.Expr:
    """A column of numbers in [low, high)."""
    return low + (high - low) * share(label, state)


def whole(label: str, low: int, high: int, state: str = "state") -> pl.Expr:
    """A column of whole numbers from low to high, both possible."""
    return (mixed(pl.col(state), word(label)) % _literal(high - low + 1)).cast(pl.Int64) + low


def bell(label: str, state: str = "state") -> pl.Expr:
    """A column around 0 with deviation 1, within -3 and 3."""
    drawn = mixed(pl.col(state), word(label))
    low, middle, high = drawn % _literal(1 << 21), _right(drawn, 21) % _literal(1 << 21), _right(drawn, 43)
    return ((low + middle + high).cast(pl.Float64) / (1 << 21) - 1.5) * 2


def pick(label: str, items: Sequence[str | None], state: str = "state") -> pl.Expr:
    """A column of items, all alike."""
    index = (mixed(pl.col(state), word(label)) % _literal(len(items))).cast(pl.Int64)
    return pl.lit(pl.Series("items", list(items), dtype=pl.String)).gather(index)


def weighted(label: str, items: Sequence[tuple[str | None, float]], state: str = "state") -> pl.Expr:
    """A column of items, by weight."""
    total = sum(weight for _, weight in items)
    edges = pl.Series("edges", list(accumulate(weight / total for _, weight in items[:-1])), dtype=pl.Float64)
    index = pl.lit(edges).search_sorted(share(label, state), side="right")
    return pl.lit(pl.Series("items", [item for item, _ in items], dtype=pl.String)).gather(index)


def _literal(value: int) -> pl.Expr:
    return pl.lit(value, dtype=pl.UInt64)


def _right(column: pl.Expr, bits: int) -> pl.Expr:
    return column // _literal(1 << bits)
