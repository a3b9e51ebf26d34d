"""What many devices ask at once, done in one piece: one thread, one look at the database, one commit.

In: requests, as they come, and a function that takes many. Out: each its own answer. Invariants: what comes while a
piece is done waits for the next one, so that nobody waits longer than two pieces; a request that fails takes no other
with it, unless the piece fails as a whole. A thread and a transaction for each request cost more than what most of them
ask for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from portal.threads import Threads
from storage.control.errors import UnavailableError

A = TypeVar("A")
T = TypeVar("T")
MOST = 128  # in one piece


class Gathering(Generic[A, T]):
    """One kind of request. `work` gives an answer or an error for each, in order; it blocks, in a worker thread."""

    def __init__(self, threads: Threads, work: Callable[[Sequence[A]], Sequence[T | Exception]]) -> None:
        self._threads, self._work = threads, work
        self._waiting: list[tuple[A, asyncio.Future[T]]] = []
        self._task: asyncio.Task[None] | None = None

    async def ask(self, asked: A) -> T:
        """The answer to a request. Raises what is wrong with it, or with the whole piece."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, future))
        if self._task is None:
            self._task = asyncio.create_task(self._go())
        return await future

    async def _go(self) -> None:
        try:
            while self._waiting:
                piece, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                await self._do(piece)
        finally:
            self._task = None

    async def _do(self, piece: list[tuple[A, asyncio.Future[T]]]) -> None:
        answers: Sequence[T | Exception]
        try:
            answers = await self._threads.devices(self._work, [asked for asked, _ in piece])
        except Exception as error:
            answers = [error] * len(piece)
        except BaseException:  # the loop ends
            for _, future in (*piece, *self._waiting):
                future.cancel()
            raise
        for (_, future), answer in zip(piece, answers, strict=True):
            if future.done():  # whoever asked has gone
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)


def tried(work: Callable[..., T], *given: Any) -> T | Exception:
    """What a function gives, or what it raises: of one request among others. That nothing can be stored is no matter of
    one request, and is raised."""
    try:
        return work(*given)
    except UnavailableError:
        raise
    except Exception as error:
        return error
