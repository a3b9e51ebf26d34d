"""A proxy on loopback that sends every CONNECT to one portal, whatever host is asked for.

Comes in: the port of a portal that serves TLS. Goes out: the proxy's address, and the hosts that were asked for.
Invariant: bytes go through as they are, so that TLS is between the client and the portal.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """A proxy at work; `asked` are the hosts of its CONNECTs, with their ports."""

    address: str = ""
    asked: set[str] = field(default_factory=set)


@asynccontextmanager
async def proxied(port: int) -> AsyncIterator[Proxy]:
    """The proxy while it runs."""
    proxy = Proxy()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            method, host, _ = head.decode("ascii").partition("\r\n")[0].split(" ")
            assert method == "CONNECT"
            proxy.asked.add(host)
            from_portal, to_portal = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_copied(reader, to_portal), _copied(from_portal, writer))
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        proxy.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield proxy


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
