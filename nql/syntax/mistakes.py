"""Puts a text that cannot be read into words: what is wrong, where, and the edit that mends it.

In: the text, the place where reading stopped, and the terminals that could have stood there. Out: one diagnostic. The
well-known mistakes come first, each a small function that knows its own; what none of them knows is said with the
words of what could stand there. Invariant: the span lies inside the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches

from nql.diagnostics import Diagnostic, Fix, Span
from nql.syntax.words import CLAUSES, expected_words

Expected = frozenset[str]
Known = Callable[[str, Span, Expected], Diagnostic | None]

_WORD = re.compile(r"[A-Za-z_]\w*")
_NAME_BEFORE = re.compile(r"#?[\w]+(?:\s*\.\s*#?\w+)*\s*$")
_NOT = re.compile(r"\bnot\s+$", re.IGNORECASE)
_CURLY = {"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "‚": "'"}
_OTHER_CLAUSES = {
    "select": "list", "project": "list", "show": "list", "fields": "list", "display": "list", "return": "list",
    "filter": "where", "having": "where", "and": "where", "search": "where",
    "take": "limit", "top": "limit", "head": "limit", "first": "limit",
    "order": "sort", "orderby": "sort", "group": "summarize", "stats": "summarize", "aggregate": "summarize",
    "summarise": "summarize", "sum": "summarize", "count": "summarize", "extend": "compute", "eval": "compute",
    "calculate": "compute", "join": "with", "left": "include",
}  # fmt: skip
_OTHER_OPERATORS = {
    "<>": "!=", "&&": "and", "||": "or", "=>": ">=", "=<": "<=", "===": "==", "!==": "!=", "=~": "==", "~": "==",
    "equals": "==", "eq": "==", "ne": "!=", "has": "contains", "includes": "contains", "startswith": "starts with",
    "endswith": "ends with", "regex": "matches", "rlike": "matches", "ilike": "like", "isnot": "is not",
}  # fmt: skip


def explain(text: str, place: Span, expected: Expected) -> Diagnostic:
    """One diagnostic for the first place where reading fails."""
    for known in _KNOWN:
        found = known(text, place, expected)
        if found is not None:
            return found
    wanted = expected_words(expected)
    if place.start >= len(text):
        return Diagnostic("NQL101", "The query ends too early.", place, f"Expected {wanted}.")
    shown = (
        text[place.start : place.end] if place.end - place.start <= 40 else text[place.start : place.start + 40] + "…"
    )
    return Diagnostic("NQL101", f"{shown} cannot stand here.", place, f"Expected {wanted}.")


def _empty(text: str, place: Span, expected: Expected) -> Diagnostic | None:
    if place.start < len(text) or "PATH" not in expected or text.strip(" \t\r\n\ufeff\xa0"):
        return None
    return Diagnostic("NQL101", "The query is empty.", Span(0, 0), "Start with a table, such as devices.")


def _curly_quotes(text: str, place: Span, _: Expected) -> Diagnostic | None:
    opening = text[place.start : place.start + 1]
    line = _line_end(text, place.start)
    straight = _CURLY.get(opening)
    if opening in ('"', "'") and any(sign in text[place.start : line] for sign in _CURLY):
        straight = opening
    if straight is None:
        return None
    close = next((at for at in range(place.start + 1, line) if text[at] in _CURLY or text[at] in "\"'"), None)
    span = Span(place.start, close + 1) if close is not None else Span(place.start, place.start + 1)
    inner = text[place.start + 1 : close] if close is not None else ""
    mended = f"{straight}{inner}{straight}" if close is not None else straight
    return Diagnostic(
        "NQL102", "Typographic quotes are not quotes here.", span, "", (Fix("Use straight quotes", span, mended),)
    )


def _open_quote(text: str, place: Span, _: Expected) -> Diagnostic | None:
    quote = text[place.start : place.start + 1]
    if quote not in ('"', "'") or place.end - place.start > 1:
        return None
    end = place.start + len(text[place.start : _line_end(text, place.start)].rstrip())
    span = Span(place.start, end)
    pipe = text.find("|", place.start, end)
    close = len(text[:pipe].rstrip()) if pipe >= 0 else end
    fix = Fix("Close the quote", Span(close, close), quote)
    return Diagnostic("NQL103", "The text has no closing quote.", span, "A text ends on the line it starts.", (fix,))


def _comment(text: str, place: Span, _: Expected) -> Diagnostic | None:
    start = place.start
    if text.startswith("/*", start):
        fix = Fix("Close the comment", Span(len(text), len(text)), " */")
        return Diagnostic("NQL104", "The comment has no end.", Span(start, len(text)), fixes=(fix,))
    if not text.startswith("--", start) and text[max(0, start - 1) : start + 1] == "--":
        start -= 1
    if not text.startswith("--", start):
        return None
    span = Span(start, _line_end(text, start))
    fix = Fix("Use /* */", span, f"/* {text[start + 2 : span.end].strip()} */")
    return Diagnostic("NQL104", "Comments stand between /* and */, or after //.", span, fixes=(fix,))


def _unknown_clause(text: str, place: Span, expected: Expected) -> Diagnostic | None:
    if "SUMMARIZE" not in expected or "PATH" in expected:
        return None
    listed = ", ".join(CLAUSES)
    if place.start >= len(text):
        pipe = text.rfind("|")
        fix = Fix("Remove the pipe", Span(pipe, len(text)), "")
        return Diagnostic("NQL105", "A clause is missing after |.", Span(pipe, pipe + 1), f"Clauses: {listed}.", (fix,))
    word = _word(text, place)
    if word is None:
        if text.startswith("||", place.start - 1):
            return _instead(text, Span(place.start - 1, place.start + 1), "or")
        if text.startswith("|", place.start):
            fix = Fix("Remove the second pipe", Span(place.start, place.start + 1), "")
            return Diagnostic("NQL105", "A clause is missing between the pipes.", place, f"Clauses: {listed}.", (fix,))
        return None
    written = text[word.start : word.end].lower()
    other = _OTHER_CLAUSES.get(written)
    close = [other] if other is not None else get_close_matches(written[:40], CLAUSES, n=2, cutoff=0.5)
    fixes = tuple(Fix(f"Replace with {name}", word, name) for name in close)
    hint = f"Did you mean {' or '.join(close)}?" if close else f"Clauses: {listed}."
    return Diagnostic("NQL105", f"There is no clause {text[word.start : word.end][:40]}.", word, hint, fixes)


def _missing_pipe(text: str, place: Span, expected: Expected) -> Diagnostic | None:
    word = _word(text, place)
    if word is None or "_PIPE" not in expected or text[word.start : word.end].lower() not in CLAUSES:
        return None
    name = text[word.start : word.end]
    fix = Fix("Put | before it", Span(word.start, word.start), "| ")
    return Diagnostic("NQL106", f"A pipe is missing before {name}.", word, "Each clause starts with |.", (fix,))


def _missing_name(text: str, place: Span, expected: Expected) -> Diagnostic | None:
    if expected != {"ASSIGN"}:
        return None
    before = _NAME_BEFORE.search(text, max(0, place.start - 300), place.start)
    start = before.start() if before is not None else place.start
    span = Span(start, min(len(text), place.start))
    fix = Fix("Give it a name", Span(start, start), "n = ")
    hint = "Write a name before it: n = count()."
    return Diagnostic("NQL107", "Each value needs a name.", span, hint, (fix,))


def _other_operator(text: str, place: Span, expected: Expected) -> Diagnostic | None:
    """An operator of another language, or one split by the reader: `<>` is read as `<` and then `>`."""
    for start in (place.start, place.start - 1, place.start - 2):
        for length in (3, 2, 1):
            other = _OTHER_OPERATORS.get(text[start : start + length]) if start >= 0 else None
            if other is not None and place.start < start + length <= len(text):
                return _instead(text, Span(start, start + length), other)
    word = _word(text, place)
    written = text[word.start : word.end].lower() if word is not None else ""
    if word is None or "OPERATOR" not in expected:
        return None
    before = _NOT.search(text, max(0, word.start - 40), word.start)
    if before is not None or written == "not":
        span = Span(before.start(), before.start() + 3) if before is not None else word
        hint = "Write not before the whole condition, or use !=, !in or !contains."
        return Diagnostic("NQL111", "not cannot stand between a name and an operator.", span, hint)
    other = _OTHER_OPERATORS.get(written)
    if other is None and "DESC" in expected and written in ("descending", "ascending"):
        other = written.removesuffix("ending")
    return _instead(text, word, other) if other is not None else None


def _instead(text: str, span: Span, other: str) -> Diagnostic:
    message = f"There is no operator {text[span.start : span.end]}."
    hint = 'Patterns are written with == and wildcards: name == "pc-*".' if other == "==" else ""
    return Diagnostic("NQL111", message, span, hint, (Fix(f"Use {other}", span, other),))


def _time(text: str, place: Span, expected: Expected) -> Diagnostic | None:
    if "PAST" not in expected:
        return None
    word = _word(text, place)
    written = text[word.start : word.end].lower() if word is not None else ""
    example = "Write during past 7d, from 2024-11-08 to 2024-11-10, or on 2024-11-08."
    if word is not None and written in ("last", "previous", "since", "the"):
        fix = Fix("Use past", word, "past")
        return Diagnostic("NQL112", f"{written} is not a time selection.", word, example, (fix,))
    if text[place.start : place.start + 1].isdigit():
        fix = Fix("Put past before it", Span(place.start, place.start), "past ")
        return Diagnostic("NQL112", "past is missing before the length of time.", place, example, (fix,))
    if "_PIPE" in expected:
        return None
    return Diagnostic("NQL112", "A time selection is missing after during.", _inside(text, place), example)


def _unclosed(text: str, place: Span, expected: Expected) -> Diagnostic | None:
    at_end = place.start >= len(text) or text.startswith("|", place.start)
    for terminal, sign in (("RPAR", ")"), ("RSQB", "]")):
        if at_end and terminal in expected:
            end = len(text[: place.start].rstrip())
            fix = Fix(f"Close with {sign}", Span(end, end), sign)
            return Diagnostic("NQL113", f"A closing {sign} is missing.", _inside(text, place), fixes=(fix,))
    return None


def _inside(text: str, place: Span) -> Span:
    """The place, or the last word of the text where the place is its end, so that there is something to underline."""
    if place.start < len(text):
        return place
    end = len(text.rstrip())
    return Span(max(0, end - 1), end)


def _word(text: str, place: Span) -> Span | None:
    found = _WORD.match(text, place.start)
    return Span(found.start(), found.end()) if found is not None else None


def _line_end(text: str, start: int) -> int:
    ends = [at for at in (text.find("\n", start), text.find("\r", start)) if at >= 0]
    return min(ends, default=len(text))


_KNOWN: tuple[Known, ...] = (
    _empty, _curly_quotes, _comment, _open_quote, _unknown_clause, _missing_pipe, _missing_name, _other_operator, _time,
    _unclosed,
)  # fmt: skip
