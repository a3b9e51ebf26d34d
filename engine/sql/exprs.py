"""Expressions of a plan in SQL.

In: a typed expression of a resolved plan. Out: a sqlglot node over columns of the input relation. Conditions may come
out null where they do not hold: a filter and an aggregate's condition read that as false, and so does `Not` before it
turns it round. Invariant: what null yields is exactly what the plan says; `value` gives conditions
as plain true or false.
"""

from __future__ import annotations

from sqlglot import exp

from engine.comparing import common_type, member_type
from engine.patterns import Pattern, Shape, classify, like
from engine.sql.dtypes import (
    BIGINT,
    DOUBLE,
    WIDE,
    call,
    cast,
    column,
    comparable,
    comparable_constant,
    constant,
    element,
    elements,
    folded,
    some,
    sql_type,
    text,
    try_cast,
)
from engine.sql.functions import SCALARS
from nql.datatypes import Kind, Physical
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
)

_COMPARE: dict[str, type[exp.Binary]] = {
    "==": exp.EQ,
    "!=": exp.NEQ,
    "<": exp.LT,
    ">": exp.GT,
    "<=": exp.LTE,
    ">=": exp.GTE,
}
_NULL_SAFE: dict[str, type[exp.Binary]] = {"==": exp.NullSafeEQ, "!=": exp.NullSafeNEQ}
_ARITHMETIC: dict[str, type[exp.Binary]] = {"+": exp.Add, "-": exp.Sub, "*": exp.Mul, "/": exp.Div}


def expression(expr: Expr) -> exp.Expr:
    """A sqlglot node; a condition may be null where it does not hold."""
    match expr:
        case Column():
            return column(expr.name)
        case Literal():
            return constant(expr.value, expr.dtype)
        case Arithmetic():
            return _arithmetic(expr)
        case Call():
            return SCALARS[expr.function](expression(expr.operand), expr)
        case If():
            return _choice(expr)
        case Coalesce():
            held = sql_type(expr.dtype)
            operand, other = cast(value(expr.operand), held), cast(value(expr.other), held)
            return exp.Coalesce(this=operand, expressions=[other])
        case Compare():
            return _compare(expr)
        case Match():
            return _match(expr)
        case Matches():
            return _matches(expr)
        case Not():
            inner = exp.Coalesce(this=expression(expr.operand), expressions=[exp.false()])
            return exp.Paren(this=exp.Not(this=inner))
        case IsNull():
            return _is_null(expr)
        case MemberOf():
            return _member(expr)
        case And():
            return exp.Paren(this=exp.and_(*map(expression, expr.operands)))
        case Or():
            return exp.Paren(this=exp.or_(*map(expression, expr.operands)))
        case _:
            raise TypeError(f"the plan is not resolved: {type(expr).__name__}")


def value(expr: Expr) -> exp.Expr:
    """A sqlglot node for a column: conditions are true or false, never null."""
    built = expression(expr)
    if isinstance(expr, Compare | Match | Matches | MemberOf | And | Or):
        return exp.Coalesce(this=built, expressions=[exp.false()])
    return built


def _paired(node: type[exp.Binary], left: exp.Expr, right: exp.Expr) -> exp.Expr:
    return exp.Paren(this=node(this=left, expression=right))


def _arithmetic(expr: Arithmetic) -> exp.Expr:
    left, right = expression(expr.left), expression(expr.right)
    if expr.dtype.physical is Physical.FLOAT64:
        return _finite(_real(expr.op, left, right))
    if Physical.FLOAT64 in (expr.left.dtype.physical, expr.right.dtype.physical):
        return try_cast(call("round", _real(expr.op, left, right)), BIGINT)
    if Kind.DATETIME in (expr.left.dtype.kind, expr.right.dtype.kind):
        return _paired(_ARITHMETIC[expr.op], left, right)
    wide = _paired(_ARITHMETIC[expr.op], cast(left, WIDE), cast(right, WIDE))
    return try_cast(wide, BIGINT)  # null beyond 64 bits


def _real(op: str, left: exp.Expr, right: exp.Expr) -> exp.Expr:
    left, right = cast(left, DOUBLE), cast(right, DOUBLE)
    return call("pow", left, right) if op == "^" else _paired(_ARITHMETIC[op], left, right)


