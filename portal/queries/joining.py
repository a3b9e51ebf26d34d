"""One execution for all who ask the same at once.

In: a key that says what is asked of which rows, and how to begin. Out: what came of it, for everybody who waits.
Invariants: whoever gives up leaves the others alone; when the last one does, the execution is cancelled; nothing is
kept once it ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Running(Generic[T]):
    task: asyncio.Task[T]
    waiting: int = 0


class Joining(Generic[T]):
    """What runs now, by key. To be used from one event loop. `joined` counts those who found theirs running."""

    def __init__(self) -> None:
        self._running: dict[Hashable, _Running[T]] = {}
        self.joined = 0

    async def run(self, key: Hashable, begin: Callable[[], Coroutine[Any, Any, T]]) -> tuple[T, bool]:
        """What comes of the execution under this key, and whether somebody else had begun it. Raises what it raises."""
        found = self._running.get(key)
        joined = found is not None
        if found is None:
            found = self._running[key] = _Running(asyncio.create_task(begin()))
            found.task.add_done_callback(lambda task: self._ended(key, task))
        self.joined += joined
        found.waiting += 1
        try:
            return await asyncio.shield(found.task), joined
        finally:
            found.waiting -= 1
            if not found.waiting and not found.task.done():
                self._forget(key, found.task)
                found.task.cancel()

    def _ended(self, key: Hashable, task: asyncio.Task[T]) -> None:
        self._forget(key, task)
        if not task.cancelled():
            task.exception()  # somebody who waited has it, or nobody wants it

    def _forget(self, key: Hashable, task: asyncio.Task[T]) -> None:
        known = self._running.get(key)
        if known is not None and known.task is task:
            del self._running[key]
