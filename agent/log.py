"""What the agent says while it runs: one JSON object a line on standard error.

In: a level, a sentence, plain facts. Out: a line. Invariant: no key, no input and no output of a script is ever
handed in; a broken standard error stops nothing.
"""

from __future__ import annotations

import contextlib
import sys
from datetime import UTC, datetime

from agent import wire
from agent.clock import SteadyClock

_clock = SteadyClock()


def line(level: str, text: str, **facts: str | int) -> None:
    """Say something."""
    time = datetime.fromtimestamp(_clock.now() / 1e6, UTC).isoformat(timespec="milliseconds")
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(wire.encode({"time": time, "level": level, "event": text, **facts}).decode() + "\n")
        sys.stderr.flush()
