"""Campaigns in the control database: what is defined, who is asked, where, and what counts of what devices say.

Comes in: definitions, people at devices, reports. Goes out: responses, and rows for the tables. Invariant: whatever a
device says again or too late, a response ends once.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from nql.catalog.configured import Campaign
from storage.control.api import Control
from storage.control.campaign_definition import CampaignDefinition
from storage.control.campaign_dispatch import GRACE, LATER, SOON, TURN, Ask, Heard
from storage.control.campaign_responses import Addressee, NewRequest, Response
from storage.control.dispatch import Recorded
from storage.control.errors import NotFoundError, RefusedError
from storage.control.presence import Move
from tests.storage.control.conftest import HOUR, NOW

PC, LAPTOP = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
ADA, BOB = f"{PC}:1000", "bob@corp"
YES = {"label": "yes", "text": "Yes, {name}"}


def definition(**changes: object) -> CampaignDefinition:
    whole = {
        "nql_id": "#coffee",
        "name": "Coffee",
        "title": "Coffee for {name}?",
        "questions": [
            {"label": "want", "text": "Want {some}?", "choices": [YES, {"label": "no", "text": "No"}]},
            {"label": "why", "text": "Why?", "kind": "text"},
        ],
        "parameters": ["name", "some"],
    }
    return msgspec.convert({**whole, **changes}, CampaignDefinition)


def sent(control: Control, *people: str, now: int = NOW, **changes: Any) -> list[Response | None]:
    control.campaigns.save(definition(), by="account:ann", now=NOW)
    values = {"campaign": "#coffee", "parameters": {"name": "Ada", "some": "coffee"}, "requested_by": "ann"}
    request = NewRequest(**{**values, "expires_at": now + 10 * HOUR, **changes})
    return control.campaign_responses.send(request, [Addressee(one, f"S-{one}") for one in people], now=now)


def asked(control: Control, person: str = ADA, device: str = PC, *, now: int = NOW) -> tuple[Response, Ask]:
    """A response that its device has."""
    [response] = sent(control, person, now=now)
    control.people_present.told(device, [person], now=now)
    ask = control.campaign_dispatch.claim(device, [], now=now)
    assert response is not None
    assert ask is not None
    return response, ask


def take(control: Control, ask: Ask, state: str, detail: str = "", *, now: int = NOW, **said: Any) -> Recorded:
    heard = Heard(state, detail, **said)
    return control.campaign_dispatch.take(ask.response, ask.device, ask.attempt, ask.nonce, heard, now=now)


def test_a_definition_is_kept_by_version_and_configures_the_catalog(control: Control) -> None:
    first = control.campaigns.save(definition(), by="account:ann", now=NOW)
    again = control.campaigns.save(definition(), by="account:bob", now=NOW + 1)
    assert (again.number, again.updated_by) == (1, "account:ann")
    second = control.campaigns.save(definition(status="retired"), by="account:bob", now=NOW + 2)
    assert (second.number, second.definition.status, second.version == first.version) == (2, "retired", False)
    assert control.configured.everything() == [
        Campaign("coffee", {"want": "Want {some}?", "why": "Why?"}, ("name", "some"))
    ]
    rows = [message.row for message in control.outbox.after(0) if message.table == "campaign.campaigns"]
    assert [row["status"] for row in rows] == ["published", "retired"]
    with pytest.raises(NotFoundError):
        control.campaigns.campaign("#tea")
    with pytest.raises(RefusedError, match="retired"):
        control.campaign_responses.send(NewRequest("#coffee", {}, NOW + HOUR, "ann"), [Addressee(ADA, "a")], now=NOW)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"title": "See https://corp.example"}, "holds an address"),
        ({"title": "See WWW.corp.example"}, "holds an address"),
        ({"title": "Hi\x1b[2J"}, "control characters"),
        ({"title": "Hi {nobody}"}, "{nobody}, which is no parameter"),
        ({"parameters": ["name", "some", "NAME"]}, "two parameters are called name"),
        ({"triggers": ["api", "api"]}, "a trigger is named twice"),
        ({"questions": [{"label": "a", "text": "A?"}]}, "needs choices"),
    ],
)
def test_what_no_definition_may_say(control: Control, changes: dict[str, object], said: str) -> None:
    with pytest.raises(RefusedError, match=said.replace("{", r"\{").replace("}", r"\}")):
        control.campaigns.save(definition(**changes), by="account:ann", now=NOW)
    assert control.campaigns.everything() == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"name": "Ada"}, "the parameter some needs a value"),
        ({"name": "Ada", "some": "x", "more": "y"}, "has no parameter 'more'"),
        ({"name": "http://x", "some": "x"}, "the value of name: a text holds an address"),
        ({"name": "a\x07", "some": "x"}, "control characters"),
        ({"name": "x" * 1001, "some": "x"}, "more than 1000 characters"),
        ({"name": "x" * 250, "some": "x"}, "too long to be shown"),
    ],
)
def test_what_no_value_may_be(control: Control, values: dict[str, str], said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        sent(control, ADA, parameters=values)
    assert control.campaign_responses.latest() == []


def test_who_is_asked_already_is_not_asked_again(control: Control) -> None:
    first = sent(control, ADA, BOB, ADA)
    assert first[0] == first[2]
    assert [response is None for response in sent(control, BOB)] == [True]
    third = sent(control, BOB, "new@corp")
    assert [response is None for response in third] == [True, False]
    for bad in (NOW, NOW + 525_600 * 60_000_000 + 1):
        with pytest.raises(RefusedError, match="minutes from now"):
            sent(control, "x", expires_at=bad)
    with pytest.raises(RefusedError, match="does not have the trigger"):
        sent(control, "x", trigger_method="remote_action")
    with pytest.raises(RefusedError, match="nobody"):
        sent(control)
    with pytest.raises(RefusedError, match="10000 people"):
        sent(control, *(str(number) for number in range(10_001)))


def test_a_question_is_shown_and_answered(control: Control) -> None:
    response, ask = asked(control)
    assert (ask.person, ask.attempt, ask.expires_at) == (ADA, 1, NOW + TURN)
    content = msgspec.json.decode(ask.content)
    assert (content["title"], content["questions"][0]["text"]) == ("Coffee for Ada?", "Want coffee?")
    assert content["questions"][0]["choices"][0]["text"] == "Yes, Ada"
    assert control.campaign_responses.response(response.id).state == "delivered"
    assert control.campaign_dispatch.claim(PC, [(ask.response, 1)], now=NOW) is None
    assert take(control, ask, "opened", now=NOW + 1) is Recorded.ACCEPTED
    assert take(control, ask, "opened", now=NOW + 2) is Recorded.DUPLICATE
    said: dict[str, Any] = {"answers": {"want": ["yes"]}, "comments": {"why": "thirst\0"}}
    assert take(control, ask, "answered", now=NOW + 3, **said) is Recorded.ACCEPTED
    assert take(control, ask, "answered", now=NOW + 4, **said) is Recorded.DUPLICATE
    assert take(control, ask, "declined", now=NOW + 4) is Recorded.STALE
    ended = control.campaign_responses.response(response.id)
    assert (ended.state, ended.detail, ended.answers, ended.comments) == (
        "answered", "fully", {"want": "yes"}, {"why": "thirst"}
    )  # fmt: skip
    assert (ended.shown_at, ended.changed_at, ended.over) == (NOW + 1, NOW + 3, True)
    [row] = control.campaign_responses.rows_after(0)
    assert (row["@user"], row["@device"], row["@campaign"], row["state"]) == (ADA, PC, "#coffee", "answered")
    assert row["answers"] == [{"name": "want", "text": "yes"}]
    assert (row["request_id"], row["number_answered_questions"]) == (response.id, 2)
    assert control.campaign_responses.counts() == {"#coffee": {"answered": 1}}
    assert sent(control, ADA, now=NOW + HOUR) != [None]


def test_who_puts_it_off_is_asked_later_and_who_cannot_be_asked_soon(control: Control) -> None:
    response, ask = asked(control)
    take(control, ask, "opened")
    assert take(control, ask, "unanswered", "postponed") is Recorded.ACCEPTED
    assert take(control, ask, "unanswered", "postponed") is Recorded.DUPLICATE
    assert control.campaign_dispatch.claim(PC, [], now=NOW + LATER - 1) is None
    assert not control.campaign_dispatch.is_waited_for(PC, now=NOW + LATER - 1)
    assert control.campaign_dispatch.waiting_devices(now=NOW + LATER) == {PC}
    second = control.campaign_dispatch.claim(PC, [], now=NOW + LATER)
    assert second is not None
    assert (second.response, second.attempt) == (response.id, 2)
    assert take(control, ask, "answered", now=NOW + LATER) is Recorded.STALE
    take(control, second, "unanswered", "the screen is locked", now=NOW + LATER)
    known = control.campaign_responses.response(response.id)
    assert (known.state, known.detail) == ("opened", "the screen is locked")
    third = control.campaign_dispatch.claim(PC, [], now=NOW + LATER + SOON)
    assert third is not None
    assert take(control, third, "declined", now=NOW + LATER + SOON) is Recorded.ACCEPTED
    assert [row["state"] for row in control.campaign_responses.rows_after(0)] == ["declined"]


def test_a_question_that_a_device_lost_comes_again_at_once(control: Control) -> None:
    _, ask = asked(control)
    take(control, ask, "opened")
    again = control.campaign_dispatch.claim(PC, [], now=NOW + 1)
    assert again is not None
    assert again.attempt == 2


def test_a_person_is_asked_where_he_came_last(control: Control) -> None:
    sent(control, BOB)
    control.people_present.told(PC, [BOB], now=NOW)
    control.people_present.told(LAPTOP, [BOB], now=NOW + 1)
    control.presence.write([Move(PC, NOW), Move(LAPTOP, NOW)], now=NOW)
    assert control.people_present.devices_of([BOB]) == {PC, LAPTOP}
    assert not control.campaign_dispatch.is_waited_for(PC, now=NOW)
    assert control.campaign_dispatch.claim(PC, [], now=NOW) is None
    ask = control.campaign_dispatch.claim(LAPTOP, [], now=NOW)
    assert ask is not None
    control.presence.write([Move(LAPTOP, NOW + 2, "left")], now=NOW + 2)
    assert control.campaign_dispatch.claim(PC, [], now=NOW + 2) is None  # the other one may still show it
    assert control.campaign_dispatch.waiting_devices(now=NOW + TURN + GRACE) == {PC, LAPTOP}
    elsewhere = control.campaign_dispatch.claim(PC, [], now=NOW + TURN + GRACE)
    assert elsewhere is not None
    with pytest.raises(RefusedError, match="never handed"):
        control.campaign_dispatch.take(ask.response, PC, 3, "no", Heard("answered"), now=NOW)
    control.people_present.told(PC, [], now=NOW + 3)
    assert control.people_present.devices_of([BOB]) == {LAPTOP}


def test_a_device_does_not_draw_what_is_for_somebody_at_another_one(control: Control) -> None:
    sent(control, ADA)
    assert not control.people_present.told(LAPTOP, [ADA], now=NOW)
    assert control.campaign_dispatch.claim(LAPTOP, [], now=NOW) is None


def test_what_expires_and_what_is_cancelled(control: Control) -> None:
    response, ask = asked(control)
    [other] = sent(control, BOB)
    assert other is not None
    assert control.campaign_responses.cancel(response.id, by="account:ann", now=NOW + 1).detail == "cancelled"
    held = [(ask.response, ask.attempt)]
    assert [one.nonce for one in control.campaign_dispatch.withdrawn(PC, held)] == [ask.nonce]
    assert PC in control.campaign_dispatch.waiting_devices(now=NOW + 1)
    assert take(control, ask, "unanswered", "timeout", now=NOW + 2) is Recorded.STALE
    assert control.campaign_dispatch.withdrawn(PC, held) == []
    assert control.campaign_responses.tick(now=NOW + 10 * HOUR - 1) == 0
    assert control.campaign_responses.tick(now=NOW + 10 * HOUR) == 1
    assert control.campaign_responses.response(other.id).state == "expired"
    assert len(control.campaign_responses.rows_after(0)) == 2
    assert control.campaign_responses.cancel(other.id, by="account:ann", now=NOW + 11 * HOUR).detail is None
    with pytest.raises(NotFoundError):
        control.campaign_responses.cancel("none", by="account:ann", now=NOW)


def test_an_answer_counts_while_the_device_lets_go(control: Control) -> None:
    response, ask = asked(control, now=NOW)
    end = NOW + 10 * HOUR
    take(control, ask, "unanswered", "timeout", now=NOW + TURN)
    last = control.campaign_dispatch.claim(PC, [], now=end - 1)
    assert last is not None
    assert last.expires_at == end
    assert control.campaign_responses.tick(now=end) == 0
    assert take(control, last, "answered", now=end + 1, answers={"want": ["no"]}) is Recorded.ACCEPTED
    assert control.campaign_responses.response(response.id).answers == {"want": "no"}
