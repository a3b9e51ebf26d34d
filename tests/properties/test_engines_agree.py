"""Generated plans give the same rows on every engine, and conditions part the rows they are asked about.

In: plans of `plans` over tables of `tables`. Invariant: rows agree one by one in order; floats within 1e-9 relative.
"""

from __future__ import annotations

import math
from random import Random
from typing import Any
from typing import Literal as Choice

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from engine.execute import Engine, fitting, run
from engine.lazyframe.relations import translate
from nql.datatypes import Kind
from nql.plan.expressions import Compare, Expr, IsNull, Match, MemberOf
from nql.plan.plan import ResolvedPlan
from nql.plan.relations import Filter
from tests.logic.duck import duck_rows
from tests.properties import plans
from tests.properties.plans import DEVICES, crashes, resolved, visible
from tests.properties.tables import source

unhurried = settings(suppress_health_check=list(HealthCheck))
chances = st.randoms(use_true_random=False)
Row = tuple[Any, ...]


def rows_of(plan: ResolvedPlan, seed: int, *, optimized: bool = True, other: bool = False) -> list[Row]:
    """The rows of the production engine, or of the one that it would not take."""
    fit = fitting(plan)
    engine: Engine = ("in-memory" if fit == "streaming" else "streaming") if other else fit
    table = run(plan, source(seed), optimized=optimized, engine=engine).table
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def same(left: Any, right: Any) -> bool:
    """Equal, floats within 1e-9 relative."""
    if isinstance(left, tuple | list) and isinstance(right, tuple | list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-12)
    return type(left) is type(right) and bool(left == right)


@given(chances, st.integers(0, 2))
@unhurried
def test_polars_and_duckdb_give_the_same_rows(chance: Random, seed: int) -> None:
    plan = plans.plan(chance)
    frame = translate(plan, source(seed)).collect(engine=fitting(plan))
    assert same(frame.rows(), duck_rows(plan, source(seed)).rows())


@given(chances, st.integers(0, 2))
@unhurried
def test_the_way_of_running_does_not_show(chance: Random, seed: int) -> None:
    plan = plans.plan(chance)
    assert same(rows_of(plan, seed), rows_of(plan, seed, optimized=False, other=True))


def complement(expr: Expr) -> Expr:
    """The condition that holds exactly where this one does not."""
    match expr:
        case IsNull():
            return IsNull(expr.operand, not expr.negated)
        case Match():
            return Match(expr.operand, expr.pattern, not expr.negated, null_is_value=True)
        case MemberOf():
            return MemberOf(expr.operand, expr.values, not expr.negated, null_is_value=True)
        case _:
            raise TypeError(type(expr).__name__)


def splits(expr: Expr) -> bool:
    """Whether the condition's complement can be said: not where a null fails both the test and its negation."""
    if isinstance(expr, MemberOf | Match):
        return expr.null_is_value or not expr.negated
    return isinstance(expr, IsNull)


@given(chances, st.integers(0, 2))
@unhurried
def test_a_condition_and_its_complement_part_the_rows(chance: Random, seed: int) -> None:
    scan = chance.choice([DEVICES, crashes(100)])
    condition = plans.about(chance, chance.choice(visible(scan.schema)), scan.schema)
    assume(splits(condition))
    everything = len(rows_of(resolved(scan), seed))
    kept = len(rows_of(resolved(Filter(scan, condition)), seed))
    left = len(rows_of(resolved(Filter(scan, complement(condition))), seed))
    assert kept + left == everything


OPPOSITE: dict[str, Choice["==", "!=", "<", ">", "<=", ">="]] = {
    "<": ">=",
    ">": "<=",
    "<=": ">",
    ">=": "<",
    "==": "!=",
    "!=": "==",
}


@given(chances, st.integers(0, 2))
@unhurried
def test_a_comparison_its_opposite_and_nulls_part_the_rows(chance: Random, seed: int) -> None:
    scan = chance.choice([DEVICES, crashes(100)])
    column = chance.choice([column for column in visible(scan.schema) if column.dtype.kind is not Kind.STRINGS])
    found = plans.comparison(chance, column, plans.constant(chance, column.dtype))
    opposite = Compare(OPPOSITE[found.op], found.left, found.right, found.null_is_value)
    equality = found.op in ("==", "!=")
    nulls = () if equality and found.null_is_value else (IsNull(column),)
    parts = [rows_of(resolved(Filter(scan, part)), seed) for part in (found, opposite, *nulls)]
    assert sum(map(len, parts)) == len(rows_of(resolved(scan), seed))
