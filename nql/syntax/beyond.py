"""Finds in a text what can be read here and not in NQL itself: the extensions that show in the words alone.

In: a text. Out: names of `nql.extensions` with their places, in text order. Those that show only in the meaning (a
function NQL lacks, a second summarize) are found by `nql.semantics`. Asked only under strict rules, so it reads the
text once more rather than make every reading keep account.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from nql.diagnostics import Span
from nql.syntax.operators import comparison
from nql.syntax.parse import terminals

_WORDS = {
    "LET": "let", "NOT": "not", "SHIFT": "shift", "FILL": "fill", "LATEST": "latest", "OFFSET": "offset",
    "DISTINCT": "distinct",
}  # fmt: skip
_OPERATORS = {
    "is": "is_null", "is not": "is_null", "matches": "matches", "like": "like", "between": "between",
    "starts with": "starts_with", "ends with": "starts_with",
}  # fmt: skip
_CLOSING = frozenset({"RPAR", "RSQB", "_PIPE", "BY", "FILL", ""})
_ISO = re.compile(r"\d[tT]\d|[zZ]$|[+-]\d\d:\d\d$")
_COMMENTS = re.compile(r"/\*(?:[^*]|\*(?!/))*\*/|(//[^\r\n]*)")
_SPACES = re.compile(r"\s+")


def beyond(text: str) -> Iterator[tuple[str, Span]]:
    """Each use of an extension."""
    found = terminals(text)
    end = 0
    for (terminal, span), (following, _) in pairwise([*found, ("", Span(len(text), len(text)))]):
        yield from _comments(text, end, span.start)
        end = span.end
        name = _name(terminal, text[span.start : span.end], following)
        if name is not None:
            yield name, span
    yield from _comments(text, end, len(text))


def _name(terminal: str, written: str, following: str) -> str | None:
    match terminal:
        case "COMMA" if following in _CLOSING:
            return "trailing_comma"
        case "DATE" if _ISO.search(written):
            return "iso_time"
        case "OPERATOR":
            folded = _SPACES.sub("", written).lower()
            return _OPERATORS.get(comparison(folded).lstrip("!")) or ("not" if folded.startswith("not") else None)
        case _:
            return _WORDS.get(terminal)


def _comments(text: str, start: int, end: int) -> Iterator[tuple[str, Span]]:
    for found in _COMMENTS.finditer(text, start, end):
        if found[1] is not None:
            yield "comment", Span(found.start(), found.end())
