"""The page of what the language has beyond NQL.

In: `nql.extensions`. Out: one page, each extension with an example, its answer, and what NQL says instead. Invariant:
what is said of each under `strict=nexthink` is what the language says when the page is made.
"""

from __future__ import annotations

from muster.reference.estate import Answers
from muster.reference.manuscript import ran
from muster.reference.markdown import block, link, table
from nql.api import diagnose
from nql.diagnostics import render
from nql.extensions import EXTENSIONS, Extension
from nql.rules import STRICT

ROWS = "4"
INTRO = """\
# Extensions

Muster takes every query that NQL takes, and more. Everything beyond NQL is on this page and marked as *ours* elsewhere.
No extension changes the meaning of a query that does without it.

`strict=nexthink` turns all of it off, for queries that Nexthink itself is to take: in `muster nql check --strict
nexthink` and in the field `strict` of the API. What is refused then has the code NQL510, names the extension and says
how NQL writes it."""


def page(answers: Answers) -> str:
    """The page."""
    rows = [(link(item.title, "", item.name), item.doc, item.instead) for item in EXTENSIONS.values()]
    return (
        "\n\n".join(
            [INTRO, table(("extension", "does", "in NQL"), rows), *(_one(e, answers) for e in EXTENSIONS.values())]
        )
        + "\n"
    )


def _one(item: Extension, answers: Answers) -> str:
    words = ["check"] if "$" in item.example else [ROWS]  # a parameter has no value here
    body = ran(item.example, words, answers)
    refused = block(render(item.example, diagnose(item.example, answers.catalog, STRICT)), "text")
    return f"## {item.name}\n\n**{item.title}.** {item.doc}\n\n{body}\n\nUnder `strict=nexthink`:\n\n{refused}"
