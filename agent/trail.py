"""The trail of this device: a new step at each greeting, so that two machines with one identity show.

In: the state folder; what the portal says of the newest step that it saw. Out: the steps to greet with. Invariants: a
step is on the disk before the portal hears of it; a new one is made only when the portal has seen the newest, so that
answers that get lost cost none; `MOST` steps are kept, so that a portal that was set back to a backup still finds its
own among them. A copy of the folder makes steps of its own, and whoever comes with a trail that lacks the newest step
that the portal saw is a copy, or was set back. What follows from that is the portal's matter.
"""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path

import msgspec

from agent import files, statements, wire

NAME = "trail.json"
STEP_BYTES = 9


class Trail:
    """The trail of one state folder, oldest step first. One that cannot be read begins anew."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self.steps = _read(self._path)

    @property
    def newest(self) -> str:
        """The newest step, empty if there is none yet."""
        return self.steps[-1] if self.steps else ""

    def after(self, last: str) -> tuple[str, ...]:
        """The trail to greet with, when the newest step that the portal saw is `last` (its name; empty: none)."""
        if last in ("", statements.step_name(self.newest)):
            longer = (*self.steps, secrets.token_urlsafe(STEP_BYTES))[-wire.MOST_STEPS :]
            with contextlib.suppress(OSError):  # a full disk keeps nobody out: then it is the same trail once more
                files.replace(self._path, wire.encode(longer))
                self.steps = longer
        return self.steps


def _read(path: Path) -> tuple[str, ...]:
    try:
        return tuple(msgspec.json.decode(path.read_bytes(), type=wire.Steps))
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return ()
