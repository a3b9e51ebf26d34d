"""Tables of a query: what is asked for, and which tables are reached from there.

In: the names in `from` and `with`. Out: objects and events of the mapping, and a `Reach` for each table that may be
named at a place. Invariant: a table of the old model that NQL lacks is refused in words, never as unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nql.catalog.model import Table
from nql.diagnostics import Span
from nql.nxql import ast
from nql.nxql.fields import Lookup, Reach
from nql.nxql.mapping import EventMap, ObjectMap, Variant, classic
from nql.nxql.problems import Reported

MOST_WITHS = 20


@dataclass(frozen=True, slots=True)
class Asked:
    """The tables in `from`: one event with any objects, or one or two objects."""

    objects: tuple[ObjectMap, ...]
    event: EventMap | None


def tables_of(lookup: Lookup, source: ast.Source) -> Asked:
    """The tables a query is over. Raises Reported."""
    problems, mapping = lookup.problems, classic()
    objects: list[ObjectMap] = []
    events: list[EventMap] = []
    seen: set[str] = set()
    for written in source.tables:
        name = lookup.named(written)
        word = name.text.lower()
        if word in seen:
            raise problems.error("NXQL207", f"{name.text[:60]} is named twice.", name.span)
        seen.add(word)
        if word in mapping.objects:
            objects.append(mapping.objects[word])
        elif word in mapping.events:
            events.append(mapping.events[word])
        else:
            raise unknown(lookup, name, [*mapping.objects, *mapping.events])
    span = source.tables[0].span.join(source.tables[-1].span)
    if len(events) > 1:
        raise problems.error("NXQL207", "A query is over one kind of events.", span, "Ask twice.")
    if not events and len(objects) > 2:
        raise problems.error("NXQL207", "At most two objects can be paired.", span, "Name the events that link them.")
    if len(source.withs) > MOST_WITHS:
        raise problems.error("NXQL207", f"There can be at most {MOST_WITHS} with.", source.withs[MOST_WITHS].span)
    return Asked(tuple(objects), events[0] if events else None)


def event_of(lookup: Lookup, written: ast.Name) -> EventMap:
    """The events that `with` names. Raises Reported."""
    mapping, name = classic(), lookup.named(written)
    word = name.text.lower()
    if word in mapping.events:
        return mapping.events[word]
    if word in mapping.objects:
        message = f"with takes events; {word} are objects."
        raise lookup.problems.choice("NXQL207", message, name.span, mapping.events)
    raise unknown(lookup, name, mapping.events)


def unknown(lookup: Lookup, name: ast.Name, options: Iterable[str]) -> Reported:
    """Records that there is no such table, or that NQL has none."""
    absent = classic().absent.get(name.text.lower())
    if absent is not None:
        message = f"The table {name.text.lower()} of the classic model does not exist here."
        return lookup.problems.choice("NXQL202", message, name.span, options, hint=absent)
    message = f"There is no table {name.text[:60]}."
    return lookup.problems.choice("NXQL201", message, name.span, options, word=name.text)


def stored(lookup: Lookup, name: str, span: Span) -> Table:
    """A table of NQL. Raises Reported if the catalog lacks it."""
    table = lookup.catalog.tables.get(name)
    if table is None:
        raise lookup.problems.error("NXQL202", f"The catalog has no table {name}.", span)
    return table


def object_reach(lookup: Lookup, item: ObjectMap, span: Span, prefix: str = "", *, joins: bool = False) -> Reach:
    """An object at the end of a path. Raises Reported."""
    return Reach(item.name, item.fields, stored(lookup, item.table, span), prefix, joins)


def event_reaches(lookup: Lookup, variant: Variant, span: Span) -> dict[str, Reach]:
    """The events of a variant and every object that they are linked to, the events first. Raises Reported."""
    table = stored(lookup, variant.table, span)
    reaches = {variant.event: Reach(variant.event, variant.fields, table, "", False, variant.kind, variant.words)}
    for name, prefix in variant.links.items():
        if name in variant.linked:
            reaches[name] = Reach(name, variant.linked[name], table)
        else:
            reaches[name] = object_reach(lookup, classic().objects[name], span, prefix)
    return reaches


def linked(lookup: Lookup, variant: Variant, name: str, span: Span) -> None:
    """Checks that the events point to an object. Raises Reported."""
    if name not in variant.links:
        message = f"{variant.event} is not linked to {name}."
        raise lookup.problems.choice("NXQL208", message, span, variant.links)
