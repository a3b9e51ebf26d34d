"""The generator of plans leaves nothing out: every kind of relation, expression, measure and function occurs; and one
number means one case.

In: some hundred cases of `agree`, not run. Invariant: a new kind of node in `nql.plan` fails here until a generator
makes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any, get_args

from nql.functions import MEASURES, SCALARS
from nql.plan.expressions import Call, Expr, children
from nql.plan.relations import (
    Aggregate,
    Attach,
    Extend,
    Filter,
    Limit,
    Measure,
    Relation,
    Scan,
    inputs,
)
from nql.plan.windows import Buckets
from tests.properties import plans
from tests.properties.agree import case

PLANS = 1_500
SYMBOLIC = {"Parameter", "DateLiteral", "Now", "SameDay"}  # resolve puts others in their place


def expressions(relation: Relation) -> Iterator[Expr]:
    """Every expression that a relation itself holds, outermost only."""
    match relation:
        case Filter():
            yield relation.predicate
        case Extend():
            yield from (expr for _, expr in relation.items)
        case Attach() | Aggregate():
            for measure in relation.measures:
                yield from (part for part in (measure.operand, measure.where, measure.weight) if part is not None)


def measures(relation: Relation) -> tuple[Measure, ...]:
    """The measures that a relation itself holds."""
    return relation.measures if isinstance(relation, Attach | Aggregate) else ()


def below(relation: Relation) -> Iterator[Relation]:
    """A relation and all under it."""
    yield relation
    for child in inputs(relation):
        yield from below(child)


def inside(expr: Expr) -> Iterator[Expr]:
    """An expression and all in it."""
    yield expr
    for child in children(expr):
        yield from inside(child)


def occurring(relations: Iterable[Relation]) -> Counter[str]:
    """The names of all nodes, measures and functions in some relations."""
    found: Counter[str] = Counter()
    for relation in relations:
        for node in below(relation):
            found[type(node).__name__] += 1
            found.update(measure.function for measure in measures(node))
            found["weight"] += sum(measure.weight is not None for measure in measures(node))
            if isinstance(node, Scan):
                found.update(["daily"] * bool(node.daily))
                found.update(mark for c in node.columns for mark in [c.link and "link", c.entry and "entry"] if mark)
            if isinstance(node, Aggregate) and node.period is not None:
                found["period"] += 1
                found["fill"] += bool(isinstance(node.period, Buckets) and node.period.filled)
            if isinstance(node, Limit):
                found["offset"] += bool(node.offset)
            for expr in (part for outer in expressions(node) for part in inside(outer)):
                found[expr.function if isinstance(expr, Call) else type(expr).__name__] += 1
    return found


def kinds(union: Any) -> set[str]:
    """The names of the classes of a union."""
    return {member.__name__ for member in get_args(union)}


def test_every_kind_of_node_is_generated() -> None:
    found = occurring(plans.plan(Random(number)).relation for number in range(PLANS))
    wanted = (kinds(Relation) | kinds(Expr)) - SYMBOLIC - {"Call"} | set(MEASURES) | set(SCALARS)
    wanted |= {"daily", "link", "entry", "period", "fill", "offset", "weight"}
    assert sorted(name for name in wanted if found[name] < 5) == []


def test_a_number_always_means_the_same_case() -> None:
    assert all(case(number) == case(number) for number in range(20))
