"""The JSON of the access routes: what comes in with its bounds, and what goes out.

Data only. Invariant: a secret goes out once, in the answer to the request that made it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Micros = int
AccountName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$(?!\n)")]
Zone = Annotated[str, Meta(max_length=64)]
PermissionName = Literal["query", "execute", "manage", "administer", "import", "api"]
Label = Annotated[str, Meta(min_length=1, max_length=100)]
Password = Annotated[str, Meta(min_length=10, max_length=256)]
Permissions = Annotated[tuple[PermissionName, ...], Meta(max_length=6)]
RoleName = Annotated[str, Meta(min_length=1, max_length=64)]


class SignIn(Struct, forbid_unknown_fields=True):
    """A local account's name and password."""

    name: Annotated[str, Meta(max_length=64)]
    password: Annotated[str, Meta(max_length=256)]


class AccountInfo(Struct):
    """An account as it is shown, with the rights that count now: those of its role, if it has one. `bounded` says that
    it sees a part of the estate alone; `actions` are those it may run, null for all."""

    name: str
    zone: str
    permissions: list[str]
    role: str | None = None
    bounded: bool = False
    actions: list[str] | None = None


class SessionInfo(Struct):
    """Who is signed in; `csrf` goes into the header X-Muster-CSRF of requests that change something."""

    account: AccountInfo
    csrf: str


class NewAccount(Struct, forbid_unknown_fields=True):
    """An account to make. With a role, that says what it may do, and `permissions` counts when it has none."""

    name: AccountName
    password: Password
    permissions: Permissions = ("query", "execute", "manage")
    zone: Zone = "UTC"
    role: RoleName | None = None


class AccountChange(Struct, forbid_unknown_fields=True):
    """What changes of an account: its role (null: none), or the permissions that count without one."""

    role: RoleName | UnsetType | None = UNSET
    permissions: Permissions | UnsetType = UNSET


class NewPassword(Struct, forbid_unknown_fields=True):
    """A new password for an account."""

    password: Password


class OwnPassword(Struct, forbid_unknown_fields=True):
    """A new password for oneself."""

    current: Annotated[str, Meta(max_length=256)]
    password: Password


class AccountEntry(Struct):
    """An account in the list."""

    name: str
    zone: str
    permissions: list[str]
    created_at: str
    disabled_at: str | None
    role: str | None = None
    kind: str = "person"


class AccountList(Struct):
    """All accounts."""

    accounts: list[AccountEntry]


class NewToken(Struct, forbid_unknown_fields=True):
    """A token to make, by a name that tells its owner what it is for."""

    name: Label


class TokenEntry(Struct):
    """A token, without its secret."""

    id: str
    name: str
    created_at: str
    used_at: str | None
    revoked_at: str | None


class TokenMade(Struct):
    """A new token. `secret` is shown this once."""

    token: TokenEntry
    secret: str


class TokenList(Struct):
    """One's own tokens."""

    tokens: list[TokenEntry]


class NewEnrolKeys(Struct, forbid_unknown_fields=True):
    """Enrolment keys to make; `expires_in` in seconds. `devices` fixes, for simulated ones only, the uid each key's
    device gets, `site` names the site they join (null: the standard one)."""

    count: Annotated[int, Meta(ge=1, le=10_000)] = 1
    simulated: bool = False
    expires_in: Annotated[int, Meta(ge=60, le=30 * 86_400)] = 86_400
    devices: Annotated[list[Annotated[str, Meta(pattern=r"^[0-9a-f-]{36}$(?!\n)")]], Meta(max_length=10_000)] | None = (
        None
    )
    site: Annotated[str, Meta(min_length=1, max_length=64)] | None = None


class EnrolKeyEntry(Struct):
    """An enrolment key, without its secret."""

    id: str
    simulated: bool
    created_by: str
    created_at: str
    expires_at: str
    used_at: str | None
    used_by: str | None


class EnrolKeysMade(Struct):
    """New keys. They are shown this once."""

    keys: list[str]
    expires_at: str


class EnrolKeyList(Struct):
    """The newest keys."""

    keys: list[EnrolKeyEntry]


class AuditEntry(Struct):
    """One entry of the audit log; in which request it was made, and by which credential of its account, if that is
    known."""

    sequence: int
    time: str
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    request: str | None = None
    credential: str | None = None


class AuditList(Struct):
    """Entries, newest first."""

    entries: list[AuditEntry]


class AuditVerified(Struct):
    """Whether the audit log is as it was written. `unhashed` entries are older than the chain; `broken` is the sequence
    of the first entry that does not fit; `head` is the newest hash, to be kept elsewhere; `blanked` counts entries out
    of which erasures took words, for which a later entry vouches."""

    whole: bool
    entries: int
    unhashed: int
    last: int
    head: str
    broken: int | None
    reason: str
    blanked: int
