"""Generated expressions: any condition and any number that the language could ask for over the columns of a relation.

In: a source of chance and a schema. Out: typed expressions. Constants are mostly values that the tables of `tables`
hold, so that most conditions keep some rows. Invariant: everything is well typed, and as the meaning of a text would
build it.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any
from typing import Literal as Choice

from nql.datatypes import FLOAT, INT, STRING, DataType, Kind
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
from tests.properties import tables
from tests.properties.tables import HOUR, NOW

Op = Choice["==", "!=", "<", ">", "<=", ">="]
EQUALITY: list[Op] = ["==", "!=", "!="]
ORDER: list[Op] = ["==", "!=", "<", ">", "<=", ">="]

TEXTS = [*tables.NAMES, *tables.ENTITIES, *tables.PATHS, "c:\\windows\\a.exe", "nobody"]
PATTERNS = [
    "pc*",
    "*01",
    "*-*",
    "?c-00?",
    "*",
    "*",
    "**",
    "",
    "*\\*",
    "100?",
    "_a*",
    "*a?b*",
    "two*s",
    "?",
    "*ü*",
    "*a*",
]
REGEXES = ["^pc", "[0-9]+$", "a|e", ".", "^$", "w[^a]", "ü|ß", "\\.", "(?:0|1){2}", "x*", "S"]
TOO_LARGE = 2**63 + 1
NUMBERS = [-1, 0, 0, 1, 1, 2, 3, 8 << 30, 2**53, TOO_LARGE]
MORE_VERSIONS = [*tables.VERSIONS, "24.4", "v24.10", "9", "1"]
INSTANTS = [NOW, NOW - HOUR, NOW - 48 * HOUR, NOW - 5 * HOUR, 0, -HOUR]
ZONES = ["UTC", "Europe/Zurich", "America/New_York", "Asia/Kolkata"]
UNITS: dict[Kind, list[Any]] = {
    Kind.DURATION: tables.DURATIONS,
    Kind.BYTES: tables.SIZES,
    Kind.PERCENTAGE: [0.0, 12.5, 100.0],
}


def visible(schema: Mapping[str, DataType]) -> list[Column]:
    """The columns that are not hidden."""
    return [Column(name, dtype) for name, dtype in schema.items() if not name.startswith("@")]


def numbers(schema: Mapping[str, DataType]) -> list[Column]:
    """The visible columns that hold numbers."""
    return [column for column in visible(schema) if column.dtype.numeric]


def condition(chance: Random, schema: Mapping[str, DataType], depth: int = 2) -> Expr:
    """A condition over the visible columns of a schema."""
    if depth and chance.random() < 0.3:
        parts = tuple(condition(chance, schema, depth - 1) for _ in range(chance.randint(1, 3)))
        return And(parts) if chance.random() < 0.35 else Or(parts)
    if depth and chance.random() < 0.1:
        return Not(condition(chance, schema, depth - 1))
    found = numbers(schema)
    if found and chance.random() < 0.15:
        left = number(chance, found)
        return comparison(chance, left, constant(chance, left.dtype))
    return about(chance, chance.choice(visible(schema)), schema)


def about(chance: Random, column: Column, schema: Mapping[str, DataType]) -> Expr:
    """A condition about one column."""
    kind = column.dtype.kind
    forms = ["null"]
    forms += ["match", "match"] if kind in (Kind.STRINGS, Kind.STRING, Kind.VERSION) else []
    forms += ["regex"] if kind in (Kind.STRING, Kind.VERSION) else []
    forms += ["text"] if kind is Kind.STRING else []
    forms += ["compare", "compare", "field", "member"] if kind is not Kind.STRINGS else []
    forms += ["clock"] if kind is Kind.DATETIME else []
    forms += ["days"] if kind is Kind.DURATION and not column.dtype.real else []
    negated, null_is_value = chance.random() < 0.6, chance.random() < 0.5
    match chance.choice(forms):
        case "null":
            return IsNull(column, negated)
        case "match":
            return Match(column, Literal(chance.choice(PATTERNS), STRING), negated, null_is_value)
        case "regex":
            return Matches(column, chance.choice(REGEXES), negated, null_is_value)
        case "text":
            return comparison(chance, text(chance, column), constant(chance, STRING))
        case "member":
            values = tuple(constant(chance, column.dtype) for _ in range(chance.randint(0, 4)))
            return MemberOf(column, values, negated, null_is_value)
        case "clock":
            return _on_the_clock(chance, column)
        case "days":
            return comparison(chance, Call("whole_days", column, INT), Literal(chance.randint(-1, 3), INT))
        case "field":
            peers = [other for other in visible(schema) if other.dtype == column.dtype]
            return comparison(chance, column, chance.choice(peers))
        case _:
            return comparison(chance, column, constant(chance, column.dtype))


def comparison(chance: Random, left: Expr, right: Expr) -> Compare:
    """A comparison of two operands of one type."""
    unordered = left.dtype.kind in (Kind.STRING, Kind.ENUM, Kind.BOOLEAN)
    return Compare(chance.choice(EQUALITY if unordered else ORDER), left, right, chance.random() < 0.5)


def _on_the_clock(chance: Random, column: Column) -> Expr:
    clock = Call(chance.choice(["hour", "day", "day_of_week"]), column, INT, chance.choice(ZONES))
    return comparison(chance, clock, Literal(chance.randint(0, 31), INT))


def constant(chance: Random, dtype: DataType) -> Literal:
    """A constant of a type."""
    return Literal(chance.choice(_values(dtype)), dtype)


def _values(dtype: DataType) -> list[Any]:
    match dtype.kind:
        case Kind.STRING:
            return TEXTS
        case Kind.ENUM:
            return list(dtype.members) or ["one", "two"]
        case Kind.VERSION:
            return MORE_VERSIONS
        case Kind.IP:
            return tables.ADDRESSES
        case Kind.BOOLEAN:
            return [True, False]
        case Kind.DATETIME:
            return INSTANTS
        case kind:
            return UNITS.get(kind, NUMBERS)


def number(chance: Random, columns: list[Column], depth: int = 1) -> Expr:
    """A calculation on numbers: exact where both sides are whole, real otherwise."""
    left: Expr = number(chance, columns, depth - 1) if depth and chance.random() < 0.3 else chance.choice(columns)
    match chance.choice(["arithmetic", "arithmetic", "arithmetic", "abs", "round", "if"]):
        case "abs":
            return Call("abs", left, left.dtype)
        case "round":
            digits = chance.choice([-2, -1, 0, 1, 2]) - (6 if left.dtype.kind is Kind.DURATION else 0)
            return (
                left if left.dtype.kind is Kind.INT and digits >= 0 else Call("round", left, left.dtype, None, digits)
            )
        case "if":
            other = constant(chance, left.dtype)
            held = not left.dtype.real and other.value != TOO_LARGE  # a text cannot put it in the place of a value
            return either(chance, columns, left, other if held else Literal(None, left.dtype))
        case _:
            return _calculation(chance, left, columns)


def _calculation(chance: Random, left: Expr, columns: list[Column]) -> Expr:
    operands: list[Expr] = [*columns, constant(chance, INT)]
    right = chance.choice(operands)
    ops: list[Choice["+", "-", "*", "/", "^"]] = ["+", "-", "*", "/", "^"]
    op = chance.choice(ops)
    kinds = (left.dtype.kind, right.dtype.kind)
    real = op in ("/", "^") or left.dtype.real or right.dtype.real
    real = real or Kind.FLOAT in kinds or Kind.PERCENTAGE in kinds
    huge = isinstance(right, Literal) and isinstance(right.value, int) and right.value >= 2**63
    return Arithmetic(op, left, right, FLOAT if real or huge else left.dtype)


def text(chance: Random, column: Column) -> Expr:
    """A text made from a text."""
    match chance.choice(["lower", "upper", "if", "default"]):
        case "default":
            return Coalesce(column, constant(chance, STRING), STRING)
        case "if":
            return either(chance, [column], column, chance.choice([constant(chance, STRING), Literal(None, STRING)]))
        case function:
            return Call(function, column, STRING)


def either(chance: Random, columns: list[Column], one: Expr, two: Expr) -> If:
    """One of two values, by a condition about some columns."""
    test = condition(chance, {column.name: column.dtype for column in columns}, 1)
    return If(test, two, one, one.dtype) if chance.random() < 0.5 else If(test, one, two, one.dtype)
