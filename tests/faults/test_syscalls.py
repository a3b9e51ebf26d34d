"""A sample of the system calls that fail one by one; `python -m tests.faults.syscalls` is all of them.

`MUSTER_FAULT_CALLS` says how many (100 unless told). It is a program of its own because its children are forks, which
must come from a process without threads.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.faults.processes import ROOT

CALLS = os.environ.get("MUSTER_FAULT_CALLS", "100")


pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]


def program(*arguments: str) -> str:
    """What it said last. Raises AssertionError if it found something."""
    if shutil.which("strace") is None and not os.environ.get("CI"):
        pytest.skip("strace is not installed")
    command = [sys.executable, "-m", "tests.faults.syscalls", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_system_calls_fail(reached: Callable[[str], None]) -> None:
    said = program("--count", CALLS)
    reached(said)
    assert said == f"system calls: {CALLS} reached, 0 failed"


def test_a_planted_fault_is_found() -> None:
    assert program("--planted").startswith("found: Case(story='planted'")
