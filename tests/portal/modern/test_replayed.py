"""Requests of the other clients, as they send them, and what each reads of the answers.

Comes in: the forms that are known of the Go, PowerShell and MCP clients and of older scripts. Goes out: nothing.
Invariant: a request here has the headers and the keys that its client sends, those beyond the documents among them.
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.portal.campaigns.scenes import asked
from tests.portal.conftest import API, MANIFEST, House, Play, eventually
from tests.portal.modern.scenes import credential, served
from tests.portal.workflows.scenes import listens

pytestmark = pytest.mark.slow
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
GRANT = "grant_type=client_credentials&scope=service%3Aintegration"


async def ready(house: House) -> tuple[str, str, str]:
    """The id and secret of a credential, and the Collector UID of a device."""
    device = house.enrol()
    ann = await house.program()
    await ann.post(f"{API}/actions", json=MANIFEST)
    await asked(house)
    body = {"name": "Named", "text": "devices | where name = $name | list name"}
    await ann.put(f"{API}/saved-queries/named", json=body)
    await house.settle()
    return *await credential(house, ann, limits={"nql_per_second": 100}), device.collector_uid


async def devices(house: House) -> dict[str, str]:
    """The uids of devices by their Collector UIDs."""
    asked = {"text": "devices | list collector.uid, uid"}
    return dict((await (await house.program()).post(f"{API}/query", json=asked)).json()["rows"])


def basic(identifier: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{identifier}:{secret}".encode()).decode()}


async def bearer(client: httpx.AsyncClient, path: str, content: str, headers: dict[str, str]) -> dict[str, str]:
    answer = await client.post(path, content=content, headers=FORM | headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    said = answer.json()
    assert all(said[name] for name in ("token_type", "expires_in", "access_token", "scope"))
    return {"Authorization": f"Bearer {said['access_token']}"}


def test_go(play: Play) -> None:
    async def scene(house: House) -> None:
        identifier, secret, collector = await ready(house)
        agent = {"User-Agent": "go-api-sdk-nexthink/0.1.0; gzip", "Accept-Encoding": "gzip"}
        client = await house.client(**agent)
        known = await bearer(client, "/oauth2/default/v1/token", GRANT, basic(identifier, secret))
        client.headers.update(known | {"Accept": "application/json, text/csv"})
        ask = {"queryId": "#named", "parameters": {"name": "pc-1"}, "platform": "windows"}
        for version in ("v1", "v2"):
            answer = await client.post(f"/api/{version}/nql/execute", json=ask)
            assert answer.headers["content-type"] == "application/json"
        assert answer.json()["data"] == [{"device.name": "pc-1"}]
        export = await client.post("/api/v1/nql/export", json={**ask, "format": "csv", "compression": "GZIP"})
        assert export.json()["exportId"]
        client.headers["Accept"] = "application/json"
        run = {"remoteActionId": "#clear_cache", "devices": [collector], "expiresInMinutes": 60}
        assert (await client.post("/api/v1/act/execute", json=run)).json()["requestId"]
        listed = await client.get("/api/v1/act/remote-action")
        assert isinstance(listed.json()[0]["scriptInfo"]["timeoutSeconds"], int)
        campaign = {"campaignNqlId": "#coffee", "userSid": ["S-1-5-1"], "expiresInMinutes": 60,
                    "parameters": {"name": "you"}}  # fmt: skip
        sent = await client.post("/api/v1/euf/campaign/trigger", json=campaign)
        assert sent.json()["requests"][0]["requestId"]
        workflow, execution = await listens(house, await house.program(), (await devices(house))[collector])
        [one] = (await client.get("/api/v1/workflows")).json()
        assert [(type(part["versionNumber"]), part["isActive"]) for part in one["versions"]] == [(int, True)]
        assert all(isinstance(trigger, str) for trigger in one["triggerMethods"])
        assert (await client.get("/api/v1/workflows/details", params={"nql-id": "#approval"})).json() == one
        begun = await client.post("/api/v1/workflows/execute", json={"workflowId": "#approval", "devices": [collector]})
        assert UUID(begun.json()["executionsUuids"][0]).version == 7
        path = f"/api/v1/workflows/workflows/{workflow}/execution/{execution}/trigger"
        given = (await client.post(path, json={"parameters": {"approved": "yes"}})).json()
        assert UUID(given["requestUuid"]).version == 7, "an object, where others read an array"
        refused = await client.post("/api/v1/act/execute", json={**run, "devices": []})
        assert {type(refused.json()[name]) for name in ("message", "code")} == {str}

    play(scene)


def test_powershell(play: Play) -> None:
    async def scene(house: House) -> None:
        identifier, secret, collector = await ready(house)
        client = await house.client()
        client.headers.update({"Accept": "*/*", "User-Agent": "Mozilla/5.0 (Windows NT) PowerShell/7.4"})
        known = await bearer(client, "/oauth2/default/v1/token", GRANT, basic(identifier, secret))
        json = known | {"Content-Type": "application/json; charset=utf-8"}
        ask = b'{"queryId":"#named","parameters":{"name":"pc-1"}}'
        second = (await client.post("/api/v2/nql/execute", content=ask, headers=json)).json()
        assert datetime.strptime(second["executionDateTime"], "%Y-%m-%dT%H:%M:%S").year == 2026
        run = {
            "remoteActionId": "#clear_cache", "devices": [str(UUID(collector)).upper()], "expiresInMinutes": 60,
            "params": {},
            "triggerInfo": {"reason": "", "externalSource": "", "externalReference": "", "internalSource": ""},
        }  # fmt: skip
        begun = await client.post("/api/v1/act/execute", json=run, headers=known)
        assert UUID(begun.json()["requestId"]).version == 7
        campaign = b'{"campaignNqlId":"#coffee","userSid":["u-2"],"expiresInMinutes":60,"params":{"name":"you"}}'
        sent = await client.post("/api/v1/euf/campaign/trigger", content=campaign, headers=json)
        assert UUID(sent.json()["requests"][0]["requestId"]).version == 7
        await listens(house, await house.program(), (await devices(house))[collector])
        workflow = {"workflowId": "#approval", "devices": [str(UUID(collector)).upper()], "users": []}
        begun = await client.post("/api/v1/workflows/execute", json=workflow, headers=known)
        assert UUID(begun.json()["requestUuid"]).version == 7
        listed = await client.get("/api/v1/workflows/details?nql-id=%23approval", headers=known)
        assert listed.json()["status"] == "ACTIVE"
        details = await client.get("/api/v1/act/remote-action/details?nql-id=%23clear_cache", headers=known)
        assert {"apiEnabled", "manualEnabled", "scheduledEnabled"} <= details.json()["targeting"].keys()

    play(scene)


def test_mcp(play: Play) -> None:
    async def scene(house: House) -> None:
        identifier, secret, collector = await ready(house)
        client = await house.client(Accept="application/json, text/csv")
        inside = f"{GRANT}&client_id={identifier}&client_secret={secret}"
        client.headers.update(await bearer(client, "/oauth2/default/v1/token", inside, {}))
        run = {"remoteActionId": "#clear_cache", "devices": [collector], "params": {}}
        said = (await client.post("/api/v1/act/execute", json=run)).json()
        assert isinstance(said["expiresInMinutes"], int)
        await listens(house, await house.program(), (await devices(house))[collector])
        workflow = {"workflowId": "#approval", "devices": [collector], "users": [], "params": {}}
        begun = (await client.post("/api/v1/workflows/execute", json=workflow)).json()
        assert (bool(begun["requestUuid"]), len(begun["executionsUuids"])) == (True, 1)
        export: dict[str, Any] = (await client.post("/api/v1/nql/export", json={"queryId": "#named", "parameters": {
            "name": "pc-1"}, "compression": "NONE"})).json()  # fmt: skip
        state: dict[str, Any] = {}

        async def done() -> bool:
            state.update((await client.get(f"/api/v1/nql/status/{export['exportId']}")).json())
            return bool(state["status"] == "COMPLETED")

        await eventually(done)
        assert state["errorDescription"] is None
        file = await (await house.client()).get(state["resultsFileUrl"])
        assert file.text == "device.name\r\npc-1\r\n"

    play(scene)


def test_older_scripts_and_the_date(play: Play) -> None:
    async def scene(house: House) -> None:
        identifier, secret, _ = await ready(house)
        async with served(house) as address, httpx.AsyncClient(base_url=address) as client:
            answer = await client.post("/api/v1/token", content=GRANT, headers=FORM | basic(identifier, secret))
            assert datetime.strptime(answer.headers["date"], "%a, %d %b %Y %H:%M:%S %Z").year > 2000
            assert answer.json()["expires_in"] == 900

    play(scene)
