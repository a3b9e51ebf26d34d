"""Runs a program of ours while somebody sets its clock: `python -m tests.faults.clocked muster serve ...`.

In: the program and its arguments; the environment names a file (`MUSTER_TEST_CLOCK`) that holds by how many seconds the
wall clock is off now. Out: what the program does. Invariant: only the wall clock is set, as by an administrator or a
time server; uptime goes on. It is this entry that does it: the product has no hook.
"""

from __future__ import annotations

import os
import runpy
import sys
import time
from pathlib import Path

_time, _time_ns = time.time, time.time_ns


def offset() -> int:
    """By how many seconds the clock is off now."""
    try:
        return int(Path(os.environ["MUSTER_TEST_CLOCK"]).read_text())
    except (OSError, ValueError):
        return 0


def main() -> None:
    """Set the clock and become the program."""
    time.time = lambda: _time() + offset()
    time.time_ns = lambda: _time_ns() + offset() * 1_000_000_000
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
