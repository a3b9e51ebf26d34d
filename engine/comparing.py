"""In which form two operands are compared, decided once for all engines.

In: typed operands or plain values of a plan. Out: the type whose comparable form both sides take, and constants in
that form. Invariant: comparing never depends on the side a constant stands on. How an engine computes the form of a
column is its own.
"""

from __future__ import annotations

from nql.datatypes import STRING, DataType, Kind, version_key
from nql.plan.expressions import Expr, Literal, Value


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
