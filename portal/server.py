"""Serves the application with uvicorn: the settings that this program wants, the bound port, a clean stop.

In: an application and its settings. Out: nothing, when it stopped. Invariants: it stops on SIGTERM and SIGINT after
the requests under way (GRACE seconds at most), and closes the stores after them; a port of 0 means any free one,
which is told before the first request is taken.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette

from portal.doorway import Doorway
from portal.logs import configure
from portal.settings import Settings

GRACE = 10  # seconds


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, app: Starlette, ready: Callable[[int], None]) -> None:
        super().__init__(config)
        self._app = app
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell the port."""
        await super().startup(sockets)
        if sockets and not self.should_exit:
            self._ready(sockets[0].getsockname()[1])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let everyone who waits for news go, then stop."""
        portal = getattr(self._app.state, "portal", None)
        if portal is not None:
            portal.stop_waiting()
        await super().shutdown(sockets)


def serve(app: Starlette, settings: Settings, *, ready: Callable[[int], None] = lambda port: None) -> None:
    """Serve until told to stop. `ready` gets the bound port once requests are taken. Raises OSError if the port is
    taken."""
    configure(settings.log_level)
    listening = bound(settings.host, settings.port)
    try:
        _run(app, settings, listening, ready)
    finally:
        listening.close()


def bound(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise
    return listening


def _run(app: Starlette, settings: Settings, listening: socket.socket, ready: Callable[[int], None]) -> None:
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=Doorway,
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # nobody's word for an address is believed
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=30,
        backlog=4096,
    )
    server = _Server(config, app, ready)
    runner = asyncio.Runner(loop_factory=config.get_loop_factory())
    with runner:
        runner.run(server.serve([listening]))
