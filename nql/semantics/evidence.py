"""What a text says of a name without knowing it: the kinds of value that its use allows.

In: expressions as written. Out: each path met, with kinds, told to a listener. A name compared with a text is a text,
with `5GB` a size, with a known field of that field's kind; summed it is a number. Nothing else is looked at. Invariant:
every path of an expression is told at least once, but for words that can only be values: members of enums beside an
operator, the arguments of formats and zones.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from nql.datatypes import BOOLEAN, BYTES, DATETIME, FLOAT, INT, IP, MICROSECONDS, SIZE, STRING, VERSION, DataType, Kind
from nql.datatypes import DURATION as LENGTH
from nql.syntax import ast


class Listener(Protocol):
    """Who is told of paths, and knows some of them."""

    def use(self, path: ast.Path, kinds: frozenset[Kind]) -> None:
        """A path is used as a value of these kinds; none where its use says nothing."""
        ...

    def kind_of(self, path: ast.Path) -> Kind | None:
        """What a path is known to be, None if nothing is known."""
        ...


KEEPING = frozenset({"last", "first", "min", "max", "default", "lower", "upper"})
NUMBERS = frozenset({"sum", "sumif", "avg", "median", "stddev", "round", "abs", "as"})
TIMES = frozenset({"time_elapsed", "hour", "day", "day_of_week"})
NAMED = TIMES | {"as"}
_BYTES = frozenset(unit.lower() for unit in BYTES)
# The first of these that any use asks for is the type of a name; a text where no use says anything.
_TYPES: tuple[DataType, ...] = (
    DATETIME, LENGTH, SIZE, VERSION, IP, DataType(Kind.ENUM), STRING, BOOLEAN, FLOAT, INT,
)  # fmt: skip
_LIKE = {Kind.PERCENTAGE: Kind.FLOAT, Kind.ENUM: Kind.STRING, Kind.STRINGS: Kind.STRING}  # beside a known field
_NOTHING: frozenset[Kind] = frozenset()


def type_for(kinds: Iterable[Kind]) -> DataType:
    """The type that fits all uses best."""
    found = set(kinds)
    return next((dtype for dtype in _TYPES if dtype.kind in found), STRING)


def tell_all(expr: ast.Expr, listener: Listener) -> None:
    """Tell of every path in an expression."""
    match expr:
        case ast.Path():
            listener.use(expr, _NOTHING)
        case ast.Comparison(_, left, right):
            _compared(left, right, listener)
        case ast.Call():
            _called(expr, listener)
        case ast.Binary(_, left, right):
            for side in (left, right):
                _told(side, frozenset({Kind.FLOAT}), listener)
        case _:
            for part in ast.inside(expr):
                tell_all(part, listener)


def subject(expr: ast.Expr) -> ast.Path | None:
    """The path whose own values an expression gives: `x`, `x.last()`, `x.sum()`."""
    while isinstance(expr, ast.Call) and expr.target is not None and _is_value(expr.function):
        expr = expr.target
    return expr if isinstance(expr, ast.Path) else None


def _is_value(function: str) -> bool:
    return function in KEEPING or function in NUMBERS or (function[:1] == "p" and function[1:].isdigit())


def _compared(left: ast.Expr, right: ast.Expr, listener: Listener) -> None:
    for one, other in ((left, right), (right, left)):
        if one is right and _word(one, listener) and isinstance(other, ast.Path):
            continue  # a bare word after an operator is a value of an enum, if it is no field
        _told(one, _kinds(other, listener), listener)


def _told(expr: ast.Expr, kinds: frozenset[Kind], listener: Listener) -> None:
    """Tell of an expression whose value is of these kinds."""
    path = subject(expr)
    if path is not None:
        listener.use(path, kinds)
    if not isinstance(expr, ast.Path):
        tell_all(expr, listener)


def _called(call: ast.Call, listener: Listener) -> None:
    if call.target is not None:
        numbers = call.function in NUMBERS or (call.function[:1] == "p" and call.function[1:].isdigit())
        asked = Kind.DATETIME if call.function in TIMES else Kind.FLOAT if numbers else None
        _told(call.target, _NOTHING if asked is None else frozenset({asked}), listener)
    if call.function not in NAMED:
        for argument in call.arguments:
            tell_all(argument, listener)


def _kinds(expr: ast.Expr, listener: Listener) -> frozenset[Kind]:
    """What kinds of value an expression beside an operator allows."""
    match expr:
        case ast.Text():
            kind = Kind.STRING
        case ast.Number(value, unit):
            kind = _number(value, unit)
        case ast.Version():
            kind = Kind.VERSION
        case ast.Address():
            kind = Kind.IP
        case ast.Date():
            kind = Kind.DATETIME
        case ast.Constant(bool()):
            kind = Kind.BOOLEAN
        case ast.Negative(operand):
            return _kinds(operand, listener)
        case ast.Path():
            known = listener.kind_of(expr)
            if known is not None:
                return frozenset({_LIKE.get(known, known)})
            return frozenset({Kind.ENUM}) if _word(expr, listener) else _NOTHING
        case ast.Call():
            path = subject(expr)
            return _NOTHING if path is None else _kinds(path, listener)
        case ast.Binary():
            kind = Kind.FLOAT
        case ast.Items(items):
            return frozenset[Kind]().union(*(_kinds(item, listener) for item in items))
        case _:
            return _NOTHING
    return frozenset({kind})


def _number(value: float, unit: str) -> Kind:
    if unit.lower() in _BYTES:
        return Kind.BYTES
    if unit.lower() in MICROSECONDS or unit == "m":
        return Kind.DURATION
    return Kind.INT if isinstance(value, int) else Kind.FLOAT


def _word(expr: ast.Expr, listener: Listener) -> bool:
    """Whether a path may be a value of an enum: a bare word that is no field."""
    if not isinstance(expr, ast.Path) or "." in expr.text or expr.text.startswith("#"):
        return False
    return listener.kind_of(expr) is None
