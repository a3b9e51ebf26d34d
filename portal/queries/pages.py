"""Answers read page by page: the whole answer is kept for a while, and a cursor says where in it the next page begins.

In: an answer with more rows than a page, who asked; later a cursor. Out: rows, and the cursor of the next ones.
Invariants: all pages are of one answer, so that none repeats or skips a row whatever is stored meanwhile; a cursor is
authentic, counts for LIFE and for who asked alone, with the rights of then; what is kept lies in files without a name
and has bounds; an erasure leaves none.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.ipc

from engine.result import Result
from portal.caller import Caller
from portal.endpoints import encode
from portal.errors import ApiError
from portal.threads import Threads
from portal.workers.spool import Spool

SECOND = 1_000_000
LIFE = 900 * SECOND  # of a cursor
MOST_OF_ONE = 20  # answers that an account may have kept; the one unused longest makes room
MOST, MOST_BYTES = 500, 4 << 30  # of all accounts
DEVICES = "@devices"
AGAIN = "Ask the query again, and read its pages within 15 minutes of each other."


class _Place(msgspec.Struct, array_like=True):
    """What a cursor says: which answer, from which row, how many, until when."""

    answer: str
    offset: int
    size: int
    over: int


@dataclass(slots=True)
class _Kept:
    result: Result
    rights: tuple[Any, ...]
    over: int


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of an answer, and the cursor of those that follow, if any do."""

    result: Result
    next: str | None


class Pages:
    """The answers that are being read. To be used from one event loop."""

    def __init__(self, spool: Spool, threads: Threads) -> None:
        self._spool = spool
        self._threads = threads
        self._key = secrets.token_bytes(32)  # what it signs does not outlive what it speaks of
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self.erasures = 0

    async def begin(self, caller: Caller, result: Result, size: int, erasures: int, *, now: int) -> Page:
        """The first page of an answer that was asked for when so many `erasures` had been. Raises ApiError."""
        if result.table.num_rows <= size:
            return Page(result, None)
        held = await self._threads.control(_in_file, result, self._spool.new("pages"))
        if erasures != self.erasures:
            message = "Something was erased while the query ran."
            raise ApiError(503, "erased_meanwhile", message, "Ask it again.", headers={"Retry-After": "1"})
        self._make_room(caller, held.table.nbytes, now)
        identifier = secrets.token_hex(16)
        self._kept[identifier] = _Kept(held, _rights(caller), 0)
        return self._page(_Place(identifier, 0, size, 0), now)

    def turn(self, caller: Caller, cursor: str, *, now: int) -> Page:
        """The page of a cursor. Raises ApiError 400 for one that is not the caller's, 410 for one that is over."""
        place = self._read(cursor)
        kept = None if place is None else self._kept.get(place.answer)
        if place is None or (kept is not None and kept.rights[0] != caller.account.id):
            raise ApiError(400, "bad_cursor", "This is no cursor of yours, or the portal was started anew.", AGAIN)
        if kept is None or place.over <= now:
            raise ApiError(410, "cursor_expired", "The answer that this cursor belongs to is not kept any more.", AGAIN)
        if kept.rights != _rights(caller):
            raise ApiError(410, "cursor_expired", "Your rights have changed since the query was asked.", AGAIN)
        self._kept.move_to_end(place.answer)
        return self._page(place, now)

    def forget(self) -> None:
        """Keep none of them: something was erased."""
        self._kept.clear()
        self.erasures += 1

    def _page(self, place: _Place, now: int) -> Page:
        kept = self._kept[place.answer]
        result, end = kept.result, place.offset + place.size
        devices = None if result.devices is None else result.devices.slice(place.offset, place.size)
        page = replace(result, table=result.table.slice(place.offset, place.size), devices=devices)
        if end >= result.table.num_rows:
            return Page(page, None)
        kept.over = now + LIFE
        return Page(page, self._written(_Place(place.answer, end, place.size, kept.over)))

    def _make_room(self, caller: Caller, size: int, now: int) -> None:
        for name in [name for name, kept in self._kept.items() if kept.over <= now]:
            del self._kept[name]
        mine = [name for name, kept in self._kept.items() if kept.rights[0] == caller.account.id]
        for name in mine[: max(0, len(mine) - MOST_OF_ONE + 1)]:
            del self._kept[name]
        taken = sum(kept.result.table.nbytes for kept in self._kept.values())
        if len(self._kept) >= MOST or taken + size > MOST_BYTES:
            message = "Too many answers are being read page by page."
            raise ApiError(503, "busy", message, "Export it, or try again later.", headers={"Retry-After": "60"})

    def _written(self, place: _Place) -> str:
        said = encode(place)
        return urlsafe_b64encode(self._mac(said) + said).rstrip(b"=").decode()

    def _read(self, cursor: str) -> _Place | None:
        try:
            whole = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            mac, said = whole[:32], whole[32:]
            return msgspec.json.decode(said, type=_Place) if hmac.compare_digest(mac, self._mac(said)) else None
        except (ValueError, msgspec.MsgspecError):
            return None

    def _mac(self, said: bytes) -> bytes:
        return hmac.digest(self._key, said, sha256)


def _rights(caller: Caller) -> tuple[Any, ...]:
    return caller.account.id, caller.domain, caller.account.permissions


def _in_file(result: Result, path: Path) -> Result:
    """The same rows, mapped from a file that goes when they are let go. Raises ApiError 507."""
    table = result.table.rename_columns([str(at) for at in range(result.table.num_columns)])
    if result.devices is not None:
        table = table.append_column(DEVICES, result.devices)
    try:
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        with pa.memory_map(str(path)) as source:
            mapped = pa.ipc.open_file(source).read_all()
    except OSError as error:
        message = f"The answer could not be kept for its pages: {error.strerror}."
        raise ApiError(507, "spool_full", message, "Make room on the portal's disk.") from None
    finally:
        path.unlink(missing_ok=True)
    devices = None if result.devices is None else mapped.column(DEVICES).combine_chunks()
    rows = mapped.select(range(len(result.columns))).rename_columns([column.name for column in result.columns])
    return replace(result, table=rows, devices=devices)
