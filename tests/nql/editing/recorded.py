"""The queries that stand in the logic records and in the tables of codes, functions and extensions.

In: nothing. Out: their texts, right and wrong ones. Invariant: read once, from the files as they are.
"""

from __future__ import annotations

from pathlib import Path

from nql.codes import CODES
from nql.diagnostics import QueryError
from nql.extensions import EXTENSIONS
from nql.functions import FUNCTIONS
from nql.syntax.parse import parse
from tests.logic.records import parse as records

LOGIC = Path(__file__).parents[2] / "logic"


def _recorded() -> list[str]:
    texts = [path.read_text("utf-8") for path in sorted(LOGIC.rglob("*.nqltest"))]
    return [record.query for text in texts if "\n===" in text for record in records(text) if len(record.query) < 2000]


def readable(texts: list[str]) -> list[str]:
    """The texts that can be read."""
    found = []
    for text in texts:
        try:
            parse(text)
        except QueryError:
            continue
        found.append(text)
    return found


RECORDED = _recorded()
EXAMPLES = [text for code in CODES.values() for text in (code.right, code.wrong) if text]
EXAMPLES += [item.example for item in EXTENSIONS.values()] + [item.example for item in FUNCTIONS.values()]
