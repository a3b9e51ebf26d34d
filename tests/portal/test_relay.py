"""The relay: what the control database tells reaches the tables once, over crashes, bad rows and a full disk."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest

from portal.relay import Relay, columnar
from portal.settings import Settings
from storage.control.outbox import Message
from storage.control.outcomes import Outcome
from storage.control.states import State
from storage.tables import marks
from storage.tables.api import Rows
from storage.tables.fakes import FaultyFiles
from tests.portal.conftest import API, MANIFEST, House, Play, opened, play_in

COUNT = "remote_action.executions during past 2h | summarize n = count() by status"


async def finished(house: House, count: int = 3) -> None:
    """Runs whose executions ended, none of them relayed yet but by the relay's own task."""
    client = await house.program()
    uids = [house.enrol(number).uid for number in range(1, count + 1)]
    await house.settle()
    await client.post(f"{API}/actions", json=MANIFEST)
    run = (
        await client.post(
            f"{API}/runs", json={"action": "#clear_cache", "allow_draft": True, "target": {"devices": uids}}
        )
    ).json()["run"]
    for uid in uids:
        house.answer(run["id"], uid, Outcome(State.SUCCESS, 0))


async def counted(house: House) -> list[list[object]]:
    client = await house.program()
    rows: list[list[object]] = (await client.post(f"{API}/query", json={"text": COUNT})).json()["rows"]
    return rows


def test_a_crash_between_the_two_doubles_nothing(settings: Settings) -> None:
    async def whole() -> None:
        async with opened(settings) as house:
            await finished(house)
            portal = house.portal
            # as a crash would leave it: appended, not marked
            messages = portal.control.outbox.next_batch(2)
            await portal.relay._send(messages)
        async with opened(settings) as house:
            assert await counted(house) == [["success", 3]]
            await house.settle()
            assert await counted(house) == [["success", 3]]
            assert house.portal.control.outbox.next_batch() == []

    asyncio.run(whole())


def test_two_relays_in_turn_agree_on_the_position(play: Play) -> None:
    async def scene(house: House) -> None:
        await finished(house)
        await house.settle()
        portal = house.portal
        other = Relay(portal.control, portal.tables, portal.threads, portal.clock)
        await other.start()
        async with portal.relay.still() as mine, other.still() as theirs:
            assert mine == theirs > 0

    play(scene)


def test_a_bad_row_does_not_hold_up_the_others(play: Play) -> None:
    async def scene(house: House) -> None:
        relay = house.portal.relay
        good = {"uid": "u1", "name": "one", "simulated": False}
        await relay._send([Message(901, "device.devices", {"nothing": 1}), Message(902, "device.devices", good)])
        client = await house.program()
        rows = (await client.post(f"{API}/query", json={"text": "devices | list name"})).json()["rows"]
        assert rows == [["one"]]

    play(scene)


def test_many_groups_leave_no_holes(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many groups of several rows were moved, the next ones are taken, and none is left out of the log."""
    monkeypatch.setattr(marks, "MAX_RANGES", 3)

    async def scene(house: House) -> None:
        client = await house.program()
        for number in range(6):
            for part in ("a", "b"):
                said = await client.put(f"{API}/saved-queries/q{number}{part}", json={"name": part, "text": "devices"})
                assert said.status_code == 200, said.text
            await house.settle()
        text = 'platform.audit_logs during past 2h | where action == "saved_query.saved" | summarize n = count()'
        answer = (await client.post(f"{API}/query", json={"text": text})).json()
        assert answer["rows"] == [[12]], answer

    play(scene)


def test_a_full_disk_stops_ingest_and_not_queries(settings: Settings, tmp_path: Path) -> None:
    files = FaultyFiles(tmp_path / "limbo", lasting=True, code=errno.ENOSPC)
    batch = {
        "source": "test",
        "epoch": "00000000-0000-4000-8000-000000000000",
        "sequence": 1,
        "tables": [{"table": "device.devices", "columns": {"uid": ["u9"], "name": ["nine"]}}],
    }

    async def scene(house: House) -> None:
        await finished(house)
        client = await house.program()
        files.fail_from_now()
        assert not await house.portal.relay.catch_up()
        refused = await client.post(f"{API}/import", json=batch)
        assert (refused.status_code, refused.json()["error"]["code"]) == (507, "storage_full")
        assert refused.headers["retry-after"]
        assert await counted(house) == [["success", 3]]  # what cannot be moved is still told
        files.heal()
        assert await house.portal.relay.catch_up()
        assert await counted(house) == [["success", 3]]
        stored = await client.post(f"{API}/import", json=batch)
        assert stored.json() == {"sequence": 1, "rows": 1, "duplicate": False}

    play_in(settings, scene, files)


def test_columnar_keeps_order_and_shapes() -> None:
    messages = [
        Message(1, "a", {"x": 1}),
        Message(2, "a", {"x": 2}),
        Message(3, "b", {"x": 3}),
        Message(4, "a", {"x": 4, "y": 5}),
    ]
    assert columnar(messages) == [
        Rows("a", {"x": [1, 2]}),
        Rows("b", {"x": [3]}),
        Rows("a", {"x": [4], "y": [5]}),
    ]


def test_a_full_control_database_stops_no_question(play: Play) -> None:
    async def scene(house: House) -> None:
        await finished(house)
        client, browser = await house.program(), await house.browser()
        await house.settle()
        database = house.portal.control._database
        database._writer.exec_driver_sql("PRAGMA query_only=ON")
        database._writer.rollback()
        house.time.now += 3600 * 1_000_000  # so that the uses of token and session want to be noted
        for asking in (client, browser):
            answer = await asking.post(f"{API}/query", json={"text": COUNT})
            assert (answer.status_code, answer.json()["rows"]) == (200, [["success", 3]])
        asked = {"action": "#clear_cache", "allow_draft": True, "target": {"nql": "devices"}}
        assert (await client.post(f"{API}/runs", json=asked)).status_code == 503
        database._writer.exec_driver_sql("PRAGMA query_only=OFF")
        database._writer.rollback()
        assert (await client.post(f"{API}/runs", json=asked)).status_code == 201

    play(scene)


def test_a_cancel_that_comes_with_a_call_ends_it(play: Play) -> None:
    async def scene(house: House) -> None:
        portal = house.portal
        relay = Relay(portal.control, portal.tables, portal.threads, portal.clock)
        await relay.start()
        task = asyncio.create_task(relay.run())
        while not relay._call._waiters:  # it has come to wait
            await asyncio.sleep(0.001)
        relay.wake()
        await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=10)
        assert done, "the relay goes on after it was told to stop"

    play(scene)


def test_a_message_that_an_erasure_emptied_is_left_out(play: Play) -> None:
    async def scene(house: House) -> None:
        control = house.portal.control
        async with house.portal.relay.at_rest():
            gone, stays = house.enrol(1), house.enrol(2)
            asked = control.erasures.ask("device", gone.uid, by="account:ann", now=house.time.now)
            control.erasures.revoked(asked.id, control.erasures.names_of(gone.uid), now=house.time.now)
            control.erasures.erase_here(asked.id, now=house.time.now)
            waiting = [message.table for message in control.outbox.after(0)]
            assert waiting.count("") == waiting.count("device.devices") == 1
        await house.settle()
        client = await house.program()
        said = (await client.post(f"{API}/query", json={"text": "devices | list uid"})).json()
        assert said["rows"] == [[stays.uid]]
        assert control.outbox.next_batch() == []

    play(scene)
