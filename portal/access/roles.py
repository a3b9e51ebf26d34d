"""Roles, on plain values.

In: a caller who administers, roles as they shall be, names. Out: roles. Invariants: a view domain is
saved only if it means something today; a role names actions that there are; a change counts with the next request of
whoever holds the role.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable

from portal.access.role_messages import RolePut
from portal.caller import Caller
from portal.errors import ApiError
from portal.threads import Threads
from storage.control.api import Control
from storage.control.roles import Rights, Role

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*( [A-Za-z0-9._-]+)*")
NAMES = "letters, digits and . _ - or single spaces between them, at most 64 characters"
CheckDomain = Callable[[str], Awaitable[None]]


class RoleBook:
    """Who may do what. `check_domain` raises QueryError about a condition that is no view domain."""

    def __init__(self, control: Control, threads: Threads, clock: Callable[[], int], check_domain: CheckDomain) -> None:
        self._control = control
        self._threads = threads
        self._clock = clock
        self._check_domain = check_domain

    async def roles(self) -> list[Role]:
        """All roles."""
        return await self._threads.control(self._control.roles.everything)

    async def role(self, name: str) -> Role:
        """One role. Raises NotFoundError."""
        return await self._threads.control(self._control.roles.role, name)

    async def put(self, caller: Caller, name: str, new: RolePut) -> Role:
        """Make or change a role. Raises QueryError for its domain, ApiError, RefusedError."""
        if len(name) > 64 or NAME.fullmatch(name) is None:
            raise ApiError(422, "bad_name", f"A role's name has {NAMES}.")
        if new.domain is not None:
            await self._check_domain(new.domain)
        if new.actions:
            known = {action.nql_id for action in await self._threads.control(self._control.actions.everything)}
            if missing := sorted(set(new.actions) - known):
                raise ApiError(422, "unknown_action", f"There is no action {missing[0]}.", "Define it first.")
        actions = None if new.actions is None else frozenset(new.actions)
        sites = None if new.sites is None else await self._sites(new.sites)
        rights = Rights(frozenset(new.permissions), actions, new.domain, sites)
        put = self._control.roles.put
        return await self._threads.control(put, name, rights, by=caller.actor, now=self._clock())

    async def _sites(self, names: Iterable[str]) -> frozenset[str]:
        """The names of sites as they are spelled. Raises NotFoundError."""
        site = self._control.sites.site
        return frozenset([(await self._threads.control(site, name)).name for name in names])

    async def delete(self, caller: Caller, name: str) -> None:
        """Remove a role that nobody holds. Raises NotFoundError, RefusedError."""
        await self._threads.control(self._control.roles.delete, name, by=caller.actor, now=self._clock())
