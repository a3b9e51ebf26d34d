"""The header of a journal frame: which batches it holds, the ids they introduce, and where each table's rows lie.

A frame is what one write and one fsync make durable: a group of batches. Event rows of the same columns lie together,
whoever sent them; objects lie batch by batch. Invariant: a frame and the state before it decide the state after it
entirely; recovery applies frames with the same code that applied them the first time.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pyarrow as pa

MAGIC = b"\x93MJ1"
HEAD = 16  # magic, crc32 of place, length and body, length of the body; little endian
MAX_BODY = 1 << 30
_ALIGN = 8


class NewKeys(msgspec.Struct, frozen=True):
    """Keys of one object table that get the ids `first`, `first + 1`, ..."""

    first: int
    keys: list[str]


class TablePart(msgspec.Struct, frozen=True, omit_defaults=True):
    """Rows of one table: `size` bytes of Arrow IPC stream, or the next ones of a stream of the frame, by its number.
    `owners` are the devices whose whole set these rows are."""

    table: str
    rows: int
    size: int
    owners: list[int] = []
    stream: int | None = None


class BatchPart(msgspec.Struct, frozen=True, omit_defaults=True):
    """One batch: its name, when it was received, the number of its first event row, new keys by object table, and its
    tables."""

    source: str
    generation: int
    epoch: str
    sequence: int
    received: int
    row: int
    tables: list[TablePart]
    keys: dict[str, NewKeys] = {}
    first: int | None = None


class StreamPart(msgspec.Struct, frozen=True, omit_defaults=True):
    """Event rows of several batches: `size` bytes of Arrow IPC stream. `seen` are the links whose objects were seen at
    the times of these rows."""

    table: str
    rows: int
    size: int
    seen: list[str] = []


class FrameHeader(msgspec.Struct, frozen=True, omit_defaults=True):
    """The batches of a frame, in order, and the streams whose rows are of several of them."""

    batches: list[BatchPart]
    streams: list[StreamPart] = []


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch ready to be written and applied: its part of the header, and each table's rows as Arrow and as bytes,
    None where they lie in a stream."""

    part: BatchPart
    batches: tuple[Any, ...]
    payloads: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Stream:
    """Event rows of several batches ready to be written and applied."""

    part: StreamPart
    rows: Any
    payload: Any = None


@dataclass(frozen=True, slots=True)
class Frame:
    """A group of batches, and the streams that have rows of them."""

    batches: list[Prepared] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)


_header = msgspec.json.Decoder(FrameHeader)


def encode_body(frame: Frame) -> list[Any]:
    """The pieces of a frame's body: length of the header, header, rows of single batches, streams."""
    header = msgspec.json.encode(
        FrameHeader([prepared.part for prepared in frame.batches], [stream.part for stream in frame.streams])
    )
    header += b" " * (-len(header) % _ALIGN)
    own = [payload for item in frame.batches for payload in item.payloads]
    return [len(header).to_bytes(8, "little"), header, *own, *(stream.payload for stream in frame.streams)]


def encode_frame(body: Sequence[Any], journal: int, offset: int) -> bytes:
    """A frame for one place: byte `offset` of journal file `journal`. Anywhere else its checksum does not fit."""
    length = sum(memoryview(piece).nbytes for piece in body).to_bytes(8, "little")
    return b"".join([MAGIC, _checksum(length, body, journal, offset), length, *body])


def body_length(head: bytes) -> int | None:
    """The stated length of a frame's body, None if these are not the first bytes of a frame."""
    if len(head) < HEAD or head[:4] != MAGIC:
        return None
    length = int.from_bytes(head[8:16], "little")
    return length if length <= MAX_BODY else None


def is_sound(head: bytes, body: bytes, journal: int, offset: int) -> bool:
    """Whether the checksum of a frame fits its bytes and its place."""
    return _checksum(head[8:16], [body], journal, offset) == head[4:8]


def _checksum(length: bytes, body: Sequence[Any], journal: int, offset: int) -> bytes:
    found = zlib.crc32(journal.to_bytes(8, "little") + offset.to_bytes(8, "little") + length)
    for piece in body:
        found = zlib.crc32(piece, found)
    return found.to_bytes(4, "little")


def decode_frame(body: bytes) -> Frame:
    """The batches of a sound frame. Raises ValueError if it does not follow the format after all."""
    length = int.from_bytes(body[:8], "little")
    header = _header.decode(body[8 : 8 + length])
    view, offset = pa.py_buffer(body), 8 + length

    def rows(size: int) -> Any:
        nonlocal offset
        offset += size
        return decode_rows(view.slice(offset - size, size))

    group = [
        Prepared(part, tuple(None if table.stream is not None else rows(table.size) for table in part.tables))
        for part in header.batches
    ]
    frame = Frame(group, [Stream(part, rows(part.size)) for part in header.streams])
    _check_streams(frame)
    return frame


def _check_streams(frame: Frame) -> None:
    """Each stream has the rows that its batches take of it, no fewer and no more."""
    found = [stream.rows.num_rows for stream in frame.streams]
    for prepared in frame.batches:
        for table in prepared.part.tables:
            if table.stream is not None:
                if not 0 <= table.stream < len(found) or frame.streams[table.stream].part.table != table.table:
                    raise ValueError(f"rows of {table.table} lie in no stream of theirs")
                found[table.stream] -= table.rows
    if any(found):
        raise ValueError("a stream has other rows than its batches")


def encode_rows(batch: Any) -> Any:
    """A record batch as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def decode_rows(data: Any) -> Any:
    """The record batch of an Arrow IPC stream. Raises ValueError unless it holds exactly one."""
    with pa.ipc.open_stream(data) as reader:
        batches = list(reader)
    if len(batches) != 1:
        raise ValueError(f"{len(batches)} record batches where one was written")
    return batches[0]
