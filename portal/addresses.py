"""Who is at the other end: the address of the connection, or what a proxy of ours says about it.

In: the address of a connection, the header X-Forwarded-For, the networks of the proxies that are trusted. Out: an
address, for limits and logs. Invariants: a forwarded address counts only if the connection is from a trusted proxy,
and of a chain of them only as far as each is one; with no proxy configured nothing that a request says counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
MOST = 32  # addresses of a chain that are looked at, from its end
MOST_NETWORKS = 256


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks, or single addresses, of proxies. Raises ValueError."""
    found = tuple(ip_network(text.strip()) for text in texts)
    if len(found) > MOST_NETWORKS:
        raise ValueError(f"there are more than {MOST_NETWORKS} networks")
    return found


def client_of(peer: str, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """The address of who asks. `forwarded` are the values of X-Forwarded-For, in their order."""
    if not trusted or not _within(peer, trusted):
        return peer
    chain = [part.strip() for value in forwarded for part in value[-4096:].split(",")]
    for text in reversed(chain[-MOST:]):
        address = _address(text)
        if address is None:
            break
        peer = str(address)
        if not _within(peer, trusted):
            break
    return peer


def _within(text: str, trusted: Sequence[Network]) -> bool:
    address = _address(text)
    return address is not None and any(address in network for network in trusted)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address, without a port; one of IPv4 within IPv6 is the former."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found
