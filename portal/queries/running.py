"""The queries that people and programs have running, each with an id, so that they can be seen and cancelled.

In: who asks, what runs, a sign that the asker is gone. Out: what came of it. Invariants: everybody sees and cancels
their own and nobody else's, but for who administers; to all others a query is as if it were not there; an asker who
goes away, and one who cancels, cancels what runs for them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request

from portal.caller import Caller, Permission
from portal.errors import ApiError
from portal.queries.admission import Purpose

MOST = 64  # of one account at once
T = TypeVar("T")


@dataclass(eq=False, slots=True)
class RunningQuery:
    """One query: whose it is, what it asks, since when (microseconds UTC)."""

    id: str
    account: str
    name: str
    text: str
    purpose: Purpose
    since: int
    task: asyncio.Future[Any] | None = None
    cancelled: bool = False


class Running:
    """The queries that run. To be used from one event loop."""

    def __init__(self) -> None:
        self._running: dict[str, RunningQuery] = {}

    async def run(self, query: RunningQuery, work: Coroutine[Any, Any, T], gone: Coroutine[Any, Any, None]) -> T:
        """Run a query until it is done, cancelled, or its asker is `gone`. Raises ApiError, and what it raises."""
        try:
            self._begin(query)
        except ApiError:
            work.close()
            gone.close()
            raise
        query.task = task = asyncio.create_task(work)
        try:
            await unless_gone(task, gone)
            if task.cancelled() and query.cancelled:
                raise ApiError(409, "cancelled", "The query was cancelled.", "Run it again if you still want it.")
            return task.result()
        finally:
            del self._running[query.id]

    @contextmanager
    def held(self, query: RunningQuery) -> Iterator[None]:
        """List a query, so that it can be cancelled by its `task`, for as long as the block lasts. Raises ApiError."""
        self._begin(query)
        try:
            yield
        finally:
            del self._running[query.id]

    def listed(self, caller: Caller) -> list[RunningQuery]:
        """The queries that a caller may see, the longest running first."""
        return sorted((query for query in self._running.values() if _may(caller, query)), key=lambda query: query.since)

    def cancel(self, caller: Caller, identifier: str) -> RunningQuery:
        """Cancel a query. Raises ApiError 404 for one that does not run, or that the caller may not know."""
        query = self._running.get(identifier)
        if query is None or query.task is None or not _may(caller, query):
            raise ApiError(404, "not_running", "No query of this id is running.", "It may have ended by itself.")
        query.cancelled = True
        query.task.cancel()
        return query

    def _begin(self, query: RunningQuery) -> None:
        if query.id in self._running:
            raise ApiError(409, "id_in_use", "A query with this id is running.", "Give each query an id of its own.")
        if Counter(other.account for other in self._running.values())[query.account] >= MOST:
            hint = "Wait for one to end, or cancel one."
            message = f"Your account has {MOST} queries running."
            raise ApiError(429, "too_many_queries", message, hint, headers={"Retry-After": "5"})
        self._running[query.id] = query


async def unless_gone(task: asyncio.Task[Any], gone: Coroutine[Any, Any, None]) -> None:
    """Wait for a task, and cancel it if its asker is `gone` before: then raises ApiError."""
    watch = asyncio.create_task(gone)
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ApiError(499, "asker_gone", "Who asked is gone; the query was cancelled.")
    finally:
        watch.cancel()
        task.cancel()
        task.add_done_callback(_looked_at)


async def gone(request: Request) -> None:
    """Returns when whoever asked has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _may(caller: Caller, query: RunningQuery) -> bool:
    return query.account == caller.account.id or caller.may(Permission.ADMINISTER)


def _looked_at(task: asyncio.Future[Any]) -> None:
    """Take what a task ended with that nobody waits for any more."""
    with suppress(asyncio.CancelledError):
        task.exception()
