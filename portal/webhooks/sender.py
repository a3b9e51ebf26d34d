"""One delivery over the network.

In: an address, a body, the secret that signs it. Out: nothing, or what went wrong in words. Invariants: the address is
judged after the name is resolved, and that very address is connected to; no redirect is followed; of the answer only
the status is read; nothing takes longer than SECONDS.
"""

from __future__ import annotations

import asyncio
import hmac
import socket
import ssl
from collections.abc import Callable
from functools import cache
from hashlib import sha256

import httpx

from portal.webhooks.address import BadAddressError, allowed, place_of

SECONDS = 15.0


class UndeliveredError(Exception):
    """The receiver has it not; the text says why."""


def signature(secret: bytes, body: bytes, *, now: int) -> str:
    """The header `Muster-Signature`: when it was sent (seconds), and a digest over that and the body."""
    seconds = now // 1_000_000
    digest = hmac.new(secret, f"{seconds}.".encode() + body, sha256).hexdigest()
    return f"t={seconds},v1={digest}"


@cache
def _authorities() -> ssl.SSLContext:
    # Reading all authorities takes longer than all else a portal does when it starts: once a process is enough.
    return httpx.create_ssl_context(trust_env=False)


class Sender:
    """The way out. `local` lets it reach this machine."""

    def __init__(self, clock: Callable[[], int], *, local: bool) -> None:
        self._clock = clock
        self._local = local
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)  # one a webhook at most
        self._http = httpx.AsyncClient(
            timeout=SECONDS, trust_env=False, limits=limits, follow_redirects=False, verify=_authorities()
        )

    async def send(self, url: str, event: str, identifier: str, body: bytes, secret: bytes) -> None:
        """Deliver one body. Raises UndeliveredError."""
        try:
            async with asyncio.timeout(SECONDS):
                status = await self._status(url, event, identifier, body, secret)
        except TimeoutError:
            raise UndeliveredError(f"there was no answer within {SECONDS:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise UndeliveredError(f"the connection failed: {type(error).__name__}: {error}") from None
        except BadAddressError as error:
            raise UndeliveredError(str(error)) from None
        if not 200 <= status < 300:
            raise UndeliveredError(f"the receiver answered {status}, not 2xx")

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def _status(self, url: str, event: str, identifier: str, body: bytes, secret: bytes) -> int:
        place = place_of(url, local=self._local)
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
        address = allowed([str(item[4][0]) for item in found], local=self._local)
        headers = {
            "Host": place.authority,
            "Content-Type": "application/json",
            "User-Agent": "muster",
            "Muster-Event": event,
            "Muster-Delivery": identifier,
            "Muster-Signature": signature(secret, body, now=self._clock()),
        }
        request = self._http.build_request("POST", place.url_at(address), content=body, headers=headers)
        request.extensions["sni_hostname"] = place.host  # the certificate is that of the name
        answer = await self._http.send(request, stream=True)
        await answer.aclose()
        return answer.status_code
