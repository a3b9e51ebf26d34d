"""What an operator decides about one portal, and where things lie in its data folder.

In: the command line's values. Out: a frozen `Settings`. Invariant: everything the portal keeps lies below `data`;
nothing here is secret.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from portal.addresses import Network
from portal.tls import Certificate

LEAST_NEW, MOST_NEW = 1000, 10_000_000
SIZES = {  # bytes: the least and the most that an operator may set
    "scrub_rate": (0, 1 << 30),
    "query_here": (0, 1 << 40),
    "query_memory": (64 << 20, 1 << 40),
    "query_kept": (0, 1 << 36),
    "cache": (0, 1 << 44),
    "lake_cache": (0, 1 << 50),
}
ACT_SECONDS, ACT_DEVICES = (1, 600), (1, 10_000)
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Settings:
    """One portal. `zone` is the instance zone, fixed when the data folder is made (None: the folder's own, or UTC).

    `hosts` are the names under which the portal may be asked for; None means the loopback names where it listens on
    loopback only, else any. `imports` lets programs write history under the import identity.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = 8080
    zone: str | None = None
    imports: bool = False
    hosts: frozenset[str] | None = None
    secure: bool = False  # whether browsers reach it over TLS
    log_level: str = "info"
    local_webhooks: bool = False  # whether webhooks may reach this machine and its link
    certificate: Certificate | None = None  # what it serves TLS with itself
    coming: tuple[Path, ...] = ()  # certificates that its server will show later
    most_new: int = 20_000  # ids that a device may bring into being a day in each object table; the rest is `other`
    scrub_rate: int = 8 << 20  # bytes a second of sealed files that are looked over again; 0: none
    query_here: int = 256 << 20  # bytes that a query may read to be run by the serving process itself
    query_memory: int = 1 << 30  # bytes of memory that a query in a process of its own may have
    control_url: str | None = None  # the PostgreSQL database of several portals; None: a file in `data`
    stores: tuple[str, ...] = ()  # where the store process may be reached; none: the store is this process's own
    store_secret: Path | None = None  # the file of what portals and the store process know of each other
    sites: frozenset[str] | None = None  # the names, in lower case, of the sites that it serves; None: all
    act_seconds: int = 60  # that a call of the classic Act API waits for the sites, unless it says another time
    act_devices: int = 10_000  # the most devices of one such call
    query_kept: int = 64 << 20  # bytes of answers that are kept for those who ask the same again
    cache: int = 4 << 30  # bytes of columns that are kept beside the sealed files, for queries to read as they are
    lake: str | None = None  # the object store that closed days go to, s3://BUCKET/PREFIX; None: as the folder says
    lake_cache: int = 64 << 30  # bytes of closed days that stay here when they are in the lake
    trusted: tuple[Network, ...] = ()  # the networks of proxies whose word for an address counts
    public_url: str | None = None  # the portal's address in what it hands out; None: the one that it was asked under

    @property
    def certificates(self) -> tuple[Path, ...]:
        """The certificates whose keys devices may see: the one that is served, and those that come."""
        return (*([] if self.certificate is None else [self.certificate.chain]), *self.coming)

    @property
    def tables(self) -> Path:
        """The folder of the tables."""
        return self.data / "tables"

    @property
    def control(self) -> Path:
        """The file of the control database."""
        return self.data / "control" / "control.db"

    @property
    def spool(self) -> Path:
        """The folder of what the portal and its worker processes hand each other; of no account when it is stopped."""
        return self.data / (f"spool-{self.port or os.getpid()}" if self.stores else "spool")

    @property
    def key(self) -> Path:
        """The file of the portal's signing key."""
        return self.data / "portal.key"

    @property
    def vault_key(self) -> Path:
        """The file of the key under which stored secrets are sealed."""
        return self.data / "vault.key"

    @property
    def allowed_hosts(self) -> frozenset[str] | None:
        """Host names that requests may carry; None for any."""
        if self.hosts is None and self.host in LOOPBACK:
            return LOOPBACK
        return self.hosts
