"""How the device does: `device_performance.events` and `device_performance.boots`.

In: a host's load, looked at every few seconds. Out: one row of gauges a bucket of 5 minutes, one row a boot.
Invariant: a gauge is the sum, number, least and greatest of its looks, all four or none; rates are between two looks,
so the first look gives none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent.collectors.base import HOUR, MINUTE, SECOND, Rights
from agent.host.base import Host, Load
from agent.rows import Rows, rows

BUCKET = 5 * MINUTE
HIGH = 80.0  # percent of all cores together
WHOLE = frozenset({
    "number_of_logical_processors", "free_memory", "used_memory", "installed_memory", "system_drive_usage",
    "system_drive_capacity", "system_drive_free_space", "non_system_drive_capacity", "non_system_drive_free_space",
})  # fmt: skip


class Performance:
    """Tells load, memory and space."""

    name = "performance"
    tables = ("device_performance.events",)
    rights = Rights.NONE
    every = BUCKET
    buckets = True

    def __init__(self) -> None:
        self._before: tuple[int, Load] | None = None
        self._gauges: dict[str, list[float]] = {}
        self._high = 0

    def sample(self, host: Host, now: int) -> None:
        """Look at the load."""
        load = host.load(now)
        for name, value in {**_levels(load), **self._rates(load, now)}.items():
            gauge = self._gauges.get(name)
            if gauge is None:
                self._gauges[name] = [value, 1, value, value]
            else:
                gauge[0] += value
                gauge[1] += 1
                gauge[2] = min(gauge[2], value)
                gauge[3] = max(gauge[3], value)
        self._before = (now, load)

    def collect(self, host: Host, since: int, until: int) -> Sequence[Rows]:
        """One row, if there was a look."""
        gauges, high = self._gauges, self._high
        self._gauges, self._high = {}, 0
        if not gauges:
            return []
        row: dict[str, Any] = {"start_time": since, "end_time": until, "bucket_duration": until - since}
        row["cpu.duration_with_high_usage"] = min(high, until - since)
        for name, values in gauges.items():
            for part, value in zip(("sum", "count", "min", "max"), values, strict=True):
                row[f"{name}.{part}"] = int(value) if part == "count" or name in WHOLE else float(value)
        return [Rows("device_performance.events", {name: [value] for name, value in row.items()})]

    def _rates(self, load: Load, now: int) -> dict[str, float]:
        if self._before is None or now <= self._before[0]:
            return {}
        passed, before = now - self._before[0], self._before[1]
        busy = max(0, load.busy - before.busy) * 100 / passed
        usage = min(busy, 100.0 * load.processors)
        if usage / load.processors > HIGH:
            self._high += passed
        seconds = passed / SECOND
        return {
            "cpu_usage": usage,
            "normalized_cpu_usage": usage / load.processors,
            "memory_swap_rate": max(0, load.swapped - before.swapped) / seconds,
            "read_operations_per_second": max(0, load.reads - before.reads) / seconds,
            "write_operations_per_second": max(0, load.writes - before.writes) / seconds,
        }


class Boots:
    """Tells when the device started."""

    name = "boots"
    tables = ("device_performance.boots",)
    rights = Rights.NONE
    every = HOUR
    buckets = False

    def sample(self, host: Host, now: int) -> None:
        """Nothing passes between two collections."""

    def collect(self, host: Host, since: int, until: int) -> Sequence[Rows]:
        """The boot, if it lies in the stretch."""
        at = host.boot_time(until)
        if at is None or not since < at <= until:
            return []
        return [rows("device_performance.boots", ("time", "type", "number_of_boots"), [(at, "full_boot", 1)])]


def _levels(load: Load) -> dict[str, float]:
    levels: dict[str, float] = {
        "cpu_queue_length": load.queue,
        "disk_queue_length": load.disk_queue,
        "number_of_logical_processors": load.processors,
        "free_memory": load.free_memory,
        "used_memory": load.memory - load.free_memory,
        "installed_memory": load.memory,
    }
    system = next((drive for drive in load.drives if drive.system), None)
    if system is not None:
        levels["system_drive_usage"] = system.size - system.free
        levels["system_drive_capacity"] = system.size
        levels["system_drive_free_space"] = system.free
    others = [drive for drive in load.drives if not drive.system]
    if others:
        levels["non_system_drive_capacity"] = sum(drive.size for drive in others)
        levels["non_system_drive_free_space"] = sum(drive.free for drive in others)
    return levels
