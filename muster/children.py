"""The programs that a demo starts beside its portal: this machine's agent and the simulated devices.

In: the portal's address, one-time keys, folders. Out: running children. Invariants: a child's secrets go to it by a
pipe, never by its arguments; `stop` ends every child and waits for it; what they log goes to files in the data
folder.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import msgspec

from muster.errors import MusterError
from muster.simulated import Wanted

PATIENCE = 15.0  # seconds that a child has to end
ENROLLING = 30.0


class Children:
    """What was started."""

    def __init__(self, logs: Path) -> None:
        logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._logs = logs
        self._agent: subprocess.Popen[bytes] | None = None
        self._simulated: subprocess.Popen[bytes] | None = None
        self._files: list[IO[bytes]] = []

    def start_agent(self, url: str, key: str | None, state: Path, name: str) -> None:
        """Enroll this machine's agent, if there is a key for it, and start it. Raises MusterError."""
        if key is not None:
            words = ["enroll", "--url", url, "--key-file", "-", "--name", name, "--state", str(state), "--again"]
            done = subprocess.run(
                [*_agent(), *words], input=key.encode(), capture_output=True, timeout=ENROLLING, check=False
            )
            if done.returncode:
                raise MusterError(
                    f"This machine's agent cannot enrol: {done.stderr.decode(errors='replace').strip()}", "", "agent"
                )
        self._agent = subprocess.Popen(
            [*_agent(), "run", "--state", str(state)],
            stdin=subprocess.DEVNULL,
            stdout=self._log("agent"),
            stderr=self._log("agent"),
            start_new_session=True,
        )

    def start_simulated(self, url: str, keys: Sequence[str], folder: Path, count: int, seed: int) -> None:
        """Start the simulated devices."""
        command = [sys.executable, "-m", "muster.simulated"]
        self._simulated = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log("simulated"),
            start_new_session=True,
        )
        assert self._simulated.stdin is not None
        self._simulated.stdin.write(msgspec.json.encode(Wanted(url, list(keys), str(folder), count, seed)) + b"\n")
        self._simulated.stdin.flush()

    def wait_for_simulated(self) -> None:
        """Return when every simulated device runs. Raises MusterError if they do not come up."""
        if self._simulated is None or self._simulated.stdout is None:
            return
        if self._simulated.stdout.readline().strip() != b"ready":
            raise MusterError(
                "The simulated devices did not start.", f"{self._logs / 'simulated.log'} says why.", "simulated"
            )

    def stop(self) -> None:
        """End all children."""
        if self._agent is not None and self._agent.poll() is None:
            self._agent.send_signal(signal.SIGTERM)
        if self._simulated is not None and self._simulated.stdin is not None:
            self._simulated.stdin.close()  # which it takes as the word to stop
        for child in filter(None, (self._agent, self._simulated)):
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if self._simulated is not None and self._simulated.stdout is not None:
            self._simulated.stdout.close()
        for file in self._files:
            file.close()

    def _log(self, name: str) -> IO[bytes]:
        file = (self._logs / f"{name}.log").open("ab")
        self._files.append(file)
        return file


def _agent() -> list[str]:
    return [sys.executable, "-m", "agent"]
