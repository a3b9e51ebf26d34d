"""The JSON of roles and credentials: what comes in with its bounds, and what goes out.

Data only. Invariant: a credential's secret goes out once, in the answer to the request that made it.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from portal.access.messages import AccountName, Permissions, RoleName
from storage.control.manifest import NqlId

DAY = 86_400
Condition = Annotated[str, Meta(min_length=1, max_length=4000)]


class RolePut(Struct, forbid_unknown_fields=True):
    """A role as it shall be. `actions` are those that may be run (null: all), `domain` the view domain, an NQL
    condition on devices such as `entity == "Lyon"` (null: everything)."""

    permissions: Permissions
    actions: Annotated[tuple[NqlId, ...], Meta(max_length=1000)] | None = None
    domain: Condition | None = None


class RoleInfo(Struct):
    """A role, and how many accounts hold it."""

    name: str
    permissions: list[str]
    actions: list[str] | None
    domain: str | None
    accounts: int
    updated_at: str
    updated_by: str


class RoleOne(Struct):
    """One role."""

    role: RoleInfo


class RoleList(Struct):
    """All roles."""

    roles: list[RoleInfo]


class NewCredential(Struct, forbid_unknown_fields=True):
    """A credential to make for a program; `expires_in` in seconds, null for never."""

    name: AccountName
    role: RoleName
    expires_in: Annotated[int, Meta(ge=60, le=3660 * DAY)] | None = None


class CredentialEntry(Struct):
    """A credential, without its secret."""

    name: str
    role: str | None
    permissions: list[str]
    created_at: str
    expires_at: str | None
    used_at: str | None
    revoked_at: str | None


class CredentialMade(Struct):
    """A new credential. `secret` is shown this once."""

    credential: CredentialEntry
    secret: str


class CredentialList(Struct):
    """All credentials."""

    credentials: list[CredentialEntry]
