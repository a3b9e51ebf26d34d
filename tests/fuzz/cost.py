"""What hostile texts cost, and how the cost grows with their length.

In: families of `hostile`. Out: for each the seconds of the processor at the longest text, and how many times more that
is than at half of it. `python -m tests.fuzz.cost` prints them all, the worst last. Invariant: measured by the time of
this process, the least of several runs, and never from memory: each run has one more space before the text.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nql.api import complete, explain, format_query, hover
from nql.diagnostics import QueryError
from nql.rules import DEFAULT
from nql.syntax.parse import LONGEST
from tests.fuzz.hostile import FAMILIES
from tests.fuzz.texts import meaning
from tests.properties.tables import CATALOG

MOST_SECONDS = 0.4
MOST_GROWTH = 2.3
NOISE = 0.02  # seconds; below this growth says nothing
RUNS = 3


@dataclass(frozen=True)
class Cost:
    """Seconds at the longest text and at half of it."""

    family: str
    whole: float
    half: float

    @property
    def growth(self) -> float:
        """How many times more twice the length costs."""
        return self.whole / max(self.half, 1e-9)

    @property
    def good(self) -> bool:
        """Whether it is bounded and linear."""
        return self.whole <= MOST_SECONDS and (self.whole < NOISE or self.growth <= MOST_GROWTH)


def _explain(text: str) -> None:
    try:
        explain(text, CATALOG, None, DEFAULT)
    except QueryError:
        return


def _complete(text: str) -> None:
    complete(text, len(text), CATALOG)


def _hover(text: str) -> None:
    hover(text, len(text) // 2, CATALOG)


STEPS: dict[str, Callable[[str], object]] = {
    "meaning": meaning,
    "complete": _complete,
    "hover": _hover,
    "format": format_query,
    "explain": _explain,
}


def cost(family: str, step: str = "meaning") -> Cost:
    """The cost of one family; measured again, more patiently, where it looks bad."""
    found = _measured(family, step, RUNS)
    return found if found.good else _measured(family, step, 3 * RUNS)


def quick(family: str, step: str = "meaning") -> float:
    """The seconds of one run at the longest text."""
    return _least(FAMILIES[family](LONGEST), STEPS[step], 1)


def _measured(family: str, step: str, runs: int) -> Cost:
    made = FAMILIES[family]
    half, whole = made(LONGEST // 2 - runs), made(LONGEST - runs)
    return Cost(family, _least(whole, STEPS[step], runs), _least(half, STEPS[step], runs))


def _least(text: str, step: Callable[[str], object], runs: int) -> float:
    found = []
    for run in range(runs):
        spaced = " " * run + text
        gc.collect()
        began = time.process_time()
        step(spaced)
        found.append(time.process_time() - began)
        if found[-1] > 3:
            break
    return min(found)


def main(arguments: Sequence[str]) -> int:
    """Every family, by cost, for each step named, or for all. Returns the exit code."""
    gc.freeze()  # what is loaded is no garbage, and need not be looked through
    bad = 0
    for step in arguments or STEPS:
        for found in sorted((cost(family, step) for family in FAMILIES), key=lambda item: item.whole):
            mark = "" if found.good else "  too much"
            bad += not found.good
            print(f"{step:9} {found.family:22} {found.whole * 1000:7.1f} ms  x{found.growth:.2f}{mark}")
    print(f"{len(FAMILIES)} families, {bad} too slow")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
