"""Completion: what can stand at the cursor, and nothing else.

In: a text, however broken, a cursor and a catalog. Out: a `Completion`: the span that a choice replaces, and the
choices in the order to show them. The grammar says which kind of thing may follow, the scope which names it can be.
Invariant: never raises; an offered choice, put in, is no mistake of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from nql.catalog.model import Catalog
from nql.datatypes import DataType, Kind
from nql.diagnostics import Span
from nql.editing import offers
from nql.editing.offers import Item, ItemKind
from nql.editing.place import Place, place_of
from nql.functions import FUNCTIONS
from nql.semantics.names import FieldRef, ObjectRef, names_of
from nql.semantics.scope import State
from nql.syntax.words import CLAUSES

MOST = 400
_KEYWORDS = {
    "DURING": "during past",
    "PAST": "past",
    "FROM": "from",
    "ON": "on",
    "TO": "to",
    "AGO": "ago",
    "BY": "by",
    "ASC": "asc",
    "DESC": "desc",
}
_LENGTHS = ("7d", "30d", "1d", "24h", "2h", "30min")
_PERIODS = ("1d", "1h", "15min")
_ROWS = ("where", "list", "sort")
_NO_GROUPS = frozenset(
    {Kind.DATETIME, Kind.BYTES, Kind.DURATION, Kind.FLOAT, Kind.PERCENTAGE, Kind.STRINGS, Kind.OBJECTS}
)


Values = Callable[[str, str, str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Completion:
    """What a choice replaces, and the choices."""

    span: Span
    items: tuple[Item, ...] = ()


def complete(text: str, offset: int, catalog: Catalog, *, values: Values | None = None) -> Completion:
    """The choices at a cursor. `values` gives what is in the data for a table, a stored column and the beginning of a
    text; the caller looks up only what the reader may see. Never raises."""
    place = place_of(text, offset, names_of(catalog))
    if place is None:
        at = max(0, min(offset, len(text)))
        return Completion(Span(at, at))
    typed = place.word.lower()
    seen: dict[str, Item] = {}
    for item in _offered(place, catalog):
        if item.insert.lower().startswith(typed) or item.label.lower().startswith(typed):
            seen.setdefault(item.insert, item)
    return Completion(place.span, tuple(seen.values())[:MOST])


def _offered(place: Place, catalog: Catalog) -> Iterator[Item]:
    names = names_of(catalog)
    if place.clause == "table" and not place.tokens:
        yield from offers.tables(names)
    elif place.last in ("WITH", "INCLUDE") and place.state is not None:
        yield from offers.tables(names, place.state.root.table)
    elif "SUMMARIZE" in place.expected and "PATH" not in place.expected:
        yield from _clauses(place)
    elif place.expected == {"ASSIGN"}:
        yield Item("=", ItemKind.OPERATOR, "", "Gives the name its value.", "=")
    else:
        yield from _inside(place)


def _clauses(place: Place) -> Iterator[Item]:
    """The clauses that may follow what is there."""
    state = place.state
    possible = list(CLAUSES)
    if state is not None:
        joinable = state.summary is None and not state.root.events
        computable = state.joined is not None or state.reusable is not None
        left_out = {"with", "include"} if not joinable else set()
        left_out |= {"compute"} if not computable else set()
        left_out |= {"summarize"} if state.summary is not None else set()
        possible = [clause for clause in possible if clause not in left_out]
    yield from offers.words(possible, ItemKind.CLAUSE)


def _inside(place: Place) -> Iterator[Item]:
    if place.last == "PAST":
        yield from offers.words(_LENGTHS, ItemKind.VALUE, "length of time")
        return
    if place.state is not None and "OPERATOR" in place.expected and _conditional(place):
        yield from _operators(place, place.state)
    yield from offers.words((_KEYWORDS[name] for name in _KEYWORDS if name in place.expected), ItemKind.KEYWORD)
    if place.state is None or not (place.expected & {"PATH", "CHAIN"}) or place.clause not in CLAUSES:
        return
    if place.last == "RPAR" and place.word.startswith("."):
        yield from _chained(place)
    elif place.expected & {"PATH"} and place.clause not in ("limit", "with", "include"):
        yield from _names(place, place.state)


def _operators(place: Place, state: State) -> Iterator[Item]:
    dtype = _type_of(state, place.tokens[-1][1]) if place.last == "PATH" and not _value_place(place, 1) else None
    if dtype is not None:
        yield from offers.operators(dtype)
    else:
        yield from offers.words(("and", "or"), ItemKind.KEYWORD)


def _names(place: Place, state: State) -> Iterator[Item]:
    if _names_alias(place):
        return
    left = _compared(place, state)
    if left is not None and (left.members or left.kind is Kind.BOOLEAN):
        yield from offers.values(left)
        return
    before, dot, _ = place.word.rpartition(".")
    if dot:
        yield from _after_dot(place, state, before)
    if state.summary is not None:
        yield from offers.summary(state)
        return
    grouping = _grouping(place)
    if grouping and state.root.events:
        yield from offers.words(_PERIODS, ItemKind.VALUE, "period")
    yield from offers.aliases(state)
    yield from offers.fields(
        state.names, state.current.table, place.word, grouped=_NO_GROUPS if grouping else frozenset()
    )
    if not grouping and not dot and place.clause in ("compute", "summarize") and not _conditional(place):
        yield from offers.functions(None, place.clause)
    if left is not None:
        yield Item("null", ItemKind.VALUE, "", "No value.", "null")


def _after_dot(place: Place, state: State, before: str) -> Iterator[Item]:
    """Functions and components after a name and its dot."""
    if _grouping(place):
        return
    alias = state.aliases.get(before.lower())
    found = state.names.find(state.current.table, before)
    if isinstance(found, FieldRef) and alias is None:
        yield from offers.metric(found, f"{before}.")
        if found.sampled_gauge and found.component is None and (_conditional(place) or place.clause in _ROWS):
            return
    if isinstance(found, ObjectRef) and alias is None and place.clause in ("compute", "summarize"):
        if not _conditional(place):
            yield from offers.functions(None, place.clause, f"{before}.")
        return
    dtype = _type_of(state, before)
    clause = "where" if _conditional(place) else place.clause
    refused = _refused(state, found if alias is None else None)
    for item in offers.functions(dtype, clause, f"{before}.") if dtype is not None else ():
        if item.label not in refused:
            yield item


def _refused(state: State, found: object) -> frozenset[str]:
    """Functions of the right type that still cannot stand here."""
    if isinstance(found, FieldRef) and found.sampled_gauge and found.component is None:
        return frozenset({"stddev()"})
    return frozenset({"hour()"}) if state.current.events and state.current.day_precise else frozenset()


def _chained(place: Place) -> Iterator[Item]:
    """After an aggregate: only the time since."""
    if place.clause in ("compute", "summarize"):
        yield Item("time_elapsed()", ItemKind.FUNCTION, "duration", "Time since then.", ".time_elapsed()")


def _type_of(state: State, path: str) -> DataType | None:
    alias = state.aliases.get(path.lower())
    if alias is not None and state.joined is None:
        return None if alias.broken else alias.column.dtype
    found = state.names.find(state.current.table, path)
    return found.field.dtype if isinstance(found, FieldRef) else None


def _compared(place: Place, state: State) -> DataType | None:
    """The type of what stands left of the comparison that the cursor is the right side of."""
    at = _value_place(place, 0)
    return _type_of(state, place.tokens[at - 1][1]) if at else None


def _value_place(place: Place, back: int) -> int:
    """The index of the comparison whose right side comes after the tokens but the last `back`; 0 if there is none."""
    at = len(place.tokens) - 1 - back
    if at >= 0 and place.tokens[at][0] in ("LSQB", "COMMA"):
        while at > 0 and place.tokens[at][0] != "LSQB":
            at -= 1
        at -= 1
    if at < 1 or place.tokens[at][0] != "OPERATOR" or place.tokens[at - 1][0] != "PATH":
        return 0
    sign = place.tokens[at][1].lower()
    return at if sign not in ("and", "or", "+", "-", "*", "/", "^") else 0


def _grouping(place: Place) -> bool:
    return place.clause == "summarize" and any(name == "BY" for name, _ in place.tokens)


def _conditional(place: Place) -> bool:
    """Whether the cursor is in a condition: in `where`, or in the brackets of a function that takes one."""
    if place.clause == "where":
        return True
    open_calls: list[str] = []
    for index, (terminal, _) in enumerate(place.tokens):
        if terminal == "LPAR":
            open_calls.append(place.tokens[index - 1][1].rpartition(".")[2].lower() if index else "")
        elif terminal == "RPAR" and open_calls:
            open_calls.pop()
    return any(name in FUNCTIONS and FUNCTIONS[name].condition for name in open_calls)


def _names_alias(place: Place) -> bool:
    """Whether the author is making up a name here."""
    return place.clause in ("compute", "summarize") and not (place.expected - {"PATH"})
