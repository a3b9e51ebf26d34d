"""Functions of one row that NQL lacks: `if`, `default`, `round`, `abs`, `lower`, `upper`.

In: a call and the values it works on, understood already. Out: a `Value`. Invariant: the two sides of a choice are of
one type, so that a column has one; digits and lengths are bounded. That these are extensions is said by whoever calls.
"""

from __future__ import annotations

from dataclasses import replace

from nql.datatypes import FLOAT, STRING, DataType, Kind
from nql.functions import FUNCTIONS
from nql.plan.expressions import Call, Coalesce, Expr, If, Literal
from nql.semantics.fields import Value
from nql.semantics.literals import constant
from nql.semantics.names import label
from nql.semantics.scope import State
from nql.syntax import ast

MOST_DIGITS = 9
_MICROS = 6  # a duration is held in microseconds, and rounded in seconds


def of_value(state: State, node: ast.Call, value: Value) -> Value:
    """`value.function(...)`. Raises Reported."""
    function = FUNCTIONS[node.function]
    if value.dtype.kind not in function.operands:
        kind = value.dtype.kind.value.replace("_", " ")
        raise state.problems.error("NQL414", f"{node.function}() is not defined for {kind}.", node.span)
    if node.function == "default":
        return _default(state, node, value)
    digits = _digits(state, node) if node.function == "round" else _nothing(state, node)
    dtype = value.dtype
    if node.function in ("lower", "upper"):
        expr: Expr = Call(node.function, value.expr, STRING)
    elif node.function == "round" and dtype.kind is Kind.INT and digits >= 0:
        expr = value.expr
    else:
        expr = Call(node.function, value.expr, dtype, digits=digits - (_MICROS if dtype.kind is Kind.DURATION else 0))
    if isinstance(node.target, ast.Path | ast.Call):
        return Value(
            expr, f"{value.header}.{node.function}()", f"{value.label} → {label(node.function)}", value.computed
        )
    text = " ".join(state.written(node.span).split())
    return Value(expr, text, text, value.computed)


def choice(state: State, node: ast.Call, condition: Expr, then: Value | None, otherwise: Value | None) -> Value:
    """`if(condition, then, otherwise)`, where None stands for null. Raises Reported."""
    known = [value for value in (then, otherwise) if value is not None]
    if not known:
        raise state.problems.error("NQL301", "if() needs a value that is not null.", node.span)
    dtype = known[0].dtype if len(known) == 1 else _common(known[0].dtype, known[1].dtype)
    if dtype is None:
        kinds = " and ".join(value.dtype.kind.value.replace("_", " ") for value in known)
        raise state.problems.error(
            "NQL301", f"The two values of if() are of kinds {kinds}.", node.span, "Use one kind."
        )
    one, two = (Literal(None, dtype) if value is None else value.expr for value in (then, otherwise))
    text = " ".join(state.written(node.span).split())
    return Value(If(condition, one, two, dtype), text, text, any(value.computed for value in known))


def _default(state: State, node: ast.Call, value: Value) -> Value:
    if len(node.arguments) != 1:
        raise state.problems.error("NQL312", "default() takes one value.", node.span, FUNCTIONS["default"].example)
    other = constant(state, node.arguments[0], value.dtype)
    dtype = _common(value.dtype, other.dtype) or value.dtype
    return Value(Coalesce(value.expr, other, dtype), f"{value.header}.default()", value.label)


def _digits(state: State, node: ast.Call) -> int:
    match node.arguments:
        case ():
            return 0
        case (ast.Number(int(digits), ""),) if digits <= MOST_DIGITS:
            return digits
        case (ast.Negative(ast.Number(int(digits), "")),) if digits <= MOST_DIGITS:
            return -digits
        case _:
            message = f"round() takes a whole number of digits, at most {MOST_DIGITS}."
            raise state.problems.error("NQL312", message, node.span, "Write round(2).")


def _nothing(state: State, node: ast.Call) -> int:
    if node.arguments:
        message = f"{node.function}() takes nothing in its brackets."
        raise state.problems.error("NQL312", message, node.span)
    return 0


def _common(one: DataType, two: DataType) -> DataType | None:
    """The type that holds both, None if there is none."""
    kinds = {one.kind, two.kind}
    if one.kind is two.kind:
        members = tuple(dict.fromkeys((*one.members, *two.members)))
        return replace(one, real=one.real or two.real, members=members, closed=one.closed and two.closed)
    if kinds <= {Kind.INT, Kind.FLOAT, Kind.PERCENTAGE}:
        return FLOAT
    if kinds <= {Kind.STRING, Kind.ENUM}:
        return STRING
    if kinds == {Kind.BYTES, Kind.INT} or kinds == {Kind.BYTES, Kind.FLOAT}:
        size = one if one.kind is Kind.BYTES else two
        return replace(size, real=size.real or Kind.FLOAT in kinds)
    return None
