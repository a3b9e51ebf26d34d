"""The header of a journal frame: which batches it holds, the ids they introduce, and where each table's rows lie.

A frame is what one write and one fsync make durable: a group of batches. Invariant: a frame and the state before it
decide the state after it entirely; recovery applies frames with the same code that applied them the first time.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
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
    """Rows of one table: `size` bytes of Arrow IPC stream. `owners` are the devices whose whole set these rows are."""

    table: str
    rows: int
    size: int
    owners: list[int] = []


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


class FrameHeader(msgspec.Struct, frozen=True):
    """The batches of a frame, in order."""

    batches: list[BatchPart]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch ready to be written and applied: its part of the header, and each table's rows as Arrow and as bytes."""

    part: BatchPart
    batches: tuple[Any, ...]
    payloads: tuple[Any, ...]

    @property
    def size(self) -> int:
        """Bytes of rows."""
        return sum(part.size for part in self.part.tables)


_header = msgspec.json.Decoder(FrameHeader)


def encode_body(group: Sequence[Prepared]) -> bytes:
    """The body of a frame: length of the header, header, rows."""
    header = msgspec.json.encode(FrameHeader([prepared.part for prepared in group]))
    header += b" " * (-len(header) % _ALIGN)
    return b"".join(
        [len(header).to_bytes(8, "little"), header, *(payload for item in group for payload in item.payloads)]
    )


def encode_frame(body: bytes, journal: int, offset: int) -> bytes:
    """A frame for one place: byte `offset` of journal file `journal`. Anywhere else its checksum does not fit."""
    length = len(body).to_bytes(8, "little")
    return b"".join([MAGIC, _checksum(length, body, journal, offset), length, body])


def body_length(head: bytes) -> int | None:
    """The stated length of a frame's body, None if these are not the first bytes of a frame."""
    if len(head) < HEAD or head[:4] != MAGIC:
        return None
    length = int.from_bytes(head[8:16], "little")
    return length if length <= MAX_BODY else None


def is_sound(head: bytes, body: bytes, journal: int, offset: int) -> bool:
    """Whether the checksum of a frame fits its bytes and its place."""
    return _checksum(head[8:16], body, journal, offset) == head[4:8]


def _checksum(length: bytes, body: bytes, journal: int, offset: int) -> bytes:
    place = journal.to_bytes(8, "little") + offset.to_bytes(8, "little")
    return zlib.crc32(body, zlib.crc32(place + length)).to_bytes(4, "little")


def decode_frame(body: bytes) -> list[Prepared]:
    """The batches of a sound frame. Raises ValueError if it does not follow the format after all."""
    length = int.from_bytes(body[:8], "little")
    header = _header.decode(body[8 : 8 + length])
    view, offset = pa.py_buffer(body), 8 + length
    group: list[Prepared] = []
    for part in header.batches:
        batches = []
        for table in part.tables:
            batches.append(decode_rows(view.slice(offset, table.size)))
            offset += table.size
        group.append(Prepared(part, tuple(batches), ()))
    return group


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
