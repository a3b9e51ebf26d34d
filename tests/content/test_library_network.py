"""The starter actions that look at the network and the clock, run for real.

Comes in: servers of the tests' own on this machine. Goes out: nothing.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.content.running import number, run, texts

pytestmark = pytest.mark.slow


@contextmanager
def listening() -> Iterator[int]:
    """A port of this machine alone that takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_network_check(tmp_path: Path) -> None:
    with listening() as port:
        ended = run(tmp_path, "#network_check", host="127.0.0.1", port=str(port))
    assert (ended.state, ended.error) == ("success", "")
    assert (ended.outputs["resolved"], ended.outputs["address"], ended.outputs["connected"]) == (
        True,
        "127.0.0.1",
        True,
    )
    assert 0 <= number(ended, "connect_time") < 5e6
    routes = Path("/proc/net/route").read_text().splitlines()[1:]
    assert (ended.outputs["gateway"] != "-") == any(line.split()[1] == "00000000" for line in routes)


def test_network_check_of_what_is_not_there(tmp_path: Path) -> None:
    with listening() as port:
        pass
    ended = run(tmp_path, "#network_check", host="127.0.0.1", port=str(port))
    assert (ended.state, ended.outputs["connected"]) == ("success", False)
    assert "refused" in ended.error
    ended = run(tmp_path, "#network_check", host="no-such-name.invalid")
    assert (ended.outputs["resolved"], ended.outputs["address"], ended.outputs["connected"]) == (False, "-", False)
    assert run(tmp_path, "#network_check", host="", port="443").state == "failure"


@contextmanager
def time_server(offset: float, *, right: bool = True) -> Iterator[int]:
    """A time server whose clock is off by some seconds, for one question; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)

        def answer() -> None:
            asked, place = server.recvfrom(100)
            now = time.time() + offset + 2_208_988_800
            words = struct.pack("!2I", int(now), int(now % 1 * 2**32))
            mark = asked[40:48] if right else bytes(8)
            server.sendto(bytes([0x24, 2, 0, 0]) + bytes(20) + mark + words + words, place)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            thread.join()


@pytest.mark.parametrize(("offset", "right"), [(0.0, True), (120.5, False), (-3.25, False)])
def test_check_clock(tmp_path: Path, offset: float, right: bool) -> None:
    with time_server(offset) as port:
        ended = run(tmp_path, "#check_clock", server="127.0.0.1", port=str(port))
    assert (ended.state, ended.error) == ("success", "")
    assert abs(number(ended, "offset") - offset) < 0.5
    assert (ended.outputs["right"], ended.outputs["stratum"]) == (right, 2)


def test_an_answer_to_another_question_is_not_believed(tmp_path: Path) -> None:
    with time_server(0, right=False) as port:
        ended = run(tmp_path, "#check_clock", server="127.0.0.1", port=str(port))
    assert (ended.state, ended.outputs) == ("failure", {})
    assert "not that of a time server" in ended.error


@pytest.mark.parametrize(("server", "port", "bound"), [("", "123", "1"), ("x", "0", "1"), ("x", "1", "nan")])
def test_check_clock_of_nothing(tmp_path: Path, server: str, port: str, bound: str) -> None:
    assert run(tmp_path, "#check_clock", server=server, port=port, tolerance=bound).state == "failure"


def test_listening_ports(tmp_path: Path) -> None:
    name = Path(f"/proc/{os.getpid()}/comm").read_text().strip()
    with listening() as here, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as everywhere:
        everywhere.bind(("::", 0))
        ended = run(tmp_path, "#listening_ports")
        assert f"tcp 127.0.0.1:{here} {name}" in texts(ended, "listening")
        assert f"udp [::]:{everywhere.getsockname()[1]} {name}" in texts(ended, "listening")
        assert 1 <= number(ended, "from_outside") < number(ended, "ports")
    assert f"tcp 127.0.0.1:{here} {name}" not in texts(run(tmp_path, "#listening_ports"), "listening")
