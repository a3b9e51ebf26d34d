"""A snapshot on its way to another process: what the receiver lacks, told by what it has.

In: the snapshot that the receiver had last, and the new one. Out: a header and blobs of Arrow; on the other side the
new snapshot, made of the last one and these. Invariants: what did not change is not sent (blocks of a column, parts of
the tail, tables, the lists of files); sealed files are named and never sent. Both sides must mean the same last one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.ipc

from storage.tables.manifest import DailyFile, DayFile, Segment
from storage.tables.snapshot import Snapshot
from storage.tables.tail import TailPart

ID = "@id"


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A part of the tail whose rows are a blob."""

    table: str
    day: int
    min_time: int
    max_time: int
    blob: int


class Named(msgspec.Struct, frozen=True):
    """The sealed files."""

    segments: tuple[Segment, ...]
    days: tuple[DayFile, ...]
    dailies: tuple[DailyFile, ...]


class Header(msgspec.Struct, frozen=True):
    """A snapshot. `files` None: as before. In `tail` a number is the place of a part that the receiver has. Of an
    object table None: as before; else its rows and, for each column, blocks: the place of one that the receiver has,
    or a blob (-1 - number)."""

    serial: int
    store: str
    zone: str
    number: int
    version: int
    complete_until: int
    relayed: dict[str, int]
    files: Named | None
    tail: list[int | Part]
    objects: dict[str, tuple[int, dict[str, list[int]]] | None]


def written(before: Snapshot | None, now: Snapshot, serial: int, store: str) -> tuple[bytes, list[Any]]:
    """The header of a snapshot, and its blobs, for who has `before`."""
    blobs: list[Any] = []
    named = Named(now.segments, now.days, now.dailies)
    known = None if before is None else Named(before.segments, before.days, before.dailies)
    places = {} if before is None else {id(part.frame): place for place, part in enumerate(before.tail)}
    tail: list[int | Part] = []
    for part in now.tail:
        place = places.get(id(part.frame))
        if place is None:
            tail.append(Part(part.table, part.day, part.min_time, part.max_time, len(blobs)))
            blobs.append(_frame_bytes(part.frame))
        else:
            tail.append(place)
    objects: dict[str, tuple[int, dict[str, list[int]]] | None] = {}
    for name, table in now.objects.items():
        old = None if before is None else before.objects.get(name)
        objects[name] = None if old is table else (table.num_rows, dict(_columns(old, table, blobs)))
    header = Header(
        serial, store, now.zone, now.number, now.version, now.complete_until, dict(now.relayed),
        None if known == named else named, tail, objects,
    )  # fmt: skip
    return msgspec.msgpack.encode(header), blobs


def _columns(old: Any, table: Any, blobs: list[Any]) -> Iterator[tuple[str, list[int]]]:
    for name in table.column_names:
        if name == ID:
            continue  # which is the numbers of the rows
        had = old is not None and name in old.column_names
        places = {_address(chunk): place for place, chunk in enumerate(old[name].chunks)} if had else {}
        blocks: list[int] = []
        for chunk in table[name].chunks or [pa.array([], type=table[name].type)]:
            place = places.get(_address(chunk)) if len(chunk) else None
            if place is None:
                blobs.append(_chunk_bytes(chunk))
                place = -len(blobs)
            blocks.append(place)
        yield name, blocks


def _address(chunk: Any) -> tuple[Any, ...]:
    """Where an array lies: nothing else lies there as long as it lives."""
    buffers = ((one.address, one.size) if one is not None else None for one in chunk.buffers())
    return (chunk.offset, len(chunk), *buffers)


def read(before: Snapshot | None, header: Header, blobs: list[bytes], folder: Path, version: int) -> Snapshot:
    """The snapshot that was written for who has `before`; its files lie in `folder`. Raises ValueError."""
    if before is None and (header.files is None or any(isinstance(one, int) for one in header.tail)):
        raise ValueError("a snapshot refers to one that this process does not have")
    named = header.files or Named(before.segments, before.days, before.dailies)  # type: ignore[union-attr]  # looked at
    tail = []
    for one in header.tail:
        if isinstance(one, Part):
            frame = pl.read_ipc_stream(blobs[one.blob])
            tail.append(TailPart(one.table, one.day, one.min_time, one.max_time, frame))
        else:
            tail.append(before.tail[one])  # type: ignore[union-attr]  # looked at
    objects = {
        name: _table(None if before is None else before.objects.get(name), told, blobs)
        for name, told in header.objects.items()
    }
    return Snapshot(
        folder, header.zone, header.number, version, header.complete_until, named.segments, tuple(tail), objects,
        named.days, named.dailies, relayed=header.relayed,
    )  # fmt: skip


def _table(old: Any, told: tuple[int, Mapping[str, list[int]]] | None, blobs: list[bytes]) -> Any:
    if told is None:
        if old is None:
            raise ValueError("a snapshot refers to a table that this process does not have")
        return old
    rows, columns = told
    made: dict[str, Any] = {ID: pa.arange(0, rows)}
    for name, blocks in columns.items():
        chunks = [_chunk(blobs[-1 - place]) if place < 0 else old[name].chunk(place) for place in blocks]
        made[name] = pa.chunked_array(chunks)
    return pa.table(made)


def _frame_bytes(frame: pl.DataFrame) -> Any:
    sink = pa.BufferOutputStream()
    frame.write_ipc_stream(sink)
    return memoryview(sink.getvalue())


def _chunk_bytes(chunk: Any) -> Any:
    batch, sink = pa.record_batch([chunk], names=["c"]), pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return memoryview(sink.getvalue())


def _chunk(blob: bytes) -> Any:
    with pa.ipc.open_stream(blob) as stream:
        return stream.read_next_batch().column(0)
