"""Where the cursor is: which clause, what may follow there, and what is known from the clauses before it.

In: a text, however broken, and an offset. Out: a `Place`, or None inside quotes and comments. The clause with the
cursor is read alone, so that a mistake in an earlier clause spoils nothing; clauses before it that cannot be read are
skipped. Invariant: reads the text before the cursor only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nql.diagnostics import QueryError, Span
from nql.semantics.bind import read
from nql.semantics.clauses import close_join
from nql.semantics.names import Names
from nql.semantics.scope import State
from nql.syntax.parse import LONGEST, parse, stop, terminals

_PARTS = re.compile(r"\"[^\"\r\n]*\"|'[^'\r\n]*'|/\*(?:[^*]|\*(?!/))*\*/|\||[\"']|/\*")
_WORD_BEFORE = re.compile(r"[$#.\w]*$")
_WORD_AFTER = re.compile(r"[#.\w]*")
_FIRST = re.compile(r"(?:\s|/\*(?:[^*]|\*(?!/))*\*/)*(\w*)")
_STUB = "devices |"
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Place:
    """A cursor. `word` is what is typed of the name at it and `span` what a choice replaces; `expected` are the
    terminals that can follow `head`; `tokens` are those of the clause before the word, with their texts."""

    word: str
    span: Span
    clause: str
    expected: frozenset[str]
    tokens: tuple[tuple[str, str], ...]
    state: State | None

    @property
    def last(self) -> str:
        """The terminal before the word, empty at the start."""
        return self.tokens[-1][0] if self.tokens else ""


def place_of(text: str, offset: int, names: Names) -> Place | None:
    """The place of a cursor; None where nothing can be offered."""
    offset = max(0, min(offset, len(text), LONGEST))
    before = text[:offset]
    pipes = _pipes(before)
    if pipes is None:
        return None
    found = _WORD_BEFORE.search(before)
    start = found.start() if found is not None else offset
    after = _WORD_AFTER.match(text, offset)
    span = Span(start, after.end() if after is not None else offset)
    segment = before[pipes[-1] + 1 : start] if pipes else before[:start]
    if pipes and start <= pipes[-1]:
        return None
    head = f"{_STUB}{segment}" if pipes else segment
    reached, expected = stop(head)
    if reached.start < len(head.rstrip()):
        return None
    tokens = tuple((name, head[at.start : at.end]) for name, at in terminals(head))[2 if pipes else 0 :]
    first = _FIRST.match(segment)
    clause = (first[1].lower() if first is not None else "") if pipes else "table"
    return Place(before[start:], span, clause, expected, tokens, _state(before, pipes, names, clause))


def _pipes(before: str) -> list[int] | None:
    """Where the pipes are, outside quotes and comments; None if the text ends inside one."""
    found: list[int] = []
    for part in _PARTS.finditer(before):
        if part[0] == "|":
            found.append(part.start())
        elif part[0] in ('"', "'", "/*"):
            return None
    return found


def _state(before: str, pipes: list[int], names: Names, clause: str) -> State | None:
    """What is known after the clauses before the cursor; those that cannot be read are left out, the last first."""
    if not pipes:
        return None
    cuts = [0, *(pipe + 1 for pipe in pipes[:-1])]
    parts = [before[cut:pipe].strip() for cut, pipe in zip(cuts, pipes, strict=True)]
    for _ in range(_TRIES):
        text = " | ".join(parts)
        try:
            state = read(parse(text), text, names)
        except QueryError as error:
            broken = _broken(parts, error)
            if broken == 0:
                return None
            del parts[broken]
            continue
        if clause not in ("where", "compute", ""):
            close_join(state)
        return state
    return None


def _broken(parts: list[str], error: QueryError) -> int:
    """Which part an error lies in."""
    at = error.diagnostics[0].span.start
    end = -3
    for index, part in enumerate(parts):
        end += len(part) + 3
        if at < end or index == len(parts) - 1:
            return index
    return 0
