"""Campaigns as other people's clients send them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.portal.campaigns.scenes import VALUES, ready
from tests.portal.conftest import House, Play
from tests.portal.modern.scenes import APIS, client

pytestmark = pytest.mark.slow
PATH = "/api/v1/euf/campaign/trigger"
BODY: dict[str, Any] = {
    "campaignNqlId": "#coffee",
    "userSid": ["S-1-5-1"],
    "expiresInMinutes": 60,
    "parameters": VALUES,
}
INVALID, UNKNOWN, VALUE = "BAD_REQUEST", "UNKNOWN_CAMPAIGN", "BAD_PARAMETERS"


def test_a_request_for_each_user(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await ready(house)
        ours = await client(house, ann, allow=["campaigns"])
        named = {**BODY, "userSid": ["S-1-5-1", "S-1-5-9", "S-1-5-1"], "extra": 1}
        answer = await ours.post(PATH, json=named)
        assert answer.status_code == 200, answer.text
        first, second = answer.json()["requests"]
        assert (first.keys(), first["userSid"]) == ({"userSid", "requestId"}, "S-1-5-1")
        assert (second.keys(), second["userSid"]) == ({"userSid", "message"}, "S-1-5-9")
        row = house.portal.control.campaign_responses.response(first["requestId"])
        assert (row.state, row.expires_at - row.targeted_at) == ("targeted", 3_600_000_000)
        params = {key: value for key, value in BODY.items() if key != "parameters"} | {"params": VALUES}
        [again] = (await ours.post(PATH, json=params | {"userSid": ["u-2"]})).json()["requests"]
        assert again["requestId"]
        [pending] = (await ours.post(PATH, json=BODY)).json()["requests"]
        assert "not answered" in pending["message"]

    play(scene)


def test_what_is_refused(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await ready(house)
        ours = await client(house, ann, allow=["campaigns"])
        cases: list[tuple[dict[str, Any], str]] = [
            ({"campaignNqlId": ""}, INVALID),
            ({"campaignNqlId": "#tea"}, UNKNOWN),
            ({"campaignNqlId": 1}, INVALID),
            ({"userSid": []}, INVALID),
            ({"userSid": ["x"] * 10_001}, INVALID),
            ({"userSid": "S-1-5-1"}, INVALID),
            ({"expiresInMinutes": 0}, INVALID),
            ({"expiresInMinutes": 525_601}, INVALID),
            ({"expiresInMinutes": 1.5}, INVALID),
            ({"parameters": {}}, VALUE),
            ({"parameters": {"name": "a", "other": "b"}}, VALUE),
            ({"parameters": {"name": 1}}, INVALID),
            ({"parameters": {f"p{number}": "" for number in range(31)}}, INVALID),
            ({"params": {"name": "somebody else"}}, INVALID),
        ]
        for change, code in cases:
            answer = await ours.post(PATH, json=BODY | change)
            assert (answer.status_code, answer.json()["code"]) == (400, code), (change, answer.text)
            assert answer.json()["message"]
        lacking = {key: value for key, value in BODY.items() if key != "expiresInMinutes"}
        assert (await ours.post(PATH, json=lacking)).status_code == 400
        stranger = await house.client(Authorization="Bearer x")
        said = await stranger.post(PATH, json=BODY)
        assert (said.status_code, said.json()["code"]) == (401, "BAD_TOKEN")
        other = await client(house, ann, allow=[api for api in APIS if api != "campaigns"])
        said = await other.post(PATH, json=BODY)
        assert (said.status_code, said.json()["code"]) == (403, "FORBIDDEN")
        assert house.portal.control.campaign_responses.latest() == []

    play(scene)
