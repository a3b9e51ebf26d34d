"""What a portal and the store process say to each other: frames of a header and blobs, and who proves what first.

In: headers as msgspec structs, blobs of Arrow. Out: the same on the other side. Invariants: a frame has bounded sizes;
both sides prove that they know the secret before anything else is said, and the secret itself is never sent; nothing
that comes over the wire is code.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Sequence
from pathlib import Path
from struct import Struct as Packed
from typing import Any, Literal

import msgspec

from storage.tables.errors import Closed, Corrupt, Refused, StorageFailed, StorageFull, StoreError
from storage.tables.rows import Ack, Batch

VERSION = 1
HEAD = Packed(">II")  # bytes of the header, number of blobs
LENGTH = Packed(">Q")
MOST_HEADER, MOST_BLOBS, MOST_BYTES = 256 << 20, 1 << 20, 8 << 30
NONCE = 32
LEAST_SECRET = 32  # bytes in its file
SILENCE = 30.0  # seconds without a word after which a portal counts as dead, and its snapshots are let go
BEAT = 5.0

Kind = Literal["append", "snapshot", "seal", "compact", "erase", "erased", "beat"]


class Ask(msgspec.Struct, frozen=True, omit_defaults=True):
    """A request. `released` are snapshots that nobody of the portal reads any more."""

    id: int
    kind: Kind
    batch: Batch | None = None
    until: int | None = None
    table: str = ""
    key: str = ""
    ids: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    released: list[int] = []


class Error(msgspec.Struct, frozen=True):
    """What the store raised."""

    kind: str
    reason: str
    path: str = ""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to the request of this id; `snapshot` is the header of one, its rows are the blobs."""

    id: int
    ack: Ack | None = None
    done: bool = True
    error: Error | None = None
    snapshot: msgspec.Raw = msgspec.Raw(b"")


_ERRORS: dict[str, type[Refused | StorageFailed]] = {
    "Refused": Refused,
    "StorageFull": StorageFull,
    "StorageFailed": StorageFailed,
}


def error_of(error: StoreError) -> Error:
    """An error as it is sent."""
    path = str(error.path) if isinstance(error, Corrupt) else ""
    reason = error.detail if isinstance(error, Corrupt) else getattr(error, "reason", str(error))
    return Error(type(error).__name__, reason, path)


def raised(error: Error) -> StoreError:
    """The error that was sent."""
    if error.path:
        return Corrupt(Path(error.path), error.reason)
    if error.kind == "Closed":
        return Closed(error.reason)
    return _ERRORS.get(error.kind, StorageFailed)(error.reason)


def shared_secret(path: Path) -> bytes:
    """The secret in a file. Raises StorageFailed for a file that others may read, or that holds hardly anything."""
    try:
        mode, text = path.stat().st_mode, path.read_bytes().strip()
    except OSError as error:
        raise StorageFailed(f"the secret of the store cannot be read: {path}: {error.strerror}") from error
    if mode & 0o077:
        raise StorageFailed(f"others may read {path}, which holds the secret of the store: chmod 600 it")
    if len(text) < LEAST_SECRET:
        raise StorageFailed(f"{path} holds {len(text)} bytes; the secret of the store has {LEAST_SECRET} or more")
    return text


async def send(writer: asyncio.StreamWriter, header: msgspec.Struct, blobs: Sequence[Any] = ()) -> None:
    """Write a frame. Raises OSError."""
    head = msgspec.msgpack.encode(header)
    writer.write(HEAD.pack(len(head), len(blobs)) + head)
    for blob in blobs:
        writer.write(LENGTH.pack(len(blob)))
        writer.write(blob)
        await writer.drain()
    await writer.drain()


async def receive(reader: asyncio.StreamReader) -> tuple[bytes, list[bytes]]:
    """The header and blobs of the next frame. Raises OSError, also for a frame that is out of bounds."""
    try:
        size, count = HEAD.unpack(await reader.readexactly(HEAD.size))
        if size > MOST_HEADER or count > MOST_BLOBS:
            raise ConnectionError("a frame is larger than any that is meant")
        head, blobs, total = await reader.readexactly(size), [], 0
        for _ in range(count):
            [length] = LENGTH.unpack(await reader.readexactly(LENGTH.size))
            total += length
            if total > MOST_BYTES:
                raise ConnectionError("a frame is larger than any that is meant")
            blobs.append(await reader.readexactly(length))
    except asyncio.IncompleteReadError as error:
        raise ConnectionError("the other side has gone") from error
    return head, blobs


async def prove(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, secret: bytes, *, store: bool) -> None:
    """Show that both know the secret. Raises ConnectionError where the other side does not."""
    mine, me, other = secrets.token_bytes(NONCE), (b"portal", b"store")[store], (b"store", b"portal")[store]
    writer.write(bytes([VERSION]) + mine)
    try:
        said = await reader.readexactly(1 + NONCE)
        if said[0] != VERSION:
            raise ConnectionError(f"the other side speaks version {said[0]} and not {VERSION}")
        both = said[1:] + mine if store else mine + said[1:]
        if store:  # which proves itself only to who did so before
            await _expect(reader, secret, other + both)
        writer.write(hmac.digest(secret, me + both, "sha256"))
        await writer.drain()
        if not store:
            await _expect(reader, secret, other + both)
    except asyncio.IncompleteReadError as error:
        raise ConnectionError("the other side ended the connection: is the secret the same on both?") from error


async def _expect(reader: asyncio.StreamReader, secret: bytes, said: bytes) -> None:
    if not hmac.compare_digest(await reader.readexactly(32), hmac.digest(secret, said, "sha256")):
        raise ConnectionError("the other side does not know the secret")
