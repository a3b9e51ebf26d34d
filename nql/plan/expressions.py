"""Typed expressions over the columns of one relation.

Every node knows its `dtype` and is checked when it is made. Values are physical (see `nql.datatypes`): a duration
literal is microseconds, an address its 32 digits. Invariant: predicates are two-valued. What a null operand yields is
decided here, by `null_is_value`, and never left to an engine: true means null counts as a value of its own (so `!=`
holds for null), false means every comparison with null fails. `Moment`, `Now` and `Parameter` are symbolic;
`nql.semantics.resolve` replaces them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any
from typing import Literal as Choice

from nql.datatypes import BOOLEAN, DATETIME, ORDERED, DataType, Kind
from nql.plan.windows import Moment
from nql.value import value

Value = int | float | str | bool | None


@value
class Column:
    """A column of the input relation, by its name there."""

    name: str
    dtype: DataType


@value
class Literal:
    """A constant in physical form; None is a typed null."""

    value: Value
    dtype: DataType


@value
class Parameter:
    """`$name`: its text is converted to `dtype` when values are known. `pattern` is true where wildcards apply."""

    name: str
    dtype: DataType


@value
class DateLiteral:
    """A written date. Resolves to the instant in the user's zone."""

    moment: Moment
    dtype: DataType = DATETIME


@value
class Now:
    """The instant of asking."""

    dtype: DataType = DATETIME


@value
class Arithmetic:
    """`left op right` on physical values. `/` and `^` always give floats; null, division by zero and no number at all
    give null.

    Scales between units (a bare number beside a duration means seconds) are inserted by whoever builds the node.
    """

    op: Choice["+", "-", "*", "/", "^"]
    left: Expr
    right: Expr
    dtype: DataType


@value
class Call:
    """A scalar function of `nql.functions` on one operand. `zone` is an IANA name; None means the user's, filled by
    resolve. `digits` is how many digits behind the point `round` keeps.
    """

    function: str
    operand: Expr
    dtype: DataType
    zone: str | None = None
    digits: int = 0


@value
class If:
    """`then` where the condition holds, else `otherwise`; both are of the physical type of `dtype`."""

    condition: Expr
    then: Expr
    otherwise: Expr
    dtype: DataType

    def __post_init__(self) -> None:
        _check_predicates((self.condition,))


@value
class Coalesce:
    """`operand`, or `other` where it is null; both are of the physical type of `dtype`. An `If` would hold the operand
    twice, and a chain of them would double at each link."""

    operand: Expr
    other: Expr
    dtype: DataType


@value
class Compare:
    """`left op right`. Text compares without regard to case, versions by `version_key`, all other kinds by physical
    value.
    """

    op: Choice["==", "!=", "<", ">", "<=", ">="]
    left: Expr
    right: Expr
    null_is_value: bool = False
    dtype: DataType = BOOLEAN

    def __post_init__(self) -> None:
        if self.op not in ("==", "!=") and self.left.dtype.kind not in ORDERED:
            raise TypeError(f"{self.op} is not defined for {self.left.dtype.kind.value}")


@value
class SameDay:
    """`operand == day`, the whole day in the user's zone. Resolve replaces it by a range."""

    operand: Expr
    moment: Moment
    negated: bool
    null_is_value: bool = False
    dtype: DataType = BOOLEAN


@value
class Match:
    """Whole-text match without regard to case; `*` is any run of characters, `?` one. On `STRINGS`: any element
    matches.

    `pattern` is a `Literal` or `Parameter` of text. Negated on a null: `null_is_value`. An empty or null array
    matches nothing.
    """

    operand: Expr
    pattern: Literal | Parameter
    negated: bool = False
    null_is_value: bool = False
    dtype: DataType = BOOLEAN


@value
class Matches:
    """A regular expression, found anywhere in a text without regard to case. `pattern` is of the forms that
    `nql.semantics.regexes` lets through, which mean the same in every engine. Null: as in `Match`.
    """

    operand: Expr
    pattern: str
    negated: bool = False
    null_is_value: bool = False
    dtype: DataType = BOOLEAN


@value
class Not:
    """Holds exactly where the operand does not, so also where null keeps that from holding."""

    operand: Expr
    dtype: DataType = BOOLEAN

    def __post_init__(self) -> None:
        _check_predicates((self.operand,))


@value
class IsNull:
    """Null test. An empty array counts as null."""

    operand: Expr
    negated: bool = False
    dtype: DataType = BOOLEAN


@value
class And:
    """All hold. At least one operand."""

    operands: tuple[Expr, ...]
    dtype: DataType = BOOLEAN

    def __post_init__(self) -> None:
        _check_predicates(self.operands)


@value
class Or:
    """Any holds. At least one operand."""

    operands: tuple[Expr, ...]
    dtype: DataType = BOOLEAN

    def __post_init__(self) -> None:
        _check_predicates(self.operands)


@value
class MemberOf:
    """`operand in values`, or not. Values are literals without null and without wildcards, or one list parameter.

    A list that holds null or patterns is built with `Or`/`And` of `IsNull` and `Match` around this.
    """

    operand: Expr
    values: tuple[Literal, ...] | Parameter
    negated: bool = False
    null_is_value: bool = False
    dtype: DataType = BOOLEAN


Expr = (
    Column
    | Literal
    | Parameter
    | DateLiteral
    | Now
    | Arithmetic
    | Call
    | If
    | Coalesce
    | Compare
    | SameDay
    | Match
    | Matches
    | Not
    | IsNull
    | And
    | Or
    | MemberOf
)


def _check_predicates(operands: tuple[Expr, ...]) -> None:
    if not operands:
        raise TypeError("and/or take one or more conditions")
    for operand in operands:
        if operand.dtype is not BOOLEAN and operand.dtype.kind is not Kind.BOOLEAN:
            raise TypeError("and/or take one or more conditions")


def children(expr: Expr) -> tuple[Expr, ...]:
    """The direct operands."""
    return _CHILDREN[type(expr)](expr)


def columns(expr: Expr) -> frozenset[str]:
    """The names of all columns an expression reads."""
    if type(expr) is Column:
        return frozenset((expr.name,))
    found: set[str] = set()
    waiting: list[Expr] = [expr]
    while waiting:
        part = waiting.pop()
        if type(part) is Column:
            found.add(part.name)
        elif type(part) is not Literal:
            waiting += _CHILDREN[type(part)](part)
    return frozenset(found)


def _none(_: Expr) -> tuple[Expr, ...]:
    return ()


def _operand(expr: Call | SameDay | Matches | Not | IsNull) -> tuple[Expr, ...]:
    return (expr.operand,)


def _members(expr: MemberOf) -> tuple[Expr, ...]:
    return (expr.operand, *(expr.values if isinstance(expr.values, tuple) else (expr.values,)))


# Looked up by class, since columns are asked for at every relation that is built.
_CHILDREN: Mapping[type[Expr], Callable[[Any], tuple[Expr, ...]]] = {
    Column: _none,
    Literal: _none,
    Parameter: _none,
    DateLiteral: _none,
    Now: _none,
    Arithmetic: attrgetter("left", "right"),
    Call: _operand,
    If: attrgetter("condition", "then", "otherwise"),
    Coalesce: attrgetter("operand", "other"),
    Compare: attrgetter("left", "right"),
    SameDay: _operand,
    Match: attrgetter("operand", "pattern"),
    Matches: _operand,
    Not: _operand,
    IsNull: _operand,
    And: attrgetter("operands"),
    Or: attrgetter("operands"),
    MemberOf: _members,
}
