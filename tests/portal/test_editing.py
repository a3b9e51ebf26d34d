"""Help with writing over HTTP: what a word is, the text laid out, in plain English, strictly; and values of the data.

In: a portal with devices. Out: nothing. Invariant held here: no text, however broken, is answered with anything but
what is wrong with it.
"""

from __future__ import annotations

import pytest

from nql.api import Context
from nql.catalog.load import builtin
from portal.caller import Caller
from portal.queries.domains import Domain
from portal.queries.seen import MINUTE, MOST, Seen, has_values
from storage.tables.read import SnapshotSource
from tests.portal.conftest import API, NOW, House, Play

QUERY = "devices | where name == $host | list name"
BROKEN = ["", "devices |", "devices | where name == 'a", "\u0000", "\U0001f600 | list", "(" * 20_000]


def test_hover(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        said = (await client.post(f"{API}/nql/hover", json={"text": QUERY, "offset": QUERY.index("name") + 1})).json()
        assert QUERY[said["hover"]["span"]["start"] : said["hover"]["span"]["end"]] == "name"
        assert said["hover"]["doc"]
        none = await client.post(f"{API}/nql/hover", json={"text": QUERY, "offset": QUERY.index("|")})
        assert none.json() == {"hover": None}
        for offset in (-1, 20_001):
            refused = await client.post(f"{API}/nql/hover", json={"text": QUERY, "offset": offset})
            assert refused.status_code == 400

    play(scene)


def test_format(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        said = (await client.post(f"{API}/nql/format", json={"text": "devices|list   name/* all */"})).json()
        assert said == {"text": "devices\n| list name /* all */"}

    play(scene)


def test_explain(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        text = "devices during past 7d | list name"
        said = (await client.post(f"{API}/nql/explain", json={"text": text})).json()
        assert len(said["sentences"]) >= 1
        assert "devices" in said["plan"]
        wrong = await client.post(f"{API}/nql/explain", json={"text": "devices | list naem"})
        assert wrong.status_code == 400
        assert wrong.json()["error"]["diagnostics"][0]["code"] == "NQL202"
        nowhere = await client.post(f"{API}/nql/explain", json={"text": text, "zone": "Nowhere"})
        assert nowhere.status_code == 422

    play(scene)


@pytest.mark.parametrize("what", ["diagnose", "complete", "hover", "format", "explain"])
def test_no_text_is_too_broken(play: Play, what: str) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        for text in BROKEN:
            body = {"text": text} | ({"offset": len(text)} if what in ("complete", "hover") else {})
            answer = await client.post(f"{API}/nql/{what}", json=body)
            assert answer.status_code == (400 if what == "explain" else 200), text
        assert (await client.post(f"{API}/nql/{what}", json={"text": "x" * 20_001, "offset": 1})).status_code == 400

    play(scene)


def whole(caller: Caller) -> Domain:
    return Domain(caller, builtin(), now=NOW, zone="UTC")


def test_values_of_the_data(play: Play) -> None:
    async def scene(house: House) -> None:
        for number in range(1, 4):
            house.enrol(number)
        await house.settle()
        catalog = builtin()
        seen = Seen(house.time)
        context, caller = Context(NOW, "UTC", "UTC"), Caller(house.account())
        other = Caller(house.account("bob", ("query",)))

        async def values(
            typed: str, who: Caller = caller, table: str = "device.devices", column: str = "name"
        ) -> list[str]:
            source = SnapshotSource(await house.portal.tables.snapshot(), catalog)
            return list(seen.values(source, catalog, context, who, whole(who), table, column, typed))

        assert await values("") == ["pc-1", "pc-2", "pc-3"]
        assert await values("PC-2") == ["pc-2"]
        assert await values("zrh") == []
        for odd in ('"', "'", "*", "?", "\\", "\n", "x" * 5000, "$name"):
            assert set(await values(odd)) <= {"pc-1", "pc-2", "pc-3"}
        assert await values("", table="device.devices", column="hardware.memory") == []
        assert await values("", table="nowhere") == await values("", column="nothing") == []
        house.enrol(4)
        await house.settle()
        assert await values("pc") == ["pc-1", "pc-2", "pc-3"]  # remembered
        assert await values("pc", other) == ["pc-1", "pc-2", "pc-3", "pc-4"]  # for one caller alone
        house.time.now += MINUTE + 1
        assert await values("pc") == ["pc-1", "pc-2", "pc-3", "pc-4"]

    play(scene)


def test_values_are_offered_to_whoever_may_query(play: Play) -> None:
    async def scene(house: House) -> None:
        house.enrol(1)
        await house.settle()
        text = 'devices | where name == "pc'
        ask = {"text": text, "offset": len(text)}
        client = await house.program("bob", ("query",))
        said = (await client.post(f"{API}/nql/complete", json=ask)).json()
        assert [item["label"] for item in said["items"]] == ["pc-1"]
        assert not said["items"][0]["ours"]
        nobody = await house.program("eve", ("execute",))
        assert (await nobody.post(f"{API}/nql/complete", json=ask)).status_code == 403

    play(scene)


def test_what_nexthink_lacks_is_marked(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        text = "session.logins | summarize t = time_until_desktop_is_ready."
        said = (await client.post(f"{API}/nql/complete", json={"text": text, "offset": len(text)})).json()
        ours = {item["label"]: item["ours"] for item in said["items"]}
        assert (ours["median()"], ours["avg()"]) == (True, False)

    play(scene)


def test_values_are_few(play: Play) -> None:
    async def scene(house: House) -> None:
        for number in range(1, MOST + 20):
            house.enrol(number)
        await house.settle()
        catalog = builtin()
        seen = Seen(house.time)
        source = SnapshotSource(await house.portal.tables.snapshot(), catalog)
        context, caller = Context(NOW, "UTC", "UTC"), Caller(house.account())
        first = seen.values(source, catalog, context, caller, whole(caller), "device.devices", "name", "pc-")
        assert len(first) == MOST
        more = seen.values(source, catalog, context, caller, whole(caller), "device.devices", "name", "pc-119")
        assert list(more) == ["pc-119"]

    play(scene)


def test_only_texts_of_objects_have_values() -> None:
    catalog = builtin()
    assert has_values(catalog, "device.devices", "name")
    assert has_values(catalog, "binary.binaries", "name")
    assert not has_values(catalog, "device.devices", "last_seen")
    assert not has_values(catalog, "execution.crashes", "binary_path")


def test_strict_refuses_what_is_not_nql(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        text = "devices // all\n| list name,"
        for path in ("nql/diagnose", "nql/explain", "query"):
            assert (await client.post(f"{API}/{path}", json={"text": text})).status_code == 200
            strict = (await client.post(f"{API}/{path}", json={"text": text, "strict": "nexthink"})).json()
            found = strict["diagnostics"] if path == "nql/diagnose" else strict["error"]["diagnostics"]
            assert {item["code"] for item in found} == {"NQL510"}
            assert (await client.post(f"{API}/{path}", json={"text": text, "strict": "yes"})).status_code == 400

    play(scene)
