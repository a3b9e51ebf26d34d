"""A real portal over a real folder with a small estate, for the tests of the command line, the client and the notebook.

Comes in: nothing. Goes out: the address, a token, the folder of a portal that runs as its own process. Invariant: it
is stopped with SIGTERM and must end with 0.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from muster import folder_accounts
from muster.clock import now
from muster.estate.load import planned
from muster.folder_load import store_estate
from tests.architecture.project import ROOT
from tests.muster.demo_process import Demo

PERMISSIONS = ("query", "execute", "manage", "administer", "import")
PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Running:
    """A running portal: its process, address, folder and a token of the account `admin`."""

    process: subprocess.Popen[str]
    url: str
    token: str
    data: Path


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever needs a portal's process is slow."""
    for item in items:
        if {"running", "demo"} & set(getattr(item, "fixturenames", ())) and "tests/muster/" in item.path.as_posix():
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with 30 devices and the account `admin`; no portal has opened it."""
    data = tmp_path_factory.mktemp("data") / "portal"
    store_estate(data, planned(30, 2, 1, now(), connected=30), lambda _: None)
    folder_accounts.create(data, "admin", PASSWORD, PERMISSIONS, "UTC")
    return data


@pytest.fixture(scope="session")
def running(folder: Path) -> Iterator[Running]:
    """A portal over `folder`."""
    token = folder_accounts.create_token(folder, "admin", "tests")["secret"]
    with portal(folder, "--imports") as found:
        yield Running(found.process, found.url, token, folder)


class portal:  # noqa: N801
    """A portal as its own process, while the context lasts."""

    def __init__(self, data: Path, *options: str) -> None:
        command = [sys.executable, "-m", "muster", "serve", "--data", str(data), "--port", "0", "--log-level", "error"]
        self.process = subprocess.Popen([*command, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.url = ""

    def __enter__(self) -> "portal":
        assert self.process.stdout is not None
        line = self.process.stdout.readline()  # the portal says its address once it takes requests
        assert "http://" in line, line
        self.url = next(word for word in line.split() if word.startswith("http://"))
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=30) == 0
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A small demo whose devices are all connected, without this machine's agent."""
    with Demo(tmp_path_factory.mktemp("demo"), "--no-agent") as running:
        yield running


@pytest.fixture
def settled(running: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Running:
    """The environment of a person who uses the portal: MUSTER_URL and a token file."""
    file = tmp_path / "token"
    file.write_text(running.token + "\n")
    monkeypatch.setenv("MUSTER_URL", running.url)
    monkeypatch.setenv("MUSTER_TOKEN_FILE", str(file))
    monkeypatch.delenv("MUSTER_TOKEN", raising=False)
    return running
