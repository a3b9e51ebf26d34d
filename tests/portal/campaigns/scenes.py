"""People whom a portal of a test can ask: users that its tables know, each seen on a device."""

from __future__ import annotations

from typing import Any

import httpx

from storage.tables.api import Batch, Rows
from tests.portal.conftest import API, HOUR, NOW, House

COFFEE: dict[str, Any] = {
    "nql_id": "#coffee",
    "name": "Coffee",
    "title": "Coffee for {name}?",
    "questions": [
        {"label": "want", "text": "Want some?", "choices": [{"label": "yes", "text": "Yes"}]},
        {"label": "why", "text": "Why?", "kind": "text"},
    ],
    "parameters": ["name"],
}
VALUES = {"name": "you"}


async def ready(house: House) -> httpx.AsyncClient:
    """Two devices with a user each, a third user whose SID the second has too, the campaign; a client of ann's."""
    devices = house.enrol(1), house.enrol(2)
    await house.settle()
    return await asked(house, *(device.uid for device in devices))


async def asked(house: House, *devices: str) -> httpx.AsyncClient:
    """The users, of whom the first were seen at these devices, and the campaign; a client of ann's."""
    users: dict[str, list[Any]] = {
        "uid": ["u-1", "u-2", "u-3"],
        "sid": ["S-1-5-1", "1000", "1000"],
        "name": ["ada", "bob", "cy"],
    }
    count = len(devices)
    seen: dict[str, list[Any]] = {
        "start_time": [NOW - HOUR] * count,
        "end_time": [NOW] * count,
        "bucket_duration": [HOUR] * count,
        "@user": users["uid"][:count],
        "@device": list(devices),
    }
    rows = (Rows("user.users", users), *([Rows("session.events", seen)] if devices else []))
    await house.portal.tables.append(Batch("import:x", 1, "e", 1, NOW, rows))
    ann = await house.program()
    answer = await ann.post(f"{API}/campaigns", json=COFFEE)
    assert answer.status_code == 200, answer.text
    return ann


def sit(house: House, person: str, number: int = 1) -> str:
    """Have a person sit at a device; its uid."""
    [uid] = [device.uid for device in house.portal.control.enrolment.devices() if device.name == f"pc-{number}"]
    house.portal.control.people_present.told(uid, [person], now=house.time.now)
    return uid
