"""How executions end, produced by a real agent in a process of its own, with the words that a person reads.

Comes in: a portal on a port, an agent; actions that end in each way, a portal's database that somebody tampered with, a
device that is away. Goes out: states and details of the control database. Invariant: nothing is made up: each state
came from a device, or from what its silence means.
"""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from agent import statements
from agent.orders import PARAMETER_BYTES
from storage.control.runs import Run, RunRequest
from storage.control.states import State
from tests.portal.agents.conftest import HOUR, AgentProcess, Served, agent, eventually, served

__all__ = ["agent", "served"]
pytestmark = pytest.mark.slow
FAILURE, DENIED, OLD = State.FAILURE, State.POLICY_DENIED, State.OLD_COLLECTOR
MODES = [{"name": name, "allowed": ["look"], "custom": True} for name in ("mode", "more")]
WINDOWS = {"windows": {"language": "powershell", "text": "exit"}}
SCRIPTS: list[tuple[str, dict[str, Any], State, str]] = [
    ("true", {}, State.SUCCESS, ""),
    ("exit 7", {}, FAILURE, "the script ended with exit code 7"),
    ("kill -KILL $$", {}, FAILURE, "the script was killed by signal SIGKILL"),
    ("sleep 60", {"timeout": 1}, FAILURE, "timed out after 1 s; the script and its processes were killed"),
    ('. "$MUSTER/output.sh"; muster_output string other x', {}, FAILURE, "output 'other' is not declared"),
    ("true", {"scripts": WINDOWS}, State.NO_SCRIPT, "the action has no script for linux"),
    ("true", {"secrets": ["pin"]}, DENIED, "the order lacks the secret pin, which was not granted to the action"),
    (
        "true",
        {"run_as": "service", "service": "nobody-here"},
        FAILURE,
        "the service account nobody-here does not exist on this device",
    ),
]


def sql(served: Served, text: str, *values: object) -> None:
    """Write to the database, past every check of the portal."""
    with closing(sqlite3.connect(served.portal.settings.control, timeout=20)) as database:
        database.execute(text, values)
        database.commit()


def ends(served: Served, agent: AgentProcess, run: Run, state: State, said: str) -> None:
    """The run ends so on the device."""
    served.nudge(agent.device)
    ended = served.ended(run, agent.device)
    assert (ended.state, ended.detail or "") == (state, said)


def test_scripts_end_in_their_own_ways(served: Served, agent: AgentProcess) -> None:
    for text, manifest, state, said in SCRIPTS:
        ends(served, agent, served.ask([agent.device], text, **manifest), state, said)


TAMPERED: list[tuple[dict[str, str], str]] = [
    ({"other": "x"}, "the action has no input 'other'"),
    ({"mode": "a\0b"}, "the value of input mode holds a NUL character"),
    (dict.fromkeys(("mode", "more"), "x" * 25_000), f"the inputs together are larger than {PARAMETER_BYTES} bytes"),
]


def test_what_was_tampered_with_on_the_way(served: Served, agent: AgentProcess) -> None:
    for parameters, said in TAMPERED:
        run = served.ask([agent.device], "true", inputs=MODES)
        sql(served, "UPDATE runs SET parameters = ? WHERE id = ?", json.dumps(parameters), run.id)
        ends(served, agent, run, DENIED, said)


def rewritten(served: Served, run: Run, change: Callable[[dict[str, Any]], None]) -> None:
    """Put another content in the place of a run's action, signed by its author."""
    action = served.portal.control.actions.action("#test", run.version)
    content = json.loads(action.content)
    change(content)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    version, serial = sha256(text.encode()).hexdigest(), 1 << 61
    sql(
        served, "INSERT INTO action_versions VALUES ('#test', ?, 99, ?, 0, 'x')", version, text
    )  # as a portal of tomorrow would have it
    author = next(one.id for one in served.portal.control.authors.living() if one.key == served.author.public)
    signature = served.author.key.sign(statements.author_bytes("#test", version, serial))
    sql(
        served,
        "INSERT INTO action_signatures VALUES ('#test', ?, ?, ?, ?, 0, 'x')",
        version,
        author,
        serial,
        signature,
    )
    sql(served, "UPDATE runs SET version = ? WHERE id = ?", version, run.id)


