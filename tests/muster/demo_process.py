"""A demo as its own process, small, for the tests that need connected devices.

Comes in: options of `muster demo`. Goes out: what it said and where it is. Invariant: it is stopped by a signal and
must end with 0, leaving no process behind.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from muster import folder_accounts
from tests.architecture.project import ROOT
from tests.muster.settings import environment

SMALL = ("--port", "0", "--devices", "8", "--days", "1", "--connected", "8", "--seed", "3")
LAST = "Ctrl-C stops everything."


class Demo:
    """A running demo, while the context lasts."""

    def __init__(self, data: Path, *options: str, sign: signal.Signals = signal.SIGTERM) -> None:
        command = [sys.executable, "-m", "muster", "demo", "--data", str(data), *SMALL, *options]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment())
        self.data, self._sign, self.said = data, sign, ""

    def __enter__(self) -> Demo:
        assert self.process.stdout is not None
        for line in self.process.stdout:  # it ends when the demo does, or is ready
            self.said += line
            if line.strip() == LAST:
                return self
        raise AssertionError(f"the demo ended with {self.process.wait()}:\n{self.said}")

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(self._sign)
        assert self.process.stdout is not None
        self.said += self.process.stdout.read()
        self.process.stdout.close()
        assert self.process.wait(timeout=30) == 0

    @property
    def url(self) -> str:
        """The address that it said."""
        return next(word for word in self.said.split() if word.startswith("http://"))

    def token(self) -> str:
        """A new token of its account."""
        return str(folder_accounts.create_token(self.data, "admin", "tests")["secret"])
