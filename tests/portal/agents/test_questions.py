"""Questions of the portal on the wire: to the device at which their person sits, and what counts of what it says.

Comes in: a portal, devices made by hand. Goes out: nothing. Invariant: what another device says of a question, or with
another key, changes nothing.
"""

from __future__ import annotations

import msgspec
import pytest

from agent import statements, wire
from agent.identity import verify
from storage.control.campaign_responses import Response
from tests.portal.agents.device import Device, enrolled
from tests.portal.campaigns.scenes import VALUES, asked
from tests.portal.conftest import API, House, Play

pytestmark = pytest.mark.slow


async def pull(device: Device, *people: str, held: tuple[tuple[str, int], ...] = ()) -> wire.Work:
    """What a device gets that says who is logged in there."""
    said = wire.Pull(2, [wire.Held(*one) for one in held], "0.1.0", people=list(people))
    answer = await device.send(wire.WORK, wire.encode(said))
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=wire.Work)


async def tell(device: Device, about: wire.Questions, stands: wire.Reaction, replied: wire.Replied) -> str:
    """The verdict on a report."""
    raw = wire.encode(replied)
    said = statements.report_bytes(about.response, device.told.device, about.attempt, about.nonce, stands, raw)
    report = wire.Report(about.response, about.attempt, about.nonce, stands, msgspec.Raw(raw), device.key.sign(said))
    [verdict] = await device.tell(report)
    return verdict


def test_a_question_on_the_wire(play: Play) -> None:
    async def scene(house: House) -> None:
        one, other = await enrolled(house, "one"), await enrolled(house, "other")
        await house.settle()
        ann = await asked(house)
        sent = await ann.post(f"{API}/campaigns/coffee/send", json={"users": ["ada"], "parameters": VALUES})
        [identifier] = [item["response"] for item in sent.json()["sent"]]

        def stands() -> Response:
            return house.portal.control.campaign_responses.response(identifier)

        assert (await pull(other)).questions == []
        work = await pull(one, "u-1", f"{other.told.device}:0")
        [told] = work.questions
        assert (told.response, told.person, work.more) == (identifier, "u-1", True)
        assert verify(one.told.portal_key, told.signature, statements.questions_bytes(told))
        assert house.portal.control.people_present.at([one.told.device]) == {one.told.device: ["u-1"]}
        assert (await pull(one, "u-1", held=((identifier, 1),))).questions == []

        now, answers = house.time.now, {"want": ["yes"]}
        assert await tell(other, told, "answered", wire.Replied(now, "", answers)) == "refused"
        forged = msgspec.structs.replace(told, nonce="another")
        assert await tell(one, forged, "answered", wire.Replied(now, "", answers)) == "refused"
        assert stands().state == "delivered"
        assert await tell(one, told, "opened", wire.Replied(now)) == "accepted"
        await ann.post(f"{API}/campaign-responses/{identifier}/cancel")
        [cancel] = (await pull(one, "u-1", held=((identifier, 1),))).cancels
        assert (cancel.run, cancel.attempt) == (identifier, 1)
        said = statements.cancel_bytes(identifier, one.told.device, 1, told.nonce)
        assert verify(one.told.portal_key, cancel.signature, said)
        assert await tell(one, told, "unanswered", wire.Replied(now, "timeout")) == "stale"
        assert (await pull(one, "u-1")).cancels == []
        assert (stands().state, stands().detail) == ("expired", "cancelled")

    play(scene)
