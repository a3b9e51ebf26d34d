"""The highest serial that an author's signature had, for each action that ran here: what is older never runs again.

In: the state folder; actions with the serial of the signature under which they are about to run. Out: a small file.
Invariant: a serial is on the disk before the script of its order starts, so that neither a restart nor a portal that
replays an old signed version makes this device go back.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from agent import files, wire
from agent.identity import IdentityError

NAME = "serials.json"


class Fence:
    """The serials of one state folder. Raises IdentityError where the file is damaged."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self.serials = _read(self._path)

    def note(self, action: str, serial: int) -> None:
        """Go no further back than this from now on. Raises OSError."""
        if serial > self.serials.get(action, 0):
            risen = {**self.serials, action: serial}
            files.replace(self._path, wire.encode(risen))
            self.serials = risen


def _read(path: Path) -> dict[str, int]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, int])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise IdentityError(f"{path} cannot be read ({error}); remove it and enroll this device again") from error
