"""What one tick of the scheduler costs: a thousand schedules, all due at once, over a hundred thousand devices.

In: a portal on real stores with a million crashes of the last 24 hours; 70 % of the schedules filter objects, 30 %
count events of each device. Out: seconds on the clock and of the processor, from the lease to the last run in the
control database. The goal is a minute on half a core: 30 s of processor time. Every query is another one; beside it the
same with ten queries, each evaluated once. `MUSTER_BENCH_DEVICES` and `MUSTER_BENCH_SCHEDULES` change the sizes.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from argon2 import PasswordHasher
from pytest_benchmark.fixture import BenchmarkFixture

from portal.access.passwords import Passwords
from portal.app import Portal, build
from portal.settings import Settings
from storage.control.manifest import Manifest
from storage.control.schedule_definition import Definition
from storage.control.schedules import Saving
from storage.tables.api import Batch, Rows

DEVICES = int(os.environ.get("MUSTER_BENCH_DEVICES", "100000"))
SCHEDULES = int(os.environ.get("MUSTER_BENCH_SCHEDULES", "1000"))
EVENTS = 10  # of each device in the last 24 hours
ENTITIES = 1000
HOUR = 3_600_000_000
NOW = 1_767_264_000_000_000
PIECE = 50_000
GIB = 1 << 30
QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
OBJECTS = 'devices | where entity == "e-{number}" and hardware.memory > {memory}GB'
COUNTS = """devices | where entity == "e-{number}"
| with execution.crashes during past 24h
| compute crashes = number_of_crashes.sum()
| where crashes > {least}"""


@dataclass
class Clock:
    """A clock that is moved by hand."""

    now: int = NOW

    def __call__(self) -> int:
        return self.now


@dataclass
class Bench:
    """A portal with its devices, and the loop it runs on."""

    runner: asyncio.Runner
    portal: Portal
    clock: Clock
    owner: str

    def schedule(self, texts: list[str]) -> None:
        """Schedules, all due in an hour."""
        for number, text in enumerate(texts):
            said = {"action": "#look", "target": text, "cadence": {"hourly": {"minute": 40}}, "allow_draft": True}
            definition = msgspec.convert(said, Definition)
            wanted = Saving(f"#number_{number}", "x", definition, self.owner, True, self.clock.now + HOUR)
            self.portal.control.schedules.save(wanted, by="portal", now=self.clock.now)

    def tick(self) -> tuple[int, int]:
        """An hour later: how many fired, and the devices of their runs."""
        self.clock.now += HOUR
        self.runner.run(self.portal.scheduler.tick())
        control = self.portal.control
        named = [schedule.nql_id for schedule in control.schedules.everything()]
        firings = [one for nql_id in named for one in control.schedules.firings(nql_id)]
        return len(firings), sum(control.runs.run(one.run).device_count for one in firings if one.run is not None)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    clock = Clock()
    app = build(Settings(tmp_path / "data"), clock=clock, passwords=Passwords(QUICK))
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        runner.run(stack.enter_async_context(app.router.lifespan_context(app)))
        portal: Portal = app.state.portal
        runner.run(_fill(portal))
        owner = portal.control.accounts.create("ann", "-", ["query", "execute"], "UTC", by="portal", now=NOW)
        script = {"linux": {"language": "bash", "text": "true\n"}}
        said = {"nql_id": "#look", "name": "Look", "triggers": ["schedule"], "scripts": script}
        portal.control.actions.save_action(msgspec.convert(said, Manifest), by="portal", now=NOW)
        yield Bench(runner, portal, clock, owner.id)
        runner.run(stack.aclose())


async def _fill(portal: Portal) -> None:
    numbers = count(1)

    async def append(table: str, columns: dict[str, list[Any]]) -> None:
        await portal.tables.append(Batch("bench", 0, "epoch", next(numbers), NOW, (Rows(table, columns),)))

    uids = [f"device-{number:06d}" for number in range(DEVICES)]
    for start in range(0, DEVICES, PIECE):
        piece = range(start, min(start + PIECE, DEVICES))
        await append(
            "device.devices",
            {
                "uid": [uids[number] for number in piece],
                "name": [f"pc-{number:06d}" for number in piece],
                "organization.entity": [f"e-{number % ENTITIES}" for number in piece],
                "hardware.memory": [(number % 7 + 1) * 8 * GIB for number in piece],
            },
        )
    for start in range(0, DEVICES * EVENTS, PIECE):
        events = range(start, min(start + PIECE, DEVICES * EVENTS))
        await append(
            "execution.crashes",
            {
                "@device": [uids[number % DEVICES] for number in events],
                "@binary": [f"{number % 50:064x}" for number in events],
                "time": [NOW - 23 * HOUR + number * 7_919 % (22 * HOUR) for number in events],
                "number_of_crashes": [number % 3 + 1 for number in events],
            },
        )


def _texts(distinct: int) -> list[str]:
    made = []
    for number in range(SCHEDULES):
        same = number % distinct
        if same % 10 < 7:
            made.append(OBJECTS.format(number=same % ENTITIES, memory=16 + 8 * (same // ENTITIES)))
        else:
            made.append(COUNTS.format(number=same % ENTITIES, least=same // ENTITIES))
    return made


@pytest.mark.timeout(900)
@pytest.mark.parametrize("distinct", [SCHEDULES, 10])
def test_a_tick_with_everything_due(
    bench: Bench, benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str], distinct: int
) -> None:
    bench.schedule(_texts(distinct))
    bench.runner.run(bench.portal.scheduler.tick())  # the lease is ours
    processor = time.process_time()
    fired, devices = benchmark.pedantic(bench.tick, rounds=1, iterations=1)  # type: ignore[no-untyped-call]
    processor = time.process_time() - processor
    assert fired == SCHEDULES
    assert devices > 0
    wall = benchmark.stats.stats.total if benchmark.stats else 0.0
    benchmark.extra_info.update(processor=processor, devices=devices)
    with capsys.disabled():
        print(
            f"\n{SCHEDULES} schedules ({distinct} queries) over {DEVICES} devices: {wall:.1f} s on the clock,"
            f" {processor:.1f} s of the processor, runs for {devices} devices"
        )
