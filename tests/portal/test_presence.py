"""Who was connected when, asked in NQL.

Comes in: devices that come and go. Goes out: answers. Invariant: an interval is in an answer once, as it stands at
that instant, before and after it reached the tables.
"""

from __future__ import annotations

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
