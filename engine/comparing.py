"""In which form two operands are compared, decided once for all engines.

In: typed operands or plain values of a plan. Out: the type whose comparable form both sides take, and constants in
that form. Invariant: comparing never depends on the side a constant stands on. How an engine computes the form of a
column is its own.
"""

from __future__ import annotations

from nql.datatypes import STRING, DataType, Kind, version_key
from nql.plan.expressions import And, Compare, Expr, IsNull, Literal, Match, MemberOf, Or, Value


def common_type(left: Expr, right: Expr) -> DataType:
    """The type in whose form two operands are compared: text if either is text, or two enums of different members."""
    kinds = {left.dtype.kind, right.dtype.kind}
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


def holds_for_nothing(expr: Expr) -> bool:
    """Whether a condition may hold where all columns it reads are null. True also where that is not known."""
    match expr:
        case And():
            return all(map(holds_for_nothing, expr.operands))
        case Or():
            return any(map(holds_for_nothing, expr.operands))
        case IsNull():
            return not expr.negated
        case Match() | MemberOf():
            return expr.negated and expr.null_is_value
        case Compare(op="=="):
            return expr.null_is_value and not _given(expr.left) and not _given(expr.right)
        case Compare(op="!="):
            return expr.null_is_value
        case Compare():
            return False
        case _:
            return True


def _given(expr: Expr) -> bool:
    """Whether an operand is a value that is not null."""
    return isinstance(expr, Literal) and expr.value is not None
