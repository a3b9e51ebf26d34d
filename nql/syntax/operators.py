"""Gives a flat run of operands and operators its shape, by one table of precedences.

In: `[operand, operator, operand, ...]` as the grammar reads it. Out: one expression. `^` binds tightest and to the
right, then `* /`, `+ -`, comparisons, `and`, `or`. Invariant: no recursion, and no expression deeper than `DEEPEST`,
so that whoever walks the tree later may recurse. Chains of `and` or `or` become one node, however long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nql.diagnostics import Diagnostic, QueryError, Span
from nql.syntax.ast import Binary, Call, Comparison, Expr, Items, Logic, Negative

DEEPEST = 120

_LEVEL = {"or": 1, "and": 2, "+": 4, "-": 4, "*": 5, "/": 5, "^": 6}
_COMPARISON = 3


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator as written, in lower case and without inner space."""

    text: str
    span: Span


def shape(parts: Sequence[Expr | Operator]) -> Expr:
    """The expression of a run; operands stand at even places, operators at odd ones."""
    operands: list[Expr] = [_operand(parts[0])]
    waiting: list[Operator] = []
    for index in range(1, len(parts), 2):
        operator = parts[index]
        assert isinstance(operator, Operator)
        level = _LEVEL.get(operator.text, _COMPARISON)
        while waiting and _before(waiting[-1], level):
            _reduce(operands, waiting.pop())
        waiting.append(operator)
        operands.append(_operand(parts[index + 1], keep=operator.text in ("in", "!in")))
    while waiting:
        _reduce(operands, waiting.pop())
    return operands[0]


def bounded(depth: int, span: Span) -> int:
    """`depth` if it is allowed. Raises QueryError."""
    if depth <= DEEPEST:
        return depth
    message = f"The expression is nested more than {DEEPEST} levels deep."
    raise QueryError([Diagnostic("NQL502", message, span, "Split it over several clauses or items.")])


def depth(expr: Expr) -> int:
    """The height of an expression."""
    return expr.depth if isinstance(expr, Binary | Comparison | Logic | Call | Negative | Items) else 0


def _operand(part: Expr | Operator, *, keep: bool = False) -> Expr:
    """An operand without the round brackets around it, unless they stand in the place of a list."""
    assert not isinstance(part, Operator)
    return part.items[0] if isinstance(part, Items) and not part.square and len(part.items) == 1 and not keep else part


def _before(earlier: Operator, level: int) -> bool:
    own = _LEVEL.get(earlier.text, _COMPARISON)
    return own > level or (own == level and level != _LEVEL["^"])


def _reduce(operands: list[Expr], operator: Operator) -> None:
    right, left = operands.pop(), operands.pop()
    span = left.span.join(right.span)
    high = bounded(max(depth(left), depth(right)) + 1, span)
    match _LEVEL.get(operator.text, _COMPARISON):
        case 1 | 2:
            operands.append(_logic(operator.text, left, right, span, high))
        case 3:
            op = "==" if operator.text == "=" else operator.text
            operands.append(Comparison(op, left, right, span, operator.span, high))
        case _:
            operands.append(Binary(operator.text, left, right, span, high))


def _logic(op: str, left: Expr, right: Expr, span: Span, high: int) -> Expr:
    if isinstance(left, Logic) and left.op == op:
        high = bounded(max(left.depth, depth(right) + 1), span)
        return Logic(op, (*left.operands, right), span, high)
    return Logic(op, (left, right), span, high)
