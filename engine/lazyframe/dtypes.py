"""NQL types in Polars: the type a value is held in, constants, and the forms in which values are compared.

In: a `DataType` or a typed value. Out: Polars types and expressions. Invariant: two values are equal in NQL exactly
when their comparable forms are equal, and they sort as these do. What null means is not decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import polars as pl

from engine.comparing import comparable_value
from nql.datatypes import DataType, Kind, Physical
from nql.plan.expressions import Literal, Value

_TYPES: dict[Physical, pl.DataType] = {
    Physical.INT64: pl.Int64(),
    Physical.FLOAT64: pl.Float64(),
    Physical.BOOL: pl.Boolean(),
    Physical.UTF8: pl.String(),
    Physical.LIST_UTF8: pl.List(pl.String()),
    Physical.VALUES: pl.List(
        pl.Struct(
            {
                "name": pl.String(),
                "number": pl.Int64(),
                "real": pl.Float64(),
                "text": pl.String(),
                "texts": pl.List(pl.String()),
            }
        )
    ),
}


def polars_type(dtype: DataType) -> pl.DataType:
    """The Polars type a value is held in."""
    return _TYPES[dtype.physical]


# A type that `cast` takes as it is: it makes an expression of a plain one each time.
_CASTS = {physical: dtype.to_dtype_expr() for physical, dtype in _TYPES.items()}
INT64 = _CASTS[Physical.INT64]
FLOAT64 = _CASTS[Physical.FLOAT64]
FALSE = pl.lit(False)
EMPTY = frozenset({Kind.STRINGS, Kind.OBJECTS, Kind.MAP})  # kinds with an empty value, which is none
_SHORT = 100  # characters of a text that is worth keeping
_FEW = 8  # values of a list that is


def held(value: pl.Expr, dtype: DataType) -> pl.Expr:
    """A value in the type it is held in."""
    return value.cast(_CASTS[dtype.physical])


# Polars makes an expression in microseconds and a query has hundreds, most of them the same few: these are kept.
@lru_cache(maxsize=1024)
def col(name: str) -> pl.Expr:
    """A column."""
    return pl.col(name)


@lru_cache(maxsize=1024)
def renamed(stored: str, name: str) -> pl.Expr:
    """A column under another name."""
    return col(stored) if stored == name else col(stored).alias(name)


@lru_cache(maxsize=1024)
def shown(stored: str, physical: Physical, name: str) -> pl.Expr:
    """A column in the type it is held in, under another name."""
    return col(stored).cast(_CASTS[physical]).alias(name)


@lru_cache(maxsize=1024, typed=True)
def _kept(value: int | str, physical: Physical) -> pl.Expr:
    return pl.lit(value, dtype=_TYPES[physical])


def constant(value: Value, dtype: DataType) -> pl.Expr:
    """A constant. A whole number beyond 64 bits becomes a float, so that comparing with it still works."""
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return pl.lit(float(value), dtype=pl.Float64())
    if isinstance(value, float):
        return pl.lit(value, dtype=pl.Float64())
    if isinstance(value, int) or (isinstance(value, str) and len(value) <= _SHORT):
        return _kept(value, dtype.physical)
    return pl.lit(value, dtype=polars_type(dtype))


def constants(values: tuple[Value, ...], dtype: DataType) -> pl.Expr:
    """Constants as one list."""
    short = len(values) <= _FEW and all(not isinstance(item, str) or len(item) <= _SHORT for item in values)
    return (_kept_list if short else _made_list)(values, dtype.physical)


def _made_list(values: tuple[Value, ...], physical: Physical) -> pl.Expr:
    return pl.lit(pl.Series([list(values)], dtype=pl.List(_TYPES[physical])))


_kept_list = lru_cache(maxsize=1024)(_made_list)  # 1 and true are of different types


def folded(text: pl.Expr) -> pl.Expr:
    """Text without its case."""
    return text.str.to_lowercase()


def version_keys(text: pl.Expr) -> pl.Expr:
    """The same key as `nql.datatypes.version_key`, computed in the engine."""
    part = pl.element().str.strip_chars_start("0").str.zfill(20)
    keys = text.str.extract_all(r"[0-9]+").list.eval(part).list.join(".")
    return keys.str.replace(r"(?:(?:^|\.)0{20})+$", "")


_FORMS: Mapping[Kind, Callable[[pl.Expr], pl.Expr]] = {
    Kind.STRING: folded,
    Kind.VERSION: version_keys,
    Kind.STRINGS: lambda value: value.list.eval(folded(pl.element())),
}


def comparable(value: pl.Expr, dtype: DataType) -> pl.Expr:
    """The form in which a column's values are compared and counted: text folded, versions by key, all else as held."""
    form = _FORMS.get(dtype.kind)
    return value if form is None else form(value)


@lru_cache(maxsize=1024)
def compared(name: str, kind: Kind) -> pl.Expr:
    """A column in the form in which values of a kind are compared."""
    form = _FORMS.get(kind)
    return col(name) if form is None else form(col(name))


def some(value: pl.Expr, dtype: DataType) -> pl.Expr:
    """Whether there is a value: an empty array is none. Never null."""
    if dtype.kind not in EMPTY:
        return value.is_not_null()
    filled = value != "[]" if dtype.kind is Kind.OBJECTS else value.list.len() > 0
    return filled.fill_null(FALSE)


def elements(value: pl.Expr, dtype: DataType) -> pl.Expr:
    """The texts of an array, or the texts among the values of an array of objects."""
    if dtype.kind is not Kind.OBJECTS:
        return value
    bare = pl.element().str.replace(r'^:\s*"', "").str.strip_suffix('"')
    return value.str.extract_all(r':\s*"(?:[^"\\]|\\.)*"').list.eval(bare)


def comparable_constant(literal: Literal, dtype: DataType) -> pl.Expr:
    """A constant in the form in which values of `dtype` are compared."""
    return constant(comparable_value(literal.value, dtype), literal.dtype)


def orderable(value: pl.Expr, dtype: DataType) -> pl.Expr:
    """The form in which a column sorts: as it compares, enum members by label, arrays as their text."""
    if dtype.kind in (Kind.ENUM, Kind.OBJECTS):
        return folded(value)
    if dtype.kind is Kind.STRINGS:
        return folded(value.list.join(", "))
    return comparable(value, dtype)
