"""Minutes of storms: the portal is killed every few seconds while the agent works, agents are killed, and somebody sets
the clock by an hour and a day, forth and back.

`MUSTER_FAULT_MINUTES` says how many (2 unless told; the long form is 60). Comes in: a folder. Goes out: the numbers
reached. Invariant: whatever happened, every run came to one end, what succeeded brought its own ticket back,
and no script started twice.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults.processes import Program, World, wait_until
from tests.faults.test_kills import ACTION, FINAL, Rounds, manifest, real_device

MINUTES = float(os.environ.get("MUSTER_FAULT_MINUTES", "2"))
HOUR, DAY = 3600, 86_400
STEPS = (HOUR, -HOUR, DAY, -DAY)


class Storm(Rounds):
    """A world under way; `clock` is the file that sets its clocks."""

    def __init__(self, world: World, folder: Path, clock: Path) -> None:
        super().__init__(world, folder)
        self.clock, self.offset, self.highest, self.asked = clock, 0, 0, 0
        self.counts: Counter[str] = Counter()

    def set_clock(self, offset: int) -> None:
        """Somebody sets the clock of portal and device."""
        self.offset, self.highest = offset, max(self.highest, offset)
        beside = self.clock.with_suffix(".new")
        beside.write_text(str(offset))
        beside.replace(self.clock)

    def ask(self, device: str) -> None:
        """Ask for a run, if the portal is there to hear it. A ticket is never used again: it may have heard."""
        self.asked += 1
        ticket = f"ticket-{self.asked}"
        body = {
            "action": ACTION,
            "allow_draft": True,
            "parameters": {"ticket": ticket},
            "target": {"devices": [device]},
        }
        try:
            answer = self.world.client.post("/runs", json=body)
        except httpx.TransportError:
            self.counts["nobody heard"] += 1
        else:
            assert answer.status_code == 201, answer.text
            self.tickets[answer.json()["run"]["id"]] = ticket

    def strike(self) -> None:
        """One blow."""
        match self.random.randrange(4):
            case 0:
                for _ in range(3):
                    self.kill(self.world.portal, "portal")
                    time.sleep(self.random.random() * 3)  # it may be killed before it serves
            case 1:
                self.kill(self.world.agent, "agent")
            case 2:
                self.set_clock(self.offset + self.random.choice(STEPS))
                self.counts["clock steps"] += 1
            case _:
                self.set_clock(self.offset + self.random.choice(STEPS))
                self.kill(self.world.agent, "agent")
                self.kill(self.world.portal, "portal")

    def kill(self, victim: Program, name: str) -> None:
        """Kill -9, and start again."""
        os.kill(victim.pid, signal.SIGKILL)
        victim.reap()
        victim.start()
        self.counts[f"{name} killed"] += 1


@pytest.mark.faults
@pytest.mark.timeout(4 * 3600)
def test_storms_and_clock_steps(tmp_path: Path, reached: Callable[[str], None], monkeypatch: Any) -> None:
    clock = tmp_path / "clock"
    monkeypatch.setenv("MUSTER_TEST_CLOCK", str(clock))
    world = World(tmp_path, clocked=True)
    try:
        world.begin()
        storm = Storm(world, tmp_path, clock)
        storm.random = random.Random(os.environ.get("MUSTER_FAULT_SEED"))
        assert world.client.post("/actions", json=manifest(storm.ledger)).status_code in (200, 201)
        device = real_device(world)
        end = time.monotonic() + MINUTES * 60
        while time.monotonic() < end:
            world.wait_ready()
            for _ in range(3):
                storm.ask(device)
            time.sleep(storm.random.random() * 3)
            storm.strike()
        world.wait_ready()
        storm.set_clock(storm.highest + 60)  # so that nothing lies in the future
        storm.kill(world.agent, "agent")  # it would wait for minutes for the portal that is there
        settled(world, storm)
        reached(f"{MINUTES:g} minutes of storms, nothing lost or doubled: {dict(storm.counts)}")
    finally:
        world.close()


def settled(world: World, storm: Storm) -> None:
    """Every run asked for comes to one truthful end."""
    found: list[list[Any]] = []

    def ended() -> bool:
        try:
            text = f"remote_action.{ACTION}.executions during past 30d | list request_id, status, outputs.ticket"
            found[:] = world.query(text)
        except (httpx.TransportError, AssertionError):
            return False
        return set(storm.tickets) <= {row[0] for row in found if row[1] in FINAL}

    wait_until(ended, "every run to end", 300)
    started = Counter(storm.started())
    assert max(started.values(), default=0) <= 1, "a script started twice"
    assert max(Counter(row[0] for row in found).values(), default=0) <= 1, "a run has two rows"
    for request, status, ticket in found:
        wanted = storm.tickets.get(request, ticket)
        if status == "success":
            assert (ticket, started[wanted]) == (wanted, 1)
        if status == "expired":
            assert started[wanted] == 0
        storm.counts[status] += 1
    control = sqlite3.connect(f"file:{world.data / 'control' / 'control.db'}?mode=ro", uri=True)
    try:
        assert control.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        control.close()
