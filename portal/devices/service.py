"""What is known of one device; revoking it, and deciding about one whose identity two machines go by.

In: a caller and a uid. Out: what the tables and the enrolment say. Invariant: a revoked device's connections end at
once, and what it has not begun is cancelled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portal.caller import Caller
from portal.errors import ApiError
from portal.nudges import Nudges
from portal.queries.service import Queries
from portal.threads import Threads
from storage.control.api import Control
from storage.control.enrolment import Device


class Devices:
    """The devices slice."""

    def __init__(
        self, control: Control, queries: Queries, nudges: Nudges, threads: Threads, clock: Callable[[], int]
    ) -> None:
        self._control = control
        self._queries = queries
        self._nudges = nudges
        self._threads = threads
        self._clock = clock

    async def device(self, caller: Caller, uid: str) -> tuple[dict[str, Any] | None, Device | None, bool]:
        """What the tables know, what the enrolment knows, and whether it is connected. Raises ApiError 404."""
        known = await self._queries.device(caller, uid)
        enrolled = await self._threads.control(self._control.enrolment.device, uid)
        if known is None and (enrolled is None or caller.domain is not None):  # what it does not see is not there
            raise ApiError(404, "unknown_device", "There is no such device.")
        return known, enrolled, uid in self._nudges.devices

    async def cloned(self) -> list[Device]:
        """The devices that are held, as two machines were seen to go by their identity."""
        return await self._threads.control(self._control.enrolment.cloned)

    async def release(self, caller: Caller, uid: str) -> bool:
        """One machine is left: serve it again; False if it was not held. Raises NotFoundError."""
        release = self._control.enrolment.release
        return await self._threads.control(release, uid, by=caller.actor, now=self._clock())

    async def revoke(self, caller: Caller, uid: str) -> bool:
        """Close a device's identity for ever; False if it was closed already. Raises NotFoundError."""
        revoke = self._control.revoke_device
        done = await self._threads.control(revoke, uid, by=caller.actor, now=self._clock())
        self._nudges.close(uid)
        return done
