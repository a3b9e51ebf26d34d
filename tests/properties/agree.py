"""Numbered cases: a generated plan or text over generated tables gives the same rows in every way of running.

In: a number. Out: how many rows its case has, or `DisagreementError` with the plan and both answers. Even numbers are
plans, odd ones are texts. The long form is `python -m tests.properties.agree --count 10000 --progress FILE`: it
prints the number reached and the share of cases that return rows, and goes on where it stopped. Invariant: a number
always means the same case. Rows agree one by one in order, floats within 1e-9 relative.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from random import Random
from typing import Any
from zlib import crc32

from polars import DataFrame, QueryOptFlags

from engine.execute import Engine, fitting
from engine.lazyframe.relations import translate
from nql.api import Compiler, Context, resolve
from nql.diagnostics import QueryError
from nql.plan.plan import ResolvedPlan
from nql.plan.text import show
from tests.logic.cut_source import CutSource
from tests.logic.duck import duck_rows
from tests.logic.memory_source import MemorySource
from tests.progress import Proof, proof
from tests.properties import plans, texts
from tests.properties.fragments import PARAMETERS
from tests.properties.tables import CATALOG, NOW, USER_ZONE, ZONE, source

SEEDS = 250  # different sets of tables
CONTEXT = Context(NOW, ZONE, USER_ZONE, PARAMETERS)
SHARE = 0.6  # of the cases must return rows
Row = tuple[Any, ...]


class DisagreementError(AssertionError):
    """Two ways of running gave different rows."""


def case(number: int) -> tuple[str, ResolvedPlan]:
    """The text (empty for a generated plan) and plan of a number."""
    chance = Random(number)
    if number % 2 == 0:
        return "", plans.plan(chance)
    while True:  # most texts compile
        text = texts.query(chance)
        try:
            return text, resolve(Compiler().compile(text, CATALOG).plan, CONTEXT)
        except QueryError:
            continue


def check(number: int) -> int:
    """The rows that a case returns. Raises DisagreementError."""
    text, plan = case(number)
    seed = number // 2 % SEEDS
    try:
        return len(same_rows(plan, source(seed)))
    except Exception as error:
        raise DisagreementError(f"case {number}, tables {seed}:\n{text}\n{show(plan)}\n{error}") from error


def same_rows(plan: ResolvedPlan, tables: MemorySource) -> list[Row]:
    """The rows of a plan, the same in every way of running. Raises DisagreementError."""
    fit = fitting(plan)
    other: Engine = "in-memory" if fit == "streaming" else "streaming"
    frame = translate(plan, tables)
    expected = shown(frame.collect(engine=fit))
    for way, found in (
        ("not optimized", shown(frame.collect(engine=other, optimizations=QueryOptFlags.none()))),
        ("shuffled", shown(translate(plan, tables.disturbed(7)).collect(engine=fit))),
        ("in parts", shown(translate(plan, _cut(plan, tables)).collect(engine=fit))),
        ("DuckDB", shown(duck_rows(plan, tables))),
    ):
        if not same(expected, found):
            raise DisagreementError(f"Polars:\n{expected}\n{way}:\n{found}")
    return expected


def _cut(plan: ResolvedPlan, tables: MemorySource) -> CutSource:
    """The tables in parts, cut in another way for each plan."""
    return CutSource(tables, CATALOG, ZONE, crc32(show(plan).encode()))


def one_way(plan: ResolvedPlan, tables: MemorySource, *, oracle: bool) -> list[Row]:
    """The rows of a plan in one way of running: Polars as in production, or the oracle."""
    return shown(duck_rows(plan, tables) if oracle else translate(plan, tables).collect(engine=fitting(plan)))


def shown(frame: DataFrame) -> list[Row]:
    """The rows of an answer, as they stand."""
    return frame.rows()


def same(left: Any, right: Any) -> bool:
    """Equal, floats within 1e-9 relative."""
    if isinstance(left, Sequence) and isinstance(right, Sequence) and not isinstance(left, str):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-12)
    return type(left) is type(right) and bool(left == right)


def main(arguments: Sequence[str]) -> int:
    """The long form. Returns the exit code."""

    def one(number: int, state: Proof) -> None:
        state.count("with rows" if check(number) else "empty")

    state = proof("property cases", arguments, one, count=10_000)
    share = state.counts["with rows"] / max(1, state.reached)
    print(f"{share:.1%} of {state.reached} cases return rows; {SHARE:.0%} must")
    return 0 if not state.failures and share >= SHARE else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
