"""Blocking work off the event loop: short calls of the control database, small questions, and queries.

In: functions. Out: what they return. Invariants: the loop never waits for a disk; queries have few threads of their
own, so that however many there are, sign-in, devices and the editor go on; a query beyond its time is answered with
an error while its thread runs to the end and keeps its place, since a thread cannot be stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

from portal.errors import ApiError

P = ParamSpec("P")
T = TypeVar("T")

CONTROL_THREADS, DEVICE_THREADS = 16, 4
SMALL_THREADS, SMALL_WAITING, SMALL_SECONDS = 2, 512, 10.0


class Threads:
    """The portal's thread pools."""

    def __init__(self, *, queries: int = 4, waiting: int = 256, seconds: float = 60.0) -> None:
        self._control = ThreadPoolExecutor(CONTROL_THREADS, "control")
        self._devices = ThreadPoolExecutor(DEVICE_THREADS, "devices")
        self._small = _Pool("small", SMALL_THREADS, SMALL_WAITING, SMALL_SECONDS)
        self._queries = _Pool("query", queries, waiting, seconds)

    async def control(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a short blocking function, for the request that is under way."""
        loop, work = asyncio.get_running_loop(), partial(function, *args, **kwargs)
        return await loop.run_in_executor(self._control, copy_context().run, work)

    async def devices(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for what devices ask, which does not wait for what people and programs ask."""
        loop, work = asyncio.get_running_loop(), partial(function, *args, **kwargs)
        return await loop.run_in_executor(self._devices, copy_context().run, work)

    async def small(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what computes for milliseconds: compiling, completing, looking up devices. Raises ApiError 503, 504."""
        return await self._small.run(partial(function, *args, **kwargs))

    async def query(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a query. Raises ApiError 503 when too many wait, 504 when it takes too long."""
        return await self._queries.run(partial(function, *args, **kwargs))

    def close(self) -> None:
        """Let the threads go. What is running ends by itself."""
        self._control.shutdown(wait=True)
        self._devices.shutdown(wait=True)
        self._small.close()
        self._queries.close()


class _Pool:
    """Few threads, bounded waiting, bounded time."""

    def __init__(self, name: str, threads: int, waiting: int, seconds: float) -> None:
        self._executor = ThreadPoolExecutor(threads, name)
        self._most = threads + waiting
        self._seconds = seconds
        self._busy = 0

    async def run(self, work: Callable[[], T]) -> T:
        if self._busy >= self._most:
            message, hint = "Too many queries are waiting.", "Try again in a moment."
            raise ApiError(503, "busy", message, hint, headers={"Retry-After": "5"})
        self._busy += 1
        loop = asyncio.get_running_loop()
        future = self._executor.submit(work)
        future.add_done_callback(lambda _: self._done(loop))
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            hint = "Ask for a shorter time or fewer rows."
            raise ApiError(
                504, "query_timeout", f"The query took longer than {self._seconds:g} seconds.", hint
            ) from None

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _done(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody counts any more
            loop.call_soon_threadsafe(self._count_down)

    def _count_down(self) -> None:
        self._busy -= 1
