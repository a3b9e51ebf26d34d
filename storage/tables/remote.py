"""The tables as a portal has them whose store is another process: the same methods as `Tables`.

In: batches, wishes. Out: acknowledgements, snapshots whose files this process maps itself. Invariants: what is asked is
asked again, over any store that comes, until it was answered or PATIENCE is over: batches are named, so each is stored
once; an answer is everything acknowledged by whomever before it was asked for. A version never means two contents.
"""

from __future__ import annotations

import asyncio
import itertools
import weakref
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec
from msgspec import structs

from storage.naming import Naming
from storage.tables.errors import Closed, StorageFailed
from storage.tables.face import NOTHING, Tables
from storage.tables.remote_server import address
from storage.tables.remote_snapshot import Header, read
from storage.tables.remote_wire import BEAT, Answer, Ask, prove, raised, receive, send
from storage.tables.rows import Ack, Batch
from storage.tables.snapshot import Snapshot

PATIENCE = 20.0  # seconds: longer than another store takes to come
PAUSE, GREETING, QUIET = 0.1, 5.0, 10.0
_answers = msgspec.msgpack.Decoder(Answer)
_headers = msgspec.msgpack.Decoder(Header)


class RemoteTables(Tables):
    """The tables of a folder that a store process holds, at one of some addresses. Used on one event loop."""

    def __init__(self, folder: Path, addresses: Sequence[str], secret: bytes, *, patience: float = PATIENCE) -> None:
        """`folder` is where this process sees the files. Raises ValueError for what is no address."""
        self.folder, self._addresses, self._secret = folder, [address(one) for one in addresses], secret
        self._patience = patience
        self._link: _Link | None = None
        self._linking, self._looking = asyncio.Lock(), asyncio.Lock()
        self._versions: dict[tuple[str, int], int] = {}
        self._count = itertools.count(1)
        self._zone = ""
        self._closed = False
        self._beating: asyncio.Task[None] | None = None

    async def open(self) -> RemoteTables:
        """Reach the store. Raises StorageFailed."""
        self._zone = (await self.snapshot()).zone
        self._beating = asyncio.create_task(self._beat())
        return self

    @property
    def zone(self) -> str:
        """The instance zone."""
        return self._zone

    async def append(self, batch: Batch) -> Ack:
        answer = await self._ask(Ask(0, "append", batch=batch))
        return answer.ack or Ack(batch.sequence, 0)

    async def snapshot(self) -> Snapshot:
        """As `Tables.snapshot`. Raises StorageFailed where no store comes."""
        deadline = self._deadline()
        async with self._looking:
            while True:
                link = await self._linked(deadline)
                try:
                    answer, blobs = await link.ask(Ask(0, "snapshot", released=link.released()))
                    return await self._read(link, answer, blobs)
                except (OSError, ValueError, msgspec.MsgspecError) as error:
                    await self._failed(link, deadline, error)

    async def seal(self) -> None:
        await self._ask(Ask(0, "seal"))

    async def compact(self, until: int | None = None) -> None:
        await self._ask(Ask(0, "compact", until=until))

    async def erase(self, table: str, key: str, words: Naming = NOTHING) -> bool:
        asked = Ask(0, "erase", table=table, key=key, ids=words.ids, names=words.names)
        return (await self._ask(asked)).done

    async def erased(self) -> bool:
        return (await self._ask(Ask(0, "erased"))).done

    async def close(self) -> None:
        """Let the store go; it stays. Closing twice does nothing."""
        self._closed = True
        if self._beating is not None:
            self._beating.cancel()
            with suppress(asyncio.CancelledError):
                await self._beating
            self._beating = None
        if self._link is not None:
            await self._link.end()
            self._link = None

    async def _ask(self, asked: Ask) -> Answer:
        deadline = self._deadline()
        while True:
            link = await self._linked(deadline)
            try:
                answer, _ = await link.ask(asked)
            except (OSError, msgspec.MsgspecError) as error:
                await self._failed(link, deadline, error)
                continue
            if answer.error is not None:
                raise raised(answer.error)
            return answer

    async def _read(self, link: _Link, answer: Answer, blobs: list[bytes]) -> Snapshot:
        if answer.error is not None:
            raise raised(answer.error)
        header = _headers.decode(answer.snapshot)
        named = (header.store, header.version)
        if named not in self._versions:
            self._versions = {named: next(self._count)}
        snapshot = await asyncio.to_thread(read, link.last, header, blobs, self.folder, self._versions[named])
        link.last = snapshot
        given = replace(snapshot)  # the last one is kept to say what changed, and holds nothing
        weakref.finalize(given, link.gone.append, header.serial).atexit = False
        return given

    def _deadline(self) -> float:
        if self._closed:
            raise Closed("the table store is closed")
        return asyncio.get_running_loop().time() + self._patience

    async def _linked(self, deadline: float) -> _Link:
        async with self._linking:
            while self._link is None or self._link.broken:
                if self._link is not None:  # it broke before anybody asked over it
                    await self._link.end()
                self._link, failed = await self._connect()
                if self._link is None:
                    if self._closed or asyncio.get_running_loop().time() > deadline:
                        raise StorageFailed(f"the store process cannot be reached ({failed}); try again")
                    await asyncio.sleep(PAUSE)
            return self._link

    async def _connect(self) -> tuple[_Link | None, Exception | None]:
        failed: Exception | None = None
        for host, port in self._addresses:
            try:
                async with asyncio.timeout(GREETING):
                    opened = asyncio.open_unix_connection(host) if port is None else asyncio.open_connection(host, port)
                    reader, writer = await opened
                    try:
                        await prove(reader, writer, self._secret, store=False)
                    except BaseException:
                        writer.close()
                        raise
                return _Link(reader, writer), None
            except (OSError, TimeoutError) as error:
                failed = error
        return None, failed

    async def _failed(self, link: _Link, deadline: float, error: Exception) -> None:
        if self._link is link:
            self._link = None
        await link.end()
        if self._closed or asyncio.get_running_loop().time() > deadline:
            raise StorageFailed(f"the store process does not answer ({error}); try again") from error

    async def _beat(self) -> None:
        """Say now and then that this portal lives, and what it reads no more; end a connection that says nothing."""
        while True:
            await asyncio.sleep(BEAT)
            if (link := self._link) is None or link.broken:
                continue
            try:
                async with asyncio.timeout(QUIET):
                    await link.ask(Ask(0, "beat", released=link.released()))
            except TimeoutError:
                await link.end()  # who waits for it asks another store
            except (OSError, msgspec.MsgspecError):
                continue


