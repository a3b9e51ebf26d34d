"""A limited answer is the beginning of the whole answer, sorted or not.

In: plans of `plans` and texts of `texts` without their limits, and a number of rows. Invariant: the limited rows are
compared one by one with the first of all rows, in order.
"""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from nql.api import Compiler, resolve
from nql.diagnostics import QueryError
from nql.plan.relations import Limit
from tests.properties import texts
from tests.properties.agree import CONTEXT, one_way, same
from tests.properties.drawing import chances, seeds, unhurried
from tests.properties.plans import relation, resolved
from tests.properties.tables import CATALOG, source


@given(chances, seeds, st.integers(0, 6))
@unhurried
def test_a_limited_plan_is_a_prefix(chance: Random, seed: int, count: int) -> None:
    node = relation(chance)
    whole, limited = (
        one_way(resolved(each), source(seed), oracle=seed % 3 == 0) for each in (node, Limit(node, count))
    )
    assert same(limited, whole[:count])


@given(chances, seeds, st.integers(0, 6))
@unhurried
def test_a_limited_text_is_a_prefix(chance: Random, seed: int, count: int) -> None:
    text = whole_query(chance)
    plans = [resolve(Compiler().compile(query, CATALOG).plan, CONTEXT) for query in (text, f"{text} | limit {count}")]
    whole, limited = (one_way(plan, source(seed), oracle=seed % 3 == 0) for plan in plans)
    assert same(limited, whole[:count])


def whole_query(chance: Random) -> str:
    """A text that compiles, with the values of its parameters too, and has no limit."""
    while True:
        text = "\n| ".join(part for part in texts.query(chance).split("\n| ") if not part.startswith("limit"))
        try:
            resolve(Compiler().compile(text, CATALOG).plan, CONTEXT)
        except QueryError:
            continue
        return text
