"""Values as written: the text of one token becomes the node that says the same.

In: token texts that have the right shape already (the grammar's terminals). Out: nodes of `nql.syntax.ast`.
Invariant: a shape that fits always gives a node, even a date with month 13 or a number with an unknown unit; whether
the value makes sense is judged in `nql.semantics`, which can then report all such mistakes of a text at once.
"""

from __future__ import annotations

import re

from nql.diagnostics import NOWHERE, Span
from nql.syntax.ast import Constant, Date, Number, Path

CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_GAP = re.compile(r"(?:\s|/\*(?:[^*]|\*(?!/))*\*/|//[^\r\n]*)+")
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)\s*(\w*)")
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_NAMED = re.compile(r"([a-z]+)\.?\s+(\d{1,2})(?!\w)(?:\s*,?\s*(\d{4})(?![\w:]))?", re.IGNORECASE)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([ap]m)?(z|[+-]\d{2}:\d{2})?", re.IGNORECASE)
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip


def path_or_constant(text: str, span: Span) -> Path | Constant:
    """A path without the space around its dots; or `true`, `false`, `null`."""
    if len(text) <= 5 and (folded := text.lower()) in CONSTANTS:
        return Constant(CONSTANTS[folded], span)
    return Path(path_text(text), span)


def path_text(text: str) -> str:
    """A path without space or comments around its dots."""
    return text if text.isidentifier() or not _GAP.search(text) else _GAP.sub("", text)


def number(text: str, span: Span) -> Number:
    """A number with its unit in lower case."""
    found = _NUMBER.match(text)
    assert found is not None
    digits, unit = found.groups()
    return Number(float(digits) if "." in digits else int(digits[:400]), unit.lower(), span)


def written_date(text: str) -> Date | None:
    """A date if the whole text is one."""
    found = _ISO.match(text) or _NAMED.match(text)
    rest = text[found.end() :].strip() if found else "?"
    if rest and not _CLOCK.fullmatch(rest.lstrip(",tT ")):
        return None
    return date(text, NOWHERE)


def date(text: str, span: Span) -> Date:
    """A date in one of the written forms. Months that do not exist are given as 0."""
    year: int | None
    if found := _ISO.match(text):
        year, month, day = int(found[1]), int(found[2]), int(found[3])
    else:
        found = _NAMED.match(text)
        assert found is not None
        year, month, day = int(found[3]) if found[3] else None, _month(found[1]), int(found[2])
    clock = _CLOCK.search(text, found.end())
    if clock is None:
        return Date(year, month, day, span=span)
    hour, minute, second = int(clock[1]), int(clock[2]), int(clock[3] or 0)
    if clock[4]:
        hour = hour % 12 + (12 if clock[4].lower() == "pm" else 0) if 1 <= hour <= 12 else 99
    return Date(year, month, day, hour, minute, second, _zone(clock[5]), span)


def _zone(written: str | None) -> int | None:
    """`Z` or `+01:00` as minutes ahead of UTC. Ones that no clock has are given as the end of the day."""
    if written is None:
        return None
    if written in "zZ":
        return 0
    hours, minutes = int(written[1:3]), int(written[4:6])
    ahead = hours * 60 + minutes if hours <= 14 and minutes < 60 else 24 * 60
    return -ahead if written[0] == "-" else ahead


def _month(name: str) -> int:
    folded = "sep" if name.lower() == "sept" else name.lower()
    return next((i for i, month in enumerate(_MONTHS, 1) if folded in (month, month[:3])), 0)
