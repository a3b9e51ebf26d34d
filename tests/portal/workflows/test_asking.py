"""A workflow that asks: who is at the device, what is answered, declined or not heard of, and that it is asked once."""

from __future__ import annotations

from typing import Any

import pytest

from storage.control.campaign_dispatch import Heard
from tests.portal.campaigns.scenes import COFFEE, asked, sit
from tests.portal.conftest import API, SECOND, House, Play
from tests.portal.workflows.scenes import begin, ready, stands, tick, uid, workflow

pytestmark = pytest.mark.slow
STEPS: list[dict[str, Any]] = [
    {
        "kind": "campaign", "id": "ask", "campaign": "#coffee", "parameters": {"name": "$path"}, "within": 3600,
        "on_failure": "no", "on_expiry": "quiet",
    },
    {
        "kind": "condition", "id": "which", "otherwise": "no",
        "compare": [{"value": "steps.ask.outputs.want", "operator": "is", "than": "yes"}],
    },
    {"kind": "stop", "id": "yes", "outcome": "action_taken"},
    {"kind": "stop", "id": "no", "details": "no"},
    {"kind": "stop", "id": "quiet", "outcome": "failed", "details": "quiet"},
]  # fmt: skip


async def coffee(house: House, steps: list[dict[str, Any]] = STEPS) -> Any:
    """Ann, a device with ada at it, the campaign and the workflow."""
    ann = await ready(house)
    await asked(house, await uid(ann, "pc-1"))
    saved = await ann.post(f"{API}/workflows", json=workflow(steps=steps))
    assert saved.status_code == 201, saved.text
    return ann


def hear(house: House, device: str, state: str, **answers: str) -> None:
    """What the person at a device says."""
    dispatch, now = house.portal.control.campaign_dispatch, house.time.now
    ask = dispatch.claim(device, [], now=now)
    assert ask is not None
    comments = {"why": "it is cold"} if answers else {}
    heard = Heard(state, "", {name: [answer] for name, answer in answers.items()}, comments)
    dispatch.take(ask.response, device, ask.attempt, ask.nonce, heard, now=now)


def test_what_is_answered_decides(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await coffee(house)
        device = await uid(ann, "pc-1")
        [one] = await begin(ann, device, parameters={"path": "ada"})
        await tick(house)
        assert (await stands(ann, one))["state"] == "in_progress", "nobody is there"
        sit(house, "u-1")
        house.time.now += 120 * SECOND
        await tick(house)
        said = await stands(ann, one)
        assert (said["state"], said["detail"]) == ("waiting", "step ask asks #coffee")
        await tick(house)
        sent = (await ann.get(f"{API}/campaigns/coffee/responses")).json()["responses"]
        assert [item["state"] for item in sent] == ["targeted"]
        hear(house, device, "answered", want="yes")
        await tick(house)
        said = await stands(ann, one)
        assert (said["outcome"], said["answers"]["ask"]) == (
            "action_taken", {"state": "answered", "outputs": {"want": "yes"}},
        )  # fmt: skip

    play(scene)


def test_declined_unheard_and_cancelled(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await coffee(house)
        device = await uid(ann, "pc-1")
        sit(house, "u-1")
        [one] = await begin(ann, device)
        await tick(house)
        [other] = await begin(ann, device)
        await tick(house)
        assert (await stands(ann, other))["state"] == "in_progress", "ada is asked the same already"
        hear(house, device, "declined")
        await tick(house)
        assert (await stands(ann, one))["outcome_detail"] == "no"
        house.time.now += 120 * SECOND
        await tick(house)
        assert (await stands(ann, other))["state"] == "waiting"
        await ann.post(f"{API}/workflow-executions/{other}/cancel", json={})
        sent = (await ann.get(f"{API}/campaigns/coffee/responses")).json()["responses"]
        assert sorted(item["state"] for item in sent) == ["declined", "expired"], "nobody is asked any more"
        [late] = await begin(ann, device)
        await tick(house)
        house.time.now += 3601 * SECOND
        house.portal.control.campaign_responses.tick(now=house.time.now)
        await tick(house)
        assert (await stands(ann, late))["outcome_detail"] == "quiet"
        house.portal.control.people_present.told(device, [], now=house.time.now)
        [alone] = await begin(ann, device)
        for _ in range(31):
            await tick(house)
            house.time.now += 120 * SECOND
        assert (await stands(ann, alone))["outcome_detail"] == "quiet"

    play(scene)


def test_what_cannot_be_asked(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await coffee(house)
        device = await uid(ann, "pc-1")
        ask = STEPS[0]
        tea, why = (
            [{"value": f"steps.ask.outputs.{name}", "operator": "is", "than": "yes"}] for name in ("tea", "why")
        )
        for steps, reason in (
            ([ask | {"campaign": "#tea"}, *STEPS[1:]], "no campaign #tea"),
            ([ask | {"parameters": {}}, *STEPS[1:]], "parameters"),
            ([ask, STEPS[1] | {"compare": tea}, *STEPS[2:]], "no question tea"),
            ([ask, STEPS[1] | {"compare": why}, *STEPS[2:]], "no question why with choices"),
        ):
            answer = await ann.post(f"{API}/workflows", json=workflow(nql_id="#bad", steps=steps))
            assert reason in answer.json()["error"]["message"]
        sit(house, "u-1")
        [one] = await begin(ann, device)
        await ann.post(f"{API}/campaigns", json=COFFEE | {"status": "retired"})
        await tick(house)
        said = await stands(ann, one)
        assert (said["outcome_detail"], said["answers"]["ask"]["state"]) == ("no", "failure")

    play(scene)
