"""Scans of a plan in Polars: rows of one table, and the objects they point to, joined as late and as small as can be.

In: a `Scan` and a source. Out: `Rows`, a lazy frame that holds the table's own columns and knows which columns of
linked objects it still owes. A condition about one object alone is asked of the objects, not of each event; what is
only shown is joined after rows have been left out. Invariant: a link never changes what rows there are but by such a
condition; a row that points to nothing has null there; a linked table is joined once, however many of its columns are
wanted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Literal as Choice

import polars as pl

from engine.comparing import holds_for_nothing
from engine.lazyframe.exprs import expression
from engine.order import scan_key
from engine.source import Source
from nql.datatypes import Physical
from nql.plan.expressions import Expr, columns
from nql.plan.relations import OBJECT_KEY, Link, Scan, ScanColumn, absolute


@dataclass(frozen=True, slots=True)
class Rows:
    """A frame and the linked columns that are not in it yet. `ordered` says that the order of its rows has to stay."""

    frame: pl.LazyFrame
    source: Source
    owed: tuple[ScanColumn, ...] = ()
    ordered: bool = False

    def having(self, names: Collection[str]) -> Rows:
        """The same rows with these columns in the frame."""
        rows = self
        for link in dict.fromkeys(column.link for column in self.owed if column.name in names):
            if link is not None:
                frame = rows.frame.join(rows._objects(link), on=link.key, how="left", maintain_order=rows._order)
                rows = rows._settled(frame, link)
        return rows

    def complete(self) -> Rows:
        """The same rows, owing nothing."""
        return self.having([column.name for column in self.owed])

    def where(self, parts: Iterable[Expr], wanted: Collection[str]) -> Rows:
        """The rows for which all conditions hold; `wanted` are the columns that will be read later."""
        alone = [(part, self._link(part)) for part in parts]
        mixed = [part for part, link in alone if link is None and self._owes(part)]
        read = frozenset(wanted).union(*map(columns, mixed))
        rows = self._where(part for part, link in alone if link is None and not self._owes(part))
        for link in dict.fromkeys(link for _, link in alone if link is not None):
            rows = rows._where_object(link, [part for part, at in alone if at == link], read)
        return rows._where(mixed)

    def _where(self, parts: Iterable[Expr]) -> Rows:
        rows = self
        for part in parts:
            rows = rows.having(columns(part))
            rows = replace(rows, frame=rows.frame.filter(expression(part)))
        return rows

    def _where_object(self, link: Link, parts: list[Expr], wanted: Collection[str]) -> Rows:
        """The rows whose object fulfils conditions; those without an object go by what the conditions say of null."""
        objects = self._objects(link)
        rows = self
        for part in filter(holds_for_nothing, parts):
            failing = objects.filter(~expression(part).fill_null(False)).select(link.key)
            rows = replace(rows, frame=rows.frame.join(failing, on=link.key, how="anti", maintain_order=rows._order))
        strict = [expression(part) for part in parts if not holds_for_nothing(part)]
        if not strict:
            return rows
        kept = objects.filter(*strict)
        if any(column.name in wanted for column in self.owed if column.link == link):
            return rows._settled(rows.frame.join(kept, on=link.key, how="inner", maintain_order=rows._order), link)
        semi = rows.frame.join(kept.select(link.key), on=link.key, how="semi", maintain_order=rows._order)
        return rows._settled(semi, link)

    @property
    def _order(self) -> Choice["left", "none"]:
        return "left" if self.ordered else "none"

    def _link(self, part: Expr) -> Link | None:
        """The link whose object alone a condition is about, if it is known what it says of rows without an object."""
        owed = {column.name: column.link for column in self.owed}
        links = {owed.get(name) for name in columns(part)}
        return links.pop() if len(links) == 1 and holds_for_nothing(part) is not None else None

    def _owes(self, part: Expr) -> bool:
        return any(column.name in columns(part) for column in self.owed)

    def _objects(self, link: Link) -> pl.LazyFrame:
        """The objects at the end of a link, keyed like the rows, with all columns owed of them."""
        wanted = [column for column in self.owed if column.link == link]
        stored = dict.fromkeys([OBJECT_KEY, *(column.stored for column in wanted)])
        objects = self.source.scan(link.table, list(stored))
        return objects.select(pl.col(OBJECT_KEY).alias(link.key), *map(_picked, wanted))

    def _settled(self, frame: pl.LazyFrame, link: Link) -> Rows:
        return replace(self, frame=frame, owed=tuple(column for column in self.owed if column.link != link))


def scanned(node: Scan, source: Source) -> Rows:
    """The rows of a scan, with the keys of its links."""
    window = absolute(node)
    own = [column for column in node.columns if column.link is None]
    owed = tuple(column for column in node.columns if column.link is not None)
    keys = dict.fromkeys(column.link.key for column in owed if column.link is not None)
    stored = dict.fromkeys([*(column.stored for column in own), *keys]) or [
        scan_key(node)
    ]  # rows that are only counted
    frame = source.scan(
        node.table,
        list(stored),
        start=None if window is None else window.start,
        end=None if window is None else window.end,
        daily=bool(node.daily),
    )
    named = {column.name for column in own}
    hidden = [pl.col(key) for key in keys if key not in named]
    return Rows(frame.select(*map(_picked, own), *hidden) if own or keys else frame, source, owed)


def _picked(column: ScanColumn) -> pl.Expr:
    if column.entry is None:
        return pl.col(column.stored).alias(column.name)
    entry = pl.col(column.stored).list.filter(pl.element().struct.field("name") == column.entry).list.first()
    match column.dtype.physical:
        case Physical.INT64:
            picked = entry.struct.field("number")
        case Physical.FLOAT64:  # an output may have been declared as a whole number before
            picked = pl.coalesce(entry.struct.field("real"), entry.struct.field("number").cast(pl.Float64))
        case Physical.BOOL:
            picked = entry.struct.field("number") != 0
        case Physical.LIST_UTF8:
            picked = entry.struct.field("texts")
        case _:
            picked = entry.struct.field("text")
    return picked.alias(column.name)
