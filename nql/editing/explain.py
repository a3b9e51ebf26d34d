"""A query in plain English, a sentence for each step, beside the text of its plan.

In: a text, a catalog, and for dates as they are an instant and zones. Out: an `Explanation`. Invariant: it is made from
what the binder understood, so it cannot contradict the plan. Raises `QueryError` for what does not compile.
"""

from __future__ import annotations

from dataclasses import dataclass

from nql.catalog.model import Catalog
from nql.plan.text import show
from nql.rules import DEFAULT, Rules
from nql.semantics.bind import bind
from nql.semantics.names import names_of
from nql.semantics.resolve import Context, resolve
from nql.syntax.parse import parse


@dataclass(frozen=True, slots=True)
class Explanation:
    """A sentence for each step of a query, and its plan."""

    sentences: tuple[str, ...]
    plan: str


def explain(text: str, catalog: Catalog, context: Context | None = None, rules: Rules = DEFAULT) -> Explanation:
    """What a query does. With a context its windows are dates, without one they are as written. Raises QueryError."""
    query = parse(text)
    plan, _ = bind(query, text, names_of(catalog), rules=rules)
    sentences = [text[query.table.span.start : query.table.span.end]]
    sentences += [text[clause.span.start : clause.span.end] for clause in query.clauses]
    shown = show(plan) if context is None else show(resolve(plan, context))
    return Explanation(tuple(f"{' '.join(part.split())}." for part in sentences), shown)
