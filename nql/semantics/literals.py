"""Constants: what was written, as a typed value in physical form.

In: a literal node of the syntax, and for `constant` the type it stands beside. Out: a `Literal`, `DateLiteral` or
`Parameter` of the plan. Invariant: a literal has the type of what it is compared with or it is an error that shows
how one of that type is written. Coercions are those of the language: whole numbers to floats, bare numbers to seconds
and bytes, quoted members of an enum.
"""

from __future__ import annotations

import re
from datetime import date

from nql.datatypes import (
    BOOLEAN,
    BYTES,
    DURATION,
    FLOAT,
    INT,
    IP,
    MICROSECONDS,
    SIZE,
    STRING,
    VERSION,
    DataType,
    Kind,
    enum_text,
    ip_text,
)
from nql.diagnostics import Fix, Span
from nql.plan.expressions import DateLiteral, Expr, Literal, Parameter
from nql.plan.plan import ParameterUse
from nql.plan.windows import Moment
from nql.rules import Rules
from nql.semantics.problems import Problems, Reported, did_you_mean, replacements
from nql.semantics.scope import State
from nql.syntax import ast

_INT64 = 2**63 - 1
_SIZES = {name.lower(): power for power, name in enumerate(BYTES)}
_DURATIONS = {**MICROSECONDS, "m": MICROSECONDS["min"]}
_WORDS = {"sec": "s", "second": "s", "mins": "min", "minute": "min", "hour": "h", "day": "d"}
_LONG = {"w": 7, "week": 7, "month": 30, "mon": 30, "y": 365, "year": 365}
_WILD = re.compile(r"[*?]")

EXAMPLES = {
    Kind.STRING: 'a text in quotes, such as "abc"',
    Kind.INT: "a number, such as 10",
    Kind.FLOAT: "a number, such as 10.5",
    Kind.PERCENTAGE: "a number, such as 75",
    Kind.BOOLEAN: "true or false",
    Kind.DATETIME: "a date, such as 2024-11-08 or 2024-11-08 13:00",
    Kind.DURATION: "a duration, such as 5min or 7d",
    Kind.BYTES: "a size, such as 8GB",
    Kind.ENUM: "one of its values, without quotes",
    Kind.VERSION: "a version, such as v24.4.1",
    Kind.IP: "an address without quotes, such as 10.0.0.0/8",
    Kind.STRINGS: "contains with a text in quotes",
    Kind.OBJECTS: "null",
    Kind.MAP: "null",
}
_SAID = {
    ast.Text: "a text",
    ast.Number: "a number",
    ast.Constant: "true or false",
    ast.Version: "a version",
    ast.Address: "an address",
    ast.Date: "a date",
    ast.Path: "a name",
    ast.Items: "a list",
}
LITERALS: frozenset[type] = frozenset(
    (ast.Text, ast.Number, ast.Constant, ast.Version, ast.Address, ast.Date, ast.Parameter)
)


def is_pattern(text: str) -> bool:
    """Whether a text has wildcards."""
    return _WILD.search(text) is not None


def constant(state: State, node: ast.Expr, dtype: DataType, *, pattern: bool = False) -> Expr:
    """The node as a value of `dtype`. Raises Reported. `pattern` accepts text beside kinds that have a dotted text."""
    problems = state.problems
    match dtype.kind, node:
        case _, ast.Negative(operand=ast.Number()) if dtype.numeric:
            positive = constant(state, node.operand, dtype)
            assert isinstance(positive, Literal)
            assert isinstance(positive.value, int | float)
            return Literal(-positive.value, positive.dtype)
        case _, ast.Parameter():
            return parameter(state, node, dtype)
        case Kind.STRING | Kind.STRINGS | Kind.OBJECTS, ast.Text(value):
            return Literal(value, STRING)
        case Kind.VERSION, ast.Text(value) if pattern:
            return Literal(value, STRING)
        case ((Kind.INT | Kind.FLOAT | Kind.PERCENTAGE | Kind.BYTES | Kind.DURATION), ast.Number()):
            return _quantity(state, node, dtype)
        case Kind.BOOLEAN, ast.Constant(value=bool(value)):
            return Literal(value, BOOLEAN)
        case Kind.DATETIME, ast.Date():
            return DateLiteral(moment(problems, node))
        case Kind.VERSION, ast.Version(text):
            return Literal(text, VERSION)
        case Kind.IP, ast.Address(text) if "/" not in text:
            return Literal(_address(problems, node), IP)
        case Kind.ENUM, ast.Path() | ast.Text() | ast.Number():
            return member(state, node, dtype)
        case _:
            raise mismatch(state, node, dtype)


