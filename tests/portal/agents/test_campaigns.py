"""A real agent whose scripts ask a person at a real terminal: what he does decides, and is known to the script alone.

Comes in: a portal, an agent process, a shell on a pseudo-terminal in which `muster-agent answer` is typed. Goes out:
states and outputs of executions. Invariant: the test finds every question by the line that the agent writes there.
"""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.campaigns.terminal import place, waiting
from storage.control.runs import Run
from storage.control.states import State
from tests.portal.agents.conftest import ROOT, AgentProcess, Served, enrolled, eventually

pytestmark = pytest.mark.slow
WHEN = {
    "label": "when",
    "text": "When?",
    "choices": [{"label": "zebra", "text": "Now"}, {"label": "yak", "text": "No"}],
}
WHY = {"label": "why", "text": "Why?", "kind": "text"}
CAMPAIGNS = [{"nql_id": "#ask", "title": "May we?", "questions": [WHEN, WHY]}]
ASK = """. "$MUSTER/output.sh"
nxt_run_campaign_with_timeout "#ask" {seconds} || true
nxt_get_campaign_status s
nxt_get_response_answer a when || true
[ "${{#a[@]}}" -eq 0 ] || [ "$a" = zebra ] || exit 7
muster_output string word "$s ${{#a[@]}}"
"""
NOTICE, CHOICE = "Answer it with: muster-agent answer", "A number (l: later, n: no thanks):"


class Terminal:
    """A shell of ours on a terminal."""

    def __init__(self) -> None:
        self._ours, theirs = pty.openpty()
        os.set_blocking(self._ours, False)
        shell = ["setsid", "--ctty", "bash", "--norc", "--noprofile", "-i"]
        self._shell = subprocess.Popen(shell, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT)
        os.close(theirs)
        self.seen = ""

    def expect(self, text: str) -> None:
        """Wait until something stands there, and forget what stood before its end."""

        def came() -> bool:
            with contextlib.suppress(BlockingIOError):
                self.seen += os.read(self._ours, 65_536).decode("utf-8", "replace")
            return text in self.seen

        eventually(came)
        self.seen = self.seen.partition(text)[2]

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode() + b"\n")

    def close(self) -> None:
        self._shell.send_signal(signal.SIGKILL)
        self._shell.wait()
        os.close(self._ours)


@pytest.fixture
def agent(served: Served, tmp_path: Path) -> Iterator[AgentProcess]:
    """An agent that asks in terminals alone, so that no test opens a window on somebody's desktop."""
    made = enrolled(served, tmp_path, "--ask", "terminal")
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop(signal.SIGKILL)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    made.type("echo $((6 * 7))")
    made.expect("42")
    yield made
    made.close()


def ask(served: Served, agent: AgentProcess, seconds: int = 60, **manifest: Any) -> Run:
    eventually(lambda: served.connected(agent.device))
    manifest = {"campaigns": CAMPAIGNS, **manifest}
    run = served.ask([agent.device], ASK.format(seconds=seconds), **manifest)
    served.portal.nudges.nudge([agent.device])
    return run


def state(served: Served, run: Run, agent: AgentProcess) -> State:
    return served.execution(run, agent.device).state


def command(agent: AgentProcess) -> str:
    return f"{sys.executable} -m agent answer --state {agent.folder}"


def questions(agent: AgentProcess) -> list[str]:
    """Where a question of this agent waits now."""
    names = waiting(Path("/proc/net/unix").read_text().splitlines())
    return [name for name in names if name.startswith(place(agent.folder))]


def test_a_person_answers_in_a_terminal(
    served: Served, agent: AgentProcess, terminal: Terminal, tmp_path: Path
) -> None:
    run = ask(served, agent)
    terminal.expect("127.0.0.1 has a question for you: May we?")
    terminal.expect(NOTICE)
    eventually(lambda: state(served, run, agent) is State.WAITING_ON_USER)
    terminal.type(command(agent))
    terminal.expect("127.0.0.1 asks (action #test):")
    terminal.expect(CHOICE)
    terminal.type("7")
    terminal.expect("That is none of the choices.")
    terminal.expect(CHOICE)
    terminal.type("1")
    terminal.expect("What you write stays here.")
    terminal.type("xylophone")
    terminal.expect("Thank you.")
    execution = served.ended(run, agent.device)
    assert (execution.state, execution.error, execution.outputs) == (State.SUCCESS, None, {"word": "fully 1"})
    entries = [one.action for one in served.portal.control.audit.latest(100) if one.subject == f"run:{run.id}"]
    steps = [action.removeprefix("execution.") for action in reversed(entries) if action.startswith("execution.")]
    assert steps == ["claimed", "in_progress", "waiting_on_user", "in_progress", "success"]
    assert questions(agent) == []
    agent.stop()
    for path in (item for item in agent.folder.rglob("*") if item.is_file()):
        assert b"zebra" not in path.read_bytes(), path
    for path in (item for item in tmp_path.rglob("*") if item.is_file()):
        assert b"xylophone" not in path.read_bytes(), path


def test_a_person_puts_it_off_declines_or_does_not_answer(
    served: Served, agent: AgentProcess, terminal: Terminal
) -> None:
    for key, status in (("l", "postponed"), ("n", "declined")):
        run = ask(served, agent)
        terminal.expect(NOTICE)
        terminal.type(command(agent))
        terminal.expect(CHOICE)
        terminal.type(key)
        assert served.ended(run, agent.device).outputs == {"word": f"{status} 0"}
    run = ask(served, agent, 1)
    terminal.expect(NOTICE)
    assert served.ended(run, agent.device).outputs == {"word": "timeout 0"}
    terminal.type(command(agent))
    terminal.expect("No question waits.")


def test_one_question_at_a_time_and_a_cancel_takes_it_away(
    served: Served, agent: AgentProcess, terminal: Terminal
) -> None:
    first = ask(served, agent)
    eventually(lambda: state(served, first, agent) is State.WAITING_ON_USER)
    second = ask(served, agent, nql_id="#test")
    execution = served.ended(second, agent.device)
    assert execution.outputs == {"word": "notificationfailed 0"}
    assert "another question is on the screen" in (execution.error or "")
    terminal.expect(NOTICE)
    terminal.type(command(agent))
    terminal.expect(CHOICE)
    served.portal.control.deadlines.cancel(first.id, by="account:ann", now=served.portal.clock())
    served.portal.nudges.nudge([agent.device])
    assert served.ended(first, agent.device).state is State.CANCELLED
    assert questions(agent) == []
    terminal.type("1")
    terminal.type("")
    terminal.expect("Nobody waits for the answer any more.")


def test_an_agent_that_stops_takes_its_question_along(served: Served, agent: AgentProcess, terminal: Terminal) -> None:
    run = ask(served, agent)
    terminal.expect(NOTICE)
    eventually(lambda: state(served, run, agent) is State.WAITING_ON_USER)
    assert len(questions(agent)) == 1
    assert agent.stop() == 0
    assert questions(agent) == []
    agent.options = ("--ask", "nobody")
    agent.start()
    assert served.ended(run, agent.device).state is State.INTERRUPTED
    assert served.ended(ask(served, agent), agent.device).outputs == {"word": "notificationfailed 0"}
