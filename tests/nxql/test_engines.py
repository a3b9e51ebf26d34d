"""Generated NXQL gives the same rows in every way of running, and most of what compiles gives rows."""

from __future__ import annotations

from random import Random

import pytest

from nql.api import Context, resolve
from nql.diagnostics import QueryError
from nql.nxql.api import compile_nxql
from nql.plan.plan import ResolvedPlan
from tests.logic.check import answers, written
from tests.logic.fixture import load
from tests.nxql.texts import query

FIXTURE = load("classic")
CASES = 80


def plans(count: int) -> list[tuple[str, ResolvedPlan]]:
    """The first so many generated queries that compile, with their plans."""
    found: list[tuple[str, ResolvedPlan]] = []
    number = 0
    while len(found) < count:
        text = query(Random(number))
        number += 1
        try:
            plan = compile_nxql(text, FIXTURE.catalog).plan
            found.append((text, resolve(plan, Context(FIXTURE.now, FIXTURE.instance_zone, FIXTURE.user_zone))))
        except QueryError:
            continue
    assert count > number / 4, "too few of the generated texts compile"
    return found


@pytest.mark.slow
def test_every_way_of_running_gives_the_same_rows() -> None:
    returned = 0
    for text, plan in plans(CASES):
        (_, first), *others = ((way, written(result)) for way, result in answers(plan, FIXTURE))
        for way, rows in others:
            assert sorted(rows) == sorted(first), f"{way}: {text}"
        returned += bool(first)
    assert returned >= CASES / 2
