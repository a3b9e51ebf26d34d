"""The page of decisions: where the documents of NQL leave open what a query means, and what it means here.

In: `nql.decisions`. Out: one page, each decision with an example that ran. Invariant: nothing is decided here.
"""

from __future__ import annotations

from muster.reference.estate import Answers
from muster.reference.manuscript import ran
from muster.reference.markdown import code, link, table
from nql.decisions import DECISIONS, Decision

RECORDS = "../../tests/logic/decisions"
ROWS = "4"
INTRO = """\
# Decisions

The public documents of NQL do not say what every query means. These are the open points, what was decided, and where
records of the tests hold it. Two of them have a [switch](README.md). Where the decision is another than the one that
was recommended when the points were collected, the reason stands with it."""


def page(answers: Answers) -> str:
    """The page."""
    rows = [(link(item.id, "", _heading(item)), item.title, item.decision) for item in DECISIONS.values()]
    overview = table(("", "point", "decision"), rows)
    return "\n\n".join([INTRO, overview, *(_one(item, answers) for item in DECISIONS.values())]) + "\n"


def _one(item: Decision, answers: Answers) -> str:
    parts = [f"## {_heading(item)}", item.question, f"**{item.decision}**"]
    if item.switch:
        parts.append(f"Switch: {item.switch}.")
    if item.otherwise:
        parts.append(item.otherwise)
    if item.example:
        parts.append(ran(item.example, [ROWS], answers))
    file = f"{item.records}.nqltest"
    parts.append(f"Records: {link(code(file), f'{RECORDS}/{file}')}, titles that begin with {item.id}.")
    return "\n\n".join(parts)


def _heading(item: Decision) -> str:
    return f"{item.id} {item.title}"
