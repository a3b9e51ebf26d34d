"""Expressions of a plan in Polars.

In: a typed expression of a resolved plan. Out: a Polars expression over columns of the same names. Conditions may
come out null where they do not hold: a filter and an aggregate's condition read that as false, and so does `Not`
before it turns it round. Invariant: what null yields is exactly what the plan says; `value` gives
conditions as plain true or false.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import and_, or_

import polars as pl

from engine.comparing import common_type, comparable_value, member_type
from engine.lazyframe.dtypes import (
    comparable,
    comparable_constant,
    constant,
    elements,
    folded,
    polars_type,
    some,
)
from engine.lazyframe.functions import SCALARS
from engine.patterns import Pattern, Shape, classify, regex
from nql.datatypes import Kind, Physical
from nql.plan.expressions import (
    And,
    Arithmetic,
    Call,
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

_COMPARE: dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
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


def expression(expr: Expr) -> pl.Expr:
    """A Polars expression; a condition may be null where it does not hold."""
    match expr:
        case Column():
            return pl.col(expr.name)
        case Literal():
            return constant(expr.value, expr.dtype)
        case Arithmetic():
            return _arithmetic(expr)
        case Call():
            return SCALARS[expr.function](expression(expr.operand), expr)
        case If():
            return _choice(expr)
        case Compare():
            return _compare(expr)
        case Match():
            return _match(expr)
        case Matches():
            return _matches(expr)
        case Not():
            return ~expression(expr.operand).fill_null(False)
        case IsNull():
            return _is_null(expr)
        case MemberOf():
            return _member(expr)
        case And():
            return reduce(and_, map(expression, expr.operands))
        case Or():
            return reduce(or_, map(expression, expr.operands))
        case _:
            raise TypeError(f"the plan is not resolved: {type(expr).__name__}")


def value(expr: Expr) -> pl.Expr:
    """A Polars expression for a column: conditions are true or false, never null."""
    built = expression(expr)
    return built.fill_null(False) if isinstance(expr, Compare | Match | Matches | MemberOf | And | Or) else built


def _arithmetic(expr: Arithmetic) -> pl.Expr:
    left, right = expression(expr.left), expression(expr.right)
    if expr.dtype.physical is Physical.FLOAT64:
        real = _REAL[expr.op](left.cast(pl.Float64), right.cast(pl.Float64))
        return pl.when(real.is_finite()).then(real)
    if Physical.FLOAT64 in (expr.left.dtype.physical, expr.right.dtype.physical):
        return _REAL[expr.op](left, right).round().cast(pl.Int64, strict=False)
    if Kind.DATETIME in (expr.left.dtype.kind, expr.right.dtype.kind):
        return _EXACT[expr.op](left, right)
    wide = _EXACT[expr.op](left.cast(pl.Int128), right.cast(pl.Int128))
    return wide.cast(pl.Int64, strict=False)  # null beyond 64 bits


def _choice(expr: If) -> pl.Expr:
    held = polars_type(expr.dtype)
    return (
        pl.when(expression(expr.condition))
        .then(value(expr.then).cast(held))
        .otherwise(value(expr.otherwise).cast(held))
    )


def _compare(expr: Compare) -> pl.Expr:
    dtype = common_type(expr.left, expr.right)
    left, right = (
        comparable_constant(side, dtype) if isinstance(side, Literal) else comparable(expression(side), dtype)
        for side in (expr.left, expr.right)
    )
    table = _NULL_SAFE if expr.null_is_value and expr.op in _NULL_SAFE else _COMPARE
    return table[expr.op](left, right)


def _match(expr: Match) -> pl.Expr:
    if not isinstance(expr.pattern, Literal):
        raise TypeError("the plan is not resolved: Parameter")
    pattern = classify(str(expr.pattern.value))
    operand = expression(expr.operand)
    dtype = expr.operand.dtype
    if dtype.kind in (Kind.STRINGS, Kind.OBJECTS):
        hit = elements(operand, dtype).list.eval(matches(pl.element(), pattern).fill_null(False)).list.any()
        if not expr.negated:
            return some(operand, dtype) & hit
        return pl.when(some(operand, dtype)).then(~hit).otherwise(pl.lit(expr.null_is_value))
    hit = matches(operand, pattern)
    if not expr.negated:
        return hit
    return _null_as(operand.is_null(), expr.null_is_value, ~hit)


def _matches(expr: Matches) -> pl.Expr:
    operand = expression(expr.operand)
    hit = operand.str.contains(f"(?is){expr.pattern}")
    return _null_as(operand.is_null(), expr.null_is_value, ~hit) if expr.negated else hit


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


def _null_as(is_null: pl.Expr, yields: bool, condition: pl.Expr) -> pl.Expr:
    return is_null | condition if yields else ~is_null & condition


def _is_null(expr: IsNull) -> pl.Expr:
    present = some(expression(expr.operand), expr.operand.dtype)
    return present if expr.negated else ~present


def _member(expr: MemberOf) -> pl.Expr:
    if not isinstance(expr.values, tuple):
        raise TypeError("the plan is not resolved: Parameter")
    dtype = member_type(expr.operand, expr.values)
    values = [comparable_value(item.value, dtype) for item in expr.values]
    operand = expression(expr.operand)
    form = comparable(operand, dtype)
    real = any(isinstance(item, float) or (isinstance(item, int) and abs(item) >= 2**63) for item in values)
    held = pl.Float64() if real else polars_type(dtype)
    hit = (form.cast(held) if real else form).is_in(pl.Series(values, dtype=held, strict=False).implode())
    if not columns(expr.operand):
        hit = hit.first()  # else a column of one row, which does not stretch as a constant does
    if not expr.negated:
        return hit
    return _null_as(operand.is_null(), expr.null_is_value, ~hit)
