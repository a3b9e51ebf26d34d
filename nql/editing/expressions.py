"""Completion inside expressions: names, functions, values and operators by their types.

In: a `Place`, its `Around`, and perhaps a look into the data. Out: items. Invariant: a name is offered where one row is
looked at, and with a dot behind it where many rows are summed up, since there it needs a function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import islice
from zoneinfo import available_timezones

from nql.datatypes import DataType, Kind
from nql.editing import offers
from nql.editing.around import Around, comparable, type_of
from nql.editing.offers import Item, ItemKind
from nql.editing.place import Place
from nql.functions import FORMATS, FUNCTIONS
from nql.semantics.names import FieldRef, ObjectRef
from nql.semantics.scope import State

Values = Callable[[str, str, str], Sequence[str]]
MOST_VALUES = 50
_PERIODS = ("1d", "1h", "15min")
_LONG_PERIODS = ("1w", "1month")
_NO_GROUPS = frozenset(
    {Kind.DATETIME, Kind.BYTES, Kind.DURATION, Kind.FLOAT, Kind.PERCENTAGE, Kind.STRINGS, Kind.OBJECTS, Kind.MAP}
)
_NO_ORDER = frozenset({Kind.STRINGS, Kind.OBJECTS, Kind.MAP})
_TEXT_SIGNS = ("contains", "like", "matches", "starts with", "ends with")
NEGATABLE = frozenset({"in", "contains", "like", "matches", "starts with", "ends with", "between"})
_SIZES = {
    Kind.BYTES: ("1GB", "4GB", "8GB", "16GB"),
    Kind.DURATION: ("10s", "5min", "1h", "1d", "7d"),
    Kind.DATETIME: ("2025-01-31", "2025-01-31 13:00"),
    Kind.IP: ("10.0.0.0/8",),
}


def inside(place: Place, here: Around, values: Values | None, *, grouped: bool) -> Iterator[Item]:
    """What may stand at a place in an expression."""
    state = place.state
    assert state is not None
    if "OPERATOR" in place.expected:
        yield from _operators(place, here)
        if place.last == "RPAR" and place.word.startswith("."):
            yield from _chained(place, state)
    if "PATH" not in place.expected or _names_alias(place, here, grouped=grouped):
        return
    function = FUNCTIONS.get(here.frame.function)
    if grouped or place.clause == "latest":
        yield from _groups(place, state, grouped=grouped)
    elif function is not None and function.named:
        yield from _named(place, here)
    elif function is not None and function.name == "default":
        yield from _typed(place, state, type_of(state, here.frame.target), here.owner, values)
    elif function is None or function.condition or function.name == "if":
        yield from _called(place, _operands(place, here, state, values))


def quoted(place: Place, here: Around, values: Values | None, closing: str) -> Iterator[Item]:
    """What may stand in a quoted text that is begun. `closing` is the quote that is still missing."""
    function = FUNCTIONS.get(here.frame.function)
    if place.state is None:
        return
    found: Iterator[str] = iter(())
    detail = "value"
    if function is not None and "timezone" in function.named:
        found, detail = iter(_zones()), "time zone"
    elif here.field is not None and here.frame.sign and here.frame.condition:
        found = _known(here.field, values, place.word)
    typed = place.word.lower()
    fitting = (
        value for value in found if value.lower().startswith(typed) and not set(f"{place.quote}\r\n") & set(value)
    )
    for value in islice(fitting, MOST_VALUES):
        yield Item(value, ItemKind.VALUE, detail, "", value + closing)


# --- operands ---------------------------------------------------------------------------------


def _operands(place: Place, here: Around, state: State, values: Values | None) -> Iterator[Item]:
    if here.frame.condition and here.frame.sign:
        yield from _compared(place, here, state, values)
        return
    if not here.frame.condition and here.frame.argument and here.frame.function == "if":
        here_clause = "list"
    else:
        here_clause = "where" if here.frame.condition else _clause(place, state)
    summed = here_clause in ("compute", "summarize")
    before, dot, _ = place.word.rpartition(".")
    if dot:
        yield from _after_dot(state, here_clause, before, summed=summed)
    yield from _names(place, state, here_clause, summed=summed)
    if not dot:
        yield from offers.functions(None, here_clause)
    if here.frame.condition and "NOT" in place.expected and not place.negated:
        yield from offers.words(("not",), ItemKind.KEYWORD)


def _clause(place: Place, state: State) -> str:
    """The clause whose functions may stand here: a compute over single rows is like a list."""
    if place.clause == "compute" and ((state.joined is None and state.reusable is None) or state.summary is not None):
        return "list"
    return place.clause


def _names(place: Place, state: State, clause: str, *, summed: bool) -> Iterator[Item]:
    """Aliases and fields; with a dot behind them where they are summed up."""
    unordered = clause == "sort" or any(terminal == "DISTINCT" for terminal, _ in place.tokens)
    for dtype, item in offers.aliases(state):
        if not (unordered and dtype.kind in _NO_ORDER):
            yield _with_dot(item) if summed else item
    if state.summary is not None:
        return
    table = state.current.table
    for ref, item in offers.fields(state.names, table, place.word):
        if unordered and ref.field.dtype.kind in _NO_ORDER:
            continue
        if not summed:
            yield item
        elif ref.component is None or place.word.lower().startswith(f"{item.label.rpartition('.')[0].lower()}."):
            yield _with_dot(item)
        else:
            base = item.label.rpartition(".")[0]
            yield Item(base, ItemKind.FIELD, "metric", ref.field.doc, f"{base}.")
    if "." not in place.word:
        yield from offers.objects(state.names, table)


def _with_dot(item: Item) -> Item:
    return Item(item.label, item.kind, item.detail, item.doc, f"{item.insert}.")


def _after_dot(state: State, clause: str, before: str, *, summed: bool) -> Iterator[Item]:
    """Functions and components after a name and its dot."""
    alias = state.aliases.get(before.lower()) if state.joined is None else None
    found = state.names.find(state.current.table, before) if alias is None and state.summary is None else None
    if isinstance(found, FieldRef) and found.sampled_gauge and found.component is None:
        yield from offers.metric(found, f"{before}.", "." if summed else "")
        if not summed:
            return
    if isinstance(found, ObjectRef):
        for item in offers.functions(None, clause, f"{before}.") if summed else ():
            yield item
        return
    dtype = alias.column.dtype if alias is not None and not alias.broken else type_of(state, before)
    if alias is None and state.summary is not None:
        dtype = next((shown.column.dtype for shown in state.summary.shown if shown.header == before), None)
    refused = _refused(state, found)
    for item in offers.functions(dtype, clause, f"{before}.") if dtype is not None else ():
        if item.label not in refused:
            yield item


def _refused(state: State, found: object) -> frozenset[str]:
    """Functions of the right type that still cannot stand here."""
    if isinstance(found, FieldRef) and found.sampled_gauge and found.component is None:
        return frozenset({"stddev()"})
    if state.summary is not None and all(shown.column.name != "start_time" for shown in state.summary.shown):
        return frozenset({"first()", "last()"})
    return frozenset({"hour()"}) if state.current.events and state.current.day_precise else frozenset()


def _called(place: Place, found: Iterator[Item]) -> Iterator[Item]:
    """Where an opening bracket follows, only a function can stand before it."""
    if not place.called:
        yield from found
        return
    for item in found:
        if item.kind is ItemKind.FUNCTION:
            yield Item(item.label, item.kind, item.detail, item.doc, item.insert.partition("(")[0])


def _groups(place: Place, state: State, *, grouped: bool) -> Iterator[Item]:
    """What rows can be grouped by."""
    begun = {text.lower() for terminal, text in place.tokens if terminal in ("PATH", "NUMBER")}
    periods = any(terminal == "NUMBER" for terminal, _ in place.tokens[_by(place) :])
    if grouped and not periods and state.root.events and state.summary is None and "." not in place.word:
        shown = [period for period in _PERIODS if period == "1d" or not state.root.daily]
        yield from offers.values(shown, "period")
        longer = "Weeks start on Monday, months on their first day. Muster extension."
        yield from offers.values(_LONG_PERIODS, "period", longer)
    for dtype, item in offers.aliases(state):
        if dtype.kind not in _NO_GROUPS and (grouped or state.summary is None):
            yield item
    if state.summary is not None:
        return
    for ref, item in offers.fields(state.names, state.root.table, place.word):
        if ref.field.dtype.kind not in _NO_GROUPS and ref.component != "avg" and item.insert.lower() not in begun:
            yield item
    if not grouped and "." not in place.word:
        for link in state.root.table.links:
            yield Item(link, ItemKind.OBJECT, "object", "", link)
    if "." not in place.word:
        yield from offers.objects(state.names, state.root.table)


def _by(place: Place) -> int:
    return next((at for at, (terminal, _) in enumerate(place.tokens) if terminal == "BY"), 0)


def _names_alias(place: Place, here: Around, *, grouped: bool) -> bool:
    """Whether the author is making up a name here."""
    if place.clause not in ("compute", "summarize") or grouped or here.depth:
        return False
    return place.last in ("COMMA", "COMPUTE", "SUMMARIZE")


# --- values -----------------------------------------------------------------------------------


def _compared(place: Place, here: Around, state: State, values: Values | None) -> Iterator[Item]:
    """What may stand on the right side of a comparison."""
    sign, left = here.frame.sign.lstrip("!"), here.left
    if sign == "in" and not here.frame.listed:
        yield Item("[", ItemKind.OPERATOR, "", "A list of values.", "[")
    elif sign in ("is", "is not"):
        yield offers.null()
    elif sign in _TEXT_SIGNS:
        yield from _texts(here.field, values, place.word)
    else:
        if left is None or left.kind is not Kind.IP or sign in ("==", "!=", "in"):  # a network has no order
            yield from _typed(place, state, left, here.field, values)
        if here.frame.sign in ("==", "!=", "in", "!in"):
            yield offers.null()
        if not here.frame.listed and left is not None and not (left.kind is Kind.BOOLEAN or left.closed):
            yield from _alike(place, state, left)


def _typed(
    place: Place, state: State, dtype: DataType | None, field: FieldRef | None, values: Values | None
) -> Iterator[Item]:
    """Values of a type: those it is known to have, those in the data, or some that show how they are written."""
    if dtype is None:
        return
    yield from offers.members(dtype)
    if dtype.kind in (Kind.STRING, Kind.STRINGS):
        yield from _texts(field, values, place.word)
    yield from offers.values(_SIZES.get(dtype.kind, ()), offers.type_text(dtype))


def _texts(field: FieldRef | None, values: Values | None, typed: str) -> Iterator[Item]:
    """Texts of the data in quotes."""
    if field is None:
        return
    for value in islice(_known(field, values, typed), MOST_VALUES):
        sign = "'" if '"' in value else '"'
        if sign not in value and "\n" not in value and "\r" not in value:
            yield Item(value, ItemKind.VALUE, "value", "", f"{sign}{value}{sign}")


def _known(field: FieldRef, values: Values | None, typed: str) -> Iterator[str]:
    dtype = field.field.dtype
    if dtype.members:
        yield from dtype.members
    elif values is not None and dtype.kind in (Kind.STRING, Kind.STRINGS, Kind.ENUM):
        yield from values(*offers.stored_column(field), typed)


def _alike(place: Place, state: State, left: DataType) -> Iterator[Item]:
    """The names whose values can be compared with a type."""
    for dtype, item in offers.aliases(state):
        if comparable(left, dtype):
            yield item
    if state.summary is not None:
        return
    for ref, item in offers.fields(state.names, state.current.table, place.word):
        if comparable(left, ref.field) and not ref.field.name.startswith("#") and left.kind not in _NO_ORDER:
            yield item
    if "." not in place.word:
        for item in offers.objects(state.names, state.current.table):
            reached = offers.fields(state.names, state.current.table, item.insert)
            if any(ref.link is not None and comparable(left, ref.field) for ref, _ in reached):
                yield item


def _named(place: Place, here: Around) -> Iterator[Item]:
    """The named arguments of a function, and their values."""
    function = FUNCTIONS[here.frame.function]
    texts = [text.lower() for _, text in place.tokens]
    if place.last == "OPERATOR":
        name = texts[-2] if len(texts) > 1 else ""
        if name == "format":
            yield from offers.values(FORMATS, "format")
        elif name == "code":
            yield from offers.values((code.lower() for code in FORMATS["currency"]), "currency")
        elif name == "timezone":
            yield from (Item(zone, ItemKind.VALUE, "time zone", "", f"'{zone}'") for zone in _zones())
        return
    if place.last not in ("LPAR", "COMMA"):
        return
    begun = texts[len(texts) - 1 - texts[::-1].index("(") :] if "(" in texts else []
    for name in function.named:
        if name in begun or (name == "code" and "currency" not in begun):
            continue
        yield Item(f"{name} = ", ItemKind.KEYWORD, function.signature, function.doc, f"{name} = ")


@cache
def _zones() -> tuple[str, ...]:
    return tuple(sorted(zone for zone in available_timezones() if "/" in zone or zone in ("UTC", "GMT")))


# --- operators --------------------------------------------------------------------------------


def _operators(place: Place, here: Around) -> Iterator[Item]:
    function = FUNCTIONS.get(here.frame.function)
    if function is not None and function.named:
        if not here.frame.sign and place.last == "PATH":
            yield Item("=", ItemKind.OPERATOR, "", "Gives the argument its value.", "=")
        return
    if not here.frame.condition:
        if here.before is not None and here.before.numeric and place.clause in ("compute", "summarize", "list"):
            yield from offers.signs(offers.ARITHMETIC)
        return
    if here.frame.listed or (place.negated and here.frame.sign):
        return
    if here.frame.range_open:
        yield from offers.words(("and",), ItemKind.KEYWORD)
    elif here.frame.sign or (place.last == "RPAR" and here.before is None):
        yield from offers.words(("and", "or"), ItemKind.KEYWORD)
    elif here.before is not None:
        found = offers.operators(here.before)
        yield from (item for item in found if item.label in NEGATABLE) if place.negated else found


def _chained(place: Place, state: State) -> Iterator[Item]:
    """After an aggregate: only the time since."""
    if _clause(place, state) in ("compute", "summarize"):
        item = FUNCTIONS["time_elapsed"]
        yield Item("time_elapsed()", ItemKind.FUNCTION, "duration", item.doc, ".time_elapsed()")
