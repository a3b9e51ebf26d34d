"""The language's help with a text, from here or from a portal: one face for the command line and the language server.

In: a text. Out: what `nql.api` says of it. Invariant: both kinds answer in the same types and never raise for a text;
`Alone` knows no portal, so it takes for granted that what a text names and somebody could have configured (actions,
campaigns, trends, custom fields) is there; `AtPortal` knows what is.
"""

from __future__ import annotations

from typing import Protocol

from muster.api import Api
from muster.errors import diagnostic
from nql import api as nql
from nql.catalog.load import builtin
from nql.diagnostics import Diagnostic

STRICT = "nexthink"  # the one value of `strict`: what Nexthink itself takes


class Language(Protocol):
    """What can be asked about a text."""

    def diagnose(self, text: str) -> tuple[Diagnostic, ...]:
        """Errors and warnings, in text order."""
        ...


class Alone:
    """The language without a portal."""

    def __init__(self, rules: nql.Rules) -> None:
        self._rules = rules
        self._catalog = builtin()

    def diagnose(self, text: str) -> tuple[Diagnostic, ...]:
        """Errors and warnings, in text order."""
        return nql.diagnose(text, self._catalog, self._rules)


class AtPortal:
    """The language as a portal knows it. Raises MusterError where the portal does not answer."""

    def __init__(self, api: Api, rules: nql.Rules) -> None:
        self._api = api
        self._switches = {"strict": STRICT} if rules.strict else {}

    def diagnose(self, text: str) -> tuple[Diagnostic, ...]:
        """Errors and warnings, in text order."""
        said = self._api.post("/nql/diagnose", {"text": text, **self._switches})
        return tuple(diagnostic(item) for item in said["diagnostics"])
