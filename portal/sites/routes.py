"""The routes of sites: decode, call, encode.

In: requests of people who administer, and of those who may look. Out: messages. Invariant: a caller who is bound to
sites is told of these alone.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET

from portal.access.service import check_zone
from portal.caller import Caller, Permission
from portal.endpoints import Asked, Endpoint
from portal.sites import messages as m
from portal.sites.serving import Serving, Standing
from storage.control.sites import Site

SAID = ("address", "port", "description", "zone")


def endpoints(serving: Serving) -> list[Endpoint]:
    """The slice's part of the route list."""
    routes = _Routes(serving)
    return [
        Endpoint(
            "GET", "/sites", routes.sites, "The sites, and which are served.", Permission.QUERY, answer=m.SiteList
        ),
        Endpoint(
            "POST",
            "/sites",
            routes.create,
            "Make a site.",
            Permission.ADMINISTER,
            body=m.NewSite,
            answer=m.SiteOne,
            status=201,
        ),
        Endpoint(
            "PATCH",
            "/sites/{name}",
            routes.change,
            "Change what is said of a site.",
            Permission.ADMINISTER,
            body=m.SiteChange,
            answer=m.SiteOne,
        ),
        Endpoint(
            "POST",
            "/sites/{name}/devices",
            routes.assign,
            "Have devices belong to a site.",
            Permission.ADMINISTER,
            body=m.SiteAssign,
            answer=m.SiteAssigned,
        ),
    ]


class _Routes:
    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def sites(self, asked: Asked) -> m.SiteList:
        standing = (await self._serving.standing()).values()
        return m.SiteList([_shown(site, stands) for site, stands in standing if sees(asked.caller, site)])

    async def create(self, asked: Asked) -> m.SiteOne:
        return await self._said(asked, asked.body.name, self._serving.control.sites.create)

    async def change(self, asked: Asked) -> m.SiteOne:
        return await self._said(asked, asked.path("name"), self._serving.control.sites.change)

    async def _said(self, asked: Asked, name: str, keep: Callable[..., Site]) -> m.SiteOne:
        said = {key: value for key in SAID if (value := getattr(asked.body, key)) is not UNSET}
        if isinstance(said.get("zone"), str):
            check_zone(said["zone"])
        made = await self._serving.threads.control(keep, name, said, by=asked.caller.actor, now=asked.now)
        site, stands = (await self._serving.standing())[made.id]
        return m.SiteOne(_shown(site, stands))

    async def assign(self, asked: Asked) -> m.SiteAssigned:
        assign, wanted = self._serving.control.enrolment.assign, set(asked.body.devices)
        by = asked.caller.actor
        return m.SiteAssigned(
            await self._serving.threads.control(assign, wanted, asked.path("name"), by=by, now=asked.now)
        )


def sees(caller: Caller, site: Site) -> bool:
    """Whether a caller may use a site."""
    return caller.sites is None or site.name in caller.sites


def _shown(site: Site, stands: Standing) -> m.SiteInfo:
    said = (site.address, site.port, site.description, site.zone)
    return m.SiteInfo(site.id, site.name, site.standard, stands.value, *said)
