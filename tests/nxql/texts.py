"""Generated NXQL texts: every form of select, put together from the mapping.

In: a source of chance. Out: a text over the classic tables. Invariant: names exist and values are of the type of their
field; what does not go together (fields of other tables beside events, objects that events do not point to) is left
in, so that some texts give diagnostics.
"""

from __future__ import annotations

from random import Random

from nql.nxql.mapping import FieldMap, classic

MAPPING = classic()
TIMES = ("now-7d", "now-3d", "midnight-1d", "2024-11-09", "2024-11-10@12:00", "now-36h", "midnight", "now-2h", "now")
VALUES = {
    "text": ('"LAB-01"', '"*e*"', '""', "outlook.exe", '(pattern "*o*")'),
    "list": ('"SSD"',),
    "word": ("x64", "tcp"),
    "flag": ("yes", "no"),
    "number": ("1", "443"),
    "rate": ("5",),
    "ratio": ("0.5", "0.95"),
    "size": ("1000", "8589934592"),
    "duration": ("10", "30000"),
    "days": ("3", "30"),
    "time": ("now-1d", "2024-11-09", "2024-11-10@13:00", "now-3h"),
    "address": ("10.0.0.5", "10.0.0.0/8"),
    "version": ("5.0", "16.0.1"),
}
ORDERED = ("number", "rate", "ratio", "size", "duration", "days", "time", "version")


def query(chance: Random) -> str:
    """A whole query."""
    form = chance.choice((_objects, _events, _pairs))
    shown, source, sortable = form(chance)
    order = f" (order_by {chance.choice(sortable)} {chance.choice(('asc', 'desc'))})" if chance.random() < 0.4 else ""
    limit = f" (limit {chance.randint(0, 9)})" if chance.random() < 0.3 else ""
    return f"(select {shown} {source}{order}{limit})"


def _objects(chance: Random) -> tuple[str, str, list[str]]:
    name = chance.choice(list(MAPPING.objects))
    fields = _names(chance, name, 3)
    withs = "".join(_with(chance, [name]) for _ in range(chance.choice((0, 1, 1, 2))))
    return f"({' '.join(fields)})", f"(from {name}{_wheres(chance, [name])}{withs})", _names(chance, name, 1)


def _events(chance: Random) -> tuple[str, str, list[str]]:
    name = chance.choice(list(MAPPING.events))
    variant = MAPPING.events[name].variants[0]
    links = chance.sample(list(variant.links), chance.randint(0, min(2, len(variant.links))))
    tables = [name, *links]
    shown = " ".join(f"({table} ({' '.join(_names(chance, table, 2))}))" for table in tables)
    restricted = _wheres(chance, [name, *variant.links])
    return f"({shown})", f"(from ({' '.join(tables)}){restricted}{_between(chance)})", _names(chance, name, 1)


def _pairs(chance: Random) -> tuple[str, str, list[str]]:
    names = chance.sample(list(MAPPING.objects), 2)
    shown = " ".join(f"({name} ({' '.join(_names(chance, name, 2))}))" for name in names)
    source = f"(from ({' '.join(names)}){_wheres(chance, names)}{_with(chance, names)})"
    return f"({shown})", source, [f"{names[0]}/{_names(chance, names[0], 1)[0]}"]


def _with(chance: Random, objects: list[str]) -> str:
    variants = [event.variants[0] for event in MAPPING.events.values()]
    fitting = [variant for variant in variants if all(name in variant.links for name in objects)]
    variant = chance.choice(fitting or variants)
    known = [field.name for field in variant.aggregates.values() if field.nql]
    computed = f" (compute {' '.join(chance.sample(known, min(len(known), 2)))})" if chance.random() < 0.7 else ""
    wheres = _wheres(chance, [variant.event, *variant.links])
    return f" (with {variant.event}{wheres}{computed}{_between(chance) if variant.timed else ''})"


def _wheres(chance: Random, tables: list[str]) -> str:
    chosen = [chance.choice(tables) for _ in range(chance.choice((0, 0, 0, 1, 2)))]
    return "".join(
        f" (where {name} {' '.join(_condition(chance, name) for _ in range(chance.choice((1, 1, 2))))})"
        for name in chosen
    )


def _condition(chance: Random, table: str) -> str:
    fields = [field for field in _fields(table) if field.nql]
    if not fields:
        return ""
    field = chance.choice(fields)
    event = MAPPING.events.get(table)
    if event is not None and field.name == "type" and event.variants[0].words:
        return f"(eq type {event.variants[0].words[0]})"
    if field.words:
        return f"({chance.choice(('eq', 'ne'))} {field.name} {chance.choice(list(field.words))})"
    family = MAPPING.types[field.type].family
    ops = ("eq", "ne", "lt", "le", "gt", "ge") if family in ORDERED else ("eq", "ne")
    return f"({chance.choice(ops)} {field.name} {chance.choice(VALUES[family])})"


def _names(chance: Random, table: str, count: int) -> list[str]:
    known = [field.name for field in _fields(table) if field.nql] or ["name"]
    return [chance.choice([*known, "*"] if count > 1 else known) for _ in range(count)]


def _fields(table: str) -> list[FieldMap]:
    item = MAPPING.objects.get(table)
    return list(item.fields.values() if item is not None else MAPPING.events[table].variants[0].fields.values())


def _between(chance: Random) -> str:
    start = chance.randrange(len(TIMES) - 1)
    return f" (between {TIMES[start]} {chance.choice(TIMES[start + 1 :])})" if chance.random() < 0.7 else ""
