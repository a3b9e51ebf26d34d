"""Credentials of both kinds, on plain values: programs with a role of their own, and those for the APIs that other
people's clients speak, which act for an account.

In: a caller, what is asked for. Out: credentials, and once their secrets. Invariants: a person makes, rotates and
revokes what acts for it; only who administers does so for others, makes programs and sets limits; to all others a
credential is as if it were not there.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import structs

from portal.access import credential_messages as m
from portal.caller import Caller, Permission
from portal.errors import ApiError
from portal.threads import Threads
from storage.control.accounts import PERSON, Account
from storage.control.api import Control
from storage.control.api_credentials import ApiCredential, NewApiCredential
from storage.control.credentials import Credential
from storage.control.errors import NotFoundError

SECOND = 1_000_000


class CredentialBook:
    """The slice of credentials."""

    def __init__(self, control: Control, threads: Threads, clock: Callable[[], int]) -> None:
        self._control = control
        self._threads = threads
        self._clock = clock

    async def everything(self, caller: Caller) -> list[Credential | ApiCredential]:
        """All credentials by name; for who does not administer those that act for it."""
        whole = caller.may(Permission.ADMINISTER)
        of = None if whole else caller.account.id
        found: list[Credential | ApiCredential] = []
        found += await self._threads.control(self._control.credentials.everything) if whole else []
        found += await self._threads.control(self._control.api_credentials.everything, of)
        return sorted(found, key=lambda one: (one.account.name if isinstance(one, Credential) else one.name).casefold())

    async def create(self, caller: Caller, new: m.NewCredential) -> tuple[Credential | ApiCredential, str]:
        """Make a credential: what may be shown, and its secret. Raises ApiError, ConflictError, NotFoundError,
        RefusedError."""
        now = self._clock()
        expires_at = None if new.expires_in is None else now + new.expires_in * SECOND
        if (new.role is None) == (new.allow is None):
            raise ApiError(422, "bad_credential", "A credential has either a role or the APIs that it may use.")
        if new.role is not None:
            _administer(caller)
            if new.account is not None:
                raise ApiError(422, "bad_credential", "A credential with a role acts for itself.", "Leave out account.")
            program = self._control.credentials.create
            return await self._threads.control(
                program, new.name, new.role, expires_at=expires_at, by=caller.actor, now=now
            )
        account = await self._acts_for(caller, new.account)
        limits = {name: value for name, value in structs.asdict(new.limits).items() if value is not None}
        wanted = NewApiCredential(new.name, frozenset(new.allow or ()), new.description, expires_at, limits)
        create = self._control.api_credentials.create
        return await self._threads.control(create, account, wanted, by=caller.actor, now=now)

    async def rotate(self, caller: Caller, name: str, keep: int) -> tuple[ApiCredential, str]:
        """Give a credential a new secret. Raises NotFoundError."""
        await self._mine(caller, name)
        now = self._clock()
        rotate = self._control.api_credentials.rotate
        return await self._threads.control(rotate, name, keep_until=now + keep * SECOND, by=caller.actor, now=now)

    async def set_limits(self, caller: Caller, name: str, limits: m.Limits) -> ApiCredential:
        """Say how often a credential may ask. Raises NotFoundError."""
        own = {limit: value for limit, value in structs.asdict(limits).items() if value is not None}
        change = self._control.api_credentials.set_limits
        return await self._threads.control(change, name, own, by=caller.actor, now=self._clock())

    async def revoke(self, caller: Caller, name: str) -> None:
        """Make a credential worthless. Raises NotFoundError."""
        now, by = self._clock(), caller.actor
        try:
            await self._mine(caller, name)
        except NotFoundError:
            if not caller.may(Permission.ADMINISTER):
                raise
            await self._threads.control(self._control.credentials.revoke, name, by=by, now=now)
        else:
            await self._threads.control(self._control.api_credentials.revoke, name, by=by, now=now)

    async def _mine(self, caller: Caller, name: str) -> None:
        """Raises NotFoundError for a credential that is not the caller's to change."""
        one = await self._threads.control(self._control.api_credentials.named, name)
        if one.account != caller.name and not caller.may(Permission.ADMINISTER):
            raise NotFoundError("unknown_credential", f"there is no credential {name}, or it is revoked")

    async def _acts_for(self, caller: Caller, name: str | None) -> Account:
        if name is None or name.casefold() == caller.name.casefold():
            if caller.account.kind != PERSON:
                raise ApiError(422, "program_account", "A program makes no credentials; a person makes them.")
            return caller.account
        _administer(caller)
        found = await self._threads.control(self._control.accounts.living, name)
        if found is None:
            raise NotFoundError("unknown_account", f"there is no account {name}, or it is disabled")
        return found


def _administer(caller: Caller) -> None:
    if not caller.may(Permission.ADMINISTER):
        raise ApiError(
            403, "forbidden", "Your account lacks the permission administer.", "Ask an administrator for it."
        )
