"""When to talk to the portal again: a line of talk with its pauses, as a value.

In: what happened and when. Out: the line afterwards. Invariants: pauses grow by two with each failure, up to
`LONGEST`, and are spread so that a fleet does not come back at once: by half of themselves, and over all of a window
where a whole fleet fails in one instant; the spread follows from the device and the count, so that the same history
gives the same times.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b

SECOND = 1_000_000
FIRST = SECOND
LONGEST = 60 * SECOND
WINDOW, WIDEST = 10 * SECOND, 30 * SECOND  # over which a fleet comes back after its first failure, and at last
SOONEST = SECOND // 4


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of talk: whether it is under way, whether there is need of it, and the instant before which it does not
    begin."""

    name: str
    busy: bool = False
    at: int = 0
    failures: int = 0
    wanted: bool = False

    def due(self, now: int) -> bool:
        """Whether it is wanted and may begin."""
        return self.wanted and not self.busy and self.at <= now

    def want(self, now: int) -> Line:
        """There is need of it, as soon as it is not under way."""
        return replace(self, wanted=True, at=self.at if self.busy else now)

    def begin(self) -> Line:
        """It is under way."""
        return replace(self, busy=True, wanted=False)

    def done(self, at: int = 0) -> Line:
        """It went well; the next not before `at`."""
        return Line(self.name, at=at, wanted=self.wanted)

    def failed(self, now: int, device: str, pause: int = 0) -> Line:
        """It failed; the next after the pause, or the one the portal asked for if that is longer."""
        grown = min(FIRST << min(self.failures, 16), LONGEST)
        wait = max(pause, round(grown * (0.5 + spread(device, self.name, self.failures))))
        return Line(self.name, at=now + wait, failures=self.failures + 1, wanted=True)

    def scattered(self, now: int, device: str, pause: int = 0) -> Line:
        """It failed for all devices at once; the next anywhere in a window that grows, after the pause that the portal
        asked for."""
        window = min(WINDOW << min(self.failures, 16), WIDEST)
        wait = pause + SOONEST + round(window * spread(device, self.name, self.failures))
        return Line(self.name, at=now + wait, failures=self.failures + 1, wanted=True)


def spread(*parts: str | int) -> float:
    """A number in [0, 1) that follows from the parts."""
    digest = blake2b("\0".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / (1 << 64)
