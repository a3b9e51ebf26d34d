"""Sign-in, tokens, accounts and enrolment keys, on plain values.

In: names, passwords, secrets, a caller. Out: callers, sessions, what may be shown. Invariants: a wrong name and a
wrong password are told apart neither by the answer nor by its time; guessing is slowed down by account and by
address; disabling an account or changing its password ends its sessions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import structlog
from msgspec import UNSET

from portal.access.messages import AccountChange, NewAccount
from portal.access.passwords import Passwords
from portal.access.throttle import Throttle
from portal.caller import Caller
from portal.errors import ApiError
from portal.threads import Threads
from storage.control.accounts import Account
from storage.control.api import Control
from storage.control.audit import Entry, Verified
from storage.control.enrolment import EnrolKey
from storage.control.ids import is_uuid
from storage.control.sessions import Session
from storage.control.tokens import Token

SECOND = 1_000_000
OWN_API = "muster"  # our own interface, among those that a credential may use
ADDRESS_FREE, NAME_FREE = 20, 5  # failures that cost nothing
TURNS, MOST_WAITING = 4, 2000  # passwords that are looked at at once, and that wait for it
Fits = Callable[[str, str | None], bool]
log = structlog.get_logger("access")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session and the token for its cookie."""

    token: str
    session: Session


