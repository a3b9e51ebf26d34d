"""Runs a portal in this process until it is told to stop, and says in words why it could not.

In: settings. Out: nothing, when it stopped. Invariant: what keeps the portal from starting (a held folder, a taken
port, a damaged file) is raised as an error for people, never only logged.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from muster.errors import MusterError
from muster.folder import opening
from portal.app import Application, Portal, build
from portal.server import serve
from portal.settings import LOOPBACK, Settings

Ready = Callable[[str, Portal], None]  # takes the address and the open portal


def run(settings: Settings, ready: Ready) -> None:
    """Serve until SIGINT or SIGTERM. `ready` is called once requests are taken. Raises MusterError."""
    app = build(settings)
    failures: list[BaseException] = []
    app.router.lifespan_context = _noting(app, failures)
    started: list[int] = []
    server_log = logging.getLogger("uvicorn.error")
    server_log.addFilter(silence := _Silence(failures, started))

    def told(port: int) -> None:
        started.append(port)
        ready(address(settings, port), app.state.portal)

    try:
        with _stopping():
            serve(app, settings, ready=told)
    except OSError as error:
        raise MusterError(
            f"The portal cannot listen on {settings.host} port {settings.port}: {error.strerror}.",
            "Another program may have the port; --port 0 takes any free one.",
            "port",
        ) from error
    except SystemExit:
        pass  # how the server says that it did not start; why, is in `failures`
    finally:
        server_log.removeFilter(silence)
    if failures and not started:
        with opening(settings.data):
            raise failures[0]


def stopper() -> Callable[[], None]:
    """A function that ends the portal of this process from any thread, as Ctrl-C would."""
    return lambda: os.kill(os.getpid(), signal.SIGINT)


def address(settings: Settings, port: int) -> str:
    """The address to open."""
    host = settings.host if settings.host in LOOPBACK or settings.host not in {"0.0.0.0", "::"} else "127.0.0.1"
    scheme = "http" if settings.certificate is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


@contextmanager
def _stopping() -> Iterator[None]:
    """Take being told to stop as a good end: the server passes the signal on to us when it is done with it."""
    former = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


class _Silence(logging.Filter):
    """Drops what the server logs of a failed start: it is raised, in words."""

    def __init__(self, failures: list[BaseException], started: list[int]) -> None:
        super().__init__()
        self._failures = failures
        self._started = started

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log."""
        return bool(self._started) or not self._failures


def _noting(app: Application, failures: list[BaseException]) -> Any:
    """The application's lifespan, with what goes wrong in it kept."""
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(running: Application) -> AsyncIterator[Mapping[str, Any] | None]:
        try:
            async with inner(running) as state:
                yield state
        except Exception as error:
            failures.append(error)
            raise

    return lifespan
