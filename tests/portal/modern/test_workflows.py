"""The Workflows API of other people's clients: every call, every error, and devices by every name they have."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest

from storage.control.states import State
from tests.portal.conftest import API, SECOND, House, Play
from tests.portal.erased_world import enrolled
from tests.portal.modern.scenes import client
from tests.portal.workflows.scenes import ready, report, stands, tick, workflow

pytestmark = pytest.mark.slow
ALL = "/api/v1/workflows"
LISTEN = {"kind": "wait", "id": "ear", "listen": ["answer"]}
STOP = {"kind": "stop", "id": "end", "outcome": "action_taken"}


async def wrong(asking: httpx.AsyncClient, path: str, body: Any, status: int = 400) -> str:
    answer = await asking.post(path, json=body)
    said = answer.json()
    assert (answer.status_code, set(said)) == (status, {"code", "details"}), answer.text
    assert said["details"]
    code: str = said["code"]
    return code


def test_what_there_is(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await ready(house)
        await ann.post(f"{API}/workflows", json=workflow(nql_id="#old", active=False, triggers=["manual"]))
        asking = await client(house, ann)
        [one, other] = (await asking.get(ALL)).json()
        assert (one["id"], one["status"], one["triggerMethods"]) == (
            "#make_room", "ACTIVE", ["API", "MANUAL", "MANUAL_MULTIPLE"],
        )  # fmt: skip
        assert (UUID(one["uuid"]).version, one["versions"]) == (7, [{"versionNumber": 1, "isActive": True}])
        assert (other["status"], one["lastUpdateTime"]) == ("INACTIVE", "2026-01-01T10:40:00Z")

        async def ids(**given: str) -> list[str]:
            return [one["id"] for one in (await asking.get(ALL, params=given)).json()]

        assert await ids(dependency="DEVICE", triggerMethod="API", fetchOnlyActiveWorkflows="True") == ["#make_room"]
        assert await ids(triggerMethod="manual") == ["#make_room", "#old"]
        assert await ids(dependency="USER_AND_DEVICE") == []
        assert await ids(fetchOnlyActiveWorkflows="false") == ["#make_room", "#old"]
        assert (await asking.get(ALL, params={"dependency": "PRINTER"})).json()["code"] == "BAD_REQUEST"
        for name in ("nqlId", "nql-id"):
            assert (await asking.get(f"{ALL}/details", params={name: "#make_room"})).json() == one
        for given in ({"nqlId": "#none"}, {}):
            refused = await asking.get(f"{ALL}/details", params=given)
            assert (refused.status_code, set(refused.json())) == (400, {"code", "details"})

    play(scene)


def test_execute(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await ready(house, devices=2)
        rows = (await ann.post(f"{API}/query", json={"text": "devices | list uid, collector.uid | sort name"})).json()
        (one, collector), (two, _) = rows["rows"]
        asking = await client(house, ann)
        asking.headers["Source"] = "portal of the desk"
        body = {"workflowId": "#make_room", "devices": [collector.upper(), two], "users": [], "params": {"path": "/a"}}
        said = (await asking.post(f"{ALL}/execute", json=body)).json()
        assert set(said) == {"requestUuid", "executionsUuids"}
        found = [await stands(ann, execution) for execution in said["executionsUuids"]]
        assert [(item["device"]["uid"], item["trigger"]) for item in found] == [(one, "api"), (two, "api")]
        assert found[0]["parameters"]["path"] == "/a"
        v2 = {"workflowId": "#make_room", "devices": [{"name": "PC-2"}, {"uid": one, "collectorUid": collector}]}
        said = (await asking.post("/api/v2/workflows/execute", json=v2)).json()
        found = [await stands(ann, execution) for execution in said["executionsUuids"]]
        assert [item["device"]["uid"] for item in found] == [two, one]

        first, second = f"{ALL}/execute", "/api/v2/workflows/execute"
        good = {"workflowId": "#make_room", "devices": [one]}
        assert await wrong(asking, first, good | {"workflowId": "#none"}) == "UNKNOWN_WORKFLOW"
        assert await wrong(asking, first, good | {"devices": []}) == "NO_DEVICES"
        assert await wrong(asking, first, {"workflowId": "#make_room"}) == "NO_DEVICES"
        assert await wrong(asking, first, good | {"users": ["S-1-5-21-1-2-3-4"]}) == "USERS_NOT_OFFERED"
        assert await wrong(asking, first, good | {"devices": [one] * 10_001}) == "TOO_MANY_DEVICES"
        assert await wrong(asking, first, good | {"params": {"colour": "red"}}) == "BAD_PARAMETERS"
        assert await wrong(asking, first, good | {"devices": [7]}) == "BAD_REQUEST"
        for device in ({"name": "pc-*"}, {"name": "pc-9"}, {"uid": one, "name": "pc-2"}, {}):
            assert await wrong(asking, second, good | {"devices": [device]}) == "UNKNOWN_DEVICES"
        lea = await client(house, await house.bounded('name == "pc-1"', "query", "execute"), name="lea")
        assert await wrong(lea, second, good | {"devices": [{"name": "pc-2"}]}) == "UNKNOWN_DEVICES"
        eve = await client(house, await house.program("eve", ("query",)), name="eve")
        assert await wrong(eve, first, good, 403) == "FORBIDDEN"
        role = await house.bounded("name != null", "query", "execute", name="bob", actions=["#other"])
        bob = await client(house, role, name="bob")
        assert await wrong(bob, first, good, 403) == "FORBIDDEN"
        nobody = await (await house.client()).post(first, json=good)
        assert (nobody.status_code, nobody.content) == (401, b"")

    play(scene)


def test_of_several_of_one_name_the_one_that_was_seen_last(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await ready(house)
        house.time.now += 5 * SECOND
        later = enrolled(house, 7, "pc-1")
        await house.settle()
        asking = await client(house, ann)
        body = {"workflowId": "make_room", "devices": [{"name": "pc-1"}]}
        said = (await asking.post("/api/v2/workflows/execute", json=body)).json()
        assert (await stands(ann, said["executionsUuids"][0]))["device"]["uid"] == later.uid

    play(scene)


def test_a_step_that_listens(play: Play) -> None:
    async def scene(house: House) -> None:
        clear = {"kind": "action", "id": "clear", "action": "#clear_cache"}
        ann = await ready(house, steps=[clear, LISTEN, STOP])
        asking = await client(house, ann)
        body = {"workflowId": "#make_room", "devices": [{"name": "pc-1"}]}
        said = (await asking.post("/api/v2/workflows/execute", json=body)).json()
        [one], request = said["executionsUuids"], said["requestUuid"]
        uid = (await asking.get(ALL)).json()[0]["uuid"]
        path = f"{ALL}/workflows/{uid}/execution/{one}/trigger"
        await tick(house)
        given = {"parameters": {"answer": "yes"}}
        assert await wrong(asking, path, given) == "NOT_LISTENING"
        await report(house, ann, one, State.SUCCESS)
        await tick(house)
        assert (await stands(ann, one))["state"] == "waiting"
        assert await wrong(asking, path, {"parameters": {}}) == "BAD_PARAMETERS"
        assert await wrong(asking, path, {"parameters": {"answer": "yes", "other": "no"}}) == "BAD_PARAMETERS"
        for other in (path.replace(uid, one), path.replace(one, uid), path.replace(one, "x")):
            assert await wrong(asking, other, given) == "UNKNOWN_EXECUTION"
        assert (await asking.post(path, json=given)).json() == [{"requestUuid": request}]
        await tick(house)
        assert (await stands(ann, one))["outcome"] == "action_taken"
        again = (await asking.post("/api/v2/workflows/execute", json=body)).json()["executionsUuids"][0]
        await tick(house)
        await report(house, ann, again, State.SUCCESS)
        await tick(house)
        go = {"User-Agent": "go-api-sdk-nexthink/0.1.0; gzip"}
        answer = await asking.post(path.replace(one, again), json=given, headers=go)
        assert set(answer.json()) == {"requestUuid"}

    play(scene)
