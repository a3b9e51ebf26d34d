"""What the agent costs the machine it is on: memory when idle, processor time when idle, one look at the processes.

Comes in: a portal and a real agent as a process of its own. Goes out: memory in kB and the share of one core, beside
the measurement. The portal runs here too and shares libraries with the agent, which makes the agent's private memory
look smaller than it is alone; all of its resident memory is the most that it can be, so that is told beside it.
Invariant: the agent has collected and sent its first rows before it is measured.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from pytest_benchmark.fixture import BenchmarkFixture

from agent.clock import SteadyClock
from agent.host.linux import LinuxHost
from portal.app import Portal, build
from portal.server import bound
from portal.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
RESIDENT_GOAL, PRIVATE_GOAL = 48 * 1024, 44 * 1024  # kB
SETTLED = 75  # seconds: the first bucket is sent after 60
MEASURED = 30


def wait(holds: Callable[[], Any], seconds: float = 20) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[tuple[Portal, str]]:
    """A portal on a port."""
    app, listening = build(Settings(tmp_path / "data")), bound("127.0.0.1", 0)
    config = uvicorn.Config(app, ws="websockets-sansio", ws_per_message_deflate=False, log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    wait(lambda: server.started)
    yield app.state.portal, f"http://127.0.0.1:{listening.getsockname()[1]}"
    app.state.portal.stop_waiting()
    server.should_exit = True
    thread.join()
    listening.close()


@pytest.fixture
def agent(portal: tuple[Portal, str], tmp_path: Path) -> Iterator[int]:
    """The process id of an agent that has settled."""
    open_portal, url = portal
    now = open_portal.clock()
    create = open_portal.control.enrolment.create_enrol_keys
    [(_, key)] = create(1, simulated=False, expires_at=now + 3_600_000_000, by="bench", now=now)
    state = str(tmp_path / "agent")
    base, environment = [sys.executable, "-m", "agent"], os.environ | {"MUSTER_ENROL_KEY": key}
    subprocess.run([*base, "enroll", "--url", url, "--state", state], cwd=ROOT, env=environment, check=True)
    with subprocess.Popen([*base, "run", "--state", state], cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        wait(lambda: open_portal.nudges.devices)
        time.sleep(SETTLED)
        yield process.pid
        process.terminate()


def memory(pid: int) -> dict[str, int]:
    """Memory of a process in kB, by the kernel's names."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}


def processor_seconds(pid: int) -> float:
    """Processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.timeout(240)
def test_agent_idle(agent: int, benchmark: BenchmarkFixture) -> None:
    """Resident and private memory of an idle agent, and what it takes of one core."""
    before = processor_seconds(agent)
    benchmark.pedantic(time.sleep, args=(MEASURED,), rounds=1)  # type: ignore[no-untyped-call]
    found = memory(agent)
    private = found["Private_Clean"] + found["Private_Dirty"]
    benchmark.extra_info.update(
        resident_kb=found["Rss"],
        private_beside_others_kb=private,
        private_alone_at_most_kb=found["Rss"],
        resident_goal_kb=RESIDENT_GOAL,
        private_goal_kb=PRIVATE_GOAL,
        core_share=round((processor_seconds(agent) - before) / MEASURED, 5),
    )


def test_agent_look(tmp_path: Path, benchmark: BenchmarkFixture) -> None:
    """One look at the process table, which the agent takes every ten seconds."""
    host = LinuxHost(tmp_path, SteadyClock())
    found = benchmark(host.processes, 0)
    benchmark.extra_info["processes"] = len(found)
