"""The channel over a real socket: who gets one, what is said over it, and how it ends.

Comes in: a portal on a port, devices that speak byte by byte. Goes out: frames, statuses, what is written down of
presence. Invariant: what holds for these holds for the agent, which speaks the same; the portal serves on afterwards.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import msgspec
import pytest

from agent import wire, wire_channel
from agent.wire_configuration import EMPTY
from storage.control.api import open_control
from tests.portal.agents.conftest import Served, eventually
from tests.portal.agents.peer import Device, enrolled

pytestmark = pytest.mark.slow
HOUR = 3_600_000_000


@pytest.fixture
def device(served: Served) -> Iterator[Device]:
    made = enrolled(served.url, served.keys()[0])
    yield made
    made.close()


def intervals(served: Served) -> list[dict[str, Any]]:
    """Ended and open, as the tables and queries get them."""
    return served.portal.control.presence.rows_after(0)


def on_loop(served: Served, call: Any) -> None:
    served.loop.call_soon_threadsafe(call)


def test_it_is_greeted_nudged_and_remembered(served: Served, device: Device) -> None:
    peer = device.connect()
    eventually(lambda: served.connected(device.told.device))
    on_loop(served, lambda: served.portal.nudges.nudge([device.told.device]))
    assert peer.told() == wire_channel.Nudge()
    on_loop(served, served.portal.configurations.changed)
    told = peer.told()
    assert isinstance(told, wire_channel.Config)
    assert told.config != ""
    peer.tell(b"are you there", opcode=9)
    assert peer.frame() == (10, b"are you there")
    eventually(lambda: [one["status"] for one in intervals(served)] == ["connected"])
    peer.tell((1000).to_bytes(2, "big"), opcode=8)
    assert peer.ended() == 1000
    [one] = eventually(lambda: [one for one in intervals(served) if one["status"] == "ended"])
    assert (one["@device"], one["reason"]) == (device.told.device, "left")
    assert one["duration"] == one["end_time"] - one["start_time"] >= 0
    assert not served.connected(device.told.device)


def test_a_device_for_which_there_is_work_is_nudged_when_it_comes(served: Served, device: Device) -> None:
    served.ask([device.told.device], "true")
    peer = device.connect()
    assert peer.told() == wire_channel.Nudge()


def test_strangers_get_no_channel(served: Served, device: Device) -> None:
    good = device.headers("GET", wire.CHANNEL, b"")
    for wrong in (
        {},
        good | {wire.DEVICE_HEADER: "00000000-0000-4000-8000-00000000000f"},
        good | {wire.SIGNATURE_HEADER: "A" * 88},
        device.headers("POST", wire.CHANNEL, b""),
        device.headers("GET", wire.WORK, b""),
    ):
        peer = device.dial(wrong)
        assert (peer.status, wire.SIGNATURE_HEADER.lower() in peer.given) == (401, False)
        assert peer.ended() is None
    assert device.dial(path="/elsewhere").status == 404
    assert device.dial(path="/").status == 404
    assert device.dial().status == 101


def test_a_channel_request_is_taken_once(served: Served, device: Device) -> None:
    same = device.headers("GET", wire.CHANNEL, b"")
    assert device.dial(same).status == 101
    assert device.dial(same).status == 409


def test_a_wrong_clock_is_told_the_time_by_the_portal_itself(served: Served, device: Device) -> None:
    device.clock = -HOUR
    peer = device.dial()
    assert peer.status == 401
    assert int(peer.given[wire.TIME_HEADER.lower()]) > 0
    assert wire.SIGNATURE_HEADER.lower() in peer.given


def test_who_does_not_show_that_it_is_there_is_let_go(served: Served, device: Device) -> None:
    hello, pong = wire_channel.Hello("0.1.0", bytes(64)), wire_channel.Pong()
    for wrong in (wire.encode(hello), b"{}", b"\xff", wire.encode(pong)):
        peer = device.dial()
        assert isinstance(peer.told(), wire_channel.Welcome)
        peer.tell(wrong)
        assert peer.ended() in (4401, 1008)
    assert intervals(served) == []


def test_the_welcome_names_the_configuration(served: Served, device: Device) -> None:
    welcome = msgspec.json.decode(device.dial().message(), type=wire_channel.Welcome)
    tag = device.post(wire.CONFIG, b"{}").json()["tag"]
    assert welcome.tag == tag
    assert tag == EMPTY or len(tag) == 32


@pytest.mark.parametrize("wrong", [b"\x81\x01a", b"\x01\x81aaaaa", b"\x82\x81aaaaa", b"\x81\xff" + bytes(12)])
def test_whoever_breaks_the_protocol_is_let_go(served: Served, device: Device, wrong: bytes) -> None:
    peer = device.connect()
    eventually(lambda: served.connected(device.told.device))
    peer.send(wrong)
    assert peer.ended() in (1002, 1003, 1009)
    eventually(lambda: not served.connected(device.told.device))


def test_whoever_says_too_much_is_let_go(served: Served, device: Device) -> None:
    peer = device.connect()
    for _ in range(200):
        peer.tell(wire.encode(wire_channel.Pong()))
    peer.tell(wire.encode(wire_channel.Pong()))
    assert peer.ended() == 1008


def test_a_device_has_four_connections_and_no_more(served: Served, device: Device) -> None:
    peers = [device.connect() for _ in range(4)]
    eventually(lambda: served.portal.nudges.count(device.told.device) == 4)
    assert device.dial().status == 409
    peers[0].socket.close()
    eventually(lambda: served.portal.nudges.count(device.told.device) == 3)
    assert device.dial().status == 101
    assert [one["status"] for one in eventually(lambda: intervals(served))] == ["connected"]  # one device, one interval


def test_a_revoked_device_is_out_within_two_seconds(served: Served, device: Device) -> None:
    peer = device.connect()
    eventually(lambda: served.connected(device.told.device))
    began = time.monotonic()
    served.post(f"/devices/{device.told.device}/revoke", {})
    assert peer.ended() == 4403
    assert time.monotonic() - began < 2
    refused = device.dial()
    assert refused.status == 403
    assert wire.SIGNATURE_HEADER.lower() in refused.given  # so the device knows it from its portal
    [one] = eventually(lambda: [one for one in intervals(served) if one["status"] == "ended"])
    assert one["reason"] == "revoked"


@pytest.mark.slow
def test_a_device_that_another_process_revoked_is_found(served: Served, device: Device) -> None:
    peer = device.connect()
    eventually(lambda: served.connected(device.told.device))
    now = served.portal.clock()
    beside = open_control(served.portal.settings.control, now=now)
    beside.revoke_device(device.told.device, by="local:ann", now=now)
    beside.close()
    peer.socket.settimeout(40)
    assert peer.ended() == 4403


def test_more_than_can_be_greeted_are_told_when_to_come_again(served: Served, device: Device) -> None:
    served.portal.channels._busy += 2000
    peer = device.dial()
    assert (peer.status, peer.given["retry-after"]) == (503, "10")
    served.portal.channels._busy -= 2000
    assert device.dial().status == 101


def test_a_person_is_served_while_a_device_is_silent_in_the_middle_of_its_request(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port)) as slow:
        slow.sendall(b"GET /agent/v1/channel HTTP/1.1\r\nHost: x\r\nUpgrade: webs")
        assert httpx.get(served.url + "/healthz").status_code == 200


@pytest.mark.slow
def test_whoever_says_nothing_or_says_it_slowly_is_let_go(served: Served) -> None:
    with (
        socket.create_connection(("127.0.0.1", served.port)) as mute,
        socket.create_connection(("127.0.0.1", served.port)) as slow,
    ):
        began = time.monotonic()
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHo")
        for one in (mute, slow):
            one.settimeout(40)
            with suppress(ConnectionResetError):
                assert one.recv(100) == b""
        assert 15 < time.monotonic() - began < 40
