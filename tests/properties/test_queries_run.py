"""Generated texts give rows or diagnostics, and the same rows in every way of running.

In: texts of `texts` over the small fleet. Invariant: a text that compiles runs, on every engine.
"""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from nql.api import Compiler, Context, resolve
from nql.diagnostics import QueryError
from tests.logic.check import answers, written
from tests.logic.fixture import load
from tests.properties.texts import query


@given(st.randoms(use_true_random=False))
@settings(suppress_health_check=list(HealthCheck))
def test_what_compiles_runs_the_same_everywhere(chance: Random) -> None:
    fleet, text = load("fleet"), query(chance)
    try:
        compiled = Compiler().compile(text, fleet.catalog)
    except QueryError:
        reject()
    plan = resolve(compiled.plan, Context(fleet.now, fleet.instance_zone, fleet.user_zone, {}))
    found = [written(result) for _, result in answers(plan, fleet)]
    assert all(rows == found[0] for rows in found[1:])
