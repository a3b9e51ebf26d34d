"""Rounds of kill -9, of the portal or of the agent, at random instants: what was acknowledged is there, once, and no
script starts twice.

A round counts only if at least 1,000 rows were acknowledged and a script was running since the kill before. Beside, the
store seals and compacts without rest, and somebody reads: each answer must be explained by what had been sent and
acknowledged. Rounds come in stages of 25; each stage is a test and a world of its own, so that stages can run beside
each other. `MUSTER_FAULT_ROUNDS` says how many rounds (50 unless told; the long form is 1,000). With
`MUSTER_FAULT_PROGRESS` naming a file, checked stages are noted in it, and a long proof that was cut short goes on where
it stopped (in one process, one stage after the other). What was counted is said at the end, kills by phase.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from storage.tables.manifest import read_manifest
from tests.faults import phases
from tests.faults.device import LoadDevice, Reader
from tests.faults.processes import World, wait_until

ROUNDS = int(os.environ.get("MUSTER_FAULT_ROUNDS", "50"))
STAGE = 25
PROGRESS = os.environ.get("MUSTER_FAULT_PROGRESS")
ROWS_A_ROUND = 1_000
ACTION = "#fault_probe"
FINAL = {"success", "failure", "cancelled", "interrupted", "expired"}

PORTAL: phases.Rules = (
    ("fsync", "storage/tables/files.py", frozenset({"sync", "sync_folder"})),
    ("fsync", "sqlalchemy/engine/default.py", frozenset({"do_commit"})),
    ("compaction", "storage/tables/compact", frozenset()),
    ("sealing", "storage/tables/seal.py", frozenset()),
    ("frame", "storage/tables/store.py", frozenset({"add", "finish"})),
    ("frame", "storage/tables/validate.py", frozenset()),
    ("acknowledgement", "portal/agents/", frozenset()),
    ("acknowledgement", "storage/control/", frozenset()),
)
AGENT: phases.Rules = (
    ("intent", "agent/runtime.py", frozenset({"_store_intent"})),
    ("intent", "agent/journal.py", frozenset({"write"})),
    ("start", "agent/runner.py", frozenset({"_launch"})),
    ("start", "agent/run_folder.py", frozenset()),
    ("report", "agent/exchange.py", frozenset()),
    ("report", "agent/runtime.py", frozenset({"_send_reports", "_store_report", "_note_sent"})),
    ("script running", "agent/runner.py", frozenset()),
)


def manifest(ledger: Path) -> dict[str, Any]:
    """An action whose script writes down, durably, that it was started, and for which ticket."""
    script = f"""#!/bin/bash
. "$MUSTER/output.sh"
printf '%s\\n' "$MUSTER_INPUT_TICKET" >> {ledger}
sleep 0.$((RANDOM % 9))
muster_output string ticket "$MUSTER_INPUT_TICKET"
"""
    return {
        "nql_id": ACTION,
        "name": "Fault probe",
        "description": "Writes a line for every start.",
        "purpose": ["data_collection"],
        "triggers": ["manual", "api"],
        "scripts": {"linux": {"language": "bash", "text": script}},
        "timeout": 60,
        "run_as": "system",
        "inputs": [{"name": "ticket", "label": "Ticket", "description": "", "allowed": ["0"], "custom": True}],
        "outputs": [{"name": "ticket", "label": "Ticket", "type": "string", "description": "The ticket as given."}],
    }


class Rounds:
    """The bookkeeping of one proof: starts by the ledger of scripts, rows by the load device, kills by phase."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.ledger = folder / "started.txt"
        self.ledger.touch()
        self.kills: Counter[str] = Counter()
        self.counted = self.uncounted = 0
        self.tickets: dict[str, str] = {}  # by run
        self.random = random.Random()

    def started(self) -> list[str]:
        """The ticket of every script start, in order."""
        return self.ledger.read_text().split()

    def request(self, device: str, runs: int) -> None:
        """Ask for runs on the agent's device."""
        for _ in range(runs):
            ticket = f"ticket-{len(self.tickets)}"
            body = {
                "action": ACTION,
                "allow_draft": True,
                "parameters": {"ticket": ticket},
                "target": {"devices": [device]},
            }
            answer = self.world.client.post("/runs", json=body)
            assert answer.status_code == 201, answer.text
            self.tickets[answer.json()["run"]["id"]] = ticket

    def one(self, device: str, load: LoadDevice) -> None:
        """One kill, once enough has happened since the last."""
        before, begun = load.rows(), len(self.started())
        self.request(device, 1)
        wait_until(lambda: load.rows() >= before + ROWS_A_ROUND, "1,000 acknowledged rows", 60)
        wait_until(lambda: len(self.started()) > begun, "a script to start", 90)
        self.request(device, 2)  # so that something is about to begin, too
        time.sleep(self.random.random() * 0.4)  # the instant is random; nothing is waited for here
        victim, rules, name = self.random.choice(
            [(self.world.portal, PORTAL, "portal"), (self.world.agent, AGENT, "agent")]
        )
        where = phases.kill(victim.pid, rules)
        self.kills[f"{name}: {where}"] += 1
        # A victim that was gone by itself is no kill; everything else about a round was waited for above.
        self.counted, self.uncounted = self.counted + (where != "gone"), self.uncounted + (where == "gone")
        victim.reap()
        if name == "portal":
            # The agent would wait longer and longer for the portal; instead it dies, too, and begins when it is there.
            self.kills[f"agent beside: {phases.kill(self.world.agent.pid, AGENT)}"] += 1
            self.world.agent.reap()
            victim.start()
            self.world.wait_ready()
        self.world.agent.start()


