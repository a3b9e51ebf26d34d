"""Columns of resident object tables in the form that queries read, made once for each state of a column; and of texts
the different ones, in order, with the place of each row's among them.

In: an object table as Arrow and where it is from, names of columns. Out: a frame of them. Invariant: a column is made
anew when its Arrow buffers are others, and only then; buffers never change. Of columns that no living table has, the
newest few are kept, because the next state of their table is likely to have them as they are. Threads may share all.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

CODE = "@code"  # after the name of a column of texts: the place of each row's text
LEAST_ROWS = 4_096  # of a table, below which looking at each text costs nothing
ASKED = 2  # times that the different texts of a column are wanted before they are made
KEPT = 256  # columns

_lock = threading.Lock()
_known: dict[int, dict[str, _Held]] = {}  # by the identity of a living Arrow table
_newest: OrderedDict[tuple[object, str], _Held] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Texts:
    """The different `texts` of a column, in the order of their lower case, `folded`, and then of themselves; `apart`
    tells that no two differ in case alone."""

    texts: pl.Series
    folded: pl.Series
    apart: bool


@dataclass(slots=True)
class _Held:
    """A column: its Arrow form, what was made of it, and how often its different texts were wanted."""

    arrow: Any
    series: pl.Series
    texts: Texts | None = None
    places: pl.Series | None = None
    asked: int = 0


def resident(place: object, table: Any, names: Sequence[str]) -> pl.DataFrame:
    """Columns of an Arrow table, which has them; of those whose `texts` were given also their places, named with
    CODE."""
    return pl.DataFrame([_made(place, table, name) for name in names])


def texts(place: object, table: Any, name: str) -> Texts | None:
    """The different texts of a column; None where that is not worth it (yet)."""
    held = _held(place, table, name)
    if held.series.dtype != pl.String or table.num_rows < LEAST_ROWS:
        return None
    held.asked += 1
    if held.texts is None and held.asked >= ASKED:
        _tell_apart(held)
    return held.texts


def _made(place: object, table: Any, name: str) -> pl.Series:
    if name.endswith(CODE):
        places = _held(place, table, name.removesuffix(CODE)).places
        if places is None:
            raise KeyError(name)
        return places.alias(name)
    return _held(place, table, name).series


def _held(place: object, table: Any, name: str) -> _Held:
    with _lock:
        of_table = _known.get(id(table))
        if of_table is None:
            of_table = _known[id(table)] = {}
            weakref.finalize(table, _known.pop, id(table), None).atexit = False
        if name in of_table:
            return of_table[name]
        held = _newest.get((place, name))
    column = table[name]
    if held is None or not _is_same(held.arrow, column):
        series = pl.from_arrow(column)
        assert isinstance(series, pl.Series)
        held = _Held(column, series.alias(name))
    with _lock:
        of_table[name] = _newest[place, name] = held
        _newest.move_to_end((place, name))
        while len(_newest) > KEPT:
            _newest.popitem(last=False)
    return held


def _is_same(one: Any, other: Any) -> bool:
    """Whether two Arrow columns are the same bytes: those of `one` are held, so that nothing else can lie there."""
    return one.type == other.type and _places(one) == _places(other)


def _places(column: Any) -> list[tuple[object, ...]]:
    return [
        (len(chunk), chunk.offset, *(None if buffer is None else buffer.address for buffer in chunk.buffers()))
        for chunk in column.chunks
    ]


def _tell_apart(held: _Held) -> None:
    """Make the different texts of a column, and the places of its rows among them."""
    name, lower = held.series.name, pl.col(held.series.name).str.to_lowercase().alias("@folded")
    ordered = held.series.drop_nulls().unique().to_frame().with_columns(lower).sort("@folded", name)
    folded = ordered["@folded"]
    texts = Texts(ordered[name], folded, folded.n_unique() == len(folded))
    held.places = held.series.cast(pl.Enum(texts.texts)).to_physical().cast(pl.Int64)
    held.texts = texts
