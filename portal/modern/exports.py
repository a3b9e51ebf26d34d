"""Exports: large answers as files that can be fetched for a while.

In: what a caller asks, and how its file shall be packed. Out: an export by its id, and its file by an address that
nobody can guess. Invariants: few run at once, those that wait and those that are kept are bounded, their files take at
most so many bytes, and each goes LIFE after it was done; an export is its credential's and to all others as if it were
not there. The files lie in the spool, where an erasure waits for them and a start of the portal removes them.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import structlog

from nql.diagnostics import QueryError
from portal.clock import elapsed
from portal.errors import ApiError
from portal.queries.admission import Purpose
from portal.queries.execution import Execution
from portal.queries.forms import LOCAL_CSV, pieces
from portal.queries.service import Answer, Asked, Queries, Wanted
from portal.threads import Threads

Compression = Literal["NONE", "GZIP", "ZSTD"]
State = Literal["SUBMITTED", "IN_PROGRESS", "ERROR", "COMPLETED"]
SECOND = 1_000_000
MOST_ROWS = 1_000_000
LIFE = 900 * SECOND  # of a file, and of what is known of its export
MOST, AT_ONCE = 200, 4  # exports that are not finished, and that run
MOST_KNOWN = 10_000  # with those whose files can be fetched
MOST_OF_ONE = 20  # that a credential may have unfinished
MOST_BYTES = 4 << 30  # of all files
PIECE = 1 << 20
PAUSE = 30.0  # seconds between looks for files that are over
ENDINGS: dict[Compression, str] = {"NONE": ".csv", "GZIP": ".csv.gz", "ZSTD": ".csv.zst"}
log = structlog.get_logger("modern")


@dataclass(slots=True)
class Export:
    """An export. `name` is that of its file in its address; `truncated` says that there were more rows than it has."""

    id: str
    credential: str
    name: str
    path: Path
    compression: Compression
    state: State = "SUBMITTED"
    error: str | None = None
    truncated: bool = False
    size: int = 0
    over: int | None = None  # when it goes, once it is done
    task: asyncio.Task[None] | None = None


class Exports:
    """The exports of one portal. To be used from one event loop."""

    def __init__(self, queries: Queries, execution: Execution, threads: Threads, clock: Callable[[], int]) -> None:
        self._queries = queries
        self._execution = execution
        self._threads = threads
        self._clock = clock
        self._known: dict[str, Export] = {}
        self._named: dict[str, Export] = {}  # by the names of their files
        self._turns = asyncio.Semaphore(AT_ONCE)

    def begin(self, credential: str, asked: Asked, compression: Compression) -> Export:
        """Begin an export of what was asked. Raises ApiError 429, 503."""
        self.sweep()
        unfinished = [one.credential for one in self._known.values() if one.over is None]
        if unfinished.count(credential) >= MOST_OF_ONE:
            message = f"{MOST_OF_ONE} exports of this credential are not finished."
            raise ApiError(429, "too_many_exports", message, headers={"Retry-After": "10"})
        full = len(unfinished) >= MOST or len(self._known) >= MOST_KNOWN
        if full or sum(one.size for one in self._known.values()) >= MOST_BYTES:
            message = "There are too many exports; files of before have to go first."
            raise ApiError(503, "too_many_exports", message, headers={"Retry-After": "60"})
        path = self._execution.workers.spool.new("export")
        name = secrets.token_urlsafe(32) + ENDINGS[compression]
        export = Export(secrets.token_hex(16), credential, name, path, compression)
        self._known[export.id] = self._named[name] = export
        export.task = asyncio.create_task(self._run(export, asked))
        return export

    def find(self, identifier: str, credential: str) -> Export:
        """An export of a credential. Raises ApiError 404."""
        self.sweep()
        export = self._known.get(identifier)
        if export is None or export.credential != credential:
            raise ApiError(404, "unknown_export", "There is no such export, or it is over.")
        return export

    def file(self, name: str) -> Export:
        """The export that is done and whose file has a name. Raises ApiError 404."""
        self.sweep()
        export = self._named.get(name)
        if export is not None and export.state == "COMPLETED":
            return export
        raise ApiError(404, "unknown_file", "There is no such file, or it is over.")

    def sweep(self) -> None:
        """Let go of what is over."""
        now = self._clock()
        for export in [one for one in self._known.values() if one.over is not None and one.over <= now]:
            export.path.unlink(missing_ok=True)
            del self._known[export.id], self._named[export.name]

    async def run(self) -> None:
        """Remove files that are over, until cancelled; then none runs, and no file is left."""
        try:
            while True:
                await asyncio.sleep(PAUSE)
                self.sweep()
        finally:
            tasks = [export.task for export in self._known.values() if export.task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for export in self._known.values():
                with suppress(OSError):
                    export.path.unlink(missing_ok=True)

    async def _run(self, export: Export, asked: Asked) -> None:
        try:
            async with self._turns:
                export.state = "IN_PROGRESS"
                answer = await self._queries.answered(
                    asked, Wanted(MOST_ROWS, media=LOCAL_CSV), Purpose.EXPORT, elapsed()
                )
                export.size = await self._threads.query(_write, answer, export, self._room())
                export.truncated, export.state = answer.result.truncated, "COMPLETED"
        except (ApiError, QueryError) as error:
            self._failed(export, str(error))
        except Exception:
            log.exception("export_failed")
            self._failed(export, "The portal failed; its log says why.")
        export.over = self._clock() + LIFE

    def _room(self) -> int:
        return MOST_BYTES - sum(one.size for one in self._known.values())

    def _failed(self, export: Export, message: str) -> None:
        export.state, export.error = "ERROR", message


def _write(answer: Answer, export: Export, room: int) -> int:
    """Write an answer into its file; how many bytes that are. Raises ApiError 507."""
    part = export.path
    codec = None if export.compression == "NONE" else export.compression.lower()
    try:
        with pa.OSFile(str(part), "wb") as file:
            sink = file if codec is None else pa.CompressedOutputStream(file, codec)
            for piece in _bytes(answer):
                sink.write(piece)
                if file.tell() > room:
                    raise ApiError(507, "exports_full", "The files of exports take too much room; try again later.")
            if sink is not file:
                sink.close()
            return int(file.tell()) if not file.closed else part.stat().st_size
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ApiError(507, "exports_full", f"The file could not be written: {error.strerror}.") from None
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _bytes(answer: Answer) -> Iterable[bytes]:
    return pieces(answer.result, LOCAL_CSV) if answer.written is None else _sliced(answer.written)


def _sliced(written: pa.Buffer) -> Iterator[bytes]:
    for start in range(0, written.size, PIECE):
        yield written.slice(start, min(PIECE, written.size - start)).to_pybytes()
