"""The JSON of credentials: what comes in with its bounds, and what goes out.

Data only. Invariant: a secret goes out once, in the answer to the request that made it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from portal.access.messages import AccountName, RoleName

DAY = 86_400
ApiName = Literal["act", "campaigns", "data_management", "enrichment", "muster", "nql", "spark", "workflows"]
PerSecond = Annotated[int, Meta(ge=1, le=10_000)]
PerDay = Annotated[int, Meta(ge=1, le=1_000_000_000)]


class Limits(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How often a credential may ask; null is what the portal allows everybody."""

    nql_per_second: PerSecond | None = None
    nql_per_day: PerDay | None = None
    exports_per_day: PerDay | None = None


class NewCredential(Struct, forbid_unknown_fields=True):
    """A credential to make. With a `role` it is an account of its own, for our own interface. With `allow` it is for
    our own interface (`muster`) and the APIs that other people's clients speak, and acts for an account: for who asks,
    or for `account`, which needs the permission to administer. `expires_in` in seconds, null for never."""

    name: AccountName
    role: RoleName | None = None
    allow: Annotated[tuple[ApiName, ...], Meta(min_length=1, max_length=20)] | None = None
    account: AccountName | None = None
    description: Annotated[str, Meta(max_length=1000)] = ""
    limits: Limits = Limits()
    expires_in: Annotated[int, Meta(ge=60, le=3660 * DAY)] | None = None


class Rotate(Struct, forbid_unknown_fields=True):
    """For how many seconds the secret of before counts beside the new one."""

    keep: Annotated[int, Meta(ge=0, le=30 * DAY)] = DAY


class ChangeLimits(Struct, forbid_unknown_fields=True):
    """How often it may ask from now on; what is not named is as the portal allows everybody."""

    limits: Limits


class CredentialEntry(Struct):
    """A credential, without its secret. `allow` are the APIs of one that acts for an account, null for one with a role.
    Until `old_until` the secret of before counts, too."""

    name: str
    role: str | None
    permissions: list[str]
    created_at: str
    expires_at: str | None
    used_at: str | None
    revoked_at: str | None
    id: str | None = None
    allow: list[str] | None = None
    account: str | None = None
    description: str = ""
    limits: Limits | None = None
    rotated_at: str | None = None
    old_until: str | None = None


class CredentialOne(Struct):
    """One credential."""

    credential: CredentialEntry


class CredentialMade(Struct):
    """A credential with a new secret, which is shown this once."""

    credential: CredentialEntry
    secret: str


class CredentialList(Struct):
    """Credentials by name: all, or for who does not administer one's own."""

    credentials: list[CredentialEntry]