@pytest.mark.faults
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(0, ROUNDS, STAGE))
def test_kill_rounds(first: int, tmp_path: Path, reached: Callable[[str], None]) -> None:
    wanted = min(STAGE, ROUNDS - first)
    path = Path(PROGRESS) if PROGRESS else tmp_path / "progress.json"
    proof: Counter[str] = Counter(json.loads(path.read_text()) if path.exists() else {})
    if PROGRESS and proof["rounds"] >= first + wanted:
        return  # it was checked before
    proof += stage(tmp_path / "stage", wanted)
    path.write_text(json.dumps(proof, indent=2, sort_keys=True))
    held = "0 rows lost, 0 doubled, 0 scripts started twice, every read explained"
    reached(f"{proof['rounds']} rounds, {held}: {json.dumps(proof)}")


def stage(folder: Path, wanted: int) -> Counter[str]:
    """Some rounds in a fresh world, checked at the end; what was counted."""
    folder.mkdir()
    world = World(folder, hasty=True)
    try:
        world.begin()
        rounds = Rounds(world, folder)
        assert world.client.post("/actions", json=manifest(rounds.ledger)).status_code in (200, 201)
        load = LoadDevice(world.url, world.key(), "load")
        load.start()
        reader = Reader(world.client, load.history)
        reader.start()
        device = real_device(world)
        while rounds.counted < wanted:
            rounds.one(device, load)
        load.stop()
        settle(world, rounds)
        reader.stop()
        assert reader.odd == []
        assert list(load.history.problems()) == []
        assert tally(world, load) == (0, 0), "rows lost, rows doubled"
        twice = [ticket for ticket, times in Counter(rounds.started()).items() if times > 1]
        assert not twice, "scripts started twice"
        states_are_truthful(world, rounds)
        counted = Counter(rounds=rounds.counted, rows=load.rows(), scripts=len(rounds.started()))
        counted += Counter(reads=reader.answers, compacted=compactions(world))
        return counted + Counter(uncounted=rounds.uncounted, refused=len(load.refused)) + rounds.kills
    finally:
        world.close()


def compactions(world: World) -> int:
    """With how many manifests days were compacted; there must be some."""
    manifest = read_manifest(world.data / "tables")
    assert manifest is not None
    entries = list((world.data / "tables" / "lake").glob("*/_delta_log/*.json"))
    assert manifest.days
    return len(entries)


def real_device(world: World) -> str:
    """The uid of the agent's device, once it has sent facts of itself."""
    found: list[list[Any]] = []

    def known() -> bool:
        found[:] = world.query('devices | where operating_system.platform == linux and name != "load" | list uid')
        return bool(found)

    wait_until(known, "the agent's device to appear", 90)
    return str(found[0][0])


def settle(world: World, rounds: Rounds) -> None:
    """Wait until every execution has come to an end and the tables know it."""

    def ended() -> bool:
        try:
            rows = world.query(f"remote_action.{ACTION}.executions during past 24h | list request_id, status")
        except (httpx.TransportError, AssertionError):
            return False
        final = {row[0] for row in rows if row[1] in FINAL}
        return set(rounds.tickets) <= final

    wait_until(ended, "every execution to end", 180)


def tally(world: World, load: LoadDevice) -> tuple[int, int]:
    """How many acknowledged rows are not in the tables, and how many rows are there more than once."""
    acknowledged = load.rows()
    top = max(numbers.stop for numbers in load.acknowledged) - 1
    assert top == acknowledged, "the device skips no number"
    crashes = "execution.crashes during past 3d"
    kept = f"{crashes} | where number_of_crashes <= {top} | summarize n = count(), s = number_of_crashes.sum()"
    rows, total = world.query(kept)[0]
    more = world.query(f"{crashes} | summarize n = count() by number_of_crashes | where n > 1 | limit 1000")
    doubled = sum(row[1] - 1 for row in more)
    # Numbers run from 1 to `top`: with none doubled, their count and their sum give any loss away.
    lost = top - (rows - doubled)
    assert doubled or lost or total == top * (top + 1) // 2
    return lost, doubled


def states_are_truthful(world: World, rounds: Rounds) -> None:
    """A success has a start and brings back its own ticket; every run asked for has exactly one execution."""
    rows = world.query(f"remote_action.{ACTION}.executions during past 24h | list request_id, status, outputs.ticket")
    assert Counter(row[0] for row in rows) == Counter(dict.fromkeys(rounds.tickets, 1))
    started = set(rounds.started())
    for request, status, ticket in rows:
        if status == "success":
            assert ticket == rounds.tickets[request]
            assert ticket in started
    control = sqlite3.connect(f"file:{world.data / 'control' / 'control.db'}?mode=ro", uri=True)
    try:
        assert control.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        control.close()
