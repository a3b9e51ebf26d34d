"""The language's help with a text, from here or from a portal: one face for the command line and the language server.

In: a text. Out: what `nql.api` says of it. Invariant: both kinds answer in the same types and never raise for a text;
`Alone` knows no portal, so it takes for granted that what a text names and somebody could have configured (actions,
campaigns, trends, custom fields) is there; `AtPortal` knows what is, and raises MusterError where the portal does not
answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from muster.api import Api
from muster.errors import QueryFailedError, diagnostic
from muster.options import Options, api
from nql import api as nql
from nql.catalog.load import builtin
from nql.catalog.model import Catalog
from nql.diagnostics import Diagnostic, QueryError, Span
from nql.editing.offers import OURS, Item, ItemKind
from nql.semantics.assumed import assumed

STRICT = "nexthink"  # the one value of `strict`: what Nexthink itself takes
MOST = 20_000  # characters that a portal looks at; far more than the language does


class Language(Protocol):
    """What can be asked about a text."""

    def diagnose(self, text: str) -> tuple[Diagnostic, ...]:
        """Errors and warnings, in text order."""
        ...

    def complete(self, text: str, offset: int) -> nql.Completion:
        """What may stand at an offset."""
        ...

    def hover(self, text: str, offset: int) -> nql.Hover | None:
        """What the thing at an offset is."""
        ...

    def explain(self, text: str) -> nql.Explanation:
        """What the text asks, in sentences. Raises QueryFailedError for a text with errors."""
        ...

    def format(self, text: str) -> str:
        """The text laid out; as it is where it cannot be read."""
        ...


def language(options: Options) -> Language:
    """The language that a command's options ask for: `--strict`, and a portal's with `--url`."""
    rules = nql.Rules(strict=options.strict == STRICT)
    return AtPortal(api(options), rules) if options.url else Alone(rules)


class Alone:
    """The language without a portal."""

    def __init__(self, rules: nql.Rules) -> None:
        self._rules = rules
        self._catalog = builtin()

    def diagnose(self, text: str) -> tuple[Diagnostic, ...]:
        """See `Language`."""
        return nql.diagnose(text, self._assumed(text), self._rules)

    def complete(self, text: str, offset: int) -> nql.Completion:
        """See `Language`."""
        return _kept(nql.complete(text, offset, self._assumed(text, offset)), self._rules)

    def hover(self, text: str, offset: int) -> nql.Hover | None:
        """See `Language`."""
        return nql.hover(text, offset, self._assumed(text, offset))

    def explain(self, text: str) -> nql.Explanation:
        """See `Language`."""
        try:
            return nql.explain(text, self._assumed(text), rules=self._rules)
        except QueryError as error:
            raise QueryFailedError(text, error.diagnostics) from error

    def format(self, text: str) -> str:
        """See `Language`."""
        return nql.format_query(text)

    def _assumed(self, text: str, offset: int = 0) -> Catalog:
        """The catalog with what a text names; where it cannot be read yet, what the clauses before an offset name."""
        known = assumed(text, self._catalog)
        return known if known is not self._catalog else assumed(text[:offset].rpartition("|")[0], known)


class AtPortal:
    """The language as a portal knows it."""

    def __init__(self, portal: Api, rules: nql.Rules) -> None:
        self._portal = portal
        self._rules = rules
        self._switches = {"strict": STRICT} if rules.strict else {}

    def diagnose(self, text: str) -> tuple[Diagnostic, ...]:
        """See `Language`."""
        if len(text) > MOST:
            return nql.diagnose(text, builtin())  # it is too long, which is all that is said of it anywhere
        said = self._ask("diagnose", text, **self._switches)
        return tuple(diagnostic(item) for item in said["diagnostics"])

    def complete(self, text: str, offset: int) -> nql.Completion:
        """See `Language`."""
        said = self._ask("complete", text, offset=min(offset, MOST))
        return _kept(nql.Completion(_span(said["span"]), tuple(map(_item, said["items"]))), self._rules)

    def hover(self, text: str, offset: int) -> nql.Hover | None:
        """See `Language`."""
        said = self._ask("hover", text, offset=min(offset, MOST))["hover"]
        return None if said is None else nql.Hover(_span(said["span"]), said["title"], said["detail"], said["doc"])

    def explain(self, text: str) -> nql.Explanation:
        """See `Language`."""
        said = self._ask("explain", text, **self._switches)
        return nql.Explanation(tuple(said["sentences"]), said["plan"])

    def format(self, text: str) -> str:
        """See `Language`. No portal is needed for it."""
        return nql.format_query(text)

    def _ask(self, what: str, text: str, **more: Any) -> Any:
        return self._portal.post(f"/nql/{what}", {"text": text[:MOST], **more}, text=text)


def _kept(found: nql.Completion, rules: nql.Rules) -> nql.Completion:
    """The choices that the rules allow."""
    if not rules.strict:
        return found
    return nql.Completion(found.span, tuple(item for item in found.items if OURS not in item.doc))


def _item(said: Mapping[str, str]) -> Item:
    return Item(said["label"], ItemKind(said["kind"]), said["detail"], said["doc"], said["insert"])


def _span(said: Mapping[str, int]) -> Span:
    return Span(said["start"], said["end"])
