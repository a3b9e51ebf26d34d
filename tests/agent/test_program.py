"""The program, and the wire towards a portal that is not ours: what a person is told, and what an agent believes.

Comes in: command lines, and servers of the test's own. Goes out: exit codes, texts, errors. Invariant: nothing that
is not signed by the pinned portal changes anything on the device.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import structs

from agent import status, wire
from agent.clock import SteadyClock
from agent.core import CLONED
from agent.exchange import Exchange, UnreachableError
from agent.identity import Enrolment, IdentityError, clean_url, ensure_keys, save_enrolment
from agent.main import main
from agent.version import __version__

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}


def program(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agent", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=ENVIRONMENT, input=given, capture_output=True, text=True, check=False, timeout=60
    )


@contextmanager
def server(status: int, body: bytes, headers: dict[str, str] | None = None) -> Iterator[str]:
    """A web server that answers everything alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()
        thread.join()


def exchange(folder: Path, url: str, portal: bytes | None = None) -> Exchange:
    pinned = portal or Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    enrolment = Enrolment(url, "device", "collector", 1, False, pinned, [])
    return Exchange(enrolment, ensure_keys(folder / "state"), SteadyClock())


@pytest.mark.slow
def test_version_and_help() -> None:
    assert program("--version").stdout.strip() == f"muster-agent {__version__}"
    shown = program("enroll", "--help").stdout
    assert "--key-file" in shown
    assert "MUSTER_ENROL_KEY" in shown
    assert "--key " not in shown  # a secret is never given on the command line


@pytest.mark.slow
def test_mistakes_are_explained(tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    for arguments, said in (
        (("run", "--state", state), "run `muster-agent enroll` first"),
        (("status", "--state", state), "run `muster-agent enroll` first"),
        (
            ("enroll", "--url", "http://127.0.0.1:1", "--state", state),
            "no key: give --key-file, or set MUSTER_ENROL_KEY",
        ),
        (("enroll", "--url", "ftp://x", "--key-file", "-", "--state", state), "is not the address of a portal"),
        (("enroll", "--url", "http://127.0.0.1:1", "--key-file", "-", "--state", state), "cannot be reached"),
        (("enroll", "--url", "http://127.0.0.1:1", "--key-file", "/nonexistent", "--state", state), "/nonexistent"),
    ):
        done = program(*arguments, given="enrol_x\n")
        if "no key" in said:
            done = program(*arguments)
        assert (done.returncode, said in done.stderr) == (1, True), (arguments, done.stderr)
        assert "Traceback" not in done.stderr


def test_its_standing_is_said_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = tmp_path / "state"
    enrolment = Enrolment("http://127.0.0.1:1", "device", "collector", 1, False, b"p" * 32, [])
    ensure_keys(state)
    save_enrolment(state, enrolment)
    held = status.hold(state)
    facts = status.Facts(1_795_348_800_123_456, False, 0, 2, 0, 0)
    notes = status.Notes(state)
    notes.take(facts)
    assert main(["status", "--state", str(state)]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if "  " in line)
    assert lines["time"] == "2026-11-22 12:00:00 UTC"
    assert (lines["runs"], lines["connected"]) == ("yes", "no")
    assert "held" not in lines
    notes.take(structs.replace(facts, batches=7))  # seldom, unless there is news
    assert status.read(state) == facts
    notes.take(structs.replace(facts, held=CLONED))
    assert main(["status", "--state", str(state)]) == 0
    status.let_go(held)
    assert "another machine goes by this device's identity" in capsys.readouterr().out


def test_an_open_state_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    done = program("run", "--state", str(tmp_path / "state"))
    assert "open to other accounts" in done.stderr


@pytest.mark.parametrize(
    "url", ["http://x y", "x", "http://", "https://a\nb", "file:///etc", "http://a?b=c", "http://u:p@h/"]
)
def test_addresses(url: str) -> None:
    with pytest.raises(IdentityError):
        clean_url(url)


def test_a_page_of_somebody_else_is_no_answer(tmp_path: Path) -> None:
    signature = {wire.TIME_HEADER: "1", wire.SIGNATURE_HEADER: "A" * 86 + "=="}
    for code, body, headers in (
        (200, b"<html>Please sign in to the hotel</html>", {}),
        (200, b"{}", signature),
        (403, b'{"error":{"code":"revoked","message":"go away"}}', {}),
        (401, b"", {wire.TIME_HEADER: "9999999999999999"}),
        (200, b"{}", {wire.TIME_HEADER: "x", wire.SIGNATURE_HEADER: "\u00ff"}),
    ):
        with server(code, body, headers) as url, pytest.raises(UnreachableError, match="signed"):
            exchange(tmp_path, url).send(wire.WORK, b"{}")


def test_a_flood_is_not_read(tmp_path: Path) -> None:
    with server(200, b"x" * (wire.ANSWER_BYTES + 10)) as url, pytest.raises(UnreachableError, match="larger than"):
        exchange(tmp_path, url).send(wire.WORK, b"{}")


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="cannot be reached"):
        exchange(tmp_path, "http://127.0.0.1:1").send(wire.WORK, b"{}")
