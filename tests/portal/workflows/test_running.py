"""Workflows at work in a portal: steps, ways out of them, rights, cancelling, what queries and other APIs see."""

from __future__ import annotations

from typing import Any

import pytest

from muster.content import folder
from portal.workflows.conditions import PIECE
from storage.control.roles import Rights
from storage.control.states import State
from tests.architecture.project import ROOT
from tests.portal.conftest import API, HOUR, MANIFEST, SECOND, House, Play
from tests.portal.workflows.scenes import ACTION, begin, ready, report, stands, tick, uid, workflow

pytestmark = pytest.mark.slow
MANY = PIECE + 10  # more than one question names
NOBODY = "00000000-0000-7000-8000-000000000000"
ROWS = "workflow.executions | list status, outcome, outcome_details, workflow.name, device.name, duration_seconds"


def test_from_action_over_condition_and_wait_to_the_end(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await ready(house)
        device = await uid(ann, "pc-1")
        [one] = await begin(ann, device, parameters={"path": "/opt"})
        await tick(house)
        said = await stands(ann, one)
        assert (said["state"], said["detail"]) == ("in_progress", "step clear runs #clear_cache")
        run = (await ann.get(f"{API}/runs/{said['run']}")).json()["run"]
        assert (run["trigger"], run["parameters"], run["requested_by"]) == ("workflow", {"path": "/opt"}, "ann")
        rows = (await ann.post(f"{API}/query", json={"text": ROWS})).json()["rows"]
        assert rows == [["in_progress", None, None, "Make room", "pc-1", None]]

        first = await report(house, ann, one, State.SUCCESS, freed=12, files=3)
        await tick(house)
        said = await stands(ann, one)
        assert (said["state"], said["detail"], said["run"]) == ("waiting", "step pause waits", None)
        house.time.now += 599 * SECOND
        await tick(house)
        assert (await stands(ann, one))["step"] == "pause"
        house.time.now += SECOND
        await tick(house)
        second = (await stands(ann, one))["run"]
        assert second != first
        assert (await ann.get(f"{API}/runs/{second}")).json()["run"]["parameters"] == {"path": "3"}
        await report(house, ann, one, State.SUCCESS)
        await tick(house)
        said = await stands(ann, one)
        assert (said["state"], said["outcome"], said["outcome_detail"]) == ("success", "action_taken", "there is room")
        await house.settle()
        rows = (await ann.post(f"{API}/query", json={"text": ROWS})).json()["rows"]
        assert rows == [["success", "action_taken", "there is room", "Make room", "pc-1", 600]]
        assert len((await ann.get(f"{API}/runs")).json()["runs"]) == 2

    play(scene)


FAST = {"kind": "action", "id": "clear", "action": "#clear_cache", "within": 60}
END = {"kind": "stop", "id": "end", "outcome": "action_taken"}


def condition(**changes: Any) -> dict[str, Any]:
    """A condition that a device called pc-1 meets, to the end."""
    return {"kind": "condition", "id": "which", "nql": 'devices | where name == "pc-1"', "then": "end",
            "otherwise": "other", **changes}  # fmt: skip


OTHER = {"kind": "stop", "id": "other"}


def test_what_is_refused(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await ready(house)
        bad: list[tuple[list[dict[str, Any]], str]] = [
            ([FAST | {"action": "#none"}], "no action #none"),
            ([FAST | {"parameters": {"where": "x"}}], "no input where"),
            ([FAST, {**FAST, "id": "two", "parameters": {"path": "steps.clear.outputs.none"}}], "no output none"),
            ([condition(nql="devices | wher name"), END, OTHER], ""),
            ([condition(nql="devices | where name == $who"), END, OTHER], "parameter who"),
            ([condition(nql="devices | summarize n = count()"), END, OTHER], ""),
        ]
        for steps, reason in bad:
            answer = await ann.post(f"{API}/workflows", json=workflow(nql_id="#bad", steps=steps))
            assert answer.status_code in (400, 422), answer.text
            assert reason in answer.json()["error"]["message"]
        await ann.post(f"{API}/actions", json=MANIFEST | {"nql_id": "#by_hand", "triggers": ["manual"]})
        answer = await ann.post(f"{API}/workflows", json=workflow(steps=[FAST | {"action": "#by_hand"}]))
        assert "does not allow the trigger workflow" in answer.json()["error"]["message"]
        assert [one["nql_id"] for one in (await ann.get(f"{API}/workflows")).json()["workflows"]] == ["#make_room"]

        device, path = await uid(ann, "pc-1"), f"{API}/workflows/make_room/executions"
        target = {"target": {"devices": [device]}}
        for body, status in (
            ({"target": {}}, 422), ({"target": {"devices": ["none"]}}, 422), ({"target": {"nql": "devic"}}, 400),
            (target | {"parameters": {"colour": "red"}}, 422), (target | {"more": 1}, 400),
        ):  # fmt: skip
            assert (await ann.post(path, json=body)).status_code == status, body
        assert (await ann.post(path.replace("make_room", "none"), json=target)).status_code == 404
        for name, code in (("executions", "unknown_execution"), ("requests", "unknown_request")):
            for identifier in ("x", NOBODY):
                answer = await ann.get(f"{API}/workflow-{name}/{identifier}")
                assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)
        await ann.post(f"{API}/workflows", json=workflow(active=False))
        assert (await ann.post(path, json=target)).json()["error"]["code"] == "inactive"
        await ann.post(f"{API}/workflows", json=workflow(triggers=["manual"]))
        assert (await ann.post(path, json=target)).json()["error"]["code"] == "trigger_not_allowed"
        browser = await house.browser()
        begun = await browser.post(path, json=target)
        assert (await stands(ann, begun.json()["executions"][0]))["trigger"] == "manual"
        many = await browser.post(path, json={"target": {"nql": "devices"}, "idempotency_key": "k"})
        assert (
            await browser.post(path, json={"target": {"nql": "devices"}, "idempotency_key": "k"})
        ).status_code == 200
        assert many.status_code == 201

    play(scene)


def test_many_devices_are_asked_about_at_once_and_each_goes_its_way(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await ready(house, steps=[condition(), END, OTHER])
        enrolment, now = house.portal.control.enrolment, house.time.now
        keys = enrolment.create_enrol_keys(MANY, simulated=True, expires_at=now + HOUR, by="account:ann", now=now)
        for number, (_, key) in enumerate(keys):
            own = (number + 10).to_bytes(32, "big")
            enrolment.consume_enrol_key(key, own, own, f"many-{number}", now=now)
        await house.settle()
        begun = (await ann.post(f"{API}/workflows/make_room/executions", json={"target": {"nql": "devices"}})).json()
        await tick(house)
        params: dict[str, Any] = {"request": begun["request"], "limit": 1000}
        found = (await ann.get(f"{API}/workflow-executions", params=params)).json()["executions"]
        ways = {one["device"]["name"]: one["outcome"] for one in found}
        assert ways == {"pc-1": "action_taken"} | {f"many-{number}": "no_action_taken" for number in range(MANY)}
        said = (await ann.get(f"{API}/workflow-requests/{begun['request']}")).json()
        assert (said["counts"], said["complete"]) == ({"success": MANY + 1}, True)
        page = (await ann.get(f"{API}/workflow-executions", params={"limit": 2, "workflow": "make_room"})).json()
        more = {"limit": 1000, "before": page["executions"][-1]["id"], "state": "success"}
        assert len((await ann.get(f"{API}/workflow-executions", params=more)).json()["executions"]) == MANY - 1

    play(scene)


def test_who_may_no_more_goes_on_no_more(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await ready(house, steps=[FAST, FAST | {"id": "two"}, END], devices=3)
        lea = await house.bounded('name != "pc-3"', "query", "execute")
        one, two, three = [await uid(ann, f"pc-{number}") for number in (1, 2, 3)]
        refused = await lea.post(f"{API}/workflows/make_room/executions", json={"target": {"devices": [three]}})
        assert refused.json()["error"]["code"] == "unknown_devices"
        [mine], [unseen] = await begin(lea, one), await begin(lea, two)
        [theirs] = await begin(ann, three)
        assert (await lea.get(f"{API}/workflow-executions/{theirs}")).status_code == 404
        request = (await stands(ann, theirs))["request"]
        for answer in (
            await lea.get(f"{API}/workflow-requests/{request}"),
            await lea.post(f"{API}/workflow-requests/{request}/cancel", json={}),
            await lea.post(f"{API}/workflow-executions/{theirs}/cancel", json={}),
            await lea.post(f"{API}/workflow-executions/{theirs}/trigger", json={}),
        ):
            assert answer.status_code == 404
        listed = (await lea.get(f"{API}/workflow-executions")).json()["executions"]
        assert {item["id"] for item in listed} == {mine, unseen}
        await tick(house)
        await report(house, lea, mine, State.SUCCESS)
        await report(house, lea, unseen, State.SUCCESS)
        rights = Rights(frozenset(["query", "execute"]), frozenset(["#other"]), 'name == "pc-1"')
        house.portal.control.roles.put("role of lea", rights, by="portal", now=house.time.now)
        await tick(house)
        said = await stands(ann, mine)
        assert (said["state"], said["outcome"]) == ("failure", "failed")
        assert said["detail"] == "step two: the account lea may not run #clear_cache any more"
        assert (await stands(ann, unseen))["detail"] == "step two: the account lea does not see the device any more"
        [other] = await begin(ann, two)
        house.account("max")
        house.portal.control.accounts.disable("ann", by="portal", now=house.time.now)
        await tick(house)
        found = house.portal.control.workflow_executions.execution(other)
        assert found.detail == "step clear: the account ann is closed"
        refused = await lea.post(f"{API}/workflows/make_room/executions", json={"target": {"devices": [one]}})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")

    play(scene)


def test_cancelled_expired_and_what_was_taken_away(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await ready(house, steps=[FAST | {"on_expiry": "other"}, END, OTHER], devices=3)
        one, two, three = [await uid(ann, f"pc-{number}") for number in (1, 2, 3)]
        listening = house.listener(one)
        first, second, third = await begin(ann, one, two, three)
        await tick(house)
        assert listening.nudges == 1
        run = (await stands(ann, first))["run"]
        assert (await ann.post(f"{API}/workflow-executions/{first}/cancel", json={})).json() == {"cancelled": 1}
        assert (await stands(ann, first))["detail"] == "cancelled by ann"
        assert (await ann.get(f"{API}/runs/{run}")).json()["run"]["counts"] == {"cancelled": 1}
        house.time.now += 61 * SECOND
        house.portal.control.deadlines.tick(now=house.time.now)
        await tick(house)
        assert (await stands(ann, second))["outcome"] == "no_action_taken", "it went the way of what expired"
        request = (await stands(ann, third))["request"]
        assert (await ann.post(f"{API}/workflow-requests/{request}/cancel", json={})).json() == {"cancelled": 0}

        await ann.post(f"{API}/workflows", json=workflow(steps=[FAST, END], longest=60))
        [late] = await begin(ann, one)
        await tick(house)
        late_run = (await stands(ann, late))["run"]
        house.time.now += 60 * SECOND
        await tick(house)
        said = await stands(ann, late)
        assert (said["state"], said["outcome"]) == ("expired", "failed")
        assert (await ann.get(f"{API}/runs/{late_run}")).json()["run"]["counts"] == {"cancelled": 1}

        [gone] = await begin(ann, one)
        await ann.post(f"{API}/actions", json=ACTION | {"triggers": ["api"]})
        await tick(house)
        assert "no action #clear_cache that workflows may run" in (await stands(ann, gone))["detail"]

    play(scene)


def test_the_starter_workflows_are_carried_out(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await house.program()
        house.enrol(1)
        for item in folder.read(ROOT / "content"):
            place = {"action": "actions", "workflow": "workflows"}.get(item.kind)
            if place is not None:
                answer = await ann.post(f"{API}/{place}", json=item.body)
                assert answer.status_code == 201, answer.text
        await house.settle()
        device = await uid(ann, "pc-1")

        async def steps(name: str, *answers: dict[str, Any], **given: str) -> dict[str, Any]:
            body = {"target": {"devices": [device]}, "parameters": given}
            begun = (await ann.post(f"{API}/workflows/{name}/executions", json=body)).json()
            for answer in answers:
                await tick(house)
                one = await stands(ann, begun["executions"][0])
                if one["state"] == "waiting" and "approved" in answer:
                    await ann.post(f"{API}/workflow-executions/{one['id']}/trigger", json={"parameters": answer})
                    await tick(house)
                    continue
                await report(house, ann, one["id"], State.SUCCESS, **answer)
                await tick(house)
                house.time.now += 300 * SECOND
            await tick(house)
            return await stands(ann, begun["executions"][0])

        full, room = {"used_share": 97.0}, {"used_share": 50.0}
        assert (await steps("free_disk_space", room))["outcome"] == "no_action_taken"
        assert (await steps("free_disk_space", full, {"files": 9}, room))["outcome"] == "action_taken"
        assert (await steps("free_disk_space", full, {"files": 9}, full))["outcome"] == "failed"
        down, up = {"state_after": "failed"}, {"state_after": "active"}
        said = await steps("restart_failed_service", up, service="cron")
        assert said["outcome_detail"] == "the service has not failed"
        yes, no = {"approved": "yes"}, {"approved": "no"}
        said = await steps("restart_failed_service", down, no, service="cron")
        assert said["outcome_detail"] == "nobody agreed to a restart"
        said = await steps("restart_failed_service", down, yes, {}, up, service="cron")
        assert (said["outcome"], said["outcome_detail"]) == ("action_taken", "it was restarted and runs")

    play(scene)
