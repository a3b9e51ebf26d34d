"""A real agent and a real portal: what is asked is done, once, and what is killed is said.

Comes in: a portal on a port, an agent process. Goes out: executions of the control database, the state folder.
Invariant: a script that leaves a line in a file for each start has left exactly one.
"""

from __future__ import annotations

import asyncio
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from muster.pool import run_pool
from storage.control.states import State
from tests.portal.agents.conftest import ROOT, AgentProcess, Served, eventually

pytestmark = pytest.mark.slow
WORD = '. "$MUSTER/output.sh"; muster_output string word "$1"'
WORD_INPUT = [{"name": "say", "allowed": ["hello"], "custom": True}]


def nudge(served: Served, agent: AgentProcess) -> None:
    """What the portal does when a run is made; from another thread here."""
    assert agent.device in served.portal.nudges.devices
    served.nudge(agent.device)


def test_a_run_comes_back_with_its_output(served: Served, agent: AgentProcess) -> None:
    run = served.ask([agent.device], WORD, {"say": "$(id) 'x'"}, inputs=WORD_INPUT)
    nudge(served, agent)
    execution = served.ended(run, agent.device)
    assert (execution.state, execution.exit_code, execution.detail) == (State.SUCCESS, 0, None)
    assert execution.outputs == {"word": "$(id) 'x'"}
    assert execution.started_at is not None
    assert execution.finished_at is not None
    assert execution.started_at <= execution.finished_at
    assert agent.stop() == 0


@pytest.mark.slow
def test_a_killed_agent_says_interrupted_and_never_starts_again(
    served: Served, agent: AgentProcess, tmp_path: Path
) -> None:
    mark = tmp_path / "starts"
    run = served.ask([agent.device], f"echo $$ >> {mark}; trap '' TERM; while :; do sleep 1; done")
    nudge(served, agent)
    eventually(lambda: served.execution(run, agent.device).state is State.IN_PROGRESS)
    agent.stop(signal.SIGKILL)
    pid = int(mark.read_text())
    eventually(lambda: not Path(f"/proc/{pid}").exists())
    agent.start()
    execution = served.ended(run, agent.device)
    assert execution.state is State.INTERRUPTED
    assert "the agent stopped while the script ran" in (execution.detail or "")
    assert len(mark.read_text().split()) == 1


@pytest.mark.slow
def test_a_stopped_agent_ends_its_script_and_says_so(served: Served, agent: AgentProcess, tmp_path: Path) -> None:
    mark = tmp_path / "starts"
    run = served.ask([agent.device], f"echo $$ >> {mark}; sleep 60")
    nudge(served, agent)
    eventually(lambda: served.execution(run, agent.device).state is State.IN_PROGRESS)
    assert agent.stop() == 0
    agent.start()
    execution = served.ended(run, agent.device)
    assert (execution.state, "the agent was stopped" in (execution.detail or "")) == (State.INTERRUPTED, True)
    assert len(mark.read_text().split()) == 1


@pytest.mark.slow
def test_a_cancel_ends_the_script(served: Served, agent: AgentProcess) -> None:
    run = served.ask([agent.device], "sleep 60")
    nudge(served, agent)
    eventually(lambda: served.execution(run, agent.device).state is State.IN_PROGRESS)
    served.portal.control.deadlines.cancel(run.id, by="account:ann", now=served.portal.clock())
    nudge(served, agent)
    assert served.ended(run, agent.device).state is State.CANCELLED


@pytest.mark.slow
def test_two_at_once_and_the_rest_after(served: Served, agent: AgentProcess, tmp_path: Path) -> None:
    text = f"echo + >> {tmp_path}/n; sleep 0.3; echo - >> {tmp_path}/n"
    runs = [served.ask([agent.device], text) for _ in range(5)]
    nudge(served, agent)
    assert {served.ended(run, agent.device, 30).state for run in runs} == {State.SUCCESS}
    steps = (tmp_path / "n").read_text().split()
    depths = [sum(1 if step == "+" else -1 for step in steps[: place + 1]) for place in range(len(steps))]
    assert (len(steps), max(depths)) == (10, 2)


@pytest.mark.slow
def test_a_revoked_device_is_closed_at_once(served: Served, agent: AgentProcess) -> None:
    served.portal.control.revoke_device(agent.device, by="account:ann", now=served.portal.clock())
    served.loop.call_soon_threadsafe(served.portal.nudges.close, agent.device)
    eventually(lambda: not served.connected(agent.device))
    eventually(lambda: "closed this device's identity" in (agent.folder / "log").read_text())


@pytest.mark.slow
def test_the_state_folder_is_private(agent: AgentProcess) -> None:
    for path in (agent.folder, *agent.folder.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert path.name == "log" or mode == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.slow
def test_one_agent_a_folder(agent: AgentProcess) -> None:
    command = [sys.executable, "-m", "agent", "run", "--state", str(agent.folder)]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert "another agent runs on this folder" in second.stderr
    status = [sys.executable, "-m", "agent", "status", "--state", str(agent.folder)]
    assert subprocess.run(status, cwd=ROOT, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
def test_a_pool_of_simulated_devices(served: Served, tmp_path: Path) -> None:
    stop, up = asyncio.Event(), threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def pool() -> None:
        loops.append(asyncio.get_running_loop())
        keys = served.keys(4, simulated=True)
        await run_pool(served.url, keys, tmp_path / "pool", 4, 1, stop, ready=lambda _: up.set())

    thread = threading.Thread(target=lambda: asyncio.run(pool()))
    thread.start()
    try:
        assert up.wait(30)
        devices = [device.uid for device in served.portal.control.enrolment.devices()]
        assert len(devices) == 4
        eventually(lambda: served.portal.nudges.devices == frozenset(devices))
        simulate = {"outputs": {"word": {"text": "I am {name}"}, "free": {"field": "free_disk"}}, "duration": 0.05}
        run = served.ask(devices, "true", simulate=simulate)
        silent = served.ask(devices[:1], "true")
        served.loop.call_soon_threadsafe(served.portal.nudges.nudge, devices)
        ends = [served.ended(run, device, 30) for device in devices]
        assert {end.state for end in ends} == {State.SUCCESS}
        assert len({end.outputs["word"] for end in ends}) == 4
        last = served.ended(silent, devices[0], 30)
        assert (last.state, (last.detail or "")[:13]) == (State.FAILURE, "not simulated")
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join()
