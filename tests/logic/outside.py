"""A fixture with more than somebody may see: its rows, and beside them rows of devices outside a view domain.

In: a fixture. Out: a source in which each device, and whatever points to it, is there a second time outside DOMAIN,
with users, binaries and packages that were seen nowhere else; and whether a plan can see all rows of the fixture
itself. Invariant: what is added has keys of its own; all else of it is as believable as what was there.
"""

from __future__ import annotations

import polars as pl

from engine.rewrites import DEVICES, is_defined
from nql.catalog.model import Catalog, Table
from nql.plan.plan import ResolvedPlan
from nql.plan.relations import scans
from tests.logic.fixture import Fixture
from tests.logic.memory_source import MemorySource

DOMAIN = 'uid != "outside-*"'
FAR = 1_000_000  # from here on ids are those of what was added


def outside(fixture: Fixture) -> MemorySource:
    """The fixture's rows with as many outside the domain."""
    frames = {
        name: pl.concat([frame, _doubled(fixture.catalog.tables[name], frame, fixture.catalog)])
        for name, frame in fixture.frames.items()
    }
    return MemorySource(fixture.catalog, frames, zone=fixture.instance_zone, complete_until=fixture.now)


def sees_all(plan: ResolvedPlan, fixture: Fixture) -> bool:
    """Whether DOMAIN leaves out no row of the fixture that the plan reads."""
    for scan in scans(plan.relation):
        table = fixture.catalog.tables[scan.table]
        frame = fixture.frames.get(scan.table)
        if frame is None or table.name == DEVICES or is_defined(table):
            continue
        if "device" not in table.links or frame["@device"].null_count():
            return False
    return True


def _doubled(table: Table, frame: pl.DataFrame, catalog: Catalog) -> pl.DataFrame:
    """The rows once more, of other devices. Rows alternate between what was seen inside as well and what was not."""
    if is_defined(table):
        return frame.clear()
    changes = [pl.col(table.row_key) + FAR]
    for link, target in table.links.items():
        far = pl.col(f"@{link}") + FAR
        if target == DEVICES:
            changes.append(far.alias(f"@{link}"))
        elif not is_defined(catalog.tables[target]):
            changes.append(pl.when(pl.int_range(pl.len()) % 2 == 0).then(far).otherwise(f"@{link}").alias(f"@{link}"))
    if "uid" in frame.columns:
        changes.append(pl.format("outside-{}", pl.col(table.row_key)).alias("uid"))
    return frame.with_columns(changes)
