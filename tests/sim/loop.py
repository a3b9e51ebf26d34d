"""An event loop whose time is a number: it jumps to the next thing that is due, and nothing ever waits.

In: coroutines. Out: what they return, after virtual hours and days. Invariant: what runs on it sees time pass only by
what it waits for, and the same program with the same seed happens in the same order: besides time, the randomness of
the operating system comes from the seed. There are no sockets and no threads here.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from unittest.mock import patch

T = TypeVar("T")


class _Nothing(selectors.SelectSelector):
    """Instead of waiting for sockets, time jumps."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Let the time pass until the next timer."""
        if timeout is None:
            raise RuntimeError("nothing is left that could happen")
        self.now += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop. `time()` is in seconds since it was made."""

    def __init__(self) -> None:
        self._virtual = _Nothing()
        super().__init__(self._virtual)

    def time(self) -> float:
        """The virtual time."""
        return self._virtual.now


def run(seed: int, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end on a virtual loop, with randomness that follows from the seed."""
    chance = random.Random(seed)
    with patch("random._urandom", chance.randbytes), asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())
