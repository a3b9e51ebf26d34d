"""What the language says about a text: a code, a span in the user's own words, a message and, where possible, a fix.

Codes: NQL1xx reading, 2xx names, 3xx types, 4xx time and aggregation, 5xx limits and permissions, 6xx advice, 9xx our
bug.
Invariant: a span lies inside the text it speaks of (start <= end <= len(text), counted in characters). Rendering for
people (carets, colours) belongs to whoever shows it; `render` here is the plain form that the command line and the
notebook share.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from nql.value import value


class Severity(Enum):
    """How bad: an error stops the query, a warning travels with its result."""

    ERROR = "error"
    WARNING = "warning"


@value
class Span:
    """A half-open range of characters in the query text."""

    start: int
    end: int

    def __lt__(self, other: Span) -> bool:
        return (self.start, self.end) < (other.start, other.end)

    def join(self, other: Span) -> Span:
        """The smallest span that covers both."""
        return Span(min(self.start, other.start), max(self.end, other.end))


NOWHERE = Span(0, 0)


@dataclass(frozen=True, slots=True)
class Fix:
    """One click: put `replacement` in place of `span`. `title` is the button's text."""

    title: str
    span: Span
    replacement: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding about a text. `hint` says the way out in a sentence; `fixes` are edits that apply it."""

    code: str
    message: str
    span: Span
    hint: str = ""
    fixes: tuple[Fix, ...] = ()
    severity: Severity = field(default=Severity.ERROR)


class QueryError(Exception):
    """A text that cannot run. Carries every diagnostic found, errors and warnings, in text order."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(sorted(diagnostics, key=lambda d: (d.span, d.code)))
        super().__init__("; ".join(f"{d.code} {d.message}" for d in self.diagnostics))


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column, both counted from 1, of a character offset in a text."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def render(text: str, diagnostics: Iterable[Diagnostic]) -> str:
    """Plain text for people: message, place, the line with carets under the span, hint and fixes."""
    blocks = []
    for diagnostic in diagnostics:
        line, column = position(text, diagnostic.span.start)
        lines = text.split("\n")
        source = lines[line - 1] if line <= len(lines) else ""
        width = max(1, min(diagnostic.span.end - diagnostic.span.start, len(source) - column + 1))
        block = [
            f"{diagnostic.severity.value} {diagnostic.code}: {diagnostic.message}",
            f"  line {line}, column {column}",
            f"  {source}",
            "  " + " " * (column - 1) + "^" * width,
        ]
        if diagnostic.hint:
            block.append(f"  {diagnostic.hint}")
        block += [f"  fix: {fix.title}" for fix in diagnostic.fixes]
        blocks.append("\n".join(block))
    return "\n\n".join(blocks)
