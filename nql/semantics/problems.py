"""Collects what is wrong with a query while the rest of it is still being understood.

`Problems.error` records a diagnostic and gives back the exception to raise; whoever can go on without the broken part
catches `Reported` and goes on. Invariant: `Reported` is only raised for something already recorded, so it never
leaves this package.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from nql.diagnostics import Diagnostic, Fix, Severity, Span

MOST = 50
MOST_SUGGESTIONS = 12


class Reported(Exception):  # noqa: N818 - a signal, not an error of its own
    """A part that cannot be understood; why is recorded."""


class Problems:
    """The findings about one text, in the order they were made, at most `MOST` of them."""

    __slots__ = ("errors", "warnings")

    def __init__(self) -> None:
        self.errors: list[Diagnostic] = []
        self.warnings: list[Diagnostic] = []

    def error(self, code: str, message: str, span: Span, hint: str = "", fixes: Iterable[Fix] = ()) -> Reported:
        """Records an error; raise what comes back, or drop it to go on."""
        if len(self.errors) < MOST:
            self.errors.append(Diagnostic(code, message, span, hint, tuple(fixes)))
        return Reported()

    def warn(self, code: str, message: str, span: Span, hint: str = "", fixes: Iterable[Fix] = ()) -> None:
        """Records a warning."""
        if len(self.warnings) < MOST:
            self.warnings.append(Diagnostic(code, message, span, hint, tuple(fixes), Severity.WARNING))

    @property
    def patient(self) -> bool:
        """Whether there are still few enough findings to think about what was meant."""
        return len(self.errors) + len(self.warnings) < MOST_SUGGESTIONS

    def close(self, word: str, candidates: Iterable[str]) -> list[str]:
        """The candidates that a mistyped word probably meant, best first; none once there are many findings."""
        return close(word, candidates) if self.patient else []


def close(word: str, candidates: Iterable[str], *, most: int = 3) -> list[str]:
    """The candidates that a mistyped word probably meant, best first."""
    spelled: dict[str, str] = {}
    for candidate in candidates:
        spelled.setdefault(candidate.lower(), candidate)
    return [spelled[found] for found in get_close_matches(word.lower()[:80], spelled, n=most, cutoff=0.6)]


def replacements(span: Span, words: Iterable[str]) -> tuple[Fix, ...]:
    """One fix a word: put it in place of the span."""
    return tuple(Fix(f"Replace with {word}", span, word) for word in words)


def did_you_mean(words: list[str]) -> str:
    """`Did you mean a, b or c?`, or nothing."""
    if not words:
        return ""
    listed = " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
    return f"Did you mean {listed}?"
