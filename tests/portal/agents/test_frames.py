"""Frames of the channel: what a device may send, and that nothing else is taken.

Comes in: bytes, whole and cut anywhere, right and wrong. Goes out: frames, or the code to close with. Invariant: the
same bytes in any pieces give the same frames, as a peer (the websockets library) reads and writes them.
"""

from __future__ import annotations

import os
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from agent import wire
from portal.agents import frames
from portal.agents.frames import BadFrameError


def sent(opcode: int, payload: bytes) -> bytes:
    """As a client sends it."""
    return Frame(Opcode(opcode), payload).serialize(mask=True)


@given(st.sampled_from([frames.TEXT, frames.PING, frames.PONG, frames.CLOSE]), st.binary(max_size=wire.FRAME_BYTES))
def test_a_whole_frame_is_read_and_a_part_of_it_is_not(opcode: int, payload: bytes) -> None:
    payload = payload if opcode == frames.TEXT else payload[: frames.MOST_CONTROL]
    data = sent(opcode, payload)
    assert frames.read(data + b"more") == (opcode, payload, len(data))
    for end in {0, 1, 3, 5, len(data) // 2, len(data) - 1} - {len(data)}:
        assert frames.read(data[:end]) is None


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x01a", 1002),  # not masked
        (b"\x01\x81" + bytes(5), 1002),  # a fragment
        (b"\x80\x81" + bytes(5), 1002),  # the rest of one
        (b"\x82\x81" + bytes(5), 1003),  # binary
        (b"\xc1\x81" + bytes(5), 1002),  # an extension
        (b"\x83\x81" + bytes(5), 1002),  # an opcode of nobody
        (b"\x89\xfe\x00\x7e", 1002),  # a long ping
        (b"\x81\xff" + (1 << 40).to_bytes(8, "big"), 1009),
        (b"\x81\xfe" + (wire.FRAME_BYTES + 1).to_bytes(2, "big"), 1009),
    ],
)
def test_what_breaks_the_protocol_is_refused_at_its_head(data: bytes, code: int) -> None:
    with pytest.raises(BadFrameError) as caught:
        frames.read(data)
    assert caught.value.code == code


@given(st.binary(max_size=64))
def test_any_bytes(data: bytes) -> None:
    with suppress(BadFrameError):
        frame = frames.read(data)
        assert frame is None or frame[2] <= len(data)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 4096, 65_535])
def test_what_is_sent_is_read_by_a_peer(size: int) -> None:
    payload = os.urandom(size)
    assert frames.text(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)
    if size <= frames.MOST_CONTROL:
        assert frames.pong(payload) == Frame(Opcode.PONG, payload).serialize(mask=False)
    assert frames.close(4403) == Frame(Opcode.CLOSE, (4403).to_bytes(2, "big")).serialize(mask=False)


def test_the_answer_to_a_key() -> None:
    assert frames.accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # of RFC 6455
