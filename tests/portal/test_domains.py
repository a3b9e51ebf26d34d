"""What somebody with a view domain sees and does over HTTP: beyond it everything is as if it were not there.

In: a portal with two devices, of which `lea` sees `pc-1`, and runs on one, the other and both. Out: nothing. Invariant
held here: an answer about what is outside is the answer about what does not exist, to the byte, and no count tells.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from portal.app import endpoints
from storage.control.ids import uuid7
from storage.control.outcomes import Outcome
from storage.control.states import State
from tests.portal.conftest import API, MANIFEST, NOW, SECOND, House, Play

pytestmark = pytest.mark.slow
DOMAIN = 'name == "pc-1"'
NOBODY = "00000000-0000-7000-8000-000000000001"
ROLES = [("query",), ("query", "execute"), ("query", "execute", "manage")]


@dataclass
class Estate:
    """Who is there: devices and runs by what `lea` can see of them."""

    inside: str
    outside: str
    runs: dict[str, str]
    ann: httpx.AsyncClient


async def estate(house: House) -> Estate:
    inside, outside = house.enrol(1).uid, house.enrol(2).uid
    await house.settle()
    ann = await house.program()
    await ann.post(f"{API}/actions", json=MANIFEST)
    runs = {}
    for name, devices in (("inside", [inside]), ("outside", [outside]), ("both", [inside, outside])):
        house.time.now += SECOND  # so that they have an order
        asked = {"action": "#clear_cache", "allow_draft": True, "target": {"devices": devices}, "reason": name}
        made = await ann.post(f"{API}/runs", json=asked)
        assert made.status_code == 201, made.text
        runs[name] = made.json()["run"]["id"]
    return Estate(inside, outside, runs, ann)


async def rows(client: httpx.AsyncClient, text: str) -> Any:
    answer = await client.post(f"{API}/query", json={"text": text})
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def test_queries_show_what_is_inside(play: Play) -> None:
    async def scene(house: House) -> None:
        made = await estate(house)
        house.answer_any(made.runs["both"], made.outside, Outcome(State.SUCCESS, 0))
        await house.settle()
        lea = await house.bounded(DOMAIN, "query")
        assert await rows(lea, "devices | list name") == [["pc-1"]]
        assert await rows(lea, "devices | summarize n = count()") == [[1]]
        counted = "remote_action.executions during past 2h | summarize n = count()"
        assert (await rows(lea, counted), await rows(made.ann, counted)) == ([[2]], [[4]])
        named = "remote_action.executions during past 2h | list device.name, status"
        assert {row[0] for row in await rows(lea, named)} == {"pc-1"}
        completed = {"text": 'devices | where name == "pc', "offset": 26}
        for client, expected in ((lea, {"pc-1"}), (made.ann, {"pc-1", "pc-2"})):
            items = (await client.post(f"{API}/nql/complete", json=completed)).json()["items"]
            found = {name for item in items for name in ("pc-1", "pc-2") if name in item["label"]}
            assert found == expected

    play(scene)


def test_exports_show_no_more(play: Play) -> None:
    async def scene(house: House) -> None:
        await estate(house)
        lea = await house.bounded(DOMAIN, "query")
        body = {"text": "devices | list name"}
        answer = await lea.post(f"{API}/query", json=body, headers={"Accept": "text/csv"})
        assert answer.text.split() == ["device.name", "pc-1"]

    play(scene)


def test_counts_of_runs_tell_nothing(play: Play) -> None:
    async def scene(house: House) -> None:
        made = await estate(house)
        lea = await house.bounded(DOMAIN, "query", "execute")
        listed = (await lea.get(f"{API}/runs")).json()["runs"]
        assert [run["id"] for run in listed] == [made.runs["both"], made.runs["inside"]]
        one = (await lea.get(f"{API}/runs/{made.runs['both']}")).json()["run"]
        for run in (one, listed[0]):
            assert run["counts"] == {"waiting_on_device": 1}
            assert run["target"] == {"kind": "devices", "text": None, "count": 1, "digest": ""}
        executions = (await lea.get(f"{API}/runs/{made.runs['both']}/executions")).json()["executions"]
        assert [execution["device"]["uid"] for execution in executions] == [made.inside]
        paged = await lea.get(f"{API}/runs", params={"limit": 1, "before": made.runs["both"]})
        assert [run["id"] for run in paged.json()["runs"]] == [made.runs["inside"]]  # looks past what is hidden

    play(scene)


def test_a_run_is_cancelled_as_far_as_it_is_seen(play: Play) -> None:
    async def scene(house: House) -> None:
        made = await estate(house)
        lea = await house.bounded(DOMAIN, "query", "execute")
        both = f"{API}/runs/{made.runs['both']}"
        for verb in ("halt", "resume"):
            assert (await lea.post(f"{both}/{verb}", json={})).status_code == 403
        assert (await lea.post(f"{both}/cancel", json={})).json() == {"cancelled": 1, "asked": 0}
        counts = (await made.ann.get(both)).json()["run"]["counts"]
        assert counts == {"cancelled": 1, "waiting_on_device": 1}

    play(scene)


def test_targets_are_bounded(play: Play) -> None:
    async def scene(house: House) -> None:
        made = await estate(house)
        lea = await house.bounded(DOMAIN, "query", "execute")
        ask = {"action": "#clear_cache", "allow_draft": True, "target": {"nql": "devices"}}
        run = (await lea.post(f"{API}/runs", json=ask)).json()["run"]
        assert (run["target"]["count"], run["target"]["text"]) == (1, "devices")
        found = (await made.ann.get(f"{API}/runs/{run['id']}/executions")).json()["executions"]
        assert [execution["device"]["uid"] for execution in found] == [made.inside]
        assert (await lea.post(f"{API}/runs/preview", json={"target": {"nql": "devices"}})).json()["count"] == 1
        for path, body in (("runs", ask), ("runs/preview", {})):
            answers = []
            for uid in (made.outside, NOBODY):
                target = {"target": {"devices": [made.inside, uid]}}
                answer = await lea.post(f"{API}/{path}", json={**body, **target})
                answers.append((answer.status_code, answer.text.replace(uid, "-")))
            assert answers[0] == answers[1]
            assert answers[0][0] == 422

    play(scene)


@pytest.mark.parametrize("permissions", ROLES, ids="+".join)
def test_what_is_outside_is_not_there(play: Play, permissions: tuple[str, ...]) -> None:
    """Every route with an id in it, for what is inside, outside and nowhere."""

    async def scene(house: House) -> None:
        made = await estate(house)
        lea = await house.bounded(DOMAIN, *permissions)
        ids = {
            "{uid}": (made.inside, made.outside, NOBODY),
            "/runs/{id}": (made.runs["inside"], made.runs["outside"], uuid7(NOW)),
        }
        tried = 0
        for endpoint, (part, (inside, outside, nowhere)) in itertools.product(endpoints(house.portal), ids.items()):
            if part not in endpoint.path:
                continue
            tried += 1
            said = {}
            for name, identifier in (("outside", outside), ("nowhere", nowhere), ("inside", inside)):
                path = endpoint.path.replace(
                    part, part.rpartition("/")[0] + "/" + identifier if "/" in part else identifier
                )
                more: dict[str, Any] = {"json": {}} if endpoint.body is not None else {}
                if endpoint.path.endswith("/events"):
                    continue
                answer = await lea.request(endpoint.method, API + path, **more)
                said[name] = (answer.status_code, answer.text.replace(identifier, "-"))
            assert said.get("outside") == said.get("nowhere"), endpoint
            if said and endpoint.needs is not None and endpoint.needs.value in permissions:
                assert said["outside"][0] == 404, endpoint
                assert said["inside"][0] != 404, endpoint
        assert tried > 8

    play(scene)


def test_events_of_a_run_outside_are_not_there(play: Play) -> None:
    async def scene(house: House) -> None:
        made = await estate(house)
        lea = await house.bounded(DOMAIN, "query")
        for run in (made.runs["outside"], uuid7(NOW)):
            answer = await lea.get(f"{API}/runs/{run}/events")
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_run")

    play(scene)


def test_a_device_of_a_run_that_is_outside_cannot_be_cancelled(play: Play) -> None:
    async def scene(house: House) -> None:
        made = await estate(house)
        lea = await house.bounded(DOMAIN, "query", "execute")
        path = f"{API}/runs/{made.runs['both']}/cancel"
        answers = [await lea.post(path, json={"device": uid}) for uid in (made.outside, NOBODY)]
        assert answers[0].status_code == answers[1].status_code == 404
        assert answers[0].text == answers[1].text

    play(scene)


def test_data_outside_changes_no_answer(play: Play) -> None:
    """Errors, counts and orders stay, whatever happens to the devices that are hidden."""
    asked = [
        "devices | sort name desc | list name",
        "devices | summarize n = count() by name",
        "devices | include remote_action.executions during past 2h | compute n = count() | list name, n",
        "users | summarize n = count()",
        "remote_action.executions during past 2h | summarize n = count() by status",
        "remote_action.#clear_cache.executions during past 2h | list device.name, outputs.freed",
    ]

    async def scene(house: House) -> None:
        made = await estate(house)
        lea = await house.bounded(DOMAIN, "query")
        paths = ["/runs", f"/runs/{made.runs['inside']}", f"/devices/{made.inside}", "/actions"]

        async def everything() -> list[Any]:
            answers = [await lea.get(API + path) for path in paths]
            return [await rows(lea, text) for text in asked] + [answer.text for answer in answers]

        before = await everything()
        house.answer_any(made.runs["outside"], made.outside, Outcome(State.SUCCESS, 0, outputs={"freed": 7}))
        for number in (3, 4):
            house.enrol(number)
        await house.settle()
        assert await everything() == before

    play(scene)


def test_a_change_of_the_role_counts_at_once(play: Play) -> None:
    async def scene(house: House) -> None:
        made = await estate(house)
        program, browser = await house.bounded(DOMAIN, "query"), await house.browser("lea")
        role = f"{API}/roles/role of lea"
        for change, expected in (
            ({"domain": 'name == "pc-2"'}, [["pc-2"]]),
            ({"domain": None}, [["pc-1"], ["pc-2"]]),
            ({"domain": 'name == "nothing"'}, []),
        ):
            assert (await made.ann.put(role, json={"permissions": ["query"], **change})).status_code == 200
            for client in (program, browser):
                assert await rows(client, "devices | list name") == expected
        await made.ann.put(role, json={"permissions": ["execute"]})
        for client in (program, browser):
            answer = await client.post(f"{API}/query", json={"text": "devices"})
            assert answer.status_code == 403

    play(scene)


def test_a_domain_that_means_nothing_any_more_shows_nothing(play: Play) -> None:
    async def scene(house: House) -> None:
        made = await estate(house)
        lea = await house.bounded("#gone_field == 3", "query", "execute")
        for answer in (
            await lea.post(f"{API}/query", json={"text": "devices"}),
            await lea.get(f"{API}/devices/{made.inside}"),
            await lea.get(f"{API}/runs"),
            await lea.post(f"{API}/runs/preview", json={"target": {"nql": "devices"}}),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "broken_domain")

    play(scene)


def test_actions_are_bounded(play: Play) -> None:
    async def scene(house: House) -> None:
        made = await estate(house)
        other = {**MANIFEST, "nql_id": "#other", "name": "Other"}
        await made.ann.post(f"{API}/actions", json=other)
        lea = await house.bounded(DOMAIN, "query", "execute", actions=["#other"])
        listed = (await lea.get(f"{API}/actions")).json()["actions"]
        assert {action["nql_id"]: action["may_run"] for action in listed} == {"#clear_cache": False, "#other": True}
        asked = {"allow_draft": True, "target": {"devices": [made.inside]}}
        refused = await lea.post(f"{API}/runs", json={**asked, "action": "#clear_cache"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
        assert (await lea.post(f"{API}/runs", json={**asked, "action": "#other"})).status_code == 201
        watcher = await house.bounded(DOMAIN, "query", name="wim")
        listed = (await watcher.get(f"{API}/actions")).json()["actions"]
        assert not any(action["may_run"] for action in listed)

    play(scene)


def test_a_disabled_account_is_nobody(play: Play) -> None:
    """Sessions, tokens and what it owns: all end with the account, and are asked of it at every use."""

    async def scene(house: House) -> None:
        made = await estate(house)
        program, browser = await house.bounded(DOMAIN, "query"), await house.browser("lea")
        access, owner = house.portal.access, house.accounts["lea"].id
        caller = await access.by_account(owner)
        assert caller is not None
        assert caller.domain == DOMAIN
        assert (await made.ann.delete(f"{API}/accounts/lea")).status_code == 204
        for client in (program, browser):
            assert (await client.get(f"{API}/session")).status_code == 401
            assert (await client.post(f"{API}/query", json={"text": "devices"})).status_code in (401, 403)
        assert await access.by_account(owner) is None

    play(scene)


def test_a_schedule_that_reaches_further_is_left_alone(play: Play) -> None:
    async def scene(house: House) -> None:
        made = await estate(house)
        await made.ann.post(f"{API}/actions", json={**MANIFEST, "triggers": ["schedule", "api"]})
        cadence = {"every": "1h"}
        definition = {"action": "#clear_cache", "target": "devices", "cadence": cadence}
        body = {"nql_id": "#hourly", "name": "Hourly", "definition": definition}
        saved = await made.ann.post(f"{API}/schedules", json=body)
        assert saved.status_code == 201, saved.text
        lea = await house.bounded(DOMAIN, "query", "execute")
        bob = await house.bounded(DOMAIN, "query", "execute", name="bob", actions=[])
        one = f"{API}/schedules/hourly"
        changed = {"name": "Mine", "definition": definition}
        for client in (lea, bob):
            assert (await client.get(one)).status_code == 200
            for answer in (
                await client.put(one, json=changed),
                await client.post(f"{one}/disable"),
                await client.post(f"{one}/enable"),
                await client.delete(one),
            ):
                assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
        own = {**body, "nql_id": "#own"}
        assert (await lea.post(f"{API}/schedules", json=own)).status_code == 201
        assert (await lea.post(f"{API}/schedules/own/disable")).status_code == 200
        assert (await lea.delete(f"{API}/schedules/own")).status_code == 204

    play(scene)
