"""What tests of the classic APIs share: a client with a name and a password, and two sites with a device each."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from storage.control.enrolment import Device
from tests.portal.conftest import API, MANIFEST, PASSWORD, House

CLASSIC = ("query", "execute", "api")


async def basic(house: House, name: str = "carl", permissions: tuple[str, ...] = CLASSIC) -> httpx.AsyncClient:
    """A client as the other product's clients are: a name and a password, and nothing kept between requests."""
    house.account(name, permissions)
    client = await house.client()
    client.auth = httpx.BasicAuth(name, PASSWORD)
    return client


@dataclass(frozen=True)
class World:
    """Two sites, `default` and `Lyon`, a device in each, an action."""

    here: Device
    there: Device
    default: str
    lyon: str
    action: str


async def world(house: House) -> World:
    """Make it."""
    ann = await house.program()
    lyon = {"name": "Lyon", "address": "lyon.example.net", "port": 1671, "zone": "Europe/Paris"}
    await ann.post(f"{API}/sites", json=lyon)
    made = await ann.post(f"{API}/actions", json=MANIFEST)
    assert made.status_code < 300, made.text
    here, there = house.enrol(1), house.enrol(2)
    await ann.post(f"{API}/sites/Lyon/devices", json={"devices": [there.uid]})
    await house.settle()
    uids = {site.name: site.id for site in house.portal.control.sites.everyone()}
    action = house.portal.control.actions.action("#clear_cache").uid
    return World(here, there, uids["default"], uids["Lyon"], action)
