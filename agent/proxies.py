"""The proxy on the way to a portal, as the environment says: HTTPS_PROXY, HTTP_PROXY, NO_PROXY, in either case.

In: the portal's address. Out: the proxy that is asked to connect us through (CONNECT), for requests and the channel
alike, or none. Invariants: this machine itself is always reached directly; nothing that a proxy says is believed, since
every answer is signed by the portal.
"""

from __future__ import annotations

import base64
import http.client
import ssl
import urllib.request
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

TIMEOUT = 30.0


class ProxyError(ValueError):
    """The environment names a proxy that cannot be meant."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy; `login` is what goes into Proxy-Authorization, if anything."""

    url: str
    host: str
    port: int
    login: str = ""


def proxy_for(url: str) -> Proxy | None:
    """The proxy for an address, None for the direct way. Raises ProxyError."""
    parts, known = urlsplit(url), urllib.request.getproxies_environment()
    host = parts.hostname or ""
    if parts.scheme not in known or _here(host) or urllib.request.proxy_bypass(host):
        return None
    return _proxy(known[parts.scheme])


def _proxy(text: str) -> Proxy:
    whole = text if "://" in text else f"http://{text}"
    parts = urlsplit(whole)
    try:
        port = parts.port or 80
    except ValueError:
        port = 0
    if parts.scheme != "http" or not parts.hostname or not port:
        raise ProxyError("the proxy that the environment names is none of the form http://host:port")
    login = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        login = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return Proxy(whole, parts.hostname, port, login)


def connection(url: str, context: ssl.SSLContext | None) -> http.client.HTTPConnection:
    """A connection to an address, not opened yet; `context` where it is reached over TLS. Raises ProxyError."""
    parts, proxy = urlsplit(url), proxy_for(url)
    host, port = (parts.hostname or "", parts.port) if proxy is None else (proxy.host, proxy.port)
    if parts.scheme == "https":
        made: http.client.HTTPConnection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)
    else:
        made = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    if proxy is not None:
        target = parts.port or (443 if parts.scheme == "https" else 80)
        made.set_tunnel(parts.hostname or "", target, {"Proxy-Authorization": proxy.login} if proxy.login else {})
    return made


def _here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
