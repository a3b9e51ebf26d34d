"""The import route: decode, call, encode.

In: batches of columnar rows, packed with gzip or not. Out: how many rows were stored. Invariant: where imports are
off no body is read, and nothing is unpacked beyond its bound.
"""

from __future__ import annotations

import zlib
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from portal.caller import Permission
from portal.endpoints import MIB, Asked, Endpoint, decode, read_json
from portal.errors import ApiError
from portal.imports.service import Imports

PACKED, UNPACKED = 4 * MIB, 16 * MIB
TableName = Annotated[str, Meta(min_length=1, max_length=128)]


class ImportTable(Struct, forbid_unknown_fields=True):
    """Rows of one table: stored columns of equal length; links (`@device`) hold key texts."""

    table: TableName
    columns: Annotated[dict[TableName, list[Any]], Meta(min_length=1, max_length=200)]


class ImportBatch(Struct, forbid_unknown_fields=True):
    """One batch, stored at once or not at all, and only once under its epoch and sequence. `received` is microseconds
    UTC. `configured` are campaigns, custom trends and custom fields (`nql.catalog.configured.written`), declared before
    the rows are stored."""

    source: Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,64}$(?!\n)")]
    epoch: Annotated[str, Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$(?!\n)")]
    sequence: Annotated[int, Meta(ge=1, le=1 << 53)]
    tables: Annotated[list[ImportTable], Meta(max_length=200)]
    received: Annotated[int, Meta(ge=0, le=1 << 62)] | None = None
    configured: Annotated[list[dict[str, Any]], Meta(max_length=1000)] = []


class Imported(Struct):
    """What was stored: 0 rows for a batch that was there already."""

    sequence: int
    rows: int
    duplicate: bool


def endpoints(imports: Imports) -> list[Endpoint]:
    """The slice's part of the route list."""
    decoder = msgspec.json.Decoder(ImportBatch)

    async def store(asked: Asked) -> Imported:
        imports.check_enabled()
        data = await read_json(asked.request, PACKED)
        batch = decode(unpacked(data, asked.request.headers.get("content-encoding", "")), decoder)
        if not batch.tables and not batch.configured:
            raise ApiError(400, "bad_request", "A batch has rows or declares something.")
        await imports.declare(asked.caller, batch.configured)
        if not batch.tables:
            return Imported(batch.sequence, 0, False)
        tables = [(table.table, table.columns) for table in batch.tables]
        ack = await imports.store(asked.caller, batch.source, batch.epoch, batch.sequence, batch.received, tables)
        return Imported(ack.sequence, ack.rows, ack.duplicate)

    summary = "Store rows under the import identity. Content-Encoding: gzip is taken."
    return [
        Endpoint(
            "POST",
            "/import",
            store,
            summary,
            Permission.IMPORT,
            answer=Imported,
            reads=ImportBatch,
            most_bytes=PACKED,
        )
    ]


def unpacked(data: bytes, encoding: str) -> bytes:
    """The body unpacked, never beyond its bound. Raises ApiError 415, 413, 400."""
    if encoding.strip().lower() in ("", "identity"):
        return data
    if encoding.strip().lower() != "gzip":
        raise ApiError(415, "bad_encoding", "The body may be packed with gzip only.")
    unpacker = zlib.decompressobj(wbits=31)
    try:
        whole = unpacker.decompress(data, UNPACKED)
    except zlib.error:
        raise ApiError(400, "bad_gzip", "The body is no gzip.") from None
    if unpacker.unconsumed_tail:
        raise ApiError(413, "too_large", f"The body unpacks to more than {UNPACKED} bytes.")
    if not unpacker.eof or unpacker.unused_data:
        raise ApiError(400, "bad_gzip", "The body is no whole gzip.")
    return whole
