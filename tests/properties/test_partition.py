"""A condition, its opposite and nulls part the rows they are asked about: each row is in exactly one part.

In: conditions of `exprs` over the tables of `tables`. Invariant: parts are compared by the rows' identity, so that a
row in two parts cannot make up for one in none.
"""

from __future__ import annotations

from random import Random
from typing import Literal as Choice

from hypothesis import assume, given

from nql.datatypes import INT, Kind
from nql.plan.expressions import Column, Compare, Expr, IsNull, Match, MemberOf
from nql.plan.plan import Output, ResolvedPlan
from nql.plan.relations import Filter, Relation, Scan
from tests.properties.agree import one_way
from tests.properties.drawing import chances, seeds, unhurried
from tests.properties.exprs import about, comparison, constant, visible
from tests.properties.plans import DEVICES, crashes, outputs, samples
from tests.properties.tables import NOW, USER_ZONE, source

OPPOSITE: dict[str, Choice["==", "!=", "<", ">", "<=", ">="]] = {
    "<": ">=",
    ">": "<=",
    "<=": ">",
    ">=": "<",
    "==": "!=",
    "!=": "==",
}


def scans(chance: Random) -> Scan:
    """Any table."""
    return chance.choice([DEVICES, crashes(100), samples(100), samples(100, daily=True), outputs(100)])


def identities(relation: Relation, seed: int, *, oracle: bool) -> list[int]:
    """Which rows a relation has."""
    key = "@id" if "@id" in relation.schema else "@row"
    plan = ResolvedPlan(relation, (Output(key, key, key, INT),), "device.devices", NOW, USER_ZONE)
    return [row[0] for row in one_way(plan, source(seed), oracle=oracle)]


def check(scan: Scan, parts: list[Expr], seed: int, *, oracle: bool) -> None:
    """Every row of the scan is in one part."""
    found = [row for part in parts for row in identities(Filter(scan, part), seed, oracle=oracle)]
    assert sorted(found) == sorted(identities(scan, seed, oracle=oracle))


def complement(expr: Expr) -> Expr | None:
    """The condition that holds exactly where this one does not, None if the plan cannot say it: not where a null fails
    both the test and its negation."""
    match expr:
        case IsNull():
            return IsNull(expr.operand, not expr.negated)
        case Match() if expr.null_is_value or not expr.negated:
            return Match(expr.operand, expr.pattern, not expr.negated, null_is_value=True)
        case MemberOf() if expr.null_is_value or not expr.negated:
            return MemberOf(expr.operand, expr.values, not expr.negated, null_is_value=True)
        case _:
            return None


@given(chances, seeds)
@unhurried
def test_a_condition_and_its_complement_part_the_rows(chance: Random, seed: int) -> None:
    scan = scans(chance)
    condition = about(chance, chance.choice(visible(scan.schema)), scan.schema)
    other = complement(condition)
    assume(other is not None)
    assert other is not None
    check(scan, [condition, other], seed, oracle=chance.random() < 0.3)


@given(chances, seeds)
@unhurried
def test_a_comparison_its_opposite_and_nulls_part_the_rows(chance: Random, seed: int) -> None:
    scan = scans(chance)
    column = chance.choice([column for column in visible(scan.schema) if column.dtype.kind is not Kind.STRINGS])
    assert isinstance(column, Column)
    found = comparison(chance, column, constant(chance, column.dtype))
    opposite = Compare(OPPOSITE[found.op], found.left, found.right, found.null_is_value)
    equality = found.op in ("==", "!=")
    nulls = () if equality and found.null_is_value else (IsNull(column),)
    check(scan, [found, opposite, *nulls], seed, oracle=chance.random() < 0.3)
