"""What a campaign asks, and what came of asking: plain values, with their bounds.

In: the `campaigns` of an action's content, or one that the portal sent; what somebody chose. Out: a `Reply` for who
asked. Invariants: answers are labels of choices that were offered, or a rating; a text that a person wrote is never
among them; whatever was not answered in full has no answers at all. It does not decide where answers go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, Struct

Status = Literal["fully", "timeout", "postponed", "declined", "connectionfailed", "notificationfailed"]
STATUSES: tuple[Status, ...] = get_args(Status)
RATINGS = ("1", "2", "3", "4", "5")
LONGEST = 24 * 3600  # seconds that a question waits, and that all questions of one run together keep its time still
USUAL = 3600  # seconds that a question waits for which the script says no time
MOST_QUESTIONS = 20  # that one run may ask
MOST_BYTES = 1 << 20  # of any message about a question: the largest campaign fits in any script of the world
MOST_WRITTEN = 2000  # characters of what somebody writes
Label = Annotated[str, Meta(min_length=1, max_length=255)]
Comment = Annotated[str, Meta(max_length=MOST_WRITTEN)]


class Choice(Struct, frozen=True):
    """An answer that may be chosen."""

    label: Label
    text: Annotated[str, Meta(max_length=255)]


class Question(Struct, frozen=True):
    """What a person is asked. `single` and `multiple` have choices, `text` and `rating` (1 to 5) have none."""

    label: Label
    text: Annotated[str, Meta(max_length=2000)]
    kind: Literal["single", "multiple", "text", "rating"] = "single"
    choices: Annotated[tuple[Choice, ...], Meta(max_length=20)] = ()

    @property
    def offered(self) -> tuple[str, ...]:
        """The labels that an answer may be."""
        return RATINGS if self.kind == "rating" else tuple(choice.label for choice in self.choices)


class Campaign(Struct, frozen=True):
    """Questions that a script may put to whoever is logged in."""

    nql_id: Label
    title: Annotated[str, Meta(max_length=255)]
    questions: Annotated[tuple[Question, ...], Meta(max_length=20)]


class Sheet(Struct, frozen=True):
    """A campaign as it comes before a person: with who asks, and for which action. Where there is none the portal
    itself asks, and is told what somebody writes, too."""

    campaign: Campaign
    asker: str
    action: str

    @property
    def kept(self) -> bool:
        """Whether what somebody writes stays here."""
        return bool(self.action)

    @property
    def says(self) -> str:
        """Who asks, in a line."""
        return f"{self.asker} asks · {self.action}" if self.action else f"{self.asker} asks"


class Answered(Struct, frozen=True):
    """What a person did with a sheet: the labels chosen and the texts written by question, or why there are none."""

    status: Literal["fully", "postponed", "declined", "notificationfailed"]
    answers: Annotated[dict[Label, Annotated[list[Label], Meta(max_length=20)]], Meta(max_length=20)] = msgspec.field(
        default_factory=dict
    )
    detail: Annotated[str, Meta(max_length=1024)] = ""
    comments: Annotated[dict[Label, Comment], Meta(max_length=20)] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """What who asked hears. `detail` is for a log and says nothing of an answer; `person` is the account that was
    asked; `comments` are what was written, which no script is told."""

    status: Status
    detail: str = ""
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    person: str = ""
    comments: Mapping[str, str] = field(default_factory=dict, repr=False)


def problem(campaign: Campaign, answers: Mapping[str, Any]) -> str:
    """What keeps these answers from being full ones; empty if nothing does."""
    for question in campaign.questions:
        if question.kind == "text":
            continue
        given = answers.get(question.label) or ()
        if not given or (question.kind != "multiple" and len(given) != 1):
            return f"the question {question.text!r} needs {'an' if question.kind == 'multiple' else 'one'} answer"
        if len(set(given)) != len(given) or not set(given) <= set(question.offered):
            return f"the question {question.text!r} was answered with something that it does not offer"
    return ""


def reply(campaign: Campaign, answered: Answered) -> Reply:
    """What the script hears of what a person did."""
    if answered.status != "fully":
        return Reply(answered.status, answered.detail)
    if wrong := problem(campaign, answered.answers):
        return Reply("notificationfailed", f"the answers cannot be used: {wrong}"[:1000])
    texts = {question.label for question in campaign.questions if question.kind == "text"}
    chosen = {question.label for question in campaign.questions} - texts
    answers = {label: tuple(given) for label, given in answered.answers.items() if label in chosen}
    return Reply(
        "fully", "", answers, comments={label: text for label, text in answered.comments.items() if label in texts}
    )
