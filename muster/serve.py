"""What `muster serve` does: a portal over a folder, with its address said and the first steps for a new one.

In: the values of the command's options. Out: nothing, when it stopped. Invariant: `say` hears of the address only
when requests are taken.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from muster import serving
from muster.api import checked
from muster.errors import UsageError
from muster.lake import check_lake
from muster.shown import size_text
from muster.unfinished import check_restored
from portal import logs
from portal.addresses import Network, networks
from portal.app import Portal
from portal.settings import ACT_DEVICES, ACT_SECONDS, LEAST_NEW, MOST_NEW, SIZES, Settings
from portal.tls import Certificate, CertificateError, Pins
from storage.tables.api import HOT


class Classic(TypedDict):
    """What `Settings` is told of the classic APIs."""

    sites: frozenset[str] | None
    act_seconds: int
    act_devices: int


def serve(
    data: Path,
    *,
    host: str,
    port: int,
    names: Sequence[str],
    tls: bool,
    zone: str | None,
    imports: bool,
    local_webhooks: bool,
    log_level: str,
    certificate: tuple[Path, Path] | None,
    coming: Sequence[Path],
    most_new: int,
    sizes: Mapping[str, int],
    lake: str | None = None,
    public_url: str | None = None,
    trusted: Sequence[str] = (),
    shared: tuple[str | None, tuple[str, ...], Path | None] = (None, (), None),
    classic: tuple[str | None, int, int] = (None, 60, 10_000),
    say: Callable[[str], None],
) -> None:
    """Serve until told to stop. `sizes` are bytes by the name of their setting; `shared` is what several
    portals share: the address of the control database, those of the store, the file of its secret; `classic`
    the sites that are served, seconds and devices of a call of Act. Raises MusterError."""
    if not 0 <= port <= 65_535:
        raise UsageError(f"There is no port {port}.", "Ports are 0 to 65535.")
    logs.configure(log_level)
    hosts = frozenset(names) or None
    own = None if certificate is None else Certificate(*certificate)
    secure = tls or own is not None
    if not LEAST_NEW <= most_new <= MOST_NEW:
        raise UsageError(f"{most_new} is no bound of new ids.", f"It is {LEAST_NEW} to {MOST_NEW}.")
    made = (data, host, port, zone, imports, hosts, secure, log_level, local_webhooks, own, tuple(coming))
    for name, size in sizes.items():
        least, most = SIZES[name]
        if not least <= size <= most:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} is {size_text(size)}.", f"It is {size_text(least)} to {size_text(most)}.")
    control, stores, secret = shared
    if stores and control is None:
        raise UsageError("--store needs --control.", "Portals that share a store share a PostgreSQL database, too.")
    if stores and lake is not None:
        raise UsageError("--lake does not go with --store.", "It is an option of `muster store`, which has the tables.")
    check_lake(lake)
    settings = Settings(
        *made,
        control_url=control,
        stores=stores,
        store_secret=secret,
        most_new=most_new,
        **_classic(*classic),
        scrub_rate=sizes["scrub_rate"],
        query_here=sizes["query_here"],
        query_memory=sizes["query_memory"],
        query_kept=sizes["query_kept"],
        public_url=None if public_url is None else checked(public_url, with_token=False),
        trusted=_trusted(trusted),
        cache=sizes["cache"],
        lake=lake,
        lake_cache=sizes["lake_cache"],
    )
    HOT.budget = settings.cache
    check_restored(data)
    try:
        Pins(settings.certificates)
        if own is not None:
            own.load(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
    except CertificateError as error:
        raise UsageError(f"{error}.", "Give PEM files: the certificate with its chain, and its private key.") from error

    def ready(address: str, portal: Portal) -> None:
        say(f"Muster listens on {address} (Ctrl-C stops it)")
        if portal.control.accounts.count() == 0:
            say(f"There is no account yet. Make one: muster users create NAME --permissions all --data {data}")

    serving.run(settings, ready)


def _trusted(texts: Sequence[str]) -> tuple[Network, ...]:
    """The networks of proxies. Raises UsageError."""
    try:
        return networks(texts)
    except ValueError as error:
        way = "Give an address, or a network such as 10.0.0.0/8 whose last bits are 0."
        raise UsageError(f"--trusted-proxy names no network: {error}.", way) from None


def _classic(names: str | None, seconds: int, devices: int) -> Classic:
    """The settings of the classic APIs. Raises UsageError."""
    for option, value, (least, most) in (("timeout", seconds, ACT_SECONDS), ("devices", devices, ACT_DEVICES)):
        if not least <= value <= most:
            raise UsageError(f"--act-{option} is {value}.", f"It is {least} to {most}.")
    sites = None if names is None else frozenset(filter(None, (name.strip().lower() for name in names.split(","))))
    if sites is not None and not sites:
        raise UsageError("--engines names no site.", "Leave it out to serve all of them.")
    return {"sites": sites, "act_seconds": seconds, "act_devices": devices}
