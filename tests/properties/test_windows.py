"""Windows add up: what lies in [a, b) and what lies in [b, c) is what lies in [a, c), each row once.

In: instants on, beside and between the rows of `tables`, for instants, samples and days. Invariant: rows, counts and
sums are held to it, in plans and in texts.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given

from nql.api import Compiler, Context, resolve
from nql.datatypes import INT, SIZE
from nql.plan.expressions import Column
from nql.plan.plan import ResolvedPlan
from nql.plan.relations import Aggregate, Measure, Relation, Scan
from nql.plan.windows import Absolute, Precision
from tests.properties.agree import one_way
from tests.properties.drawing import chances, seeds, unhurried
from tests.properties.plans import DAY, crashes, outputs, resolved, samples
from tests.properties.tables import CATALOG, HOURS, MIDNIGHT, NOW, TOP, ZONE, source

INSTANTS = sorted({at + by for at in (NOW, *(TOP - hours * 3_600_000_000 for hours in HOURS)) for by in (-1, 0, 1)})
DAYS = [MIDNIGHT - days * DAY for days in range(6, -2, -1)]


def between(scan: Scan, start: int, end: int) -> Scan:
    """The same table within other bounds."""
    precision = Precision.DAY if scan.daily else Precision.CLOCK
    return replace(scan, window=Absolute(start, end, precision, ZONE if scan.daily else "UTC"))


def rows(relation: Relation, seed: int) -> list[Any]:
    """The rows of a relation; the oracle is asked for every third table."""
    return one_way(resolved(relation), source(seed), oracle=seed % 3 == 0)


def totals(scan: Scan) -> Relation:
    """The number of rows, and the total of a column."""
    name, dtype = (
        ("n", INT) if "n" in scan.schema else ("freed", SIZE) if "freed" in scan.schema else ("memory.sum", SIZE)
    )
    total = Measure("total", "total", Column(name, dtype), dtype)
    return Aggregate(scan, (), (Measure("rows", "rows", None, INT), total))


@pytest.mark.parametrize(
    "scan", [crashes(1), outputs(1), samples(1), samples(1, daily=True)], ids=["events", "maps", "samples", "days"]
)
@given(chance=chances, seed=seeds)
@unhurried
def test_adjoining_windows_add_up(scan: Scan, chance: Random, seed: int) -> None:
    a, b, c = sorted(chance.choices(DAYS if scan.daily else INSTANTS, k=3))
    first, second, whole = between(scan, a, b), between(scan, b, c), between(scan, a, c)
    assert sorted(map(repr, rows(first, seed) + rows(second, seed))) == sorted(map(repr, rows(whole, seed)))
    counted = [rows(totals(part), seed)[0] for part in (first, second, whole)]
    assert [x + y for x, y in zip(counted[0], counted[1], strict=True)] == list(counted[2])


@given(chances, seeds)
@unhurried
def test_adjoining_selections_in_texts_add_up(chance: Random, seed: int) -> None:
    table, metrics = chance.choice(
        [
            ("execution.crashes", "n = count(), s = countif(number_of_crashes > 0)"),
            ("device_performance.events", "n = count(), s = free_memory.count()"),
            ("session.logins", "n = count(), s = countif(user.name != null)"),
        ]
    )
    moments = sorted(chance.choices(range(9 * 24 * 4), k=3))
    a, b, c = (_written(TOP - 9 * DAY + quarter * 900_000_000) for quarter in moments)
    found = []
    for start, end in ((a, b), (b, c), (a, c)):
        plan = Compiler().compile(f"{table} from {start} to {end} | summarize {metrics}", CATALOG).plan
        found.append(one_row(resolve(plan, Context(NOW, ZONE, "UTC")), seed) if start != end else (0, 0))
    assert [x + y for x, y in zip(found[0], found[1], strict=True)] == list(found[2])


def one_row(plan: ResolvedPlan, seed: int) -> Any:
    """The only row of an answer."""
    (row,) = one_way(plan, source(seed), oracle=seed % 3 == 0)
    return row


def _written(instant: int) -> str:
    return f"{datetime.fromtimestamp(instant // 1_000_000, UTC):%Y-%m-%d %H:%M}"
