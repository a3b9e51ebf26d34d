"""Scans of a plan in Polars: rows of one table, with columns of the objects they point to and entries of typed maps.

In: a `Scan` and a source. Out: a lazy frame with the scan's columns. Invariant: a link never changes the number of
rows; a row that points to nothing has null there. Each linked table is joined once, however many of its columns are
wanted.
"""

from __future__ import annotations

import polars as pl

from engine.order import scan_key
from engine.source import Source
from nql.datatypes import Physical
from nql.plan.relations import OBJECT_KEY, Link, Scan, ScanColumn, absolute


def scanned(node: Scan, source: Source) -> pl.LazyFrame:
    """The rows of a scan."""
    window = absolute(node)
    links = {column.link: None for column in node.columns if column.link is not None}  # a set that keeps its order
    own = [column.stored for column in node.columns if column.link is None] + [link.key for link in links]
    own = own or [scan_key(node)]  # rows that are only counted
    frame = source.scan(
        node.table,
        list(dict.fromkeys(own)),
        start=None if window is None else window.start,
        end=None if window is None else window.end,
        daily=node.daily,
    )
    for link in links:
        wanted = [column.stored for column in node.columns if column.link == link]
        frame = _linked(frame, link, list(dict.fromkeys(wanted)), source)
    return frame.select(_picked(column) for column in node.columns) if node.columns else frame


def _linked(frame: pl.LazyFrame, link: Link, stored: list[str], source: Source) -> pl.LazyFrame:
    """The frame with columns of the object at the end of a link, named `@device.<column>`; null where there is none."""
    names = {name: f"{link.key}.{name}" for name in stored}
    objects = source.scan(link.table, list(dict.fromkeys([OBJECT_KEY, *stored])))
    columns = [pl.col(name).alias(alias) for name, alias in names.items()]
    return frame.join(objects.select(pl.col(OBJECT_KEY).alias(link.key), *columns), on=link.key, how="left")


def _picked(column: ScanColumn) -> pl.Expr:
    stored = column.stored if column.link is None else f"{column.link.key}.{column.stored}"
    if column.entry is None:
        return pl.col(stored).alias(column.name)
    entry = pl.col(stored).list.filter(pl.element().struct.field("name") == column.entry).list.first()
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
