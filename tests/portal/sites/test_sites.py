"""Sites over HTTP: what administrators say of them, who sees which, and how they are handed runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from portal.settings import Settings
from portal.sites.serving import Came, Serving, Standing
from portal.threads import Threads
from storage.control.api import Control, open_control
from storage.control.errors import UnavailableError
from storage.control.sites import Site
from tests.portal.conftest import API, House, Play, play_in
from tests.storage.control.conftest import NOW

pytestmark = pytest.mark.slow
LYON = {"address": "lyon.example.net", "port": 1671, "description": "the south", "zone": "Europe/Paris"}


def test_a_site_and_its_devices(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await house.program()
        here, there = house.enrol(1), house.enrol(2)
        made = (await ann.post(f"{API}/sites", json={"name": "Lyon", **LYON})).json()["site"]
        assert {name: made[name] for name in LYON} == LYON
        assert (made["status"], made["standard"]) == ("CONNECTED", False)
        cleared = await ann.patch(f"{API}/sites/lyon", json={"port": None})
        assert (cleared.json()["site"]["port"], cleared.json()["site"]["uid"]) == (None, made["uid"])
        moved = await ann.post(f"{API}/sites/LYON/devices", json={"devices": [there.uid]})
        assert moved.json() == {"moved": 1}
        await house.settle()
        told = await ann.post(f"{API}/query", json={"text": "devices | list name, site | sort name asc"})
        assert told.json()["rows"] == [["pc-1", "default"], ["pc-2", "Lyon"]]
        south = await ann.put(f"{API}/roles/south", json={"permissions": ["query"], "sites": ["lyon"]})
        assert south.json()["role"]["sites"] == ["Lyon"]
        lou = await house.program("lou", ())
        await ann.patch(f"{API}/accounts/lou", json={"role": "south"})
        assert [site["name"] for site in (await lou.get(f"{API}/sites")).json()["sites"]] == ["Lyon"]
        seen = await lou.post(f"{API}/query", json={"text": "devices | list uid"})
        assert seen.json()["rows"] == [[there.uid]]
        wider = {"permissions": ["query"], "sites": ["default"], "domain": 'name != "x" or name == "y"'}
        await ann.put(f"{API}/roles/south", json=wider)
        assert (await lou.post(f"{API}/query", json={"text": "devices | list uid"})).json()["rows"] == [[here.uid]]

    play(scene)


def test_what_is_no_site(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await house.program()
        device = house.enrol(1)
        for name, body, status in (
            ("a b", {}, 400),
            ("-x", {}, 400),
            ("x" * 65, {}, 400),
            ("x\n", {}, 400),
            ("DEFAULT", {}, 409),
            ("x", {"port": 0}, 400),
            ("x", {"port": 65_536}, 400),
            ("x", {"address": "a b"}, 400),
            ("x", {"zone": "Mars/Base"}, 422),
            ("x", {"uid": "1"}, 400),
        ):
            assert (await ann.post(f"{API}/sites", json={"name": name, **body})).status_code == status, (name, body)
        assert len((await ann.get(f"{API}/sites")).json()["sites"]) == 1
        assert (await ann.post(f"{API}/sites/x/devices", json={"devices": [device.uid]})).status_code == 404
        assert (await ann.post(f"{API}/sites/default/devices", json={"devices": ["x"]})).status_code == 404
        role = {"permissions": ["query"], "sites": ["Rome"]}
        assert (await ann.put(f"{API}/roles/r", json=role)).status_code == 404
        assert (await ann.post(f"{API}/enrol-keys", json={"site": "Rome"})).status_code == 404

    play(scene)


def test_a_portal_serves_the_sites_it_was_told_to(settings: Settings) -> None:
    async def scene(house: House) -> None:
        ann = await house.program()
        await ann.post(f"{API}/sites", json={"name": "Lyon"})
        sites = (await ann.get(f"{API}/sites")).json()["sites"]
        assert [(site["name"], site["status"]) for site in sites] == [
            ("default", "NOT_CONNECTED"),
            ("Lyon", "CONNECTED"),
        ]

    play_in(replace(settings, sites=frozenset({"lyon"})), scene)


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    opened = open_control(tmp_path / "control.db", now=NOW)
    yield opened
    opened.close()


def serving(control: Control, taken: list[str], *, names: set[str] | None = None, fails: bool = False) -> Serving:
    """One of several portals."""

    def take(run: str) -> None:
        if fails:
            raise UnavailableError("storage_full", "there is no room")
        taken.append(run)

    only = None if names is None else frozenset(names)
    return Serving(control, Threads(), lambda: NOW, take, only, alone=False)


def test_one_portal_hands_a_run_to_the_one_that_serves_the_site(control: Control) -> None:
    lyon, rome = (control.sites.create(name, {}, by="account:ann", now=NOW) for name in ("Lyon", "Rome"))

    async def scene() -> dict[str, tuple[Came, str]]:
        taken: list[str] = []
        asking, serves = serving(control, [], names={"default"}), serving(control, taken, names={"lyon"})
        full = serving(control, [], names={"rome"}, fails=True)
        begun = {site.name: stands for site, stands in (await asking.standing()).values()}
        assert begun == {
            "default": Standing.CONNECTING,
            "Lyon": Standing.NOT_CONNECTED,
            "Rome": Standing.NOT_CONNECTED,
        }
        tasks = [asyncio.create_task(one.run()) for one in (asking, serves, full)]
        async with asyncio.timeout(30):
            while [stands for _, stands in (await asking.standing()).values()] != [Standing.CONNECTED] * 3:
                await asyncio.sleep(0.02)
        came = await asking.hand("a run", [control.site, lyon, rome], 30)
        assert taken == ["a run"]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert {stands for _, stands in (await serving(control, [], names=set()).standing()).values()} == {
            Standing.NOT_CONNECTED
        }
        return came

    assert asyncio.run(scene()) == {
        control.site.id: (Came.OK, ""),
        lyon.id: (Came.OK, ""),
        rome.id: (Came.ERROR, "there is no room"),
    }


def test_who_holds_a_lease_and_says_nothing_is_waited_for_and_no_longer(control: Control) -> None:
    site: Site = control.site
    assert control.leases.acquire(site.lease, "a stopped process", now=NOW) is not None

    async def scene() -> None:
        asking = serving(control, [])
        await asking._renew()
        assert {stands for _, stands in (await asking.standing()).values()} == {Standing.CONNECTED}
        assert await asking.hand("a run", [site], 0.01) == {site.id: (Came.TIMEOUT, "")}
        assert await asking.hand("none", [], 0.01) == {}

    asyncio.run(scene())


def test_a_lease_that_is_lost_confirms_nothing(control: Control) -> None:
    site = control.site

    async def scene() -> None:
        taken: list[str] = []
        former = serving(control, taken)
        await former._renew()
        control._database.write(lambda c: c.exec_driver_sql("UPDATE leases SET until = 0"))
        assert control.leases.acquire(site.lease, "another", now=NOW) is not None
        control.sites.order("a run", [site.id], now=NOW)
        await former.look()
        assert [order.taken for order in control.sites.orders_of("a run")] == [False]
        await former.look()
        assert taken == ["a run"]  # it was told, which does no harm, and confirmed nothing

    asyncio.run(scene())


def test_a_key_for_a_site(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await house.program()
        uid = (await ann.post(f"{API}/sites", json={"name": "Lyon"})).json()["site"]["uid"]
        body: dict[str, Any] = {"site": "lyon"}
        [key] = (await ann.post(f"{API}/enrol-keys", json=body)).json()["keys"]
        enrolment = house.portal.control.enrolment
        device = enrolment.consume_enrol_key(key, b"k" * 32, b"k" * 32, "pc", now=house.time.now)
        assert device.site == uid

    play(scene)
