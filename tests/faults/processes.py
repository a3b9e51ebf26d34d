"""The real programs under fault: a portal and an agent, each started again and again over the same folder.

In: a folder. Out: processes that can be killed and started again. Invariant: nothing here reaches into the product;
it starts programs, waits for what they say over HTTP, and talks to the public interfaces.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]


def wait_until(holds: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Wait until something holds, looking often. Raises AssertionError, naming it, when the time is up."""
    deadline = time.monotonic() + seconds
    pause = 0.005
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def muster(*arguments: str, given: str = "") -> Any:
    """Run the command line with `--json`; what it printed. Raises AssertionError with its words when it fails."""
    command = [sys.executable, "-m", "muster", *arguments, "--json"]
    done = subprocess.run(command, input=given, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
    assert done.returncode == 0, f"{' '.join(arguments)}: {done.stderr}"
    return json.loads(done.stdout)


class Program:
    """A program that is started, killed and started again; what it says goes to a log file."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        self._command = [sys.executable, "-m", *arguments]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running program."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, cwd=ROOT, env=os.environ | {})

    def reap(self) -> None:
        """Take leave of a killed process."""
        assert self._process is not None
        self._process.wait(30)

    def stop(self) -> None:
        """End it politely, then without mercy."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None


class World:
    """A portal with its data folder, and one real agent of this machine."""

    def __init__(self, folder: Path, *, clocked: bool = False, hasty: bool = False) -> None:
        """With `clocked`, both run with the clock that `tests.faults.clocked` sets; with `hasty` the portal's store is
        that of `tests.faults.hasty`."""
        self.data = folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        serve = ["muster", "serve", "--data", str(self.data), "--port", str(self.port)]
        by = ["tests.faults.clocked"] if clocked else []
        self.portal = Program([*by, *(["tests.faults.hasty"] if hasty else []), *serve], folder / "portal.log")
        self.agent = Program([*by, "agent", "run", "--state", str(folder / "agent")], folder / "agent.log")
        self.client = httpx.Client(base_url=self.url + "/api/muster/v1", timeout=30)
        self._folder = folder

    def begin(self, *, agent: bool = True) -> None:
        """Start the portal on an empty folder, make an account and a token, and enrol and start the agent."""
        self.portal.start()
        self.wait_ready()
        muster("users", "create", "tester", "--generate", "--permissions", "all", "--data", str(self.data))
        token = muster("tokens", "create", "tests", "--account", "tester", "--data", str(self.data))
        self.client.headers["Authorization"] = f"Bearer {token['secret']}"
        if agent:
            self.enrol_agent()
            self.agent.start()

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Wait until the portal answers."""
        wait_until(self._answers, "the portal to answer", seconds)

    def key(self) -> str:
        """A fresh one-time enrolment key."""
        made = muster("enroll-key", "create", "--data", str(self.data))
        return str(made["keys"][0])

    def enrol_agent(self) -> None:
        """Make the real agent known."""
        command = [
            sys.executable,
            "-m",
            "agent",
            "enroll",
            "--url",
            self.url,
            "--key-file",
            "-",
            "--policy",
            "unrestricted",
        ]
        command += ["--state", str(self._folder / "agent")]
        done = subprocess.run(command, input=self.key() + "\n", capture_output=True, text=True, cwd=ROOT, check=False)
        assert done.returncode == 0, done.stderr

    def query(self, text: str) -> list[list[Any]]:
        """The rows of a query."""
        answer = self.client.post("/query", json={"text": text, "limit": 100_000})
        assert answer.status_code == 200, answer.text
        rows: list[list[Any]] = answer.json()["rows"]
        return rows

    def close(self) -> None:
        """End everything."""
        self.agent.stop()
        self.portal.stop()
        self.client.close()

    def _answers(self) -> bool:
        assert self.portal.alive, f"the portal ended; see {self._folder / 'portal.log'}"
        try:
            return httpx.get(self.url + "/healthz", timeout=2).status_code == 200
        except httpx.TransportError:
            return False
