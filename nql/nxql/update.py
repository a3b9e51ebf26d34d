"""`update`: which dynamic field of which objects is set to what.

In: an update as read. Out: an `NxqlUpdate`: the field, the checked value, and the plan that selects the objects, their
uid first. Invariant: nothing is written here; setting a category or custom field is the enrichment's business, and
whether the caller may is decided there.
"""

from __future__ import annotations

from dataclasses import dataclass

from nql.diagnostics import Diagnostic
from nql.nxql import ast
from nql.nxql.bind import bound
from nql.nxql.fields import Found, Lookup
from nql.nxql.literals import plain, typed
from nql.nxql.mapping import folded
from nql.nxql.problems import Reported
from nql.nxql.tables import object_reach, tables_of
from nql.plan.plan import Plan


@dataclass(frozen=True, slots=True)
class NxqlUpdate:
    """A change asked for: `field` is the custom field as NQL names it (`#site_group`) of the NQL table `table`, `value`
    the text to set, of the classic `type`; the rows of `plan` are the objects, their uid in the first column."""

    table: str
    field: str
    type: str
    value: str
    plan: Plan
    warnings: tuple[Diagnostic, ...] = ()


def updated(query: ast.Update, text: str, lookup: Lookup) -> NxqlUpdate:
    """The meaning of an update. Raises NxqlError."""
    problems = lookup.problems
    try:
        item = tables_of(lookup, query.source).objects
        if len(item) != 1 or item[0].group or len(query.source.tables) != 1:
            span = query.source.tables[0].span
            raise problems.error("NXQL113", "update sets a field of one kind of objects.", span, "Write (from device).")
        found = _field(lookup, query, item[0].name)
        kind, value = typed(lookup, found, query.literal)
        value = _value(lookup, found, query, value)
        plain(problems, kind, value, query.literal.value.span)
    except Reported:
        raise problems.stop() from None
    uid = ast.Name("id", span=query.source.tables[0].span)
    select = ast.Select((ast.Decoration(None, (uid,), uid.span),), query.source, span=query.span)
    plan, _ = bound(select, text, lookup, devices=True)
    return NxqlUpdate(item[0].table, found.field.nql, kind.name, value, plan, tuple(problems.warnings))


def _field(lookup: Lookup, query: ast.Update, name: str) -> Found:
    """The custom field that is set. Raises Reported."""
    problems, written = lookup.problems, lookup.named(query.field)
    reach = object_reach(lookup, tables_of(lookup, query.source).objects[0], written.span, joins=True)
    if not written.dynamic:
        dynamic = [known for known in lookup.known(reach) if known.startswith("#")]
        message = "Only a category or a custom field can be set."
        raise problems.choice("NXQL113", message, written.span, dynamic, word=f"#{written.text}")
    found = lookup.one(reach, written)
    stored = reach.table.fields.get(found.field.nql)
    if found.field.join or stored is None or not stored.comparable:
        raise problems.error("NXQL113", f"{found.name} of {name} is computed; it cannot be set.", written.span)
    return found


def _value(lookup: Lookup, found: Found, query: ast.Update, text: str) -> str:
    """The value, a keyword in its stored spelling. Raises Reported."""
    stored = found.reach.table.fields[found.field.nql].dtype
    for member in stored.members:
        if folded(member) == folded(text):
            return member
    if stored.members and stored.closed:
        message, span = f"{text[:40]} is not one of the keywords.", query.literal.value.span
        raise lookup.problems.choice("NXQL305", message, span, stored.members, word=text[:40])
    return text
