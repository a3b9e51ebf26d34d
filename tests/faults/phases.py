"""Where a process stands at the moment it is killed: it is stopped, its stacks are read from outside, and then it
dies.

In: a process id. Out: the phase of its work, by the functions on its stacks. Nothing is asked of the process itself,
so the instant is as random as the caller's and the product carries no test hook. A phase is named after the guarantee
at stake: for the portal `frame`, `fsync`, `acknowledgement`; for the agent `intent`, `start`, `report`; all else is
`elsewhere`.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

SPY = Path(sys.executable).with_name("py-spy")
FRAME = re.compile(r"^\s+(?P<function>\S+) \((?P<file>[^:)]+)")

# The first rule that fits a stack names the phase: its name, part of a file's path, the functions meant (empty: all).
Rules = Sequence[tuple[str, str, frozenset[str]]]


def stacks(pid: int) -> list[list[tuple[str, str]]]:
    """The stacks of all threads, innermost frame first, as (function, file)."""
    text = subprocess.run(
        [SPY, "dump", "--nonblocking", "--pid", str(pid)], capture_output=True, text=True, check=False
    )
    found: list[list[tuple[str, str]]] = []
    for line in text.stdout.splitlines():
        if line.startswith("Thread "):
            found.append([])
        elif found and (frame := FRAME.match(line)):
            found[-1].append((frame["function"], frame["file"]))
    return found


def phase(found: list[list[tuple[str, str]]], rules: Rules) -> str:
    """The phase of the first rule that any stack fits."""
    for name, file, functions in rules:
        for stack in found:
            if any(file in at and (not functions or function in functions) for function, at in stack):
                return name
    return "elsewhere"


def kill(pid: int, rules: Rules) -> str:
    """Stop a process, see where it stands, kill it. The phase; `gone` if it had ended by itself."""
    try:
        os.kill(pid, signal.SIGSTOP)
        where = phase(stacks(pid), rules)
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return "gone"
    return where
