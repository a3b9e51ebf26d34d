"""The JSON of sites: what comes in with its bounds, and what goes out.

Data only. Invariant: a site's name and id never change; `status` is that of the moment.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

SiteName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)")]
Host = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$(?!\n)")]
Port = Annotated[int, Meta(ge=1, le=65_535)]
Description = Annotated[str, Meta(max_length=1000)]
Zone = Annotated[str, Meta(min_length=1, max_length=64)]
Uid = Annotated[str, Meta(min_length=1, max_length=64)]


class SiteChange(Struct, forbid_unknown_fields=True):
    """What is said of a site; what is not given stays. `address` and `port` are where clients of the classic APIs reach
    it, `zone` is its time zone (null: the zone of the instance)."""

    address: Host | UnsetType | None = UNSET
    port: Port | UnsetType | None = UNSET
    description: Description | UnsetType = UNSET
    zone: Zone | UnsetType | None = UNSET


class NewSite(SiteChange, forbid_unknown_fields=True, kw_only=True):
    """A site to make."""

    name: SiteName


class SiteAssign(Struct, forbid_unknown_fields=True):
    """The devices that belong to a site from now on."""

    devices: Annotated[list[Uid], Meta(min_length=1, max_length=1000)]


class SiteInfo(Struct):
    """A site. `uid` is what the classic APIs call its database; new devices join the `standard` one; `status` is
    CONNECTED where a process serves it, NOT_CONNECTED, or CONNECTING."""

    uid: str
    name: str
    standard: bool
    status: str
    address: str | None
    port: int | None
    description: str
    zone: str | None


class SiteOne(Struct):
    """One site."""

    site: SiteInfo


class SiteList(Struct):
    """All sites that the caller may see, the standard one first."""

    sites: list[SiteInfo]


class SiteAssigned(Struct):
    """How many devices did not belong to the site before."""

    moved: int
