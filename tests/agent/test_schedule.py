"""When collectors look and collect: the grid, the first short bucket, sleep, restarts, and one that fails.

Comes in: collectors of the test's own under a virtual clock. Goes out: the stretches that they were asked for.
Invariant: the stretches of one collector never overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest

from agent.clock import SteadyClock
from agent.collectors.base import MINUTE, SECOND, Rights
from agent.collectors.schedule import HISTORY, LOOK, Schedule
from agent.host.base import Host
from agent.host.fake import FakeHost
from agent.host.profiles import profile
from agent.rows import Rows

GRID = 15 * MINUTE
START = 1_800_000_000 * SECOND // GRID * GRID + 4 * MINUTE


class Probe:
    """A collector that notes what it is asked."""

    tables = ("execution.events",)
    every = GRID

    def __init__(self, name: str = "probe", *, buckets: bool = True, broken: bool = False) -> None:
        self.name, self.buckets, self.broken = name, buckets, broken
        self.rights = Rights.NONE
        self.looks: list[int] = []
        self.stretches: list[tuple[int, int]] = []

    def sample(self, host: Host, now: int) -> None:
        self.looks.append(now)
        if self.broken:
            raise RuntimeError("broken look")

    def collect(self, host: Host, since: int, until: int) -> Sequence[Rows]:
        self.stretches.append((since, until))
        if self.broken:
            raise RuntimeError("broken")
        return [Rows("execution.events", {"start_time": [since]})]


def schedule(*probes: Probe, marks: dict[str, int] | None = None, failed: list[str] | None = None) -> Schedule:
    host = FakeHost(profile(1, 1), SteadyClock())
    told = failed if failed is not None else []
    return Schedule(probes, host, marks or {}, START, lambda name, error: told.append(name))


def passed(made: Schedule, until: int, now: int = START) -> int:
    """Run until an instant, whenever something is due; how many rows came."""
    count = 0
    while now <= until:
        count += len(made.run(now))
        now = max(now + SECOND, made.wake)
    return count


def test_the_first_bucket_is_short_and_the_rest_lie_on_the_grid() -> None:
    probe = Probe()
    passed(schedule(probe), START + 2 * GRID)
    edges = [START, START + MINUTE, START + 11 * MINUTE, START + 26 * MINUTE]
    assert probe.stretches == list(pairwise(edges))
    assert (START + 11 * MINUTE) % GRID == 0


def test_looks_are_regular() -> None:
    probe = Probe()
    passed(schedule(probe), START + 5 * MINUTE)
    assert all(later - earlier <= LOOK for earlier, later in pairwise(probe.looks))
    assert len(probe.looks) <= 5 * MINUTE // LOOK + 3


def test_time_asleep_belongs_to_no_bucket() -> None:
    probe = Probe()
    made = schedule(probe)
    passed(made, START + 12 * MINUTE)
    woken = START + 12 * MINUTE + 5 * GRID
    passed(made, woken + GRID, woken)
    assert all(end - start <= GRID for start, end in probe.stretches)
    assert all(first[1] <= second[0] for first, second in pairwise(probe.stretches))
    assert probe.stretches[-1][1] % GRID == 0


def test_what_is_no_bucket_goes_on_where_it_was() -> None:
    probe = Probe(buckets=False)
    made = schedule(probe, marks={"probe": START - 7})
    passed(made, START + GRID)
    assert probe.stretches[0] == (START - 7, START)
    assert all(first[1] == second[0] for first, second in pairwise(probe.stretches))
    assert made.marks == {"probe": probe.stretches[-1][1]}


def test_a_real_device_looks_back_and_a_simulated_one_does_not() -> None:
    probe = Probe(buckets=False)
    passed(schedule(probe), START)
    assert probe.stretches == [(START, START)]
    assert HISTORY > 0


def test_one_that_fails_stops_no_other() -> None:
    good, broken, failed = Probe("good"), Probe("broken", broken=True), list[str]()
    rows = passed(schedule(broken, good, failed=failed), START + 2 * MINUTE)
    assert rows == 1
    assert set(failed) == {"broken"}


@pytest.mark.parametrize("rights", list(Rights))
def test_rights(rights: Rights) -> None:
    probe = Probe()
    probe.rights = rights
    passed(schedule(probe), START + MINUTE)
    assert probe.stretches  # a simulated agent has every right; what it lacks on a real one depends on who runs it
