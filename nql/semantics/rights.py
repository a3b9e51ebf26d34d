"""What somebody may see, as far as the language has to say it: view domains, and tables that need a right.

In: the text of a view domain, or a query with its plan and the tables that whoever asks may not read. Out: the plan of
the domain as a target; or QueryError with spans inside the text that was given. Invariants: a domain is one condition
on devices, with nothing to be filled in; what a table needs a right for is decided by who calls, not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from nql.diagnostics import Diagnostic, QueryError, Span
from nql.plan.plan import Plan
from nql.plan.relations import scans
from nql.semantics.bind import bind
from nql.semantics.names import Names
from nql.semantics.scope import Area
from nql.syntax import ast
from nql.syntax.parse import parse

BEFORE = "devices | where "


def domain_plan(condition: str, names: Names) -> Plan:
    """The plan of a view domain: the devices for which a condition holds. Raises QueryError about the condition."""
    text = BEFORE + condition
    try:
        query = parse(text)
        plan, _ = bind(query, text, names, area=Area.TARGETING, devices=True)
    except QueryError as error:
        raise QueryError(_inside(item, condition) for item in error.diagnostics) from None
    alone = len(query.clauses) == 1 and isinstance(query.clauses[0], ast.Where)
    if not alone or plan.parameters:
        whole = Span(0, len(condition))
        message, hint = "A view domain is one condition on devices.", 'Write it as after where: entity == "Lyon".'
        raise QueryError([Diagnostic("NQL512", message, whole, hint)])
    return plan


def check_tables(text: str, plan: Plan, needed: Mapping[str, str]) -> None:
    """Raises QueryError where a plan reads one of the tables in `needed`, each with the right that is missing."""
    for scan in scans(plan.relation):
        if scan.table in needed:
            message = f"{scan.table} can be read with the permission {needed[scan.table]} alone."
            written = text.lower().find(scan.table.lower())
            span = Span(max(written, 0), written + len(scan.table) if written >= 0 else len(text))
            raise QueryError([Diagnostic("NQL511", message, span, "Ask an administrator for it.")])


def _inside(item: Diagnostic, condition: str) -> Diagnostic:
    """A diagnostic about the whole text as one about the condition."""
    fixes = tuple(replace(fix, span=_moved(fix.span, condition)) for fix in item.fixes)
    return replace(item, span=_moved(item.span, condition), fixes=fixes)


def _moved(span: Span, condition: str) -> Span:
    start, end = (min(max(at - len(BEFORE), 0), len(condition)) for at in (span.start, span.end))
    return Span(start, end)
