"""Conditions: comparisons, lists and patterns, with the rule for nulls decided in each.

In: a condition of `where`, `countif` or `sumif`. Out: a predicate of the plan. Invariant: predicates are two-valued.
A stored null is a value of its own, so `!=`, `!in` and `!contains` hold for it; a null among computed metrics fails
every comparison; only `= null` and `!= null` ask for it.
"""

from __future__ import annotations

from typing import Literal as Choice
from typing import cast

from nql.datatypes import IP, NUMERIC, ORDERED, STRING, TEXTUAL, VERSION, Kind, ip_range
from nql.diagnostics import Fix
from nql.plan.expressions import (
    And,
    Column,
    Compare,
    DateLiteral,
    Expr,
    IsNull,
    Literal,
    Match,
    Matches,
    MemberOf,
    Not,
    Or,
    SameDay,
)
from nql.plan.windows import Precision
from nql.semantics.arithmetic import as_duration
from nql.semantics.fields import Value, check_comparable
from nql.semantics.infer import as_alias, row_value
from nql.semantics.literals import LITERALS, constant, is_pattern, mismatch, moment, parameter
from nql.semantics.problems import Reported
from nql.semantics.regexes import canonical
from nql.semantics.scope import State
from nql.syntax import ast

CompareOp = Choice["==", "!=", "<", ">", "<=", ">="]
_FLIPPED = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}


def condition(state: State, node: ast.Expr, clause: str) -> Expr:
    """The predicate a condition states. Every broken part is reported. Raises Reported."""
    match node:
        case ast.Logic(op, operands):
            parts: list[Expr] = []
            for operand in operands:
                try:
                    parts.append(condition(state, operand, clause))
                except Reported:
                    continue
            if len(parts) < len(operands):
                raise Reported
            return And(tuple(parts)) if op == "and" else Or(tuple(parts))
        case ast.Comparison():
            return _comparison(state, node, clause)
        case ast.Not(operand):
            return Not(condition(state, operand, clause))
        case _:
            fixes = (Fix("Compare it", node.span, f"{state.written(node.span)} == true"),)
            message = "A condition compares: name, operator, value."
            raise state.problems.error("NQL314", message, node.span, fixes=fixes if isinstance(node, ast.Path) else ())


def _comparison(state: State, node: ast.Comparison, clause: str) -> Expr:
    left, right, op = as_alias(state, node.left), as_alias(state, node.right), node.op
    if _literal(left) and not _literal(right) and op in _FLIPPED:
        left, right, op = right, left, _FLIPPED[op]
    if isinstance(left, ast.Comparison) or isinstance(right, ast.Comparison):
        raise state.problems.error("NQL314", "Comparisons do not chain. Join them with and.", node.span)
    value = row_value(state, left, clause)
    if op == "is" and right != ast.Constant(None) and isinstance(right, ast.Constant):
        op = "=="
    match op:
        case "==" | "!=":  # first, because most are
            return _equality(state, value, right, clause, negated=op == "!=")
        case "is" | "is not":
            return _is(state, value, node, negated=op == "is not")
        case "like" | "!like":
            if not isinstance(right, ast.Text | ast.Parameter):
                raise mismatch(state, right, STRING)
            if value.dtype.kind not in TEXTUAL:
                raise _undefined(state, "like", value, node, "")
            return _equality(state, value, right, clause, negated=op == "!like")
        case "between" | "!between":
            return _between(state, value, node, clause, negated=op == "!between")
        case "matches" | "!matches" | "starts with" | "!starts with" | "ends with" | "!ends with":
            return _text_test(state, value, node, op)
        case "in" | "!in":
            return _membership(state, value, node, negated=op == "!in")
        case "contains" | "!contains":
            return _contains(state, value, node, right, negated=op == "!contains")
        case _:
            return _order(state, value, node, right, cast("CompareOp", op), clause)


def _is(state: State, value: Value, node: ast.Comparison, *, negated: bool) -> Expr:
    if not isinstance(node.right, ast.Constant):
        fix = Fix("Use ==", node.op_span, "!=" if negated else "==")
        raise state.problems.error("NQL302", "is only asks for null.", node.span, fixes=[fix])
    if node.right.value is None:
        return IsNull(value.expr, negated)
    return _equality(state, value, node.right, "where", negated=negated)


def _between(state: State, value: Value, node: ast.Comparison, clause: str, *, negated: bool) -> Expr:
    if not isinstance(node.right, ast.Items) or len(node.right.items) != 2 or not node.right.square:
        raise state.problems.error("NQL312", "between takes two ends: between 1 and 5.", node.span)
    low, high = node.right.items
    signs: tuple[CompareOp, CompareOp] = ("<", ">") if negated else (">=", "<=")
    parts = tuple(_order(state, value, node, end, sign, clause) for end, sign in zip((low, high), signs, strict=True))
    if not negated:
        return And(parts)
    return Or((*parts, IsNull(value.expr)) if state.rules.passes(computed=value.computed) else parts)


