"""Puts a text that cannot be read into words."""

from __future__ import annotations

from nql.diagnostics import Diagnostic, Span


def explain(text: str, place: Span, expected: frozenset[str]) -> Diagnostic:
    """One diagnostic for the first place where reading fails."""
    return Diagnostic("NQL101", f"unexpected; expected {sorted(expected)}", place)
