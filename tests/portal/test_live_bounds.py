"""Who may follow a live query, how many, how much, and how it ends.

Comes in: a portal without a server, with a pace that does not make a test wait. Goes out: nothing. Invariant held here:
nobody is told what they may not see now, and nothing is left behind by whoever has gone.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from portal.errors import ApiError
from portal.queries.live import MOST_OF_ONE, Subject
from portal.settings import Settings
from storage.control.roles import Rights
from tests.portal.conftest import API, NOW, House, Play, eventually, play_in
from tests.portal.follower import DEVICES, Stream, following, quick
from tests.portal.test_running_queries import freed, stopped

pytestmark = pytest.mark.slow


def test_rights_are_those_of_now(play: Play) -> None:
    async def scene(house: House) -> None:
        quick(house)
        house.enrol(1)
        house.enrol(2)
        await house.settle()
        control = house.portal.control
        lea = await house.bounded('device.name == "pc-1"', "query")
        async with following(house, lea) as stream:
            assert stream.answers == [[["pc-1"]]]
            control.roles.put("role of lea", Rights(frozenset({"query"}), None, 'name == "pc-2"'), by="x", now=NOW)
            house.enrol(3)  # anything that has it look again
            await house.settle()
            for reader in house.portal.live._readers:
                reader.wake()
            await stream.until([["pc-2"]])
            control.roles.put("role of lea", Rights(frozenset({"execute"}), None, None), by="x", now=NOW)
            for reader in house.portal.live._readers:
                reader.wake()
            ended = await stream.ended()
            assert (ended["code"], len(stream.answers)) == ("forbidden", 2)
            assert "query" in ended["message"]
        assert not house.portal.live._topics

    play(scene)


def test_who_is_signed_out_hears_no_more(play: Play) -> None:
    async def scene(house: House) -> None:
        quick(house)
        house.enrol(1)
        await house.settle()
        browser = await house.browser()
        async with following(house, browser) as stream:
            assert (await browser.delete(f"{API}/session")).status_code == 204
            house.enrol(2)
            await house.settle()
            assert (await stream.ended())["code"] == "signed_out"
            assert stream.answers == [[["pc-1"]]]

    play(scene)


def test_what_is_wrong_is_said_before_the_stream_begins(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program("ben", ("query",))

        async def refused(**body: Any) -> tuple[int, str]:
            answer = await client.post(f"{API}/query/live", json={"text": DEVICES} | body)
            return answer.status_code, answer.json()["error"]["code"]

        assert await refused(text="devices | list nam") == (400, "query")
        assert await refused(text="platform.audit_logs during past 1d | list action") == (400, "query")
        assert await refused(zone="Nowhere") == (422, "unknown_zone")
        for body in ({"limit": 10_001}, {"limit": -1}, {"offset": 1}, {"id": "x"}):
            assert await refused(**body) == (400, "bad_request")
        assert not house.portal.live._readers
        assert not house.portal.live._topics
        assert (await client.get(f"{API}/queries")).json()["queries"] == []

    play(scene)


def test_an_answer_has_a_bound(play: Play) -> None:
    async def scene(house: House) -> None:
        quick(house)
        house.portal.live.most_bytes = 1000
        house.enrol(1)
        await house.settle()
        client = await house.program()
        async with following(house, client, "devices | list name | limit 99") as stream:
            for number in range(2, 20):
                house.enrol(number)
            await house.settle()
            ended = await stream.ended()
            assert ended["code"] == "live_too_large"
            assert "fewer rows" in ended["hint"]
        answer = await client.post(f"{API}/query/live", json={"text": DEVICES})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "live_too_large")

    play(scene)


def test_an_account_follows_a_few(play: Play) -> None:
    async def scene(house: House) -> None:
        quick(house)
        live, client = house.portal.live, await house.program()
        mine = [live.reader(house.account().id, Subject(DEVICES)) for _ in range(MOST_OF_ONE)]
        answer = await client.post(f"{API}/query/live", json={"text": DEVICES})
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_live")
        assert "Switch Live off" in answer.json()["error"]["hint"]
        assert answer.headers["retry-after"]
        async with following(house, await house.program("ben")) as stream:
            assert stream.status == 200
        mine.pop().close()
        async with following(house, client) as stream:
            assert stream.status == 200
        others = [live.reader(f"account {number}", Subject(DEVICES)) for number in range(91)]
        with pytest.raises(ApiError, match="This portal keeps up 100"):
            live.reader("one more", Subject(DEVICES))
        for reader in (*mine, *others):
            reader.close()

    play(scene)


def test_a_slow_reader_gets_the_newest_answer_alone(play: Play) -> None:
    async def scene(house: House) -> None:
        quick(house)
        house.enrol(1)
        await house.settle()
        async with following(house, await house.program()) as stream:
            stream.held.clear()
            for number in range(2, 7):
                asked = house.portal.live.refreshes
                house.enrol(number)
                await house.settle()

                async def again(asked: int = asked) -> bool:
                    return house.portal.live.refreshes > asked

                await eventually(again)
            stream.held.set()
            await stream.until([[f"pc-{number}"] for number in range(1, 7)])
            assert len(stream.answers) <= 3  # the first, one that was under way, the newest

    play(scene)


def test_it_is_ended_by_who_asks_and_by_who_administers(play: Play) -> None:
    async def scene(house: House) -> None:
        quick(house)
        house.enrol(1)
        await house.settle()
        ben, eve = await house.program("ben", ("query",)), await house.program("eve", ("query",))
        chief = await house.program("ann", ("query", "administer"))
        async with following(house, ben, id="the-query-of-ben") as stream:
            assert (await eve.delete(f"{API}/queries/the-query-of-ben")).status_code == 404
            assert (await chief.delete(f"{API}/queries/the-query-of-ben")).status_code == 204
            assert (await stream.ended())["code"] == "cancelled"
        entry = next(one for one in house.portal.control.audit.latest() if one.action == "query.cancelled")
        assert entry.detail == {"account": "ben", "purpose": "live"}

    play(scene)


def test_all_end_when_the_portal_stops(play: Play) -> None:
    async def scene(house: House) -> None:
        quick(house)
        client = await house.program()
        async with following(house, client) as stream:
            house.portal.stop_waiting()
            assert (await stream.ended())["code"] == "stopping"
        answer = await client.post(f"{API}/query/live", json={"text": DEVICES})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "stopping")

    play(scene)


def test_who_gives_up_before_the_first_answer_leaves_nothing(settings: Settings) -> None:
    async def scene(house: House) -> None:
        house.enrol(1)
        await house.settle()
        client = await house.program()
        body = {"text": DEVICES, "id": "the-first-answer"}
        asking = asyncio.create_task(client.post(f"{API}/query/live", json=body))
        pid = await stopped(house)
        assert (await client.post(f"{API}/query/live", json=body)).json()["error"]["code"] == "id_in_use"
        assert (await client.delete(f"{API}/queries/the-first-answer")).status_code == 204
        answer = await asking
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "cancelled")
        await freed(house, pid)
        assert not house.portal.live._readers
        assert not house.portal.live._topics

    play_in(replace(settings, query_here=0), scene)


def test_an_asker_who_goes_away_before_the_first_answer_cancels(settings: Settings) -> None:
    async def scene(house: House) -> None:
        house.enrol(1)
        await house.settle()
        client, pids = await house.program(), list[int]()

        async def leaves(stream: Stream) -> None:
            pids.append(await stopped(house))
            stream.left.set()

        async with following(house, client, meanwhile=leaves) as stream:
            assert (stream.status, stream.answers) == (499, [])
        await freed(house, pids[0])
        assert not house.portal.live._readers
        assert (await client.get(f"{API}/queries")).json()["queries"] == []

    play_in(replace(settings, query_here=0), scene)