def _finite(real: exp.Expr) -> exp.Expr:
    for name in ("infinity", "-infinity", "nan"):
        real = call("nullif", real, cast(exp.Literal.string(name), DOUBLE))
    return real


def _choice(expr: If) -> exp.Expr:
    held = sql_type(expr.dtype)
    then, otherwise = cast(value(expr.then), held), cast(value(expr.otherwise), held)
    return exp.Case().when(expression(expr.condition), then).else_(otherwise)


def _compare(expr: Compare) -> exp.Expr:
    dtype = common_type(expr.left, expr.right)
    left, right = (
        comparable_constant(side, dtype) if isinstance(side, Literal) else comparable(expression(side), dtype)
        for side in (expr.left, expr.right)
    )
    table = _NULL_SAFE if expr.null_is_value and expr.op in _NULL_SAFE else _COMPARE
    return _paired(table[expr.op], left, right)


def _match(expr: Match) -> exp.Expr:
    if not isinstance(expr.pattern, Literal):
        raise TypeError("the plan is not resolved: Parameter")
    pattern = classify(str(expr.pattern.value))
    operand = expression(expr.operand)
    dtype = expr.operand.dtype
    if dtype.kind in (Kind.STRINGS, Kind.OBJECTS):
        found = call("list_filter", elements(operand, dtype), element(matches(exp.column("e"), pattern)))
        hit = _paired(exp.GT, call("len", found), exp.Literal.number(0))
        empty = exp.Not(this=some(operand.copy(), dtype))  # an array is a column, so naming it twice costs nothing
        return _negated(empty, expr.null_is_value, hit) if expr.negated else hit
    hit = matches(operand, pattern)
    return _unlike(hit, expr.null_is_value) if expr.negated else hit


def _unlike(hit: exp.Expr, yields: bool) -> exp.Expr:
    """Not `hit`, which is null for null; `yields` there."""
    return exp.Coalesce(this=exp.Not(this=exp.Paren(this=hit)), expressions=[exp.true() if yields else exp.false()])


def _matches(expr: Matches) -> exp.Expr:
    operand = expression(expr.operand)
    hit = call("regexp_matches", operand, text(f"(?is){expr.pattern}"))
    return _unlike(hit, expr.null_is_value) if expr.negated else hit


def matches(operand: exp.Expr, pattern: Pattern) -> exp.Expr:
    """Whether a text matches a pattern; null for null."""
    match pattern.shape:
        case Shape.EXACT:
            return _paired(exp.EQ, folded(operand), text(pattern.text))
        case Shape.PREFIX:
            return call("starts_with", folded(operand), text(pattern.text))
        case Shape.SUFFIX:
            return call("ends_with", folded(operand), text(pattern.text))
        case Shape.CONTAINS:
            return call("contains", folded(operand), text(pattern.text))
        case Shape.ANY:
            return exp.Case().when(exp.Not(this=_null(operand)), exp.true())
        case Shape.NEVER:
            return exp.Case().when(exp.Not(this=_null(operand)), exp.false())
        case Shape.GENERAL:
            tested = exp.Like(this=folded(operand), expression=text(like(pattern.text)))
            return exp.Paren(this=exp.Escape(this=tested, expression=text("\\")))


def _null(operand: exp.Expr) -> exp.Expr:
    return exp.Paren(this=exp.Is(this=operand, expression=exp.null()))


def _negated(empty: exp.Expr, yields: bool, hit: exp.Expr) -> exp.Expr:
    missed = exp.Not(this=exp.Paren(this=hit))
    if yields:
        return exp.Paren(this=exp.or_(empty, missed))
    return exp.Paren(this=exp.and_(exp.Not(this=empty), missed))


def _is_null(expr: IsNull) -> exp.Expr:
    present = some(expression(expr.operand), expr.operand.dtype)
    return present if expr.negated else exp.Not(this=present)


def _member(expr: MemberOf) -> exp.Expr:
    if not isinstance(expr.values, tuple):
        raise TypeError("the plan is not resolved: Parameter")
    dtype = member_type(expr.operand, expr.values)
    operand = expression(expr.operand)
    values = [comparable_constant(item, dtype) for item in expr.values]
    within = exp.In(this=comparable(operand, dtype), expressions=values) if values else None
    hit = exp.Paren(this=within) if within else exp.Case().when(exp.Not(this=_null(operand)), exp.false())
    return _unlike(hit, expr.null_is_value) if expr.negated else hit
