"""How a connection comes in: a bound on how long a request's head may take, and devices' channels taken over.

In: a socket that uvicorn accepted. Out: requests for the application, as uvicorn makes them; sockets that ask for a
WebSocket go to the channels, and nothing of the machinery of a request stays behind for them. Invariant: whoever opens
a connection and says nothing, or says it slowly, is let go after `HEAD_SECONDS`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS, GRACE_SECONDS = 20.0, 2.0


class Doorway(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol; a WebSocket is the matter of `Channels`."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Somebody is there."""
        super().connection_made(transport)
        self._late = asyncio.get_running_loop().call_later(HEAD_SECONDS, self._too_late)

    def on_headers_complete(self) -> None:
        """The head of a request is whole."""
        self._in_time()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._in_time()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """Have the channels take the connection over."""
        self.connections.discard(self)
        application: Any = self.config.app
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self.headers}
        link = application.state.portal.channels.open(
            self.transport, self.scope["method"], self.url.decode("ascii", "replace"), headers
        )
        self.transport.set_protocol(link)
        # Each of them holds the others: without this they would stay until a collection of everything.
        self.parser = self.flow = self.scope = self.headers = None  # type: ignore[assignment]

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _too_late(self) -> None:
        # Once more around: if it was this process that was slow, the head lies there and is read first.
        self._late = asyncio.get_running_loop().call_later(GRACE_SECONDS, self.transport.abort)
