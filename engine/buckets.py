"""Periods as arithmetic: which bucket an instant falls in, where equal steps come in runs.

In: the edges of a resolved period. Out: its runs, so that an engine computes the bucket of a row from a handful of
constants instead of searching. A clock change inside a window makes one bucket longer or shorter, hence three runs.
Invariant: run k starts at `start` with bucket number `first`, and its buckets are `step` wide. What an instant
outside all edges means is not decided here: the window of the scan and the edges are cut from the same selection, so
there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from nql.plan.windows import Buckets


@dataclass(frozen=True, slots=True)
class Run:
    """Buckets of equal width: the number of the first, where it starts, and the width, both in microseconds."""

    first: int
    start: int
    step: int


def runs(buckets: Buckets) -> tuple[Run, ...]:
    """The runs of a period, in order; at least one. Raises ValueError on fewer than two edges."""
    edges = buckets.edges
    if len(edges) < 2:
        raise ValueError("a period has at least one bucket")
    found: list[Run] = []
    for number, (start, end) in enumerate(pairwise(edges)):
        if not found or found[-1].step != end - start:
            found.append(Run(number, start, end - start))
    return tuple(found)
