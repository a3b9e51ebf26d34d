"""Scans of a plan in Polars: rows of one table, and the objects they point to, joined as late and as small as can be.

In: a `Scan` and a source. Out: `Rows`, a lazy frame that holds the table's own columns and knows which columns of
linked objects it still owes. A condition about one object alone is asked of the objects, not of each event; what is
only shown is joined after rows have been left out. Invariant: a link never changes what rows there are but by such a
condition; a row that points to nothing has null there; a linked table is joined once, however many of its columns are
wanted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import and_
from typing import Literal as Choice

import polars as pl

from engine.comparing import holds_for_nothing, picks_few
from engine.lazyframe.coded import Asked, by_codes
from engine.lazyframe.dtypes import FALSE, col, renamed
from engine.lazyframe.exprs import all_of, expression
from engine.lazyframe.named import Named, plain
from engine.order import scan_key
from engine.source import Source, laid
from nql.datatypes import Physical
from nql.plan.expressions import Expr
from nql.plan.relations import OBJECT_KEY, Link, Scan, ScanColumn, absolute

FEW = 1_000  # objects that are looked for by their numbers
ALONE = 16  # devices, of which all rows together are few
_DEVICE = "@device"
_NOTHING: Mapping[str, pl.Expr] = {}


@dataclass(slots=True)  # not frozen: a query makes dozens, and freezing makes that thrice as dear
class Rows:
    """A frame and the linked columns that are not in it yet. `ordered` says that the order of its rows has to stay,
    `few` that they are those of a few devices, however many the table has. Columns in `coded`, with their texts, are in
    the frame as numbers of texts, each under its name with CODE."""

    frame: pl.LazyFrame
    source: Source
    owed: tuple[ScanColumn, ...] = ()
    ordered: bool = False
    few: bool = False
    coded: Mapping[str, pl.Series] = field(default_factory=dict)

    def over(self, frame: pl.LazyFrame) -> Rows:
        """The same rows in another frame."""
        return Rows(frame, self.source, self.owed, self.ordered, self.few, self.coded)

    def naming(self, one: Named, *, joined: bool = False) -> Rows:
        """The same rows with the numbers of what is owed of a link; joined where rows are too many to be held."""
        if joined:
            frame = self.frame.join(one.by_key(), on=col(one.link.key), how="left", maintain_order=self._order)
        else:
            frame = self.frame.with_columns(one.picked())
        rows = self._settled(frame, one.link)
        rows.coded = {**self.coded, **one.texts}
        return rows

    def having(self, names: Collection[str]) -> Rows:
        """The same rows with these columns in the frame."""
        rows = self._with_texts(names)
        if not self.owed:
            return rows
        for link in dict.fromkeys(column.link for column in self.owed if column.name in names):
            if link is not None:
                frame = rows.frame.join(rows.objects(link), on=col(link.key), how="left", maintain_order=rows._order)
                rows = rows._settled(frame, link)
        return rows

    def complete(self) -> Rows:
        """The same rows, owing nothing."""
        return self.having([*self.coded, *(column.name for column in self.owed)])

    def _with_texts(self, names: Collection[str]) -> Rows:
        made = [name for name in self.coded if name in names]
        if not made:
            return self
        rows = self.over(self.frame.with_columns(plain(name, self.coded[name]) for name in made))
        rows.coded = {name: texts for name, texts in self.coded.items() if name not in made}
        return rows

    def where(self, parts: Sequence[Asked], wanted: frozenset[str]) -> Rows:
        """The rows for which all conditions hold; `wanted` will be read later."""
        if not parts:
            return self
        if any(not read.isdisjoint(self.coded) for _, read in parts):
            return self._with_texts({name for _, read in parts for name in read}).where(parts, wanted)
        if not self.owed:
            return self.over(self.frame.filter(all_of([part for part, _ in parts])))
        owed = {column.name: column.link for column in self.owed}
        own: list[Expr] = []
        alone: dict[Link, list[tuple[Asked, bool]]] = {}
        mixed: list[Asked] = []
        for part, read in parts:
            if owed.keys().isdisjoint(read):
                own.append(part)
                continue
            links = {owed.get(name) for name in read}
            if len(links) == 1 and (link := links.pop()) and (of_none := holds_for_nothing(part)) is not None:
                alone.setdefault(link, []).append(((part, read), of_none))
            else:
                mixed.append((part, read))
        rows = self.over(self.frame.filter(all_of(own))) if own else self
        for link, asked in alone.items():
            rows = rows._where_object(link, asked, wanted.union(*(read for _, read in mixed)))
        for part, read in mixed:
            rows = rows.having(read)
            rows = rows.over(rows.frame.filter(expression(part)))
        return rows

    def _where_object(self, link: Link, asked: list[tuple[Asked, bool]], wanted: Collection[str]) -> Rows:
        """The rows whose object fulfils conditions, each with whether it holds for a row without an object."""
        rows = self
        for part in (part for (part, _), of_none in asked if of_none):
            failing = self.objects(link).filter(~expression(part).fill_null(FALSE))
            rows = rows.over(rows.frame.join(failing, on=col(link.key), how="anti", maintain_order=rows._order))
        strict = [part for part, of_none in asked if not of_none]
        if not strict:
            return rows
        kept = self.objects(link, strict)
        if any(picks_few(part) for part, _ in strict) and laid(self.source):
            few = kept.collect()  # objects lie in memory, and knowing which saves reading files of all
            rows, kept = rows.over(of_few(rows.frame, few, link.key)), few.lazy()
            rows.few = link.key == _DEVICE and few.height <= ALONE
        if any(column.name in wanted for column in self.owed if column.link == link):
            return rows._settled(rows.frame.join(kept, on=col(link.key), how="inner", maintain_order=rows._order), link)
        return rows._settled(rows.frame.join(kept, on=col(link.key), how="semi", maintain_order=rows._order), link)

    @property
    def _order(self) -> Choice["left", "none"]:
        return "left" if self.ordered else "none"

    def objects(self, link: Link, asked: Sequence[Asked] = ()) -> pl.LazyFrame:
        """The objects at the end of a link for which conditions hold, keyed like the rows, with all columns owed of
        them."""
        wanted = [column for column in self.owed if column.link == link]
        stored = [OBJECT_KEY, *(column.stored for column in wanted)]
        made, others = by_codes(asked, {column.name: column for column in wanted}, self.source, link.table)
        objects = _where(self.source.scan(link.table, [*dict.fromkeys([*stored, *made])]), made)
        objects = objects.select(renamed(OBJECT_KEY, link.key), *map(_picked, wanted))
        return objects.filter(all_of([part for part, _ in others])) if others else objects

    def _settled(self, frame: pl.LazyFrame, link: Link) -> Rows:
        rows = self.over(frame)
        rows.owed = tuple(part for part in self.owed if part.link != link)
        return rows


def of_few(rows: pl.LazyFrame, objects: pl.DataFrame, key: str) -> pl.LazyFrame:
    """The rows that point to one of these objects, of which parts that have none of them need not be read."""
    ids = objects[key]
    if len(ids) > FEW:
        return rows.join(objects.lazy(), on=col(key), how="semi", maintain_order="left")
    if len(ids) == 1:
        return rows.filter(col(key) == int(ids.item()))
    return rows.filter(col(key).is_between(ids.min(), ids.max()) & col(key).is_in(ids.implode()))


def asked_of(node: Scan, source: Source, asked: Sequence[Asked]) -> tuple[Rows, Sequence[Asked]]:
    """The rows of a scan for which some conditions hold, and the others."""
    own = {column.name: column for column in node.columns if column.link is None}
    if node.time is not None:
        return scanned(node, source), asked
    made, others = by_codes(asked, own, source, node.table)
    return scanned(node, source, made), others


def scanned(node: Scan, source: Source, asked: Mapping[str, pl.Expr] = _NOTHING) -> Rows:
    """The rows of a scan, with the keys of its links; those for which conditions on stored columns hold."""
    window = absolute(node)
    own = [column for column in node.columns if column.link is None]
    owed = tuple(column for column in node.columns if column.link is not None)
    keys = dict.fromkeys(column.link.key for column in owed if column.link is not None)
    stored = dict.fromkeys([*(column.stored for column in own), *keys]) or [
        scan_key(node)
    ]  # rows that are only counted
    frame = source.scan(
        node.table,
        [*stored, *asked],
        start=None if window is None else window.start,
        end=None if window is None else window.end,
        daily=bool(node.daily),
    )
    frame = _where(frame, asked)
    named = {column.name for column in own}
    if not asked and all(column.name == column.stored and column.entry is None for column in own):
        return Rows(frame, source, owed)  # these columns are what the scan delivers
    return Rows(frame.select(*map(_picked, own), *(col(key) for key in keys if key not in named)), source, owed)


def _where(frame: pl.LazyFrame, asked: Mapping[str, pl.Expr]) -> pl.LazyFrame:
    return frame.filter(reduce(and_, asked.values())) if asked else frame


def _picked(column: ScanColumn) -> pl.Expr:
    if column.entry is None:
        return renamed(column.stored, column.name)
    entry = col(column.stored).list.filter(pl.element().struct.field("name") == column.entry).list.first()
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
