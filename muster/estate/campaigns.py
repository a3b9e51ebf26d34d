"""What people were asked, and what they said: campaigns and the responses of each person.

In: the estate. Out: frames for `campaign.*`, and the campaigns as items to configure. Invariant: only who has answered
has answers, and who has a reason to be unhappy (the slow site, the bad version, an old machine) answers so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from muster.estate.dice import Dice, mix, word
from muster.estate.frames import Estate, bad_version
from muster.estate.population import FULL_SHARE, Device
from muster.estate.records import records
from muster.estate.rhythm import DAY, HOUR, MINUTE
from nql.catalog import configured
from storage.control.outcomes import texts

ENDS = (
    ("answered", 58.0),
    ("opened", 6.0),
    ("delivered", 6.0),
    ("targeted", 6.0),
    ("declined", 9.0),
    ("expired", 15.0),
)
DETAILS = {
    "declined": ("closed by the user", "put off too often"),
    "expired": ("not answered in time", "the device was off"),
}
SEEN = ("opened", "answered", "declined")
GROUPS: Mapping[str, Callable[[Device], bool]] = {
    "everybody": lambda person: True,
    "windows": lambda person: person.platform == "windows",
    "old_windows": lambda person: person.system.name.startswith("Windows 10"),
    "old_machine": lambda person: person.hardware.age >= 5,
    "slow_site": lambda person: person.place.boot > 2,
    "nearly_full": lambda person: person.free < FULL_SHARE,
    "bad_version": bad_version,
}
COMMENTS = {True: 0.6, False: 0.25}  # the share of answers with a comment, of the unhappy and the others
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign: whom of a group (`asked`) it goes to, and who of them is `unhappy`. `questions` have a name, a
    wording, weighted answers of either mood, and what people write beside them."""

    nql_id: str
    name: str
    status: str
    trigger: str
    asked: str
    share: float
    unhappy: str
    questions: tuple[Mapping[str, Any], ...]
    parameters: Mapping[str, list[str]] = field(default_factory=dict)


CAMPAIGNS = records("campaigns", Campaign)


def items() -> list[configured.Item]:
    """The campaigns as they are configured in a portal."""
    return [
        configured.Campaign(
            item.nql_id, {asked["name"]: asked["wording"] for asked in item.questions}, tuple(item.parameters)
        )
        for item in CAMPAIGNS
    ]


def campaigns(estate: Estate) -> pl.DataFrame:
    """Rows of `campaign.campaigns`."""
    rows = [(f"#{item.nql_id}", item.name, item.status, item.trigger) for item in CAMPAIGNS]
    return pl.DataFrame(rows, schema=["nql_id", "name", "status", "trigger_method"], orient="row")


def responses(estate: Estate) -> pl.DataFrame:
    """Rows of `campaign.responses`."""
    rows = [row for campaign in CAMPAIGNS for row in _sent(estate, campaign)]
    return pl.DataFrame(rows, infer_schema_length=None).sort("time", "@user", "@campaign")


def _sent(estate: Estate, campaign: Campaign) -> Iterator[Row]:
    request = Dice(word(estate.seed, campaign.nql_id)).uid("request")
    group = [person for person in estate.people if GROUPS[campaign.asked](person)] or list(estate.people[:1])
    for number, person in enumerate(group):
        dice = Dice(mix(person.state, word(estate.seed, campaign.nql_id)))
        if number and dice.share("asked") >= campaign.share:
            continue
        state = "answered" if number == 0 else dice.weighted("state", ENDS)
        targeted = estate.start + int(dice.share("at") * (estate.days - 0.5) * DAY)
        answers, comments = _said(campaign, person, dice) if state == "answered" else ({}, {})
        yield {
            "time": targeted + int(dice.between("after", 0.1, 11) * HOUR),
            "first_targeted": targeted,
            "first_displayed": targeted + MINUTE if state in SEEN else None,
            "@user": person.user.uid,
            "@device": person.uid,
            "@campaign": f"#{campaign.nql_id}",
            "state": state,
            "state_details": dice.pick("details", DETAILS.get(state, (None,))),
            "trigger_method": campaign.trigger,
            "request_id": request,
            "number_answered_questions": len(answers),
            "answers": texts(answers),
            "comments": texts(comments),
            "parameters": texts({name: dice.pick(name, held) for name, held in campaign.parameters.items()}),
        }


def _said(campaign: Campaign, person: Device, dice: Dice) -> tuple[dict[str, str], dict[str, str]]:
    """The answer to each question, and what was written beside some of them."""
    unhappy = GROUPS[campaign.unhappy](person)
    answers, comments = {}, {}
    for asked in campaign.questions:
        name = asked["name"]
        answers[name] = dice.weighted(f"answer {name}", asked["unhappy" if unhappy else "happy"])
        written = asked.get("complaint" if unhappy else "praise")
        if written and dice.share(f"comments {name}") < COMMENTS[unhappy]:
            comments[name] = dice.pick(f"comment {name}", written)
    return answers, comments
