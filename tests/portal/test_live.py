"""Live queries: answered at once, again when what they read has changed, and only then; shared, bounded, ended.

Comes in: a portal without a server, with a pace that does not make a test wait. Goes out: nothing. Invariant held here:
whoever follows a query sees every change that it can show, and nothing that its asker may not see now.
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from portal.caller import Caller
from portal.errors import ApiError
from portal.queries.admission import Purpose
from portal.queries.live import Live, Pace, Subject
from portal.queries.service import Answer, Asked, Queries, Wanted
from portal.settings import Settings
from storage.control.outcomes import Outcome
from storage.control.states import State
from tests.portal.conftest import API, HOUR, MANIFEST, NOW, SECOND, House, Play, eventually, play_in
from tests.portal.follower import DEVICES, EVENTS, OPEN, QUICK, crash, following, quick, stored, turns

pytestmark = pytest.mark.slow


def test_the_whole_answer_comes_first_and_again_when_it_is_another_one(play: Play) -> None:
    async def scene(house: House) -> None:
        quick(house)
        house.enrol(1)
        await house.settle()
        client = await house.program()
        async with following(house, client, id="a-live-query") as stream:
            assert [name for name, _ in stream.events] == ["live", "answer"]
            assert stream.named("live") == [{"id": "a-live-query"}]
            once = (await client.post(f"{API}/query", json={"text": DEVICES})).json()
            del once["id"], once["next"]  # of an answer by itself
            assert {**stream.named("answer")[0], "elapsed_ms": 0} == {**once, "elapsed_ms": 0}
            house.enrol(2)
            await house.settle()
            await stream.until([["pc-1"], ["pc-2"]])
            listed = (await client.get(f"{API}/queries")).json()["queries"]
            assert [(one["id"], one["purpose"]) for one in listed] == [("a-live-query", "live")]
        assert (await client.get(f"{API}/queries")).json()["queries"] == []
        assert not house.portal.live._topics
        assert not house.portal.live._readers

    play(scene)


def test_it_is_asked_again_only_when_what_it_reads_has_changed(play: Play) -> None:
    async def scene(house: House) -> None:
        quick(house)
        devices = [house.enrol(number) for number in (1, 2)]
        await house.settle()
        text = f"{EVENTS} during past 2d | summarize n = count() by device.name | sort device.name asc"
        await crash(house, devices[0].uid, 1)
        client, live = await house.program(), house.portal.live
        async with following(house, client, text) as stream:
            assert stream.answers == [[["pc-1", 1]]]
            asked = live.refreshes
            await stored(house, 2, "user.users", {"uid": ["S-1"], "name": ["somebody"]})
            await stored(house, 3, "device.devices", {"uid": [devices[1].uid], "hardware.model": ["X"]})
            await crash(house, devices[0].uid, 4, ago=60 * 24 * HOUR)
            await turns(house)
            assert live.refreshes == asked  # other tables, other columns, another time
            await crash(house, devices[1].uid, 5)
            await stream.until([["pc-1", 1], ["pc-2", 1]])
            await stored(house, 6, "device.devices", {"uid": [devices[0].uid], "name": ["pc-0"]})
            await stream.until([["pc-0", 1], ["pc-2", 1]])
            asked = live.refreshes
            await house.portal.tables.seal()
            await turns(house)
            assert (live.refreshes, len(stream.answers)) == (asked, 3)

    play(scene)


def test_an_answer_that_is_the_same_is_not_sent_again(play: Play) -> None:
    async def scene(house: House) -> None:
        quick(house)
        device = house.enrol(1)
        await house.settle()
        text = f"{EVENTS} during past 2d | where error_code == 77 | list error_code"
        async with following(house, await house.program(), text) as stream:
            asked = house.portal.live.refreshes
            await crash(house, device.uid, 1)

            async def again() -> bool:
                return house.portal.live.refreshes > asked

            await eventually(again)
            await turns(house)
            assert stream.answers == [[]]
            await stored(house, 2, EVENTS, {"time": [NOW - SECOND], "@device": [device.uid], "error_code": [77]})
            await stream.until([[77]])

    play(scene)


def test_a_window_that_moves_is_asked_again_without_new_rows(play: Play) -> None:
    async def scene(house: House) -> None:
        house.portal.live.pace = Pace(least=0.01, most=0.02, moving=0.05)
        device = house.enrol(1)
        await house.settle()
        await crash(house, device.uid, 1, ago=10 * SECOND)
        text = f"{EVENTS} during past 60min | list error_code"
        async with following(house, await house.program(), text) as stream:
            assert stream.answers == [[[1]]]
            house.time.now += 2 * HOUR
            await stream.until([])

    play(scene)


def test_open_executions_are_followed(play: Play) -> None:
    async def scene(house: House) -> None:
        quick(house)
        device = house.enrol(1)
        await house.settle()
        client = await house.program()
        await client.post(f"{API}/actions", json=MANIFEST)
        async with following(house, client, OPEN) as stream:
            assert stream.answers == [[]]
            asked = {"action": "#clear_cache", "allow_draft": True, "target": {"nql": "devices"}}
            run = (await client.post(f"{API}/runs", json=asked)).json()["run"]["id"]
            await stream.until([["pc-1", "waiting_on_device"]])
            house.answer(run, device.uid, Outcome(State.SUCCESS, 0, {"freed": 5, "files": 7, "took": 1}))
            await stream.until([["pc-1", "success"]])
            before = house.portal.live.refreshes
            await turns(house)
            assert house.portal.live.refreshes == before

    play(scene)


def test_the_same_question_is_asked_once_for_all(play: Play) -> None:
    async def scene(house: House) -> None:
        quick(house)
        house.enrol(1)
        house.enrol(2)
        await house.settle()
        ann, ben = await house.program("ann"), await house.program("ben")
        lea = await house.bounded('device.name == "pc-1"', "query")
        async with following(house, ann) as one, following(house, ben) as other, following(house, lea) as part:
            live = house.portal.live
            assert [len(topic.readers) for topic in live._topics.values()] == [2, 1]
            assert live.refreshes == 2
            assert one.answers == other.answers == [[["pc-1"], ["pc-2"]]]
            assert part.answers == [[["pc-1"]]]
            assert part.named("answer")[0]["cost"] == {"rows": None, "bytes": None, "where": None}
            house.enrol(3)
            await house.settle()
            await one.until([["pc-1"], ["pc-2"], ["pc-3"]])
            await other.until([["pc-1"], ["pc-2"], ["pc-3"]])
            assert part.answers == [[["pc-1"]]]

    play(scene)


def test_parameters_and_bounds_are_those_of_a_query(play: Play) -> None:
    async def scene(house: House) -> None:
        quick(house)
        for number in (1, 2, 3):
            house.enrol(number)
        await house.settle()
        text = "devices | where name in $names | list name | sort name desc"
        names = {"names": ["pc-1", "pc-2", "pc-3"]}
        async with following(house, await house.program(), text, parameters=names, limit=2) as stream:
            assert stream.answers == [[["pc-3"], ["pc-2"]]]
            assert stream.named("answer")[0]["truncated"] is True

    play(scene)


def test_dear_queries_are_asked_seldom() -> None:
    pace = Pace()
    assert [pace.after(took) for took in (0.0, 0.01, 0.5, 3.0, 30.0)] == [1.0, 1.0, 5.0, 30.0, 60.0]


class Moody(Queries):
    """Queries that have no turn for anybody while they are in that mood."""

    busy = False

    async def answered(self, asked: Asked, wanted: Wanted, purpose: Purpose, began: float) -> Answer:
        if self.busy:
            raise ApiError(503, "busy", "Too many wait.")
        return await super().answered(asked, wanted, purpose, began)


def test_a_refresh_that_fails_for_now_is_tried_again(play: Play) -> None:
    async def scene(house: House) -> None:
        house.enrol(1)
        await house.settle()
        portal, caller = house.portal, Caller(house.account())
        moody = Moody(portal.queries._sources, portal.catalogs, portal.threads, house.time, portal.execution)
        live = Live(moody, portal.threads, house.time)
        live.pace = QUICK
        reader = live.reader(caller.account.id, Subject(DEVICES))
        first = await reader.follow(caller)
        moody.busy = True
        house.enrol(2)
        await house.settle()

        async def late() -> bool:
            return (await reader.follow(caller)).late is not None

        await eventually(late)
        newest = await reader.follow(caller)
        assert newest.late is not None
        assert (newest.late["code"], newest.body) == ("busy", first.body)
        moody.busy = False

        async def known() -> bool:
            newest = await reader.follow(caller)
            return newest.late is None and json.loads(newest.body)["rows"] == [["pc-1"], ["pc-2"]]

        await eventually(known)
        reader.close()
        await live.stop()

    play(scene)


def test_a_large_one_is_refreshed_by_a_process(settings: Settings) -> None:
    async def scene(house: House) -> None:
        quick(house)
        house.enrol(1)
        await house.settle()
        async with following(house, await house.program()) as stream:
            assert stream.named("answer")[0]["cost"]["where"] == "worker"
            house.enrol(2)
            await house.settle()
            await stream.until([["pc-1"], ["pc-2"]])
            assert [device["name"] for device in stream.named("answer")[-1]["devices"]] == ["pc-1", "pc-2"]

    play_in(replace(settings, query_here=0), scene)
