"""Jobs for the tests of the runner: a script with its declared outputs, run in a folder of the test's own.

Comes in: the text of a script. Goes out: how it ended. Invariant: no test reaches outside its folder, and every
run has a deadline of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event

from agent import wire
from agent.accounts import Accounts
from agent.clock import SteadyClock
from agent.orders import Job
from agent.runner import Ended, ProcessRunner

ALL_TYPES = {
    "s": "string", "b": "bool", "u": "uint32", "f": "float", "z": "size", "r": "ratio",
    "p": "bitrate", "d": "date_time", "t": "duration", "l": "string_list",
}  # fmt: skip


def job(
    text: str,
    *,
    language: str = "bash",
    timeout: int = 20,
    outputs: Mapping[str, str] = ALL_TYPES,
    inputs: Mapping[str, str] | None = None,
) -> Job:
    """A job of one script."""
    script = wire.Script(language, text)
    declared = tuple(wire.Output(name, kind) for name, kind in outputs.items())
    content = wire.Content({"linux": script}, timeout, outputs=declared)
    return Job("run", 1, "nonce", "#test", 1 << 60, content, script, dict(inputs or {}))


def run(
    folder: Path, work: Job, *, started: Callable[[int], None] = lambda at: None, cancelled: Event | None = None
) -> Ended:
    """Run a job in this thread."""
    return ProcessRunner(folder / "runs", SteadyClock(), Accounts()).run(work, started, cancelled or Event())
