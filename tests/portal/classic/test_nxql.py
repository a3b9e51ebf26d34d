"""The NXQL Web API over HTTP: its forms, its parameters, its sites, its errors.

Comes in: two sites with a device each, and a device of which only a program told. Goes out: answers. Invariant: what is
asked of one site is never answered with a device of another.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from nql.catalog.configured import CustomField
from nql.datatypes import DataType, Kind
from tests.portal.classic.conftest import basic, world
from tests.portal.conftest import API, NOW, House, Play

pytestmark = pytest.mark.slow
QUERY = "/2/query"
NAMES = "(select (name) (from device (limit 9)))"
ALL = "(select (device_uid name total_ram last_seen) (from device) (order_by name asc))"


async def ask(client: httpx.AsyncClient, query: str = ALL, **more: Any) -> httpx.Response:
    return await client.get(QUERY, params={"query": query, **more})


async def uids(client: httpx.AsyncClient) -> set[str]:
    return {row["device_uid"] for row in (await ask(client, format="json")).json()}


async def told(house: House) -> str:
    """A device with facts, told of by a program."""
    ann = await house.program()
    uid = "00000000-0000-4000-8000-000000000009"
    columns = {"uid": [uid], "name": ["pc\t9"], "hardware.memory": [8 << 30], "operating_system.platform": ["macos"]}
    tables = [{"table": "device.devices", "columns": columns}]
    body = {"source": "test", "epoch": uid, "sequence": 1, "tables": tables}
    answer = await ann.post(f"{API}/import", json=body)
    assert answer.status_code == 200, answer.text
    return uid


def message(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.text.startswith("<html>")
    assert 'id="error_options"' in answer.text
    return answer.text.partition('id="error_message">')[2].partition("</p>")[0]


def test_the_forms(play: Play) -> None:
    async def scene(house: House) -> None:
        here, uid, carl = house.enrol(1), await told(house), await basic(house)
        await house.settle()
        csv = await ask(carl)
        assert csv.headers["content-type"] == "text/csv; charset=utf-8"
        head, first, second, end = csv.text.split("\n")
        assert (head, end) == ("device_uid\tname\ttotal_ram\tlast_seen", "")
        assert [line.split("\t")[:3] for line in (first, second)] == [
            [uid, "pc 9", "8589934592"],
            [here.uid, "pc-1", "-"],
        ]
        found = (await ask(carl, format="json")).json()
        assert [(row["name"], row["total_ram"]) for row in found] == [("pc\t9", 8 << 30), ("pc-1", None)]
        people = await ask(carl, format="csv", hr="true")
        assert "\t8 GB\t" in people.text
        assert (await ask(carl, format="xml")).text.count("<r>") == 2
        assert (await ask(carl, format="html")).text.startswith("<html>")
        posted = await carl.post(QUERY, data={"query": ALL, "format": "json"})
        assert posted.json() == found
        some = await ask(carl, "(select (name) (from device (where device (eq name (string %1)))))", p1="pc-1")
        assert some.text == "name\npc-1\n"
        assert (await carl.get(f"{QUERY}?query={NAMES}&platform=windows&platform=mac_os")).text == "name\npc 9\n"
        health = await ask(carl, "(select (name) (from device) (limit 1))", format="json", platform="mac_os")
        assert health.json() == [{"name": "pc\t9"}]
        assert (await ask(carl, "(select device_uid (from device))")).status_code == 200

    play(scene)


def test_an_answer_is_about_the_devices_of_one_site_that_the_caller_sees(play: Play) -> None:
    async def scene(house: House) -> None:
        made, uid = await world(house), await told(house)
        ann, carl = await house.program(), await basic(house)
        assert await uids(carl) == {made.here.uid, uid}  # the other has an address of its own
        await ann.patch(f"{API}/sites/Lyon", json={"address": None, "port": None})
        assert "default, Lyon" in message(await ask(carl), 400)
        await ann.patch(f"{API}/sites/default", json={"address": "127.0.0.1"})
        assert await uids(carl) == {made.here.uid, uid}
        await ann.patch(f"{API}/sites/default", json={"address": "other.example.net"})
        await ann.patch(f"{API}/sites/Lyon", json={"port": 8080})
        assert await uids(carl) == {made.there.uid}
        rights = {"permissions": ["query"], "sites": ["default"], "domain": 'name == "pc-1"'}
        await ann.put(f"{API}/roles/north", json=rights)
        await ann.patch(f"{API}/accounts/carl", json={"role": "north"})
        assert await uids(carl) == {made.here.uid}

    play(scene)


def test_what_is_wrong_is_a_page(play: Play) -> None:
    async def scene(house: House) -> None:
        house.enrol(1)
        await house.settle()
        carl, bob = await basic(house), await basic(house, "bob", ("execute", "api"))
        wrong = await ask(carl, "(select (nam) (from device))", format="json")
        assert "nam" in message(wrong, 400)
        assert "<li>name</li>" in wrong.text
        cases: list[tuple[dict[str, Any], int]] = [
            ({"query": ""}, 400),
            ({"query": "(select"}, 400),
            ({"query": "\x00\ufffe"}, 400),
            ({"query": NAMES, "format": "pdf"}, 400),
            ({"query": NAMES, "platform": "amiga"}, 400),
            ({"query": "(select (name) (from device (where device (eq name (string %2)))))", "p2": "x"}, 400),
            ({"query": '(update (set #tag (string "x")) (from device))'}, 400),
        ]
        for params, status in cases:
            assert message(await carl.get(QUERY, params=params), status), params
        assert message(await carl.get(QUERY), 400)
        assert message(await carl.post(QUERY, json={"query": NAMES}), 415)
        assert message(await carl.post(QUERY, data={"query": "x" * 300_000}), 413)
        assert message(await bob.get(QUERY, params={"query": NAMES}), 403)
        nobody = await (await house.client()).get(QUERY, params={"query": NAMES})
        assert message(nobody, 401)
        assert nobody.headers["www-authenticate"].startswith("Basic ")

    play(scene)


def test_an_update_sets_a_custom_field_of_the_devices_of_the_site(play: Play) -> None:
    async def scene(house: House) -> None:
        made, control = await world(house), house.portal.control
        keywords = DataType(Kind.ENUM, members=("north", "south"), closed=True)
        fields = [CustomField("device.devices", "tag"), CustomField("device.devices", "group", keywords)]
        control.configured.declare(fields, by="account:ann", now=NOW)
        house.portal.catalogs.refresh()
        ann, carl = await basic(house, "eve", ("query", "manage")), await basic(house)
        where = '(from device (where device (ne name (string "x")))))'
        text = '(update (set #Tag (string "desk 7")) ' + where
        assert "permission manage" in message(await ask(carl, text), 403)
        foreign = await ann.get(QUERY, params={"query": text}, headers={"Sec-Fetch-Site": "cross-site"})
        assert "another site" in message(foreign, 403)
        assert (await ask(ann, text, format="json")).json() == [{"updated": 1}]
        assert (await ask(ann, "(update (set #group (enum %1)) " + where, p1="South")).text == "updated\n1\n"
        found = (await ask(ann, "(select (device_uid #tag #group) (from device))", format="json")).json()
        assert found == [{"device_uid": made.here.uid, "tag": "desk 7", "group": "south"}]
        none = '(update (set #tag (string "y")) (from device (where device (eq name "nobody"))))'
        assert (await ask(ann, none, format="json")).json() == [{"updated": 0}]
        entry = next(one for one in control.audit.latest(9) if one.action == "enrichment.stored")
        assert (entry.actor, entry.detail["domain"], entry.detail["objects"]) == ("account:eve", "NXQL", 1)
        everyone = await house.program()
        other = await everyone.post(f"{API}/query", json={"text": "devices | list name, #tag | sort name asc"})
        assert other.json()["rows"] == [["pc-1", "desk 7"], ["pc-2", None]]

    play(scene)
