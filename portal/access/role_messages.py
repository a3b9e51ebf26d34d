"""The JSON of roles: what comes in with its bounds, and what goes out.

Data only. What a role says is checked by `roles`: its actions are known, its condition is one on devices.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from portal.access.messages import Permissions
from storage.control.manifest import NqlId

Condition = Annotated[str, Meta(min_length=1, max_length=4000)]


class RolePut(Struct, forbid_unknown_fields=True):
    """A role as it shall be. `actions` are those that may be run (null: all), `domain` the view domain, an NQL
    condition on devices such as `entity == "Lyon"` (null: everything), `sites` those whose devices are seen (null:
    all)."""

    permissions: Permissions
    actions: Annotated[tuple[NqlId, ...], Meta(max_length=1000)] | None = None
    domain: Condition | None = None
    sites: Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(min_length=1, max_length=100)] | None = None


class RoleInfo(Struct):
    """A role, and how many accounts hold it."""

    name: str
    permissions: list[str]
    actions: list[str] | None
    domain: str | None
    accounts: int
    updated_at: str
    updated_by: str
    sites: list[str] | None = None


class RoleOne(Struct):
    """One role."""

    role: RoleInfo


class RoleList(Struct):
    """All roles."""

    roles: list[RoleInfo]
