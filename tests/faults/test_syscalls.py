"""A sample of the system calls that fail one by one; `python -m tests.faults.syscalls` is all of them.

`MUSTER_FAULT_CALLS` says how many (100 unless told). It is a program of its own because its children are forks, which
must come from a process without threads.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.faults.processes import ROOT

CALLS = os.environ.get("MUSTER_FAULT_CALLS", "100")


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_system_calls_fail(capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which("strace") is None and not os.environ.get("CI"):
        pytest.skip("strace is not installed")
    command = [sys.executable, "-m", "tests.faults.syscalls", "--count", CALLS]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    with capsys.disabled():
        print(f"\n{done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ''}")
    assert done.returncode == 0, done.stdout + done.stderr
