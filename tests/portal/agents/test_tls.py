"""TLS: a device pins the key of the server it enrolled with, follows to one it was told of, and takes no other.

Comes in: `muster serve` with certificates of an authority of the test's own, real agents, a server in the middle.
Goes out: what the agents say. Invariant: every certificate in play is valid by name and authority; what is refused, is
refused for its key.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from msgspec import structs

from agent.channel import Channel
from agent.clock import SteadyClock
from agent.exchange import Exchange, UnreachableError
from agent.identity import load_enrolment, load_keys
from muster.cli import main
from portal.logs import configure
from portal.tls import pin_of
from tests.certificates import Authority, Files
from tests.portal.agents.conftest import ROOT, eventually

pytestmark = pytest.mark.slow
MUSTER = (sys.executable, "-m", "muster")


@dataclass
class Serving:
    """A portal as a process that serves TLS with `live`, which a test may replace, and the agents of one test."""

    folder: Path
    states: Path
    authority: Authority
    live: Files
    coming: Path
    process: subprocess.Popen[str] | None = None
    url: str = ""
    agents: list[subprocess.Popen[bytes]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def start(self) -> None:
        command = [*MUSTER, "serve", "--data", str(self.folder / "data"), "--port", "0"]
        command += ["--tls-cert", str(self.live.certificate), "--tls-key", str(self.live.key)]
        command += ["--tls-next-cert", str(self.coming), "--log-level", "error"]
        command += ["--name", "127.0.0.1", "--name", "portal.test"]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = next(word for word in self.process.stdout.readline().split() if word.startswith("https://"))
        made = ["enroll-key", "create", "--count", "20", "--data", str(self.folder / "data"), "--json"]
        said = subprocess.run([*MUSTER, *made], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        self.keys = json.loads(said)["keys"]

    def enrol(self, name: str, *options: str, url: str = "", **environment: str) -> tuple[Path, str]:
        """Enrol an agent; its folder and what it said where it failed."""
        state = self.states / name
        command = [sys.executable, "-m", "agent", "enroll", "--url", url or self.url, "--state", str(state), *options]
        variables = os.environ | {"MUSTER_ENROL_KEY": self.keys.pop()} | environment
        done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
        return state, done.stderr

    def run(self, state: Path, **environment: str) -> None:
        with (state / "log").open("ab") as log:
            command = [sys.executable, "-m", "agent", "run", "--state", str(state)]
            variables = os.environ | environment
            self.agents.append(subprocess.Popen(command, cwd=ROOT, env=variables, stderr=log))

    def dismiss(self) -> None:
        for agent in self.agents:
            agent.send_signal(signal.SIGTERM)
            agent.wait(20)

    def close(self) -> None:
        self.dismiss()
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0
        self.process.stdout.close()


def started(folder: Path) -> Serving:
    authority = Authority(folder)
    first, second = authority.server("first"), authority.server("second")
    live = Files(folder / "live.pem", folder / "live.key")
    shutil.copy(first.certificate, live.certificate)
    shutil.copy(first.key, live.key)
    made = Serving(folder, folder, authority, live, second.certificate)
    made.start()
    return made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    made = started(tmp_path_factory.mktemp("tls"))
    yield made
    made.close()


@pytest.fixture
def serving(shared: Serving, tmp_path: Path) -> Iterator[Serving]:
    """A portal whose certificate stays as it is."""
    mine = replace(shared, states=tmp_path, agents=[])
    yield mine
    mine.dismiss()


@pytest.fixture
def rotating(tmp_path: Path) -> Iterator[Serving]:
    """A portal whose certificate the test replaces."""
    made = started(tmp_path)
    yield made
    made.close()


def reach(state: Path) -> None:
    """One signed request by what a folder pins. Raises UnreachableError."""
    exchange = Exchange(load_enrolment(state), load_keys(state), SteadyClock())
    assert exchange.send("/agent/v1/config", b'{"tag":"","version":1}').status == 200


def test_the_key_is_pinned_and_follows_what_was_told(rotating: Serving) -> None:
    first, second = pin_of(rotating.live.certificate), pin_of(rotating.coming)
    state, said = rotating.enrol("agent", "--ca", str(rotating.authority.file))
    assert said == ""
    assert load_enrolment(state).tls_pins == [first]
    reach(state)
    rotating.run(state)
    eventually(lambda: set(load_enrolment(state).tls_pins) == {first, second})  # over the channel, then the request

    shutil.copy(rotating.coming, rotating.live.certificate)
    shutil.copy(rotating.folder / "second.key", rotating.live.key)
    assert rotating.process is not None
    rotating.process.send_signal(signal.SIGHUP)
    eventually(lambda: load_enrolment(state).tls_pins == [second])
    reach(state)
    late, said = rotating.enrol("late", "--tls-pin", second.hex())
    assert (said, load_enrolment(late).tls_pins) == ("", [second])

    other = rotating.authority.server("third")  # a rotation that nobody was told of
    shutil.copy(other.certificate, rotating.live.certificate)
    shutil.copy(other.key, rotating.live.key)
    rotating.process.send_signal(signal.SIGHUP)
    eventually(lambda: _refused(state))


def _refused(state: Path) -> bool:
    try:
        reach(state)
    except UnreachableError as error:
        return "did not pin" in str(error)
    return False


def test_people_reach_it_with_the_authority(serving: Serving) -> None:
    data = ["--data", str(serving.folder / "data")]
    for command in (["users", "create", "anna", "--generate"], ["tokens", "create", "t", "--account", "anna"]):
        done = subprocess.run([*MUSTER, *command, *data], cwd=ROOT, capture_output=True, text=True, check=True)
    variables = os.environ | {"MUSTER_TOKEN": done.stdout.strip()}
    listing = [*MUSTER, "keys", "list", "--url", serving.url]
    for more, code in (({"SSL_CERT_FILE": str(serving.authority.file)}, 0), ({}, 1)):
        environment = variables | more
        done = subprocess.run(listing, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
    assert "does not trust the certificate" in done.stderr
    assert "SSL_CERT_FILE" in done.stderr


def test_enrolling_verifies_the_server(serving: Serving) -> None:
    for options, why in (
        ((), "certificate verify failed"),
        (("--tls-pin", "00" * 32), "cannot be reached: the server shows a key that this device did not pin"),
        (("--tls-pin", "xyz"), "64 hexadecimal digits"),
        (("--ca", "/nonexistent"), "No such file"),
    ):
        state, said = serving.enrol("agent", *options)
        assert why in said, said
        assert not (state / "enrolment.json").exists()


def test_a_given_name_is_kept(serving: Serving) -> None:
    trusted = ("--ca", str(serving.authority.file))
    assert load_enrolment(serving.enrol("named", *trusted, "--name", "desk-7")[0]).name == "desk-7"
    assert load_enrolment(serving.enrol("agent", *trusted)[0]).name is None


def test_nobody_stands_in_the_middle(serving: Serving) -> None:
    """Another server with a certificate of the same authority, right for the same name."""
    state, _ = serving.enrol("agent", "--ca", str(serving.authority.file))
    with _server(serving.authority.server("middle")) as (port, heard):
        moved = structs.replace(load_enrolment(state), url=f"https://127.0.0.1:{port}")
        exchange = Exchange(moved, load_keys(state), SteadyClock())
        with pytest.raises(UnreachableError, match="did not pin"):
            exchange.send("/agent/v1/work", b"{}")
        channel = Channel(exchange, load_keys(state), SteadyClock(), no_trail)
        with pytest.raises(UnreachableError, match="did not pin"):
            asyncio.run(channel.listen(lambda *_: None, lambda: None, lambda tag: None))
        assert heard == []  # not a byte of a request, nor a header


async def no_trail(last: str) -> tuple[str, ...]:
    """A device that has greeted nobody yet."""
    return ()


@contextmanager
def _server(files: Files) -> Iterator[tuple[int, list[bytes]]]:
    """A TLS server that notes what it hears after the handshake."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    heard: list[bytes] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            plain.settimeout(5)
            try:
                with context.wrap_socket(plain, server_side=True) as secure:
                    if data := secure.recv(4096):
                        heard.append(data)
            except OSError:
                plain.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1], heard
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


