"""The store process's side: portals ask, the one open store answers.

In: connections of portals that know the secret. Out: acknowledgements, snapshots. Invariants: every request is answered
once; a snapshot that a portal was given keeps its files until the portal says that nobody reads it any more, is gone,
or was silent for SILENCE. What a portal asked for and did not hear the answer of is stored all the same; it asks again.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec

from storage.naming import Naming
from storage.tables.api import Tables
from storage.tables.errors import StorageFailed, StoreError
from storage.tables.remote_snapshot import written
from storage.tables.remote_wire import SILENCE, Answer, Ask, error_of, prove, receive, send
from storage.tables.snapshot import Snapshot

log = logging.getLogger(__name__)
_asks = msgspec.msgpack.Decoder(Ask)
MOST_AT_ONCE = 4096  # requests of one portal under way


class StoreServer:
    """Answers portals until it is closed. `listen` is an address as `address` reads it."""

    def __init__(self, tables: Tables, secret: bytes, holds: Callable[[], bool] = lambda: True) -> None:
        """`holds` tells whether the tables are still ours: where not, what we have may be old."""
        self._tables, self._secret, self._holds = tables, secret, holds
        self._name = secrets.token_hex(8)  # of this life of the store: versions of another mean nothing here
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self, listen: str, tls: ssl.SSLContext | None = None) -> str:
        """Listen; the address with the port that was taken. Raises OSError."""
        host, port = address(listen)
        if port is None:
            path = Path(host)
            path.unlink(missing_ok=True)  # of a store that died: only the holder of the lease comes here
            self._server = await asyncio.start_unix_server(self._connected, host)
            path.chmod(0o600)
            return f"unix:{host}"
        self._server = await asyncio.start_server(self._connected, host, port, ssl=tls)
        return f"{host}:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """End all connections."""
        if self._server is not None:
            self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        portal = _Portal(self._tables, self._name, self._holds, reader, writer)
        try:
            async with asyncio.timeout(SILENCE):
                await prove(reader, writer, self._secret, store=True)
            await portal.serve()
        except (OSError, TimeoutError, msgspec.MsgspecError, asyncio.CancelledError) as error:
            log.info("a portal's connection ended: %s", error)
        finally:
            self._open.discard(task)
            portal.end()
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


class _Portal:
    """One connection: what it was given, and what it waits for."""

    def __init__(
        self,
        tables: Tables,
        store: str,
        holds: Callable[[], bool],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._tables, self._store, self._holds = tables, store, holds
        self._reader, self._writer = reader, writer
        self._held: dict[int, Snapshot] = {}
        self._last: Snapshot | None = None
        self._serial = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._sending, self._looking = asyncio.Lock(), asyncio.Lock()
        self._room = asyncio.Semaphore(MOST_AT_ONCE)

    async def serve(self) -> None:
        """Answer until the connection ends. Raises OSError, TimeoutError, msgspec.MsgspecError."""
        while True:
            async with asyncio.timeout(SILENCE):
                head, _ = await receive(self._reader)
            ask = _asks.decode(head)
            for serial in ask.released:
                self._held.pop(serial, None)
            await self._room.acquire()
            task = asyncio.create_task(self._answer(ask))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def end(self) -> None:
        """Let everything go."""
        for task in list(self._tasks):
            task.cancel()
        self._held, self._last = {}, None

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._room.release()
        if not task.cancelled() and task.exception() is not None:
            self._writer.close()  # the portal asks again over another connection

    async def _answer(self, ask: Ask) -> None:
        if ask.kind == "snapshot":
            async with self._looking:  # what is sent says what changed since the one sent before
                self._serial += 1
                snapshot = await self._tables.snapshot()
                if not self._holds():
                    await self._send(Answer(ask.id, error=error_of(StorageFailed("the store does not hold its lease"))))
                    return
                header, blobs = await asyncio.to_thread(written, self._last, snapshot, self._serial, self._store)
                self._held[self._serial], self._last = snapshot, replace(snapshot)  # the copy holds no files
                await self._send(Answer(ask.id, snapshot=msgspec.Raw(header)), blobs)
            return
        try:
            answer = await self._done(ask)
        except StoreError as error:
            answer = Answer(ask.id, error=error_of(error))
        except Exception as error:
            log.exception("a request failed")
            answer = Answer(ask.id, error=error_of(StorageFailed(f"the store could not answer ({error!r})")))
        await self._send(answer)

    async def _done(self, ask: Ask) -> Answer:
        match ask.kind:
            case "append" if ask.batch is not None:
                return Answer(ask.id, ack=await self._tables.append(ask.batch))
            case "seal":
                await self._tables.seal()
            case "compact":
                await self._tables.compact(ask.until)
            case "erase":
                return Answer(ask.id, done=await self._tables.erase(ask.table, ask.key, Naming(ask.ids, ask.names)))
            case "erased":
                return Answer(ask.id, done=await self._tables.erased())
        return Answer(ask.id)

    async def _send(self, answer: Answer, blobs: list[memoryview] | None = None) -> None:
        async with self._sending:
            await send(self._writer, answer, blobs or [])


def address(text: str) -> tuple[str, int | None]:
    """The path of `unix:PATH` (and None), or host and port of `HOST:PORT`. Raises ValueError."""
    if text.startswith("unix:") and len(text) > 5:
        return text[5:], None
    host, found, port = text.rpartition(":")
    if not (found and host and port.isdecimal() and int(port) < 65_536):
        raise ValueError(f"{text} is no address: say unix:PATH or HOST:PORT")
    return host.strip("[]"), int(port)
