"""A real agent is given the same execution again: after a failure, after an interruption, and never twice the same
attempt.

Comes in: a portal on a port, an agent process. Goes out: executions, and a file in which a script leaves a line for
each start. Invariant: a device that is not online when its retry is due gets it when it comes back.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from storage.control.plans import Plan
from storage.control.states import State
from tests.portal.agents.conftest import AgentProcess, Served, eventually

pytestmark = pytest.mark.slow
THRICE: dict[str, Any] = {"retries": {"attempts": 3, "backoff": 1}}


def plan(**parts: Any) -> Plan:
    return msgspec.convert(parts, Plan)


def test_a_script_that_fails_runs_again_and_its_success_is_the_end(
    served: Served, agent: AgentProcess, tmp_path: Path
) -> None:
    mark = tmp_path / "starts"
    third = f'echo + >> {mark}; [ "$(wc -l < {mark})" -ge 3 ] || exit 7'
    text = f'{third}; . "$MUSTER/output.sh"; muster_output string word ok'
    run = served.ask([agent.device], text, plan=plan(**THRICE))
    served.nudge(agent.device)
    execution = served.ended(run, agent.device)
    assert (execution.state, execution.attempt, execution.outputs) == (State.SUCCESS, 3, {"word": "ok"})
    assert len(mark.read_text().split()) == 3
    kept = served.portal.control.executions.history(run.id, agent.device)
    assert [(item["kind"], item["attempt"], item["body"]["exit_code"]) for item in kept] == [
        ("retried", 1, 7),
        ("retried", 2, 7),
    ]
    eventually(lambda: served.portal.control.runs.run(run.id).state == "ended")


@pytest.mark.slow
def test_an_idempotent_script_runs_again_after_its_agent_was_killed(
    served: Served, agent: AgentProcess, tmp_path: Path
) -> None:
    mark = tmp_path / "starts"
    text = f'echo $$ >> {mark}; [ "$(wc -l < {mark})" -ge 2 ] || while :; do sleep 1; done'
    run = served.ask([agent.device], text, plan=plan(**THRICE), idempotent=True)
    served.nudge(agent.device)
    eventually(lambda: served.execution(run, agent.device).state is State.IN_PROGRESS)
    agent.stop(signal.SIGKILL)
    agent.start()
    execution = served.ended(run, agent.device)
    assert (execution.state, execution.attempt) == (State.SUCCESS, 2)
    assert len(mark.read_text().split()) == 2
    [kept] = served.portal.control.executions.history(run.id, agent.device)
    assert (kept["kind"], kept["state"]) == ("retried", "interrupted")


@pytest.mark.slow
def test_a_retry_waits_for_a_device_that_is_away(served: Served, agent: AgentProcess, tmp_path: Path) -> None:
    mark = tmp_path / "starts"
    run = served.ask([agent.device], f'echo + >> {mark}; [ "$(wc -l < {mark})" -ge 2 ]', plan=plan(**THRICE))
    served.nudge(agent.device)
    eventually(lambda: served.execution(run, agent.device).attempt == 2)
    assert agent.stop() == 0
    agent.start()
    assert served.ended(run, agent.device).state is State.SUCCESS
    assert len(mark.read_text().split()) == 2
