"""Self-healing: a query finds full volumes, a schedule cleans them, the next query shows it.

Comes in: a portal at work with a clock by hand, simulated devices that answer as their profile says, a real folder.
Goes out: nothing. Invariant: nobody but the schedules asks for a run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Event

import msgspec
import pytest

from agent import wire
from agent.host.fake import FakeHost, Profile
from agent.host.profiles import profile
from agent.orders import Job
from agent.output_functions import PYTHON
from muster import healing
from storage.control.outcomes import Outcome
from storage.control.states import State
from tests.portal.conftest import API, SECOND, House, Play

pytestmark = pytest.mark.slow
MINUTE = 60 * SECOND


class Device:
    """A simulated device that is connected: it answers whatever waits for it."""

    def __init__(self, house: House, made: Profile, number: int) -> None:
        self.uid, self._house = house.enrol(number, simulated=True).uid, house
        self._host = FakeHost(made, self)

    def now(self) -> int:
        return self._house.time.now

    async def answer(self) -> None:
        control, now = self._house.portal.control, self._house.time.now
        for order in control.dispatch.claim_work(self.uid, now=now):
            content = msgspec.json.decode(order.content, type=wire.Content)
            whole = msgspec.structs.replace(content, simulate={**(content.simulate or {}), "duration": 0})
            inputs = dict(order.parameters)
            job = Job(order.run, order.attempt, order.nonce, order.action, order.expires_at, whole, None, inputs)
            ended = await self._host.execute(job, lambda at: None, Event())
            outcome = Outcome(State(ended.state), ended.exit_code, ended.outputs, ended.error, ended.detail)
            control.dispatch.record_finished(order.run, self.uid, order.attempt, outcome, now=now)


def crowded(number: int) -> Profile:
    """A profile whose disk is as full as its number says."""
    made = profile(1, number)
    share = {1: 0.95, 2: 0.5, 3: 0.91}[number]
    volumes = tuple(replace(one, free=round(one.size * (1 - share))) for one in made.machine.volumes)
    return replace(made, machine=replace(made.machine, volumes=volumes))


def test_full_volumes_are_found_cleaned_and_seen_to_be(play: Play, tmp_path: Path) -> None:
    async def scene(house: House) -> None:
        devices = [Device(house, crowded(number), number) for number in (1, 2, 3)]
        await house.settle()
        client = await house.program("admin")
        portal = house.portal
        healing.define(portal, tmp_path / "volume", by="portal")
        portal.catalogs.refresh()
        names = ["pc-1", "pc-2", "pc-3"]
        for nql_id, name, definition in healing.schedules(names):
            asked = {
                "nql_id": nql_id,
                "name": name,
                "definition": msgspec.to_builtins(definition) | {"allow_draft": True},
            }
            made = await client.post(f"{API}/schedules", json=asked)
            assert made.status_code == 201, made.text

        async def full() -> list[str]:
            answer = await client.post(f"{API}/query", json={"text": healing.FULL})
            assert answer.status_code == 200, answer.text
            return sorted(row[0] for row in answer.json()["rows"])

        history = []
        for _ in range(4):
            house.time.now += MINUTE
            await portal.scheduler.tick()
            for device in devices:
                await device.answer()
            await house.settle()
            history.append(await full())
        assert history[0] == ["pc-1", "pc-3"]
        assert history[2:] == [[], []]  # in the second minute it depends on which of the two answered first
        cleaned = portal.control.schedules.firings(healing.CLEAN)
        assert [firing.outcome for firing in reversed(cleaned)][:2] == ["empty", "run"]
        answer = await client.post(f"{API}/query", json={"text": healing.STORY})
        used = [row[2] for row in answer.json()["rows"] if row[1] == "pc-1"]
        assert used[-1] > 90 > used[0]

    play(scene)


def run(script: str, folder: Path, place: Path) -> tuple[int, dict[str, str]]:
    """A script as the agent runs it, with its outputs in a file."""
    (place / "muster_output.py").write_text(PYTHON)
    outputs = place / "outputs"
    outputs.write_bytes(b"")
    told = {"PYTHONPATH": str(place), "MUSTER_OUTPUT": str(outputs), "MUSTER_INPUT_PATH": str(folder)}
    variables = {**os.environ, **told}
    done = subprocess.run([sys.executable, "-c", script], env=variables, capture_output=True, check=False)
    fields = outputs.read_bytes().decode().split("\0")
    return done.returncode, {fields[at + 1]: fields[at + 3] for at in range(0, len(fields) - 1, 4)}


def test_the_real_folder_is_cleaned_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "volume"
    healing.fill(folder)
    mine = folder / "letter.txt"
    mine.write_text("dear")
    (folder / "link.filler").symlink_to(mine)
    _, before = run(healing.MEASURE, folder, tmp_path)
    assert float(before["used"]) > 0.9
    code, freed = run(healing.CLEANING, folder, tmp_path)
    assert (code, int(freed["freed"]) > 10_000_000) == (0, True)
    _, after = run(healing.MEASURE, folder, tmp_path)
    assert float(after["used"]) < 0.4
    assert mine.read_text() == "dear"
    healing.fill(folder)  # a second start leaves it as it is
    assert run(healing.MEASURE, folder, tmp_path)[1] == after


def test_a_folder_that_is_not_the_demos_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    precious = folder / "precious.filler"
    precious.write_text("x")
    assert run(healing.CLEANING, folder, tmp_path)[0] != 0
    assert precious.exists()
