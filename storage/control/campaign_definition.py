"""What a campaign is: the form of its definition, and its texts with the values of a request in place.

In: a definition decoded from JSON (msgspec checks shapes and bounds), values of parameters. Out: the questions as a
person reads them, or RefusedError with every problem found. Invariants: what scripts ask and what the portal sends are
of one form; `{name}` stands for a parameter and nothing else is filled in, once; a text that a portal sends is plain,
bounded, and holds no address that somebody could follow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from storage.control.errors import RefusedError

CampaignTrigger = Literal["api", "workflow", "remote_action"]
Label = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$(?!\n)")]
NqlId = Annotated[str, Meta(pattern=r"^#[a-z0-9_]{2,255}$(?!\n)")]
TITLE, TEXT, CHOICE = 255, 2000, 255  # characters, once the values are in place
VALUE = 1000  # characters of one value
MOST_PARAMETERS = 30
LINK = re.compile(r"://|\bwww\.|\bmailto:|\btel:", re.IGNORECASE)
_PLACE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]{0,63})\}")


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answer that may be chosen."""

    label: Label
    text: Annotated[str, Meta(min_length=1, max_length=CHOICE)]


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person is asked. `single` and `multiple` have choices, `text` and `rating` (1 to 5) have none."""

    label: Label
    text: Annotated[str, Meta(min_length=1, max_length=TEXT)]
    kind: Literal["single", "multiple", "text", "rating"] = "single"
    choices: Annotated[tuple[Choice, ...], Meta(max_length=20)] = ()


class Campaign(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Questions as they are put to somebody."""

    nql_id: NqlId
    title: Annotated[str, Meta(min_length=1, max_length=TITLE)]
    questions: Annotated[tuple[Question, ...], Meta(min_length=1, max_length=20)]


class CampaignDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A campaign as its author gives it. `parameters` are the names that `{name}` in its texts may say; a `retired`
    one is sent no more."""

    nql_id: NqlId
    name: Annotated[str, Meta(min_length=1, max_length=255)]
    title: Annotated[str, Meta(min_length=1, max_length=TITLE)]
    questions: Annotated[tuple[Question, ...], Meta(min_length=1, max_length=20)]
    description: Annotated[str, Meta(max_length=4096)] = ""
    status: Literal["published", "retired"] = "published"
    triggers: Annotated[tuple[CampaignTrigger, ...], Meta(max_length=3)] = ("api", "workflow")
    parameters: Annotated[tuple[Label, ...], Meta(max_length=MOST_PARAMETERS)] = ()

    @property
    def asked(self) -> Campaign:
        """The questions, with the names of parameters in them."""
        return Campaign(self.nql_id, self.title, self.questions)


def check(definition: CampaignDefinition) -> None:
    """Raise RefusedError with every problem that shapes and bounds alone do not show."""
    problems = [*twice("parameters", definition.parameters), *campaign_problems((definition.asked,))]
    for text in texts(definition.asked):
        problems += [
            f"a text says {{{name}}}, which is no parameter"
            for name in sorted(set(_PLACE.findall(text)) - set(definition.parameters))
        ]
    problems += sorted({problem for text in texts(definition.asked) for problem in _unfit(text)})
    if len(set(definition.triggers)) != len(definition.triggers):
        problems.append("a trigger is named twice")
    if problems:
        raise RefusedError("bad_campaign", "; ".join(problems))


def filled(definition: CampaignDefinition, values: Mapping[str, str]) -> Campaign:
    """The questions with the values in place. Raises RefusedError unless every parameter has a value, no other name
    has, and every text is still fit to be shown."""
    names = set(definition.parameters)
    problems = [f"the campaign has no parameter {name[:64]!r}" for name in sorted(set(values) - names)]
    problems += [f"the parameter {name} needs a value" for name in sorted(names - set(values))]
    problems += [
        f"the value of {name} has more than {VALUE} characters"
        for name, value in sorted(values.items())
        if name in names and len(value) > VALUE
    ]
    problems += [f"the value of {name}: {why}" for name in sorted(names & set(values)) for why in _unfit(values[name])]
    if problems:
        raise RefusedError("bad_parameters", "; ".join(problems))
    made = told(definition.asked, lambda text: _PLACE.sub(lambda found: values[found[1]], text))
    if any(len(text) > most for text, most in _measured(made)):
        raise RefusedError("bad_parameters", "with these values a text of the campaign is too long to be shown")
    if problems := sorted({why for text in texts(made) for why in _unfit(text)}):
        raise RefusedError("bad_parameters", "; ".join(problems))
    return made


def told(campaign: Campaign, change: Callable[[str], str]) -> Campaign:
    """A campaign with every text changed."""
    questions = [
        Question(
            item.label,
            change(item.text),
            item.kind,
            tuple(Choice(one.label, change(one.text)) for one in item.choices),
        )
        for item in campaign.questions
    ]
    return Campaign(campaign.nql_id, change(campaign.title), tuple(questions))


def texts(campaign: Campaign) -> list[str]:
    """What a person reads of it."""
    return [text for text, _ in _measured(campaign)]


def _measured(campaign: Campaign) -> Iterator[tuple[str, int]]:
    yield campaign.title, TITLE
    for item in campaign.questions:
        yield item.text, TEXT
        yield from ((one.text, CHOICE) for one in item.choices)


def _unfit(text: str) -> Iterator[str]:
    """What keeps a text from being sent to people."""
    if LINK.search(text):
        yield "a text holds an address (a link), which campaigns do not show"
    if any(not sign.isprintable() and sign != "\n" for sign in text):
        yield "a text holds control characters"


def campaign_problems(campaigns: tuple[Campaign, ...]) -> Iterator[str]:
    """What shapes and bounds of campaigns alone do not show."""
    yield from twice("campaigns", [campaign.nql_id for campaign in campaigns])
    for campaign in campaigns:
        where = f"in campaign {campaign.nql_id}"
        if any("\0" in text for text in texts(campaign)):
            yield f"{where} a text holds a NUL character"
        for problem in twice("questions", [question.label for question in campaign.questions]):
            yield f"{where} {problem}"
        for question in campaign.questions:
            for problem in twice("choices", [choice.label for choice in question.choices]):
                yield f"{where} {problem} in question {question.label}"
            if (question.kind in ("single", "multiple")) != bool(question.choices):
                needs = "needs choices" if not question.choices else "takes no choices"
                yield f"{where} question {question.label} of kind {question.kind} {needs}"


def twice(kind: str, names: Sequence[str]) -> Iterator[str]:
    """What is named more than once, without regard to case."""
    folded = [name.lower() for name in names]
    for name in sorted({name for name in folded if folded.count(name) > 1}):
        yield f"two {kind} are called {name}"
