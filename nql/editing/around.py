"""What the words of a clause before the cursor say about the place after them.

In: a `Place`. Out: an `Around`: the open function and its argument, whether a condition stands there, what the place
is compared with, and the type of what stands right before it. Invariant: looks at terminals and names alone, so that it
works in texts that are not yet a query.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from nql.catalog.model import Field
from nql.datatypes import BOOLEAN, DURATION, INT, STRING, DataType, Kind
from nql.editing.place import Place
from nql.functions import FUNCTIONS, average_type
from nql.semantics.names import FieldRef
from nql.semantics.scope import State
from nql.syntax.operators import DEEPEST, comparison

_AVERAGES = frozenset({"avg", "p05", "p95", "median", "stddev"})
_RESULTS = {"time_elapsed": DURATION, "hour": INT, "day": INT, "day_of_week": INT, "lower": STRING, "upper": STRING}
_ARITHMETIC = frozenset("+-*/^")


@dataclass(frozen=True, slots=True)
class Frame:
    """An open bracket, or the clause itself: the function it belongs to and the name before that, how many commas were
    passed, whether conditions stand in it, and the comparison that is open in it with the place of its sign."""

    function: str = ""
    target: str = ""
    argument: int = 0
    condition: bool = False
    listed: bool = False
    sign: str = ""
    at: int = -1
    range_open: bool = False


@dataclass(frozen=True, slots=True)
class Around:
    """The innermost frame and how many brackets are open, what a value there is compared with by type and field, and
    the type of the value right before it; `owner` is the field before the open function."""

    frame: Frame
    depth: int = 0
    left: DataType | None = None
    field: FieldRef | None = None
    before: DataType | None = None
    owner: FieldRef | None = None


def around(place: Place) -> Around:
    """The surroundings of a place."""
    frames = [Frame(condition=place.clause == "where")]
    for at, (terminal, text) in enumerate(place.tokens):
        _read(frames, place, at, terminal, text)
    frame = frames[-1]
    if frame.listed and len(frames) > 1:
        frame = replace(frames[-2], listed=True)
    depth = len(frames) - 1
    if place.state is None:
        return Around(frame, depth)
    before = type_at(place.state, place.tokens, len(place.tokens) - 1)
    owner = _field_at(place.state, ("PATH", frame.target)) if frame.target else None
    if not frame.sign:
        return Around(frame, depth, before=before, owner=owner)
    left = type_at(place.state, place.tokens, frame.at - 1)
    return Around(frame, depth, left, _field_at(place.state, place.tokens[frame.at - 1]), before, owner)


def _read(frames: list[Frame], place: Place, at: int, terminal: str, text: str) -> None:
    frame = frames[-1]
    match terminal:
        case "LPAR":
            frames.append(_opened(frame, place.tokens[at - 1] if at else ("", "")))
        case "LSQB":
            frames.append(Frame(condition=frame.condition, listed=True))
        case "RPAR" | "RSQB":
            if len(frames) > 1:
                frames.pop()
        case "COMMA":
            condition = frame.condition and frame.function != "if"
            frames[-1] = replace(frame, argument=frame.argument + 1, sign="", at=-1, condition=condition)
        case "OPERATOR":
            frames[-1] = _signed(frame, comparison("".join(text.lower().split())), at)
        case "ASSIGN":
            frames[-1] = replace(frame, sign="", at=-1)


def _opened(outer: Frame, before: tuple[str, str]) -> Frame:
    terminal, text = before
    if terminal not in ("PATH", "CHAIN"):
        return Frame(condition=outer.condition)
    target, _, name = text.rpartition(".")
    function = FUNCTIONS.get(name.strip().lower())
    condition = function is not None and (function.condition or function.name == "if")
    return Frame(name.strip().lower(), target, condition=condition)


def _signed(frame: Frame, sign: str, at: int) -> Frame:
    if sign in ("and", "or"):
        if sign == "and" and frame.range_open:
            return replace(frame, range_open=False)
        return replace(frame, sign="", at=-1, range_open=False)
    if sign in _ARITHMETIC:
        return frame
    return replace(frame, sign=sign, at=at, range_open=sign.endswith("between"))


def type_of(state: State, path: str) -> DataType | None:
    """The type of a name in scope; None if it has none."""
    alias = state.aliases.get(path.lower())
    if alias is not None and state.joined is None:
        return None if alias.broken else alias.column.dtype
    found = state.names.find(state.current.table, path)
    if not isinstance(found, FieldRef):
        return None
    if found.component == "count":
        return INT
    return average_type(found.field.dtype) if found.component == "avg" else found.field.dtype


def type_at(state: State, tokens: tuple[tuple[str, str], ...], at: int, deep: int = 0) -> DataType | None:
    """The type of the value that ends at a token; None if that is not known, as at the end of a very long chain."""
    if at < 0 or deep > DEEPEST:
        return None
    terminal, text = tokens[at]
    if terminal == "PATH":
        return BOOLEAN if text.lower() in ("true", "false") else type_of(state, text)
    if terminal == "TEXT":
        return STRING
    if terminal != "RPAR":
        return None
    opening = _opening(tokens, at)
    if opening < 1 or tokens[opening - 1][0] not in ("PATH", "CHAIN"):
        return None
    target, _, name = tokens[opening - 1][1].rpartition(".")
    name = name.strip().lower()
    if name in ("count", "countif"):
        return INT
    chained = tokens[opening - 1][0] == "CHAIN"
    inner = type_at(state, tokens, opening - 2, deep + 1) if chained else type_of(state, target) if target else None
    if name in _RESULTS:
        return _RESULTS[name]
    return average_type(inner) if inner is not None and name in _AVERAGES and inner.numeric else inner


def _opening(tokens: tuple[tuple[str, str], ...], at: int) -> int:
    depth = 0
    for index in range(at, -1, -1):
        depth += {"RPAR": 1, "LPAR": -1}.get(tokens[index][0], 0)
        if depth == 0:
            return index
    return -1


def _field_at(state: State, token: tuple[str, str]) -> FieldRef | None:
    if token[0] != "PATH" or (state.joined is None and token[1].lower() in state.aliases):
        return None
    found = state.names.find(state.current.table, token[1])
    return found if isinstance(found, FieldRef) else None


def comparable(left: DataType, item: Field | DataType) -> bool:
    """Whether a field's type may stand on the other side of a comparison."""
    other = item.dtype if isinstance(item, Field) else item
    kinds = {other.kind, left.kind}
    if len(kinds) == 1 or kinds <= {Kind.STRING, Kind.ENUM}:
        return True
    return other.numeric and left.numeric and kinds != {Kind.BYTES, Kind.DURATION}