@contextmanager
def _proxy(target: int) -> Iterator[tuple[int, list[str]]]:
    """A proxy that connects everyone to one port of this machine, and notes who asked for what."""
    asked: list[str] = []

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        login = next((line for line in head.split("\r\n") if line.lower().startswith("proxy-authorization")), "")
        asked.append(f"{head.split(' HTTP')[0]} {login.partition(': ')[2]}".strip())
        there, back = await asyncio.open_connection("127.0.0.1", target)
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        await asyncio.gather(pipe(reader, back), pipe(there, writer))

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.1))
        loop.close()


def test_the_way_through_a_proxy(serving: Serving) -> None:
    port = int(serving.url.rpartition(":")[2])
    away = f"https://portal.test:{port}"  # a name that only the proxy knows
    with _proxy(port) as (proxy, asked):
        variable = {"HTTPS_PROXY": f"http://me:p%40ss@127.0.0.1:{proxy}"}
        state, said = serving.enrol("agent", "--ca", str(serving.authority.file), url=away, **variable)
        assert said == ""
        serving.run(state, **variable)
        eventually(lambda: len(asked) > 2)  # the enrolment, the channel, and what was asked for then
        login = "Basic " + base64.b64encode(b"me:p@ss").decode()
        assert set(asked) == {f"CONNECT portal.test:{port} {login}"}
        before = len(asked)
        _, said = serving.enrol("other", "--ca", str(serving.authority.file), url=away, NO_PROXY=".test", **variable)
        assert "cannot be reached" in said
        _, said = serving.enrol("near", "--ca", str(serving.authority.file), **variable)
        assert said == ""  # this machine is reached directly
        _, said = serving.enrol("odd", url=away, HTTPS_PROXY="socks5://127.0.0.1:1")
        assert "none of the form http://host:port" in said
        assert len([one for one in asked[before:] if "portal.test" not in one]) == 0


def test_wrong_files_are_told_before_anything_begins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = Authority(tmp_path).server("one")
    serve = ["serve", "--data", str(tmp_path / "data"), "--port", "0"]
    for options, why in (
        (("--tls-cert", str(files.certificate)), "go together"),
        (("--tls-cert", str(files.key), "--tls-key", str(files.key)), "holds no certificate"),
        (("--tls-cert", str(files.certificate), "--tls-key", str(files.certificate)), "cannot be used"),
        (("--tls-next-cert", "/nonexistent"), "holds no certificate"),
    ):
        code = main([*serve, *options])
        configure("critical")  # as before: it set up a log of its own
        assert code == 2
        assert why in capsys.readouterr().err
        assert not (tmp_path / "data").exists()
