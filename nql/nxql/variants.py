"""Which table of NQL holds the events of a classic table that a query speaks of.

In: an event of the mapping and what the query names of it. Out: one `Variant`. A kind that is asked for by `type`
decides; otherwise the first table does that has every field, link and aggregate named, with a warning where another
kind would have them too. Invariant: two kinds are never answered by one of them: asking for both is an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nql.diagnostics import Span
from nql.nxql import ast
from nql.nxql.fields import Lookup
from nql.nxql.mapping import EventMap, Variant, folded


@dataclass(frozen=True, slots=True)
class Asked:
    """What a query names of an event: its fields, the linked objects with their fields, the aggregates, and the
    conditions on it."""

    fields: frozenset[str]
    links: frozenset[str]
    aggregates: frozenset[str]
    wheres: tuple[ast.Where, ...]
    span: Span


def asked(
    lookup: Lookup,
    event: str,
    links: Iterable[str],
    shown: Iterable[ast.Decoration],
    wheres: Iterable[ast.Where],
    aggregates: Iterable[ast.Name],
    span: Span,
) -> Asked:
    """What is named of an event. `links` are the objects that stand beside it."""
    own: set[str] = set()
    others = set(links)
    mine: list[ast.Where] = []
    for part in shown:
        if part.table is None or lookup.named(part.table).text.lower() == event:
            own.update(_plain(lookup, part.fields))
    for where in wheres:
        table = lookup.named(where.table).text.lower()
        if table == event:
            mine.append(where)
            own.update(_plain(lookup, [one.field for one in where.conditions]))
        else:
            others.add(table)
    own.discard("type")
    return Asked(frozenset(own), frozenset(others), frozenset(_plain(lookup, aggregates)), tuple(mine), span)


def chosen(lookup: Lookup, event: EventMap, asked: Asked) -> Variant:
    """The variant that answers. Raises Reported."""
    if len(event.variants) == 1:
        return event.variants[0]
    kinds = [_kinds(lookup, event, where) for where in asked.wheres]
    wanted = frozenset[str]().union(*(kind for kind in kinds if kind is not None)) if kinds else frozenset()
    problems = lookup.problems
    if any(kind is not None for kind in kinds):
        if len(wanted) != 1 or any(kind is None for kind in kinds):
            _no_kind(lookup, event, asked, wanted)
        return next(variant for variant in event.variants if variant.kind in wanted)
    fitting = [variant for variant in event.variants if _missing(variant, asked, known=False) == 0]
    fitting = fitting or [variant for variant in event.variants if _missing(variant, asked, known=True) == 0]
    if not fitting:
        return min(event.variants, key=lambda variant: _missing(variant, asked, known=True))
    kinds_left = [variant.kind for variant in fitting if variant.words]
    if len(kinds_left) > 1 and fitting[0].words:
        message = f"Of {event.name} this is only the kind {fitting[0].kind}."
        hint = f'Say which: {" or ".join(kinds_left)}, as in (eq type (enum "{kinds_left[1]}")).'
        problems.warn("NXQL215", message, asked.span, hint)
    return fitting[0]


def _kinds(lookup: Lookup, event: EventMap, where: ast.Where) -> frozenset[str] | None:
    """The kinds that one `where` leaves, None if it does not speak of them. Raises Reported."""
    found: frozenset[str] | None = None
    everything = frozenset(variant.kind for variant in event.variants if variant.words)
    if not everything:
        return None
    for one in where.conditions:
        if lookup.named(one.field).text.lower() != "type" or one.op not in ("eq", "ne"):
            continue
        text = lookup.text(one.literal.value)
        span = one.literal.value.span
        word = folded(text)
        if word in event.absent:
            raise lookup.problems.error("NXQL204", f"NQL has no {text[:40]}.", span, event.absent[word])
        same = frozenset(variant.kind for variant in event.variants if word in variant.words)
        if not same:
            message = f"{text[:40]} is no kind of {event.name}."
            raise lookup.problems.choice("NXQL305", message, span, sorted(everything), word=text[:40])
        left = same if one.op == "eq" else everything - same
        found = left if found is None else found & left
    return found


def _no_kind(lookup: Lookup, event: EventMap, asked: Asked, wanted: frozenset[str]) -> None:
    message = f"NQL keeps each kind of {event.name} in a table of its own."
    kinds = [variant.kind for variant in event.variants if variant.words and (variant.kind in wanted or not wanted)]
    span = asked.wheres[0].span.join(asked.wheres[-1].span)
    raise lookup.problems.choice("NXQL211", message + " Ask for one kind.", span, kinds)


def _missing(variant: Variant, asked: Asked, *, known: bool) -> int:
    """How much of what is named a variant lacks; `known` counts names without counterpart as had."""
    fields = [variant.fields.get(name) for name in asked.fields]
    aggregates = [variant.aggregates.get(name) for name in asked.aggregates]
    lacking = [one for one in (*fields, *aggregates) if one is None or not (known or one.nql)]
    return len(lacking) + sum(name not in variant.links for name in asked.links)


def _plain(lookup: Lookup, names: Iterable[ast.Name]) -> list[str]:
    found = [lookup.named(name) for name in names]
    return [name.text.lower() for name in found if not name.glob and not name.dynamic]
