"""Sends what the outbox holds, oldest first: leased, sent, and gone from the disk only by the portal's word.

In: the outbox; how to ask the portal. Out: events for the core. Invariants: one batch is on its way at a time, and
nobody else changes the outbox meanwhile (`turn`); a batch whose answer got lost is sent again unchanged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from agent import events as e
from agent import wire
from agent.exchange import Answer
from agent.outbox import Outbox


class Ask(Protocol):
    """Ask the portal; None where it did not do what was asked, and then the core knows."""

    async def __call__(
        self, line: str, path: str, body: bytes, *, packed: bool = False, on_failure: Callable[[], None] = ...
    ) -> Answer | None:
        """The answer."""


class Uploads:
    """The outbox's way to the portal."""

    def __init__(
        self,
        outbox: Outbox,
        ask: Ask,
        post: Callable[[e.Event], None],
        blocking: Callable[..., Awaitable[Any]],
        log: Callable[..., None],
    ) -> None:
        self._outbox, self._ask, self._post, self._blocking, self._log = outbox, ask, post, blocking, log
        self.turn = asyncio.Lock()

    async def send(self) -> None:
        """Send the oldest batch."""
        outbox = self._outbox
        async with self.turn:
            leased = await self._blocking(outbox.lease)
        if leased is None:
            self._post(e.BatchSent(len(outbox)))
            return
        ticket, body = leased
        answer = await self._ask("batch", wire.BATCHES, body, packed=True, on_failure=lambda: outbox.rollback(ticket))
        if answer is not None:
            async with self.turn:
                await self._blocking(outbox.commit, ticket)
            self._post(e.BatchSent(len(outbox)))

    async def drop(self) -> None:
        """Remove the oldest batch: the portal will never take it."""
        async with self.turn:
            leased = await self._blocking(self._outbox.lease)
            if leased is not None:
                await self._blocking(self._outbox.commit, leased[0])
        self._log("error", "the portal refused a batch of telemetry for good; it is dropped")
        self._post(e.BatchSent(len(self._outbox)))
