"""One open connection of a device, as small as it can be: an asyncio protocol that took over the socket after the
signed handshake began.

In: bytes of a device; calls to tell it something. Out: bytes; calls of its owner for what the device says and for the
end. Invariants: no task and no timer of its own (`wheel` looks at all of them); nothing is kept of what the device
sends but a frame that is not whole; whoever says too much, or does not read what is sent, is let go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Protocol

from agent import wire, wire_channel
from portal.agents import frames
from portal.nudges import CLONED, REVOKED

NUDGE = frames.text(wire.encode(wire_channel.Nudge()))
MOST_FRAMES = 200  # of a device between two looks of the wheel
MOST_UNREAD = 64 << 10  # bytes that a device has not fetched
NORMAL, POLICY = 1000, 1008
LEFT, SILENT = "left", "silent"  # why it ended
CLOSED = {REVOKED: "revoked", CLONED: "cloned"}


class Owner(Protocol):
    """Who decides."""

    def said(self, link: Link, text: bytes) -> None:
        """The device said something."""

    def news(self, link: Link) -> None:
        """The tag of the device's configuration has to be told."""

    def closing(self, link: Link) -> None:
        """The device has been told to go, and may take a moment."""

    def ended(self, link: Link) -> None:
        """The connection is gone."""


class Link(asyncio.Protocol):
    """One connection. `greeting` is what its owner needs until the device has shown that it is there; `uid` names the
    device after that, `session` seals what it asks, and `asking` counts what is not answered yet."""

    __slots__ = (
        "_heard", "_open", "_owner", "_pinged", "_rest", "_said", "_transport", "asking", "greeting", "reason",
        "session", "uid",
    )  # fmt: skip

    def __init__(self, owner: Owner, transport: asyncio.Transport) -> None:
        self._owner, self._transport = owner, transport
        self._rest = b""
        self._open = self._heard = self._pinged = False
        self._said = 0
        self.greeting: Any = None
        self.session: Any = None
        self.asking = 0
        self.uid = ""
        self.reason = LEFT

    # --- what the socket says ------------------------------------------------------------------
    def data_received(self, data: bytes) -> None:
        """Take what is whole."""
        self._heard = True
        data = self._rest + data if self._rest else data
        try:
            while self._open and not self._transport.is_closing() and (frame := frames.read(data)) is not None:
                opcode, payload, used = frame
                data = data[used:]
                self._frame(opcode, payload)
        except frames.BadFrameError as error:
            self.close(error.code)
        if not self._open or self._transport.is_closing():
            self._rest = b""
            if not self._open:
                self._transport.abort()  # it spoke before it was let in
            return
        self._rest = data

    def eof_received(self) -> bool:
        """The device leaves."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._open, self._rest = False, b""
        self._owner.ended(self)

    # --- what the portal says ------------------------------------------------------------------
    def accept(self, key: str, first: bytes) -> None:
        """Let the device in and say the first thing."""
        head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        answer = f"{head}Sec-WebSocket-Accept: {frames.accept(key)}\r\n\r\n".encode()
        self._open = True
        self._write(answer + frames.text(first))

    def refuse(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Answer as to any request, and let go."""
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", "Connection: close"]
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._write("\r\n".join([*lines, "", ""]).encode() + body)
        self._transport.close()
        self._owner.closing(self)

    def tell(self, text: bytes) -> None:
        """Send a message."""
        self._write(frames.text(text))

    def nudge(self) -> None:
        """Say that there is work."""
        self._write(NUDGE)

    def configure(self) -> None:
        """Say the tag of the configuration, as soon as it is known."""
        self._owner.news(self)

    def close(self, code: int = NORMAL) -> None:
        """End it, for this reason."""
        if self._transport.is_closing():
            return
        self.reason = CLOSED.get(code, self.reason)
        self._write(frames.close(code))
        self._transport.close()
        self._owner.closing(self)

    def spare(self) -> None:
        """What the device said just now does not count as too much."""
        self._said -= 1

    def abort(self) -> None:
        """End it at once."""
        self._transport.abort()

    def look(self) -> None:
        """Called once in a while: ask a device that was silent whether it is there, and let it go if it was asked
        before."""
        self._said = 0
        if self._heard:
            self._heard = self._pinged = False
        elif self._pinged:
            self.reason = SILENT
            self._transport.abort()
        else:
            self._pinged = True
            self._write(frames.PING_FRAME)

    # --- inside --------------------------------------------------------------------------------
    def _frame(self, opcode: int, payload: bytes) -> None:
        self._said += 1
        if self._said > MOST_FRAMES:
            self.close(POLICY)
        elif opcode == frames.TEXT:
            self._owner.said(self, payload)
        elif opcode == frames.PING:
            self._write(frames.pong(payload))
        elif opcode == frames.CLOSE:
            self.close()

    def _write(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > MOST_UNREAD:
            self.reason = SILENT
            self._transport.abort()
        else:
            self._transport.write(data)