def test_an_action_of_a_newer_portal(served: Served, agent: AgentProcess) -> None:
    def longer(content: dict[str, Any]) -> None:
        content["timeout"] = 86_400

    run = served.ask([agent.device], "true")
    rewritten(served, run, longer)
    served.nudge(agent.device)
    ended = served.ended(run, agent.device)
    assert (ended.state, (ended.detail or "")[:48]) == (OLD, "this version of the agent cannot read the action")


def test_a_language_of_a_newer_portal(served: Served, agent: AgentProcess) -> None:
    def fish(content: dict[str, Any]) -> None:
        content["scripts"]["linux"]["language"] = "fish"

    run = served.ask([agent.device], "true")
    rewritten(served, run, fish)
    ends(served, agent, run, OLD, "this version of the agent runs no fish on linux")


def test_a_folder_in_which_nothing_can_be_written(served: Served, agent: AgentProcess) -> None:
    runs = agent.folder / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    runs.write_text("")
    run = served.ask([agent.device], "true")
    served.nudge(agent.device)
    ended = served.ended(run, agent.device)
    assert ended.state is FAILURE
    assert (ended.detail or "").startswith("the script could not be written: ")


def lost(served: Served, agent: AgentProcess, seconds: float) -> Run:
    """A run that expires soon, whose order was handed out, and the answer got lost."""
    now, control = served.portal.clock(), served.portal.control
    request = RunRequest("#test", (agent.device,), "ann", now + round(seconds * 1_000_000), {}, trigger_method="manual")
    run, _ = control.create_run(request, now=now)
    assert [order.run for order in control.dispatch.claim_work(agent.device, now=now)] == [run.id]
    return run


def test_an_order_that_is_too_late(served: Served, agent: AgentProcess) -> None:
    ends(served, agent, served.ask([agent.device], "true"), State.SUCCESS, "")
    run = lost(served, agent, 0.5)
    eventually(lambda: served.portal.clock() > run.expires_at)
    ends(served, agent, run, State.EXPIRED, "the order expired before this device could start it")


def test_a_cancel_that_comes_first(served: Served, agent: AgentProcess) -> None:
    ends(served, agent, served.ask([agent.device], "true"), State.SUCCESS, "")
    run, control = lost(served, agent, 3600), served.portal.control
    assert control.deadlines.cancel(run.id, by="ann", now=served.portal.clock()) == ([], [agent.device])
    ends(served, agent, run, State.CANCELLED, "cancelled before it started")


def test_a_device_that_is_away(served: Served, agent: AgentProcess) -> None:
    agent.stop()
    eventually(lambda: not served.connected(agent.device))
    control, run = served.portal.control, served.ask([agent.device], "true")
    assert served.execution(run, agent.device).state is State.WAITING_ON_DEVICE
    control.deadlines.tick(now=served.portal.clock() + 2 * HOUR)
    ended = served.execution(run, agent.device)
    assert (ended.state, ended.detail) == (State.EXPIRED, "the device did not fetch it in time")


def test_a_contact_that_is_lost_and_found(served: Served, agent: AgentProcess, tmp_path: Path) -> None:
    mark, control = tmp_path / "starts", served.portal.control
    run = served.ask([agent.device], f"echo >> {mark}; sleep 60")
    served.nudge(agent.device)
    eventually(lambda: served.execution(run, agent.device).state is State.IN_PROGRESS)
    agent.stop(signal.SIGKILL)
    control.deadlines.tick(now=served.portal.clock() + HOUR)
    silent = served.execution(run, agent.device)
    assert (silent.state, silent.detail) == (
        State.LOST_CONTACT,
        "no result came within the time the script may take",
    )
    agent.start()
    ended = served.ended(run, agent.device)
    assert (ended.state, ended.detail) == (
        State.INTERRUPTED,
        "the agent stopped while the script ran; the script was ended and is not run again",
    )
    assert mark.read_text() == "\n"
