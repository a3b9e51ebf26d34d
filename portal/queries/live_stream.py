"""A live query as server-sent events: `live` with its id, `answer` whenever it is another one, `same` where it is not,
`late` when it could not be asked again now, `ended` with the reason.

In: a reader, and who asks, read anew before anything is sent. Out: the text of the stream. Invariants: the first
answer is there before the stream begins, so that what is wrong with a query is an answer with its status; who has
lost the right to ask is sent nothing more; what a reader takes up is let go of however the connection ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import structlog
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from portal.caller import Caller, Permission
from portal.endpoints import allow, encode
from portal.errors import answer
from portal.queries.live import Newest, Reader
from portal.queries.running import unless_gone

EVENTS = "text/event-stream"
PAUSE = 10.0  # seconds after which it is said that nothing has changed
log = structlog.get_logger("live")


class LiveResponse(StreamingResponse):
    """The stream of one reader. `listed` has the query listed for as long as it lasts."""

    def __init__(
        self, identifier: str, reader: Reader, caller: Callable[[], Awaitable[Caller]],
        listed: AbstractContextManager[None],
    ) -> None:  # fmt: skip
        self._reader = reader
        self._caller = caller
        self._held = ExitStack()
        self._held.callback(reader.close)
        self._listed = listed
        headers = {"X-Accel-Buffering": "no", "Muster-Query": identifier}
        super().__init__(self._events(identifier), media_type=EVENTS, headers=headers)

    async def begin(self, gone: Coroutine[Any, Any, None]) -> LiveResponse:
        """Wait for the first answer, unless who asked is `gone` before. Raises what speaks against it."""
        try:
            self._held.enter_context(self._listed)
            first = asyncio.create_task(self._newest())
            self._reader.ended.add_done_callback(lambda _: first.cancel())
            await unless_gone(first, gone)
            self._reader.check()
            first.result()
        except BaseException:
            gone.close()
            self._held.close()
            raise
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._held:
            await super().__call__(scope, receive, send)

    async def _newest(self) -> Newest:
        caller = await self._caller()
        allow(caller, Permission.QUERY)
        return await self._reader.follow(caller)

    async def _events(self, identifier: str) -> AsyncIterator[bytes]:
        yield _event("live", encode({"id": identifier}))
        sent = b""
        while True:
            try:
                newest = await self._newest()
            except Exception as error:
                status, said, _ = answer(error)
                if status == 500:
                    log.exception("live_query_failed")
                yield _event("ended", encode(said["error"]))
                return
            as_of = {"now": newest.now, "complete_until": newest.complete_until}
            if newest.digest != sent:
                sent = newest.digest
                yield _event("answer", newest.body)
            elif newest.late is None:
                yield _event("same", encode(as_of))
            if newest.late is not None:
                yield _event("late", encode({**as_of, "error": newest.late}))
            await self._reader.wait(PAUSE)


def _event(name: str, data: bytes) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
