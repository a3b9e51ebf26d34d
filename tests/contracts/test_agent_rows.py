"""Every row that an agent makes is one that the portal takes: real rows of this machine, and those of simulated ones.

Comes in: the collectors, run over some hours of a virtual clock. Goes out: batches through the portal's own judge of
rows. Invariant: a collector fills the tables that it says it fills and no other, and each of them has rows.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from agent import wire
from agent.clock import SteadyClock
from agent.collectors.base import DAY, HOUR, SECOND, Collector
from agent.collectors.registry import collectors
from agent.collectors.schedule import Schedule
from agent.host.base import Host
from agent.host.fake import FakeHost
from agent.host.linux import LinuxHost
from agent.host.profiles import profile
from agent.rows import BATCH_ROWS, Rows, batches, seal
from nql.catalog.load import builtin
from storage.tables.api import rows_from_wire

NOON = 1_795_177_800_000_000  # half past, on a working day; no device boots then
UID = "00000000-0000-4000-8000-000000000001"
NOW = 1_767_270_375_000_000  # 2026-01-01 12:26:15 UTC: late enough in the day for everyone to have come to work
NEVER_HERE = {  # what a machine or a container may have nothing of
    "device.cpus", "device.disks", "device.volumes", "device_performance.boots", "session.logins", "session.events",
    "package.packages", "package.installed_packages",
}  # fmt: skip


class Still:
    """A clock that stands still."""

    def now(self) -> int:
        """Always the same instant."""
        return NOW


def raised(name: str, error: Exception) -> None:
    """No collector may raise here."""
    raise AssertionError(name) from error


def collected(host: Host, start: int, hours: float, only: list[Collector] | None = None) -> Iterator[Rows]:
    """What the collectors tell in some hours, looking once a minute."""
    schedule = Schedule(only or collectors(UID), host, {}, start, raised)
    now = start
    while now < start + hours * HOUR:
        yield from schedule.run(now)
        now = max(now + 60 * SECOND, min(schedule.wake, now + 60 * SECOND))


def judged(found: Iterator[Rows], now: int) -> dict[str, int]:
    """Rows by table, after the portal judged every batch."""
    counts: dict[str, int] = {}
    for number, group in enumerate(batches(found), 1):
        batch = msgspec.json.decode(gzip.decompress(seal(group, UID, number)), type=wire.Batch)
        assert sha256(bytes(batch.tables)).digest() == batch.sha256
        for item in msgspec.json.decode(batch.tables, type=list[wire.Columns]):
            rows = rows_from_wire(builtin(), item.table, item.columns, writer="agent", device_uid=UID, now=now)
            counts[item.table] = counts.get(item.table, 0) + rows.count
    return counts


@pytest.mark.parametrize(
    "number", [0, 1, 2, *(pytest.param(number, marks=pytest.mark.slow) for number in range(3, 12))]
)
def test_rows_of_simulated_devices(number: int) -> None:
    host = FakeHost(profile(1, number), SteadyClock())
    counts = judged(collected(host, NOON - DAY, 24), NOON)
    assert counts["device.devices"] == 25  # at once, and at each full hour
    assert counts["device_performance.events"] >= 24 * 12
    assert counts["execution.events"] >= 24 * 4
    assert counts["session.logins"] == counts["device_performance.boots"] == 1
    assert counts["user.users"] >= 2
    assert counts["binary.binaries"] >= 3


def test_rows_of_this_machine(tmp_path: Path) -> None:
    clock = SteadyClock()
    now = clock.now()
    counts = judged(collected(LinuxHost(tmp_path, clock), now - HOUR, 0.7), now)
    wanted = {table for one in collectors(UID) for table in one.tables} - NEVER_HERE
    assert {table for table, count in counts.items() if count} >= wanted


@pytest.mark.parametrize("one", collectors(UID), ids=lambda one: one.name)
def test_a_collector_fills_the_tables_it_names(one: Collector) -> None:
    found = collected(FakeHost(profile(1, 2), Still()), NOW - DAY, 24, [one])
    assert {item.table for item in found} <= set(one.tables)
    for table in one.tables:
        assert builtin().tables[table].writer == "agent"


def test_names_are_unique() -> None:
    names = [one.name for one in collectors(UID)]
    assert len(set(names)) == len(names)


def test_objects_stay_together_and_events_are_split() -> None:
    events = Rows("session.logins", {"time": [1] * (BATCH_ROWS + 5)})
    objects = Rows("package.installed_packages", {"@package": ["x"] * (BATCH_ROWS + 5)})
    sizes = [[(item.table, item.count) for item in group] for group in batches([events, objects])]
    assert sizes == [
        [("session.logins", BATCH_ROWS)],
        [("session.logins", 5)],
        [("package.installed_packages", BATCH_ROWS + 5)],
    ]


def test_an_empty_set_is_told() -> None:
    [[item]] = list(batches([Rows("device.disks", {"name": []})]))
    rows = rows_from_wire(builtin(), item.table, item.columns, writer="agent", device_uid=UID, now=0)
    assert rows.count == 0
