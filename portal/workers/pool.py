"""The worker processes of a portal: started, given work, stopped; one is always warm once the first was needed.

In: `Work` and how long it may take. Out: a `Reply` that says `done`, or an `ApiError` that says why there is no answer
and what to do. Invariants: a query that is given up (cancelled, too long) costs its process at once, and no other query
anything; a process that died, or holds on to much memory, is never given work again; when the pool is closed no process
is left.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import structlog

from nql.catalog.model import Catalog
from portal.errors import ApiError
from portal.workers.messages import Reply, Work, framed, packed
from portal.workers.spool import Spool
from storage.tables.api import HOT, LakeAway, SegmentCorrupt

MODULE = "portal.workers.process"
START_SECONDS = 60.0
MOST_IDLE = 2
LEAST_MEMORY, MOST_MEMORY = 256 << 20, 1 << 44  # bytes
MOST_THREADS = 256
_SAID = 4096  # bytes of what a process said before it died
log = structlog.get_logger("workers")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one worker process may have: threads, bytes of memory of its own."""

    threads: int = field(default_factory=lambda: min(os.cpu_count() or 1, MOST_THREADS))
    memory: int = 1 << 30

    def __post_init__(self) -> None:
        if not (1 <= self.threads <= MOST_THREADS and LEAST_MEMORY <= self.memory <= MOST_MEMORY):
            raise ValueError(f"a worker has 1 to {MOST_THREADS} threads and at least {LEAST_MEMORY} bytes of memory")


class DiedError(Exception):
    """A worker process ended without an answer: its exit code, and the last that it said."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(f"exit code {code}")
        self.code = code
        self.said = said

    @property
    def of_memory(self) -> bool:
        """Whether it ran out of memory: Polars cannot go on then, and ends the process."""
        return self.code == -signal.SIGABRT and "memory allocation of" in self.said


@dataclass(eq=False, slots=True)
class _Worker:
    """One process."""

    process: asyncio.subprocess.Process
    said: Path
    catalog: str = ""  # the version it has

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    async def reply(self) -> Reply:
        """The next line it says. Raises DiedError."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if line.endswith(b"\n"):
            return msgspec.json.decode(line, type=Reply)
        raise DiedError(await self.process.wait(), self._last_words())

    async def send(self, message: bytes) -> None:
        assert self.process.stdin is not None
        with suppress(ConnectionError):  # it died: `reply` tells how
            self.process.stdin.write(message)
            await self.process.stdin.drain()

    def kill(self) -> None:
        """End it now."""
        with suppress(ProcessLookupError):
            self.process.kill()

    async def gone(self) -> None:
        """Wait until it ended, and remove what it left."""
        await self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        if self.process.stdout is not None:  # which is closed at its end, not at the end of the process
            with suppress(RuntimeError):  # somebody waits for its reply, and comes to the end himself
                await self.process.stdout.read()
        self.said.unlink(missing_ok=True)

    def _last_words(self) -> str:
        with suppress(OSError), self.said.open("rb") as file:
            return file.read(_SAID).decode("utf-8", "replace")
        return ""


