"""Workflows in a portal of a test: an action that they may run, a small workflow, and how they go on.

Comes in: a house. Goes out: requests and executions. Invariant: a workflow goes on by its tick alone, which a scene
calls, and devices report as real ones do.
"""

from __future__ import annotations

from typing import Any

import httpx

from storage.control.outcomes import Outcome
from storage.control.states import State
from tests.portal.conftest import API, MANIFEST, House

ACTION = {**MANIFEST, "triggers": ["manual", "manual_multiple", "api", "workflow"]}
WORKFLOW: dict[str, Any] = {
    "nql_id": "#make_room",
    "name": "Make room",
    "parameters": [{"name": "path", "default": "/var/tmp"}, {"name": "least", "default": "100"}],
    "steps": [
        {"kind": "action", "id": "clear", "action": "#clear_cache", "parameters": {"path": "$path"}},
        {
            "kind": "condition",
            "id": "enough",
            "nql": "devices | where name == $name_of or name != null",
            "compare": [{"value": "steps.clear.outputs.freed", "operator": ">=", "than": "$least"}],
            "then": "done",
        },
        {"kind": "wait", "id": "pause", "seconds": 600},
        {
            "kind": "action",
            "id": "again",
            "action": "#clear_cache",
            "parameters": {"path": "steps.clear.outputs.files"},
            "on_failure": "sorry",
            "next": "done",
        },
        {"kind": "stop", "id": "sorry", "outcome": "failed", "details": "twice in vain"},
        {"kind": "stop", "id": "done", "outcome": "action_taken", "details": "there is room"},
    ],
}


def workflow(**changes: Any) -> dict[str, Any]:
    """The small workflow, parts of it replaced."""
    made = {**WORKFLOW, "parameters": [*WORKFLOW["parameters"], {"name": "name_of", "default": "pc-1"}]}
    return {**made, **changes}


async def ready(house: House, *, steps: Any = None, devices: int = 1) -> httpx.AsyncClient:
    """Ann, with the action, the workflow and devices."""
    ann = await house.program()
    for number in range(1, devices + 1):
        house.enrol(number)
    assert (await ann.post(f"{API}/actions", json=ACTION)).status_code == 201
    saved = await ann.post(f"{API}/workflows", json=workflow(**({} if steps is None else {"steps": steps})))
    assert saved.status_code == 201, saved.text
    await house.settle()
    return ann


async def uid(client: httpx.AsyncClient, name: str) -> str:
    """The uid of a device."""
    asked = {"text": "devices | where name == $name | list uid", "parameters": {"name": name}}
    found: str = (await client.post(f"{API}/query", json=asked)).json()["rows"][0][0]
    return found


async def begin(client: httpx.AsyncClient, *devices: str, **more: Any) -> list[str]:
    """Begin the workflow: the ids of its executions."""
    body = {"target": {"devices": list(devices)}, **more}
    begun = await client.post(f"{API}/workflows/make_room/executions", json=body)
    assert begun.status_code == 201, begun.text
    found: list[str] = begun.json()["executions"]
    return found


async def stands(client: httpx.AsyncClient, execution: str) -> dict[str, Any]:
    """An execution as it is now."""
    answer = await client.get(f"{API}/workflow-executions/{execution}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["execution"]
    return found


async def tick(house: House) -> None:
    """Have workflows go on."""
    await house.portal.workflows.going.tick()


async def report(house: House, client: httpx.AsyncClient, execution: str, state: State, **outputs: Any) -> str:
    """A device does the run of its step; its id."""
    one = await stands(client, execution)
    house.answer(one["run"], one["device"]["uid"], Outcome(state, 0, outputs))
    run: str = one["run"]
    return run


async def listens(house: House, client: httpx.AsyncClient, device: str) -> tuple[str, str]:
    """A workflow that waits for an approval: its uid, and its execution on a device, which listens."""
    steps = [{"kind": "wait", "id": "ear", "listen": ["approved"]}, {"kind": "stop", "id": "end"}]
    said = {"nql_id": "#approval", "name": "Approval", "steps": steps, "parameters": [{"name": "who", "default": "me"}]}
    uuid: str = (await client.post(f"{API}/workflows", json=said)).json()["workflow"]["uid"]
    body = {"target": {"devices": [device]}}
    [one] = (await client.post(f"{API}/workflows/approval/executions", json=body)).json()["executions"]
    await tick(house)
    return uuid, one
