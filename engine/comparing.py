"""In which form two operands are compared, decided once for all engines.

In: typed operands or plain values of a plan. Out: the type whose comparable form both sides take, and constants in
that form. Invariant: comparing never depends on the side a constant stands on. How an engine computes the form of a
column is its own.
"""

from __future__ import annotations

from nql.datatypes import STRING, DataType, Kind, version_key
from nql.plan.expressions import (
    And,
    Arithmetic,
    Call,
    Column,
    Compare,
    Expr,
    IsNull,
    Literal,
    Match,
    Matches,
    MemberOf,
    Not,
    Or,
    Value,
)


def common_type(left: Expr, right: Expr) -> DataType:
    """The type in whose form two operands are compared: text if either is text, or two enums of different members."""
    kinds = (left.dtype.kind, right.dtype.kind)
    if Kind.STRING in kinds:
        return STRING
    constants = isinstance(left, Literal) or isinstance(right, Literal)
    if Kind.ENUM in kinds and not constants and left.dtype.members != right.dtype.members:
        return STRING
    return right.dtype if isinstance(left, Literal) else left.dtype


def member_type(operand: Expr, values: tuple[Literal, ...]) -> DataType:
    """The type in whose form an operand is looked up among values."""
    return STRING if any(value.dtype.kind is Kind.STRING for value in values) else operand.dtype


def comparable_value(value: Value, dtype: DataType) -> Value:
    """A plain value in the form in which values of `dtype` are compared."""
    if not isinstance(value, str):
        return value
    if dtype.kind is Kind.STRING:
        return value.lower()
    return version_key(value) if dtype.kind is Kind.VERSION else value


def picks_few(condition: Expr) -> bool:
    """Whether a condition is likely to hold for few objects of a table: those of which a text is a given one."""
    return (
        isinstance(condition, Compare)
        and condition.op == "=="
        and condition.left.dtype.kind is Kind.STRING
        and isinstance(condition.right, Literal)
    )


def holds_for_nothing(expr: Expr) -> bool | None:
    """Whether a condition holds where all columns it reads are null; None where that is not known."""
    match expr:
        case And():
            return _all(expr.operands)
        case Or():
            holds = [holds_for_nothing(operand) for operand in expr.operands]
            return True if True in holds else None if None in holds else False
        case Not():
            holds_inside = holds_for_nothing(expr.operand)
            return None if holds_inside is None else not holds_inside
        case IsNull():
            return not expr.negated if _null(expr.operand) else None
        case Match() | Matches() | MemberOf():
            return expr.negated and expr.null_is_value if _null(expr.operand) else None
        case Compare():
            return _compared(expr)
        case _:
            return None


def _all(operands: tuple[Expr, ...]) -> bool | None:
    holds = [holds_for_nothing(operand) for operand in operands]
    return False if False in holds else None if None in holds else True


def _compared(expr: Compare) -> bool | None:
    left, right = _null(expr.left), _null(expr.right)
    if left is None or right is None or not (left or right):
        return None
    equal = left and right
    return expr.null_is_value and expr.op in ("==", "!=") and equal == (expr.op == "==")


def _null(expr: Expr) -> bool | None:
    """Whether an operand is null where all columns are; None where that is not known."""
    match expr:
        case Column():
            return True
        case Literal():
            return expr.value is None
        case Call():
            return _null(expr.operand)
        case Arithmetic():
            return True if _null(expr.left) or _null(expr.right) else None
        case _:
            return None
