"""NQL types in SQL: the type a value is held in, constants, and the forms in which values are compared.

In: a `DataType` or a typed value. Out: sqlglot nodes. Invariant: two values are equal in NQL exactly when their
comparable forms are equal, and they sort as these do; the forms are those of `engine.lazyframe.dtypes`. What null
means is not decided here.
"""

from __future__ import annotations

from sqlglot import exp

from engine.comparing import comparable_value
from nql.datatypes import DataType, Kind, Physical
from nql.plan.expressions import Literal, Value

INPUT = "t"  # the alias of the relation that an expression reads
_TYPES = {
    Physical.INT64: "BIGINT",
    Physical.FLOAT64: "DOUBLE",
    Physical.BOOL: "BOOLEAN",
    Physical.UTF8: "VARCHAR",
    Physical.LIST_UTF8: "VARCHAR[]",
    Physical.VALUES: "STRUCT(name VARCHAR, number BIGINT, real DOUBLE, text VARCHAR, texts VARCHAR[])[]",
}
_BUILT = {physical: exp.DataType.build(name, dialect="duckdb") for physical, name in _TYPES.items()}
BIGINT, DOUBLE, WIDE = _BUILT[Physical.INT64], _BUILT[Physical.FLOAT64], exp.DataType.build("HUGEINT", dialect="duckdb")


def sql_type(dtype: DataType) -> exp.DataType:
    """The SQL type a value is held in."""
    return _BUILT[dtype.physical]


def cast(node: exp.Expr, to: exp.DataType) -> exp.Expr:
    """A cast that fails on what does not fit."""
    return exp.Cast(this=node, to=to.copy())


def try_cast(node: exp.Expr, to: exp.DataType) -> exp.Expr:
    """A cast that gives null for what does not fit."""
    return exp.TryCast(this=node, to=to.copy())


def column(name: str) -> exp.Expr:
    """A column of the input relation."""
    return exp.column(name, table=INPUT, quoted=True)


def call(function: str, *operands: exp.Expr) -> exp.Expr:
    """A function by the name that DuckDB gives it."""
    return exp.Anonymous(this=function, expressions=list(operands))


def element(condition: exp.Expr) -> exp.Expr:
    """A lambda over the elements of a list; the element's name is `e`."""
    return exp.Lambda(this=condition, expressions=[exp.to_identifier("e")])


def text(value: str) -> exp.Expr:
    """A text constant."""
    return exp.Literal.string(value)


def whole(value: int) -> exp.Expr:
    """A whole number of 64 bits."""
    return cast(exp.Literal.number(value), BIGINT)


def constant(value: Value, dtype: DataType) -> exp.Expr:
    """A constant. A whole number beyond 64 bits becomes a float, so that comparing with it still works."""
    match value:
        case None:
            return cast(exp.null(), sql_type(dtype))
        case bool():
            return exp.Boolean(this=value)
        case str():
            return text(value)
        case int() if -(2**63) <= value < 2**63:
            return cast(exp.Literal.number(value), sql_type(dtype))
        case _:
            return cast(exp.Literal.number(float(value)), DOUBLE)


def folded(node: exp.Expr) -> exp.Expr:
    """Text without its case."""
    return exp.Lower(this=node)


def version_keys(node: exp.Expr) -> exp.Expr:
    """The same key as `nql.datatypes.version_key`, computed in the engine."""
    bare = call("ltrim", exp.column("e"), text("0"))
    missing = call(
        "greatest", exp.Literal.number(0), exp.Sub(this=exp.Literal.number(20), expression=call("length", bare))
    )
    padded = call("concat", call("repeat", text("0"), missing), bare.copy())
    parts = call("list_transform", call("regexp_extract_all", node, text("[0-9]+")), element(padded))
    keys = call("regexp_replace", call("array_to_string", parts, text(".")), text(r"(?:(?:^|\.)0{20})+$"), text(""))
    return exp.Case().when(exp.Not(this=exp.Is(this=node.copy(), expression=exp.null())), keys)


def comparable(node: exp.Expr, dtype: DataType) -> exp.Expr:
    """The form in which a column's values are compared and counted: text folded, versions by key, all else as held."""
    match dtype.kind:
        case Kind.STRING:
            return folded(node)
        case Kind.VERSION:
            return version_keys(node)
        case Kind.STRINGS:
            return call("list_transform", node, element(folded(exp.column("e"))))
        case _:
            return node


def some(node: exp.Expr, dtype: DataType) -> exp.Expr:
    """Whether there is a value: an empty array is none. Never null."""
    match dtype.kind:
        case Kind.STRINGS | Kind.MAP:
            filled: exp.Expr = exp.GT(this=call("len", node), expression=exp.Literal.number(0))
        case Kind.OBJECTS:
            filled = exp.NEQ(this=node, expression=text("[]"))
        case _:
            return exp.Not(this=exp.Paren(this=exp.Is(this=node, expression=exp.null())))
    return exp.Coalesce(this=exp.Paren(this=filled), expressions=[exp.false()])


def elements(node: exp.Expr, dtype: DataType) -> exp.Expr:
    """The texts of an array, or the texts among the values of an array of objects."""
    if dtype.kind is not Kind.OBJECTS:
        return node
    return call("regexp_extract_all", node, text(r':\s*"((?:[^"\\]|\\.)*)"'), exp.Literal.number(1))


def comparable_constant(literal: Literal, dtype: DataType) -> exp.Expr:
    """A constant in the form in which values of `dtype` are compared."""
    return constant(comparable_value(literal.value, dtype), literal.dtype)


def orderable(node: exp.Expr, dtype: DataType) -> exp.Expr:
    """The form in which a column sorts: as it compares, enum members by label, arrays as their text."""
    if dtype.kind in (Kind.ENUM, Kind.OBJECTS):
        return folded(node)
    if dtype.kind is Kind.STRINGS:
        return folded(call("array_to_string", node, text(", ")))
    return comparable(node, dtype)
