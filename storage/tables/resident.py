"""Columns of resident object tables in the form that queries read, made once for each state of a table.

In: an object table as Arrow, names of columns. Out: a frame of them. Invariant: a column lives as long as the Arrow
table it was made of, which never changes; nothing else is remembered. Threads may share it.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from typing import Any

import polars as pl

_lock = threading.Lock()
_known: dict[int, dict[str, pl.Series]] = {}  # by the identity of a living Arrow table


def resident(table: Any, names: Sequence[str]) -> pl.DataFrame:
    """Columns of an Arrow table, which has them."""
    with _lock:
        held = _known.get(id(table))
        if held is None:
            held = _known[id(table)] = {}
            weakref.finalize(table, _known.pop, id(table), None).atexit = False
    return pl.DataFrame([held[name] if name in held else _made(held, table, name) for name in names])


def _made(held: dict[str, pl.Series], table: Any, name: str) -> pl.Series:
    series = pl.from_arrow(table[name])
    assert isinstance(series, pl.Series)
    held[name] = series.alias(name)
    return held[name]
