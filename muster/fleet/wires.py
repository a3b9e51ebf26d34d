"""The client side of the wire, as light as it can be: one request, and one channel, each an asyncio protocol.

In: bytes to send. Out: an answer; the frames of a channel. Invariant: what is sent is what an agent sends (the same
headers, one connection a request, masked frames); only the machinery is smaller, so that one process carries ten
thousand devices.
"""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

SECONDS = 60.0  # for one request


@dataclass(frozen=True, slots=True)
class Place:
    """Where the portal listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def post(place: Place, path: str, body: bytes, headers: Mapping[str, str]) -> Answered:
    """Send a request and read its answer. Raises OSError, TimeoutError."""
    head = [f"POST {path} HTTP/1.1", f"Host: {place.host}:{place.port}", "Connection: close"]
    head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    sent = _head(head, headers) + body
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[bytes] = loop.create_future()
    async with asyncio.timeout(SECONDS):
        transport, _ = await loop.create_connection(lambda: _Request(sent, ended), place.host, place.port)
        try:
            data = await ended
        finally:
            transport.close()
    top, _, rest = data.partition(b"\r\n\r\n")
    return Answered(*_parsed(top), rest)


class _Request(asyncio.Protocol):
    __slots__ = ("_data", "_ended", "_sent")

    def __init__(self, sent: bytes, ended: asyncio.Future[bytes]) -> None:
        self._sent, self._ended, self._data = sent, ended, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send all."""
        cast(asyncio.Transport, transport).write(self._sent)

    def data_received(self, data: bytes) -> None:
        """Keep it."""
        self._data += data

    def connection_lost(self, exc: Exception | None) -> None:
        """That was all."""
        if not self._ended.done():
            if self._data:
                self._ended.set_result(self._data)
            else:
                self._ended.set_exception(exc or ConnectionResetError("the portal gave no answer"))


class Socket(asyncio.Protocol):
    """One channel: `heard(text)` is called for every message, `ended()` once."""

    __slots__ = ("_data", "_ended", "_heard", "_open", "_sent", "_transport", "pause")

    def __init__(
        self, place: Place, path: str, headers: Mapping[str, str], heard: Callable[[bytes], None],
        ended: Callable[[], None],
    ) -> None:  # fmt: skip
        key = base64.b64encode(os.urandom(16)).decode()
        head = [f"GET {path} HTTP/1.1", f"Host: {place.host}:{place.port}", "Upgrade: websocket"]
        head += ["Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
        self._sent = _head(head, headers)
        self._heard, self._ended = heard, ended
        self._data, self._open = b"", False
        self._transport: asyncio.Transport | None = None
        self.pause = 0  # seconds that the portal asked to wait

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the channel."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._sent)
        self._sent = b""

    def data_received(self, data: bytes) -> None:
        """Take whole frames."""
        data = self._data + data
        if not self._open:
            top, end, rest = data.partition(b"\r\n\r\n")
            if not end:
                self._data = data
                return
            status, headers = _parsed(top)
            self._open, data = status == 101, rest
            if not self._open:
                self.pause = int(headers.get("retry-after", "0"))
                self.close()
                return
        while len(data) >= 2:
            size, start = data[1], 2
            if size == 126:
                size, start = int.from_bytes(data[2:4], "big"), 4
            if len(data) < start + size:
                break
            self._frame(data[0] & 15, data[start : start + size])
            data = data[start + size :]
        self._data = data

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._ended()

    def say(self, text: bytes, opcode: int = 1) -> None:
        """Send a message."""
        if self._transport is None or self._transport.is_closing():
            return
        mask = os.urandom(4)
        long = (mask * (len(text) // 4 + 1))[: len(text)]
        masked = (int.from_bytes(text, "big") ^ int.from_bytes(long, "big")).to_bytes(len(text), "big")
        size = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
        self._transport.write(bytes([0x80 | opcode]) + size + mask + masked)

    def close(self) -> None:
        """End it."""
        if self._transport is not None:
            self._transport.close()

    def _frame(self, opcode: int, payload: bytes) -> None:
        if opcode == 1:
            self._heard(payload)
        elif opcode == 9:
            self.say(payload, 10)
        elif opcode == 8:
            self.close()


def _head(lines: list[str], headers: Mapping[str, str]) -> bytes:
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode()


def _parsed(top: bytes) -> tuple[int, dict[str, str]]:
    lines = top.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines[1:])
    return int(lines[0].split()[1]), {name.lower(): value.strip() for name, _, value in pairs}
