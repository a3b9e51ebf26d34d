"""Whom a firing is for: the owner as it is now, and the devices of the query under its rights.

In: schedules that are due in one tick. Out: the owner, devices, or Unfit with what is in the way. Invariants: the
owner's rights are read anew in each tick; a query that several schedules ask under the same rights is evaluated once
in a tick; the tables are looked at as they were at one instant, at most SHARED_FOR ago.
"""

from __future__ import annotations

from collections.abc import Callable

from nql.diagnostics import QueryError
from portal.access.service import Access
from portal.caller import Caller, Permission
from portal.errors import ApiError
from portal.queries.service import Instant, Queries
from portal.threads import Threads
from storage.control.actions import Action
from storage.control.api import Control
from storage.control.errors import NotFoundError
from storage.control.plans import MOST_DEVICES
from storage.control.schedules import Schedule

SCHEDULE = "schedule"
SHARED_FOR = 15_000_000  # microseconds


class UnfitError(Exception):
    """The schedule cannot fire: the text says why."""


class Round:
    """What the firings of one tick have in common."""

    def __init__(
        self, access: Access, control: Control, queries: Queries, threads: Threads, clock: Callable[[], int]
    ) -> None:
        self._access, self._control, self._queries, self._threads = access, control, queries, threads
        self._clock = clock
        self._at: Instant | None = None
        self._owners: dict[str, Caller | None] = {}
        self._actions: dict[str, Action] = {}
        self._drafts: dict[str, bool] = {}
        self._found: dict[tuple[str, str | None], list[str] | UnfitError] = {}

    async def owner(self, schedule: Schedule) -> Caller:
        """The owner, who may run the action. Raises UnfitError."""
        if schedule.owner not in self._owners:
            self._owners[schedule.owner] = await self._access.by_account(schedule.owner)
        caller = self._owners[schedule.owner]
        if caller is None:
            raise UnfitError(f"the account of the owner {schedule.owner_name} is disabled; save the schedule anew")
        action = await self._action(schedule.definition.action)
        check_may(caller, action)
        if not schedule.definition.allow_draft and await self._draft(action):
            raise UnfitError(
                f"no trusted author signed version {action.number} of {action.nql_id}: sign it with "
                "`muster actions sign`, or allow drafts"
            )
        return caller

    async def devices(self, caller: Caller, text: str) -> list[str]:
        """The devices of a query under a caller's rights. Raises UnfitError, ApiError 503."""
        key = (text, caller.domain)
        if key not in self._found:
            self._found[key] = await self._evaluated(caller, text)
        found = self._found[key]
        if isinstance(found, UnfitError):
            raise found
        return found

    async def _draft(self, action: Action) -> bool:
        if action.nql_id not in self._drafts:
            is_draft = self._control.authors.is_draft
            self._drafts[action.nql_id] = await self._threads.control(is_draft, action.nql_id, action.version)
        return self._drafts[action.nql_id]

    async def content(self, schedule: Schedule) -> str:
        """What names the content that a local schedule goes out with; empty where its action is gone."""
        try:
            action = await self._action(schedule.definition.action)
        except NotFoundError:
            return ""
        signed = await self._threads.control(self._control.authors.signatures, action.nql_id, action.version)
        return f"{schedule.revision} {action.version} {signed[0].serial if signed else 0}"

    async def _action(self, nql_id: str) -> Action:
        if nql_id not in self._actions:
            self._actions[nql_id] = await self._threads.control(self._control.actions.action, nql_id)
        return self._actions[nql_id]

    async def _instant(self) -> Instant:
        if self._at is None or not 0 <= self._clock() - self._at.now < SHARED_FOR:
            self._at = await self._queries.instant()
        return self._at

    async def _evaluated(self, caller: Caller, text: str) -> list[str] | UnfitError:
        try:
            devices = await self._queries.meant(caller, text, MOST_DEVICES, await self._instant())
        except QueryError as error:
            return UnfitError(f"the query cannot run: {error.diagnostics[0].message}")
        except ApiError as error:
            if error.status == 503:
                raise
            return UnfitError(str(error))
        if len(devices) > MOST_DEVICES:
            return UnfitError(f"the query means more than {MOST_DEVICES} devices, the most of a run")
        return devices


def check_may(caller: Caller, action: Action) -> None:
    """Raises UnfitError where a caller may not have an action run by a schedule."""
    if not caller.may(Permission.EXECUTE):
        raise UnfitError(f"the owner {caller.name} lacks the permission execute")
    if not caller.may_run(action.nql_id):
        raise UnfitError(f"the owner {caller.name} may not run the action {action.nql_id}")
    if SCHEDULE not in action.triggers:
        raise UnfitError(f"the action {action.nql_id} does not have the trigger schedule; add it to its manifest")
