"""How something is asked of the portal: over the open channel if it fits in there, else by a signed HTTP request.

In: a path of `agent.wire`, a body. Out: the portal's answer, the same on both ways. Invariant: what the channel could
not bring is asked by HTTP at once, and may then be asked twice, which nothing that is asked minds: orders are leased,
reports and batches count once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agent.channel import Channel
from agent.exchange import Answer, Exchange


class Asking:
    """`blocking` runs a function in a worker thread; `channel` is the one that is open, if any."""

    def __init__(self, exchange: Exchange, blocking: Callable[[Callable[[], Answer]], Awaitable[Answer]]) -> None:
        self._exchange, self._blocking = exchange, blocking
        self.channel: Channel | None = None

    async def send(self, path: str, body: bytes, *, packed: bool = False) -> Answer:
        """The answer; `packed` says that the body is gzip. Raises UnreachableError."""
        if self.channel is not None and (told := await self.channel.ask(path, body)) is not None:
            return told
        return await self._blocking(lambda: self._exchange.send(path, body, packed=packed))
