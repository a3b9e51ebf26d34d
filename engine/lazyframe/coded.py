"""Conditions on texts of objects, asked of each different text once and then of numbers.

In: a condition that reads one column of texts, and a source that tells the different texts of it. Out: a condition on
the place of each row's text among them, which the source gives as a column. Invariant: it holds for the same rows.
Texts that are equal but for their case lie together, so that most conditions are a range of places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from engine.comparing import common_type, comparable_value
from engine.lazyframe.dtypes import FALSE, col
from engine.lazyframe.exprs import expression
from engine.source import CODE, Source, Texts, telling
from nql.datatypes import Kind, Physical
from nql.plan.expressions import Column, Compare, Expr, Literal
from nql.plan.relations import ScanColumn

FEW = 4_096  # texts that any condition is asked of
Asked = tuple[Expr, frozenset[str]]  # a condition with the columns it reads


def by_codes(
    asked: Sequence[Asked], columns: Mapping[str, ScanColumn], source: Source, table: str
) -> tuple[dict[str, pl.Expr], list[Asked]]:
    """Conditions on the columns of places, by the name of the column, that stand for some of those asked; and the
    others. `columns` are those of one object table."""
    made, others = dict[str, pl.Expr](), list[Asked]()
    for part, names in asked:
        column = columns.get(next(iter(names))) if len(names) == 1 else None
        texts = None if column is None else _texts(source, table, column)
        condition = None if column is None or texts is None else _on_places(part, column, texts)
        if column is None or condition is None:
            others.append((part, names))
            continue
        place = column.stored + CODE
        made[place] = made[place] & condition if place in made else condition
    return made, others


def _texts(source: Source, table: str, column: ScanColumn) -> Texts | None:
    if column.entry is not None or column.dtype.physical is not Physical.UTF8 or not telling(source):
        return None
    return source.texts(table, column.stored)


def _on_places(part: Expr, column: ScanColumn, texts: Texts) -> pl.Expr | None:
    place = col(column.stored + CODE)
    if (wanted := _equal_to(part)) is not None:
        first, end = (int(texts.folded.search_sorted(wanted, side=side)) for side in ("left", "right"))
        return place.is_between(first, end, closed="left")
    if len(texts.texts) > FEW:
        return None
    every = pl.concat([texts.texts, pl.Series([None], dtype=pl.String)]).alias(column.name).to_frame()
    holds = every.select(expression(part).fill_null(FALSE)).to_series()
    places = holds.arg_true()
    first, end = (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)
    if end - first == len(places) and end < len(holds):
        return place.is_between(first, end, closed="left")
    return pl.lit(holds).gather(place.fill_null(len(holds) - 1))


def _equal_to(part: Expr) -> str | None:
    """The text in lower case that a condition asks a column of texts to be; None if it asks for something else."""
    if not isinstance(part, Compare) or part.op != "==" or not isinstance(part.right, Literal):
        return None
    if not isinstance(part.left, Column) or part.left.dtype.kind is not Kind.STRING:
        return None
    dtype, value = common_type(part.left, part.right), part.right.value
    found = comparable_value(value, dtype) if isinstance(value, str) and dtype.kind is Kind.STRING else None
    return found if isinstance(found, str) else None
