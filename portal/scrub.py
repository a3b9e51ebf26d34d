"""The task that reads all sealed files slowly and tells when one no longer holds what was written to it.

In: a folder of tables, bytes a second. Out: what is damaged, for `/healthz`; the log names each once. Invariant: it
reads no faster than it may, whatever there is to read; nothing waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import structlog

from storage.tables.api import Scrub

MOST_RATE = 1 << 32
PAUSE = 3600.0  # seconds between rounds
log = structlog.get_logger("scrub")


class Scrubbing:
    """`rate` is in bytes a second; 0 reads nothing. Raises ValueError for one beyond the bounds."""

    def __init__(self, scrub: Scrub, rate: int, pause: float = PAUSE) -> None:
        if not 0 <= rate <= MOST_RATE:
            raise ValueError(f"files are looked over with 0 to {MOST_RATE} bytes a second, not {rate}")
        self._scrub = scrub
        self._rate = rate
        self._pause = pause

    @property
    def damaged(self) -> int:
        """How many files are damaged, as far as it is known."""
        return len(self._scrub.damaged)

    async def run(self) -> None:
        """Round after round, until cancelled."""
        while self._rate:
            await self.round()
            await asyncio.sleep(self._pause)

    async def round(self) -> None:
        """Look at everything once."""
        loop, pieces = asyncio.get_running_loop(), self._scrub.round()
        due = loop.time()
        try:
            while (read := await asyncio.to_thread(_next, pieces)) is not None:
                due = max(due, loop.time() - 1.0) + read / self._rate
                await asyncio.sleep(max(0.0, due - loop.time()))
        except Exception:
            log.exception("scrub_failed")


def _next(pieces: Iterator[int]) -> int | None:
    return next(pieces, None)
