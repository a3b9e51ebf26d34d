"""Whatever the network and the power do: every execution ends once and truthfully, and no script starts twice.

Comes in: seeds. Goes out: what the world saw. Invariant: after the faults stop, everything settles; the portal's end
of an execution is the device's, and both say `interrupted` only where the agent was killed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.journal import Journal
from storage.control.states import FINAL, State
from tests.sim.world import World

MEMORY = Path("/dev/shm")
SEEDS = int(os.environ.get("MUSTER_SIM_SEEDS", "20"))
QUICK = 2  # the others run with the slow tests
PEACE = 1200  # seconds, longer than any deadline


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory where there is one: what is tested here is not the disk."""
    made = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
    yield made
    shutil.rmtree(made)


def play(seed: int, folder: Path, *, crashes: bool = True) -> tuple[World, list[str]]:
    """Minutes of trouble, then peace; the world and its runs."""
    world = World(seed, folder)
    world.tick()
    runs = []
    for _ in range(12):
        runs.append(world.ask(expires=world.random.choice([30, 300, 3600])).id)
        world.run(world.random.expovariate(1 / 40))
        match world.random.randrange(6):
            case 0 if crashes:
                world.crash()
            case 1:
                world.up = not world.up
            case 2:
                world.control.deadlines.cancel(world.random.choice(runs), by="account:ann", now=world.now)
                world.nudge()
            case _:
                pass
    world.up, world.faults = True, 0.0
    world.run(PEACE)
    return world, runs


@pytest.mark.parametrize(
    "seed", [seed if seed < QUICK else pytest.param(seed, marks=pytest.mark.slow) for seed in range(SEEDS)]
)
def test_every_execution_ends_once_and_truthfully(seed: int, folder: Path) -> None:
    world, runs = play(seed, folder)
    assert all(count == 1 for count in world.starts.values()), world.starts
    assert all(count <= 1 for count in world.accepted.values()), world.accepted
    for run in runs:
        execution = world.control.executions.execution(run, world.device)
        key = (run, execution.attempt)
        assert execution.state in FINAL, (run, execution.state)
        known = world.journal.known.get(key)
        if known is not None:
            assert [report.state for report in known.reports if report.state != "in_progress"] == [
                execution.state.value
            ]
        if execution.state is State.SUCCESS:
            assert world.starts[key] == 1
            assert execution.outputs == {"n": 1}
        if execution.state is State.INTERRUPTED:
            assert world.crashes
        if execution.state in (State.EXPIRED, State.POLICY_DENIED):
            assert world.starts[key] == 0
    assert all(not item.unsent for item in world.journal.known.values())


def test_without_crashes_nothing_is_interrupted(folder: Path) -> None:
    world, runs = play(7, folder, crashes=False)
    states = {world.control.executions.execution(run, world.device).state for run in runs}
    assert State.INTERRUPTED not in states
    assert State.SUCCESS in states


def test_the_journal_alone_tells_the_same(folder: Path) -> None:
    world, _ = play(3, folder)
    known = world.journal.known
    world.journal.close()
    assert Journal(folder / "device").known == known
