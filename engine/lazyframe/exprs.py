"""Expressions of a plan in Polars.

In: a typed expression of a resolved plan. Out: a Polars expression over columns of the same names. Conditions may
come out null where they do not hold: a filter and an aggregate's condition read that as false, and so does `Not`
before it turns it round. Invariant: what null yields is exactly what the plan says; `value` gives
conditions as plain true or false.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from operator import and_, eq, ge, gt, le, lt, ne, or_
from typing import Any

import polars as pl

from engine.comparing import common_type, comparable_value, member_type
from engine.lazyframe.dtypes import (
    EMPTY,
    FALSE,
    FLOAT64,
    INT64,
    col,
    comparable,
    comparable_constant,
    compared,
    constant,
    constants,
    elements,
    folded,
    held,
    some,
)
from engine.lazyframe.functions import SCALARS
from engine.patterns import Pattern, Shape, classify, regex
from nql.datatypes import DataType, Kind, Physical
from nql.plan.expressions import (
    And,
    Arithmetic,
    Call,
    Coalesce,
    Column,
    Compare,
    Expr,
    If,
    IsNull,
    Literal,
    Match,
    Matches,
    MemberOf,
    Not,
    Or,
    columns,
)

_COMPARE: Mapping[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "==": eq,
    "!=": ne,
    "<": lt,
    ">": gt,
    "<=": le,
    ">=": ge,
}
_NULL_SAFE: dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "==": lambda left, right: left.eq_missing(right),
    "!=": lambda left, right: left.ne_missing(right),
}
_EXACT: dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
}
_REAL: dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    **_EXACT,
    "/": lambda left, right: left / right,
    "^": lambda left, right: left.pow(right),
}

NO_NUMBERS = (float("inf"), float("-inf"), float("nan"))


def expression(expr: Expr) -> pl.Expr:
    """A Polars expression; a condition may be null where it does not hold. No builder uses an operand twice that may
    hold the same builder's work: nested in each other they would double at every level."""
    build = _BUILDERS.get(type(expr))
    if build is None:
        raise TypeError(f"the plan is not resolved: {type(expr).__name__}")
    return build(expr)


def all_of(conditions: Iterable[Expr]) -> pl.Expr:
    """One or more conditions that all have to hold; may be null where they do not."""
    return reduce(and_, map(expression, conditions))


def value(expr: Expr) -> pl.Expr:
    """A Polars expression for a column: conditions are true or false, never null."""
    built = expression(expr)
    return built.fill_null(FALSE) if isinstance(expr, _CONDITIONS) else built


def _arithmetic(expr: Arithmetic) -> pl.Expr:
    left, right = expression(expr.left), expression(expr.right)
    if expr.dtype.physical is Physical.FLOAT64:
        real = _REAL[expr.op](left.cast(FLOAT64), right.cast(FLOAT64))
        return real.replace(NO_NUMBERS, None)
    if Physical.FLOAT64 in (expr.left.dtype.physical, expr.right.dtype.physical):
        return _REAL[expr.op](left, right).round().cast(INT64, strict=False)
    if Kind.DATETIME in (expr.left.dtype.kind, expr.right.dtype.kind):
        return _EXACT[expr.op](left, right)
    wide = _EXACT[expr.op](left.cast(pl.Int128), right.cast(pl.Int128))
    return wide.cast(INT64, strict=False)  # null beyond 64 bits


def _choice(expr: If) -> pl.Expr:
    then, otherwise = (held(value(part), expr.dtype) for part in (expr.then, expr.otherwise))
    return pl.when(expression(expr.condition)).then(then).otherwise(otherwise)


def _coalesce(expr: Coalesce) -> pl.Expr:
    operand, other = (held(value(part), expr.dtype) for part in (expr.operand, expr.other))
    return pl.coalesce(operand, other)


def _compare(expr: Compare) -> pl.Expr:
    dtype = common_type(expr.left, expr.right)
    table = _NULL_SAFE if expr.null_is_value and expr.op in _NULL_SAFE else _COMPARE
    return table[expr.op](_side(expr.left, dtype), _side(expr.right, dtype))


