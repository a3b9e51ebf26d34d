"""Whatever happens to devices that somebody does not see changes nothing of what they are shown.

In: generated plans and texts, generated view domains, generated tables. Invariant: the hidden devices are found by the
domain itself over the same tables; what is taken away are their rows and all rows that point to them.
"""

from __future__ import annotations

from random import Random

import polars as pl
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.rewrites import DEVICES as DEVICE_TABLE
from engine.rewrites import restrict
from nql.datatypes import INT
from nql.plan.expressions import Column, IsNull
from nql.plan.plan import Output, ResolvedPlan
from nql.plan.relations import Filter, scans
from nql.plan.text import show
from tests.logic.memory_source import MemorySource
from tests.properties.agree import SEEDS, case, one_way, same
from tests.properties.drawing import chances, unhurried
from tests.properties.exprs import condition
from tests.properties.plans import DEVICES
from tests.properties.tables import CATALOG, NOW, USER_ZONE, source

IDS = (Output("id", "id", "@id", INT),)
numbers = st.integers(0, 100_000)


def domain(chance: Random) -> ResolvedPlan:
    """Any condition on devices, as a plan that gives their ids."""
    relation = Filter(DEVICES, condition(chance, DEVICES.schema))
    return ResolvedPlan(relation, IDS, DEVICE_TABLE, NOW, USER_ZONE)


def without_hidden(tables: MemorySource, visible: list[int]) -> MemorySource:
    """The tables without devices that are hidden, and without what points to them."""

    def kept(name: str, frame: pl.DataFrame) -> pl.DataFrame:
        key = "@id" if name == DEVICE_TABLE else "@device"
        return frame.filter(pl.col(key).is_in(visible)) if key in frame.columns else frame

    return tables.changed(kept)


@given(numbers, chances)
@unhurried
def test_what_is_hidden_may_as_well_not_be_there(number: int, chance: Random) -> None:
    _, plan = case(number)
    tables, seen = source(number % SEEDS), domain(chance)
    bound = restrict(plan, seen, CATALOG)
    assert (bound.outputs, bound.device) == (plan.outputs, plan.device)
    visible = [row[0] for row in one_way(seen, tables, oracle=False)]
    oracle = chance.random() < 0.3
    whole, rest = (one_way(bound, held, oracle=oracle) for held in (tables, without_hidden(tables, visible)))
    assert same(whole, rest), show(bound)


@given(numbers)
@unhurried
def test_who_sees_all_devices_sees_all_their_rows(number: int) -> None:
    _, plan = case(number)
    assume(
        all(scan.table == DEVICE_TABLE or "device" in CATALOG.tables[scan.table].links for scan in scans(plan.relation))
    )
    everything = IsNull(Column("@id", INT), negated=True)
    seen = ResolvedPlan(Filter(DEVICES, everything), IDS, DEVICE_TABLE, NOW, USER_ZONE)
    tables = source(number % SEEDS)
    known = without_hidden(tables, [row[0] for row in one_way(seen, tables, oracle=False)])
    found = one_way(restrict(plan, seen, CATALOG), known, oracle=number % 3 == 0)
    assert same(found, one_way(plan, known, oracle=False)), show(plan)
