"""Campaigns over our own API: defined, sent to people, answered, cancelled, and seen by queries.

Comes in: a portal whose tables know some people. Goes out: nothing. Invariant: whom a caller does not see is to it as
if he were not there.
"""

from __future__ import annotations

from typing import Any

import pytest

from portal.app import campaigns
from portal.caller import Caller
from portal.campaigns.people import AMBIGUOUS, UNKNOWN
from portal.campaigns.service import NOBODY, PENDING, Sending
from storage.control.campaign_dispatch import Heard
from storage.control.errors import NotFoundError, RefusedError
from tests.portal.campaigns.scenes import COFFEE, VALUES, ready, sit
from tests.portal.conftest import API, HOUR, House, Play

pytestmark = pytest.mark.slow
SEND = f"{API}/campaigns/coffee/send"
RESPONSES = f"{API}/campaign-responses"


def test_from_the_definition_to_the_answer(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await ready(house)
        listed = (await ann.get(f"{API}/campaigns")).json()["campaigns"]
        assert [(one["definition"]["nql_id"], one["number"], one["counts"]) for one in listed] == [("#coffee", 1, {})]
        device = sit(house, "u-1")
        heard = house.listener(device)
        named = ["S-1-5-1", "1000", "u-2", "CY", "nobody", "s-1-5-*", "S-1-5-1"]
        sent = (await ann.post(SEND, json={"users": named, "parameters": VALUES})).json()["sent"]
        assert [(one["user"], one["message"]) for one in sent] == [
            ("S-1-5-1", ""), ("1000", AMBIGUOUS), ("u-2", ""), ("CY", ""), ("nobody", UNKNOWN), ("s-1-5-*", UNKNOWN)
        ]  # fmt: skip
        await heard.wait()
        [again] = (await ann.post(SEND, json={"users": ["ada"], "parameters": VALUES})).json()["sent"]
        assert (again["response"], again["message"]) == (None, PENDING)
        dispatch = house.portal.control.campaign_dispatch
        ask = dispatch.claim(device, [], now=house.time.now)
        assert ask is not None
        assert ask.response == sent[0]["response"]

        async def rows(text: str) -> list[list[Any]]:
            answer = await ann.post(f"{API}/query", json={"text": text})
            assert answer.status_code == 200, answer.text
            found: list[list[Any]] = answer.json()["rows"]
            return found

        states = "campaign.responses | list user.name, state, device.name, campaign.name | sort user.name asc"
        assert await rows(states) == [
            ["ada", "delivered", "pc-1", "Coffee"],
            ["bob", "targeted", None, "Coffee"],
            ["cy", "targeted", None, "Coffee"],
        ]
        said = Heard("answered", "", {"want": ["yes"]}, {"why": "tired"})
        dispatch.take(ask.response, device, ask.attempt, ask.nonce, said, now=house.time.now)
        asked = (
            "campaign.#coffee.responses | where state == answered | list answers.want, comments.why, parameters.name"
        )
        for _ in range(2):  # before and after it is in the tables
            assert await rows(asked) == [["yes", "tired", "you"]]
            await house.settle()
        assert await rows("campaign.campaigns | list nql_id, status") == [["#coffee", "published"]]
        one = (await ann.get(f"{RESPONSES}/{ask.response}")).json()["response"]
        assert (one["state"], one["answers"], one["user"], one["device"]) == (
            "answered",
            {"want": "yes"},
            "u-1",
            device,
        )
        gone = await ann.post(f"{RESPONSES}/{sent[2]['response']}/cancel")
        assert (gone.json()["response"]["state"], gone.json()["response"]["detail"]) == ("expired", "cancelled")
        told = (await ann.get(f"{API}/campaigns/coffee/responses?limit=2")).json()["responses"]
        assert len(told) == 2
        counts = (await ann.get(f"{API}/campaigns/%23coffee")).json()["campaign"]["counts"]
        assert counts == {"answered": 1, "expired": 1, "targeted": 1}

    play(scene)


def test_what_is_refused(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await ready(house)
        for body, status in (
            ({"users": [], "parameters": VALUES}, 422),
            ({"users": ["ada"], "parameters": VALUES, "expires_in": 59}, 422),
            ({"users": ["ada"], "parameters": {}}, 422),
            ({"users": ["ada"], "parameters": {"name": "http://evil"}}, 422),
            ({"users": ["ada"], "parameters": VALUES, "more": 1}, 422),
        ):
            answer = await ann.post(SEND, json=body)
            assert answer.status_code in (status, 400), answer.text
        for path in (f"{API}/campaigns/tea", f"{API}/campaigns/tea/responses", f"{RESPONSES}/none"):
            assert (await ann.get(path)).status_code == 404
        assert (await ann.post(f"{API}/campaigns/tea/send", json={"users": ["nobody"]})).status_code == 404
        bad = await ann.post(f"{API}/campaigns", json=COFFEE | {"title": "www.corp.example"})
        assert (bad.status_code, bad.json()["error"]["code"]) == (422, "bad_campaign")
        bob = await house.program("bob", ("query",))
        assert (await bob.post(SEND, json={"users": ["ada"], "parameters": VALUES})).status_code == 403
        assert (await bob.post(f"{API}/campaigns", json=COFFEE)).status_code == 403

    play(scene)


def test_a_view_domain_holds(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await ready(house)
        lea = await house.bounded('name == "pc-1"', "query", "execute")
        elsewhere = sit(house, "u-1", 2)
        sent = (await lea.post(SEND, json={"users": ["ada", "bob"], "parameters": VALUES})).json()["sent"]
        assert [one["message"] for one in sent] == ["", UNKNOWN]
        assert house.portal.control.campaign_dispatch.claim(elsewhere, [], now=house.time.now) is not None
        path = f"{RESPONSES}/{sent[0]['response']}"
        devices = [(await who.get(path)).json()["response"]["device"] for who in (ann, lea)]
        assert devices == [elsewhere, None]
        assert (await lea.get(f"{API}/campaigns/coffee")).json()["campaign"]["counts"] == {}
        [other] = (await ann.post(SEND, json={"users": ["bob"], "parameters": VALUES})).json()["sent"]
        assert [one["user"] for one in (await lea.get(f"{API}/campaigns/coffee/responses")).json()["responses"]] == [
            "u-1"
        ]
        for ask in (lea.get(f"{RESPONSES}/{other['response']}"), lea.post(f"{RESPONSES}/{other['response']}/cancel")):
            assert (await ask).status_code == 404

    play(scene)


def test_what_a_workflow_sends(play: Play) -> None:
    async def scene(house: House) -> None:
        await ready(house)
        there, nobody = sit(house, "u-1", 1), sit(house, "u-2", 2)
        house.portal.control.people_present.told(nobody, [], now=house.time.now)
        slice_, caller = campaigns(house.portal), Caller(house.account())
        sending = Sending("coffee", house.time.now + HOUR, (), (there, nobody, "x"), VALUES, "workflow", "step:1")
        sent = await slice_.send(caller, sending)
        assert [(one.named, one.message) for one in sent] == [(there, ""), (nobody, NOBODY), ("x", NOBODY)]
        response = sent[0].response
        assert response is not None
        assert (response.trigger_method, response.person) == ("workflow", "u-1")
        assert (await slice_.outcomes([response.id, "none"])) == {response.id: response}
        await slice_.withdraw(response.id, by="portal")
        assert (await slice_.outcomes([response.id]))[response.id].over
        with pytest.raises(NotFoundError):
            await slice_.send(caller, Sending("tea", house.time.now + HOUR, ("u-1",)))
        with pytest.raises(RefusedError):
            await slice_.send(caller, Sending("coffee", house.time.now + HOUR, ("u-1",), (), VALUES, "remote_action"))

    play(scene)
