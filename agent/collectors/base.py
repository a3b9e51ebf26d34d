"""The one form of a collector: the tables it fills, the rights it needs, how often, `sample(host, now)` and
`collect(host, since, until)`.

In: a host and instants. Out: rows of catalog tables. Invariants: a collector that lacks its rights is not asked; what
one raises stops no other; `collect` tells of `[since, until)` only, and a row says nothing that the server decides.
Objects of others (users, binaries) are named by the keys made here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from agent.host.base import Account, Host
from agent.rows import Rows

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Rights(Enum):
    """What a collector needs to be allowed."""

    NONE = "none"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Names:
    """How objects of this device are called elsewhere: the device's uid makes its local accounts unique."""

    device: str

    def user(self, account: Account | str) -> str:
        """The key of an account: what the directory calls it, else the device and what the device calls it."""
        if isinstance(account, str):
            return f"{self.device}:{account}"
        return account.uid or f"{self.device}:{account.key}"


class Collector(Protocol):
    """Something that fills tables. `every` is the grid in microseconds on which it collects; with `buckets` its rows
    are buckets, whose first is cut short so that there is something to see soon; `sampled` says whether it wants
    `sample`."""

    @property
    def name(self) -> str: ...
    @property
    def tables(self) -> tuple[str, ...]: ...
    @property
    def rights(self) -> Rights: ...
    @property
    def every(self) -> int: ...
    @property
    def buckets(self) -> bool: ...

    def sample(self, host: Host, now: int) -> None:
        """Look at counters that would be lost between two collections. Cheap."""
        ...

    def collect(self, host: Host, since: int, until: int) -> Sequence[Rows]:
        """The rows of a stretch of time; inventory is as of now."""
        ...
