"""The switches of the language: how one text may be meant in more than one way, decided by whoever asks.

In: nothing. Out: `Rules`, part of every key under which a plan is remembered. Invariant: the default rules are the
language as the reference tells it; a switch changes the meaning of a text and nothing about when or where it runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class NullRule(Enum):
    """What `!=`, `!in` and `!contains` say of a null: of stored fields that it passes and of computed metrics that it
    fails (`SPLIT`), of both that it passes, or of both that it fails."""

    SPLIT = "split"
    PASS = "pass"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Rules:
    """`strict` turns everything off that is not in NQL itself (`strict=nexthink`); `nulls` decides about unequal nulls;
    `kilo` is what a KB has of bytes, 1024 or 1000, and a MB of KB, and so on."""

    strict: bool = False
    nulls: NullRule = NullRule.SPLIT
    kilo: int = 1024

    def __post_init__(self) -> None:
        if self.kilo not in (1000, 1024):
            raise ValueError("a KB has 1000 or 1024 bytes")

    def passes(self, *, computed: bool) -> bool:
        """Whether a null passes `!=`."""
        return not computed if self.nulls is NullRule.SPLIT else self.nulls is NullRule.PASS


DEFAULT = Rules()
STRICT = Rules(strict=True)
