"""The public Python client, unmodified, over plain HTTP: every call that it has and that this portal serves.

Comes in: a portal behind a real socket. Goes out: what the client made of its answers, as its own types. Invariant: the
client and what it brings lie in a folder and run in a process of their own: the product never sees them.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from nql.catalog.configured import CustomField
from tests.portal.conftest import API, MANIFEST, House, Play
from tests.portal.modern.scenes import credential, served

pytestmark = pytest.mark.slow
CLIENTS = Path(sys.prefix) / "clients"  # what requirements/clients.txt locks
CALLS = Path(__file__).with_name("python_client.py")


def test_every_call_that_is_served_and_what_is_refused(play: Play) -> None:
    async def scene(house: House) -> None:
        one, two = house.enrol(1), house.enrol(2)
        ann = await house.program()
        await ann.post(f"{API}/actions", json=MANIFEST)
        text = "devices | where name = $name | list name, first_seen | sort name asc"
        await ann.put(f"{API}/saved-queries/named", json={"name": "Named", "text": text})
        room = [CustomField("device.devices", "room")]
        house.portal.control.configured.declare(room, by="portal", now=house.time.now)
        house.portal.catalogs.refresh()
        await house.settle()
        pair = await credential(house, ann, limits={"nql_per_second": 100})
        facts = {"one": one.uid, "two": two.uid, "collector": one.collector_uid, "id": pair[0], "secret": pair[1]}
        async with served(house) as address:
            client = await asyncio.create_subprocess_exec(
                sys.executable, CALLS, address, json.dumps(facts),
                env={"PYTHONPATH": str(CLIENTS)}, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            _, wrong = await client.communicate()
        assert client.returncode == 0, wrong.decode()

    play(scene)