def mismatch(state: State, node: ast.Expr, dtype: DataType) -> Reported:
    """Records that a literal does not fit beside a type."""
    said = "a value with a unit" if isinstance(node, ast.Number) and node.unit else _SAID.get(type(node), "this")
    kind = dtype.kind.value.replace("_", " ")
    message = f"Expected {EXAMPLES[dtype.kind]}, not {said}: the left side is {_article(kind)}."
    return state.problems.error("NQL301", message, node.span, fixes=_quoting(state, node, dtype))


def number(problems: Problems, node: ast.Number, rules: Rules) -> Literal:
    """A number by its own shape: plain, duration or size. Raises Reported for units and sizes that do not exist."""
    unit = unit_of(problems, node)
    if unit in _DURATIONS:
        value = round(node.value * _DURATIONS[unit])
        return Literal(_fitting(problems, value, node.span), DURATION)
    if unit:
        return Literal(_fitting(problems, round(node.value * rules.kilo ** _SIZES[unit]), node.span), SIZE)
    if isinstance(node.value, float):
        return Literal(node.value, FLOAT)
    return Literal(_fitting(problems, node.value, node.span), INT)


def unit_of(problems: Problems, node: ast.Number) -> str:
    """The unit, one of those that exist, or empty. Raises Reported."""
    unit = node.unit
    if not unit or unit in _DURATIONS or unit in _SIZES:
        return unit
    short = _WORDS.get(unit) or _WORDS.get(unit.removesuffix("s"))
    days = _LONG.get(unit) or _LONG.get(unit.removesuffix("s"))
    fixes: tuple[Fix, ...] = ()
    if short is not None:
        fixes = replacements(node.span, [f"{node.value}{short}"])
    elif days is not None and isinstance(node.value, int):
        fixes = replacements(node.span, [f"{node.value * days}d"])
    hint = "Units are ms, s, min, h, d for durations and B, KB, MB, GB, TB for sizes."
    raise problems.error("NQL303", f"There is no unit {unit}.", node.span, hint, fixes)


def moment(problems: Problems, node: ast.Date) -> Moment:
    """A written date that exists. Raises Reported."""
    try:
        date(node.year or 2000, node.month, node.day)
    except ValueError:
        hint = "Write 2024-11-08 or Nov 8, 2024."
        raise problems.error("NQL304", "There is no such day.", node.span, hint) from None
    if node.year is not None and not 1971 <= node.year <= 2199:
        raise problems.error("NQL304", "Years from 1971 to 2199 are understood.", node.span)
    if (node.hour or 0) > 23 or node.minute > 59 or node.second > 59:
        raise problems.error("NQL304", "There is no such time of day.", node.span, "Write 13:30 or 1:30 PM.")
    if abs(node.zone or 0) >= 24 * 60:
        raise problems.error("NQL304", "No zone is that far from UTC.", node.span, "Write Z, +01:00 or -05:30.")
    return Moment(node.year, node.month, node.day, node.hour, node.minute, node.second, node.zone)


