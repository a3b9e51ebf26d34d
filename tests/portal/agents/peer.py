"""A device's side of a channel, byte by byte: what a device may send, and what it must not.

Comes in: a portal on a port and an enrolled device's keys. Goes out: frames and the end of the connection. Invariant:
only the standard library and the wire are used here, so that the portal's own code cannot hide its mistakes.
"""

from __future__ import annotations

import base64
import os
import secrets
import socket
import ssl
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import statements, wire, wire_channel
from agent.clock import SteadyClock

NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # what has no TLS needs no authorities, which take long to read


@dataclass
class Device:
    """An enrolled device without an agent."""

    url: str
    key: Ed25519PrivateKey
    told: wire.Enrolled
    clock: int = 0  # how far its clock is off
    peers: list[Peer] = field(default_factory=list)

    def headers(self, method: str, path: str, body: bytes) -> dict[str, str]:
        """What makes a request its own."""
        time, nonce = SteadyClock().now() + self.clock, secrets.token_urlsafe(16)
        signature = self.key.sign(statements.request_bytes(self.told.device, method, path, time, nonce, body))
        return {
            wire.DEVICE_HEADER: self.told.device,
            wire.TIME_HEADER: str(time),
            wire.NONCE_HEADER: nonce,
            wire.SIGNATURE_HEADER: base64.b64encode(signature).decode(),
        }

    def post(self, path: str, body: bytes) -> httpx.Response:
        """A request."""
        return httpx.post(self.url + path, content=body, headers=self.headers("POST", path, body), verify=NOBODY)

    def dial(self, headers: dict[str, str] | None = None, path: str = wire.CHANNEL) -> Peer:
        """Ask for a channel."""
        host, port = self.url.removeprefix("http://").split(":")
        peer = Peer(socket.create_connection((host, int(port)), timeout=10))
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket", "Connection: Upgrade"]
        lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}"]
        sent = self.headers("GET", wire.CHANNEL, b"") if headers is None else headers
        lines += [f"{name}: {value}" for name, value in sent.items()]
        self.peers.append(peer)
        peer.send("\r\n".join([*lines, "", ""]).encode())
        peer.status = peer.head()
        return peer

    def close(self) -> None:
        """Let go of every connection."""
        for peer in self.peers:
            peer.socket.close()

    def connect(self, *trail: str) -> Peer:
        """Open a channel, with all that belongs to it."""
        peer = self.dial()
        assert peer.status == 101
        welcome = msgspec.json.decode(peer.message(), type=wire_channel.Welcome)
        signature = self.key.sign(statements.hello_bytes(self.told.device, welcome.challenge, trail=trail))
        peer.tell(wire.encode(wire_channel.Hello("0.1.0", signature, trail=list(trail))))
        return peer


@dataclass
class Peer:
    """One connection."""

    socket: socket.socket
    status: int = 0
    given: dict[str, str] = field(default_factory=dict)
    _data: bytes = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def tell(self, text: bytes, opcode: int = 1) -> None:
        """Send a frame."""
        mask = os.urandom(4)
        size = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(text))
        self.send(bytes([0x80 | opcode]) + size + mask + masked)

    def head(self) -> int:
        """The status of the answer."""
        while b"\r\n\r\n" not in self._data:
            self._more()
        head, self._data = self._data.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        self.given = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        return int(lines[0].split()[1])

    def frame(self) -> tuple[int, bytes]:
        """The next frame. Raises ConnectionError at the end."""
        while len(self._data) < 2 or len(self._data) < self._size()[1]:
            self._more()
        start, end = self._size()
        opcode, payload = self._data[0] & 15, self._data[start:end]
        self._data = self._data[end:]
        return opcode, payload

    def message(self) -> bytes:
        """The next text."""
        opcode, payload = self.frame()
        assert opcode == 1, (opcode, payload)
        return payload

    def told(self) -> Any:
        """The next message of the portal."""
        return msgspec.json.decode(self.message(), type=wire_channel.ToldFrame)

    def ended(self) -> int | None:
        """Wait for the end; the code of the last frame, None if there was none."""
        code = None
        try:
            while True:
                opcode, payload = self.frame()
                if opcode == 8:
                    code = int.from_bytes(payload[:2], "big")
        except ConnectionError:
            return code

    def _size(self) -> tuple[int, int]:
        size = self._data[1]
        start = 4 if size == 126 else 2
        return start, start + (int.from_bytes(self._data[2:4], "big") if size == 126 else size)

    def _more(self) -> None:
        data = self.socket.recv(65_536)
        if not data:
            raise ConnectionError("the portal has ended the connection")
        self._data += data


def enrolled(url: str, secret: str) -> Device:
    """A new device."""
    key, sealing = Ed25519PrivateKey.generate(), os.urandom(32)
    identity = key.public_key().public_bytes_raw()
    proof = key.sign(statements.enrol_bytes(secret, identity, sealing, "peer"))
    asked = wire.Enrol(secret, identity, sealing, "peer", "linux", "0.1.0", proof)
    answer = httpx.post(url + wire.ENROL, content=wire.encode(asked), verify=NOBODY)
    assert answer.status_code == 200, answer.text
    return Device(url, key, msgspec.json.decode(answer.content, type=wire.Enrolled))
