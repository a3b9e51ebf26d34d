"""The history of an estate: when its events are, equal for equal seeds, and the stories that queries shall find.

Comes in: a small estate, made once. Goes out: nothing. Invariant held here: the store takes every row, once.
"""

import asyncio
import tempfile

import polars as pl
import pytest

from muster.estate.batches import digest, loads
from muster.estate.history import history, steps
from muster.estate.load import MOST_DAYS, MOST_DEVICES, batch_of, planned, store
from muster.estate.rhythm import DAY, HOUR, QUARTER
from nql.catalog.load import builtin
from nql.catalog.model import TableKind
from storage.tables.api import open_tables
from tests.muster.estate.conftest import CONNECTED, DAYS, DEVICES, NOW, Tables

pytestmark = pytest.mark.slow
CATALOG = builtin()
ASKED = [table for table in CATALOG.tables.values() if "<" not in table.name]
LONGER = {  # days before the history from which a table has rows too
    "software_metering.events": 21,
    "custom_trend.snapshots": 57,
    "remote_action.executions_summary": 15,
    "workflow.executions_summary": 15,
}


@pytest.mark.parametrize("name", [table.name for table in ASKED if table.kind is not TableKind.OBJECT])
def test_events_lie_in_the_history(tables: Tables, name: str) -> None:
    time = CATALOG.tables[name].time
    assert time is not None
    first = NOW - DAYS * DAY - LONGER.get(name, 1) * DAY
    assert tables[name][time].min() >= first  # type: ignore[operator]
    assert tables[name][time].max() <= NOW  # type: ignore[operator]


def test_buckets_lie_on_the_grid(tables: Tables) -> None:
    rows = tables["execution.events"]
    assert (rows["start_time"] % QUARTER).max() == 0
    assert set(rows["bucket_duration"].unique()) == {QUARTER, HOUR}


def test_gauges_lie_between_least_and_greatest(tables: Tables) -> None:
    for table in ASKED:
        rows = tables[table.name]
        for field in table.fields.values():
            if f"{field.name}.sum" not in rows:
                continue
            mean = pl.col(f"{field.name}.sum") / pl.col(f"{field.name}.count")
            slack = pl.col(f"{field.name}.max").abs() * 1e-3 + 1
            bad = rows.filter(
                (mean < pl.col(f"{field.name}.min") - slack) | (mean > pl.col(f"{field.name}.max") + slack)
            )
            assert bad.is_empty(), f"{table.name}.{field.name}"


def test_the_bad_version_crashes(tables: Tables) -> None:
    crashes = tables["execution.crashes"].join(
        tables["binary.binaries"].select("uid", "name", "version"), left_on="@binary", right_on="uid"
    )
    by_version = crashes.group_by("name", "version").len().sort("len", descending=True)
    assert by_version.row(0)[:2] == ("outlook.exe", "16.0.19127.20222")


def test_the_slow_site_is_slow(tables: Tables) -> None:
    boots = tables["device_performance.boots"].filter(pl.col("type") == "full_boot")
    by_site = boots.group_by("context.organization.entity").agg(pl.col("duration").mean()).sort("duration")
    assert by_site.row(-1)[0] == "Lyon"


def test_weekends_are_quiet(tables: Tables) -> None:
    day = (pl.col("start_time") // DAY + 3) % 7
    used = tables["session.events"].group_by(day.alias("day")).agg(pl.col("user_interaction_time").sum()).sort("day")
    assert used.filter(pl.col("day") >= 5)["user_interaction_time"].max() < 0.3 * used["user_interaction_time"].max()  # type: ignore[operator]


def test_the_connected_devices_are_on_now(tables: Tables) -> None:
    recent = tables["device_performance.events"].filter(pl.col("start_time") >= NOW - HOUR)
    first = planned(DEVICES, DAYS, 1, NOW, CONNECTED).people[:CONNECTED]
    assert {device.uid for device in first} <= set(recent["@device"])


def test_devices_that_are_not_in_use_have_no_events(tables: Tables) -> None:
    away = {device.uid for device in planned(DEVICES, DAYS, 1, NOW, CONNECTED).away}
    known = tables["device.devices"].filter(pl.col("last_seen").is_not_null())
    assert away == set(known["uid"])
    assert known["last_seen"].max() < NOW - DAYS * DAY  # type: ignore[operator]
    for table in ASKED:
        if table.kind is not TableKind.OBJECT and "device" in table.links:
            assert away.isdisjoint(tables[table.name]["@device"]), table.name


def test_machines_that_are_always_on_boot_seldom(tables: Tables) -> None:
    rows = tables["device.devices"].filter(pl.col("boot.last_full_boot").is_not_null())
    assert rows["boot.last_full_boot"].min() < NOW - 30 * DAY  # type: ignore[operator]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_digest() -> None:
    def made(seed: int) -> str:
        whole = planned(20, 2, seed, NOW)
        return digest(loads(whole, history(whole)))

    assert made(5) == made(5)
    assert made(5) != made(6)


@pytest.mark.slow
def test_five_hundred_devices_stay_under_the_budget() -> None:
    whole = planned(500, 7, 1, NOW, connected=50)
    parts = list(history(whole))
    assert 200_000 < sum(part.rows.height for part in parts) <= 600_000
    assert len(parts) <= steps(whole)


@pytest.mark.parametrize(("count", "days"), [(0, 7), (MOST_DEVICES + 1, 7), (5, 0), (5, MOST_DAYS + 1)])
def test_sizes_out_of_bounds_are_refused(count: int, days: int) -> None:
    with pytest.raises(ValueError, match="an estate has"):
        planned(count, days, 1, NOW)


@pytest.mark.parametrize(("count", "days"), [(1, 1), pytest.param(2, 3, marks=pytest.mark.slow)])
def test_the_smallest_estates_have_the_objects_too(count: int, days: int) -> None:
    whole = planned(count, days, 2, NOW)
    assert all(batch_of(load, CATALOG, NOW).rows for load in loads(whole, history(whole)))


async def _stored_twice() -> tuple[int, int, int, int]:
    with tempfile.TemporaryDirectory() as folder:
        tables = await open_tables(folder, CATALOG, clock=lambda: NOW)
        told: list[float] = []
        first = await store(tables, CATALOG, planned(10, 1, 1, NOW), told.append)
        second = await store(tables, CATALOG, planned(10, 1, 1, NOW), told.append)
        await tables.close()
        assert told[-1] == 1.0
        return first.rows, first.repeated, second.rows, second.repeated


@pytest.mark.slow
def test_what_is_stored_is_not_stored_again() -> None:
    rows, repeated, again, all_repeated = asyncio.run(_stored_twice())
    assert rows > 1_000
    assert repeated == again == 0
    assert all_repeated > 0