class _Link:
    """One connection to a store. `last` is the snapshot that was read from it last, as both sides know."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._waiting: dict[int, asyncio.Future[tuple[Answer, list[bytes]]]] = {}
        self._numbers = itertools.count(1)
        self._sending = asyncio.Lock()
        self.last: Snapshot | None = None
        self.gone: deque[int] = deque()  # filled wherever a snapshot is collected
        self.broken = False
        self._task = asyncio.create_task(self._listen())

    async def ask(self, asked: Ask) -> tuple[Answer, list[bytes]]:
        """Send a request under a number of this connection; the answer and its blobs. Raises OSError."""
        if self.broken:
            raise ConnectionError("the connection has ended")
        number = next(self._numbers)
        future = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            async with self._sending:
                await send(self._writer, structs.replace(asked, id=number))
            return await asyncio.shield(future)
        finally:
            self._waiting.pop(number, None)
            future.cancel()

    def released(self) -> list[int]:
        """The snapshots that nobody reads any more."""
        return [self.gone.popleft() for _ in range(len(self.gone))]

    async def end(self) -> None:
        """Close it."""
        self.broken = True
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _listen(self) -> None:
        try:
            while True:
                head, blobs = await receive(self._reader)
                answer = _answers.decode(head)
                future = self._waiting.get(answer.id)
                if future is not None and not future.done():
                    future.set_result((answer, blobs))
        except (OSError, msgspec.MsgspecError) as error:
            self._fail(ConnectionError(f"the connection to the store has ended ({error})"))
        except asyncio.CancelledError:
            self._fail(ConnectionError("the connection to the store was closed"))
            raise

    def _fail(self, error: ConnectionError) -> None:
        self.broken = True
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)
