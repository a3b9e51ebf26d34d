"""`muster query --live` and `Client.live` against a real portal: a line for each answer, frames with types, clean ends.

Comes in: a portal with a small estate. Goes out: nothing. Invariant held here: rows that arrive are in the next answer,
and a portal that is told to stop does not wait for those who follow.
"""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import muster
from muster import folder_accounts
from muster.api import Api
from muster.cli import main
from tests.architecture.project import ROOT
from tests.muster.conftest import PASSWORD, PERMISSIONS, Running, portal

pytestmark = pytest.mark.slow
NAMES = "devices | where name == $names | list name"
WIDE = (
    "devices | list name, hardware.memory, last_seen, first_seen, boot.last_full_boot_duration, simulated, "
    "operating_system.name, entity | sort name asc"
)


def entrance(data: Path) -> str:
    """A token for a new folder."""
    folder_accounts.create(data, "admin", PASSWORD, PERMISSIONS, "UTC")
    secret: str = folder_accounts.create_token(data, "admin", "tests")["secret"]
    return secret


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A portal whose devices no other test counts."""
    data = tmp_path_factory.mktemp("live") / "data"
    token = entrance(data)
    with portal(data, "--imports") as made:
        yield Running(made.process, made.url, token, data)


def named(running: Running, name: str, sequence: int) -> None:
    """A device of this name is there now."""
    batch = {
        "source": f"live-{name}", "epoch": "00000000-0000-4000-8000-000000000000", "sequence": sequence,
        "tables": [{"table": "device.devices", "columns": {"uid": [f"uid-{name}"], "name": [name]}}],
    }  # fmt: skip
    with Api(running.url, running.token) as api:
        api.post("/import", batch)


def following(running: Running, *options: str, **more: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "muster", "query", NAMES, "--url", running.url, "--live", *options]
    environment = os.environ | {"MUSTER_TOKEN": running.token}
    given: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **given)


def test_each_answer_is_a_line_of_json(own: Running) -> None:
    process = following(own, "--json", "--param", "names=line-of-json")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["rows"] == []
    named(own, "line-of-json", 1)
    assert json.loads(process.stdout.readline())["rows"] == [["line-of-json"]]
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=30)
    assert (process.returncode, rest, errors) == (0, "", "")


def test_a_terminal_shows_one_table_that_changes(own: Running) -> None:
    leader, follower = pty.openpty()
    process = following(own, "--param", "names=on-a-terminal", stdout=follower, stderr=follower)
    os.close(follower)
    seen = until(leader, b"0 rows")
    assert b"Ctrl-C ends it" in seen
    named(own, "on-a-terminal", 1)
    assert b"on-a-terminal" in until(leader, b"changed 1 time")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0
    os.close(leader)


def until(terminal: int, wanted: bytes) -> bytes:
    """What a terminal shows, up to and with what is wanted."""
    seen, last = b"", time.monotonic() + 60
    while wanted not in seen or b"Ctrl-C" not in seen.split(wanted)[-1]:
        assert time.monotonic() < last, seen
        seen += os.read(terminal, 65_536)
    return seen


def test_frames_have_the_types_of_a_query(running: Running) -> None:
    with muster.connect(running.url, running.token) as client:
        news = client.live(WIDE)
        first = next(news)
        assert first.schema == client.query(WIDE).polars().schema
        assert first.equals(client.query(WIDE).polars())
        news.close()  # type: ignore[attr-defined]  # a generator, promised as an iterator


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--format", "csv"], "--live is for a portal"),
        (["--output", "x"], "--live is for a portal"),
        (["--data", "x"], "--live is for a portal"),
        (["--limit", "10001"], "10000 rows at most"),
    ],
)
def test_what_live_cannot_be(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", NAMES, "--live", *options]) == 2
    assert said in capsys.readouterr().err


def test_a_portal_stops_while_somebody_follows_and_is_found_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    token = entrance(data)
    with portal(data, "--imports") as first:
        running = Running(first.process, first.url, token, data)
        process = following(running, "--json", "--param", "names=found-again")
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["rows"] == []
        began = time.monotonic()
    assert time.monotonic() - began < 8, "the portal waited for who follows"
    port = first.url.rsplit(":", 1)[1]
    with portal(data, "--imports", "--port", port):
        named(running, "found-again", 1)
        assert json.loads(process.stdout.readline())["rows"] == [["found-again"]]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert process.returncode == 0