class Workers:
    """The pool. To be used from one event loop. How many work at once is its callers' to bound."""

    def __init__(self, spool: Spool, limits: Limits) -> None:
        self.spool = spool
        self.limits = limits
        self.started = 0
        self._idle: deque[_Worker] = deque()
        self._every: set[_Worker] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = count(1)
        self._catalog: tuple[str, bytes] = ("", b"")
        self._warming = False
        self._closed = False

    @property
    def processes(self) -> list[int]:
        """The ids of the processes there are."""
        return [worker.process.pid for worker in self._every if worker.alive]

    def warm(self) -> None:
        """Have a process ready soon, if none is."""
        if not self._idle and not self._warming and not self._closed:
            self._warming = True
            self._later(self._spare())

    async def run(self, work: Work, catalog: Catalog, seconds: float, *, hint: str) -> Reply:
        """Have work done within some seconds; `hint` is the way out for who asked too much. Raises ApiError,
        SegmentCorrupt, LakeAway. Who is cancelled here has the process killed."""
        worker, stays = await self._taken(), False
        self.warm()
        try:
            async with asyncio.timeout(seconds):
                reply = await self._asked(worker, work, catalog)
        except TimeoutError:
            message = f"The query took longer than {seconds:g} seconds."
            raise ApiError(504, "query_timeout", message, hint) from None
        except DiedError as died:
            raise self._told(died, hint) from None
        else:
            stays = worker.alive and reply.data <= self.limits.memory // 2 and len(self._idle) < MOST_IDLE
            return self._done(reply, hint)
        finally:
            if stays:
                self._idle.append(worker)
            else:
                self._let_go(worker)

    async def close(self) -> None:
        """End every process."""
        self._closed = True
        for worker in [*self._every]:
            self._let_go(worker)
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _asked(self, worker: _Worker, work: Work, catalog: Catalog) -> Reply:
        if self._catalog[0] != catalog.version:
            self._catalog = (catalog.version, packed(catalog))
        fresh = None if worker.catalog == catalog.version else self._catalog[1]
        worker.catalog = catalog.version
        await worker.send(framed(fresh, work))
        return await worker.reply()

    def _done(self, reply: Reply, hint: str) -> Reply:
        match reply.outcome:
            case "done":
                return reply
            case "memory":
                raise self._too_much(hint)
            case "damaged":
                raise SegmentCorrupt(Path(reply.path), reply.reason)
            case "away":
                raise LakeAway(Path(reply.path), "", reply.reason)
            case _:
                raise RuntimeError(f"a worker process failed: {reply.reason}")

    def _told(self, died: DiedError, hint: str) -> ApiError:
        if died.of_memory:
            return self._too_much(hint)
        log.error("worker_died", exit=died.code, said=died.said)
        message = f"The process that ran the query ended unexpectedly ({_ending(died.code)}). Nothing else is harmed."
        again = "Ask again. If it happens again, narrow the window and tell whoever runs the portal: its log says more."
        return ApiError(503, "query_crashed", message, again, headers={"Retry-After": "1"})

    def _too_much(self, hint: str) -> ApiError:
        most = f"{self.limits.memory / (1 << 20):,.0f} MiB"
        message = f"The query needs more memory than one query may have ({most}). Nothing else is harmed."
        return ApiError(422, "query_memory", message, hint)

    async def _taken(self) -> _Worker:
        while self._idle:
            worker = self._idle.popleft()
            if worker.alive:
                return worker
            self._let_go(worker)
        return await self._start()

    async def _start(self) -> _Worker:
        """A process that is ready. Raises ApiError 503."""
        said = self.spool.new("log")
        with said.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", MODULE, str(self.limits.memory), str(HOT.budget)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=self._environment(),
                start_new_session=True,
            )
        worker = _Worker(process, said)
        self._every.add(worker)
        self.started += 1
        try:
            async with asyncio.timeout(START_SECONDS):
                await worker.reply()
        except (TimeoutError, DiedError) as error:
            log.error("worker_not_started", reason=str(error), said=getattr(error, "said", ""))
            self._let_go(worker)
            hint = "Ask again; whoever runs the portal finds the reason in its log."
            raise ApiError(503, "no_worker", "The portal could not start a process for the query.", hint) from None
        except BaseException:
            self._let_go(worker)
            raise
        return worker

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
        threads = str(self.limits.threads)
        return kept | {
            "POLARS_MAX_THREADS": threads,
            "OMP_NUM_THREADS": threads,
            "ARROW_DEFAULT_MEMORY_POOL": "system",  # the others reserve much more than they use
            "RUST_BACKTRACE": "0",
        }

    async def _spare(self) -> None:
        try:
            worker = await self._start()
        except ApiError:
            return  # the log says why; who needs one hears of it
        finally:
            self._warming = False
        if self._closed:
            self._let_go(worker)
        else:
            self._idle.append(worker)

    def _let_go(self, worker: _Worker) -> None:
        worker.kill()
        self._every.discard(worker)
        with suppress(ValueError):
            self._idle.remove(worker)
        self._later(worker.gone())

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _ending(code: int) -> str:
    with suppress(ValueError):
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f"signal {-code}"
