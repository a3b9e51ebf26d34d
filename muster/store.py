"""What `muster store` does: hold the tables for several portals, or wait until the one that holds them is gone.

In: a data folder, the control database with the lease, an address. Out: words when it waits and when it serves.
Invariants: the tables are opened by who holds the lease, and written only while that is sure; who finds the lease with
another ends at once, as a crash would: the journal has what was acknowledged.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from muster.clock import now
from muster.errors import MusterError, UsageError
from muster.folder import opening
from muster.lake import check_lake
from muster.shown import size_text
from muster.unfinished import check_restored
from nql.catalog.load import builtin
from portal import logs
from portal.settings import SIZES, Settings
from storage.control.api import Control, open_control
from storage.control.errors import ControlError, UnavailableError
from storage.tables.api import LocalTables, LockHeld, open_tables
from storage.tables.errors import StorageFailed
from storage.tables.fence import Fence, FencedFiles
from storage.tables.remote_server import StoreServer, address
from storage.tables.remote_wire import shared_secret

LEASE = "store"
SECOND = 1_000_000
LASTS = 6 * SECOND  # of the lease: another store comes that long after one has died
SURE = LASTS / SECOND / 2  # seconds: a lease that is renewed lasts at least half as long again
RENEW_EVERY, LOOK_EVERY = 1.0, 0.5  # seconds
LOST = 75  # the exit code: start me again
log = structlog.get_logger("store")


def run(
    data: Path,
    url: str | None,
    listen: str,
    secret: Path | None,
    zone: str | None,
    log_level: str,
    lake: tuple[str | None, int],
    say: Callable[[str], None],
) -> None:
    """Wait, then serve, until told to stop. `lake` is the address of the lake, and the bytes of it that stay here.
    Raises MusterError."""
    check_lake(lake[0])
    least, most = SIZES["lake_cache"]
    if not least <= lake[1] <= most:
        raise UsageError(f"--lake-cache is {size_text(lake[1])}.", f"It is {size_text(least)} to {size_text(most)}.")
    try:
        _, port = address(listen)
    except ValueError as error:
        raise UsageError(f"{error}.", "For example unix:/run/muster/store.sock, or 10.0.0.5:7411.") from error
    if port is not None and secret is None:
        raise UsageError("A store that listens on a port needs --secret.", "Portals prove by it who they are.")
    logs.configure(log_level)
    check_restored(data)
    settings = Settings(data, lake=lake[0], lake_cache=lake[1])
    try:
        known = b"" if secret is None else shared_secret(secret)
        control = open_control(settings.control, now=now(), url=url)
    except (ControlError, StorageFailed) as error:
        raise MusterError(f"{error}.") from error
    try:
        with opening(data):
            asyncio.run(_Keeper(settings, control, zone, say).serve(listen, known))
    finally:
        control.close()


class _Keeper:
    """The lease, and what is done while it is held."""

    def __init__(self, settings: Settings, control: Control, zone: str | None, say: Callable[[str], None]) -> None:
        self._settings, self._control, self._zone, self._say = settings, control, zone, say
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._fence = Fence()
        self._token: int | None = None
        self._ended = threading.Event()

    async def serve(self, listen: str, secret: bytes) -> None:
        """Wait for the lease, open the tables, answer until told to stop."""
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        if not await self._taken(stop):
            return
        renewing = threading.Thread(target=self._renew, name="muster-lease", daemon=True)
        renewing.start()
        tables = await self._opened(stop)
        if tables is not None:
            server = StoreServer(tables, secret, lambda: self._fence.open)
            self._say(f"The store answers on {await server.start(listen)} (Ctrl-C stops it)")
            await stop.wait()
            await server.close()
            await tables.close()
        self._ended.set()
        await asyncio.to_thread(renewing.join)
        with suppress(ControlError):
            await asyncio.to_thread(self._control.leases.release, LEASE, self._token or 0, now=now())

    async def _taken(self, stop: asyncio.Event) -> bool:
        waits = False
        while not await asyncio.to_thread(self._take):
            if not waits:
                self._say("Another store has the tables; this one waits until it is gone (Ctrl-C stops it)")
            waits = True
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await stop.wait()
            if stop.is_set():
                return False
        return True

    def _take(self) -> bool:
        """Take or renew the lease; whether it is ours."""
        asked = self._fence.now()
        try:
            token = self._control.leases.acquire(LEASE, self._holder, now=now(), lasts=LASTS)
        except UnavailableError as error:
            log.warning("lease_unknown", reason=str(error))  # the fence shuts by itself if it stays so
            return self._token is not None
        if token is None or self._token not in (None, token):
            return False
        self._token = token
        self._fence.renewed(asked, SURE)
        return True

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_EVERY):
            if not self._take():
                self._fence.shut()
                log.error("lease_lost", token=self._token)
                os._exit(LOST)  # nothing of what this process has may be written or answered any more

    async def _opened(self, stop: asyncio.Event) -> LocalTables | None:
        """The open tables, once the folder's lock is free: who had the lease may still be ending."""
        while not stop.is_set():
            try:
                files = FencedFiles(self._fence)
                asked = self._settings
                lake, most = asked.lake, asked.lake_cache
                return await open_tables(
                    asked.tables, builtin(), zone=self._zone, files=files, lake=lake, lake_cache=most
                )
            except LockHeld as error:
                log.warning("folder_held", reason=str(error))
                await asyncio.sleep(LOOK_EVERY)
        return None
