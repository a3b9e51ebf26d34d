"""What a plan reads: the tables that a worker process needs of those in memory, and a mark of everything that is read.

In: a resolved plan, the catalog, a source. Out: names of tables; a digest, or None where none can be told. Invariant:
two plans that ask the same and have the same mark have the same answer. Rows of tables with time are marked by the
sealed files they lie in, whose names are never given twice, so rows still in memory give no mark; objects are marked
by the values themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from hashlib import sha256
from typing import Any

import pyarrow as pa
import pyarrow.ipc

from nql.catalog.model import Catalog, Table
from nql.plan.plan import ResolvedPlan
from nql.plan.relations import Scan, absolute, scans
from storage.tables.api import SnapshotSource

MOST_OBJECTS = 500_000  # rows of object tables whose values are looked at for a mark


def tables(plan: ResolvedPlan, catalog: Catalog, beside: Collection[str] = ()) -> frozenset[str]:
    """The tables that a plan reads, those that stand behind configured items, and those that rows `beside` some tables
    point to."""
    return frozenset(name for scan in scans(plan.relation) for name in _of(scan, catalog, beside))


def _of(scan: Scan, catalog: Catalog, beside: Collection[str]) -> Iterator[str]:
    table = _table(scan.table, catalog)
    yield table.name
    yield from (column.link.table for column in scan.columns if column.link is not None)
    if table.base is not None:
        yield table.base
        yield from catalog.tables[table.base].links.values()
    if table.name in beside:
        yield from table.links.values()


def mark(plan: ResolvedPlan, catalog: Catalog, source: SnapshotSource) -> str | None:
    """A mark of all rows that a plan reads, None where a row of a table with time may still come without a new one.
    Blocks for milliseconds."""
    digest = sha256(str(source.snapshot.folder).encode())
    objects: dict[str, set[str]] = {}
    for scan in scans(plan.relation):
        table = _table(scan.table, catalog)
        if table.base is not None:
            return None  # whose rows belong to it is said by another table
        window = absolute(scan)
        if window is not None:
            extent = source.extent(scan.table, start=window.start, end=window.end)
            if extent.fresh:
                return None
            digest.update(repr((scan.table, window.start, window.end, extent.files)).encode())
        elif source.extent(scan.table).files:
            return None  # rows with time, of any time
        else:
            objects.setdefault(table.name, set()).update(c.stored for c in scan.columns if c.link is None)
        for column in scan.columns:
            if column.link is not None:
                objects.setdefault(column.link.table, set()).add(column.stored)
    if sum(source.extent(name).rows for name in objects) > MOST_OBJECTS:
        return None
    for name, columns in sorted(objects.items()):
        _mark_objects(digest, source, name, sorted({"@id", *columns}))
    return digest.hexdigest()


def _mark_objects(digest: Any, source: SnapshotSource, name: str, columns: list[str]) -> None:
    digest.update(repr((name, columns)).encode())
    rows = source.scan(name, columns).collect().rechunk().to_arrow()
    with pa.ipc.new_stream(pa.PythonFile(_Into(digest), mode="w"), rows.schema) as writer:
        writer.write_table(rows)


class _Into:
    """A file whose bytes go into a digest."""

    closed = False

    def __init__(self, digest: Any) -> None:
        self._digest = digest
        self._length = 0

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self._digest.update(view)
        self._length += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        return self._length

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Nothing is open here."""


def _table(name: str, catalog: Catalog) -> Table:
    found = catalog.tables.get(name) or catalog.table(name)
    if found is None:
        raise KeyError(name)
    return found