class Access:
    """The access slice."""

    def __init__(self, control: Control, threads: Threads, passwords: Passwords, clock: Callable[[], int]) -> None:
        self._control = control
        self._threads = threads
        self._passwords = passwords
        self._clock = clock
        self._addresses = Throttle(ADDRESS_FREE)
        self._names = Throttle(NAME_FREE)
        self._turns = asyncio.Semaphore(TURNS)
        self._waiting = 0

    async def sign_in(self, name: str, password: str, address: str) -> SignedIn:
        """A session for a name and password. Raises ApiError 401, or 429 when it was tried too often."""
        account = await self._proven(name, password, address, self._passwords.fits)
        token, session = await self._threads.control(self._control.sessions.open, account, now=self._clock())
        return SignedIn(token, session)

    async def by_password(self, name: str, password: str, address: str) -> Caller:
        """The caller of a name and password that come with each request. Raises as `sign_in`."""
        return Caller(await self._proven(name, password, address, self._passwords.fits_again))

    async def _proven(self, name: str, password: str, address: str, fits: Fits) -> Account:
        """The account of a name and password, in turn: however many come at once, a few threads hash, and whoever
        waited is told to wait longer where the others were wrong."""
        if self._waiting >= MOST_WAITING:
            raise ApiError(503, "busy", "Too many sign in at once.", "Try again.", headers={"Retry-After": "5"})
        self._waiting += 1
        try:
            async with self._turns:
                return await self._checked(name, password, address, fits)
        finally:
            self._waiting -= 1

    async def _checked(self, name: str, password: str, address: str, fits: Fits) -> Account:
        now, pair = self._clock(), f"{name.casefold()} {address}"
        self._check_wait(max(self._addresses.wait(address, now=now), self._names.wait(pair, now=now)))
        found = await self._threads.control(self._control.accounts.by_name, name)
        if not await self._threads.control(fits, password, found and found[1]) or found is None:
            self._addresses.failed(address, now=now)
            self._names.failed(pair, now=now)
            log.warning("sign_in_refused", address=address)
            raise ApiError(401, "wrong_password", "The name or the password is wrong.")
        self._names.succeeded(pair)
        return found[0]

    def _check_wait(self, wait: int) -> None:
        if wait:
            seconds = -(-wait // SECOND)
            headers = {"Retry-After": str(seconds)}
            raise ApiError(429, "too_many_tries", f"Too many tries. Wait {seconds} s, then try again.", headers=headers)

    async def sign_out(self, token: str) -> None:
        """End a session."""
        await self._threads.control(self._control.sessions.end, token, now=self._clock())

    async def by_cookie(self, token: str) -> Caller | None:
        """The caller of a session's token, None if it ended."""
        session = await self._threads.control(self._control.sessions.find, token, now=self._clock())
        return None if session is None else Caller(session.account, session)

    async def by_token(self, secret: str) -> Caller | None:
        """The caller of an API token, None if it is none."""
        account = await self._threads.control(self._control.tokens.find, secret, now=self._clock())
        return None if account is None else Caller(account)

    async def by_credential(self, identifier: str) -> Caller | None:
        """The caller for whom a credential (by its id) acts now, None if it is worth nothing. Raises ApiError 403 where
        it is not for this interface."""
        find = self._control.api_credentials.living
        found = await self._threads.control(find, identifier, now=self._clock())
        if found is None:
            return None
        credential, account = found
        if OWN_API not in credential.apis:
            message = f"The credential {credential.name} does not allow the API {OWN_API}."
            raise ApiError(403, "forbidden", message, "Make another one that allows it.")
        return Caller(account, credential=credential.name)

    async def by_account(self, identifier: str) -> Caller | None:
        """The caller that an account (by its id) is now, for what it owns and what runs by itself; None if it is
        disabled."""
        account = await self._threads.control(self._control.accounts.by_id, identifier)
        return None if account is None else Caller(account)

    async def create_account(self, caller: Caller, new: NewAccount) -> Account:
        """Make a local account. Raises ConflictError, NotFoundError, ApiError 422 for a zone that is none."""
        check_zone(new.zone)
        hashed = await self._threads.control(self._passwords.hash, new.password)
        create = self._control.accounts.create
        return await self._threads.control(
            create, new.name, hashed, new.permissions, new.zone, role=new.role, by=caller.actor, now=self._clock()
        )

    async def change_account(self, caller: Caller, name: str, change: AccountChange) -> Account:
        """Give an account a role, or other permissions of its own. Raises NotFoundError, RefusedError."""
        accounts, now = self._control.accounts, self._clock()
        found = await self._threads.control(accounts.account, name)
        if change.permissions is not UNSET:
            await self._threads.control(accounts.set_permissions, name, change.permissions, by=caller.actor, now=now)
        if change.role is not UNSET:
            await self._threads.control(accounts.set_role, name, change.role, by=caller.actor, now=now)
        return await self._threads.control(accounts.account, found.name)

    async def set_password(self, caller: Caller, name: str, password: str) -> None:
        """Give a person a new password; all its sessions end. Raises NotFoundError."""
        hashed = await self._threads.control(self._passwords.hash, password)
        await self._threads.control(self._set_password, name, hashed, caller.actor, self._clock())

    async def change_password(self, caller: Caller, current: str, password: str) -> None:
        """Change one's own password; all one's sessions end. Raises ApiError 403 for a wrong one, 429 when it was tried
        too often."""
        now, key = self._clock(), f"{caller.name.casefold()} own"
        self._check_wait(self._names.wait(key, now=now))
        found = await self._threads.control(self._control.accounts.by_name, caller.name)
        if not await self._threads.control(self._passwords.fits, current, found and found[1]) or found is None:
            self._names.failed(key, now=now)
            raise ApiError(403, "wrong_password", "The current password is wrong.")
        self._names.succeeded(key)
        await self.set_password(caller, caller.name, password)

    def _set_password(self, name: str, hashed: str, by: str, now: int) -> None:
        account = self._control.accounts.account(name)
        self._control.accounts.set_password(account.name, hashed, by=by, now=now)
        self._control.sessions.end_all(account.id, by=by, now=now)

    async def accounts(self) -> list[Account]:
        """All accounts."""
        return await self._threads.control(self._control.accounts.everyone)

    async def disable_account(self, caller: Caller, name: str) -> None:
        """Close an account, but not one's own. Raises NotFoundError."""
        if name.casefold() == caller.name.casefold():
            raise ApiError(422, "own_account", "You cannot disable your own account.")
        await self._threads.control(self._control.accounts.disable, name, by=caller.actor, now=self._clock())

    async def create_token(self, caller: Caller, name: str) -> tuple[Token, str]:
        """Make a token for oneself."""
        create = self._control.tokens.create
        return await self._threads.control(create, caller.account, name, by=caller.actor, now=self._clock())

    async def tokens(self, caller: Caller) -> list[Token]:
        """One's own tokens."""
        return await self._threads.control(self._control.tokens.of, caller.account)

    async def revoke_token(self, caller: Caller, identifier: str) -> None:
        """Revoke one of one's own tokens. Raises NotFoundError."""
        revoke = self._control.tokens.revoke
        await self._threads.control(revoke, caller.account, identifier, by=caller.actor, now=self._clock())

    async def create_enrol_keys(
        self,
        caller: Caller,
        count: int,
        *,
        simulated: bool,
        expires_in: int,
        devices: Sequence[str] | None,
        site: str | None = None,
    ) -> tuple[list[str], int]:
        """Make enrolment keys: their secrets and when they expire. Fixed uids are for simulated devices alone.
        Raises NotFoundError for the site."""
        if devices is not None and not (simulated and len(set(devices)) == count and all(map(is_uuid, devices))):
            message = "devices gives one distinct uid for each key, and for simulated devices only."
            raise ApiError(422, "bad_devices", message)
        now = self._clock()
        expires_at = now + expires_in * SECOND
        create = self._control.enrolment.create_enrol_keys
        made = await self._threads.control(
            create,
            count,
            simulated=simulated,
            expires_at=expires_at,
            by=caller.actor,
            now=now,
            devices=devices,
            site=site,
        )
        return [secret for _, secret in made], expires_at

    async def enrol_keys(self) -> list[EnrolKey]:
        """The newest keys."""
        return await self._threads.control(self._control.enrolment.enrol_keys)

    async def verify_audit(self) -> Verified:
        """Look at the whole audit log."""
        return await self._threads.query(self._control.audit.verify)

    async def audit(self, limit: int, before: int | None, subject: str | None) -> list[Entry]:
        """The audit log, newest first."""
        return await self._threads.control(self._control.audit.latest, limit, before=before, subject=subject)


def check_zone(zone: str) -> None:
    """Raises ApiError 422 for a name that is no time zone."""
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, LookupError):
        raise ApiError(
            422, "unknown_zone", f"There is no time zone {zone[:64]!r}.", "Use a name such as Europe/Zurich."
        ) from None
