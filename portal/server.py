"""Serves the application with uvicorn: the settings that this program wants, the bound port, a clean stop.

In: an application and its settings. Out: nothing, when it stopped. Invariants: it stops on SIGTERM and SIGINT after
the requests under way (GRACE seconds at most), and closes the stores after them; a port of 0 means any free one,
which is told before the first request is taken; SIGHUP has it read its certificates again.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable

import structlog
import uvicorn
from starlette.applications import Starlette

from portal.doorway import Doorway
from portal.logs import configure
from portal.settings import Settings
from portal.tls import Certificate, CertificateError

GRACE = 10  # seconds
log = structlog.get_logger("server")


class _Server(uvicorn.Server):
    def __init__(
        self, config: uvicorn.Config, app: Starlette, certificate: Certificate | None, ready: Callable[[int], None]
    ) -> None:
        super().__init__(config)
        self._app = app
        self._certificate = certificate
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell the port."""
        await super().startup(sockets)
        if threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGHUP"):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.renew)
        if sockets and not self.should_exit:
            self._ready(sockets[0].getsockname()[1])

    def renew(self) -> None:
        """Read the certificates again: show the new one from the next connection on, and tell devices what comes."""
        portal = self._app.state.portal
        try:
            portal.pins.read()
            if self._certificate is not None and self.config.ssl is not None:
                self._certificate.load(self.config.ssl)
        except CertificateError as error:
            log.error("certificate_not_renewed", reason=str(error))
            return
        portal.configurations.changed()
        log.info("certificate_renewed", pins=[pin.hex()[:16] for pin in portal.pins.current])

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
    own = settings.certificate
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
        ssl_certfile=None if own is None else own.chain,
        ssl_keyfile=None if own is None else own.key,
    )
    server = _Server(config, app, own, ready)
    runner = asyncio.Runner(loop_factory=config.get_loop_factory())
    with runner:
        runner.run(server.serve([listening]))
