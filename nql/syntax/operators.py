"""Gives a flat run of operands and operators its shape, by one table of precedences.

In: `[operand, operator, operand, ...]` as the grammar reads it, with any number of `not` before an operand. Out: one
expression. `^` binds tightest and to the right, then `* /`, `+ -`, comparisons, `not`, `and`, `or`; the `and` of a
`between` belongs to it. Invariant: no recursion, and no expression deeper than `DEEPEST`, so that whoever walks the
tree later may recurse. Chains of `and` or `or` become one node, however long.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from nql.diagnostics import Diagnostic, QueryError, Span
from nql.syntax.ast import Binary, Comparison, Expr, Items, Logic, Not

DEEPEST = 120

_OR, _AND, _NOT, _COMPARISON, _RANGE, _SUM, _PRODUCT, _POWER = range(1, 9)
_LEVEL = {"or": _OR, "and": _AND, "not": _NOT, "+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "^": _POWER}
_SPELLED = {
    "=": "==", "isnot": "is not", "startswith": "starts with", "endswith": "ends with",
    "!startswith": "!starts with", "!endswith": "!ends with",
}  # fmt: skip
_SPACES = re.compile(r"\s+")
_PLAIN = frozenset({"==", "!=", "<=", ">=", "and", "or", "in", "contains"})  # written as they are meant
NEGATED = ("in", "contains", "matches", "like", "between", "startswith", "endswith")


class Operator(NamedTuple):
    """An operator as written, in lower case and without inner space, with its level of precedence."""

    text: str
    span: Span
    level: int


def operator(text: str, span: Span) -> Operator:
    """The operator of a text."""
    bare = text if len(text) == 1 or text in _PLAIN else _SPACES.sub("", text).lower()
    return Operator(bare, span, _LEVEL.get(bare, _COMPARISON))


def shape(parts: Sequence[Expr | Operator]) -> Expr:
    """The expression of a run: operands with an operator between each two, and any number of `not` before each."""
    if len(parts) == 1 and not isinstance(parts[0], Operator | Items):
        return parts[0]
    operands: list[Expr] = []
    waiting: list[Operator] = []
    keep = False
    for part in parts:
        if not isinstance(part, Operator):
            operands.append(part if keep or not isinstance(part, Items) else _bare(part))
            continue
        if part.level == _AND and _between(waiting):
            part = Operator("..", part.span, _RANGE)
        elif part.level == _NOT:
            waiting.append(part)
            continue
        level = part.level
        while waiting and (waiting[-1].level > level or waiting[-1].level == level != _POWER):
            _reduce(operands, waiting.pop())
        waiting.append(part)
        keep = part.text in ("in", "!in")
    while waiting:
        _reduce(operands, waiting.pop())
    return operands[0]


def comparison(text: str) -> str:
    """The name of a comparison from its text in lower case and without space: `not in` is `!in`."""
    if text.startswith("not") and text[3:] in NEGATED:
        text = f"!{text[3:]}"
    return _SPELLED.get(text, text)


def bounded(depth: int, span: Span) -> int:
    """`depth` if it is allowed. Raises QueryError."""
    if depth <= DEEPEST:
        return depth
    message = f"The expression is nested more than {DEEPEST} levels deep."
    raise QueryError([Diagnostic("NQL502", message, span, "Split it over several clauses or items.")])


def depth(expr: Expr) -> int:
    """The height of an expression."""
    height: int = getattr(expr, "depth", 0)
    return height


def _bare(part: Items) -> Expr:
    """An operand without the round brackets around it."""
    return part.items[0] if not part.square and len(part.items) == 1 else part


def _between(waiting: list[Operator]) -> bool:
    """Whether the next `and` parts the two ends of a `between`."""
    for operator in reversed(waiting):
        if operator.level <= _RANGE:
            return operator.text.endswith("between")
    return False


def _reduce(operands: list[Expr], operator: Operator) -> None:
    right = operands.pop()
    if operator.level == _NOT:
        span = Span(operator.span.start, right.span.end)
        operands.append(Not(right, span, bounded(depth(right) + 1, span)))
        return
    left = operands.pop()
    span = Span(left.span.start, right.span.end)
    high = bounded(max(depth(left), depth(right)) + 1, span)
    if operator.level == _COMPARISON:
        operands.append(Comparison(comparison(operator.text), left, right, span, operator.span, high))
    elif operator.level < _COMPARISON:
        operands.append(_logic(operator.text, left, right, span, high))
    elif operator.level == _RANGE:
        operands.append(Items((left, right), True, span, high))
    else:
        operands.append(Binary(operator.text, left, right, span, high))


def _logic(op: str, left: Expr, right: Expr, span: Span, high: int) -> Expr:
    if isinstance(left, Logic) and left.op == op:
        high = bounded(max(left.depth, depth(right) + 1), span)
        return Logic(op, (*left.operands, right), span, high)
    return Logic(op, (left, right), span, high)
