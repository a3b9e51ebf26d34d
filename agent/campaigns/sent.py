"""Questions that the portal sends: may they come before their person, and what was said then.

In: questions as they came, the device's trust, the portal's time. Out: an `Asked` that may be shown, or why it is not,
or that it is to be ignored because the portal we pinned never said it. Invariants: a portal in wrong hands can show a
short plain text under its own name and hear what somebody answers to that, and nothing else: no address to follow, no
control characters, nothing that stays longer than `LONGEST`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from agent import statements, wire
from agent.campaigns.questions import LONGEST, Campaign, Reply
from agent.identity import verify
from agent.orders import Foreign, Trust

SECOND = 1_000_000
STOPPED = "the agent stopped while the question was on the screen"
LINK = re.compile(r"://|\bwww\.|\bmailto:|\btel:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """Questions for a person, by key, until `expires_at`."""

    response: str
    attempt: int
    nonce: str
    person: str
    expires_at: int
    campaign: Campaign

    @property
    def key(self) -> tuple[str, int]:
        """What it is known by."""
        return self.response, self.attempt


@dataclass(frozen=True, slots=True)
class Unfit:
    """The questions are the portal's, but are not shown, and why."""

    detail: str


def examine(told: wire.Questions, trust: Trust, portal_now: int) -> Asked | Unfit | Foreign:
    """Decide about questions. `portal_now` is the portal's time, as far as the device knows it."""
    if told.device != trust.device:
        return Foreign("the questions are for another device")
    if not verify(trust.portal_key, told.signature, statements.questions_bytes(told)):
        return Foreign("the questions are not signed by the pinned portal key")
    if portal_now >= told.expires_at:
        return Unfit("the questions expired before this device could show them")
    try:
        campaign = msgspec.json.decode(bytes(told.content), type=Campaign)
    except msgspec.MsgspecError as error:
        return Unfit(f"this version of the agent cannot read the questions: {error}"[:1000])
    if reason := _unfit(campaign):
        return Unfit(reason)
    until = min(told.expires_at, portal_now + LONGEST * SECOND)
    return Asked(told.response, told.attempt, told.nonce, told.person, until, campaign)


def replied(reply: Reply, time: int) -> tuple[wire.Reaction, wire.Replied]:
    """What the portal hears of a reply, at an instant of its time."""
    match reply.status:
        case "fully":
            answers = {label: list(given) for label, given in reply.answers.items()}
            return "answered", wire.Replied(time, "", answers, dict(reply.comments))
        case "declined":
            return "declined", wire.Replied(time)
        case "notificationfailed" | "connectionfailed":
            return "unanswered", wire.Replied(time, reply.detail[:1000] or reply.status)
        case status:
            return "unanswered", wire.Replied(time, status)


def _unfit(campaign: Campaign) -> str:
    if not campaign.questions:
        return "there is no question in it"
    texts = [campaign.title]
    for question in campaign.questions:
        texts += [question.text, *(choice.text for choice in question.choices)]
        if not question.offered and question.kind != "text":
            return "a question offers no choices"
    if any(LINK.search(text) for text in texts):
        return "a text of the questions holds an address"
    if any(not sign.isprintable() and sign != "\n" for text in texts for sign in text):
        return "a text of the questions holds control characters"
    return ""
