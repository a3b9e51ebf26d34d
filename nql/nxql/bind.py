"""From a select as read to the plan that NQL has, under the names of NXQL.

In: a select and what is known of names. Out: a `Plan` whose headers are NXQL's, its columns with their classic types,
and warnings. The tree of NQL is bound by `nql.semantics.bind` itself, so that both languages have one meaning.
Invariant: what that binder finds is said in a code of NXQL at the span of the NXQL text; of its warnings only that a
condition can never hold is passed on, for the others speak of NQL that nobody wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any, cast

from nql.diagnostics import Diagnostic, QueryError, Severity, Span
from nql.nxql import ast as nxql
from nql.nxql.columns import Column
from nql.nxql.fields import Lookup
from nql.nxql.forms import form_of
from nql.nxql.literals import restored
from nql.nxql.mapping import classic
from nql.nxql.problems import NxqlError, Reported
from nql.plan.expressions import Literal
from nql.plan.plan import Output, Plan
from nql.semantics.bind import bind
from nql.semantics.names import names_of

_CODES = {"NQL420": "NXQL310", "NQL504": "NXQL309", "NQL505": "NXQL307", "NQL402": "NXQL307", "NQL304": "NXQL304"}
_NEVER = "NQL605"


@dataclass(frozen=True, slots=True)
class NxqlColumn:
    """A column of the answer. `type` is its classic type; a stored number divided by `factor` is the classic one, and a
    stored word that `words` has is spelled so. Durations, sizes and times are held as everywhere (`nql.datatypes`)."""

    name: str
    type: str
    factor: float = 1
    words: Mapping[str, str] = field(default_factory=dict)


def bound(query: nxql.Select, text: str, lookup: Lookup, *, devices: bool) -> tuple[Plan, tuple[NxqlColumn, ...]]:
    """The plan of a select and its columns; warnings are with the findings. Raises NxqlError."""
    problems = lookup.problems
    try:
        form = form_of(lookup, query)
    except Reported:
        raise problems.stop() from None
    if problems.errors:
        raise problems.stop()
    try:
        plan, warnings = bind(form.query, text, names_of(lookup.catalog), devices=devices)
    except QueryError as error:
        raise NxqlError(_translated(error.diagnostics, len(text))) from None
    _never(warnings, lookup)
    shown = dict(zip(form.listed, plan.outputs, strict=True))
    outputs = tuple(_named(shown[column.value], column) for column in form.columns)
    if problems.starred:
        plan = cast("Plan", _restored(plan))
    return replace(plan, outputs=outputs), tuple(_column(column) for column in form.columns)


def _never(warnings: tuple[Diagnostic, ...], lookup: Lookup) -> None:
    """Passes on that a condition can never hold; what was not written, such as a platform, has no place."""
    hint = "Conditions of one where all have to hold. For either of them write two where."
    for one in warnings:
        if one.code == _NEVER and one.span.end > one.span.start:
            lookup.problems.warn("NXQL312", one.message, one.span, hint)


def _named(output: Output, column: Column) -> Output:
    return replace(output, header=column.name, label=column.name)


def _column(column: Column) -> NxqlColumn:
    item = column.field
    part = classic().types[item.type].part
    words = {word.stored: name for name, word in reversed(list(item.words.items())) if word.stored}
    return NxqlColumn(column.name, item.type, item.scale * part, MappingProxyType(words))


def _translated(diagnostics: tuple[Diagnostic, ...], end: int) -> list[Diagnostic]:
    """The errors that the binder of NQL found, in codes of NXQL."""
    return [
        Diagnostic(
            _CODES.get(one.code, "NXQL311"),
            one.message,
            Span(min(one.span.start, end), min(one.span.end, end)),
            one.hint,
        )
        for one in diagnostics
        if one.severity is Severity.ERROR
    ]


def _restored(node: Any) -> Any:
    """The plan with the wildcards of exact texts made into what they were."""
    if isinstance(node, Literal):
        value = node.value
        return replace(node, value=restored(value)) if isinstance(value, str) else node
    if isinstance(node, tuple):
        return tuple(_restored(item) for item in node)
    if not is_dataclass(node) or isinstance(node, type):
        return node
    changed = {item.name: _restored(getattr(node, item.name)) for item in fields(node) if item.init}
    return node if all(changed[name] is getattr(node, name) for name in changed) else replace(node, **changed)
