"""Remote actions as other people's clients ask for them: forms, answers, and an error for each thing that is wrong."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from storage.control.enrolment import Device
from tests.authors import Signer
from tests.portal.conftest import API, MANIFEST, House, Play
from tests.portal.modern.scenes import client

pytestmark = pytest.mark.slow
EXECUTE, LIST, DETAILS = "/api/v1/act/execute", "/api/v1/act/remote-action", "/api/v1/act/remote-action/details"
ODD: list[Any] = [1, 1.5, True, {}]


async def ready(house: House) -> tuple[httpx.AsyncClient, list[Device]]:
    """Two devices, an action, and a client."""
    devices = [house.enrol(1), house.enrol(2)]
    ann = await house.program()
    for manifest in (MANIFEST, {**MANIFEST, "nql_id": "#by_hand", "triggers": ["manual"]}):
        saved = await ann.post(f"{API}/actions", json=manifest)
        assert saved.status_code in (200, 201), saved.text
    await house.settle()
    return await client(house, ann), devices


def test_a_run(play: Play) -> None:
    async def scene(house: House) -> None:
        ours, devices = await ready(house)
        one, two = devices
        answer = await ours.post(EXECUTE, json={
            "remoteActionId": "#clear_cache", "expiresInMinutes": 90, "params": {"path": "/var"},
            "devices": [one.collector_uid.upper(), f"{{{two.collector_uid}}}", UUID(one.collector_uid).hex],
            "triggerInfo": {"externalSource": "itsm", "reason": "full", "externalReference": "INC-1", "more": 1},
        })  # fmt: skip
        assert answer.status_code == 200, answer.text
        said = answer.json()
        assert said == {"requestId": said["requestId"], "expiresInMinutes": 90}
        run = (await (await house.program()).get(f"{API}/runs/{said['requestId']}")).json()["run"]
        assert (run["target"]["count"], run["parameters"], run["reason"]) == (2, {"path": "/var"}, "full")
        assert (run["requested_by"], run["trigger"]) == ("ann", "api")
        usual = await ours.post(EXECUTE, json={"remoteActionId": "#clear_cache", "devices": [one.uid], "params": {}})
        assert usual.json()["expiresInMinutes"] == 60

    play(scene)


def test_each_error(play: Play) -> None:
    async def scene(house: House) -> None:
        ours, [device, _] = await ready(house)
        good = {"remoteActionId": "#clear_cache", "devices": [device.collector_uid]}
        json = {"Content-Type": "application/json"}
        content, cases = "INVALID_REQUEST_CONTENT", list[tuple[str, dict[str, Any]]]()
        bad: dict[str, list[Any]] = {
            "remoteActionId": [*ODD, None, []],
            "devices": [*ODD, None, "x", [1], [None], [""], [["x"]]],
            "params": [*ODD[:3], [], "x", {"path": 1}, {"a": None}],
            "expiresInMinutes": [0, 59, 10_081, "60", 60.5, True],
            "triggerInfo": [1, [], "x", {"reason": "x" * 501}],
        }
        cases += [(content, {"json": {**good, name: odd}}) for name, values in bad.items() for odd in values]
        cases += [(content, {"json": body}) for body in (*ODD, [], "x", {"devices": good["devices"]})]
        cases += [(content, {"content": b"null", "headers": json})]
        cases += [(content, {"json": {**good, "params": {"unknown": "x"}}})]
        cases += [
            ("INVALID_REQUEST_JSON", {"content": b"{", "headers": json}),
            ("INVALID_REQUEST_JSON", {"content": b"", "headers": json}),
            ("INVALID_REQUEST_JSON", {"content": b'{"remoteActionId": "#a", "devices": [], "devices": []}',
                                      "headers": json}),
            ("ENCODING", {"content": b'{"remoteActionId": "\xff"}', "headers": json}),
            ("ENCODING", {"content": b"{}", "headers": {"Content-Type": "application/json; charset=utf-16"}}),
            ("CONTENT_TYPE", {"content": b"{}", "headers": {"Content-Type": "text/plain"}}),
            ("NO_REMOTE_ACTION_UID", {"json": {**good, "remoteActionId": ""}}),
            ("NO_DEVICES", {"json": {**good, "devices": []}}),
            ("TOO_MANY_DEVICES", {"json": {**good, "devices": [str(uuid4())] * 10_001}}),
            ("INVALID_DEVICE_UID", {"json": {**good, "devices": [str(uuid4()), device.uid]}}),
            ("INVALID_DEVICE_UID", {"json": {**good, "devices": ["no guid"]}}),
            ("UNKNOWN_OR_DISABLED_REMOTE_ACTION", {"json": {**good, "remoteActionId": "#nothing"}}),
            ("UNKNOWN_OR_DISABLED_REMOTE_ACTION", {"json": {**good, "remoteActionId": "#by_hand"}}),
        ]  # fmt: skip
        for code, asked in cases:
            answer = await ours.post(EXECUTE, **asked)
            said = answer.json()
            assert (answer.status_code, said["code"], set(said)) == (400, code, {"code", "message"}), (asked, said)
            assert said["message"]
        assert (await ours.get(EXECUTE)).status_code == 405

    play(scene)


def test_a_view_domain_bounds_devices_and_a_role_actions(play: Play) -> None:
    async def scene(house: House) -> None:
        _, [one, two] = await ready(house)
        ann = await house.program()
        await house.bounded('name == "pc-2"', "query", "execute", actions=["#clear_cache"])
        narrow = await client(house, ann, name="narrow", account="lea")
        ask = {"remoteActionId": "#clear_cache", "devices": [two.collector_uid]}
        assert (await narrow.post(EXECUTE, json=ask)).status_code == 200
        refused = await narrow.post(EXECUTE, json={**ask, "devices": [one.collector_uid]})
        assert refused.json()["code"] == "INVALID_DEVICE_UID"
        await house.bounded('name == "pc-2"', "query", "execute", name="leo", actions=[])
        none = await client(house, ann, name="none", account="leo")
        refused = await none.post(EXECUTE, json=ask)
        assert (refused.status_code, refused.json()["code"]) == (403, "NO_PERMISSION")

    play(scene)


def test_what_nobody_signed_is_not_run_where_there_are_authors(play: Play) -> None:
    async def scene(house: House) -> None:
        ours, [device, _] = await ready(house)
        ask = {"remoteActionId": "#clear_cache", "devices": [device.collector_uid]}
        assert (await ours.post(EXECUTE, json=ask)).status_code == 200
        house.portal.control.authors.add("ann", Signer("ann").public, by="account:ann", now=house.time.now)
        refused = await ours.post(EXECUTE, json=ask)
        assert (refused.status_code, refused.json()["code"]) == (400, "UNKNOWN_OR_DISABLED_REMOTE_ACTION")
        assert "draft" in refused.json()["message"]

    play(scene)


def test_the_list_and_the_details(play: Play) -> None:
    async def scene(house: House) -> None:
        ours, _ = await ready(house)
        found = (await ours.get(LIST)).json()
        assert [action["id"] for action in found] == ["#by_hand", "#clear_cache"]
        one = (await ours.get(DETAILS, params={"nql-id": "#clear_cache"})).json()
        assert one == found[1]
        assert one["targeting"]["apiEnabled"] is True
        assert one["purpose"] == ["REMEDIATION"]
        assert one["scriptInfo"]["runAs"] == "LOCAL_SYSTEM"
        assert one["scriptInfo"]["inputs"] == [{
            "id": "path", "name": "path", "description": "", "usedByWindows": False, "usedByMacOs": False,
            "usedByLinux": True, "options": [], "allowCustomValue": True,
        }]  # fmt: skip
        assert found[0]["targeting"]["apiEnabled"] is False
        for params in ({"nql-id": "#nothing"}, {}, {"nql-id": ""}, {"nql-id": "x" * 400}):
            refused = await ours.get(DETAILS, params=params)
            assert (refused.status_code, set(refused.json())) == (404, {"code", "message"})

    play(scene)
