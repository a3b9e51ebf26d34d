"""Runs a query where it belongs: here, if it reads little; else in a worker process; or not at all, if its answer is
being computed or is known.

In: a question, bound to what its asker sees. Out: its rows and where they come from. Invariants: an answer is shared
only by those who ask the same of the same rows under the same view domain; one that is kept is used only while nothing
it rests on has changed; the serving process computes only what is estimated to be small.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc

from engine.cost import Cost
from engine.execute import result_columns, run
from engine.result import Result
from engine.source import Source
from nql.catalog.model import Catalog
from nql.plan.plan import ResolvedPlan
from nql.plan.relations import absolute, scans
from portal.errors import ApiError
from portal.queries.admission import HINTS, Admission, Purpose
from portal.queries.answers import Answers
from portal.queries.forms import cut
from portal.queries.inputs import mark, tables
from portal.queries.joining import Joining
from portal.queries.pages import Pages
from portal.queries.sharing import Shared
from portal.queries.union import Rows, UnionSource
from portal.threads import Threads
from portal.workers.messages import DEVICES, Reply, Work, question
from portal.workers.pool import Workers
from portal.workers.spool import Lease
from storage.tables.api import SnapshotSource

HERE = 256 << 20  # bytes that a query of the serving process reads, at most
MOST_HERE = 1 << 44
Facts = dict[str, dict[str, Any]]  # of devices, by uid
WORTH_KEEPING = 50_000  # rows read; below, asking anew is as cheap


class Where(StrEnum):
    """Where rows come from: computed here or by a worker process, or kept from before."""

    PORTAL = "portal"
    WORKER = "worker"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Question:
    """A plan for what its asker sees, over a source. Rows `[offset, offset + limit)` are wanted, in the form of a media
    type if there is one. `domain` is the asker's view domain, `cost` what is read; `facts` tells about the rows what
    only the serving process knows."""

    plan: ResolvedPlan
    source: Source
    catalog: Catalog
    cost: Cost
    limit: int
    offset: int = 0
    purpose: Purpose = Purpose.INTERACTIVE
    domain: str | None = None
    media: str | None = None
    facts: Callable[[Result], Facts] | None = None


@dataclass(frozen=True, slots=True)
class Ran:
    """Rows, or `written`, the whole answer in the form that was wanted (then the result has no rows). `facts` are there
    if they were wanted and the rows computed here: one way to a thread and back less."""

    result: Result
    where: Where
    written: pa.Buffer | None = None
    facts: Facts | None = None


class Execution:
    """Runs questions. To be used from one event loop."""

    def __init__(
        self, threads: Threads, workers: Workers, admission: Admission, answers: Answers, *, here: int = HERE
    ) -> None:
        if not 0 <= here <= MOST_HERE:
            raise ValueError(f"what the serving process reads for a query is 0 to {MOST_HERE} bytes, not {here}")
        self.workers = workers
        self.answers = answers
        self.pages = Pages(workers.spool, threads)
        self.joining: Joining[Ran] = Joining()
        self._threads = threads
        self._admission = admission
        self._here = here

    def forget(self) -> None:
        """Keep no answer: something was erased."""
        self.answers.forget()
        self.pages.forget()

    def where(self, cost: Cost) -> Where:
        """Where a query of some cost is run."""
        return Where.PORTAL if cost.bytes <= self._here else Where.WORKER

    async def run(self, asked: Question) -> Ran:
        """The answer. Raises ApiError where it is too much, or too many want some; what `engine.execute.run` raises."""
        base, beside = apart(asked.source)
        if base is None or beside or isinstance(asked.source, Shared):  # who shares an instant asks nothing twice of it
            return await self._ran(asked)
        if _of_objects(asked.plan) and self.where(asked.cost) is Where.PORTAL:  # that is as quick as looking who asks
            return await self._ran(asked)
        what = (*_what(asked), base.snapshot.folder)
        kept = await self._mark(asked, base)
        if kept is not None and (known := self.answers.get((what, kept))) is not None:
            return Ran(replace(known, now=asked.plan.now, complete_until=asked.source.complete_until), Where.KEPT)
        rows = (base.snapshot.number, base.snapshot.version)
        ran, _ = await self.joining.run((what, rows), lambda: self._ran(asked))
        if kept is not None:
            self.answers.keep((what, kept), ran.result)
        return replace(ran, result=replace(ran.result, now=asked.plan.now))

    async def _mark(self, asked: Question, base: SnapshotSource) -> str | None:
        if asked.media is not None or asked.cost.rows < WORTH_KEEPING or not self.answers.budget:
            return None
        if _of_objects(asked.plan):
            return None  # values of objects are what a mark is made of, which takes longer than asking for them
        return await self._threads.query(mark, asked.plan, asked.catalog, base)

    async def _ran(self, asked: Question) -> Ran:
        if self.where(asked.cost) is Where.PORTAL or apart(asked.source)[0] is None:
            return await self._threads.query(_here, asked)
        async with self._admission.turn(asked.purpose):
            return await self._in_worker(asked)

    async def _in_worker(self, asked: Question) -> Ran:
        base, beside = apart(asked.source)
        if base is None:
            raise TypeError("a worker process reads snapshots of tables")
        lease = await self._lease(base, tables(asked.plan, asked.catalog, beside))
        target = self.workers.spool.new("answer")
        files = (lease.snapshot, lease.tail, lease.objects)
        work = Work(asked.plan, *files, beside, asked.limit, asked.offset, asked.media, str(target))
        try:
            seconds, hint = self._admission.seconds(asked.purpose), HINTS[asked.purpose]
            reply = await self.workers.run(work, asked.catalog, seconds, hint=hint)
            return await self._threads.control(_received, asked, reply, target)
        finally:
            self.workers.spool.release(lease)
            target.unlink(missing_ok=True)

    async def _lease(self, base: SnapshotSource, names: frozenset[str]) -> Lease:
        """The rows in memory as files. Who is cancelled meanwhile leaves none behind."""
        writing = asyncio.ensure_future(self._threads.control(self.workers.spool.lease, base.snapshot, names))
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            writing.add_done_callback(self._unwanted)
            raise
        except OSError as error:
            message = f"Rows could not be handed to a process for the query: {error.strerror}."
            raise ApiError(507, "spool_full", message, "Make room on the portal's disk.") from None

    def _unwanted(self, writing: asyncio.Future[Lease]) -> None:
        with suppress(OSError, asyncio.CancelledError):
            self.workers.spool.release(writing.result())


def apart(source: Source) -> tuple[SnapshotSource | None, Rows]:
    """The tables in a source, and the rows beside them."""
    if isinstance(source, UnionSource):
        return apart(source.base)[0], source.rows
    if isinstance(source, Shared):
        return apart(source.base)
    return (source if isinstance(source, SnapshotSource) else None), {}


def _what(asked: Question) -> tuple[Hashable, ...]:
    """What is asked, by whom as far as it matters, and what for: nobody waits for a turn of another class."""
    plan = sha256(question(asked.plan)).digest()
    return plan, asked.catalog.version, asked.domain, asked.limit, asked.offset, asked.media, asked.purpose


def _of_objects(plan: ResolvedPlan) -> bool:
    """Whether nothing is read that has a time."""
    return all(absolute(scan) is None for scan in scans(plan.relation))


def _here(asked: Question) -> Ran:
    result = cut(run(asked.plan, asked.source, limit=asked.offset + asked.limit), asked.offset)
    return Ran(result, Where.PORTAL, facts=None if asked.facts is None else asked.facts(result))


def _received(asked: Question, reply: Reply, target: Path) -> Ran:
    """What a worker wrote, mapped: it takes no memory of this process's own, and the file goes when it is let go."""
    columns = result_columns(asked.plan.outputs)
    with pa.memory_map(str(target)) as source:
        written = None if asked.media is None else source.read_buffer()
        rows = pa.ipc.open_file(source).read_all() if asked.media is None else None
    table = pa.table({column.name: [] for column in columns}) if rows is None else rows.select(range(len(columns)))
    devices = rows[DEVICES].combine_chunks() if rows is not None and DEVICES in rows.column_names else None
    result = Result(
        table=table.rename_columns([column.name for column in columns]),
        columns=columns,
        complete_until=asked.source.complete_until,
        now=asked.plan.now,
        zone=asked.plan.zone,
        window=asked.plan.window,
        devices=devices,
        truncated=reply.truncated,
    )
    return Ran(result, Where.WORKER, written)