def member(state: State, node: ast.Path | ast.Text | ast.Number, dtype: DataType) -> Literal:
    """A value of an enum in its stored form. Unknown members: an error if the enum is closed, else a warning."""
    match node:
        case ast.Path(text) | ast.Text(text):
            pass
        case _:
            text = f"{node.value}{node.unit}"
    stored = dtype.member(text)
    if stored is not None:
        return Literal(stored, dtype)
    words = state.problems.close(text, dtype.members)
    known = ", ".join(dtype.members[:12])
    hint = did_you_mean(words) or (f"Known values: {known}." if known else "")
    if dtype.closed:
        message = f"{text} is not one of its values."
        raise state.problems.error(
            "NQL305", message, node.span, hint, replacements(node.span, words or dtype.members[:3])
        )
    if dtype.members:
        message = f"{text} is not a known value of this field."
        state.problems.warn("NQL306", message, node.span, hint, replacements(node.span, words))
    return Literal(enum_text(dtype, text), dtype)


def parameter(state: State, node: ast.Parameter, dtype: DataType, *, many: bool = False) -> Parameter:
    """A use of `$name`; its type is that of what stands beside it. Raises Reported if two uses disagree."""
    use = ParameterUse(node.name, dtype, many, state.rules.kilo)
    earlier = state.parameters.setdefault(node.name, use)
    if earlier.dtype.kind is not dtype.kind or earlier.many != many or earlier.length:
        message = f"${node.name} is used as {_article(earlier.dtype.kind.value)} and as {_article(dtype.kind.value)}."
        raise state.problems.error("NQL307", message, node.span, "Use two parameters.")
    return Parameter(node.name, dtype)


def _quantity(state: State, node: ast.Number, dtype: DataType) -> Literal:
    problems = state.problems
    value = number(problems, node, state.rules)
    amount = value.value
    assert isinstance(amount, int | float)
    kind = value.dtype.kind
    if dtype.kind is kind:
        return Literal(amount, DURATION if kind is Kind.DURATION else SIZE if kind is Kind.BYTES else value.dtype)
    if kind in (Kind.INT, Kind.FLOAT):
        if dtype.kind is Kind.DURATION:
            return Literal(_fitting(problems, round(amount * MICROSECONDS["s"]), node.span), DURATION)
        if dtype.kind is Kind.BYTES:
            return Literal(round(amount), SIZE) if kind is Kind.INT else Literal(amount, FLOAT)
        return value
    hint = "Leave the unit out: this is a plain number."
    plain = f"{node.value}"
    message = f"Expected {EXAMPLES[dtype.kind]}, not a value with a unit."
    raise problems.error("NQL301", message, node.span, hint, replacements(node.span, [plain]))


def _fitting(problems: Problems, value: int, span: Span) -> int:
    if abs(value) <= _INT64:
        return value
    raise problems.error("NQL504", "The number is too large.", span, f"At most {_INT64}.")


def _address(problems: Problems, node: ast.Address) -> str:
    try:
        return ip_text(node.text)
    except ValueError:
        raise problems.error(
            "NQL308", f"{node.text} is not an address.", node.span, "Write 10.1.2.3 or fe80::1."
        ) from None


def _quoting(state: State, node: ast.Expr, dtype: DataType) -> tuple[Fix, ...]:
    """The fix for text without quotes, and for quotes around what needs none."""
    written = state.written(node.span)
    if (
        dtype.kind in (Kind.STRING, Kind.STRINGS)
        and not isinstance(node, ast.Items | ast.Constant)
        and '"' not in written
    ):
        return (Fix("Put it in quotes", node.span, f'"{written}"'),)
    if isinstance(node, ast.Text) and re.fullmatch(r"v?[\w.:/ -]{1,40}", node.value):
        match dtype.kind:
            case Kind.VERSION:
                return (Fix("Write it as a version", node.span, f"v{node.value.removeprefix('v')}"),)
            case Kind.INT | Kind.FLOAT | Kind.BOOLEAN | Kind.IP | Kind.DATETIME | Kind.BYTES | Kind.DURATION:
                return (Fix("Remove the quotes", node.span, node.value),)
    return ()


def _article(kind: str) -> str:
    kind = kind.replace("_", " ")
    return f"{'an' if kind[0] in 'aeio' else 'a'} {kind}"