def _text_test(state: State, value: Value, node: ast.Comparison, op: str) -> Expr:
    """`matches`, `starts with` and `ends with`."""
    if value.dtype.kind not in TEXTUAL:
        raise _undefined(state, op.lstrip("!"), value, node, "")
    if not isinstance(node.right, ast.Text):
        raise mismatch(state, node.right, STRING)
    text, negated, nulls = node.right.value, op.startswith("!"), state.rules.passes(computed=value.computed)
    match op.lstrip("!"):
        case "starts with":
            return Match(value.expr, Literal(f"{text}*", STRING), negated, nulls)
        case "ends with":
            return Match(value.expr, Literal(f"*{text}", STRING), negated, nulls)
    try:
        return Matches(value.expr, canonical(text), negated, nulls)
    except ValueError as error:
        message = f"This is not a regular expression: {error}."
        raise state.problems.error("NQL316", message, node.right.span, "Such as ^pc-[0-9]+$.") from None


def _literal(node: ast.Expr) -> bool:
    return type(node) in LITERALS or (isinstance(node, ast.Negative) and isinstance(node.operand, ast.Number))


def _equality(state: State, value: Value, node: ast.Expr, clause: str, *, negated: bool) -> Expr:
    expr, nulls = value.expr, state.rules.passes(computed=value.computed)
    kind = expr.dtype.kind
    match node:
        case ast.Constant(value=None):
            return IsNull(expr, negated)
        case ast.Address(text) if kind is Kind.IP and "/" in text:
            return _network(state, expr, node, negated=negated, nulls=nulls)
        case ast.Date() if kind is Kind.DATETIME:
            when = moment(state.problems, node)
            if when.precision is Precision.DAY:
                return SameDay(expr, when, negated, nulls)
            return Compare("!=" if negated else "==", expr, DateLiteral(when), nulls)
        case ast.Text(text) if kind in TEXTUAL and (is_pattern(text) or kind is Kind.VERSION):
            return Match(expr, Literal(text, STRING), negated, nulls)
        case ast.Parameter() if kind in (Kind.STRING, Kind.VERSION):
            return Match(expr, parameter(state, node, STRING), negated, nulls)
        case _ if kind in (Kind.STRINGS, Kind.OBJECTS, Kind.MAP):
            raise _undefined(state, "!=" if negated else "==", value, node, "Use contains.")
        case _ if _literal(node) or (kind is Kind.ENUM and _member(state, value, node)):
            return Compare("!=" if negated else "==", expr, constant(state, node, expr.dtype), nulls)
        case _:
            other = _other_side(state, value, node, clause)
            one, two = _alike(state, value, other, node)
            either = value.computed or other.computed
            return Compare("!=" if negated else "==", one, two, state.rules.passes(computed=either))


def _member(state: State, value: Value, node: ast.Expr) -> bool:
    """Whether a bare word beside an enum is one of its members, or nothing else that is known."""
    if not isinstance(node, ast.Path) or "." in node.text:
        return False
    if value.dtype.member(node.text) is not None:
        return True
    known = node.text.lower() in state.aliases or state.names.find(state.current.table, node.text) is not None
    return not known


def _order(state: State, value: Value, node: ast.Comparison, right: ast.Expr, op: CompareOp, clause: str) -> Expr:
    expr = value.expr
    kind = expr.dtype.kind
    if kind not in ORDERED:
        raise _undefined(state, op, value, node, "It only knows equality." if kind is Kind.ENUM else "")
    match right:
        case ast.Constant(value=None):
            raise state.problems.error("NQL302", f"{op} is not defined for null.", right.span, "Use = null or != null.")
        case ast.Date() if kind is Kind.DATETIME:
            return _before_or_after(state, expr, right, op)
        case _ if _literal(right):
            return Compare(op, expr, constant(state, right, expr.dtype))
        case _:
            other = _other_side(state, value, right, clause)
            one, two = _alike(state, value, other, right)
            return Compare(op, one, two)


def _before_or_after(state: State, expr: Expr, node: ast.Date, op: CompareOp) -> Expr:
    """A day is a whole day on either side: `<=` and `>` speak of its end, `<` and `>=` of its start."""
    when = moment(state.problems, node)
    start = DateLiteral(when)
    if when.precision is Precision.CLOCK or op in ("<", ">="):
        return Compare(op, expr, start)
    same = SameDay(expr, when, negated=op == ">")
    return Or((Compare("<", expr, start), same)) if op == "<=" else And((Compare(">=", expr, start), same))


def _other_side(state: State, value: Value, node: ast.Expr, clause: str) -> Value:
    """The right side of a comparison between two values."""
    if isinstance(node, ast.Items):
        raise state.problems.error("NQL110", "A list can only stand after in.", node.span)
    if isinstance(node, ast.Path) and value.dtype.kind is Kind.STRING and "." not in node.text:
        found = state.names.find(state.current.table, node.text)
        if found is None and node.text.lower() not in state.aliases:
            raise mismatch(state, node, value.dtype)
    return row_value(state, node, clause)


