"""One column of a resident table: values by row, kept as Arrow by blocks, with what was changed since beside them.

In: values to set, or all of them as a file held them. Out: single values; the column as Arrow. Invariants: a change
costs little whatever there is beside it, in its block, in others, at a start; a value set to what it was is no change.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

_BLOCK = 4096
_FEW = 128  # changes of a block, and buffers it has, up to which it is patched and not made anew
_PLACES = array("q", range(_BLOCK))


class Column:
    """A column of an Arrow type. `held` is what a file had, of that very type."""

    __slots__ = ("_blocks", "_changed", "_rows", "_type", "_whole")

    def __init__(self, arrow_type: Any, held: Any = None) -> None:
        self._type = arrow_type
        self._rows = 0 if held is None else len(held)
        whole: Any = None if held is None else held.combine_chunks()
        self._blocks: list[Any] = [whole.slice(start, _BLOCK) for start in range(0, self._rows, _BLOCK)]
        self._changed: dict[int, dict[int, Any]] = {}  # values by place, by block
        self._whole: Any = None  # what was given last, while nothing changed

    def get(self, row: int) -> Any:
        """The value of a row, None if it was never set."""
        block, place = divmod(row, _BLOCK)
        changed = self._changed.get(block)
        if changed is not None and place in changed:
            return changed[place]
        if block >= len(self._blocks) or place >= len(self._blocks[block]):
            return None
        return self._blocks[block][place].as_py()

    def set(self, row: int, value: Any) -> None:
        """Set the value of a row."""
        if row >= self._rows:
            self._rows = row + 1
        elif self.get(row) == value:
            return
        block, place = divmod(row, _BLOCK)
        self._changed.setdefault(block, {})[place] = value
        self._whole = None

    def combine(self, rows: Sequence[int], values: Any, how: Callable[[Any, Any], Any]) -> None:
        """Set rows, ascending, of a column of numbers to what `how` makes of their values (null where there is none)
        and of these: both are Arrow arrays."""
        self.arrow(max(self._rows, rows[-1] + 1))
        first = 0
        while first < len(rows):
            block = rows[first] // _BLOCK
            end = bisect_left(rows, (block + 1) * _BLOCK, first)
            held, taken = self._blocks[block], _PLACES[: len(self._blocks[block])]
            for at, row in enumerate(rows[first:end], len(held)):
                taken[row % _BLOCK] = at
            made = how(held.take(pa.array([row % _BLOCK for row in rows[first:end]])), values.slice(first, end - first))
            places = pa.Array.from_buffers(pa.int64(), len(held), [None, pa.py_buffer(taken)])
            self._blocks[block] = pa.concat_arrays([held, made]).take(places)
            first = end
        self._whole = None

    def arrow(self, rows: int) -> Any:
        """The first `rows` values as a chunked array; all there are, where these are more."""
        if self._whole is not None and len(self._whole) >= rows:
            return self._whole
        self._rows = max(self._rows, rows)
        for block, changed in self._changed.items():
            self._grow(block)
            self._blocks[block] = self._with(self._blocks[block], changed)
        self._changed.clear()
        self._grow((self._rows - 1) // _BLOCK)
        self._whole = pa.chunked_array(self._blocks, type=self._type)
        return self._whole

    def forget(self) -> None:
        """Hold the values alone: texts that were here before are in no buffer any more, nor in a file made of them."""
        if pa.types.is_primitive(self._type):
            return
        self.arrow(self._rows)
        self._blocks = [pa.array(block.to_pylist(), type=self._type) for block in self._blocks]
        self._whole = None

    def _grow(self, last: int) -> None:
        """Have all blocks up to one, each as long as it must be."""
        for block in range(max(0, len(self._blocks) - 1), last + 1):
            if block == len(self._blocks):
                self._blocks.append(pa.nulls(0, self._type))
            held, length = self._blocks[block], min(_BLOCK, self._rows - block * _BLOCK)
            if len(held) < length:
                self._blocks[block] = pa.concat_arrays([held, pa.nulls(length - len(held), self._type)])

    def _with(self, held: Any, changed: dict[int, Any]) -> Any:
        """A block with some values changed: what lies between them is taken as it is. What is patched again and again
        would hold on to all that it ever was, so it is made anew then, as it is where much has changed."""
        if len(changed) <= _FEW and len(held.buffers()) <= _FEW:
            places = sorted(changed)
            values, after = pa.array([changed[place] for place in places], type=self._type), 0
            pieces: list[Any] = []
            for at, place in enumerate(places):
                pieces += [held.slice(after, place - after), values.slice(at, 1)]
                after = place + 1
            return pa.concat_arrays([*pieces, held.slice(after)])
        whole = held.to_pylist()
        for place, value in changed.items():
            whole[place] = value
        return pa.array(whole, type=self._type)
