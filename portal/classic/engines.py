"""List Engines: the sites as clients of the classic APIs know them.

In: a caller and the address it asked under. Out: one entry a site that the caller may use. Invariant: the keys are
those of the other product, `databaseUID` with its capitals among them; a site of which no address is known answers
where this portal was asked.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from portal.caller import Caller
from portal.sites.routes import sees
from portal.sites.serving import Serving, Standing
from storage.control.sites import Site

PORTS = {"http": 80, "https": 443}


async def listed(
    request: Request, caller: Caller, serving: Serving, *, zone: str, version: str
) -> list[dict[str, Any]]:
    """The sites, the standard one first."""
    host, port = asked_under(request)
    standing = (await serving.standing()).values()
    return [_entry(site, stands, host, port, zone, version) for site, stands in standing if sees(caller, site)]


def asked_under(request: Request) -> tuple[str, int]:
    """The host and port of the address that was asked."""
    return (request.url.hostname or "").lower(), request.url.port or PORTS.get(request.url.scheme, 443)


def _entry(site: Site, stands: Standing, host: str, port: int, zone: str, version: str) -> dict[str, Any]:
    return {
        "name": site.name,
        "databaseUID": site.id,
        "machineID": site.machine,
        "description": site.description,
        "status": stands.value,
        "address": site.address or host,
        "port": site.port or port,
        "timezone": site.zone or zone,
        "version": version,
    }