def _side(expr: Expr, dtype: DataType) -> pl.Expr:
    if isinstance(expr, Literal):
        return comparable_constant(expr, dtype)
    return compared(expr.name, dtype.kind) if isinstance(expr, Column) else comparable(expression(expr), dtype)


def _match(expr: Match) -> pl.Expr:
    if not isinstance(expr.pattern, Literal):
        raise TypeError("the plan is not resolved: Parameter")
    pattern = classify(str(expr.pattern.value))
    operand = expression(expr.operand)
    dtype = expr.operand.dtype
    if dtype.kind in (Kind.STRINGS, Kind.OBJECTS):
        hit = elements(operand, dtype).list.eval(matches(pl.element(), pattern).fill_null(FALSE)).list.any()
        if not expr.negated:
            return some(operand, dtype) & hit
        return pl.when(some(operand, dtype)).then(~hit).otherwise(pl.lit(expr.null_is_value))
    hit = matches(operand, pattern)
    if not expr.negated:
        return hit
    return (~hit).fill_null(expr.null_is_value)


def _matches(expr: Matches) -> pl.Expr:
    operand = expression(expr.operand)
    hit = operand.str.contains(f"(?is){expr.pattern}")
    return (~hit).fill_null(expr.null_is_value) if expr.negated else hit


def matches(text: pl.Expr, pattern: Pattern) -> pl.Expr:
    """Whether a text matches a pattern; null for null."""
    low = folded(text)
    match pattern.shape:
        case Shape.EXACT:
            return low == pattern.text
        case Shape.PREFIX:
            return low.str.starts_with(pattern.text)
        case Shape.SUFFIX:
            return low.str.ends_with(pattern.text)
        case Shape.CONTAINS:
            return low.str.contains(pattern.text, literal=True)
        case Shape.ANY:
            return pl.when(text.is_not_null()).then(True)
        case Shape.NEVER:
            return pl.when(text.is_not_null()).then(False)
        case Shape.GENERAL:
            return low.str.contains(regex(pattern.text))


def _is_null(expr: IsNull) -> pl.Expr:
    operand, dtype = expression(expr.operand), expr.operand.dtype
    if expr.negated:
        return some(operand, dtype)
    return ~some(operand, dtype) if dtype.kind in EMPTY else operand.is_null()


def _member(expr: MemberOf) -> pl.Expr:
    if not isinstance(expr.values, tuple):
        raise TypeError("the plan is not resolved: Parameter")
    dtype = member_type(expr.operand, expr.values)
    values: list[Any] = [comparable_value(item.value, dtype) for item in expr.values]
    form = _side(expr.operand, dtype)
    real = any(isinstance(item, float) or (isinstance(item, int) and abs(item) >= 2**63) for item in values)
    if real:
        hit = form.cast(FLOAT64).is_in(pl.Series([[*map(float, values)]], dtype=pl.List(pl.Float64())))
    else:
        hit = form.is_in(constants(tuple(values), dtype))
    if not columns(expr.operand):
        hit = hit.first()  # else a column of one row, which does not stretch as a constant does
    if not expr.negated:
        return hit
    return (~hit).fill_null(expr.null_is_value)


_CONDITIONS = (Compare, Match, Matches, MemberOf, And, Or)
_BUILDERS: Mapping[type[Expr], Callable[[Any], pl.Expr]] = {
    Column: lambda expr: col(expr.name),
    Literal: lambda expr: constant(expr.value, expr.dtype),
    Arithmetic: _arithmetic,
    Call: lambda expr: SCALARS[expr.function](expression(expr.operand), expr),
    If: _choice,
    Coalesce: _coalesce,
    Compare: _compare,
    Match: _match,
    Matches: _matches,
    Not: lambda expr: ~expression(expr.operand).fill_null(FALSE),
    IsNull: _is_null,
    MemberOf: _member,
    And: lambda expr: all_of(expr.operands),
    Or: lambda expr: reduce(or_, map(expression, expr.operands)),
}
