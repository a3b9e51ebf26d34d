"""Scans of a plan in SQL: rows of one table, with columns of the objects they point to and entries of typed maps.

In: a `Scan`. Out: a query with the scan's columns over views, and what each view has to hold. Invariant: a link never
changes the number of rows; a row that points to nothing has null there. Filling the views with the rows of a source
is for whoever runs it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from engine.order import scan_key
from engine.sql.dtypes import DOUBLE, call, cast, element, text
from nql.datatypes import Physical
from nql.plan.relations import OBJECT_KEY, Link, Scan, ScanColumn, absolute

_OWN = "t"


@dataclass(frozen=True, slots=True)
class View:
    """What a view holds: these stored columns of a table, of the rows in a window. Same meaning as `Source.scan`."""

    name: str
    table: str
    columns: tuple[str, ...]
    start: int | None = None
    end: int | None = None
    daily: bool = False


@dataclass(slots=True)
class Views:
    """The views of a query, named in the order in which they are first needed."""

    held: list[View] = field(default_factory=list)

    def add(self, table: str, columns: list[str], window: tuple[int, int] | None = None, *, daily: bool = False) -> str:
        """Ask for a view; gives its name."""
        start, end = window or (None, None)
        name = f"v{len(self.held)}"
        self.held.append(View(name, table, tuple(dict.fromkeys(columns)), start, end, daily))
        return name


def scanned(node: Scan, views: Views) -> exp.Select:
    """The rows of a scan."""
    window = absolute(node)
    links = list({column.link: None for column in node.columns if column.link is not None})
    own = [column.stored for column in node.columns if column.link is None] + [link.key for link in links]
    own = own or [scan_key(node)]  # rows that are only counted
    name = views.add(node.table, own, None if window is None else (window.start, window.end), daily=bool(node.daily))
    aliases = {link: f"o{at}" for at, link in enumerate(links)}
    shown = [_picked(column, aliases.get(column.link, _OWN) if column.link else _OWN) for column in node.columns]
    shown = shown or [exp.column(own[0], table=_OWN, quoted=True)]
    query = exp.select(*shown).from_(exp.to_table(name, alias=_OWN))
    for link, alias in aliases.items():
        wanted = [column.stored for column in node.columns if column.link == link]
        objects = exp.to_table(views.add(link.table, [OBJECT_KEY, *wanted]), alias=alias)
        query = query.join(objects, on=_points(link, alias), join_type="left")
    return query


def _points(link: Link, alias: str) -> exp.Expr:
    key = exp.column(link.key, table=_OWN, quoted=True)
    return exp.EQ(this=key, expression=exp.column(OBJECT_KEY, table=alias, quoted=True))


def _picked(column: ScanColumn, alias: str) -> exp.Expr:
    stored = exp.column(column.stored, table=alias, quoted=True)
    picked = stored if column.entry is None else _entry(stored, column.entry, column.dtype.physical)
    return exp.alias_(picked, column.name, quoted=True)


def _entry(stored: exp.Expr, name: str, physical: Physical) -> exp.Expr:
    named = exp.EQ(this=call("struct_extract", exp.column("e"), text("name")), expression=text(name))
    entry = call("list_extract", call("list_filter", stored, element(named)), exp.Literal.number(1))

    def part(form: str) -> exp.Expr:
        return call("struct_extract", entry.copy(), text(form))

    match physical:
        case Physical.INT64:
            return part("number")
        case Physical.FLOAT64:  # an output may have been declared as a whole number before
            return exp.Coalesce(this=part("real"), expressions=[cast(part("number"), DOUBLE)])
        case Physical.BOOL:
            return exp.NEQ(this=part("number"), expression=exp.Literal.number(0))
        case Physical.LIST_UTF8:
            return part("texts")
        case _:
            return part("text")
