"""Execution policies and authors as they are chosen at enrolment, with real agents.

Comes in: a portal on a port. Goes out: how executions end. Invariant: what is chosen on the device holds whatever the
portal says.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.authors import line_of
from agent.identity import load_enrolment
from storage.control.executions import Execution
from storage.control.states import State
from tests.authors import Signer
from tests.portal.agents.conftest import ROOT, AgentProcess, Served, eventually

pytestmark = pytest.mark.slow
Enrol = Callable[..., AgentProcess]


@pytest.fixture
def enrol(served: Served, tmp_path: Path) -> Iterator[Enrol]:
    """Enroll with options and run; what the program said is in its `log`."""
    made: list[AgentProcess] = []

    def started(*options: str) -> AgentProcess:
        folder = tmp_path / f"agent-{len(made)}"
        command = [sys.executable, "-m", "agent", "enroll", "--url", served.url, "--state", str(folder), *options]
        environment = os.environ | {"MUSTER_ENROL_KEY": served.keys()[0]}
        done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
        agent = AgentProcess(folder, load_enrolment(folder).device, log=done.stdout.splitlines())
        agent.start()
        made.append(agent)
        eventually(lambda: served.connected(agent.device))
        return agent

    yield started
    for agent in made:
        agent.stop()


def run(served: Served, agent: AgentProcess, *, signed: bool) -> Execution:
    asked = served.ask([agent.device], "true", signed=signed)
    served.portal.nudges.nudge([agent.device])
    return served.ended(asked, agent.device)


def test_unrestricted_runs_what_nobody_signed(served: Served, enrol: Enrol) -> None:
    agent = enrol("--policy", "unrestricted")
    assert "Execution policy: unrestricted." in agent.log
    assert run(served, agent, signed=False).state is State.SUCCESS


def test_disabled_runs_nothing(served: Served, enrol: Enrol) -> None:
    ended = run(served, enrol("--policy", "disabled"), signed=True)
    assert (ended.state, ended.detail) == (
        State.POLICY_DENIED, "this device runs no scripts: its execution policy is disabled",
    )  # fmt: skip


def test_an_author_given_by_hand_stands_instead_of_the_portals(served: Served, enrol: Enrol, tmp_path: Path) -> None:
    own = Signer("own")
    (tmp_path / "own.pub").write_text(line_of(own.public, "own") + "\n")
    agent = enrol("--author", str(tmp_path / "own.pub"))
    assert load_enrolment(agent.folder).authors == [own.public]
    ended = run(served, agent, signed=True)  # by the author that the portal names
    assert (ended.state, "no trusted author" in (ended.detail or "")) == (State.POLICY_DENIED, True)
    control, now = served.portal.control, served.portal.clock()
    known = next(one for one in control.authors.living() if one.key == served.author.public)
    control.authors.remove(known.id, by="account:ann", now=now)  # else its signature goes out, as the device knew it
    own.add(control, now=now)
    asked = served.ask([agent.device], "true", signed=False)
    own.sign(control, control.actions.action("#test"), now=now)
    served.portal.nudges.nudge([agent.device])
    assert served.ended(asked, agent.device).state is State.SUCCESS


def test_a_file_that_names_no_author_is_told(tmp_path: Path) -> None:
    (tmp_path / "noise.pub").write_text("ssh-ed25519 AAAA me\n")
    command = [sys.executable, "-m", "agent", "enroll", "--url", "http://127.0.0.1:1", "--state", str(tmp_path / "s")]
    environment = os.environ | {"MUSTER_ENROL_KEY": "enrol_x"}
    for file, why in (("noise.pub", "names no author"), ("nothing.pub", "cannot be read")):
        options = ["--author", str(tmp_path / file)]
        done = subprocess.run(
            [*command, *options], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, why in done.stderr) == (1, True), done.stderr
