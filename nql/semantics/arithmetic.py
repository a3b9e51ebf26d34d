"""Types and units of `+ - * / ^`.

In: an operator and two typed expressions. Out: one expression, with the scales that make it right inserted. A
duration is held in microseconds, but arithmetic sees seconds: beside a number in `+ -`, the number is scaled up;
where the unit is lost (a product of durations, a power), the duration is scaled down. Invariant: a unit survives `+
-` with the same unit and `* /` with a number; same unit divided by same unit is a plain number; every other mix drops
the unit.
"""

from __future__ import annotations

from typing import Literal as Choice
from typing import cast

from nql.datatypes import DATETIME, DURATION, FLOAT, INT, SIZE, DataType, Kind
from nql.functions import average_type
from nql.plan.expressions import Arithmetic, Expr, Literal

SECOND = 1_000_000
_MOST = 2**62
Operator = Choice["+", "-", "*", "/", "^"]

_PLAIN = frozenset({Kind.INT, Kind.FLOAT, Kind.PERCENTAGE})
_UNITS = frozenset({Kind.DURATION, Kind.BYTES})


def combine(op: str, left: Expr, right: Expr) -> Expr | None:
    """The typed operation, None where it is not defined."""
    operator = cast("Operator", op)
    one, two = left.dtype.kind, right.dtype.kind
    if Kind.DATETIME in (one, two):
        return _times(operator, left, right)
    if one not in _PLAIN | _UNITS or two not in _PLAIN | _UNITS:
        return None
    if one in _PLAIN and two in _PLAIN:
        whole = one is two is Kind.INT and op in ("+", "-", "*")
        return Arithmetic(operator, left, right, INT if whole else FLOAT)
    if op in ("+", "-"):
        return _sum(operator, left, right)
    if op == "*" and (one in _PLAIN or two in _PLAIN):
        unit, other = (left, right) if one in _UNITS else (right, left)
        exact = other.dtype.kind is Kind.INT and not unit.dtype.real
        return Arithmetic("*", left, right, _plain(unit.dtype, real=not exact))
    if op == "/" and two in _PLAIN:
        return Arithmetic("/", left, right, _plain(left.dtype, real=True))
    if op == "/" and one is two:
        return Arithmetic("/", left, right, FLOAT)
    return Arithmetic(operator, unitless(left), unitless(right), FLOAT)


def unitless(expr: Expr) -> Expr:
    """The number that arithmetic sees: seconds of a duration, bytes of a size."""
    match expr.dtype.kind:
        case Kind.DURATION if isinstance(expr, Literal) and isinstance(expr.value, int | float):
            return Literal(expr.value / SECOND, FLOAT)
        case Kind.DURATION:
            return Arithmetic("/", expr, Literal(SECOND, INT), FLOAT)
        case _:
            return expr


def as_duration(expr: Expr) -> Expr:
    """A number of seconds as a duration; a duration stays as it is."""
    if expr.dtype.kind is Kind.DURATION:
        return expr
    whole = expr.dtype.kind is Kind.INT
    dtype = DURATION if whole else average_type(DURATION)
    if isinstance(expr, Literal) and isinstance(expr.value, int | float):
        return Literal(max(-_MOST, min(_MOST, round(expr.value * SECOND))), DURATION)
    return Arithmetic("*", expr, Literal(SECOND, INT), dtype)


def negative(expr: Expr) -> Expr | None:
    """`-expr`, None where it is not defined."""
    if isinstance(expr, Literal) and isinstance(expr.value, int | float) and not isinstance(expr.value, bool):
        return Literal(-expr.value, expr.dtype)
    if expr.dtype.kind not in _PLAIN | _UNITS:
        return None
    return Arithmetic("-", Literal(0, expr.dtype), expr, expr.dtype)


def _sum(op: Operator, left: Expr, right: Expr) -> Expr:
    one, two = left.dtype.kind, right.dtype.kind
    if Kind.DURATION in (one, two) and Kind.BYTES not in (one, two):
        left, right = as_duration(left), as_duration(right)
        return Arithmetic(op, left, right, _plain(DURATION, real=left.dtype.real or right.dtype.real))
    if Kind.BYTES in (one, two) and Kind.DURATION not in (one, two):
        real = any(side.dtype.real or side.dtype.kind in (Kind.FLOAT, Kind.PERCENTAGE) for side in (left, right))
        return Arithmetic(op, left, right, _plain(SIZE, real=real))
    return Arithmetic(op, unitless(left), unitless(right), FLOAT)


def _times(op: Operator, left: Expr, right: Expr) -> Expr | None:
    one, two = left.dtype.kind, right.dtype.kind
    if op == "-" and one is two:
        return Arithmetic("-", left, right, DURATION)
    if op in ("+", "-") and one is Kind.DATETIME and two in (Kind.DURATION, Kind.INT):
        return Arithmetic(op, left, as_duration(right), DATETIME)
    return None


def _plain(dtype: DataType, *, real: bool) -> DataType:
    return DataType(dtype.kind, dtype.unit, real=real)
