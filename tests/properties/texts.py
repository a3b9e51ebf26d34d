"""Generated query texts: clauses put together from fragments that mostly fit each other.

In: a source of chance. Out: a text over the tables of `tables`. Invariant: most texts compile; those that do not give
diagnostics. What the language says about arbitrary texts is tested elsewhere.
"""

from __future__ import annotations

from random import Random

from tests.properties.fragments import (
    AFTER,
    AGAIN,
    CLOCKED,
    COMPUTED,
    COMPUTED_AFTER,
    CONDITIONS,
    DEVICES,
    FIELDS,
    KEYS,
    METRICS,
    OBJECTS,
    PERIODS,
    WINDOWS,
)

CLOCK = [window for window in WINDOWS if window.endswith(("h", ":00", "Z", "1h"))]


def query(chance: Random) -> str:
    """A whole query."""
    table = chance.choice(list(FIELDS))
    parts = [table + (_window(chance) if table not in OBJECTS or chance.random() < 0.2 else "")]
    parts += _where(chance, table, parts[0])
    names = []
    for at in range(chance.choice((0, 1, 1, 2)) if table in OBJECTS else 0):
        parts += _join(chance, table, f"v{at}")
        names.append(f"v{at}")
        if chance.random() < 0.3:
            parts.append("where " + chance.choice(AFTER).format(v=names[-1]))
    if table not in OBJECTS and chance.random() < 0.15:
        parts.append(f"latest by {chance.choice(['device', *KEYS[table]])}")
    body, shown = _summary(chance, table, names) if chance.random() < 0.45 else _listing(chance, table, names)
    return "\n| ".join([*_let(chance, parts), *body, *_arranged(chance, shown)])


def _window(chance: Random) -> str:
    return chance.choice(WINDOWS)


def _let(chance: Random, parts: list[str]) -> list[str]:
    """A name for a constant of the conditions, a comment, at times."""
    if chance.random() < 0.1 and any("8GB" in part for part in parts):
        named = [part.replace("8GB", "limit_of_memory") for part in parts]
        return [f"let limit_of_memory = 8GB;\n{named[0]}", *named[1:]]
    if chance.random() < 0.1:
        return [f"{parts[0]} // as asked", *parts[1:]]
    return parts


def _where(chance: Random, table: str, scan: str = "") -> list[str]:
    if chance.random() < 0.5:
        return []
    known = CONDITIONS[table] + (CLOCKED.get(table, []) if scan.endswith(tuple(CLOCK)) else [])
    found = chance.sample(known, chance.choice((1, 1, 2)))
    return [f"where {chance.choice([' and ', ' or ', ' or ']).join(found)}"]


def _join(chance: Random, table: str, name: str) -> list[str]:
    events = chance.choice(OBJECTS[table])
    join = f"{chance.choice(['with', 'include', 'include'])} {events}{_window(chance)}"
    return [join, *_where(chance, events, join), f"compute {name} = {chance.choice(METRICS[events])}"]


def _listing(chance: Random, table: str, names: list[str]) -> tuple[list[str], list[str]]:
    """`list`, and what can be sorted by."""
    parts = []
    if table == DEVICES and not names and chance.random() < 0.15:
        parts.append("compute row_gb = hardware.memory / 1GB")
        names = ["row_gb"]
    shown = chance.sample(FIELDS[table], chance.randint(1, 3)) + names
    extra = [chance.choice(COMPUTED[table])] if chance.random() < 0.25 else []
    distinct = "distinct " if chance.random() < 0.1 else ""
    comma = "," if chance.random() < 0.05 else ""
    parts.append(f"list {distinct}{', '.join(shown + extra)}{comma}")
    return parts, shown + [name.split(" ")[0] for name in extra]


def _summary(chance: Random, table: str, names: list[str]) -> tuple[list[str], list[str]]:
    """`summarize`, perhaps something of it again, and what can be sorted by."""
    metrics = METRICS[table] + [f"{name}.last()" for name in names] + [f"{name}.sum()" for name in names]
    keys = chance.sample(KEYS[table], chance.randint(0, 2))
    if table not in OBJECTS and chance.random() < 0.35:
        keys.append(chance.choice(PERIODS))  # `fill` stands last
    by = f" by {', '.join(keys)}" if keys else ""
    parts, shown = [f"summarize n = {chance.choice(metrics)}{by}"], ["n"]
    if chance.random() < 0.15:
        parts.append("where " + chance.choice(AFTER).format(v="n"))
    if chance.random() < 0.15:
        parts.append("compute c = " + chance.choice(COMPUTED_AFTER).format(v="n"))
        shown.append("c")
    if keys and chance.random() < 0.15:
        again = f" by {keys[0]}" if keys[0] in KEYS[table] and chance.random() < 0.5 else ""
        parts.append(f"summarize s = {chance.choice(AGAIN)}{again}")
        shown = ["s"]
    return parts, shown


def _arranged(chance: Random, shown: list[str]) -> list[str]:
    parts = []
    if chance.random() < 0.5:
        parts.append(f"sort {chance.choice(shown)} {chance.choice(['asc', 'desc'])}")
    if chance.random() < 0.4:
        offset = f" offset {chance.randint(0, 2)}" if chance.random() < 0.2 else ""
        parts.append(f"limit {chance.choice((0, 1, 2, 3, 5, 10, '$rows'))}{offset}")
    return parts
