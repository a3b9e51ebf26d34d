"""Which addresses a webhook may have: no way into the portal's own machine or its link.

In: a URL as text, addresses that a name stands for. Out: a `Place` to connect to, or what is wrong. Invariant: what is
connected to is the very address that was judged, so that a name which changes its mind in between gains nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

Address = IPv4Address | IPv6Address
PORTS = {"http": 80, "https": 443}
NAT64 = IPv6Network("64:ff9b::/96")


class BadAddressError(Exception):
    """The address cannot be told anything; the text says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """A URL taken apart. `host` is the name as written, `target` path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Host and port as the header `Host` writes them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    def url_at(self, address: Address) -> str:
        """The URL with an address in the place of the name."""
        host = f"[{address}]" if address.version == 6 else str(address)
        return f"{self.scheme}://{host}:{self.port}{self.target}"


def place_of(url: str, *, local: bool) -> Place:
    """The parts of a webhook's URL. Raises BadAddressError; `local` allows this machine."""
    if not url.isascii() or not url.isprintable() or any(sign in url for sign in " \\"):
        raise BadAddressError("the URL has characters that no URL has; write others as %XX")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise BadAddressError("this is no URL; write https://host/path") from None
    if parts.scheme not in PORTS or not host:
        raise BadAddressError("a webhook's URL begins with https:// or http:// and names a host")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise BadAddressError("a URL with a name or password in it would show them; use the signature instead")
    if port == 0:
        raise BadAddressError("port 0 is none")
    place = Place(parts.scheme, host.rstrip("."), port or PORTS[parts.scheme], _target(parts))
    _check_written(place.host, local=local)
    return place


def allowed(addresses: Iterable[str], *, local: bool) -> Address:
    """The first of the addresses of a name. Raises BadAddressError if any of them is not allowed, or there is none."""
    found = [ip_address(text.partition("%")[0]) for text in addresses]
    if not found:
        raise BadAddressError("the host has no address")
    for address in found:
        if not local and _near(address):
            raise BadAddressError(
                "the host is this machine or its link; `muster serve --allow-local-webhooks` would allow it"
            )
    return found[0]


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _check_written(host: str, *, local: bool) -> None:
    if host == "localhost" or host.endswith(".localhost"):
        allowed(["127.0.0.1"], local=local)
    try:
        ip_address(host)
    except ValueError:
        return  # a name: what it stands for is looked at when something is sent
    allowed([host], local=local)


def _near(address: Address) -> bool:
    """Whether an address is this machine, its link, or nobody in particular."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in NAT64:
            inner = IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return _near(inner)
    return (
        address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or address.is_multicast
        or address.is_reserved
        or (address.version == 4 and int(address) < 1 << 24)  # 0.0.0.0/8 is this machine on many systems
    )
