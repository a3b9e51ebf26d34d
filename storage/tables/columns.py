"""One column of a resident table: values by row, and their Arrow form, each kept by blocks.

In: values to set, or all of them as a file held them. Out: single values; the column as Arrow. Invariants: a change
costs one block, whatever there is beside it; what was read from a file becomes values only where one of its block is
asked for, so that a start does not go through everything there is.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

_BLOCK = 4096


class Column:
    """A column of an Arrow type. `held` is what a file had, of that very type."""

    __slots__ = ("_blocks", "_dirty", "_rows", "_type", "_values")

    def __init__(self, arrow_type: Any, held: Any = None) -> None:
        self._type = arrow_type
        self._rows = 0 if held is None else len(held)
        whole: Any = None if held is None else held.combine_chunks()
        self._blocks: list[Any] = [whole.slice(start, _BLOCK) for start in range(0, self._rows, _BLOCK)]
        self._values: list[list[Any] | None] = [None] * len(self._blocks)
        self._dirty: set[int] = set()

    def get(self, row: int) -> Any:
        """The value of a row, None if it was never set."""
        if row >= self._rows:
            return None
        block, place = divmod(row, _BLOCK)
        values = self._of(block)
        return values[place] if place < len(values) else None

    def set(self, row: int, value: Any) -> None:
        """Set the value of a row."""
        if row >= self._rows:
            self._grow(row + 1)
        block, place = divmod(row, _BLOCK)
        values = self._of(block)
        if place >= len(values):
            values.extend([None] * (place + 1 - len(values)))
        values[place] = value
        self._dirty.add(block)

    def arrow(self, rows: int) -> Any:
        """The first `rows` values as a chunked array."""
        if rows > self._rows:
            self._grow(rows)
        for block in self._dirty:
            values = self._of(block)
            values.extend([None] * (min(_BLOCK, self._rows - block * _BLOCK) - len(values)))
            self._blocks[block] = pa.array(values, type=self._type)
        self._dirty.clear()
        return pa.chunked_array(self._blocks, type=self._type)

    def _grow(self, rows: int) -> None:
        first, blocks = self._rows // _BLOCK, (rows + _BLOCK - 1) // _BLOCK
        self._values.extend([] for _ in range(blocks - len(self._values)))
        self._blocks.extend([None] * (blocks - len(self._blocks)))
        self._dirty.update(range(first, blocks))
        self._rows = rows

    def _of(self, block: int) -> list[Any]:
        values = self._values[block]
        if values is None:
            values = self._values[block] = self._blocks[block].to_pylist()
        return values
