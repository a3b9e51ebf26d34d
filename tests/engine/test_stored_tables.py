"""Answers over the real store, with days compacted in one or more files, late rows in segments and in memory, are those
of the same rows held plainly."""

from __future__ import annotations

import pytest

from engine.execute import run
from engine.lazyframe import grouping
from engine.source import laid
from nql.api import Compiler, Context, resolve
from storage.tables.days import DAY
from storage.tables.read import SnapshotSource
from storage.tables.store import Store
from tests.logic.memory_source import MemorySource
from tests.storage.tables.test_rollups import FIRST, stored
from tests.storage.tables.world import CATALOG, source_of

pytestmark = pytest.mark.slow

NOW = (FIRST + 4) * DAY + 1
TABLES = ("execution.events", "device.devices", "binary.binaries", "user.users")
EVENTS = ("past 100h", "past 50h", "past 30h")
TEXTS = (
    "execution.events {} | summarize c = cpu_time.sum(), m = memory.max(), n = count() by device.uid",
    "execution.events {} | summarize c = cpu_time.avg(), g = gpu_usage.avg() by device.uid, binary.uid",
    "execution.events {} | summarize c = cpu_time.sum(), n = count() by 1h",
    "execution.events {} | summarize n = count(), c = cpu_time.sum()",
    "execution.events {} | summarize n = device.count(), l = cpu_time.last() by binary.uid",
    "execution.events {} | summarize n = device.count() by binary.uid",
    "execution.events {} | summarize l = cpu_time.last(), f = cpu_time.first() by device.uid",
    "execution.events {} | summarize p = cpu_time.p95(), q = cpu_time.median() by binary.uid",
    "execution.events {} | where cpu_time > 0 | summarize c = cpu_time.sum() by device.uid",
    'execution.events {} | where device.uid == "device-3" | summarize c = cpu_time.sum() by device.uid',
    'execution.events {} | where device.uid == "device-3" | list start_time, cpu_time, binary.uid',
    "devices | with execution.events {} | compute c = cpu_time.sum() | where c > 0s | list uid, c",
    "devices | include execution.events {} | compute c = cpu_time.last(), g = gpu_usage.max() | list uid, c, g",
    'devices | where uid == "device-3" | include execution.events {} | compute c = cpu_time.sum() | list uid, c',
)


@pytest.fixture(scope="module", params=[("UTC", 100_000), ("America/New_York", 200)], ids=lambda param: param[0])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store:
    zone, most_rows = request.param
    return stored(tmp_path_factory.mktemp("tables"), zone, most_rows)


def held(source: SnapshotSource, zone: str) -> MemorySource:
    """All rows of a source, plainly."""
    columns = {table: [column.name for column in CATALOG.tables[table].stored()] for table in TABLES}
    frames = {table: source.scan(table, names).collect() for table, names in columns.items()}
    return MemorySource(CATALOG, frames, zone=zone, complete_until=source.complete_until)


@pytest.mark.parametrize("repeated", [1, 10**9], ids=["counted", "sets"])
@pytest.mark.parametrize("window", EVENTS)
def test_answers_are_those_of_the_rows(
    store: Store, window: str, repeated: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouping, "LARGE", 1)
    monkeypatch.setattr(grouping, "_FEW", -1)
    monkeypatch.setattr(grouping, "_REPEATED", repeated)
    source, zone = source_of(store), store.manifest.zone
    plain = held(source, zone)
    assert laid(source)
    for text in TEXTS:
        plan = resolve(Compiler().compile(text.format(window), CATALOG).plan, Context(NOW, zone, zone, {}))
        answer, expected = run(plan, source), run(plan, plain)
        assert answer.table.num_rows
        assert answer.table.equals(expected.table), text
