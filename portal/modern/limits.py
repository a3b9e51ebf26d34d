"""How often a credential may ask: so many queries a second and a day, so many exports a day.

In: a credential and the instant. Out: nothing, or a refusal that says when to try again. Invariants: the limits are
those of the documents unless the credential has its own; memory is bounded (who asked longest ago is forgotten first);
nothing a request says of itself counts. Each portal counts by itself, and from nothing after a start.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from portal.errors import ApiError
from storage.control.api_credentials import ApiCredential

SECOND, DAY = 1_000_000, 86_400_000_000
MOST_KEPT = 10_000  # credentials
BURST = 5  # queries at once, after a pause
PER_SECOND, PER_DAY = "nql_per_second", {"nql": "nql_per_day", "export": "exports_per_day"}
USUAL = {"nql_per_second": 1, "nql_per_day": 50_000, "exports_per_day": 50}


@dataclass(slots=True)
class _Use:
    day: int
    counts: dict[str, int]
    left: float  # of the burst
    since: int


class Limits:
    """Counts what credentials ask for. To be used from one event loop."""

    def __init__(self) -> None:
        self._uses: OrderedDict[str, _Use] = OrderedDict()

    def query(self, credential: ApiCredential, *, now: int) -> None:
        """A query is asked for. Raises ApiError 429."""
        rate = _limit(credential, PER_SECOND)
        most = max(BURST, rate)
        use = self._use(credential, now)
        use.left = min(most, use.left + max(0, now - use.since) * rate / SECOND)
        use.since = now
        if use.left < 1:
            wait = (1 - use.left) * SECOND / rate
            raise _refusal(f"This credential may ask {rate} queries a second.", int(wait))
        self._count(credential, use, "nql", now)
        use.left -= 1

    def export(self, credential: ApiCredential, *, now: int) -> None:
        """An export is asked for. Raises ApiError 429."""
        self._count(credential, self._use(credential, now), "export", now)

    def _count(self, credential: ApiCredential, use: _Use, what: str, now: int) -> None:
        most = _limit(credential, PER_DAY[what])
        if use.counts.get(what, 0) >= most:
            things = "queries" if what == "nql" else "exports"
            raise _refusal(f"This credential may ask for {most} {things} a day (UTC).", DAY - now % DAY)
        use.counts[what] = use.counts.get(what, 0) + 1

    def _use(self, credential: ApiCredential, now: int) -> _Use:
        use = self._uses.pop(credential.id, None)
        if use is None:
            use = _Use(now // DAY, {}, max(BURST, _limit(credential, PER_SECOND)), now)
        if use.day != now // DAY:
            use.day, use.counts = now // DAY, {}
        self._uses[credential.id] = use
        if len(self._uses) > MOST_KEPT:
            self._uses.popitem(last=False)
        return use


def _limit(credential: ApiCredential, name: str) -> int:
    return credential.limits.get(name, USUAL[name])


def _refusal(message: str, wait: int) -> ApiError:
    seconds = max(1, -(-wait // SECOND))
    return ApiError(
        429, "too_many_requests", f"{message} Try again in {seconds} s.", headers={"Retry-After": str(seconds)}
    )
