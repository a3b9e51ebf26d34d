"""The public Python client, unmodified: every call that it has, over plain HTTP and over TLS through a proxy.

Comes in: a portal behind a real socket. Goes out: what the client made of its answers, as its own types. Invariant: the
client and what it brings lie in a folder and run in a process of their own: the product never sees them.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nql.catalog.configured import CustomField
from portal.settings import LOOPBACK, Settings
from tests.certificates import Authority
from tests.portal.campaigns.scenes import asked
from tests.portal.conftest import API, MANIFEST, House, Play, play_in
from tests.portal.modern.proxy import proxied
from tests.portal.modern.scenes import credential, served
from tests.portal.workflows.scenes import listens

pytestmark = pytest.mark.slow
CLIENTS = Path(sys.prefix) / "clients"  # what requirements/clients.txt locks
CALLS = Path(__file__).with_name("python_client.py")
HOSTS = ("acme.api.eu.nexthink.cloud", "acme-login.eu.nexthink.cloud")


async def ready(house: House) -> dict[str, str]:
    """What the calls are about, and a credential for them."""
    one, two = house.enrol(1), house.enrol(2)
    ann = await house.program()
    await ann.post(f"{API}/actions", json=MANIFEST)
    text = "devices | where name = $name | list name, first_seen | sort name asc"
    await ann.put(f"{API}/saved-queries/named", json={"name": "Named", "text": text})
    room = [CustomField("device.devices", "room")]
    house.portal.control.configured.declare(room, by="portal", now=house.time.now)
    house.portal.catalogs.refresh()
    await house.settle()
    await asked(house)
    uuid, listening = await listens(house, ann, one.uid)
    pair = await credential(house, ann, limits={"nql_per_second": 100})
    return {
        "workflow": uuid,
        "listening": listening,
        "one": one.uid,
        "two": two.uid,
        "collector": one.collector_uid,
        "id": pair[0],
        "secret": pair[1],
    }


async def called(facts: dict[str, str], *address: str, **environment: str) -> None:
    """Run all calls in a process of their own."""
    client = await asyncio.create_subprocess_exec(
        sys.executable, CALLS, json.dumps(facts), *address,
        env={"PYTHONPATH": str(CLIENTS), **environment}, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, wrong = await client.communicate()
    assert client.returncode == 0, wrong.decode()


def test_every_call_that_is_served_and_what_is_refused(play: Play) -> None:
    async def scene(house: House) -> None:
        facts = await ready(house)
        async with served(house) as address:
            await called(facts, address)

    play(scene)


def test_the_same_over_tls_in_a_process_in_which_nothing_is_touched(settings: Settings, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own = authority.server("portal", *HOSTS)

    async def scene(house: House) -> None:
        facts = await ready(house)
        async with served(house, own) as address, proxied(int(address.rpartition(":")[2])) as proxy:
            await called(facts, https_proxy=proxy.address, REQUESTS_CA_BUNDLE=str(authority.file))
        assert proxy.asked == {f"{host}:443" for host in HOSTS}

    play_in(replace(settings, hosts=LOOPBACK | set(HOSTS), secure=True), scene)
