"""What lies under a grouping, so that it can be grouped part by part: the table, and what can wait until the groups
are few.

In: the relation below a grouping, its keys, and the columns that its measures read. Out: a `Below`: the same relation
over ids of objects in place of their attributes, without the conditions on objects that can be asked of the groups;
and a source for it in which the table is one part alone. Invariant: grouping `Below` by its ids, joining the
attributes, asking the conditions that wait and grouping again gives what grouping the relation gives. Nothing is
grouped here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from engine.lazyframe.dtypes import col
from engine.lazyframe.packed import Exchange
from engine.lazyframe.scans import Rows
from engine.order import scan_key
from engine.source import Around, Source
from nql.datatypes import Physical
from nql.plan.expressions import And, Expr, columns
from nql.plan.relations import ID, Extend, Filter, Link, Relation, Scan, ScanColumn, Select, absolute

_LEAST = "@least"
_SPREAD, _SPARE = 4, 1 << 20  # ids may leave this many of them out, and this many more


@dataclass(frozen=True, slots=True)
class Below:
    """A relation to be grouped by `ids`, of which `used` columns are read. `owed` are the columns of objects that are
    joined to the groups, `waiting` the conditions then asked of them, each with the columns it reads."""

    relation: Relation
    scan: Scan
    ids: tuple[str, ...]
    used: frozenset[str]
    owed: tuple[ScanColumn, ...] = ()
    waiting: tuple[tuple[Expr, frozenset[str]], ...] = ()

    @property
    def window(self) -> tuple[int, int]:
        """The window, microseconds UTC. Raises TypeError on an unresolved plan."""
        window = absolute(self.scan)
        if window is None:
            raise TypeError("a grouping in parts is over a table with time")
        return window.start, window.end

    @property
    def stored(self) -> Mapping[str, str]:
        """The stored columns of the table that the relation has as they are."""
        return {column.name: column.stored for column in self.scan.columns if column.link is None and not column.entry}

    @property
    def columns(self) -> list[str]:
        """The stored columns that the relation reads of its table, at least one."""
        own = [column.stored for column in self.scan.columns if column.link is None]
        keys = [column.link.key for column in self.scan.columns if column.link is not None]
        return [*dict.fromkeys([*own, *keys])] or [scan_key(self.scan)]

    @property
    def computed(self) -> frozenset[str]:
        """The columns that are computed row by row."""
        return frozenset(name for step in _chain(self.relation) if isinstance(step, Extend) for name, _ in step.items)

    @property
    def plain(self) -> bool:
        """Whether every row of the table is grouped."""
        return not any(isinstance(step, Filter) for step in _chain(self.relation))

    @property
    def linked(self) -> bool:
        """Whether columns of objects are read before rows are grouped."""
        return any(column.link is not None for column in self.scan.columns)

    def exchangeable(self, keys: Collection[str]) -> list[Link]:
        """The links of which only what is owed counts, and not which object it is."""
        links = dict.fromkeys(column.link for column in self.owed if column.link is not None)
        return [] if self.waiting else [link for link in links if link.key not in self.used.union(keys)]


class OnePart(Around):
    """A source in which one table is the rows of a frame."""

    def __init__(self, base: Source, table: str, frame: pl.LazyFrame) -> None:
        super().__init__(base)
        self._table, self._frame = table, frame

    def scan(
        self,
        table: str,
        columns: Sequence[str],
        *,
        start: int | None = None,
        end: int | None = None,
        daily: bool = False,
    ) -> pl.LazyFrame:
        """See `engine.source.Source.scan`; the frame is cut to the window already."""
        if table == self._table:
            return self._frame.select(columns)
        return super().scan(table, columns, start=start, end=end, daily=daily)


def below(node: Relation, keys: Sequence[str], read: Collection[str]) -> Below | None:
    """What lies under a grouping by `keys` whose measures read `read`; None if it is more than rows of one table."""
    chain = _chain(node)
    scan = chain[-1]
    if not isinstance(scan, Scan) or scan.time is None or scan.daily is not False:
        return None
    links = {column.name: column.link for column in scan.columns if column.link is not None}
    computed = [(name, columns(item)) for step in chain if isinstance(step, Extend) for name, item in step.items]
    hidden = links.keys() | {link.key for link in links.values()}
    if any(name in hidden for name, _ in computed):
        return Below(node, scan, tuple(keys), frozenset(read))
    ids = tuple(dict.fromkeys(links[key].key if key in links else key for key in keys))
    conditions = [part for step in chain if isinstance(step, Filter) for part in conjuncts(step.predicate)]
    asked = [(part, columns(part)) for part in conditions]
    waiting = tuple((part, names) for part, names in asked if names and all(_key(links, name) in ids for name in names))
    staying = frozenset(read).union(
        *(names for _, names in computed), *(n for part, n in asked if (part, n) not in waiting)
    )
    late = {key for key in keys if key in links}.union(*(names for _, names in waiting))
    kept = [column for column in scan.columns if column.link is None or column.name in staying]
    names = {column.name for column in kept}
    added = [
        ScanColumn(key, ID, key) for key in ids if key not in names and any(key == link.key for link in links.values())
    ]
    rows = replace(scan, columns=(*kept, *added))
    return Below(
        relation=_over(node, rows, [part for part, _ in waiting], [column.name for column in added]),
        scan=rows,
        ids=ids,
        used=staying,
        owed=tuple(column for column in scan.columns if column.name in late),
        waiting=waiting,
    )


def _key(links: Mapping[str, Link], name: str) -> str | None:
    return links[name].key if name in links else None


def _over(node: Relation, rows: Scan, waiting: Sequence[Expr], added: Sequence[str]) -> Relation:
    """The relation over other columns of its table, without conditions."""
    match node:
        case Filter():
            inner = _over(node.input, rows, waiting, added)
            staying = tuple(part for part in conjuncts(node.predicate) if part not in waiting)
            return Filter(inner, staying[0] if len(staying) == 1 else And(staying)) if staying else inner
        case Extend():
            return replace(node, input=_over(node.input, rows, waiting, added))
        case Select():
            inner = _over(node.input, rows, waiting, added)
            return Select(inner, tuple(dict.fromkeys(name for name in (*node.names, *added) if name in inner.schema)))
        case _:
            return rows


@dataclass(frozen=True, slots=True)
class Representatives:
    """For rows with the key of a link, the object that is taken in place of theirs, by `exchange`; none is above
    `greatest`. `same` says that all objects from 0 to there are, and no two with the same attributes."""

    exchange: Exchange
    greatest: int
    same: bool

    @property
    def key(self) -> str:
        """The key of the link."""
        return self.exchange.key


def representatives(source: Source, link: Link, owed: Sequence[ScanColumn]) -> Representatives | None:
    """For rows with the key of a link, the least object with the same attributes as theirs; one for all without any.
    None if the ids are too far apart for a list, or attributes are more than plain values."""
    wanted = tuple(column for column in owed if column.link == link)
    if any(column.dtype.physical in (Physical.LIST_UTF8, Physical.VALUES) for column in wanted):
        return None
    objects = Rows(pl.LazyFrame(), source, wanted).objects(link).collect()
    names, key = [column.name for column in wanted], link.key
    least = objects.select(key, col(key).min().over(names).alias(_LEAST))
    length = int(str(objects[key].max() or 0)) + 1
    if length > _SPREAD * objects.height + _SPARE:
        return None
    every = pl.select(pl.int_range(length).alias(key)).join(least, on=key, how="left", maintain_order="left")
    bare = objects.filter(pl.all_horizontal(col(name).is_null() for name in names))[key].min()
    same = bare is None and objects.height == length and least[_LEAST].equals(least[key])
    # A place without an object has none of the attributes, as an object without any has.
    exchange = Exchange(key, every[_LEAST], None if bare is None else int(str(bare)))
    return Representatives(exchange, length - 1, same)


def conjuncts(expr: Expr) -> list[Expr]:
    """The conditions that a condition asks for all of."""
    return [part for operand in expr.operands for part in conjuncts(operand)] if isinstance(expr, And) else [expr]


def _chain(node: Relation) -> list[Relation]:
    """A relation and what it is made from, as far as rows are only left out or computed upon."""
    chain = [node]
    while isinstance(node, Filter | Extend | Select):
        node = node.input
        chain.append(node)
    return chain
