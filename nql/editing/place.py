"""Where the cursor is: which clause, what may follow there, and what is known from the clauses before it.

In: a text, however broken, and an offset. Out: a `Place`, or None inside quotes and comments. The clause with the
cursor is read alone, so that a mistake in an earlier clause spoils nothing; clauses before it that cannot be read are
skipped. Invariant: reads the text before the cursor only.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise, takewhile

from nql.diagnostics import QueryError, Span
from nql.semantics.bind import read
from nql.semantics.clauses import close_join
from nql.semantics.names import Names
from nql.semantics.scope import State
from nql.syntax.parse import LONGEST, MOST_CLAUSES, parse, stop, terminals

_PARTS = re.compile(r"\"[^\"\r\n]*\"|'[^'\r\n]*'|/\*(?:[^*]|\*(?!/))*\*/|//[^\r\n]*|[|;]|[\"']|/\*")
_WORD_BACKWARDS = re.compile(r"[.\w]*+-ahs\b[$#.\w]*+|[$#.\w]*+")
_DATE_BACKWARDS = re.compile(r"[\d-]*-\d{4}\b")
_WORD_AFTER = re.compile(r"[#.\w]*")
_LITERAL = re.compile(r"\b\d{4}-\d{1,2}-\d{1,2}(?:[ tT]\d{1,2}:\d{2}(?::\d{2})?\w*)?|\b\d+(?:\.\d+){3}(?:/\d+)?")
_LEADING = re.compile(r"\b(not|distinct)\s+$", re.IGNORECASE)
_CALL_AFTER = re.compile(r"\s*\(")
_FIRST = re.compile(r"(?:\s|/\*(?:[^*]|\*(?!/))*\*/|//[^\r\n]*)*(\w*)")
_STUB = "devices |"
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Place:
    """A cursor. `word` is what is typed of the name at it, or of the text in the open `quote`, and `span` what a choice
    replaces; `expected` are the terminals that can follow `head`; `tokens` are those of the clause before the word,
    with their texts; `called` says that an opening bracket follows the word, `negated` that `not` precedes it."""

    word: str
    span: Span
    clause: str
    expected: frozenset[str]
    tokens: tuple[tuple[str, str], ...]
    state: State | None
    quote: str = ""
    called: bool = False
    negated: bool = False

    @property
    def last(self) -> str:
        """The terminal before the word, empty at the start."""
        return self.tokens[-1][0] if self.tokens else ""


def place_of(text: str, offset: int, names: Names) -> Place | None:
    """The place of a cursor; None where nothing can be offered."""
    offset = max(0, min(offset, len(text), LONGEST))
    before = text[:offset]
    found = _marks(before)
    if found is None:
        return None
    marks, opened = found
    start, span = _replaced(text, offset, opened)
    cut = marks[-1] + 1 if marks else 0
    if start < cut or before[:start].endswith(":"):
        return None
    segment, leading = _without_leading(before[cut:start])
    after_pipe = bool(marks) and before[marks[-1]] == "|"
    head = f"{_STUB}{segment}" if after_pipe else segment
    reached, expected = stop(head)
    if reached.start < len(head.rstrip()):
        return None
    tokens = tuple((name, head[at.start : at.end]) for name, at in terminals(head))[2 if after_pipe else 0 :]
    if leading == "distinct":
        tokens, expected = (*tokens, ("DISTINCT", leading)), expected - {"DISTINCT"}
    clause = _first_word(segment) if after_pipe else "let" if tokens and tokens[0][0] == "LET" else "table"
    pipes = [mark for mark in marks if before[mark] == "|"]
    quote = before[opened] if opened is not None else ""
    called = _CALL_AFTER.match(text, span.end) is not None
    word = before[span.start :]
    return Place(
        word, span, clause, expected, tokens, _state(before, pipes, names, clause), quote, called, leading == "not"
    )


def segments(text: str) -> list[Span]:
    """The parts of a text between its pipes and semicolons; a text that ends inside a comment or quote too."""
    text = text[:LONGEST]
    said = takewhile(lambda part: part[0] != "/*", _PARTS.finditer(text))  # a comment without end takes all the rest
    cuts = [part.start() for part in said if part[0] in ("|", ";")]
    return [Span(start, end) for start, end in pairwise([0, *(cut + 1 for cut in cuts), len(text) + 1])]


def _replaced(text: str, offset: int, opened: int | None) -> tuple[int, Span]:
    """Where the word at the cursor, or the open text around it, starts, and the span that a choice replaces."""
    if opened is not None:
        end = next((at for at in range(offset, len(text)) if text[at] in f"{text[opened]}\r\n"), len(text))
        closed = end < len(text) and text[end] == text[opened]
        return opened, Span(opened + 1, end if closed else offset)
    near = text[max(0, offset - 1) : offset + 1]
    for literal in _LITERAL.finditer(text) if any(map(str.isdigit, near)) else ():
        if literal.start() <= offset <= literal.end():
            return literal.start(), Span(literal.start(), literal.end())
    backwards = text[:offset][::-1]
    found = _DATE_BACKWARDS.match(backwards) or _WORD_BACKWARDS.match(backwards)
    start = offset - (found.end() if found is not None else 0)
    after = _WORD_AFTER.match(text, offset)
    return start, Span(start, after.end() if after is not None else offset)


def _without_leading(segment: str) -> tuple[str, str]:
    """The segment without a `not` or `distinct` at its end, and that word: the grammar takes it for one only where
    something follows."""
    found = _LEADING.search(segment)
    return (segment[: found.start()], found[1].lower()) if found is not None else (segment, "")


def _first_word(segment: str) -> str:
    first = _FIRST.match(segment)
    return first[1].lower() if first is not None else ""


def _marks(before: str) -> tuple[list[int], int | None] | None:
    """Where the pipes and semicolons are, outside quotes and comments, and where an open quote is; None if the text
    ends inside a comment."""
    found: list[int] = []
    for part in _PARTS.finditer(before):
        if part[0] in ("|", ";"):
            found.append(part.start())
        elif part[0] in ('"', "'"):
            return (found, part.start()) if not set("\r\n") & set(before[part.start() :]) else None
        elif part[0] == "/*" or (part[0].startswith("//") and part.end() == len(before)):
            return None
    return found, None


def _state(before: str, pipes: list[int], names: Names, clause: str) -> State | None:
    """What is known after the clauses before the cursor; those that cannot be read are left out."""
    if not pipes:
        return None
    parts = [before[cut:pipe] for cut, pipe in pairwise([0, *pipes])]
    state = _read(before[: pipes[-1]], names) if len(parts) <= MOST_CLAUSES else None
    if state is None:
        state = _read("".join(_readable(parts, names)), names)
    if state is not None and clause not in ("where", "compute", ""):
        close_join(state)
    return state


def _read(text: str, names: Names) -> State | None:
    """What is known after a query; None if it cannot be read."""
    with suppress(QueryError):
        return read(parse(text), text, names)
    return None


def _readable(parts: list[str], names: Names) -> list[str]:
    """The parts that can be read, each with its pipe: of the first its table at least, no more clauses than allowed,
    and none after too many that cannot be read."""
    first = parts[0]
    found = [first if _read(first, names) is not None else "".join(first.rpartition(";")[2].split()[:1])]
    broken = 0
    for part in parts[1:]:
        if len(found) > MOST_CLAUSES or broken > _TRIES:
            break
        try:
            parse(f"devices{part}")
        except QueryError:
            broken += 1
        else:
            found.append(part)
    return found
