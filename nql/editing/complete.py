"""Completion: what can stand at the cursor, and nothing else.

In: a text, however broken, a cursor, a catalog and perhaps a look into the data. Out: a `Completion`: the span that a
choice replaces, and the choices in the order to show them. The grammar says which kind of thing may follow, the scope
which names it can be, the type of what it is compared with which values. Invariant: never raises; an offered choice,
put in, is no mistake of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nql.catalog.model import Catalog, TableKind
from nql.diagnostics import Span
from nql.editing import offers
from nql.editing.around import Around, around
from nql.editing.expressions import Values, inside, quoted
from nql.editing.offers import Item, ItemKind
from nql.editing.place import Place, place_of
from nql.semantics.names import Names, names_of
from nql.semantics.times import LONGEST_DAYS
from nql.syntax.words import CLAUSES

MOST = 700
_KEYWORDS = {
    "DURING": "during past",
    "PAST": "past",
    "FROM": "from",
    "ON": "on",
    "TO": "to",
    "AGO": "ago",
    "SHIFT": "shift",
    "BY": "by",
    "FILL": "fill",
    "OFFSET": "offset",
    "ASC": "asc",
    "DESC": "desc",
    "DISTINCT": "distinct",
    "LET": "let",
}
_LENGTHS = ("7d", "30d", "1d", "24h", "2h", "30min")
_POINTS = ("1d ago", "7d ago", "30d ago", "24h ago", "1h ago", "2025-01-31", "2025-01-31 13:00")
_DAYS = ("2025-01-31", "Jan 31, 2025", "Jan 31")
_COUNTS = ("10", "50", "100")


@dataclass(frozen=True, slots=True)
class Completion:
    """What a choice replaces, and the choices."""

    span: Span
    items: tuple[Item, ...] = ()


def complete(text: str, offset: int, catalog: Catalog, *, values: Values | None = None) -> Completion:
    """The choices at a cursor. `values` gives what is in the data for a table, a stored column and the beginning of a
    text; the caller looks up only what the reader may see. Never raises."""
    names = names_of(catalog)
    place = place_of(text, offset, names)
    if place is None:
        at = max(0, min(offset, len(text)))
        return Completion(Span(at, at))
    typed = place.word.lower()
    if place.quote:
        closed = text[place.span.end : place.span.end + 1] == place.quote
        found = quoted(place, around(place), values, "" if closed else place.quote)
        return Completion(place.span, tuple(item for item in found if item.label.lower().startswith(typed)))
    seen: dict[str, Item] = {}
    for item in _offered(place, names, values):
        if item.insert.lower().startswith(typed) or item.label.lower().startswith(typed):
            seen.setdefault(item.insert, item)
    return Completion(place.span, tuple(seen.values())[:MOST])


def _offered(place: Place, names: Names, values: Values | None) -> Iterator[Item]:
    if place.clause == "table":
        yield from _table(place, names)
    elif place.last in ("WITH", "INCLUDE") and place.state is not None:
        yield from offers.tables(names, place.state.root.table)
    elif "SUMMARIZE" in place.expected and "PATH" not in place.expected:
        yield from _clauses(place)
    elif place.expected == {"ASSIGN"}:
        yield Item("=", ItemKind.OPERATOR, "", "Gives the name its value.", "=")
    elif place.clause == "let":
        return
    elif place.clause in ("with", "include"):
        yield from _time(place, names)
    elif place.clause == "limit":
        yield from _limit(place)
    elif place.clause == "latest" and place.last == "LATEST":
        yield from offers.words(("by",), ItemKind.KEYWORD)
    elif place.clause in CLAUSES and place.state is not None:
        yield from _inside(place, around(place), values)


def _table(place: Place, names: Names) -> Iterator[Item]:
    if "PATH" in place.expected:
        yield from offers.tables(names)
        if "LET" in place.expected:
            yield from offers.words(("let",), ItemKind.KEYWORD)
    else:
        yield from _time(place, names)


def _time(place: Place, names: Names) -> Iterator[Item]:
    """Time selections: after a table, and inside one that is begun."""
    number = place.word if place.word.isdecimal() and 0 < int(place.word[:9]) <= LONGEST_DAYS else ""
    allowed = _allowed(place, names)
    if place.last in ("PAST", "SHIFT") and place.last in allowed:
        lengths = [f"{number}{unit}" for unit in ("d", "h", "min")] if number else _LENGTHS
        yield from offers.values(lengths, "length of time")
    elif place.last in ("FROM", "TO"):
        points = [f"{number}{unit} ago" for unit in ("d", "h", "min")] if number else _POINTS
        yield from offers.values(points, "moment", "A day, a time of day, or so long ago.")
    elif place.last == "ON":
        yield from offers.values(_DAYS, "day", "A day: year, month, day; or the month's name, the day, the year.")
    elif place.last == "BY" and "BY" in allowed:
        yield from offers.values(("30s",), "resolution", "Samples of 30 seconds.")
    else:
        words = (word for terminal, word in _KEYWORDS.items() if terminal in place.expected & allowed)
        yield from offers.words(words, ItemKind.KEYWORD)


def _allowed(place: Place, names: Names) -> frozenset[str]:
    """The words that the table before the cursor can do with, among those of time selections."""
    written = next((text for terminal, text in place.tokens if terminal == "PATH"), "")
    table = names.catalog.table(written)
    joined = place.clause in ("with", "include")
    if table is not None and (table.kind is TableKind.OBJECT if joined else not offers.has_time(table)):
        return frozenset()
    words = {"DURING", "PAST", "FROM", "TO", "ON", "AGO"}
    if any(terminal in words for terminal, _ in place.tokens):
        words.add("SHIFT")
    if table is not None and any("30s" in step for step in table.resolution):
        words.add("BY")
    return frozenset(words)


def _clauses(place: Place) -> Iterator[Item]:
    """The clauses that may follow what is there, those that NQL allows there first."""
    state = place.state
    if state is None:
        yield from offers.words(CLAUSES, ItemKind.CLAUSE)
        return
    summary = state.summary is not None
    left_out = {"with", "include"} if summary or state.root.events else set()
    if summary or not state.root.events or state.root.table.time is None:
        left_out.add("latest")
    ours = {"compute"} if state.joined is None and state.reusable is None else set()
    ours |= {"summarize"} if summary else set()
    listed = list(offers.words((clause for clause in CLAUSES if clause not in left_out), ItemKind.CLAUSE))
    yield from (item for item in listed if item.label not in ours)
    for item in listed:
        if item.label in ours:
            yield Item(item.label, item.kind, item.detail, f"{item.doc} {offers.OURS}", item.insert)


def _limit(place: Place) -> Iterator[Item]:
    if place.last in ("LIMIT", "OFFSET"):
        yield from offers.values(_COUNTS, "rows")
    else:
        yield from offers.words((word for name, word in _KEYWORDS.items() if name in place.expected), ItemKind.KEYWORD)


def _inside(place: Place, here: Around, values: Values | None) -> Iterator[Item]:
    """Inside a clause of expressions: operands and operators, and the words that end or join them."""
    grouped = place.clause == "summarize" and any(name == "BY" for name, _ in place.tokens)
    period = grouped and any(name == "NUMBER" for name, _ in place.tokens[_by(place) :])
    yield from inside(place, here, values, grouped=grouped)
    for terminal, word in _KEYWORDS.items():
        if terminal not in place.expected or (terminal == "FILL" and (not period or place.last == "COMMA")):
            continue
        yield from offers.words((word,), ItemKind.KEYWORD)


def _by(place: Place) -> int:
    return next((at for at, (terminal, _) in enumerate(place.tokens) if terminal == "BY"), 0)
