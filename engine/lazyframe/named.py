"""Texts of linked objects as numbers in the order of texts, so that groups are put together and sorted by these, and
have their texts only when rows have been left out.

In: a link and the columns that are owed of it, a source that tells texts apart. Out: a `Named`, the number of each
object's text by its id; None where texts are not at hand, or two of them differ in case alone. Invariant: two numbers
compare as their texts do, null is null. Nothing is joined here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from engine.lazyframe.dtypes import col
from engine.source import CODE, Source, telling
from nql.datatypes import Kind
from nql.plan.relations import OBJECT_KEY, Link, ScanColumn


@dataclass(frozen=True, slots=True)
class Named:
    """The numbers of the texts of all objects, from the first to the last: `codes` have one column a column of texts,
    its name with CODE. `same` says that no two objects have the same texts."""

    link: Link
    codes: pl.DataFrame
    texts: Mapping[str, pl.Series]
    same: bool

    def known(self) -> pl.Expr:
        """The key, null where it is of no object."""
        key = col(self.link.key)
        return pl.when(key.is_between(0, self.codes.height - 1)).then(key).alias(self.link.key)

    def picked(self) -> list[pl.Expr]:
        """The numbers for rows with the key."""
        key = col(self.link.key)
        return [pl.lit(codes).gather(key, null_on_oob=True).alias(codes.name) for codes in self.codes]

    def by_key(self) -> pl.LazyFrame:
        """The numbers as rows to be joined, by the key."""
        ids = pl.int_range(self.codes.height, eager=True).alias(self.link.key)
        return pl.DataFrame([ids, *self.codes]).lazy()


def named(source: Source, link: Link, owed: Sequence[ScanColumn]) -> Named | None:
    """The numbers of what is owed of a link."""
    wanted = [column for column in owed if column.link == link]
    if not telling(source) or any(
        column.dtype.kind not in (Kind.STRING, Kind.ENUM) or column.entry is not None for column in wanted
    ):
        return None
    found = {column.name: source.texts(link.table, column.stored) for column in wanted}
    texts = {name: one.texts for name, one in found.items() if one is not None and one.apart}
    if len(texts) < len(wanted):
        return None
    stored = {column.name + CODE: column.stored + CODE for column in wanted}
    objects = source.scan(link.table, [*dict.fromkeys([OBJECT_KEY, *stored.values()])]).collect()
    ids = objects[OBJECT_KEY]
    if not len(ids) or int(ids[0]) != 0 or int(ids[-1]) != len(ids) - 1:
        return None  # somebody left, and ids are not places
    codes = pl.DataFrame([objects[given].alias(name) for name, given in stored.items()])
    return Named(link, codes, texts, any(len(one) == len(ids) for one in texts.values()))


def plain(name: str, texts: pl.Series) -> pl.Expr:
    """A column of texts, of that of their numbers."""
    return pl.lit(texts).gather(col(name + CODE)).alias(name)
