"""A workflow on a real device: a portal on a port, an agent in a process of its own, Bash scripts that run.

Comes in: a portal, an agent. Goes out: nothing. Invariant: nothing moves the workflow on but the portal's own tick.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from storage.control.manifest import Manifest
from tests.portal.agents.conftest import AgentProcess, Served, agent, eventually, served

__all__ = ["agent", "served"]
pytestmark = pytest.mark.slow
ACTION: dict[str, Any] = {
    "nql_id": "#say",
    "name": "Say",
    "triggers": ["workflow"],
    "inputs": [{"name": "word", "default": "once"}],
    "outputs": [{"name": "word", "type": "string"}],
    "scripts": {
        "linux": {
            "language": "bash",
            "text": '. "$MUSTER/output.sh"; muster_output string word "$MUSTER_INPUT_WORD$MUSTER_INPUT_WORD"',
        }
    },
}
WORKFLOW: dict[str, Any] = {
    "nql_id": "#say_twice",
    "name": "Say it twice",
    "parameters": [{"name": "word"}],
    "steps": [
        {"kind": "action", "id": "first", "action": "#say", "parameters": {"word": "$word"}},
        {
            "kind": "condition",
            "id": "said",
            "nql": "devices | where name != null",
            "compare": [{"value": "steps.first.outputs.word", "operator": "is", "than": "hohoho"}],
            "then": "end",
        },
        {"kind": "wait", "id": "breath", "seconds": 1},
        {
            "kind": "action",
            "id": "second",
            "action": "#say",
            "parameters": {"word": "steps.first.outputs.word"},
        },
        {"kind": "condition", "id": "again", "compare": [
            {"value": "steps.second.outputs.word", "operator": "is", "than": "hahahaha"}], "otherwise": "end"},
        {"kind": "stop", "id": "done", "outcome": "action_taken"},
        {"kind": "stop", "id": "end"},
    ],
}  # fmt: skip


def test_over_actions_conditions_and_a_wait_to_the_end(served: Served, agent: AgentProcess) -> None:
    control, now = served.portal.control, served.portal.clock()
    saved = control.actions.save_action(msgspec.convert(ACTION, Manifest), by="ann", now=now)
    served.author.sign(control, saved, now=now)
    served.post("/workflows", WORKFLOW)
    target = {"target": {"nql": "devices"}, "parameters": {"word": "ha"}}
    eventually(lambda: served.post("/runs/preview", {"target": {"nql": "devices"}})["count"] == 1)
    [execution] = served.post("/workflows/say_twice/executions", target)["executions"]
    path = f"/workflow-executions/{execution}"
    ended = eventually(lambda: one if (one := served.get(path)["execution"])["ended_at"] else None, 60)
    assert (ended["state"], ended["outcome"], ended["device"]["uid"]) == ("success", "action_taken", agent.device)
    assert ended["answers"] == {
        "first": {"state": "success", "outputs": {"word": "haha"}},
        "second": {"state": "success", "outputs": {"word": "hahahaha"}},
    }
    runs = served.get("/runs")["runs"]
    assert [(run["trigger"], run["counts"]) for run in runs] == [("workflow", {"success": 1})] * 2
    assert {run["parameters"]["word"] for run in runs} == {"ha", "haha"}