def _alike(state: State, left: Value, right: Value, node: ast.Expr) -> tuple[Expr, Expr]:
    """Both sides, in one unit. Raises Reported if they cannot be compared."""
    check_comparable(state, left, right, node.span)
    one, two = left.dtype.kind, right.dtype.kind
    if one in NUMERIC and two in NUMERIC:
        if (one is Kind.DURATION) != (two is Kind.DURATION) and Kind.BYTES not in (one, two):
            return as_duration(left.expr), as_duration(right.expr)
        if one is two or not {one, two} >= {Kind.BYTES, Kind.DURATION}:
            return left.expr, right.expr
    elif one is two or {one, two} <= {Kind.STRING, Kind.ENUM}:
        return left.expr, right.expr
    elif {one, two} == {Kind.VERSION, Kind.STRING}:
        return _as_version(left.expr), _as_version(right.expr)
    names = one.value.replace("_", " "), two.value.replace("_", " ")
    raise state.problems.error("NQL301", f"A value of kind {names[0]} cannot be compared with {names[1]}.", node.span)


def _as_version(expr: Expr) -> Expr:
    """A text that is compared with a version is one, if it is a column: both are held alike."""
    return Column(expr.name, VERSION) if isinstance(expr, Column) else expr


def _contains(state: State, value: Value, node: ast.Comparison, right: ast.Expr, *, negated: bool) -> Expr:
    kind, nulls = value.dtype.kind, state.rules.passes(computed=value.computed)
    if kind not in (Kind.STRING, Kind.STRINGS, Kind.OBJECTS, Kind.ENUM):
        raise _undefined(state, node.op, value, node, "")
    match right:
        case ast.Text(text):
            whole = kind is Kind.STRINGS or (is_pattern(text) and kind is not Kind.OBJECTS)
            return Match(value.expr, Literal(text if whole else f"*{text}*", STRING), negated, nulls)
        case ast.Parameter():
            return Match(value.expr, parameter(state, right, STRING), negated, nulls)
        case _:
            raise mismatch(state, right, STRING)


def _membership(state: State, value: Value, node: ast.Comparison, *, negated: bool) -> Expr:
    nulls = state.rules.passes(computed=value.computed)
    if value.dtype.kind in (Kind.STRINGS, Kind.OBJECTS, Kind.MAP):
        raise _undefined(state, node.op, value, node, "Use contains.")
    match node.right:
        case ast.Parameter():
            return MemberOf(value.expr, parameter(state, node.right, value.dtype, many=True), negated, nulls)
        case ast.Items(items, True):
            return _one_of(state, value, items, negated=negated)
        case ast.Items(items, False) as found:
            inner = state.written(found.span)[1:-1]
            fix = Fix("Use square brackets", found.span, f"[{inner}]")
            raise state.problems.error("NQL109", "A list stands in square brackets.", found.span, fixes=[fix])
        case other:
            fix = Fix("Put it in square brackets", other.span, f"[{state.written(other.span)}]")
            message = f"{node.op} takes a list in square brackets."
            raise state.problems.error("NQL109", message, other.span, fixes=[fix])


def _one_of(state: State, value: Value, items: tuple[ast.Expr, ...], *, negated: bool) -> Expr:
    """`in [...]`: plain members in one test, nulls and patterns beside it."""
    plain: list[Literal] = []
    parts: list[Expr] = []
    broken = False
    for item in items:
        try:
            part = _equality(state, value, item, "where", negated=negated)
        except Reported:
            broken = True
            continue
        if isinstance(part, Compare) and isinstance(part.right, Literal) and part.left == value.expr:
            plain.append(part.right)
        else:
            parts.append(part)
    if broken:
        raise Reported
    if plain or not parts:
        parts.insert(0, MemberOf(value.expr, tuple(plain), negated, state.rules.passes(computed=value.computed)))
    if len(parts) == 1:
        return parts[0]
    return And(tuple(parts)) if negated else Or(tuple(parts))


def _network(state: State, expr: Expr, node: ast.Address, *, negated: bool, nulls: bool) -> Expr:
    try:
        first, last = ip_range(node.text)
    except ValueError:
        message = f"{node.text} is not a network."
        raise state.problems.error("NQL308", message, node.span, "Write 10.0.0.0/8.") from None
    low, high = Literal(first, IP), Literal(last, IP)
    if not negated:
        return And((Compare(">=", expr, low), Compare("<=", expr, high)))
    outside: list[Expr] = [Compare("<", expr, low), Compare(">", expr, high)]
    return Or((*outside, IsNull(expr)) if nulls else tuple(outside))


def _undefined(state: State, op: str, value: Value, node: ast.Expr, hint: str) -> Reported:
    kind = value.dtype.kind.value.replace("_", " ")
    return state.problems.error(
        "NQL302", f"{op} is not defined for {value.header}, a value of kind {kind}.", node.span, hint
    )
