"""Who was connected when, asked in NQL.

Comes in: devices that come and go. Goes out: answers. Invariant: an interval is in an answer once, as it stands at
that instant, before and after it reached the tables.
"""

from __future__ import annotations

from portal.agents.presence import Presence
from storage.control.presence import Move
from tests.portal.conftest import API, SECOND, House, Play

ASK = "device.presences during past 24h | list device.name, status, duration, reason | sort device.name asc"
CONNECTED = "device.presences during past 24h | where status == connected | list device.name"


def test_who_is_connected_now_and_who_was(play: Play) -> None:
    async def scene(house: House) -> None:
        one, other = house.enrol(1), house.enrol(2)
        await house.settle()
        client = await house.program()

        async def rows(text: str) -> list[list[object]]:
            answer = await client.post(f"{API}/query", json={"text": text})
            assert answer.status_code == 200, answer.text
            found: list[list[object]] = answer.json()["rows"]
            return found

        presence = house.portal.presence
        presence.came(one.uid)
        presence.came(other.uid)
        await presence.write()
        house.time.now += 60 * SECOND
        presence.left(other.uid, "silent")
        await presence.write()
        house.time.now += SECOND
        for _ in range(2):
            found = await rows(ASK)
            assert [row[:2] + row[3:] for row in found] == [["pc-1", "connected", None], ["pc-2", "ended", "silent"]]
            assert found[0][2] is None
            assert await rows(CONNECTED) == [["pc-1"]]
            await house.settle()
        house.time.now += SECOND
        await presence.stop()
        await house.settle()
        assert {row[3] for row in await rows(ASK)} == {"portal_stopped", "silent"}

    play(scene)


def test_what_a_portal_that_died_left_open_ends_before_anything_new_is_written(play: Play) -> None:
    async def scene(house: House) -> None:
        one, portal = house.enrol(1), house.portal
        portal.control.presence.write([Move(one.uid, house.time.now)], now=house.time.now)
        house.time.now += 60 * SECOND
        next_one = Presence(portal.control, portal.threads, portal.clock, lambda: None)
        next_one.came(one.uid)  # it was quicker than the portal
        await next_one.write()
        rows = portal.control.presence.rows_after(0)
        found = [(row["status"], row["reason"], row["start_time"]) for row in rows]
        began = house.time.now
        assert found == [("connected", None, began), ("ended", "portal_lost", began - 60 * SECOND)]

    play(scene)
