"""Gives a flat run of operands and operators its shape, by one table of precedences.

In: `[operand, operator, operand, ...]` as the grammar reads it, with any number of `not` before an operand. Out: one
expression. `^` binds tightest and to the right, then `* /`, `+ -`, comparisons, `not`, `and`, `or`; the `and` of a
`between` belongs to it. Invariant: no recursion, and no expression deeper than `DEEPEST`, so that whoever walks the
tree later may recurse. Chains of `and` or `or` become one node, however long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nql.diagnostics import Diagnostic, QueryError, Span
from nql.syntax.ast import Binary, Call, Comparison, Expr, Items, Logic, Negative, Not

DEEPEST = 120

_LEVEL = {"or": 1, "and": 2, "not": 3, "..": 5, "+": 6, "-": 6, "*": 7, "/": 7, "^": 8}
_COMPARISON = 4
_SPELLED = {
    "=": "==", "isnot": "is not", "startswith": "starts with", "endswith": "ends with",
    "!startswith": "!starts with", "!endswith": "!ends with",
}  # fmt: skip
NEGATED = ("in", "contains", "matches", "like", "between", "startswith", "endswith")


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator as written, in lower case and without inner space."""

    text: str
    span: Span


def shape(parts: Sequence[Expr | Operator]) -> Expr:
    """The expression of a run: operands with an operator between each two, and any number of `not` before each."""
    operands: list[Expr] = []
    waiting: list[Operator] = []
    keep = False
    for part in parts:
        if not isinstance(part, Operator):
            operands.append(_operand(part, keep=keep))
            continue
        if part.text == "not":
            waiting.append(part)
            continue
        if part.text == "and" and _between(waiting):
            part = Operator("..", part.span)
        level = _LEVEL.get(part.text, _COMPARISON)
        while waiting and _before(waiting[-1], level):
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
    return expr.depth if isinstance(expr, Binary | Comparison | Logic | Call | Negative | Not | Items) else 0


def _operand(part: Expr | Operator, *, keep: bool = False) -> Expr:
    """An operand without the round brackets around it, unless they stand in the place of a list."""
    assert not isinstance(part, Operator)
    return part.items[0] if isinstance(part, Items) and not part.square and len(part.items) == 1 and not keep else part


def _before(earlier: Operator, level: int) -> bool:
    own = _LEVEL.get(earlier.text, _COMPARISON)
    return own > level or (own == level and level != _LEVEL["^"])


def _between(waiting: list[Operator]) -> bool:
    """Whether the next `and` parts the two ends of a `between`."""
    for operator in reversed(waiting):
        level = _LEVEL.get(operator.text, _COMPARISON)
        if level <= _LEVEL[".."]:
            return operator.text.endswith("between")
    return False


def _reduce(operands: list[Expr], operator: Operator) -> None:
    right = operands.pop()
    if operator.text == "not":
        span = operator.span.join(right.span)
        operands.append(Not(right, span, bounded(depth(right) + 1, span)))
        return
    left = operands.pop()
    span = left.span.join(right.span)
    high = bounded(max(depth(left), depth(right)) + 1, span)
    match _LEVEL.get(operator.text, _COMPARISON):
        case 1 | 2:
            operands.append(_logic(operator.text, left, right, span, high))
        case 4:
            operands.append(Comparison(comparison(operator.text), left, right, span, operator.span, high))
        case 5:
            operands.append(Items((left, right), True, span, high))
        case _:
            operands.append(Binary(operator.text, left, right, span, high))


def _logic(op: str, left: Expr, right: Expr, span: Span, high: int) -> Expr:
    if isinstance(left, Logic) and left.op == op:
        high = bounded(max(left.depth, depth(right) + 1), span)
        return Logic(op, (*left.operands, right), span, high)
    return Logic(op, (left, right), span, high)
