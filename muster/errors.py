"""What goes wrong for a user of this package, worded for people: what happened, and the way out.

Out: exceptions with a message, a hint, a stable code and an exit code for the command line. Invariant: the text is
enough to act on; a query's diagnostics are all there, each with its place in the user's own text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nql.diagnostics import Diagnostic, Fix, Severity, Span, render

FAILED, USAGE, QUERY, HELD, UNSUCCESSFUL, WARNED, INTERRUPTED = 1, 2, 3, 4, 5, 6, 130


class MusterError(Exception):
    """Base of all. `code` is stable, `hint` says the way out, `exit_code` is what the command line ends with."""

    exit_code = FAILED

    def __init__(self, message: str, hint: str = "", code: str = "failed") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows in the place of a traceback."""
        return [self.message, *([self.hint] if self.hint else [])]


class UsageError(MusterError):
    """The request cannot be meant as it was given."""

    exit_code = USAGE


class UnreachableError(MusterError):
    """No portal answers at the address."""


class NotAllowedError(MusterError):
    """The portal does not know who asks, or does not let them."""


class RefusedError(MusterError):
    """The portal understood and refused. `status` is the HTTP status."""

    def __init__(self, message: str, hint: str, code: str, status: int) -> None:
        super().__init__(message, hint, code)
        self.status = status


class QueryFailedError(MusterError):
    """A text that cannot run, with everything that is wrong with it."""

    exit_code = QUERY

    def __init__(self, text: str, diagnostics: Iterable[Diagnostic]) -> None:
        self.text = text
        self.diagnostics = tuple(diagnostics)
        super().__init__(render(text, self.diagnostics), code="query")


class FolderHeldError(MusterError):
    """Another process has the data folder open."""

    exit_code = HELD


class UnsuccessfulError(MusterError):
    """A run ended, and not well everywhere."""

    exit_code = UNSUCCESSFUL


def diagnostic(said: Mapping[str, Any]) -> Diagnostic:
    """A diagnostic from its JSON."""
    fixes = tuple(Fix(item["title"], _span(item["span"]), item["replacement"]) for item in said.get("fixes", ()))
    severity = Severity(said.get("severity", "error"))
    return Diagnostic(said["code"], said["message"], _span(said["span"]), said.get("hint", ""), fixes, severity)


def _span(said: Mapping[str, int]) -> Span:
    return Span(said["start"], said["end"])
