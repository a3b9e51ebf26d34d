"""Frames of a WebSocket (RFC 6455), as few as a channel needs: what a device may send, and what the portal sends.

In: bytes off a connection. Out: the next frame and how many bytes it took, or the bytes of a frame to send. Invariants:
a device's frame is masked, whole (fragments are refused) and at most `wire.FRAME_BYTES` long, and what breaks this
raises before anything is kept of it; nothing here has a state or a buffer.
"""

from __future__ import annotations

import base64
from hashlib import sha1

from agent import wire

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
MOST_CONTROL = 125
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PING_FRAME = bytes([0x80 | PING, 0])


class BadFrameError(Exception):
    """The device does not keep to the protocol; `code` is the one to close with."""

    def __init__(self, code: int) -> None:
        super().__init__(f"close with {code}")
        self.code = code


def accept(key: str) -> str:
    """The answer to a `Sec-WebSocket-Key`."""
    return base64.b64encode(sha1(key.encode("ascii", "replace") + _MAGIC, usedforsecurity=False).digest()).decode()


def text(payload: bytes) -> bytes:
    """A frame with text, at most 64 KiB of it."""
    if len(payload) < 126:
        return bytes([0x80 | TEXT, len(payload)]) + payload
    return bytes([0x80 | TEXT, 126]) + len(payload).to_bytes(2, "big") + payload


def close(code: int) -> bytes:
    """The last frame."""
    return bytes([0x80 | CLOSE, 2]) + code.to_bytes(2, "big")


def pong(payload: bytes) -> bytes:
    """The answer to a ping of at most 125 bytes."""
    return bytes([0x80 | PONG, len(payload)]) + payload


def read(data: bytes) -> tuple[int, bytes, int] | None:
    """Opcode, payload and length of the first frame; None if it is not whole yet. Raises BadFrameError."""
    if len(data) < 2:
        return None
    opcode, size, at = data[0] & 0x0F, data[1] & 0x7F, 2
    if data[0] & 0xF0 != 0x80 or data[1] & 0x80 == 0 or opcode not in (TEXT, CLOSE, PING, PONG):
        raise BadFrameError(1003 if opcode == 2 else 1002)
    if size == 127 or (size == 126 and opcode != TEXT):
        raise BadFrameError(1009 if opcode == TEXT else 1002)
    if size == 126:
        if len(data) < 4:
            return None
        size, at = int.from_bytes(data[2:4], "big"), 4
    if size > wire.FRAME_BYTES:
        raise BadFrameError(1009)
    end = at + 4 + size
    if len(data) < end:
        return None
    mask = data[at : at + 4] * (size // 4 + 1)
    payload = (int.from_bytes(data[at + 4 : end], "big") ^ int.from_bytes(mask[:size], "big")).to_bytes(size, "big")
    return opcode, payload, end
