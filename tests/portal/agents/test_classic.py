"""The classic APIs from the beginning to the end, with real agents: what an integrator does who has only the documents
of the other product.

Comes in: a portal on a port, an agent process. Goes out: the outputs of scripts that ran. Invariant: nothing is used
but the uid of an action, a name, a password, and what the classic APIs answer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from portal.access.passwords import Passwords
from tests.portal.agents.conftest import AgentProcess, Served, enrolled, eventually

pytestmark = pytest.mark.slow
NAME, PASSWORD = "desk", "correct horse battery"
MANIFEST: dict[str, Any] = {
    "nql_id": "#say",
    "name": "Say",
    "scripts": {"linux": {"language": "bash", "text": '. "$MUSTER/output.sh"; muster_output string word "$1"'}},
    "inputs": [{"name": "say", "default": "nothing"}],
    "outputs": [{"name": "word", "type": "string"}],
}


def client(served: Served) -> httpx.Client:
    """Somebody who may use the API of remote actions, by name and password."""
    hashed, now = Passwords().hash(PASSWORD), served.portal.clock()
    rights = ("query", "execute", "api")
    served.portal.control.accounts.create(NAME, hashed, rights, "UTC", by="local:test", now=now)
    return httpx.Client(base_url=served.url, auth=(NAME, PASSWORD))


def words(served: Served) -> dict[tuple[str, str], Any]:
    """The output of each execution, by its device and why it was asked for."""
    control = served.portal.control
    found = {}
    for run in control.runs.latest():
        for one in control.executions.of_run(run.id):
            found[one.device, dict(run.parameters)["say"]] = (one.outputs or {}).get("word")
    return found


def test_from_the_uid_of_an_action_to_what_its_script_said(served: Served, agent: AgentProcess, tmp_path: Path) -> None:
    served.post("/sites", {"name": "lyon", "address": "localhost"})
    (tmp_path / "second").mkdir()
    other = enrolled(served, tmp_path / "second")
    try:
        served.post("/sites/lyon/devices", {"devices": [other.device]})
        said = served.post("/actions", MANIFEST)["action"]
        control, now = served.portal.control, served.portal.clock()
        served.author.sign(control, control.actions.action("#say"), now=now)
        with client(served) as desk:
            query = {"query": "(select device_uid (from device))", "format": "json"}
            mine = eventually(lambda: desk.get("/2/query", params=query).json())
            assert mine == [{"device_uid": agent.device}]
            engines = desk.get("/api/configuration/v1/engines").json()
            at_lyon = f"http://{engines[1]['address']}:{engines[1]['port']}/2/query"
            assert desk.get(at_lyon, params=query).json() == [{"device_uid": other.device}]
            assert [(one["name"], one["status"]) for one in engines] == [
                ("default", "CONNECTED"),
                ("lyon", "CONNECTED"),
            ]
            uids = [one["databaseUID"] for one in engines]
            body = {"remoteActionUid": said["uid"], "deviceUids": [agent.device, other.device]}
            run = "/api/remoteaction/v2/run"
            one = desk.post(run, json=body | {"engineDatabaseUids": [uids[1]], "params": {"say": "one"}})
            assert one.json() == [{"databaseUid": uids[1], "code": "ok"}]
            every = desk.post(run, json=body | {"params": [{"name": "say", "value": "every"}]})
            assert every.json() == [{"databaseUid": uid, "code": "ok"} for uid in uids]
        expected = {(other.device, "one"): "one", (agent.device, "every"): "every", (other.device, "every"): "every"}
        eventually(lambda: words(served) == expected)
    finally:
        other.stop()
